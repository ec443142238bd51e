/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading all content (see scrub.h). */
#include "scrub.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "group.h"
#include "slot.h"
#include "state/inode.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"

struct scrub {
	struct zsfs_thread *th;
	const struct scrub_watch *watch;
	struct group g;
	/* Of the group that was read last: */
	unsigned blocks;		  /* that have a checksum */
	const char *form[CLUSTER_BLOCKS]; /* of a damaged one, or NULL */
	/* Damage that may go on in the next group. */
	struct scrub_bad run; /* form NULL: there is none */
};

/* ---- one group, under the lock ---- */

static bool has_sum(uint64_t slot)
{
	return !slot_is_zero(slot) && slot_kind(slot) != SLOT_SAME;
}

/* Else what the thread has of the last cluster would be taken for this one. */
static void forget_kept(struct zcomp_ctx *zc)
{
	struct zcomp_kept *kept = zcomp_kept(zc);

	if (kept)
		kept->size = 0;
}

static int read_block(struct scrub *s, unsigned k)
{
	struct zsfs_thread *th = s->th;
	int err = slot_read(th->fs, th->at, th->zc, group_slot(&s->g, k),
			    th->buf.block);

	/* Want of memory says nothing about the block. */
	if (err == -ENOMEM)
		return err;
	s->blocks++;
	s->form[k] =
		err ? slot_form_name(slot_form(th->fs, s->g.slot[k])) : NULL;
	return 0;
}

static int read_blocks(struct scrub *s)
{
	int err = 0;

	s->blocks = 0;
	forget_kept(s->th->zc);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++) {
		s->form[k] = NULL;
		if (has_sum(s->g.slot[k]))
			err = read_block(s, k);
	}
	return err;
}

/* The next group of the file. -ENOENT: there is none; -ENOMEM. */
static int read_group(struct scrub *s)
{
	struct tx *tx = tx_begin(s->th);
	int err = -ENOENT;

	if (group_lock_shared(tx, &s->g) && group_next(&s->g))
		err = read_blocks(s);
	return tx_abort(tx, err);
}

/* ---- telling ---- */

static void end_run(struct scrub *s)
{
	if (s->run.form)
		s->watch->bad(s->watch->arg, &s->run);
	s->run.form = NULL;
}

static void add_to_run(struct scrub *s, uint64_t block, const char *form)
{
	if (s->run.form != form || s->run.last + 1 != block)
		end_run(s);
	if (!s->run.form)
		s->run = (struct scrub_bad){
			.inode = s->g.gen, .first = block, .form = form};
	s->run.last = block;
}

static void tell_group(struct scrub *s)
{
	unsigned bad = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		if (!s->form[k])
			continue;
		add_to_run(s, s->g.first + k, s->form[k]);
		bad++;
	}
	s->watch->read(s->watch->arg, s->blocks, bad);
}

/* ---- the walk ---- */

/* Between groups, and files that have none. */
static int pause_and_look(struct scrub *s)
{
	zsfs_pause(s->th);
	return zsfs_is_interrupted(s->th) ? -EINTR : 0;
}

static int scrub_file(struct scrub *s)
{
	int err = read_group(s);

	while (!err) {
		tell_group(s);
		s->g.first += CLUSTER_BLOCKS;
		err = pause_and_look(s);
		if (!err)
			err = read_group(s);
	}
	end_run(s);
	return err == -ENOENT ? pause_and_look(s) : err;
}

int zsfs_scrub(struct zsfs_thread *th, const struct scrub_watch *watch)
{
	struct scrub s = {.th = th, .watch = watch};
	void *at = NULL;
	int err = 0;

	while (!err && (at = slab_next_record(th->fs->arena, at))) {
		s.g = (struct group){.inode = at};
		err = scrub_file(&s);
	}
	return err;
}
