/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer to STATX (see statx.h). */
#include "statx.h"

#include <stdint.h>
#include <sys/sysmacros.h>

#include "ops.h"
#include "state/stamp.h"

struct sx_time {
	int64_t sec;
	uint32_t nsec, pad;
};

/* struct fuse_statx of 7.39; attributes the kernel does not look at. */
struct sx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};

struct statx_out {
	uint64_t valid; /* seconds for which it may be kept */
	uint32_t valid_nsec, flags;
	uint64_t spare[2];
	struct sx stat;
};

_Static_assert(sizeof(struct statx_out) == 288, "as the kernel has it");

static struct sx_time sx_time(const struct timespec *ts)
{
	return (struct sx_time){ts->tv_sec, (uint32_t)ts->tv_nsec, 0};
}

static struct sx from_stat(const struct stat *st)
{
	return (struct sx){
		.mask = STATX_BASIC_STATS,
		.blksize = (uint32_t)st->st_blksize,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = (uint16_t)st->st_mode,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = sx_time(&st->st_atim),
		.ctime = sx_time(&st->st_ctim),
		.mtime = sx_time(&st->st_mtim),
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
	};
}

void statx_reply(fuse_req_t req, bool statx, const struct stat *st,
		 const struct ztime *btime, double timeout)
{
	struct statx_out out = {
		.valid = (uint64_t)timeout,
		.valid_nsec =
			(uint32_t)((timeout - (double)(uint64_t)timeout) * 1e9),
	};

	if (!statx) {
		fuse_reply_attr(req, st, timeout);
		return;
	}
	out.stat = from_stat(st);
	if (btime) {
		out.stat.mask |= STATX_BTIME;
		out.stat.btime = (struct sx_time){btime->sec, btime->nsec, 0};
	}
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
