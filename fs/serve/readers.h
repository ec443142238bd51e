/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Readers: which of the request threads wait in read(2) for the next request.
 *
 * What a small request costs is the wake-up of a sleeping CPU, several times
 * what is done for it. A client and the thread that serves it take turns, so
 * one CPU is enough for both, and then nothing has to be woken:
 *
 * ONE  One thread waits in read(2), the leader, on the CPU that requests come
 *      from: now and then it has its looker see where their client runs, and
 *      both go there. The others wait to be called. Leader and looker are
 *      SCHED_IDLE where that is permitted: a CPU with nothing else to run
 *      counts as idle, so the scheduler leaves the client that is being
 *      answered where it is, instead of waking another CPU for it.
 * ALL  All threads wait in read(2), on any CPU, as it is without following.
 *      That is for when one is not enough: a request may take long (64 KiB and
 *      more, virtual files); several clients ask in turns; requests wait most
 *      of the time; one has waited for some milliseconds without any being
 *      answered (another program keeps the CPU, the leader waits for a lock);
 *      threads of the process itself keep all CPUs, as when blocks settle;
 *      or nothing is known about where clients run.
 *
 * The leader finds out by what it reads, and a watch thread by a look every few
 * milliseconds while requests are made. The watch tries ONE again after a time
 * that doubles as long as it fails at once.
 *
 * Leader and followers: D. Schmidt, C. O'Ryan, M. Kircher, I. Pyarali, "Leader/
 * Followers", 2000. Nothing here outlives the process: a successor begins with
 * ONE.
 */
#ifndef FS_READERS_H
#define FS_READERS_H

#include <stdbool.h>
#include <sys/types.h>

struct fuse_in_header;
struct reader_counts;
struct readers;

/*
 * For @nr request threads on connection @fd, which stays the caller's. @follow:
 * else, and where there is nothing to choose from (one CPU, no right to
 * choose), it is ALL for ever. @counts is for stats.json and stays the
 * caller's. 0 or -errno. The caller ends *out with readers_free().
 */
int readers_new(unsigned nr, int fd, bool follow, struct reader_counts *counts,
		struct readers **out);

/* The calling thread is request thread @nr from now on. */
void readers_join(struct readers *r, unsigned nr);

/*
 * The threads that are told where to run, once all request threads have joined:
 * how many, or -errno. The caller frees *tids.
 */
int readers_placed(const struct readers *r, pid_t **tids);

/*
 * Request thread @nr is about to read(2): wait until it shall. Holds no lock
 * and no gate.
 */
void readers_wait(struct readers *r, unsigned nr);

/*
 * Request thread @nr has read the request @in and is about to execute it: if it
 * leads, follow the client, or have all read.
 */
void readers_received(struct readers *r, unsigned nr,
		      const struct fuse_in_header *in);

/* One that may take long was put aside (receive.h): count it, have all read. */
void readers_put_aside(struct readers *r);

/* Request thread @nr has executed the request that it received. */
void readers_done(struct readers *r, unsigned nr);

/* All threads shall read, for ever: they are to find that the end has come. */
void readers_release(struct readers *r);

/* After the request threads have ended. NULL is allowed. */
void readers_free(struct readers *r);

#endif
