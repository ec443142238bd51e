/* SPDX-License-Identifier: BSD-3-Clause */
/* A session of libfuse, as the server has one, on any descriptor. */
#ifndef TESTS_UNIT_FIXTURE_SESSION_H
#define TESTS_UNIT_FIXTURE_SESSION_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 35
#endif
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/ops.h"
#include "serve/request.h"

/* Serves @fs; has a duplicate of @fd, and ends the process without memory. */
static inline struct fuse_session *fixture_session(struct zsfs *fs, int fd)
{
	static const struct fuse_custom_io io = {
		.writev = request_capture,
		.read = request_read,
	};
	struct fuse_lowlevel_ops ops = ops_of(fs);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se;

	fuse_opt_add_arg(&args, "test");
	se = fuse_session_new(&args, &ops, sizeof(ops), fs);
	fuse_opt_free_args(&args);
	if (!se || fuse_session_custom_io(se, &io, dup(fd)))
		exit(2);
	return se;
}

#endif
