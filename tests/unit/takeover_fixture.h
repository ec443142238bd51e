/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers that are killed while they serve a device (fake_device.h), and their
 * successors: for tests of takeovers without a mount. Each worker is a process
 * of its own; the last successor is the test.
 */
#ifndef TESTS_UNIT_TAKEOVER_FIXTURE_H
#define TESTS_UNIT_TAKEOVER_FIXTURE_H

#include "check.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "fake_device.h"
#include "fixture_session.h"
#include "fs_fixture.h"
#include "serve/ops.h"
#include "serve/poison.h"
#include "serve/readers.h"
#include "serve/takeover.h"
#include "serve/waiting.h"
#include "state/tx.h"
#include "tree/namei.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

#define NR_SERVERS 3u

static int arena;	/* its file */
static struct zsfs *fs; /* of the running process */

/* What is given up leaves libfuse's own record of the request behind. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- workers ---- */

static unsigned to_serve;

static inline bool leaving(void *arg)
{
	return to_serve-- == 0;
}

static inline void on_init(void *arg)
{
}

/* Thread @nr serves @n requests. */
static inline void serve_in(unsigned nr, unsigned n)
{
	struct request_env env = {.se = fixture_session(fs, dev),
				  .fd = dev,
				  .on_init = on_init,
				  .leaving = leaving};
	struct reader_counts counts;

	CHECK_EQ(readers_new(fs->nr_threads, dev, false, &counts, &env.readers),
		 0);
	if (fs->super->init_req_len)
		CHECK_EQ(request_prime(fs, env.se), 0);
	to_serve = n;
	CHECK_EQ(request_loop(&fs->threads[nr], &env), 0);
	readers_free(env.readers);
	fuse_session_destroy(env.se);
}

static inline void serve(unsigned n)
{
	serve_in(0, n);
}

static inline void attach(void)
{
	int err = zsfs_attach(arena, 0, NULL, 0, &fs);

	if (err) {
		fprintf(stderr, "zsfs_attach: %s\n", strerror(-err));
		exit(2);
	}
}

/* Run @work in a worker until that kills itself, or at its end. */
static inline void worker(void (*work)(void), struct dev_death death)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		attach();
		dev_death = death;
		work();
		_exit(check_failures ? 1 : 0);
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(status == 0 ||
	      (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

static inline void serve_one(void)
{
	serve(1);
}

/* This process takes over from it. Then the caller closes fs. */
static inline struct takeover succeed(int want)
{
	struct takeover t = {.fd = dev};

	attach();
	t.fs = fs;
	CHECK_EQ(takeover_run(&t), want);
	CHECK_EQ((fcntl(dev, F_GETFL) & O_NONBLOCK) != 0, waiting_any());
	return t;
}

/* All is in order; the process lets go of it. */
static inline void leave(void)
{
	char msg[256] = "";

	reap_all(zsfs_background(fs));
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
	fs = NULL;
}

#define NO_INODE UINT64_MAX

static inline uint64_t nlookup(uint64_t nodeid)
{
	const struct zinode *i = inode_resolve(fs, nodeid);

	return i ? i->nlookup : NO_INODE;
}

/* Is @name in the root? */
static inline bool is_there(const char *name)
{
	struct tx *tx = tx_begin(&fs->threads[0]);
	struct zinode *i = NULL;

	CHECK_EQ(zsfs_lookup(tx, ROOT_NODEID, name, &i), 0);
	tx_abort(tx, 0);
	return i != NULL;
}

/* An empty file system, and a connection that INIT was said on. */
static inline void start_anew(void)
{
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION, .minor = 40};

	if (arena)
		close(arena);
	fs = fixture_fs_of(NR_SERVERS);
	arena = dup(arena_fd(fs->arena));
	dev_open();
	dev_ask(FUSE_INIT, 0, &in, sizeof(in));
	serve(1);
	zsfs_close(fs);
	fs = NULL;
}

/* ---- two directories, for FORGETs ---- */

static uint64_t forgotten[2];

static inline void make_two(void)
{
	struct asked *a = dev_ask_mkdir("a"), *b = dev_ask_mkdir("b");

	attach();
	serve(2);
	zsfs_close(fs);
	forgotten[0] = a->nodeid;
	forgotten[1] = b->nodeid;
	REQUIRE(forgotten[0] && forgotten[1]);
}

static inline void check_forgotten(void)
{
	CHECK_EQ(nlookup(forgotten[0]), 0);
	CHECK_EQ(nlookup(forgotten[1]), 0);
}

#endif
