/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * STATX: GETATTR of who wants to know the time of birth, too.
 *
 * libfuse 3.14 does not know it. The request begins as a GETATTR does, so it is
 * shown to libfuse as one (request.c), and only the answer differs.
 */
#ifndef FS_STATX_H
#define FS_STATX_H

#include <stdbool.h>
#include <sys/stat.h>

/* Of the protocol since 7.39; older headers lack it. */
#define OPCODE_STATX 52u

struct fuse_req;
struct ztime;

/*
 * Answer GETATTR, or with @statx STATX: @st may be kept for @timeout seconds.
 * @btime is the time of birth, NULL: there is none.
 */
void statx_reply(struct fuse_req *req, bool statx, const struct stat *st,
		 const struct ztime *btime, double timeout);

#endif
