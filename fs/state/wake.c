/* SPDX-License-Identifier: BSD-3-Clause */
/* Waking the background thread (see wake.h). */
#include "wake.h"

#include "zsfs.h"

void wake_init(struct wake *w)
{
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->rung, NULL);
}

void wake_destroy(struct wake *w)
{
	pthread_cond_destroy(&w->rung);
	pthread_mutex_destroy(&w->lock);
}

void zsfs_wake(struct zsfs *fs)
{
	pthread_mutex_lock(&fs->wake.lock);
	fs->wake.look = true;
	pthread_cond_signal(&fs->wake.rung);
	pthread_mutex_unlock(&fs->wake.lock);
}

static void note(struct zsfs *fs, bool *what)
{
	if (__atomic_load_n(what, __ATOMIC_RELAXED) ||
	    __atomic_exchange_n(what, true, __ATOMIC_RELAXED))
		return;
	zsfs_wake(fs);
}

void zsfs_note_freed(struct zsfs *fs)
{
	note(fs, &fs->wake.freed);
}

void zsfs_note_stored(struct zsfs *fs)
{
	note(fs, &fs->wake.stored);
}
