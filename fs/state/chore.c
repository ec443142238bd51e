/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is at a chore, and which rest (see chore.h). */
#include "chore.h"

#include "base/clock.h"
#include "zsfs.h"

static _Thread_local uint64_t of_thread;

const char *chore_name(enum zsfs_chore c)
{
	static const char *const names[NR_CHORES] = {
		[CHORE_PRESSURE] = "lift pressure",
		[CHORE_ALLOCATE] = "allocate",
		[CHORE_USAGE] = "sum up usage",
		[CHORE_REAP] = "reap",
		[CHORE_COOL] = "compress what is hot",
		[CHORE_WARM] = "warm",
		[CHORE_MAP] = "map by huge pages",
		[CHORE_VERIFY] = "verify",
		[CHORE_SETTLE] = "settle",
		[CHORE_LOG] = "tell what the log left out",
		[CHORE_PACK] = "pack and give back when idle",
	};

	return names[c];
}

uint64_t chore_begins(struct zsfs_thread *th, enum zsfs_chore c)
{
	uint64_t was = th->slot->chore;

	__atomic_store_n(&th->slot->chore, c + UINT64_C(1), __ATOMIC_RELAXED);
	return was;
}

void chore_ends(struct zsfs_thread *th, uint64_t was)
{
	__atomic_store_n(&th->slot->chore, was, __ATOMIC_RELAXED);
}

void chore_is_of_thread(enum zsfs_chore c)
{
	of_thread = c + UINT64_C(1);
}

uint64_t chore_of_thread(void)
{
	return of_thread;
}

/* Msecs of the whole rest. */
static uint64_t rest_of(const struct zsfs *fs, enum zsfs_chore c)
{
	uint32_t crashes =
		__atomic_load_n(&fs->super->chore_crashes[c], __ATOMIC_RELAXED);
	uint64_t rest = crashes ? CHORE_REST_MSECS : 0;

	while (crashes-- > 1 && rest < CHORE_LONG_REST_MSECS)
		rest *= 2;
	return rest < CHORE_LONG_REST_MSECS ? rest : CHORE_LONG_REST_MSECS;
}

unsigned chore_rests(const struct zsfs *fs, enum zsfs_chore c)
{
	uint64_t rest = rest_of(fs, c);
	uint64_t been = rest ? clock_ms() - fs->chores_began : 0;

	return been < rest ? (unsigned)(rest - been) : 0;
}

void chore_done(struct zsfs *fs, enum zsfs_chore c)
{
	uint64_t rest = rest_of(fs, c);

	if (rest && clock_ms() - fs->chores_began >= 3 * rest)
		__atomic_store_n(&fs->super->chore_crashes[c], 0,
				 __ATOMIC_RELAXED);
}

void chore_blame(struct zsfs *fs, uint64_t word)
{
	uint32_t *crashes = fs->super->chore_crashes;

	if (word && word <= NR_CHORES && crashes[word - 1] < UINT32_MAX)
		crashes[word - 1]++;
}

void chores_begin(struct zsfs *fs)
{
	fs->chores_began = clock_ms();
}
