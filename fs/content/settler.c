/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling by itself (see settler.h). */
#include "settler.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dense.h"
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

/* What a step waits for the compressing thread at most. */
#define AWAIT_MSECS 2
/* While blocks are written: how often to look whether memory is short. */
#define LOOK_MSECS 1000u
/* Age does not count when no more than this part of the limit is free. */
#define SHORT_PART 16u

enum work_state { WORK_NONE, WORK_GIVEN, WORK_DONE };

struct settler {
	struct zsfs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given, done;
	enum work_state state; /* lock */
	bool awaited;	       /* lock: somebody waits, no wake is needed */
	bool stop;	       /* lock */
	/* Of who has the work, and the settler between works. */
	struct group g;
	uint32_t before; /* bytes of RAM that it takes */
	int len;	 /* of the frame, or what dense_compress() said */
	uint8_t *frame;
	struct zcomp_ctx *zc; /* the compressing thread's */
	/* Of the background thread: the walk. */
	struct settling p;
	void *at;	  /* record of the inode, NULL: at the beginning */
	bool walking;	  /* at is being looked at */
	bool all;	  /* files without INODE_HAS_NEW, too */
	bool left;	  /* of this file, something is young or busy */
	bool left_any;	  /* of any */
	uint64_t next_ms; /* clock_ms() of the next walk; 0: none */
	unsigned secs;	  /* the setting that it comes from */
	int64_t written;  /* blocks so far, when it last looked */
};

/* ---- the compressing thread ---- */

static void *compress_main(void *arg)
{
	struct settler *s = arg;
	bool wake;

	pthread_setname_np(pthread_self(), "zsfs-settler");
	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		if (s->state != WORK_GIVEN) {
			pthread_cond_wait(&s->given, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		s->len = dense_compress(s->fs, s->zc, s->p.level, &s->g,
					settling_most(s->before), s->frame);
		pthread_mutex_lock(&s->lock);
		s->state = WORK_DONE;
		wake = !s->awaited;
		pthread_cond_signal(&s->done);
		pthread_mutex_unlock(&s->lock);
		if (wake)
			zsfs_wake(s->fs);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* What nobody else wants. Where that is refused it has its share. */
static void be_idle(pthread_t thread)
{
	struct sched_param p = {0};

	pthread_setschedparam(thread, SCHED_IDLE, &p);
}

/* Is what was given done, or soon? */
static enum work_state await(struct settler *s)
{
	struct timespec until = clock_in_ms(AWAIT_MSECS);
	enum work_state state;

	pthread_mutex_lock(&s->lock);
	s->awaited = true;
	while (s->state == WORK_GIVEN && clock_wait(&s->done, &s->lock, &until))
		;
	s->awaited = false;
	state = s->state;
	pthread_mutex_unlock(&s->lock);
	return state;
}

static void set_state(struct settler *s, enum work_state state)
{
	pthread_mutex_lock(&s->lock);
	s->state = state;
	pthread_cond_signal(&s->given);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the walk ---- */

/* The flag goes first: who writes meanwhile sets it again. */
static bool take_flag(struct settler *s, struct zinode *i)
{
	struct group g = {.inode = i};
	struct tx *tx = tx_begin(s->p.th);
	bool there = group_lock(tx, &g);

	if (!there || !(i->flags & INODE_HAS_NEW)) {
		tx_abort(tx, 0);
		return there && s->all;
	}
	tx_save(tx, &i->flags);
	i->flags &= ~INODE_HAS_NEW;
	tx_commit(tx);
	return true;
}

static void put_flag(struct settler *s, struct group *g)
{
	struct tx *tx = tx_begin(s->p.th);

	if (!group_lock(tx, g)) {
		tx_abort(tx, 0);
		return;
	}
	tx_save(tx, &g->inode->flags);
	g->inode->flags |= INODE_HAS_NEW;
	tx_commit(tx);
}

static void begin_walk(struct settler *s)
{
	/* First, so that what is stored meanwhile is looked for again. */
	__atomic_store_n(&s->fs->wake.stored, false, __ATOMIC_SEQ_CST);
	s->walking = true;
	s->at = NULL;
	s->g.inode = NULL;
	s->left_any = false;
}

static void end_walk(struct settler *s)
{
	uint64_t pause = (uint64_t)s->secs * 1000 / 4;

	s->walking = s->all = false;
	settling_pack(&s->p, false);
	zsfs_note_freed(s->fs);
	if (pause < LOOK_MSECS)
		pause = LOOK_MSECS;
	s->next_ms = s->left_any ? clock_ms() + pause : 0;
}

/* The next file, or false at the end. */
static bool next_file(struct settler *s)
{
	while ((s->at = slab_next_record(s->fs->arena, s->at))) {
		if (take_flag(s, s->at))
			break;
		zsfs_pause(s->p.th);
	}
	s->left = s->p.young = false;
	s->g.inode = s->at;
	s->g.gen = 0;
	s->g.first = 0;
	return s->at;
}

static void end_file(struct settler *s)
{
	s->left |= s->p.young;
	if (s->left)
		put_flag(s, &s->g);
	s->left_any |= s->left;
	s->g.inode = NULL;
}

/* Look for a group and give it away. False: there are no more files. */
static bool look_on(struct settler *s)
{
	int err;

	if (!s->g.inode && !next_file(s))
		return false;
	err = settling_find(&s->p, &s->g);
	if (err == -ENOENT)
		end_file(s);
	if (err)
		return true;
	err = settling_read(&s->p, &s->g, &s->before);
	s->left |= err == -ENOMEM;
	if (err) {
		s->g.first += CLUSTER_BLOCKS;
		return true;
	}
	set_state(s, WORK_GIVEN);
	return true;
}

/* Put what was compressed in its place. */
static void take_back(struct settler *s)
{
	int err = settling_put(&s->p, &s->g, s->frame, s->len, s->before);

	set_state(s, WORK_NONE);
	/* Others write there, or there is no room for it now. */
	s->left |= err == -EAGAIN || err == -ENOSPC || err == -ENOMEM;
	s->g.first += CLUSTER_BLOCKS;
	settling_pack(&s->p, true);
}

static unsigned walk(struct settler *s, struct zsfs_thread *th)
{
	enum work_state state = await(s);

	if (state == WORK_GIVEN)
		return 0; /* who has it wakes us */
	zsfs_enter(th);
	if (state == WORK_DONE)
		take_back(s);
	if (!look_on(s))
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

unsigned settler_step(struct settler *s, struct zsfs_thread *th)
{
	uint64_t next, now;
	unsigned secs;
	bool hurry;

	if (s->walking)
		return walk(s, th);
	secs = zsfs_get_settle(s->fs);
	note_setting(s, secs);
	if (secs == SETTLE_OFF)
		return 0;
	next = s->all ? clock_ms() : next_walk(s, secs);
	if (!next)
		return 0;
	now = clock_ms();
	hurry = mem_limit_is_near(s->fs, SHORT_PART);
	if (now < next && !hurry)
		return pause_until(s, next - now);
	s->p = (struct settling){
		.fs = s->fs,
		.th = th,
		.level = zsfs_get_dense(s->fs),
		.age = hurry || !secs ? 0 : secs / SLOT_STAMP_SECS + 1,
	};
	begin_walk(s);
	return 1;
}

/* ---- beginning and end ---- */

static void free_settler(struct settler *s)
{
	pthread_cond_destroy(&s->done);
	pthread_cond_destroy(&s->given);
	pthread_mutex_destroy(&s->lock);
	zcomp_ctx_destroy(s->zc);
	free(s->frame);
	free(s->g.plain);
	free(s);
}

int settler_start(struct zsfs *fs, struct settler **out)
{
	struct settler *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return err;
	s->fs = fs;
	/* The worker before may have died in the midst of a file. */
	s->all = true;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->given, NULL);
	pthread_cond_init(&s->done, NULL);
	s->g.plain = malloc(ZCOMP_CLUSTER_SIZE);
	s->frame = malloc(ZCOMP_CLUSTER_SIZE);
	s->zc = zcomp_ctx_create();
	if (s->g.plain && s->frame && s->zc)
		err = -pthread_create(&s->thread, NULL, compress_main, s);
	if (err) {
		free_settler(s);
		return err;
	}
	be_idle(s->thread);
	*out = s;
	return 0;
}

void settler_stop(struct settler *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->given);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	free_settler(s);
}
