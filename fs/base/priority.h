/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Priority of threads beside others on the same CPU. What is refused is not
 * done: the thread has its share then.
 */
#ifndef FS_PRIORITY_H
#define FS_PRIORITY_H

/*
 * The calling thread gets little more than the CPU time that nobody else wants:
 * a 60th of a CPU's. With SCHED_IDLE it would get less, but it must come to its
 * end when it is told to or killed, and where four programs compute on two CPUs
 * that took 2 seconds, by which an unmount was late.
 */
void priority_low(void);

/*
 * The calling thread has its share, and lets everything go first that wakes up
 * beside it.
 */
void priority_patient(void);

#endif
