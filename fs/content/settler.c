/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling by itself (see settler.h). */
#include "settler.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/min.h"
#include "mill.h"
#include "pace.h"
#include "settling.h"
#include "slot.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/mem_limit.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"

/* While blocks are written: how often to look whether memory is short. */
#define LOOK_MSECS 1000u
/* Between looks at whether who asks is to end. */
#define ASKER_MSECS 20
/* Age does not count when no more than this part of the limit is free. */
#define SHORT_PART 16u
/* How often a group is tried that others change meanwhile. */
#define MAX_TRIES 3u

struct settler {
	struct zsfs *fs;
	/* Who asks for a walk, and waits for its end. */
	pthread_mutex_t lock;
	pthread_cond_t over;
	uint64_t asked;	   /* lock: how often */
	uint64_t answered; /* lock: of them, those that have their walk */
	int err;	   /* lock: of the last walk that was asked for */
	/* Of the background thread: the walk. */
	struct mill *idle; /* gets what CPU time nobody wants */
	struct mill *busy; /* for who waits; NULL: nobody has yet */
	struct mill *mill; /* one of them, of this walk */
	struct settling p;
	struct group g;	  /* where it is; inode NULL: between files */
	void *at;	  /* record of the inode, NULL: at the beginning */
	bool walking;	  /* from begin_walk() to end_walk() */
	struct pace pace; /* of the walk, beside requests */
	bool found_all;	  /* what is left was given away */
	bool cut;	  /* it ends before */
	uint64_t asker;	  /* who asked up to here waits for it; 0: nobody */
	int walk_err;	  /* for them */
	bool all;	  /* files without INODE_HAS_NEW, too */
	bool left;	  /* something is young or busy */
	uint64_t next_ms; /* clock_ms() of the next walk; 0: none */
	uint64_t rest_ms; /* clock_ms(): no sooner, where memory is short */
	unsigned secs;	  /* the setting that it comes from */
	int64_t written;  /* blocks so far, when it last looked */
};

/* ---- the walk ---- */

/* The flag goes first: who writes meanwhile sets it again. */
static bool take_flag(struct settler *s, struct zinode *i)
{
	struct group g = {.inode = i};
	struct tx *tx = tx_begin(s->p.th);
	bool there = settling_lock(&s->p, tx, &g);

	if (!there || !(i->flags & INODE_HAS_NEW)) {
		tx_abort(tx, 0);
		return there && s->all;
	}
	tx_save(tx, &i->flags);
	i->flags &= ~INODE_HAS_NEW;
	tx_commit(tx);
	return true;
}

/* Something is left of @g's file: the next walk is to look at it. */
static void put_flag(struct settler *s, struct group *g)
{
	struct tx *tx = tx_begin(s->p.th);

	s->left = true;
	if (!settling_lock(&s->p, tx, g)) {
		tx_abort(tx, 0);
		return;
	}
	tx_save(tx, &g->inode->flags);
	g->inode->flags |= INODE_HAS_NEW;
	tx_commit(tx);
}

/* The next file, or false at the end. */
static bool next_file(struct settler *s)
{
	while ((s->at = slab_next_record(s->fs->arena, s->at))) {
		if (take_flag(s, s->at))
			break;
		zsfs_pause(s->p.th);
	}
	s->p.young = false;
	s->g = (struct group){.inode = s->at};
	return s->at;
}

static void end_file(struct settler *s, bool left)
{
	if (left)
		put_flag(s, &s->g);
	s->g.inode = NULL;
}

/* Read the group of @j and give it away, if it still wants that. */
static void give(struct settler *s, struct mill_job *j)
{
	int err = settling_read(&s->p, &j->g, &j->before);

	j->level = s->p.level;
	if (!err) {
		mill_give(s->mill, j);
		return;
	}
	if (err == -ENOMEM)
		put_flag(s, &j->g);
	s->walk_err = err == -ENOMEM ? err : s->walk_err;
	mill_free(s->mill, j);
}

/* Look for a group for @j and give it away. */
static void look_on(struct settler *s, struct mill_job *j)
{
	int err = 1;

	if (s->g.inode || next_file(s))
		err = settling_find(&s->p, &s->g);
	else
		s->found_all = true;
	if (err) {
		mill_free(s->mill, j);
		if (err == -ENOENT)
			end_file(s, s->p.young);
		return;
	}
	s->g.plain = j->g.plain;
	j->g = s->g;
	j->tries = 0;
	s->g.first += CLUSTER_BLOCKS;
	give(s, j);
}

/* Leave all the rest to the next walk. */
static void cut(struct settler *s)
{
	if (s->cut)
		return;
	s->cut = s->found_all = s->left = true;
	if (s->g.inode)
		end_file(s, true);
}

/* Put what was compressed in its place. */
static void take_back(struct settler *s, struct mill_job *j)
{
	int err = s->cut ? -EINTR
			 : settling_put(&s->p, &j->g, j->frame, j->len,
					j->before);

	if (err == -EAGAIN && ++j->tries < MAX_TRIES) {
		give(s, j);
		return;
	}
	/* Others write there, or there is no room for it now. */
	if (err == -EINTR || err == -EAGAIN || err == -ENOSPC || err == -ENOMEM)
		put_flag(s, &j->g);
	mill_free(s->mill, j);
	s->walk_err = err == -ENOMEM ? err : s->walk_err;
	/* Where it was asked for, it ends with the room. */
	if (s->asker && (err == -ENOSPC || err == -ENOMEM))
		cut(s);
	settling_pack(&s->p, true);
}

static bool is_asked(struct settler *s, uint64_t *asked)
{
	bool is;

	pthread_mutex_lock(&s->lock);
	*asked = s->asked;
	is = s->asked > s->answered;
	pthread_mutex_unlock(&s->lock);
	return is;
}

/* Is there no point in this walk any more? */
static bool is_unwanted(struct settler *s)
{
	uint64_t asked;

	return !s->asker &&
	       (zsfs_get_settle(s->fs) == SETTLE_OFF || is_asked(s, &asked));
}

static void answer(struct settler *s)
{
	if (!s->asker)
		return;
	pthread_mutex_lock(&s->lock);
	s->answered = s->asker;
	s->err = s->walk_err;
	pthread_cond_broadcast(&s->over);
	pthread_mutex_unlock(&s->lock);
}

/* Request threads do not give way to the mill's meanwhile. */
static void set_busy(struct settler *s, bool busy)
{
	__atomic_store_n(&s->fs->reader_counts.busy, busy, __ATOMIC_RELAXED);
}

/* Threads of its own where somebody waits, if they are to be had. */
static struct mill *choose_mill(struct settler *s)
{
	if (!s->asker || (!s->busy && mill_create(s->fs, false, &s->busy)))
		return s->idle;
	return mill_begin(s->busy) ? s->idle : s->busy;
}

static void begin_walk(struct settler *s, struct zsfs_thread *th, unsigned age)
{
	s->p = (struct settling){
		.fs = s->fs,
		.th = th,
		.level = zsfs_get_dense(s->fs),
		.age = age,
	};
	s->mill = choose_mill(s);
	s->p.nr_others = mill_groups(s->mill, s->p.others);
	/* First, so that what is stored meanwhile is looked for again. */
	__atomic_store_n(&s->fs->wake.stored, false, __ATOMIC_SEQ_CST);
	set_busy(s, true);
	s->pace = (struct pace){0};
	s->walking = true;
	s->at = s->g.inode = NULL;
	s->found_all = s->cut = s->left = false;
	s->walk_err = 0;
}

static void end_walk(struct settler *s)
{
	uint64_t pause = (uint64_t)s->secs * 1000 / 4;

	s->walking = false;
	s->all &= s->cut;
	settling_pack(&s->p, false);
	zsfs_note_freed(s->fs);
	if (pause < LOOK_MSECS)
		pause = LOOK_MSECS;
	if (s->cut)
		pause = 0;
	s->next_ms = s->left ? clock_ms() + pause : 0;
	s->rest_ms = clock_ms() + LOOK_MSECS;
	set_busy(s, false);
	if (s->mill != s->idle)
		mill_end(s->mill);
	answer(s);
	s->asker = 0;
}

/* Milliseconds that requests have for themselves now. */
static unsigned rest_now(struct settler *s, uint64_t requests)
{
	if (s->asker || s->found_all || mem_limit_is_near(s->fs, SHORT_PART))
		return 0;
	return pace_rest(&s->pace, clock_ms(), requests);
}

/* Nothing is to be done now: when to come again. */
static unsigned wait_for_more(struct settler *s, unsigned rest)
{
	if (!mill_is_empty(s->mill))
		return 0; /* who has the next wakes us */
	set_busy(s, false);
	return rest + 1; /* 1 would be at once */
}

static unsigned walk(struct settler *s, struct zsfs_thread *th,
		     uint64_t requests)
{
	bool unwanted = is_unwanted(s);
	unsigned rest = unwanted ? 0 : rest_now(s, requests);
	bool looks = !s->found_all && !rest;
	struct mill_job *none = looks ? mill_free_job(s->mill) : NULL;
	struct mill_job *done = mill_take(s->mill, !none);

	if (!done && !none && (rest || !mill_is_empty(s->mill)))
		return wait_for_more(s, rest);
	set_busy(s, true);
	zsfs_enter(th);
	if (unwanted)
		cut(s);
	if (done)
		take_back(s, done);
	if (none && !s->found_all)
		look_on(s, none);
	else if (none)
		mill_free(s->mill, none);
	else if (!done)
		end_walk(s);
	zsfs_leave(th);
	return 1;
}

/* ---- steps ---- */

/* When the next walk has to be, 0: not before something is written. */
static uint64_t next_walk(struct settler *s, unsigned secs)
{
	if (!s->next_ms &&
	    __atomic_load_n(&s->fs->wake.stored, __ATOMIC_RELAXED))
		s->next_ms = clock_ms() + (uint64_t)secs * 1000;
	return s->next_ms;
}

/* With another setting more may be old enough: see at once. */
static void note_setting(struct settler *s, unsigned secs)
{
	if (secs != s->secs && s->next_ms)
		s->next_ms = clock_ms();
	s->secs = secs;
}

/* How long to wait when it is @msecs to the next walk. */
static unsigned pause_until(struct settler *s, uint64_t msecs)
{
	int64_t written = zsfs_stat_sum(s->fs, ST_WRITTEN_BLOCKS);
	bool busy = written != s->written;

	s->written = written;
	if (busy && msecs > LOOK_MSECS)
		msecs = LOOK_MSECS;
	return (unsigned)msecs + 1; /* 1 would be at once */
}

/*
 * Is a walk due by itself? Else *pause: when to look again. In a hurry there is
 * a pause, too: what stays as it is may be there for long.
 */
static bool is_due(struct settler *s, unsigned secs, bool hurry,
		   unsigned *pause)
{
	uint64_t now = clock_ms();
	uint64_t next = s->all ? now : next_walk(s, secs);
	uint64_t due = hurry ? min_u64(next, s->rest_ms) : next;

	*pause = next && now < due ? pause_until(s, due - now) : 0;
	return next && now >= due;
}

unsigned settler_step(struct settler *s, struct zsfs_thread *th,
		      uint64_t requests)
{
	unsigned secs, pause;
	uint64_t asked;
	bool hurry;

	if (s->walking)
		return walk(s, th, requests);
	secs = zsfs_get_settle(s->fs);
	note_setting(s, secs);
	if (is_asked(s, &asked)) {
		s->asker = asked;
		s->all = true;
		begin_walk(s, th, 0);
		return 1;
	}
	if (secs == SETTLE_OFF)
		return 0;
	hurry = mem_limit_is_near(s->fs, SHORT_PART);
	if (!is_due(s, secs, hurry, &pause))
		return pause;
	begin_walk(s, th, hurry || !secs ? 0 : secs / SLOT_STAMP_SECS + 1);
	return 1;
}

/* Until walk @mine is over. Caller holds s->lock. */
static int await(struct settler *s, struct zsfs_thread *th, uint64_t mine)
{
	while (s->answered < mine) {
		struct timespec until = clock_in_ms(ASKER_MSECS);

		clock_wait(&s->over, &s->lock, &until);
		if (s->answered < mine && zsfs_is_interrupted(th))
			return -EINTR;
	}
	return s->err;
}

int settler_run(struct settler *s, struct zsfs_thread *th)
{
	uint64_t mine;
	int err;

	pthread_mutex_lock(&s->lock);
	mine = ++s->asked;
	pthread_mutex_unlock(&s->lock);
	zsfs_wake(s->fs);
	zsfs_leave(th);
	pthread_mutex_lock(&s->lock);
	err = await(s, th, mine);
	pthread_mutex_unlock(&s->lock);
	zsfs_enter(th);
	return err;
}

/* ---- beginning and end ---- */

int settler_start(struct zsfs *fs, struct settler **out)
{
	struct settler *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->fs = fs;
	/* The worker before may have died in the midst of a file. */
	s->all = true;
	err = mill_create(fs, true, &s->idle);
	if (!err)
		err = mill_begin(s->idle);
	if (err) {
		mill_destroy(s->idle);
		free(s);
		return err;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->over, NULL);
	*out = s;
	return 0;
}

void settler_stop(struct settler *s)
{
	if (!s)
		return;
	mill_destroy(s->busy);
	mill_destroy(s->idle);
	pthread_cond_destroy(&s->over);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
