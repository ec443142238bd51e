/* SPDX-License-Identifier: BSD-3-Clause */
/* The bounds of a slot's logs hold in every build. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_i.h"
#include "check.h"
#include "fs_fixture.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

static struct zsfs *fs;
static struct zsfs_thread *th;

static void start(void)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	/* What lies behind the logs. */
	memset(th->slot->reply, 0xa5, sizeof(th->slot->reply));
}

/* Nothing was written behind the logs, nothing is left of the transaction. */
static void check_and_stop(uint64_t objects)
{
	const struct zinode *root = inode_at(
		inode_ino((const struct zinode *)(uintptr_t)fs->super->root));
	char msg[512];

	for (size_t i = 0; i < sizeof(th->slot->reply); i++)
		REQUIRE(th->slot->reply[i] == 0xa5);
	CHECK_EQ(th->slot->state, TX_IDLE);
	CHECK_EQ(th->slot->undo.max, TX_MAX_UNDO);
	CHECK_EQ(th->slot->stat[ST_NR - 1], 0);
	CHECK_EQ(th->at->claim, ARENA_NEW);
	CHECK_EQ(root->uid, 0);
	CHECK_EQ(fixture_objects(fs), objects);
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

static struct zinode *locked_root(struct tx *tx)
{
	struct zinode *root = (struct zinode *)(uintptr_t)fs->super->root;

	tx_lock(tx, &(struct lock_want){root, LOCK_EXCL}, 1);
	return root;
}

static void fill_undo_log(void *arg)
{
	struct tx *tx = tx_begin(th);
	struct zinode *root = locked_root(tx);

	tx_raise_policy(tx, ALLOC_SHRINK);
	inode_save(tx, root);
	root->uid = 77;
	for (unsigned i = 0; i <= TX_MAX_UNDO; i++)
		tx_save(tx, root);
	CHECK_FAILED("more than the undo log holds");
}

static void fill_alloc(void *arg)
{
	struct tx *tx = tx_begin(th);
	void *p;

	locked_root(tx);
	for (unsigned i = 0; i <= TX_MAX_ALLOC; i++)
		CHECK_EQ(tx_slab_alloc(tx, SLAB_BUF_64, &p), 0);
	CHECK_FAILED("more than alloc[] holds");
}

static void fill_free(void *arg)
{
	struct tx *tx = tx_begin(th);
	const struct zinode *root = locked_root(tx);

	for (unsigned i = 0; i <= TX_MAX_FREE; i++)
		tx_free(tx, slab_ref(root));
	CHECK_FAILED("more than free[] holds");
}

/* No room is left for what the commit saves. */
static void fill_at_commit(void *arg)
{
	struct tx *tx = tx_begin(th);
	struct zinode *root = locked_root(tx);

	inode_save(tx, root);
	root->uid = 77;
	while (th->slot->undo.n < TX_MAX_UNDO)
		tx_save(tx, root);
	tx_stat(tx, ST_NR - 1, 1);
	tx_commit(tx);
	CHECK_FAILED("committed");
}

static void end_well(void *arg)
{
	struct tx *tx = tx_begin(th);

	locked_root(tx);
	tx_commit(tx);
	*(int *)arg = 1;
}

static void check_guarded(void (*fn)(void *arg))
{
	uint64_t objects;
	int done = 0;

	start();
	objects = fixture_objects(fs);
	CHECK_EQ(tx_guarded(th, fn, NULL), -EIO);
	/* Its locks are free. */
	CHECK_EQ(tx_guarded(th, end_well, &done), 0);
	CHECK_EQ(done, 1);
	check_and_stop(objects);
}

static void test_undo_log(void)
{
	check_guarded(fill_undo_log);
}

static void test_alloc(void)
{
	check_guarded(fill_alloc);
}

static void test_free(void)
{
	check_guarded(fill_free);
}

static void test_commit(void)
{
	check_guarded(fill_at_commit);
}

/* How a process that calls @fn ends: the signal. */
static int signal_of(void (*fn)(void *arg))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		fn(NULL);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fill_arena_log(void *arg)
{
	struct undo_log *u = &th->at->shared->undo;

	for (uint64_t n = u->max; n-- > 0;)
		undo_save(u, &fs->super->seed);
	undo_save(u, &fs->super->seed);
}

/* Nobody to fail to: a successor undoes it. */
static void test_without_guard(void)
{
	uint64_t objects;

	start();
	objects = fixture_objects(fs);
	CHECK_EQ(signal_of(fill_undo_log), SIGABRT);
	CHECK_EQ(th->slot->state, TX_ACTIVE);
	CHECK_EQ(zsfs_recover(fs), 0);
	CHECK_EQ(signal_of(fill_arena_log), SIGABRT);
	CHECK_EQ(zsfs_recover(fs), 0);
	check_and_stop(objects);
}

/* A policy is only raised, nests, and ends with its transaction. */
static void test_policy(void)
{
	struct tx *tx;
	void *p;

	start();
	tx = tx_begin(th);
	CHECK_EQ(tx_raise_policy(tx, ALLOC_LATE), ALLOC_NEW);
	CHECK_EQ(tx_raise_policy(tx, ALLOC_SHRINK), ALLOC_LATE);
	CHECK_EQ(tx_raise_policy(tx, ALLOC_NEW), ALLOC_SHRINK);
	CHECK_EQ(tx->policy, ALLOC_SHRINK);
	CHECK_EQ(tx_slab_alloc(tx, SLAB_BUF_64, &p), 0);
	CHECK_EQ(th->at->claim, ARENA_NEW);
	tx_abort(tx, 0);
	tx = tx_begin(th);
	CHECK_EQ(tx->policy, ALLOC_NEW);
	tx_abort(tx, 0);
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_undo_log),	CHECK_CASE(test_alloc),
	CHECK_CASE(test_free),		CHECK_CASE(test_commit),
	CHECK_CASE(test_without_guard), CHECK_CASE(test_policy),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
