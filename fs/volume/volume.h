/* SPDX-License-Identifier: BSD-3-Clause */
/* Volume: making a file system in an arena, taking one up again, its end. */
#ifndef FS_VOLUME_H
#define FS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/layout.h"
#include "zcomp.h"

struct shared_page;
struct zsfs;

struct zsfs_params {
	uint64_t arena_size;  /* bytes of address space, 0 = all there may be */
	uint64_t size_limit;  /* bytes, 0 = none */
	uint64_t mem_limit;   /* bytes, 0 = none */
	uint64_t inode_limit; /* 0 = none */
	struct zcomp_params comp;
	struct zcomp_params dense; /* of what settles; level 0: default */
	uint32_t settle;	   /* seconds until then; SETTLE_OFF */
	uint64_t hot;		   /* bytes; 0 = none */
	unsigned chain_size;
	unsigned nr_threads;	       /* request threads; one more is made */
	unsigned nr_helpers;	       /* of the compression crew */
	bool follow_cpu;	       /* requests, to their client's */
	uint32_t mode, uid, gid;       /* of the root directory */
	uint32_t owner_uid, owner_gid; /* of the virtual files */
	bool no_huge;		       /* whatever huge says */
	bool no_swap;  /* what the arena holds is never swapped out */
	char huge[16]; /* as tmpfs's huge=, "" = not given */
	char mpol[64]; /* as tmpfs's mpol=, "" = not given */
	enum zsfs_atime atime;
	bool nodiratime;   /* not that of directories */
	bool atime_is_own; /* no flag of the mount says so */
	bool writeback;	   /* the kernel caches writes */
	bool xattr;	   /* the kernel may ask for attributes */
	bool hidestats;	   /* statistics are their owners' alone */
	char idle_options[ZSFS_OPTIONS_SIZE]; /* accepted, without meaning */
};

/*
 * Make an empty file system in a new arena. 0 or -errno; the caller owns *out
 * and ends it with zsfs_close().
 */
int zsfs_create(const struct zsfs_params *p, struct zsfs **out);

/* Smallest arena_size that zsfs_create() takes, but for mem_limit. */
uint64_t zsfs_min_arena_size(unsigned nr_threads, unsigned nr_helpers);

/* Bytes of zsfs.buffers for @nr_threads, the background thread included. */
uint64_t zsfs_buffers_size(unsigned nr_threads);

/*
 * Map the file system in the arena behind @fd and make this process's half of
 * it ready, while another process may still be using it: nothing is changed.
 * With @shared its threads are alive in @bank of it. 0; -EPROTO for a layout
 * this build does not know; -errno. The caller owns *out.
 */
int zsfs_attach(int fd, unsigned nr_helpers, struct shared_page *shared,
		unsigned bank, struct zsfs **out);

/*
 * The process that used it has died: repair arena and pool, bring every slot to
 * rest, count what is there. What is to be reaped stays on its list, requests
 * and replies in the slots. Safe to be killed in and to be called again. 0, or
 * -EPROTO when something makes no sense.
 */
int zsfs_recover(struct zsfs *fs);

/* Both, and what was to be reaped is reaped. */
int zsfs_open(int fd, unsigned nr_helpers, struct zsfs **out);
void zsfs_close(struct zsfs *fs);

#endif
