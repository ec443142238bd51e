/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Priority of threads beside others on the same CPU. What is refused is not
 * done: the thread has its share then.
 */
#ifndef FS_PRIORITY_H
#define FS_PRIORITY_H

/* The calling thread gets only the CPU time that nobody else wants. */
void priority_idle(void);

/*
 * The calling thread has its share, in small pieces, so that what wakes up
 * beside it need not wait long.
 */
void priority_brief(void);

#endif
