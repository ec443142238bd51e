/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper threads for the blocks of large requests. */
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "state/ranks.h"
#include "state/threads.h"
#include "state/zsfs.h"

struct job {
	crew_fn *fn;
	void *arg;
	unsigned pieces;
	unsigned next;	 /* atomic: first piece nobody has taken */
	unsigned inside; /* crew.lock: helpers that may still touch the job */
};

struct helper {
	struct crew *crew;
	struct zsfs *fs;
	pthread_t thread;
	struct arena_thread *at;
	struct zcomp_ctx *zc;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t work; /* a job was offered, or stop */
	pthread_cond_t left; /* the last helper left the job */
	struct job *job;     /* lock */
	bool stop;	     /* lock */
	unsigned n;
	struct helper helpers[];
};

static void do_pieces(struct job *j, struct arena_thread *at,
		      struct zcomp_ctx *zc)
{
	unsigned i;

	while ((i = __atomic_fetch_add(&j->next, 1, __ATOMIC_RELAXED)) <
	       j->pieces)
		j->fn(j->arg, i, at, zc);
}

static void *helper_main(void *arg)
{
	struct helper *h = arg;
	struct crew *c = h->crew;

	zsfs_thread_lives(h->fs, arena_thread_nr(h->at));
	ranked_lock(&c->lock, RANK_CREW, 0);
	while (!c->stop) {
		struct job *j = c->job;

		if (!j ||
		    __atomic_load_n(&j->next, __ATOMIC_RELAXED) >= j->pieces) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		j->inside++;
		ranked_unlock(&c->lock, RANK_CREW, 0);
		do_pieces(j, h->at, h->zc);
		ranked_lock(&c->lock, RANK_CREW, 0);
		/* The owners of several jobs may be waiting. */
		if (--j->inside == 0)
			pthread_cond_broadcast(&c->left);
	}
	ranked_unlock(&c->lock, RANK_CREW, 0);
	return NULL;
}

void crew_run(struct crew *c, crew_fn *fn, void *arg, unsigned pieces,
	      struct arena_thread *at, struct zcomp_ctx *zc)
{
	struct job j = {.fn = fn, .arg = arg, .pieces = pieces};
	bool shared = false;

	if (c && pieces > 1 && !ranked_trylock(&c->lock, RANK_CREW, 0)) {
		if (!c->job) {
			c->job = &j;
			shared = true;
			pthread_cond_broadcast(&c->work);
		}
		ranked_unlock(&c->lock, RANK_CREW, 0);
	}
	do_pieces(&j, at, zc);
	if (!shared)
		return;
	ranked_lock(&c->lock, RANK_CREW, 0);
	c->job = NULL;
	while (j.inside > 0)
		pthread_cond_wait(&c->left, &c->lock);
	ranked_unlock(&c->lock, RANK_CREW, 0);
}

int crew_start(struct zsfs *fs, unsigned n, unsigned first_at,
	       struct crew **out)
{
	struct crew *c = calloc(1, sizeof(*c) + n * sizeof(c->helpers[0]));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->left, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct helper *h = &c->helpers[i];

		h->crew = c;
		h->fs = fs;
		h->at = arena_thread(fs->arena, first_at + i);
		h->zc = zcomp_ctx_create();
		if (!h->zc)
			goto err_stop;
		if (pthread_create(&h->thread, NULL, helper_main, h)) {
			zcomp_ctx_destroy(h->zc);
			goto err_stop;
		}
		c->n++;
	}
	*out = c;
	return 0;

err_stop:
	crew_stop(c);
	return -ENOMEM;
}

void crew_stop(struct crew *c)
{
	if (!c)
		return;
	ranked_lock(&c->lock, RANK_CREW, 0);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	ranked_unlock(&c->lock, RANK_CREW, 0);
	for (unsigned i = 0; i < c->n; i++) {
		pthread_join(c->helpers[i].thread, NULL);
		zcomp_ctx_destroy(c->helpers[i].zc);
	}
	pthread_cond_destroy(&c->left);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
