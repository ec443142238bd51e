/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings (see settings.h). */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/size_arg.h"
#include "wake.h"
#include "zsfs.h"

bool zsfs_tells_all(const struct zsfs *fs, uint32_t uid)
{
	const struct zsfs_super *s = fs->super;

	return !s->hidestats || uid == 0 || uid == s->mount_uid;
}

uint64_t zsfs_in_use(const int64_t *counter)
{
	int64_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	return n > 0 ? (uint64_t)n : 0;
}

int zsfs_set_size(struct zsfs *fs, uint64_t bytes)
{
	uint64_t blocks = (bytes + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;

	if (bytes && blocks < zsfs_in_use(&fs->used_blocks))
		return -EINVAL;
	__atomic_store_n(&fs->super->size_limit, blocks << ZSFS_BLOCK_SHIFT,
			 __ATOMIC_RELAXED);
	return 0;
}

int zsfs_set_nr_inodes(struct zsfs *fs, uint64_t n)
{
	if (n && n < zsfs_in_use(&fs->used_inodes))
		return -EINVAL;
	__atomic_store_n(&fs->super->inode_limit, n, __ATOMIC_RELAXED);
	return 0;
}

struct zcomp_params zsfs_get_comp(const struct zsfs *fs)
{
	uint64_t word = __atomic_load_n(&fs->super->comp, __ATOMIC_RELAXED);

	return (struct zcomp_params){
		.alg = (enum zcomp_alg)(word & 0xff),
		.level = (int)(word >> 8),
	};
}

void zsfs_set_comp(struct zsfs *fs, const struct zcomp_params *p)
{
	__atomic_store_n(&fs->super->comp,
			 (uint64_t)p->alg | (uint64_t)p->level << 8,
			 __ATOMIC_RELAXED);
}

int zsfs_parse_dense(const char *val, struct zcomp_params *p)
{
	struct zcomp_params parsed;

	if (zcomp_parse(val, &parsed) || parsed.alg != ZCOMP_ZSTD)
		return -EINVAL;
	*p = parsed;
	return 0;
}

int zsfs_get_dense(const struct zsfs *fs)
{
	return (int)__atomic_load_n(&fs->super->dense, __ATOMIC_RELAXED);
}

void zsfs_set_dense(struct zsfs *fs, int level)
{
	__atomic_store_n(&fs->super->dense, (uint64_t)level, __ATOMIC_RELAXED);
}

int zsfs_parse_settle(const char *val, uint32_t *secs)
{
	uint64_t n;

	if (strcmp(val, "off") == 0) {
		*secs = SETTLE_OFF;
		return 0;
	}
	if (number_arg_parse(val, strlen(val), 10, SETTLE_MAX, &n))
		return -EINVAL;
	*secs = (uint32_t)n;
	return 0;
}

void zsfs_format_settle(uint32_t secs, char *text, size_t size)
{
	if (secs == SETTLE_OFF)
		snprintf(text, size, "off");
	else
		snprintf(text, size, "%u", secs);
}

unsigned zsfs_get_settle(const struct zsfs *fs)
{
	return (unsigned)__atomic_load_n(&fs->super->settle, __ATOMIC_RELAXED);
}

void zsfs_set_settle(struct zsfs *fs, uint32_t secs)
{
	__atomic_store_n(&fs->super->settle, secs, __ATOMIC_RELAXED);
	/* What there is may be due at once, also if it was noted before. */
	zsfs_note_stored(fs);
	zsfs_wake(fs);
}

uint64_t zsfs_get_hot(const struct zsfs *fs)
{
	return __atomic_load_n(&fs->super->hot, __ATOMIC_RELAXED);
}

void zsfs_set_hot(struct zsfs *fs, uint64_t bytes)
{
	__atomic_store_n(&fs->super->hot, bytes, __ATOMIC_RELAXED);
}
