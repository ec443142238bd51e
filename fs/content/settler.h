/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settler: settling (settle.h) by itself, of what was not written for a while.
 *
 * Walks over the files that have blocks nobody looked at since they were
 * written (INODE_HAS_NEW), and settles the groups that are old enough. A walk
 * follows when the next group may be; without any there is none. Steps are
 * made by the background thread, but what takes long, to compress, is done by a
 * thread of its own that only has the CPU time nobody else wants and touches
 * nothing that is shared: no lock ever waits for it. Where memory is nearly
 * used up, age does not count.
 */
#ifndef FS_SETTLER_H
#define FS_SETTLER_H

struct settler;
struct zsfs;
struct zsfs_thread;

/* 0 or -errno. The caller owns *out. */
int settler_start(struct zsfs *fs, struct settler **out);
/* NULL does nothing. Waits for what is being compressed. */
void settler_stop(struct settler *s);

/*
 * One step on @th, which has no transaction open and is outside its gate. After
 * how many milliseconds to come again; 1: at once; 0: when woken (wake.h).
 */
unsigned settler_step(struct settler *s, struct zsfs_thread *th);

#endif
