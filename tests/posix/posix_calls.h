/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: what the calls of a table share (see posix_table.h). */
#ifndef TESTS_POSIX_POSIX_CALLS_H
#define TESTS_POSIX_POSIX_CALLS_H

#include <sys/types.h>

#define CALL_BUF_SIZE (1 << 20)

struct posix_call {
	const char *name;
	long (*fn)(char **arg); /* as posix_call() */
};

/* All calls, in groups that end with one without a name. */
extern const struct posix_call calls_content[];
extern const struct posix_call calls_names[];
extern const struct posix_call calls_attrs[];
extern const struct posix_call calls_xattr[];
extern const struct posix_call calls_places[];

/* For what is read and written. */
extern char call_buf[CALL_BUF_SIZE];

/* A word of a row as a number, and in octal; 0 where there is none. */
long arg_num(const char *s);
mode_t arg_oct(const char *s);
/* What was opened as the N-th, from 0; others are closed descriptors. */
int arg_fd(const char *s);
/* Letters as flags of open(2). */
int arg_flags(const char *s);

/* What a system call returned, or -errno. */
long call_result(long r);
/* Keep @fd, the result of open(2), as the next descriptor. 0 or -errno. */
long call_push(int fd);

#endif
