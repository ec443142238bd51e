/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settler: settling (settle.h) by itself, of what was not written for a while.
 *
 * Walks over the files that have blocks nobody looked at since they were
 * written (INODE_HAS_NEW), and settles the groups that are old enough. A walk
 * follows when the next group may be; without any there is none. Steps are
 * made by the background thread, but what takes long, to compress, is done by
 * the threads of a mill (mill.h) that only have the CPU time nobody else wants:
 * no lock ever waits for them. While many requests are made they have most of
 * the time for themselves (pace.h). Where memory is nearly used up, neither
 * that nor age counts. Where settling is switched off, a walk ends within a
 * step.
 *
 * Who asks for it (.zsctl/settle) has a walk over everything, without age, by a
 * mill whose threads have their share of the CPUs, as somebody waits. A walk
 * that is under way ends for it.
 */
#ifndef FS_SETTLER_H
#define FS_SETTLER_H

#include <stdint.h>

struct settler;
struct zsfs;
struct zsfs_thread;

/* 0 or -errno. The caller owns *out. */
int settler_start(struct zsfs *fs, struct settler **out);
/*
 * NULL does nothing. Waits for what is being compressed. Nobody is in
 * settler_run() or settler_step().
 */
void settler_stop(struct settler *s);

/*
 * One step on @th, which has no transaction open and is outside its gate;
 * @requests were begun so far. After how many milliseconds to come again; 1: at
 * once; 0: when woken (wake.h).
 */
unsigned settler_step(struct settler *s, struct zsfs_thread *th,
		      uint64_t requests);

/*
 * Have another thread's steps settle all that can be, and wait for that. @th is
 * in its gate, which it leaves meanwhile, and has no transaction open. 0;
 * -ENOMEM when the system has no memory; -EINTR when who asks is to end, and
 * then it goes on.
 */
int settler_run(struct settler *s, struct zsfs_thread *th);

#endif
