/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crew: helper threads that share the work on the blocks of a large request.
 *
 * A request thread offers a job of equal pieces; it and the helpers take pieces
 * until none is left. Helpers only compress or decompress between buffers of
 * the job and never touch anything others can reach, so they need no locks, and
 * their death loses nothing. One job is worked on at a time; a request thread
 * that finds the crew busy does its work alone.
 */
#ifndef FS_CREW_H
#define FS_CREW_H

struct arena_thread;
struct crew;
struct zcomp_ctx;
struct zsfs;

/* Do piece @piece with the doing thread's contexts. */
typedef void crew_fn(void *arg, unsigned piece, struct arena_thread *at,
		     struct zcomp_ctx *zc);

/*
 * Start @n helpers; their arena threads have the numbers @first_at and up.
 * Returns 0 or -errno; the caller owns *out.
 */
int crew_start(struct zsfs *fs, unsigned n, unsigned first_at,
	       struct crew **out);
void crew_stop(struct crew *c);

/*
 * Have pieces 0 .. @pieces - 1 of a job done, by the caller with its own
 * contexts and by whatever helpers are free. Returns when all are done. @c may
 * be NULL.
 */
void crew_run(struct crew *c, crew_fn *fn, void *arg, unsigned pieces,
	      struct arena_thread *at, struct zcomp_ctx *zc);

#endif
