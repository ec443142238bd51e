/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file system that consists of numbers only: stands in for arena, pool and
 * the transactions' counters, so that tests decide what is to be shown. The
 * linker takes these instead of the members of the libraries.
 */
#ifndef TESTS_UNIT_FS_FAKES_H
#define TESTS_UNIT_FS_FAKES_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "state/shared_page.h"
#include "content/scrub.h"
#include "content/settle.h"
#include "control/vfile.h"
#include "state/zsfs.h"
#include "state/counters.h"
#include "state/threads.h"
#include "state/reserve.h"
#include "state/layout.h"
#include "volume/verify_fs.h"

#define FAKE_MIN_LIMIT (UINT64_C(16) << 20)
#define FAKE_THREADS   3u

static struct {
	struct arena_stats mem;
	uint64_t available;
	struct zs_pool_stats pool;
	struct zs_class_stats row[ZS_SIZE_CLASSES];
	unsigned nr_rows;
	int64_t stat[ST_NR];
	uint64_t can_compact;
	int64_t compact_result;
	unsigned compactions, trims, resets, settles;
	int settle_result;
	uint64_t reserve_for;
	int verify_result;
	const char *verify_msg;
	int scrub_result;
	unsigned scrub_bad;    /* ranges that it finds */
	void (*in_work)(void); /* called while compacting or verifying */
} fake;

static struct zsfs_slot fake_slots[FAKE_THREADS];
static struct zsfs_thread fake_threads[FAKE_THREADS];
static struct zsfs_super fake_super;
static struct zsfs fake_fs = {
	.super = &fake_super,
	.nr_threads = FAKE_THREADS,
	.threads = fake_threads,
};

static inline void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&fake_super, 0, sizeof(fake_super));
	for (unsigned i = 0; i < FAKE_THREADS; i++) {
		fake_threads[i].slot = &fake_slots[i];
		memset(fake_slots[i].requests, 0,
		       sizeof(fake_slots[i].requests));
	}
	fake_super.comp = ZCOMP_LZ4 | 1 << 8;
	fake_super.dense = 1;
	fake_fs.used_blocks = fake_fs.used_inodes = 0;
	fake_fs.read_ahead_kb = 0;
	fake_fs.max_ratio = 0;
	fake.available = UINT64_MAX;
}

void arena_get_stats(struct arena *a, struct arena_stats *out)
{
	*out = fake.mem;
}

uint64_t arena_available(struct arena *a)
{
	return fake.available;
}

unsigned arena_nr_threads(const struct arena *a)
{
	return FAKE_THREADS + 1;
}

enum arena_claim arena_thread_claim(struct arena_thread *t,
				    enum arena_claim claim, uint64_t over_limit)
{
	return ARENA_NEW;
}

void arena_thread_unclaim(struct arena_thread *t, enum arena_claim was)
{
}

void arena_set_limit(struct arena *a, uint64_t bytes)
{
	fake.mem.limit = bytes;
}

void arena_reset_used_max(struct arena *a)
{
	fake.resets++;
	fake.mem.used_max = fake.mem.used;
}

uint64_t arena_trim(struct arena *a, struct arena_thread *t, bool all,
		    bool punch)
{
	fake.trims += all && punch;
	return 0;
}

size_t slab_object_size(enum slab_cache cache)
{
	return cache == SLAB_RECORD ? SLAB_RECORD_SIZE : 1000u + cache;
}

void zs_pool_get_stats(struct zs_pool *pool, struct zs_pool_stats *out)
{
	*out = fake.pool;
}

unsigned zs_class_stats(struct zs_pool *pool,
			struct zs_class_stats out[ZS_SIZE_CLASSES])
{
	memcpy(out, fake.row, sizeof(fake.row));
	return fake.nr_rows;
}

uint64_t zs_can_compact(struct zs_pool *pool)
{
	return fake.can_compact;
}

unsigned zs_chain_size(struct zs_pool *pool)
{
	return 8;
}

int64_t zs_compact_pausing(struct zs_pool *pool, struct arena_thread *t,
			   zs_pause_fn *pause, void *arg)
{
	fake.compactions++;
	if (fake.in_work)
		fake.in_work();
	if (fake.compact_result >= 0)
		fake.pool.last_compacted = (uint64_t)fake.compact_result;
	return fake.compact_result;
}

int64_t zsfs_stat_sum(const struct zsfs *fs, enum zsfs_stat s)
{
	return fake.stat[s];
}

uint64_t zsfs_stat_get(const struct zsfs *fs, enum zsfs_stat s)
{
	return fake.stat[s] > 0 ? (uint64_t)fake.stat[s] : 0;
}

uint64_t zsfs_min_mem_limit(unsigned nr_threads)
{
	return FAKE_MIN_LIMIT + nr_threads;
}

void zsfs_enter(struct zsfs_thread *th)
{
}

void zsfs_leave(struct zsfs_thread *th)
{
}

void zsfs_pause(struct zsfs_thread *th)
{
}

void shared_page_take_spare(struct shared_page *k)
{
}

void shared_page_give_spare(struct shared_page *k)
{
}

uint64_t zsfs_apply_reserve(struct zsfs *fs, uint64_t mem_limit)
{
	fake.reserve_for = mem_limit;
	return 0;
}

int zsfs_settle(struct zsfs_thread *th)
{
	fake.settles++;
	if (fake.in_work)
		fake.in_work();
	return fake.settle_result;
}

void settle_get_progress(struct zsfs *fs, struct settle_progress *out)
{
	*out = (struct settle_progress){.done = 3, .to_do = 5, .saved = 7000};
}

int zsfs_verify_live(struct zsfs *fs, bool gently, char *msg, size_t size)
{
	if (fake.in_work)
		fake.in_work();
	if (fake.verify_msg)
		snprintf(msg, size, "%s", fake.verify_msg);
	return fake.verify_result;
}

int zsfs_scrub(struct zsfs_thread *th, const struct scrub_watch *watch)
{
	for (unsigned k = 0; k < fake.scrub_bad; k++) {
		struct scrub_bad b = {
			.inode = 12, .first = 5, .last = 5 + k, .form = "lz4"};

		watch->read(watch->arg, 16, k + 1);
		watch->bad(watch->arg, &b);
	}
	watch->read(watch->arg, 3, 0);
	return fake.scrub_result;
}

#endif
