/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes on between two requests (see request_chores.h). */
#include "request_chores.h"

#include "../unit/fs_fixture.h"
#include "base/clock.h"
#include "content/hot.h"
#include "content/settle.h"
#include "control/compact.h"
#include "control/vfile.h"
#include "fuzz.h"
#include "inject_input.h"
#include "stand_ins.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

#define NR_FILES 300u
/* Blocks of one write, and writes of one chore. */
#define NR_BLOCKS 16u
#define NR_WRITES 32u

void chore_verify(struct zsfs *fs)
{
	char msg[512] = "";

	if (!zsfs_verify(fs, msg, sizeof(msg)))
		return;
	fprintf(stderr, "%s\n", msg);
	abort();
}

static void warm_up(struct zsfs_thread *th)
{
	while (hot_step(th, false) == 1)
		;
}

static void settle_for(struct zsfs_thread *th, const struct input_chore *c)
{
	uint64_t now = clock_ms();

	zsfs_settle_for(th, (uint64_t)c->args[0] << 12, now,
			now + c->args[1] % 64);
}

/* ---- many at once ---- */

static int make_one(struct zsfs_thread *th, uint64_t dir, const char *name)
{
	struct new_inode spec = {.mode = S_IFREG | 0644};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = zsfs_make(tx, dir, name, &spec, &i);

	if (!err)
		i->nlookup = 0; /* nobody is told of it */
	return fixture_end(tx, err);
}

static int remove_one(struct zsfs_thread *th, uint64_t dir, const char *name)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_unlink(tx, dir, name));
}

static void for_files(struct zsfs_thread *th, const struct input_chore *c,
		      int (*fn)(struct zsfs_thread *, uint64_t, const char *))
{
	unsigned step = 1u + c->args[0] % 4u;
	char name[64];
	int err = 0;

	if (vfile_is(c->nodeid))
		return;
	for (unsigned k = 0; k < NR_FILES && err != -ENOSPC; k += step) {
		snprintf(name, sizeof(name), "%u-%.*s", k, (int)k % 40,
			 "one-of-the-many-names-in-this-directory");
		err = fn(th, c->nodeid, name);
	}
}

/* Blocks that take more and more. */
static void make_blocks(uint8_t *buf, unsigned nr)
{
	const uint8_t *noise = input_pattern(2);

	memset(buf, 0, (size_t)NR_BLOCKS * ZSFS_BLOCK_SIZE);
	for (unsigned k = 0; k < NR_BLOCKS; k++)
		memcpy(buf + (size_t)k * ZSFS_BLOCK_SIZE,
		       noise + (size_t)nr * 16 + k * 7u,
		       (k * 251u + nr * 97u) % ZSFS_BLOCK_SIZE);
}

static void write_one(struct zsfs_thread *th, uint64_t nodeid, const void *buf,
		      size_t size, uint64_t off)
{
	size_t done;

	if (!vfile_is(nodeid))
		fixture_write(th, nodeid, buf, size, off, &done);
}

static void make_objects(struct zsfs_thread *th, const struct input_chore *c)
{
	static uint8_t buf[NR_BLOCKS * ZSFS_BLOCK_SIZE];

	for (unsigned k = 0; k < NR_WRITES; k++) {
		make_blocks(buf, k + c->args[0]);
		write_one(th, c->nodeid, buf, sizeof(buf),
			  (uint64_t)c->args[1] << 16 | k * sizeof(buf));
	}
}

/* Every so many blocks, so that gaps are left. */
static void remove_objects(struct zsfs_thread *th, const struct input_chore *c)
{
	static const uint8_t zeros[ZSFS_BLOCK_SIZE];
	unsigned step = 2u + c->args[0] % 8u;

	for (unsigned k = 0; k < NR_WRITES * NR_BLOCKS; k += step)
		write_one(th, c->nodeid, zeros, sizeof(zeros),
			  ((uint64_t)c->args[1] << 16) +
				  (uint64_t)k * ZSFS_BLOCK_SIZE);
}

/* ---- all of them ---- */

static void do_work(struct zsfs_thread *th, const struct input_chore *c)
{
	switch (c->op) {
	case ASIDE_SETTLE:
		zsfs_settle(th);
		break;
	case ASIDE_REAP:
		reap_all(th);
		break;
	case ASIDE_COMPACT:
		zsfs_compact(th->fs, th);
		break;
	case ASIDE_COOL:
		hot_drain(th, UINT64_MAX);
		break;
	case ASIDE_WARM_UP:
		warm_up(th);
		break;
	case ASIDE_SETTLE_FOR:
		settle_for(th, c);
		break;
	case ASIDE_TRIM:
		arena_trim(th->fs->arena, th->at, c->args[0] & 1,
			   c->args[0] & 2);
		break;
	default:
		chore_verify(th->fs);
		break;
	}
}

static void do_some(struct zsfs_thread *th, const struct input_chore *c)
{
	switch (c->op) {
	case ASIDE_FILES:
		for_files(th, c, make_one);
		break;
	case ASIDE_NO_FILES:
		for_files(th, c, remove_one);
		break;
	case ASIDE_OBJECTS:
		make_objects(th, c);
		break;
	case ASIDE_GAPS:
		remove_objects(th, c);
		break;
	default:
		do_work(th, c);
		break;
	}
}

/* To look at all names of a directory for each takes too long. */
static void do_many(struct zsfs_thread *th, const struct input_chore *c)
{
	void (*before)(struct tx * tx) = th->fs->verify_tx;

	if (c->op >= ASIDE_FILES && c->op <= ASIDE_GAPS)
		th->fs->verify_tx = NULL;
	do_some(th, c);
	th->fs->verify_tx = before;
}

static unsigned number(const struct input_chore *c, unsigned at)
{
	return c->args[at] | (unsigned)c->args[at + 1] << 8;
}

void chore_do(struct zsfs *fs, const struct input_chore *c)
{
	struct zsfs_thread *th = zsfs_background(fs);

	switch (c->op) {
	case ASIDE_FAIL:
		inject_failures(number(c, 0), number(c, 2));
		break;
	case ASIDE_DIE:
		inject_deaths(number(c, 0), number(c, 2));
		break;
	case ASIDE_TIME:
		time_pass(UINT64_C(1) << c->args[0] % 40);
		break;
	case ASIDE_LOOK:
		time_set_look(UINT64_C(1) << c->args[0] % 16);
		break;
	default:
		do_many(th, c);
		break;
	}
}
