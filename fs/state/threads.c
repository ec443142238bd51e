/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads and their gates (see threads.h). */
#include "threads.h"

#include <linux/fuse.h>
#include <sched.h>

#include "base/clock.h"
#include "base/ending.h"
#include "ranks.h"
#include "shared_page.h"
#include "zsfs.h"

/* Between looks at the signals of who waits. */
#define LOOK_MSECS 20u

/* ---- lives ---- */

void zsfs_thread_lives(struct zsfs *fs, unsigned nr)
{
	/* Number 0 is the process's main thread. */
	if (fs->shared)
		shared_page_live(fs->shared, fs->bank, nr + 1);
	__atomic_add_fetch(&fs->alive, 1, __ATOMIC_RELEASE);
}

void zsfs_await_threads(struct zsfs *fs)
{
	while (__atomic_load_n(&fs->alive, __ATOMIC_ACQUIRE) <
	       arena_nr_threads(fs->arena))
		sched_yield();
}

/* ---- gates ---- */

static _Thread_local struct zsfs_thread *inside;

/* Who comes again and again must not keep a check from a gate. */
static void let_check_end(struct zsfs *fs)
{
	ranked_lock(&fs->check_lock, RANK_CHECK, 0);
	while (fs->checking)
		pthread_cond_wait(&fs->check_end, &fs->check_lock);
	ranked_unlock(&fs->check_lock, RANK_CHECK, 0);
}

static bool is_checking(const struct zsfs *fs)
{
	return __atomic_load_n(&fs->checking, __ATOMIC_RELAXED);
}

static void set_checking(struct zsfs *fs, bool yes)
{
	ranked_lock(&fs->check_lock, RANK_CHECK, 0);
	__atomic_store_n(&fs->checking, yes, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&fs->check_end);
	ranked_unlock(&fs->check_lock, RANK_CHECK, 0);
}

void zsfs_enter(struct zsfs_thread *th)
{
	struct zsfs *fs = th->fs;

	lock_rank_take(RANK_GATE, zsfs_thread_nr(th));
	if (is_checking(fs) || pthread_mutex_trylock(&th->gate)) {
		__atomic_add_fetch(&fs->kept_waiting, 1, __ATOMIC_RELAXED);
		let_check_end(fs);
		pthread_mutex_lock(&th->gate);
		__atomic_sub_fetch(&fs->kept_waiting, 1, __ATOMIC_RELAXED);
	}
	inside = th;
}

void zsfs_leave(struct zsfs_thread *th)
{
	inside = NULL;
	ranked_unlock(&th->gate, RANK_GATE, zsfs_thread_nr(th));
}

void zsfs_pause(struct zsfs_thread *th)
{
	if (inside != th || !is_checking(th->fs))
		return;
	zsfs_leave(th);
	zsfs_enter(th);
}

/* ---- interrupts ---- */

/* The kernel told a worker that has died, so there is none to wait for. */
static bool was_told_before(uint64_t unique)
{
	return unique & UNIQUE_RESEND;
}

static bool was_told(const struct zsfs *fs, uint64_t unique)
{
	if (!unique)
		return false;
	for (unsigned i = 0; i < ZSFS_INTERRUPTS; i++)
		if (__atomic_load_n(&fs->interrupts[i], __ATOMIC_RELAXED) ==
		    unique)
			return true;
	return was_told_before(unique);
}

/* What the kernel tells of once may be a signal that is none to end. */
bool zsfs_was_interrupted(struct zsfs *fs, uint64_t unique, uint32_t pid)
{
	return was_told(fs, unique) && thread_is_ending(pid);
}

bool zsfs_is_interrupted(struct zsfs_thread *th)
{
	const struct fuse_in_header *in = (const void *)th->slot->req;
	uint64_t now = clock_ms();

	if (now < th->interrupt_ms)
		return false;
	th->interrupt_ms = now + LOOK_MSECS;
	return zsfs_was_interrupted(th->fs, th->slot->unique, in->pid);
}

void zsfs_interrupt(struct zsfs *fs, uint64_t unique)
{
	unsigned n =
		__atomic_fetch_add(&fs->nr_interrupts, 1, __ATOMIC_RELAXED);

	__atomic_store_n(&fs->interrupts[n % ZSFS_INTERRUPTS], unique,
			 __ATOMIC_RELAXED);
}

/* ---- keeping out ---- */

/* In any order: only who has verify_lock waits while it holds a gate. */
static void wait_for_gate(struct zsfs_thread *th)
{
	pthread_mutex_lock(&th->gate);
	lock_rank_tried(RANK_GATE, zsfs_thread_nr(th));
}

bool zsfs_keep_out(struct zsfs *fs)
{
	if (ranked_trylock(&fs->verify_lock, RANK_VERIFY, 0))
		return false;
	set_checking(fs, true);
	for (unsigned k = 0; k < fs->nr_threads; k++)
		if (&fs->threads[k] != inside)
			wait_for_gate(&fs->threads[k]);
	return true;
}

void zsfs_let_in(struct zsfs *fs)
{
	for (unsigned k = 0; k < fs->nr_threads; k++)
		if (&fs->threads[k] != inside)
			ranked_unlock(&fs->threads[k].gate, RANK_GATE, k);
	set_checking(fs, false);
	ranked_unlock(&fs->verify_lock, RANK_VERIFY, 0);
}
