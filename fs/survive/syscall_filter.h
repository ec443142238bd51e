/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls of a worker: those that serving, taking over and dying need, and
 * of some of them only what is harmless. Any other is not made, and raises
 * SIGSYS: not a plain kill, because a request that makes every worker do it
 * must be known for that, by a handler that then ends the process
 * (serve/poison.h). The filter lets nobody set another one. The kernel takes it
 * away when it begins, so that the second such call of who has got out of it is
 * death at once. Calls of another architecture always are.
 *
 * Who adds a system call to the serving path adds it here. The bats tests find
 * what is missing: the log has its number.
 */
#ifndef FS_SYSCALL_FILTER_H
#define FS_SYSCALL_FILTER_H

#include <sys/types.h>

/*
 * For all threads of the process, and for good. Needs no_new_privs, of all
 * threads. Only the @nr threads in @placed can be told where to run, and to
 * give way; they live as long as the process does, or their numbers may become
 * those of others. 0 or -errno; -ENOPKG where it was built without libseccomp.
 */
int syscall_filter_load(const pid_t *placed, unsigned nr);

#endif
