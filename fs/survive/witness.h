/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Witness: some process in our mount namespace that is not one of zsfs.
 *
 * A mount namespace lives as long as a process is in it, and its mounts with
 * it. Ours would keep one, and the mount in it, that nobody can reach any more,
 * so when there is no witness left they move to the machine's first namespace.
 * Whether that is the end of the mount is then for the kernel to say: a
 * descriptor of the namespace, or a copy of the mount in another, keeps it.
 */
#ifndef FS_WITNESS_H
#define FS_WITNESS_H

/*
 * A pidfd of a witness, close-on-exec, the caller's; it polls as readable when
 * the witness has ended. -ESRCH: there is none that may be looked at.
 */
int witness_find(void);

/*
 * Move this process, which has one thread, to the namespace of process 1, or of
 * the kernel's threads where that may not be looked at. 0 or -errno.
 */
int witness_leave(void);

#endif
