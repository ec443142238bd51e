/* SPDX-License-Identifier: BSD-3-Clause */
/* Readers from the inside: request threads (readers.c) and the watch. */
#ifndef FS_READERS_I_H
#define FS_READERS_I_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>

#include "base/cpu_place.h"
#include "readers.h"
#include "state/reader_counts.h"

/* In readers.lead, in place of a thread's number. */
#define LEAD_NOBODY (-1) /* ONE: whoever comes next takes it */
#define LEAD_ALL    (-2)

struct reader {
	struct cpu_place place; /* lock */
	pthread_cond_t called;	/* with lock */
	bool waiting;		/* lock: for the lead */
	/* The leader's own. */
	unsigned asked;	 /* requests since it last asked for a look */
	uint32_t client; /* pid of the last request; atomic */
	uint32_t turns;	 /* 1 where it was another; the last is bit 0 */
	unsigned unseen; /* requests in a row without a visible client */
	/*
	 * One more when a request was read, one more when it was executed, so
	 * odd in between. Atomic, on a cache line of its own.
	 */
	uint64_t steps __attribute__((aligned(64)));
} __attribute__((aligned(64)));

struct readers {
	unsigned nr;
	int fd; /* the connection */
	bool following;
	bool may_idle;	   /* cpu_place_may_idle() */
	cpu_set_t allowed; /* where threads may run when they are not led */
	struct reader_counts *counts;
	pthread_mutex_t lock;
	int lead;	     /* atomic; written under lock */
	unsigned look_every; /* requests between two looks; atomic */
	int candidate;	  /* lock: CPU that the last look at a client found */
	unsigned unknown; /* lock: looks in a row that found nothing */

	/* The watch (readers_watch.c). */
	pthread_t watch;
	struct cpu_place watch_place; /* lock: with the leader */
	pthread_mutex_t watch_lock;   /* no leader with a place ever has it */
	pthread_cond_t rung;	      /* with watch_lock */
	/* The looker (readers_look.c). */
	pthread_t looker;
	struct cpu_place looker_place; /* lock: with the leader, and as it */
	sem_t look;		       /* posted by a leader */
	bool looks;		       /* the thread runs */

	bool resting;	    /* atomic: to be rung when a request comes */
	bool over;	    /* atomic: all shall read, for ever */
	bool began;	    /* the thread runs */
	uint64_t one_since; /* lock: milliseconds */
	uint64_t all_until; /* atomic; written under lock */
	unsigned hold;	    /* lock: milliseconds of the next ALL */

	struct reader threads[];
};

static inline bool readers_over(const struct readers *r)
{
	return __atomic_load_n(&r->over, __ATOMIC_SEQ_CST);
}

/* All threads read from now on. */
void readers_let_all(struct readers *r, enum readers_why why);

/* One leads: whoever comes first. */
void readers_let_one(struct readers *r);

/*
 * The leader's client was found on @cpu, or with -1 not at all: have the leader
 * follow it.
 */
void readers_follow(struct readers *r, int cpu);

/* The leader may run anywhere, until its client is looked for again. */
void readers_free_place(struct readers *r);

/* Steps of the leader, when it has a place and is executing; else 0. */
uint64_t readers_placed_at(struct readers *r);

/* Steps of all threads: a change is progress. *busy: one is executing. */
uint64_t readers_steps(const struct readers *r, bool *busy);

/* The watch: begin, ring it (it rests), end it. */
int readers_watch_start(struct readers *r);
void readers_watch_ring(struct readers *r);
void readers_watch_stop(struct readers *r);

/* The looker: begin, have it look at the leader's client, end it. */
int readers_look_start(struct readers *r);
void readers_ask_look(struct readers *r);
void readers_look_stop(struct readers *r);

#endif
