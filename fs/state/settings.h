/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings that can change while the file system is in use.
 *
 * Each is one word of the super, read by whoever needs it, so a change takes
 * effect for what comes after it. mem_limit has a header of its own.
 */
#ifndef FS_SETTINGS_H
#define FS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zcomp.h"

struct zsfs;

/* Most bytes of content, 0 = no limit. -EINVAL below present use. */
int zsfs_set_size(struct zsfs *fs, uint64_t bytes);
/* Most inodes, 0 = no limit. -EINVAL below present use. */
int zsfs_set_nr_inodes(struct zsfs *fs, uint64_t n);

/* How new content is compressed. */
struct zcomp_params zsfs_get_comp(const struct zsfs *fs);
void zsfs_set_comp(struct zsfs *fs, const struct zcomp_params *p);

/*
 * What the option and the control file for what settles may say. 0: *@p is
 * that; -EINVAL: @val is nothing of DENSE_USAGE.
 */
#define DENSE_USAGE "zstd, zstd:1 to zstd:19 (level)"
int zsfs_parse_dense(const char *val, struct zcomp_params *p);

/*
 * The level of zstd for what settles (content/settle.h). Programs and libraries
 * take 7 % less RAM with 4 than with 1, text 4 %. They take 1.5 times as long
 * to settle, which nobody waits for, and 8 % longer to read.
 */
#define DENSE_DEFAULT 4
int zsfs_get_dense(const struct zsfs *fs);
void zsfs_set_dense(struct zsfs *fs, int level);

/*
 * How long in seconds blocks are left alone before they settle by themselves;
 * SETTLE_OFF: they do not. zsfs_parse_settle(): 0: *secs is what @val says;
 * -EINVAL: it is nothing of SETTLE_USAGE.
 */
#define SETTLE_OFF   UINT32_MAX
#define SETTLE_MAX   1000u
#define SETTLE_USAGE "off, or 0 to 1000 (seconds)"
int zsfs_parse_settle(const char *val, uint32_t *secs);
void zsfs_format_settle(uint32_t secs, char *text, size_t size);
unsigned zsfs_get_settle(const struct zsfs *fs);
void zsfs_set_settle(struct zsfs *fs, uint32_t secs);

/* Most bytes that may be hot (content/hot.h). 0: nothing is. */
uint64_t zsfs_get_hot(const struct zsfs *fs);
void zsfs_set_hot(struct zsfs *fs, uint64_t bytes);

/*
 * May user @uid be told exact sums over what others have? With hidestats only
 * root and the mount's owner.
 */
bool zsfs_tells_all(const struct zsfs *fs, uint32_t uid);

/* zsfs.used_blocks or used_inodes, never below 0. */
uint64_t zsfs_in_use(const int64_t *counter);

#endif
