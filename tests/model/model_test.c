/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations on a file system and on a model of it, side by side, in
 * several set-ups: each result is compared at once, all state now and then.
 *
 *   model_test [--variant NAME] [--seed N] [--ops N] [--checks N]
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compare.h"
#include "fill.h"
#include "model_setup.h"
#include "tree/reap.h"
#include "step.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "content/file.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"
#include "control/statfs.h"

#define MSG_SIZE 512

struct world {
	const struct setup *setup;
	struct zsfs *fs;
	struct model *m;
	struct draw draw;
	struct step_out out;
	struct step_result res;
	struct rng rng; /* for everything but the steps */
	uint64_t step;
	bool verbose;
	uint64_t ran[STEP_NR], worked[STEP_NR], full, no_mem, peak, widest;
	char msg[MSG_SIZE];
};

static int failed(const struct world *w, const char *what)
{
	printf("FAILED %s: step %" PRIu64 ": %s: %s\n", w->setup->name, w->step,
	       what, w->msg);
	return -1;
}

/* ---- checks of all state ---- */

static int check_statfs(struct world *w)
{
	struct statvfs st;

	zsfs_statfs(w->fs, &st);
	if (st.f_blocks - st.f_bfree == w->m->used_blocks &&
	    st.f_files - st.f_ffree == w->m->used_inodes &&
	    st.f_bavail == st.f_bfree)
		return 0;
	snprintf(w->msg, MSG_SIZE, "%lu of %lu blocks free, %lu of %lu inodes",
		 st.f_bfree, st.f_blocks, st.f_ffree, st.f_files);
	return failed(w, "statfs");
}

static int check_all(struct world *w)
{
	if (zsfs_verify(w->fs, w->msg, MSG_SIZE))
		return failed(w, "verify");
	if (compare_totals(w->fs, w->m, w->msg, MSG_SIZE))
		return failed(w, "totals");
	if (compare_trees(w->fs, w->m, w->msg, MSG_SIZE))
		return failed(w, "compare");
	return check_statfs(w);
}

/* ---- steps ---- */

static int do_step(struct world *w, const struct step *s)
{
	struct zsfs_thread *th = &w->fs->threads[rng_below(&w->rng, 2)];
	char text[1024];

	w->ran[s->op]++;
	setup_arm(w->setup, &w->rng);
	step_run(w->m, th, s, &w->out);
	setup_disarm();
	w->full += w->res.err == -ENOSPC;
	w->no_mem += w->res.err == -ENOMEM;
	w->worked[s->op] += w->res.err == 0;
	if (w->m->used_blocks > w->peak)
		w->peak = w->m->used_blocks;
	if (model_get(w->m, s->id) &&
	    model_get(w->m, s->id)->nr_entries > w->widest)
		w->widest = model_get(w->m, s->id)->nr_entries;
	if (!step_follow(w->m, s, &w->out, w->setup->allow, w->msg, MSG_SIZE))
		return 0;
	step_print(s, text, sizeof(text));
	printf("%s\n", text);
	return failed(w, "result");
}

static int do_steps(struct world *w, uint64_t n, uint64_t checks)
{
	uint64_t every = n / checks + 1;

	for (uint64_t k = 0; k < n; k++, w->step++) {
		struct step s;

		step_draw(&w->draw, w->m, &s);
		if (do_step(w, &s))
			return -1;
		if (k % every == every - 1 && check_all(w))
			return -1;
	}
	return check_all(w);
}

/* ---- what a full file system must still do ---- */

/* Each block written again as it is, one at a time. */
static int overwrite_all(struct world *w)
{
	for (unsigned id = 0; id < w->m->nr_ids; id++) {
		struct minode *i = model_get(w->m, id);

		for (size_t k = 0; i && k < i->nr_blocks; k++) {
			uint64_t off = i->blocks[k].index * MODEL_BLOCK;
			size_t n = MODEL_BLOCK, done;
			struct tx *tx;
			int err;

			if (off >= i->size)
				break; /* room behind its end */
			tx = tx_begin(w->fs->threads);
			if (i->size - off < n)
				n = i->size - off;
			err = zsfs_write(tx, i->nodeid, i->blocks[k].data, n,
					 off, 0, &done);
			if (!err && done == n) {
				tx_commit(tx);
				i->mtime = MODEL_CLOCK;
				model_kill_caps(i);
				i->blocks[k].room = i->blocks[k].hole = false;
				continue;
			}
			tx_abort(tx, err);
			snprintf(w->msg, MSG_SIZE,
				 "inode %u offset %" PRIu64 ": error %d", id,
				 off, err);
			return failed(w, "overwriting");
		}
	}
	return 0;
}

static int write_noise(struct world *w, uint64_t nodeid, uint64_t bytes)
{
	for (uint64_t off = 0; off < bytes;) {
		uint64_t n = bytes - off;
		struct tx *tx = tx_begin(w->fs->threads);
		size_t done = 0;
		int err;

		if (n > ZSFS_MAX_WRITE)
			n = ZSFS_MAX_WRITE;
		fill_noise(w->out.buf, n, rng_next(&w->rng));
		err = zsfs_write(tx, nodeid, w->out.buf, n, off, 0, &done);
		if (err || done < n) {
			snprintf(w->msg, MSG_SIZE,
				 "%" PRIu64 " of %" PRIu64 " bytes: error %d",
				 off + done, bytes, err);
			tx_abort(tx, err);
			return failed(w, "keeping the promise of statfs");
		}
		tx_commit(tx);
		off += n;
	}
	return 0;
}

static int end_step(struct world *w, enum step_op op, unsigned id,
		    const char *name, uint64_t n)
{
	struct step s = {.op = op, .id = id, .size = n};

	strcpy(s.name, name);
	if (op == STEP_MAKE)
		s.spec.mode = S_IFREG | 0600;
	return do_step(w, &s);
}

/* So that all can be changed and removed. */
static int clear_flags(struct world *w)
{
	for (unsigned id = 0; id < w->m->nr_ids; id++) {
		const struct minode *i = model_get(w->m, id);

		if (i && i->flags & INODE_FLAGS &&
		    end_step(w, STEP_FLAGS, id, "", 0))
			return -1;
	}
	return 0;
}

static void reap_everything(struct zsfs *fs)
{
	for (unsigned k = 0; k < fs->nr_threads; k++)
		reap_all(&fs->threads[k]);
}

/* As many blocks of noise as statfs says there is room for. */
static int check_promise(struct world *w)
{
	struct statvfs st;
	unsigned id;

	/* What is being freed is promised, too, to who waits for it. */
	reap_everything(w->fs);
	zsfs_statfs(w->fs, &st);
	if (st.f_bfree == 0 || st.f_ffree == 0)
		return 0;
	if (end_step(w, STEP_MAKE, MODEL_ROOT, "promise", 0))
		return -1;
	id = model_by_nodeid(w->m, w->res.value);
	if (write_noise(w, w->res.value, st.f_bfree * 4096))
		return -1;
	/* The model has not seen the content: take it away again. */
	return end_step(w, STEP_UNLINK, MODEL_ROOT, "promise", 0) ||
	       end_step(w, STEP_FORGET, id, "", 1);
}

static int check_limits(struct world *w)
{
	if (!w->setup->promise)
		return 0;
	return clear_flags(w) || overwrite_all(w) || check_promise(w) ||
	       check_all(w);
}

/* ---- taking everything away ---- */

static int empty_directory(struct world *w, unsigned dir)
{
	struct minode *i = model_get(w->m, dir);

	while (i->nr_entries) {
		struct mentry e = i->entries[i->nr_entries - 1];
		bool is_dir = S_ISDIR(model_get(w->m, e.id)->mode);
		char name[STEP_NAME_ROOM];

		strcpy(name, e.name);
		if (is_dir && empty_directory(w, e.id))
			return -1;
		if (end_step(w, is_dir ? STEP_RMDIR : STEP_UNLINK, dir, name,
			     0))
			return -1;
	}
	return 0;
}

static int forget_all(struct world *w)
{
	for (unsigned id = 1; id < w->m->nr_ids; id++) {
		struct minode *i = model_get(w->m, id);

		if (i && end_step(w, STEP_FORGET, id, "", i->nlookup))
			return -1;
	}
	while (w->m->nr_snaps)
		if (end_step(w, STEP_VFORGET, 0, "", 0))
			return -1;
	return 0;
}

static int strip_root(struct world *w)
{
	struct minode *root = model_get(w->m, MODEL_ROOT);

	while (root->nr_xattrs) {
		char name[STEP_NAME_ROOM];

		strcpy(name, root->xattrs[0].name);
		if (end_step(w, STEP_XREMOVE, MODEL_ROOT, name, 0))
			return -1;
	}
	return 0;
}

/* Nothing may be left but the root. */
static int check_empty(struct world *w)
{
	struct zs_pool_stats ps;
	struct arena_stats as;
	uint64_t objs = 0;

	reap_everything(w->fs);
	zs_pool_get_stats(w->fs->pool, &ps);
	arena_get_stats(w->fs->arena, &as);
	for (unsigned k = 0; k < SLAB_NR_CACHES; k++)
		objs += as.slab_objs[k];
	if (ps.objs_used == 0 && ps.pages_used == 0 && objs == 1 &&
	    w->m->used_inodes == 1 && w->m->used_blocks == 0)
		return 0;
	snprintf(w->msg, MSG_SIZE,
		 "%" PRIu64 " objects, %" PRIu64 " pages, %" PRIu64
		 " slab objects",
		 ps.objs_used, ps.pages_used, objs);
	return failed(w, "emptying");
}

/* ---- one set-up ---- */

static int run(struct world *w, uint64_t ops, uint64_t checks)
{
	if (do_steps(w, ops / 2, checks / 2 + 1) || check_limits(w) ||
	    do_steps(w, ops - ops / 2, checks / 2 + 1))
		return -1;
	if (clear_flags(w) || empty_directory(w, MODEL_ROOT) || forget_all(w) ||
	    strip_root(w) || check_all(w))
		return -1;
	return check_empty(w);
}

static void report(const struct world *w, double seconds)
{
	printf("ok %-10s %" PRIu64 " steps %.1f s, %" PRIu64
	       " without room, %" PRIu64 " without memory, up to %" PRIu64
	       " blocks, %" PRIu64 " names in a directory\n",
	       w->setup->name, w->step, seconds, w->full, w->no_mem, w->peak,
	       w->widest);
	for (unsigned op = 0; w->verbose && op < STEP_NR; op++)
		printf("  %-10s %6" PRIu64 " of %6" PRIu64 "\n",
		       step_op_name(op), w->worked[op], w->ran[op]);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct args {
	uint64_t seed, ops, checks;
	bool verbose;
	const char *only;
};

static int run_setup(const struct setup *setup, const struct args *a)
{
	static struct world w;
	double start = now();
	int err;

	memset(&w, 0, sizeof(w));
	w.setup = setup;
	w.verbose = a->verbose;
	w.rng.s = a->seed ^ 1;
	w.draw = setup->draw;
	w.draw.rng.s = a->seed;
	w.out.res = &w.res;
	w.out.buf = malloc(STEP_MAX_OUT);
	err = setup_create(setup, &w.fs);
	if (err || !w.out.buf) {
		printf("FAILED %s: zsfs_create: %s\n", setup->name,
		       strerror(-err));
		return -1;
	}
	w.m = model_new(0755, 0, 0);
	w.m->max_blocks = setup->max_blocks;
	w.m->max_inodes = setup->max_inodes;
	printf("model_test --variant %s --seed %" PRIu64 " --ops %" PRIu64
	       " --checks %" PRIu64 "\n",
	       setup->name, a->seed, a->ops, a->checks);
	fflush(stdout);
	err = run(&w, a->ops, a->checks);
	if (!err)
		report(&w, now() - start);
	/* A refused step must really have been met where it was asked for. */
	if (!err && setup->must_fail && w.full + w.no_mem == 0)
		err = failed(&w, "nothing ever failed");
	model_free(w.m);
	zsfs_close(w.fs);
	free(w.out.buf);
	return err;
}

static bool read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"variant", required_argument, NULL, 'v'},
		{"seed", required_argument, NULL, 's'},
		{"ops", required_argument, NULL, 'o'},
		{"checks", required_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'v')
			a->only = optarg;
		else if (c == 's')
			a->seed = strtoull(optarg, NULL, 0);
		else if (c == 'o')
			a->ops = strtoull(optarg, NULL, 0);
		else if (c == 'c')
			a->checks = strtoull(optarg, NULL, 0);
		else if (c == 'V')
			a->verbose = true;
		else
			return false;
	}
	return a->checks > 0;
}

int main(int argc, char **argv)
{
	struct args a = {
		.seed = (uint64_t)time(NULL), .ops = 3000, .checks = 10};
	int bad = 0, ran = 0;

	if (!read_args(argc, argv, &a))
		return 2;
	for (unsigned k = 0; k < nr_setups; k++) {
		if (a.only && strcmp(a.only, setups[k].name))
			continue;
		ran++;
		bad += run_setup(&setups[k], &a) != 0;
	}
	printf("%d set-ups, %d failed\n", ran, bad);
	return bad || !ran;
}
