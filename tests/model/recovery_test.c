/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery: processes that change a file system are killed at random points,
 * and whoever takes the arena up must find every operation done wholly or not
 * at all, and nothing lost or leaked.
 *
 *   recovery_test [--variant NAME] [--seed N] [--kills N] [--verbose]
 *
 * In builds without crash points the kills come from outside at random times.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "recovery.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/counters.h"
#include "state/reserve.h"
#include "zsmalloc.h"
#include "tree/namei.h"
#include "tree/reap.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

#define MSG_SIZE 1024
/* Kills after which an arena is given up for a new one. */
#define KILLS_PER_ARENA 125

static const struct variant variants[] = {
	{
		.name = "mixed",
		.nr_actors = 1,
		.share = 35,
		.draw = {.nr_names = 60,
			 .max_write = ZSFS_MAX_WRITE,
			 .phase = 150,
			 .max_blocks = 1500,
			 .max_inodes = 120,
			 .far = true,
			 .whole = true},
	},
	{
		.name = "names",
		.nr_actors = 1,
		.share = 20,
		.draw = {.nr_names = 600,
			 .max_write = 9000,
			 .phase = 500,
			 .max_blocks = 300,
			 .max_inodes = 400,
			 .hoard = true,
			 .whole = true},
	},
	{
		.name = "full",
		.nr_actors = 1,
		.share = 20,
		.limited = true,
		.draw = {.nr_names = 60,
			 .max_write = ZSFS_MAX_WRITE,
			 .phase = 300,
			 .max_blocks = 9000,
			 .max_inodes = 200,
			 .noise = 70,
			 .hoard = true,
			 .one_codec = true,
			 .far = true,
			 .whole = true},
	},
	{
		.name = "threads",
		.nr_actors = 3,
		.share = 25,
		.draw = {.nr_names = 60,
			 .max_write = 300000,
			 .phase = 150,
			 .max_blocks = 600,
			 .max_inodes = 100,
			 .far = true},
	},
};

#define NR_VARIANTS (sizeof(variants) / sizeof(variants[0]))

struct args {
	uint64_t seed, kills;
	bool verbose;
	const char *only;
};

struct tally {
	uint64_t kills, rounds, recovery_kills;
	uint64_t active, committed, reaping;
	uint64_t before[STEP_NR], after[STEP_NR]; /* of the step killed in */
};

static int failed(const char *what, const char *msg)
{
	printf("FAILED: %s: %s\n", what, msg);
	return -1;
}

/* ---- making ---- */

/* Directories of their own, so that each actor's model is complete. */
static int make_roots(struct trial *t, struct zsfs *fs)
{
	struct new_inode spec = {.mode = S_IFDIR | 0755};

	for (unsigned k = 0; k < t->variant->nr_actors; k++) {
		char name[2] = {(char)('0' + k), '\0'};
		struct tx *tx = tx_begin(fs->threads);
		struct zinode *i;
		int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);

		if (err)
			return tx_abort(tx, err);
		t->actors[k].m->inodes[MODEL_ROOT]->nodeid =
			inode_nodeid(fs, i);
		tx_commit(tx);
	}
	return 0;
}

static int make_trial(struct trial *t, const struct variant *v, uint64_t seed,
		      struct shared *sh)
{
	struct zsfs_params p = {
		.comp = {ZCOMP_LZ4, 1},
		.hot = 1 << 20,
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = NR_CONTEXTS,
		.mode = 0755,
		.no_huge = seed % 2, /* where they are permitted */
	};
	struct zsfs *fs;
	int err;

	*t = (struct trial){.variant = v, .shared = sh};
	for (unsigned k = 0; k < v->nr_actors; k++) {
		t->actors[k].m = model_new(0755, 0, 0);
		t->actors[k].draw = v->draw;
		t->actors[k].draw.rng.s = seed + k * 1000003;
	}
	if (v->limited) {
		p.mem_limit = zsfs_min_mem_limit(NR_CONTEXTS);
		t->allow = FOLLOW_FULL;
	}
	err = zsfs_create(&p, &fs);
	if (err)
		return err;
	/* So that a seed always gives the same run. */
	fs->super->name_key = (struct siphash_key){seed, seed};
	fs->super->seed = seed;
	if (v->nr_actors > 1)
		err = make_roots(t, fs);
	t->fd = dup(arena_fd(fs->arena));
	zsfs_close(fs);
	return err;
}

static void end_trial(struct trial *t)
{
	for (unsigned k = 0; k < t->variant->nr_actors; k++)
		model_free(t->actors[k].m);
	close(t->fd);
}

/* ---- killing ---- */

/* 1 when it was killed, 0 when it ended by itself, -1 when it failed. */
static int reap_child(struct trial *t, pid_t pid)
{
	char text[64];
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return failed("fork", strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (t->shared->failed)
		return failed("worker", t->shared->msg);
	snprintf(text, sizeof(text), "status %x", status);
	return failed("worker ended", text);
}

static void wait_ready(struct trial *t)
{
	for (int k = 0; k < 100000; k++) {
		if (__atomic_load_n(&t->shared->ready, __ATOMIC_SEQ_CST))
			return;
		usleep(50);
	}
}

/* Steps that have something to lose in the middle. */
static const enum step_op worth_killing[] = {
	STEP_LOOKUP,  STEP_FORGET,   STEP_MAKE,	   STEP_LINK,	 STEP_NAMELESS,
	STEP_UNLINK,  STEP_RMDIR,    STEP_RENAME,  STEP_WRITE,	 STEP_CHANGE,
	STEP_VLOOKUP, STEP_TRUNCATE, STEP_VFORGET, STEP_COMPACT, STEP_TRIM,
	STEP_REAP,    STEP_ALLOCATE, STEP_PUNCH,   STEP_FLAGS,	 STEP_XSET,
	STEP_XREMOVE, STEP_COPY,     STEP_SETTLE,  STEP_WARM,	 STEP_COOL,
};

#define NR_WORTH_KILLING (sizeof(worth_killing) / sizeof(worth_killing[0]))

static struct crash_plan draw_plan(struct rng *r)
{
	unsigned in = (unsigned)rng_below(r, 2 * NR_WORTH_KILLING);

	if (in < NR_WORTH_KILLING)
		return (struct crash_plan){rng_log(r, 1500), worth_killing[in]};
	if (in < NR_WORTH_KILLING + 2)
		return (struct crash_plan){rng_log(r, 2000), CRASH_REAPING};
	return (struct crash_plan){rng_log(r, 30000), CRASH_ANYWHERE};
}

static int kill_worker(struct trial *t, struct rng *r)
{
	pid_t pid;

	if (HAVE_HOOKS)
		return reap_child(t, worker_start(t, draw_plan(r)));
	pid = worker_start(t, (struct crash_plan){0});
	if (pid > 0) {
		wait_ready(t);
		usleep((useconds_t)rng_log(r, 20000));
		kill(pid, SIGKILL);
	}
	return reap_child(t, pid);
}

static int kill_recovery(struct trial *t, struct rng *r)
{
	struct crash_plan plan = {
		.countdown = HAVE_HOOKS ? rng_log(r, 2000) : 0,
		.in = CRASH_ANYWHERE,
	};
	pid_t pid = worker_recover(t, plan);

	if (pid > 0 && !HAVE_HOOKS) {
		usleep((useconds_t)rng_log(r, 10000));
		kill(pid, SIGKILL);
	}
	return reap_child(t, pid);
}

/* ---- what is left ---- */

static int replay_done(struct trial *t, unsigned nr)
{
	struct actor *a = &t->actors[nr];
	struct progress *pr = &t->shared->actor[nr];

	for (uint64_t k = 0; k < pr->done; k++) {
		struct step_out out = {.res = &pr->log[k]};
		char msg[MSG_SIZE];
		struct step s;

		step_draw(&a->draw, a->m, &s);
		if (step_follow(a->m, &s, &out, t->allow, msg, sizeof(msg)))
			return failed("replay", msg);
	}
	return 0;
}

/* A forget that was killed must be marked as done when, and only when, it is */
static int check_consumed(struct trial *t, struct zsfs *fs, unsigned nr,
			  const struct step *s, bool after)
{
	const struct progress *pr = &t->shared->actor[nr];
	unsigned ctx = worker_context(t, nr, pr->done);

	if ((s->op != STEP_FORGET && s->op != STEP_VFORGET) ||
	    (s->op == STEP_FORGET && s->id == MODEL_ROOT))
		return 0;
	/* It may have been killed before it wrote the word. */
	if (!after && pr->log[pr->done].err)
		return 0;
	if ((*step_consumed(&fs->threads[ctx]) == 0) == after)
		return 0;
	return failed("forget", after ? "done, but not marked as done"
				      : "marked as done, but not done");
}

static int compare_actor(struct trial *t, struct zsfs *fs, unsigned nr,
			 char *msg)
{
	const struct model *m = t->actors[nr].m;
	int err = compare_trees(fs, m, msg, MSG_SIZE);

	if (!err && t->variant->nr_actors == 1)
		err = compare_totals(fs, m, msg, MSG_SIZE);
	return err;
}

/* A step that was killed, if it was done: its result was there before. */
static int follow_killed(struct trial *t, struct model *m, const struct step *s,
			 const struct step_out *out, char *msg)
{
	if (s->op != STEP_READ && s->op != STEP_READLINK)
		return step_follow(m, s, out, t->allow, msg, MSG_SIZE);
	/* Reading changes nothing but the atime, whatever comes of it. */
	model_get(m, s->id)->atime = MODEL_ANY_TIME;
	return 0;
}

/* The step that was under way must be done wholly or not at all. */
static int settle_actor(struct trial *t, struct zsfs *fs, unsigned nr,
			struct tally *y)
{
	struct actor *a = &t->actors[nr];
	struct progress *pr = &t->shared->actor[nr];
	char before[MSG_SIZE], after[MSG_SIZE];
	struct step_out out = {.res = &pr->log[pr->done]};
	struct step s;

	if (pr->started == pr->done) {
		if (compare_actor(t, fs, nr, before))
			return failed("after the last step", before);
		return 0;
	}
	step_draw(&a->draw, a->m, &s);
	if (!compare_actor(t, fs, nr, before)) {
		y->before[s.op]++;
		return check_consumed(t, fs, nr, &s, false);
	}
	if (follow_killed(t, a->m, &s, &out, after) ||
	    compare_actor(t, fs, nr, after)) {
		char text[1024];

		step_print(&s, text, sizeof(text));
		printf("  step  %s\n  not before it: %s\n  not after it:  %s\n",
		       text, before, after);
		return failed("half done", step_op_name(s.op));
	}
	y->after[s.op]++;
	return check_consumed(t, fs, nr, &s, true);
}

/* Together the actors have all there is but the root. */
static int check_sums(struct trial *t, struct zsfs *fs)
{
	uint64_t blocks = 0, inodes = 1;
	char msg[MSG_SIZE];

	for (unsigned k = 0; k < t->variant->nr_actors; k++) {
		blocks += t->actors[k].m->used_blocks;
		inodes += t->actors[k].m->used_inodes;
	}
	if ((uint64_t)zsfs_stat_sum(fs, ST_BLOCKS) == blocks &&
	    (uint64_t)zsfs_stat_sum(fs, ST_INODES) == inodes &&
	    zsfs_stat_sum(fs, ST_REAPING) == 0)
		return 0;
	snprintf(msg, sizeof(msg), "%ld blocks, %ld inodes",
		 zsfs_stat_sum(fs, ST_BLOCKS), zsfs_stat_sum(fs, ST_INODES));
	return failed("sums", msg);
}

static int inspect(struct trial *t, struct tally *y)
{
	unsigned n = t->variant->nr_actors;
	char msg[MSG_SIZE];
	struct zsfs *fs;
	int err = zsfs_open(t->fd, 0, &fs);

	if (err)
		return failed("zsfs_open", strerror(-err));
	err = zsfs_verify(fs, msg, sizeof(msg));
	if (err)
		failed("verify", msg);
	for (unsigned k = 0; !err && k < n; k++)
		err = replay_done(t, k);
	for (unsigned k = 0; !err && k < n; k++)
		err = settle_actor(t, fs, k, y);
	if (!err && n > 1)
		err = check_sums(t, fs);
	zsfs_close(fs);
	return err;
}

/* ---- rounds ---- */

static int run_round(struct trial *t, struct rng *r, struct tally *y)
{
	int killed = kill_worker(t, r);

	if (killed < 0)
		return -1;
	y->rounds++;
	y->kills += (unsigned)killed;
	y->active += t->shared->active;
	y->committed += t->shared->committed;
	y->reaping += t->shared->reaping;
	while (rng_chance(r, 40)) {
		int again = kill_recovery(t, r);

		if (again < 0)
			return -1;
		y->recovery_kills += (unsigned)again;
	}
	return inspect(t, y);
}

static int run_trial(const struct variant *v, uint64_t seed, uint64_t kills,
		     struct shared *sh, struct tally *y)
{
	struct rng r = {seed ^ 0x5a5a};
	uint64_t target = y->kills + kills;
	struct trial t;
	int err = make_trial(&t, v, seed, sh);

	if (err)
		return failed("zsfs_create", strerror(-err));
	for (uint64_t round = 0; !err && y->kills < target; round++) {
		err = run_round(&t, &r, y);
		if (err)
			printf("in round %" PRIu64
			       " of recovery_test --variant %s --seed %" PRIu64
			       " --kills %u\n",
			       round, v->name, seed, KILLS_PER_ARENA);
	}
	end_trial(&t);
	return err;
}

static int run_variant(const struct variant *v, const struct args *a,
		       struct shared *sh, struct tally *y)
{
	uint64_t kills = a->only ? a->kills : a->kills * v->share / 100;
	int err = 0;

	for (uint64_t k = 0; !err && k * KILLS_PER_ARENA < kills; k++) {
		uint64_t n = kills - k * KILLS_PER_ARENA;

		err = run_trial(v, a->seed + k,
				n < KILLS_PER_ARENA ? n : KILLS_PER_ARENA, sh,
				y);
	}
	return err;
}

static int check_coverage(const struct tally *y)
{
	for (size_t k = 0; k < NR_WORTH_KILLING; k++) {
		enum step_op op = worth_killing[k];

		if (y->before[op] + y->after[op] == 0)
			return failed("never killed in", step_op_name(op));
	}
	if (!y->active || !y->committed || !y->reaping || !y->recovery_kills)
		return failed("coverage", "a state was never met");
	return 0;
}

static void report(const struct tally *y, bool verbose)
{
	printf("%" PRIu64 " kills in %" PRIu64 " rounds, %" PRIu64
	       " of recovery; transactions open %" PRIu64 ", committed %" PRIu64
	       "; reaping %" PRIu64 "\n",
	       y->kills, y->rounds, y->recovery_kills, y->active, y->committed,
	       y->reaping);
	for (unsigned op = 0; verbose && op < STEP_NR; op++)
		printf("  %-10s %5" PRIu64 " before %5" PRIu64 " after\n",
		       step_op_name(op), y->before[op], y->after[op]);
}

static bool read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"variant", required_argument, NULL, 'v'},
		{"seed", required_argument, NULL, 's'},
		{"kills", required_argument, NULL, 'k'},
		{"verbose", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'v')
			a->only = optarg;
		else if (c == 's')
			a->seed = strtoull(optarg, NULL, 0);
		else if (c == 'k')
			a->kills = strtoull(optarg, NULL, 0);
		else if (c == 'V')
			a->verbose = true;
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct args a = {.seed = (uint64_t)time(NULL), .kills = 1000};
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally y = {0};
	int err = 0;

	if (!read_args(argc, argv, &a) || sh == MAP_FAILED)
		return 2;
	printf("recovery_test --seed %" PRIu64 " --kills %" PRIu64 "\n", a.seed,
	       a.kills);
	for (size_t k = 0; !err && k < NR_VARIANTS; k++)
		if (!a.only || !strcmp(a.only, variants[k].name))
			err = run_variant(&variants[k], &a, sh, &y);
	report(&y, a.verbose);
	if (!err && !a.only && HAVE_HOOKS && a.kills >= 1000)
		err = check_coverage(&y);
	return err || !y.kills;
}
