/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sandbox: a worker or standby makes itself a process that can do nothing but
 * serve, before it looks at any request. Then a bug in what reads requests and
 * decompresses gives an attacker next to nothing, and the keeper another
 * worker.
 *
 * What is needed later of what cannot be opened then is open already:
 * descriptors that the keeper hands down, the log, the count of OOM kills,
 * /dev/null.
 * sandbox_begin() takes away privileges and files, sandbox_seal() system calls;
 * in between threads are started. Each step that the kernel or a container does
 * not permit is skipped, and noted (base/sandbox_notes.h).
 *
 * The keeper is not confined: it mounts and starts processes, and looks at
 * nothing that users of the mount send.
 */
#ifndef FS_SANDBOX_H
#define FS_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

struct shared_config;

/*
 * Who workers of root's mounts shall be: the user "zsfs" of the file @passwd
 * (NULL: the system's), or else an id by chance from those that systemd gives
 * to services for a while, and that neither the file nor systemd has given
 * away now. So it is most likely that no other program is it, and can signal,
 * stop or slow a worker. No directory service is asked, which may wait for a
 * network. Nobody where all are taken.
 */
void sandbox_find_user(const char *passwd, uint32_t *uid, uint32_t *gid);

/* With one thread. Fills sandbox_notes; does nothing else if not wanted. */
void sandbox_begin(const struct shared_config *c);
/*
 * When all threads of the start are there. From then on the @nr in @placed are
 * the only ones whose place changes (base/cpu_place.h), and none its priority
 * (base/priority.h).
 */
void sandbox_seal(const pid_t *placed, unsigned nr);

/* Log what is not in force, if anything. */
void sandbox_tell(const char *mountpoint);

#endif
