/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work of a mount, with a bar that shows how far it is. */
#ifndef FS_CTL_PROGRESS_H
#define FS_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *at;	  /* mountpoint */
	const char *file; /* of .zsctl; writing to it does the work */
	/*
	 * How far it is: @done of @all, or 0 when that is not known. May be
	 * NULL, and asks the mount.
	 */
	bool (*look)(const char *at, int64_t *done, int64_t *all);
	bool shown; /* where people look at standard error */
	/* What came of it: */
	int err; /* 0 or -errno of the write */
	double secs;
};

/* Do it, and wait until it is done. */
void progress_run(struct progress *p);

#endif
