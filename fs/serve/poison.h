/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Suspects: requests that workers died of.
 *
 * The kernel sends a request again until it is answered, so one that crashes
 * the worker would crash every successor. Each slot says whether its thread was
 * executing something when the process died, and a handler of the signals that
 * a crash sends says in which thread (poison_watch()). Kills from outside are
 * nobody's fault. Kills for want of memory may be, if they keep coming and
 * nothing is achieved in between.
 *
 * Of what nobody has asked for none is suspected: that rests (state/chore.h).
 */
#ifndef FS_POISON_H
#define FS_POISON_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;
struct zsfs_slot;

/* Deaths by its own fault after which a request gets EIO. */
#define POISON_CRASHES 3u
/* The same for kills for want of memory, if nothing else was achieved. */
#define POISON_KILLS 8u

/* Have crashes of this process noted in the arena, from now on. */
void poison_watch(struct zsfs *fs);
/* The slot of the calling thread, NULL before there is one. */
void poison_this_thread(struct zsfs_slot *slot);

/* The calling thread is about to end: it has no more to crash of. */
void poison_thread_ends(void);

/*
 * In a takeover: count the death just met against whom it may concern. @oom:
 * memory was short and something killed for it.
 */
void poison_blame(struct zsfs *fs, bool oom);
bool poison_is(const struct zsfs *fs, uint64_t unique);
/* The request is still to be answered: remember what is known of it. */
void poison_keep(struct zsfs *fs, uint64_t unique);
/* Forget the suspects that were not kept in this takeover, and begin a life. */
void poison_purge(struct zsfs *fs);
/* Forget all of them: their requests went with their connection. */
void poison_clear(struct zsfs *fs);

#endif
