/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room: a request that finds none while memory can be had for it gets it before
 * it is answered ENOSPC.
 *
 * What was deleted counts as free at once, while its blocks are freed in steps
 * (reap.h). A pool with holes in it can be packed. Both is done between two
 * attempts of the request, in bounded steps and with nothing locked: others use
 * the same file and directory meanwhile, and a live check goes first. Several
 * may do so at once; what another thread frees or packs is waited for.
 *
 * A deleted file is freed when the kernel forgets it. It says so after the
 * request that deleted the file was answered, and what is asked next may
 * overtake that FORGET. So a request that finds no room also waits where a file
 * has just lost its last name, but not for long: somebody may have it open.
 *
 * Last, what is stored is compressed more densely (content/settle.h).
 *
 * All that is done in slices of some milliseconds: where others wait for the
 * thread, the request is put back (request_put_back()) and executed anew when
 * it is its turn.
 *
 * Small calls are not to wait for memory with those who fill it: where one
 * found none while others waited, content leaves a little of it alone for a
 * while (the idea is that of the watermarks of Linux's page allocator).
 *
 * Overwriting with what takes no more than before does not wait for that: it
 * uses the arena's reserve, and packs some of the pool afterwards if that was
 * necessary, so that the reserve is there for the next.
 */
#ifndef FS_ROOM_H
#define FS_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tx;
struct zsfs_thread;

/* For how many msecs a request looks for room in all. */
#define ROOM_WAIT_MSECS 1000
/* For how many a FORGET may be on its way. */
#define ROOM_FORGET_MSECS 100

/* The attempts of one request; all zero before the first, but for what it is.
 */
struct room {
	/* That it needs, beside some for its metadata; 0: a small call. */
	uint64_t pages;
	bool brief; /* ends with its first slice, to be done elsewhere */
	bool late;  /* a late write: what finds no room is lost */

	bool part;	/* of the last attempt: a part has found room */
	bool last;	/* nothing is to be had any more */
	bool stuck;	/* others wait, and it cannot be put back */
	bool awaited;	/* in this slice: a FORGET, before all else */
	uint64_t begun; /* clock_ms(): the first attempt failed; 0: unset */
	uint64_t until; /* clock_ms(): no attempt from then on */
	uint64_t slice; /* clock_ms(): until then it is not the others' turn */
};

/* An attempt: tx_begin(), and what it may take of memory until it has ended. */
struct tx *room_begin(struct zsfs_thread *th, const struct room *r);

/*
 * @tx, of room_begin(), of which nobody was told, ended with @err. False: that
 * is the result, and @tx is open. True: it had no room and some was made, or
 * may have come; @tx is aborted and is to be tried again, for a second in all,
 * and where others wait a tenth for what is little or cannot be put back. What
 * it had done before and outside of @tx must be done again or not matter. The
 * thread is in its gate and may leave it meanwhile; it holds no lock but those
 * of @tx.
 */
bool room_again(struct room *r, struct tx *tx, int err);

/* Did it end only because its slice had, which was to be brief? */
static inline bool room_was_brief(const struct room *r, uint64_t now)
{
	return r->brief && r->begun && !r->last && now < r->until;
}

/*
 * With no transaction open: look away for a moment if a FORGET may be on its
 * way and there is another thread to read it. False: there is no point in that.
 */
bool room_await_forget(struct zsfs_thread *th);

/*
 * zsfs_write() in a transaction of its own, *@tx, tried again as above, also
 * when it stored only a part. Results are those of zsfs_write(), which are
 * counted and reported, and *@tx is open.
 */
int room_write(struct zsfs_thread *th, struct tx **tx, uint64_t nodeid,
	       const void *buf, size_t size, uint64_t off, unsigned flags,
	       size_t *done);

/*
 * After @th's transaction has been committed: if it used the reserve, pack some
 * of the pool, where that is worth it.
 */
void room_refill(struct zsfs_thread *th);

#endif
