/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: the system calls that a row can make. */
#ifndef TESTS_POSIX_POSIX_TABLE_H
#define TESTS_POSIX_POSIX_TABLE_H

/*
 * Make the call @arg[0] with the arguments behind it, up to NULL: -errno, or
 * what it returns, 0 for a descriptor. Calls that are no system calls look at
 * something: they return what they find.
 */
long posix_call(char **arg);

/* The directory of the rows' directories: absolute, where a mount is. */
extern const char *posix_top;

#endif
