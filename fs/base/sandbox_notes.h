/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What confines this process (survive/sandbox.h), for stats.json. Set before
 * requests are served, only read afterwards.
 */
#ifndef FS_SANDBOX_NOTES_H
#define FS_SANDBOX_NOTES_H

#include <stdbool.h>

struct sandbox_notes {
	const char *off; /* why it is not confined at all; NULL: it is */
	bool no_new_privs;
	const char *capabilities; /* "none", "sys_nice", or "kept" */
	bool filter;		  /* of system calls */
	unsigned landlock; /* the kernel's version of it, 0 = not in force */
	char lacks[256];   /* what was refused, and why; "" = nothing */
};

extern struct sandbox_notes sandbox_notes;

static inline bool sandbox_is_on(void)
{
	return !sandbox_notes.off;
}

/*
 * At the end of a thread's main function. Where calls are filtered it does not
 * return, but waits for the end of the process: the filter names threads by
 * their numbers, and one that became free could be another process's.
 */
void sandbox_end_thread(void);

#endif
