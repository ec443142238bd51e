/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads on shared files and directories of a file system without a mount,
 * beside compaction, settling, warming, statistics and live checks.
 *
 *   stress_fs [-n OPS] [-s SEED] [-l] (-l: at the smallest memory limit)
 *
 * Files of two kinds tell whether content is right:
 *   striped   bytes belong to threads by turns of STRIPE bytes, so that most
 *             blocks have several writers; each thread knows its own bytes
 *   ragged    anybody writes and cuts anywhere; an aligned word is 0 or what
 *             its place says
 * Names are made, linked, moved and removed by all in shared directories; what
 * a thread holds a lookup of must stay usable. Debug builds yield the CPU in
 * the midst of transactions. A deadlock ends in an alarm.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "random.h"
#include "tree/reap.h"
#include "control/vfile.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/counters.h"
#include "state/threads.h"
#include "state/reserve.h"
#include "zsmalloc.h"
#include "tree/dentry.h"
#include "tree/namei.h"
#include "tree/rename.h"
#include "tree/attr.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/scrub.h"
#include "content/settle.h"
#include "content/settler.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"
#include "control/statfs.h"
#include "control/compact.h"

#define NR_WORKERS 4u
#define NR_EXTRA   2u /* compactor, watcher */
#define NR_STRIPED 2u
#define NR_RAGGED  3u
#define NR_DIRS	   3u
#define NR_HELD	   12u
#define STRIPE	   9001u /* bytes */
#define STRIPES	   24u	 /* of each thread in a striped file */
#define MAX_BYTES  200000u
#define RAGGED_MAX (MAX_BYTES * 40)
#define ROOM_BYTES (4 * MAX_BYTES) /* that the ballast leaves at first */

struct worker {
	pthread_t thread;
	struct zsfs_thread *th;
	unsigned nr;
	struct rng rng;
	uint64_t held[NR_HELD];	  /* nodeids, one lookup each; 0 = none */
	uint8_t *own[NR_STRIPED]; /* what its bytes of each file are */
	uint8_t *buf;		  /* MAX_BYTES + 8 */
	uint64_t full;		  /* refused for want of room */
};

static struct zsfs *fs;
static struct worker workers[NR_WORKERS];
static uint64_t striped[NR_STRIPED], ragged[NR_RAGGED], dirs[NR_DIRS];
static uint64_t nr_ops = 100000, seed = 1;
static bool limited;
static struct settler *settler; /* of the compactor's thread */
static int stop;		/* atomic */
static int failed;		/* atomic */

static void complain(const char *what, int64_t value)
{
	fprintf(stderr, "stress_fs: %s (%" PRId64 ")\n", what, value);
	__atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
}

#if ZS_DEBUG_LEVEL >= 1
static void yield_now_and_then(void)
{
	static _Thread_local struct rng r;

	if (rng_below(&r, 97) == 0)
		sched_yield();
}
#endif

static int finish(struct worker *w, struct tx *tx, int err)
{
	if (err) {
		tx_abort(tx, err);
	} else {
		tx_commit(tx);
		tidy_clusters(w->th);
		warm_step(w->th);
		if (rng_chance(&w->rng, 75))
			reap_help(w->th);
		else
			reap_hand_over(w->th);
	}
	if (err == -ENOSPC && limited)
		w->full++;
	return err;
}

/* ---- content ---- */

static int do_write(struct worker *w, uint64_t nodeid, const void *p, size_t n,
		    uint64_t off, size_t *done)
{
	struct tx *tx = tx_begin(w->th);

	return finish(w, tx, zsfs_write(tx, nodeid, p, n, off, 0, done));
}

static int do_read(struct worker *w, uint64_t nodeid, void *p, size_t n,
		   uint64_t off, size_t *done)
{
	struct tx *tx = tx_begin(w->th);

	return finish(w, tx, zsfs_read(tx, nodeid, p, n, off, done));
}

/* Offset in the file of a worker's stripe, and in its own copy. */
static uint64_t stripe_off(const struct worker *w, unsigned k)
{
	return ((uint64_t)k * NR_WORKERS + w->nr) * STRIPE;
}

static void fill(struct worker *w, uint8_t *p, size_t n)
{
	unsigned kind = (unsigned)rng_below(&w->rng, 4);
	uint64_t word = rng_next(&w->rng);

	for (size_t k = 0; k < n; k++) {
		if (kind == 0 && k % 8 == 0)
			word = rng_next(&w->rng);
		p[k] = kind == 1 ? 0 : (uint8_t)(word >> k % 8 * 8);
	}
}

static void write_striped(struct worker *w)
{
	unsigned f = (unsigned)rng_below(&w->rng, NR_STRIPED);
	unsigned k = (unsigned)rng_below(&w->rng, STRIPES);
	size_t at = rng_below(&w->rng, STRIPE), n, done = 0;
	uint8_t *own = w->own[f] + (size_t)k * STRIPE;
	int err;

	n = rng_log(&w->rng, STRIPE - at);
	fill(w, w->buf, n);
	err = do_write(w, striped[f], w->buf, n, stripe_off(w, k) + at, &done);
	if (err ? err != -ENOSPC || !limited : done < n && !limited)
		complain("write", err);
	if (!err)
		memcpy(own + at, w->buf, done);
}

static void check_stripe(struct worker *w, unsigned f, unsigned k)
{
	const uint8_t *own = w->own[f] + (size_t)k * STRIPE;
	size_t done;
	int err =
		do_read(w, striped[f], w->buf, STRIPE, stripe_off(w, k), &done);

	if (err) {
		complain("read", err);
		return;
	}
	/* Behind the end of the file is what nobody wrote yet. */
	memset(w->buf + done, 0, STRIPE - done);
	if (memcmp(w->buf, own, STRIPE))
		complain("a striped file has wrong content", k);
}

static void read_striped(struct worker *w)
{
	check_stripe(w, (unsigned)rng_below(&w->rng, NR_STRIPED),
		     (unsigned)rng_below(&w->rng, STRIPES));
}

static uint64_t ragged_word(unsigned f, uint64_t off)
{
	struct rng r = {off / 8 * 8 + f * UINT64_C(1000000007)};

	/* Some blocks are full of one word, most compress a little. */
	if (off / 4096 % 5 == 0)
		r.s = off / 4096;
	return rng_next(&r) | 1;
}

static uint64_t ragged_off(struct worker *w)
{
	return rng_below(&w->rng, (RAGGED_MAX - MAX_BYTES) / 8) * 8;
}

static void write_ragged(struct worker *w)
{
	unsigned f = (unsigned)rng_below(&w->rng, NR_RAGGED);
	uint64_t off = ragged_off(w);
	size_t n = rng_log(&w->rng, MAX_BYTES / 8) * 8, done;
	int err;

	if (limited)
		n = MAX_BYTES;
	for (size_t k = 0; k < n; k += 8) {
		uint64_t word = ragged_word(f, off + k);

		memcpy(w->buf + k, &word, 8);
	}
	err = do_write(w, ragged[f], w->buf, n, off, &done);
	if (err && (err != -ENOSPC || !limited))
		complain("write", err);
}

static void read_ragged(struct worker *w)
{
	unsigned f = (unsigned)rng_below(&w->rng, NR_RAGGED);
	uint64_t off = ragged_off(w);
	size_t done;
	int err = do_read(w, ragged[f], w->buf,
			  rng_log(&w->rng, MAX_BYTES / 8) * 8, off, &done);

	if (err)
		complain("read", err);
	if (rng_chance(&w->rng, 50))
		warm_ask(w->th, ragged[f], off / ZSFS_BLOCK_SIZE);
	for (size_t k = 0; !err && k + 8 <= done; k += 8) {
		uint64_t word;

		memcpy(&word, w->buf + k, 8);
		if (word && word != ragged_word(f, off + k)) {
			complain("a ragged file has wrong content",
				 (int64_t)(off + k));
			return;
		}
	}
}

static void cut_ragged(struct worker *w)
{
	unsigned f = (unsigned)rng_below(&w->rng, NR_RAGGED);
	struct stat st = {.st_size = (off_t)ragged_off(w)};
	struct zinode *i;
	struct tx *tx;
	int err;

	if (limited && rng_chance(&w->rng, 75))
		return;
	tx = tx_begin(w->th);
	err = finish(w, tx, zsfs_setattr(tx, ragged[f], &st, SET_SIZE, &i));
	if (err)
		complain("truncate", err);
}

/* ---- names ---- */

static void draw_name(struct worker *w, char name[16])
{
	snprintf(name, 16, "n%u", (unsigned)rng_below(&w->rng, 40));
}

/* Now and then what is held: a deeper directory, a removed one, a file. */
static uint64_t draw_dir(struct worker *w)
{
	uint64_t nodeid = w->held[rng_below(&w->rng, NR_HELD)];

	if (nodeid && rng_chance(&w->rng, 30))
		return nodeid;
	return dirs[rng_below(&w->rng, NR_DIRS)];
}

static void forget(struct worker *w, uint64_t nodeid)
{
	zsfs_forget(w->th, nodeid, 1, NULL);
	reap_help(w->th);
}

/* Keep a lookup that was just made, instead of another one. */
static void hold(struct worker *w, uint64_t nodeid)
{
	uint64_t *slot = &w->held[rng_below(&w->rng, NR_HELD)];

	if (*slot)
		forget(w, *slot);
	*slot = nodeid;
}

static void expect(const char *what, int err, const int *allowed)
{
	for (; err && *allowed; allowed++)
		if (err == -*allowed)
			return;
	if (err && (err != -ENOSPC || !limited))
		complain(what, err);
}

/* As expect(), for what a directory takes that may be none, or removed. */
static void expect_dir(const char *what, int err, const int *allowed)
{
	if (err != -ENOENT && err != -ENOTDIR)
		expect(what, err, allowed);
}

static void make(struct worker *w)
{
	static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFLNK};
	struct new_inode spec = {
		.mode = types[rng_below(&w->rng, 4)] | 0755,
		.target = "a target that is long enough to be compared",
	};
	struct tx *tx = tx_begin(w->th);
	struct zinode *i;
	uint64_t nodeid = 0;
	char name[16];
	int err;

	draw_name(w, name);
	err = zsfs_make(tx, draw_dir(w), name, &spec, &i);
	if (!err)
		nodeid = inode_nodeid(fs, i);
	err = finish(w, tx, err);
	expect_dir("make", err, (int[]){EEXIST, 0});
	if (!err)
		hold(w, nodeid);
}

static void lookup(struct worker *w)
{
	struct tx *tx = tx_begin(w->th);
	struct zinode *i;
	uint64_t nodeid = 0;
	char name[16];
	int err;

	draw_name(w, name);
	err = zsfs_lookup(tx, draw_dir(w), name, &i);
	if (!err && i)
		nodeid = inode_nodeid(fs, i);
	err = finish(w, tx, err);
	expect_dir("lookup", err, (int[]){0});
	if (nodeid)
		hold(w, nodeid);
}

static void link_held(struct worker *w)
{
	uint64_t nodeid = w->held[rng_below(&w->rng, NR_HELD)];
	struct tx *tx;
	struct zinode *i;
	char name[16];
	int err;

	if (!nodeid)
		return;
	draw_name(w, name);
	tx = tx_begin(w->th);
	err = finish(w, tx, zsfs_link(tx, nodeid, draw_dir(w), name, &i));
	expect_dir("link", err, (int[]){EEXIST, EPERM, 0});
	if (!err)
		hold(w, nodeid);
}

static void remove_name(struct worker *w)
{
	struct tx *tx = tx_begin(w->th);
	char name[16];
	int err;

	draw_name(w, name);
	if (rng_chance(&w->rng, 70))
		err = zsfs_unlink(tx, draw_dir(w), name);
	else
		err = zsfs_rmdir(tx, draw_dir(w), name);
	expect_dir("remove", finish(w, tx, err), (int[]){EISDIR, ENOTEMPTY, 0});
}

static void move_name(struct worker *w)
{
	static const struct new_inode whiteout = {.mode = S_IFCHR};
	static const unsigned flags[] = {
		0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT,
	};
	struct tx *tx = tx_begin(w->th);
	char from[16], to[16];
	int err;

	draw_name(w, from);
	draw_name(w, to);
	err = zsfs_rename(tx, draw_dir(w), from, draw_dir(w), to,
			  flags[rng_below(&w->rng, 6)], &whiteout);
	expect_dir("rename", finish(w, tx, err),
		   (int[]){EISDIR, ENOTEMPTY, EEXIST, EINVAL, 0});
}

static void list(struct worker *w)
{
	struct tx *tx = tx_begin(w->th);
	struct dir_reader reader;
	const struct dentry *d;
	uint64_t off = 0, last = 0;
	struct zinode *i;
	int err = zsfs_getattr(tx, draw_dir(w), &i);

	if (err)
		complain("getattr", err);
	while (!err && S_ISDIR(i->mode)) {
		reader = dentry_seek(i, off);
		d = dentry_read(i, &reader);
		if (!d)
			break;
		if (d->cookie <= last || d->name[0] != 'n')
			complain("a directory has a bad entry",
				 (int64_t)d->cookie);
		last = d->cookie;
		off = dentry_offset(&reader, last);
	}
	finish(w, tx, err);
}

/* What is held can be used, with or without a name. */
static void use_held(struct worker *w)
{
	uint64_t nodeid = w->held[rng_below(&w->rng, NR_HELD)];
	struct stat st = {.st_mode = 0600};
	struct zinode *i;
	struct tx *tx;
	bool file;
	size_t done;
	int err;

	if (!nodeid)
		return;
	tx = tx_begin(w->th);
	err = zsfs_setattr(tx, nodeid, &st, SET_MODE, &i);
	file = !err && S_ISREG(i->mode);
	expect("chmod", finish(w, tx, err), (int[]){0});
	if (!file)
		return;
	fill(w, w->buf, 5000);
	err = do_write(w, nodeid, w->buf, 5000, rng_below(&w->rng, 100000),
		       &done);
	expect("write", err, (int[]){0});
}

/* ---- the threads ---- */

typedef void op_fn(struct worker *w);

static op_fn *const ops[] = {
	write_striped, write_striped, read_striped, write_ragged, read_ragged,
	cut_ragged,    make,	      make,	    lookup,	  link_held,
	remove_name,   remove_name,   move_name,    list,	  use_held,
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t k = 0; k < nr_ops; k++) {
		if (__atomic_load_n(&failed, __ATOMIC_RELAXED))
			break;
		zsfs_enter(w->th);
		ops[rng_below(&w->rng, sizeof(ops) / sizeof(ops[0]))](w);
		zsfs_leave(w->th);
	}
	return NULL;
}

static void on_scrubbed(void *arg, unsigned blocks, unsigned bad)
{
	if (bad)
		complain("blocks are damaged", bad);
}

static void on_damage(void *arg, const struct scrub_bad *b)
{
	complain(b->form, (int64_t)b->first);
}

static void scrub(struct zsfs_thread *th)
{
	struct scrub_watch watch = {on_scrubbed, on_damage, NULL};
	int err = zsfs_scrub(th, &watch);

	if (err)
		complain("scrub", err);
}

/*
 * What the background thread of a mount does, .zsctl/compact, settle and
 * verify.
 */
static void *compact(void *arg)
{
	struct zsfs_thread *th = &fs->threads[NR_WORKERS];
	uint64_t runs = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		zsfs_enter(th);
		for (unsigned n = 0; n < 64 && reap_step(th); n++)
			;
		for (unsigned n = 0; n < 64 && hot_step(th, false) == 1; n++)
			;
		if (runs % 12 == 9)
			scrub(th);
		if (runs++ % 6 == 2 && zsfs_settle(th))
			complain("settle", runs);
		else if (runs % 3)
			zsfs_compact(fs, th);
		else
			arena_trim(fs->arena, th->at, runs % 2, true);
		zsfs_leave(th);
		for (unsigned n = 0;
		     n < 64 && settler_step(settler, th, 0) == 1; n++)
			;
		usleep(500);
	}
	return arg;
}

static void keep_nodeid(void *arg, const struct vfile_entry *e)
{
	*(uint64_t *)arg = e->nodeid;
}

static void look_at(struct zsfs_thread *th, const char *name)
{
	uint64_t nodeid = 0;
	const char *text;
	size_t len;
	int err = vfile_lookup(th, VFILE_NODEID + VF_STATS_DIR, name,
			       arena_thread_nr(th->at), keep_nodeid, &nodeid);

	if (err) {
		if (err != -ENOSPC || !limited)
			complain(name, err);
		return;
	}
	if (vfile_text(fs, nodeid, &text, &len) || len == 0 ||
	    text[len - 1] != '\n')
		complain("a snapshot is not complete", (int64_t)len);
	vfile_forget(th, nodeid, 1, NULL);
}

static void *watch(void *arg)
{
	static const char *const names[] = {
		"classes",    "fullness", "mm_stat", "io_stat",
		"stats.json", "tiers",	  "metrics",
	};
	struct zsfs_thread *th = &fs->threads[NR_WORKERS + 1];
	struct statvfs st;
	char msg[512];

	for (unsigned k = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); k++) {
		zsfs_enter(th);
		look_at(th, names[k % 7]);
		zsfs_statfs(fs, &st);
		if (k % 16 == 0 &&
		    zsfs_verify_live(fs, false, msg, sizeof(msg)))
			complain(msg, k);
		zsfs_leave(th);
		usleep(1000);
	}
	return arg;
}

/* ---- before and after ---- */

static uint64_t make_in_root(const char *name, uint32_t mode)
{
	struct tx *tx = tx_begin(zsfs_background(fs));
	struct new_inode spec = {.mode = mode};
	struct zinode *i;
	uint64_t nodeid = 0;
	int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);

	if (err) {
		complain("make in the root", tx_abort(tx, err));
	} else {
		nodeid = inode_nodeid(fs, i);
		tx_commit(tx);
	}
	return nodeid;
}

static void set_up(void)
{
	char name[16];

	for (unsigned k = 0; k < NR_STRIPED + NR_RAGGED + NR_DIRS; k++) {
		snprintf(name, sizeof(name), "%u", k);
		if (k < NR_STRIPED)
			striped[k] = make_in_root(name, S_IFREG | 0644);
		else if (k < NR_STRIPED + NR_RAGGED)
			ragged[k - NR_STRIPED] =
				make_in_root(name, S_IFREG | 0644);
		else
			dirs[k - NR_STRIPED - NR_RAGGED] =
				make_in_root(name, S_IFDIR | 0755);
	}
	for (unsigned k = 0; k < NR_WORKERS; k++) {
		struct worker *w = &workers[k];

		w->nr = k;
		w->th = &fs->threads[k];
		w->rng.s = seed * 1000 + k;
		w->buf = malloc(MAX_BYTES + 8);
		for (unsigned f = 0; f < NR_STRIPED; f++)
			w->own[f] = calloc(STRIPES, STRIPE);
	}
}

/*
 * Fill memory with what does not compress, but for ROOM_BYTES. So the threads
 * meet the limit whatever their turns are, and whatever settles.
 */
static void load_ballast(struct worker *w)
{
	uint64_t nodeid = make_in_root("ballast", S_IFREG | 0644);
	struct stat st = {.st_size = 0};
	struct zinode *i;
	struct tx *tx;
	size_t done;

	do {
		for (size_t k = 0; k < MAX_BYTES; k++)
			w->buf[k] = (uint8_t)(rng_next(&w->rng) >> 32);
		if (do_write(w, nodeid, w->buf, MAX_BYTES, (uint64_t)st.st_size,
			     &done))
			done = 0;
		st.st_size += (off_t)done;
	} while (done == MAX_BYTES);
	st.st_size -= ROOM_BYTES;
	tx = tx_begin(w->th);
	if (finish(w, tx, zsfs_setattr(tx, nodeid, &st, SET_SIZE, &i)))
		complain("truncate the ballast", st.st_size);
	w->full = 0;
}

static void run_threads(void)
{
	pthread_t extra[NR_EXTRA];

	pthread_create(&extra[0], NULL, compact, NULL);
	pthread_create(&extra[1], NULL, watch, NULL);
	for (unsigned k = 0; k < NR_WORKERS; k++)
		pthread_create(&workers[k].thread, NULL, work, &workers[k]);
	for (unsigned k = 0; k < NR_WORKERS; k++)
		pthread_join(workers[k].thread, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned k = 0; k < NR_EXTRA; k++)
		pthread_join(extra[k], NULL);
}

static void verify(const char *when)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg))) {
		fprintf(stderr, "stress_fs: %s: %s\n", when, msg);
		failed = 1;
	}
}

static void let_go(void)
{
	for (unsigned k = 0; k < NR_WORKERS; k++) {
		struct worker *w = &workers[k];

		for (unsigned f = 0; f < NR_STRIPED; f++)
			for (unsigned s = 0; s < STRIPES; s++)
				check_stripe(w, f, s);
		for (unsigned h = 0; h < NR_HELD; h++)
			if (w->held[h])
				forget(w, w->held[h]);
		for (unsigned f = 0; f < NR_STRIPED; f++)
			free(w->own[f]);
		free(w->buf);
	}
}

static void on_alarm(int sig)
{
	static const char msg[] = "stress_fs: does not end: a deadlock?\n";

	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		_exit(4);
	abort();
}

static bool read_args(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:l")) != -1) {
		if (c == 'n')
			nr_ops = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'l')
			limited = true;
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct zsfs_params p = {
		.comp = {ZCOMP_LZ4, 1},
		.hot = 4 << 20,
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = NR_WORKERS + NR_EXTRA,
		.nr_helpers = 2,
		.mode = 0755,
		.no_huge = true,
	};
	uint64_t full = 0;

	if (!read_args(argc, argv))
		return 2;
	if (limited)
		p.mem_limit = zsfs_min_mem_limit(p.nr_threads);
	if (zsfs_create(&p, &fs))
		return 2;
	printf("stress_fs -n %" PRIu64 " -s %" PRIu64 "%s\n", nr_ops, seed,
	       limited ? " -l" : "");
	if (settler_start(fs, &settler))
		return 2;
	signal(SIGALRM, on_alarm);
	alarm(280);
	set_up();
	if (limited) {
		zsfs_enter(workers[0].th);
		load_ballast(&workers[0]);
		zsfs_leave(workers[0].th);
	}
#if ZS_DEBUG_LEVEL >= 1
	zs_crash_hook = yield_now_and_then;
#endif
	run_threads();
	verify("after the threads");
	reap_all(&fs->threads[NR_WORKERS]);
	let_go();
	verify("in the end");
	if (zsfs_stat_sum(fs, ST_REAPING))
		complain("something is being freed for ever", 0);
	for (unsigned k = 0; k < NR_WORKERS; k++)
		full += workers[k].full;
	if (limited && !full)
		complain("the limit was never met", 0);
	printf("%s, %" PRIu64 " refused\n", failed ? "FAILED" : "ok", full);
	settler_stop(settler);
	zsfs_close(fs);
	return failed;
}
