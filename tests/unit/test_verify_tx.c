/* SPDX-License-Identifier: BSD-3-Clause */
/* A transaction that leaves what it touched unsound does not get through. */
#include "check.h"

#include <errno.h>
#include <signal.h>

#include "content/block_table_i.h"
#include "content/file.h"
#include "content/slot.h"
#include "fs_fixture.h"
#include "tree/dentry.h"
#include "volume/verify_fs.h"

/* A table of two levels, its blocks in two leaves. */
#define NR_BLOCKS (TABLE_WIDTH + 8)

static struct zsfs *fs;
static struct zsfs_thread *th;
static struct zinode *root, *file;

static void start(void)
{
	static uint8_t block[ZSFS_BLOCK_SIZE];

	fs = fixture_fs();
	th = &fs->threads[0];
	root = inode_resolve(fs, ROOT_NODEID);
	file = inode_resolve(fs, fixture_file(th, "file"));
	REQUIRE(file);
	for (unsigned k = 0; k < NR_BLOCKS; k++) {
		struct tx *tx = tx_begin(th);
		size_t done;

		memset(block, 0, sizeof(block));
		memset(block, (int)k + 1, 100);
		CHECK_EQ(zsfs_write(tx, inode_nodeid(fs, file), block,
				    sizeof(block), k * sizeof(block), 0, &done),
			 0);
		tx_commit(tx);
	}
	REQUIRE(file->file.blocks.level == 2);
}

static struct tx *begin_with(const struct zinode *i, enum lock_mode mode)
{
	struct tx *tx = tx_begin(th);

	tx_lock(tx, &(struct lock_want){i, mode}, 1);
	return tx;
}

static uint64_t *slot_of(const struct ztable *t, uint64_t idx)
{
	struct table_cursor c = table_cursor(t);

	return table_at(&c, idx);
}

/* ---- what is changed, and left as it should be or not ---- */

static void change_times(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	inode_touch_mtime(tx, file);
	tx_commit(tx);
}

static void miscount_blocks(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	tx_set(tx, &file->blocks, file->blocks + 1);
	tx_commit(tx);
}

static void undo_miscount(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	tx_set(tx, &file->blocks, file->blocks + 1);
	tx_abort(tx, 0);
}

/* Of an inode that is only locked shared others change the rest. */
static void miscount_unlocked(void)
{
	struct tx *tx = begin_with(file, LOCK_SHARED);

	tx_set(tx, &file->blocks, file->blocks + 1);
	tx_commit(tx);
}

static void miscount_link(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);
	uint64_t *link = root_node(&file->file.blocks);

	tx_set(tx, &link[0], link_add(link[0], 1));
	tx_set(tx, &link[1], link_add(link[1], -1));
	inode_touch_mtime(tx, file);
	tx_commit(tx);
}

static void wrong_level(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	tx_save(tx, &file->file.blocks.level);
	file->file.blocks.level = 12;
	tx_commit(tx);
}

static void set_block(uint64_t idx, uint64_t slot)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	tx_set(tx, slot_of(&file->file.blocks, idx), slot);
	inode_touch_mtime(tx, file);
	tx_commit(tx);
}

static void unknown_slot(void)
{
	set_block(3, SLOT_TAGGED(15));
}

static void dead_handle(void)
{
	set_block(TABLE_WIDTH + 1, slot_object(12345, 0));
}

static void lose_block(void)
{
	set_block(3, 0);
}

static void cut_short(void)
{
	struct tx *tx = begin_with(file, LOCK_EXCL);

	inode_save(tx, file);
	file->size -= ZSFS_BLOCK_SIZE;
	tx_save(tx, slot_of(&file->file.blocks, NR_BLOCKS - 1));
	tx_commit(tx);
}

/* What lies in another leaf is not this transaction's. */
static void touch_beside(void)
{
	*slot_of(&file->file.blocks, 3) = SLOT_TAGGED(15);
	set_block(TABLE_WIDTH + 1,
		  *slot_of(&file->file.blocks, TABLE_WIDTH + 1));
}

static void incomplete_inode(void)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(inode_new(tx, S_IFREG | 0644, 0, 0, 0, &i), 0);
	tx_commit(tx);
}

static void number_from_the_future(void)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(inode_new(tx, S_IFREG | 0644, 0, 0, 0, &i), 0);
	i->nlink = 1;
	i->gen += 100;
	inode_complete(tx, i);
	tx_commit(tx);
}

static void miscount_entries(void)
{
	struct tx *tx = begin_with(root, LOCK_EXCL);

	tx_set(tx, &root->size, 2 * DIRENT_SIZE);
	tx_commit(tx);
}

static void wrong_cookie(void)
{
	struct dentry *d = dentry_find(fs, root, "file", 4);
	struct tx *tx = begin_with(root, LOCK_EXCL);

	tx_save(tx, &d->hash); /* and the cookie */
	d->cookie++;
	tx_save(tx, slot_of(&root->dir.entries, d->cookie - 1));
	inode_touch_mtime(tx, root);
	tx_commit(tx);
}

/* ---- the cases ---- */

/* What is complained about is expected. */
static void hush(void)
{
	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
}

/* What @fn dies of in a process of its own, 0 when it does not. */
static int ends_by(void (*fn)(void))
{
	int status = 0;
	pid_t pid;

	start();
	pid = fork();
	if (pid == 0) {
		hush();
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	zsfs_close(fs);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static const int noticed = ZS_DEBUG_LEVEL >= 2 ? SIGABRT : 0;

static void test_sound(void)
{
	CHECK_EQ(ends_by(change_times), 0);
	CHECK_EQ(ends_by(undo_miscount), 0);
}

static void test_inode(void)
{
	CHECK_EQ(ends_by(miscount_blocks), noticed);
	CHECK_EQ(ends_by(incomplete_inode), noticed);
	CHECK_EQ(ends_by(number_from_the_future), noticed);
}

static void test_table(void)
{
	CHECK_EQ(ends_by(miscount_link), noticed);
	CHECK_EQ(ends_by(wrong_level), noticed);
	CHECK_EQ(ends_by(lose_block), noticed);
}

static void test_blocks(void)
{
	CHECK_EQ(ends_by(unknown_slot), noticed);
	CHECK_EQ(ends_by(dead_handle), noticed);
	CHECK_EQ(ends_by(cut_short), noticed);
}

static void test_directory(void)
{
	CHECK_EQ(ends_by(miscount_entries), noticed);
	CHECK_EQ(ends_by(wrong_cookie), noticed);
}

/* It does not pay for more, nor look at what others may change. */
static void test_only_what_was_touched(void)
{
	CHECK_EQ(ends_by(miscount_unlocked), 0);
	CHECK_EQ(ends_by(touch_beside), 0);
}

/* What was noticed did not become permanent. */
static void test_undone(void)
{
	char msg[512];

	start();
	if (fork() == 0) {
		hush();
		miscount_blocks();
		_exit(0);
	}
	wait(NULL);
	tx_recover(fs, th);
	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), noticed ? 0 : -EUCLEAN);
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_sound),	    CHECK_CASE(test_inode),
	CHECK_CASE(test_table),	    CHECK_CASE(test_blocks),
	CHECK_CASE(test_directory), CHECK_CASE(test_only_what_was_touched),
	CHECK_CASE(test_undone),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
