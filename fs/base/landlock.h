/* SPDX-License-Identifier: BSD-3-Clause */
/* Landlock: what of the file system a process may still open. */
#ifndef FS_LANDLOCK_H
#define FS_LANDLOCK_H

/*
 * From now on the calling thread, and those that it starts, may read below the
 * @n folders @readable (those that are not there are left out) and do nothing
 * else with files by their names: what is open stays so. They open no TCP
 * connection, and signal and reach by abstract sockets nobody but each other;
 * all as far as the kernel has it. Needs no_new_privs.
 *
 * Returns the kernel's version of Landlock, from 1 on; -ENOSYS or -EOPNOTSUPP
 * where it has none, or another -errno.
 */
int landlock_confine(const char *const *readable, unsigned n);

#endif
