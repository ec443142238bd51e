/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: an arena that a worker died in is damaged, as damage.h says, and
 * taken over. What has to hold then depends on what was damaged (enum promise).
 * Never does it crash or hang, and what is read of a file is what was written
 * to it, or EIO, also when new files take what the old one let go. Excepted are
 * names, nodes of tables and inodes, and what damage.h says of logs and lists:
 * there it goes on only if it verifies.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "../unit/fs_fixture.h"
#include "base/log.h"
#include "content/copy.h"
#include "content/group.h"
#include "content/hot.h"
#include "content/scrub.h"
#include "content/settle.h"
#include "content/tidy.h"
#include "content/usage.h"
#include "content/warm.h"
#include "control/compact.h"
#include "damage.h"
#include "fuzz.h"
#include "serve/takeover.h"
#include "state/settings.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

static struct zsfs *fs;
static struct zsfs_thread *th;
static int device = -1;

/* Damage may make a process lose what it has. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- in place of others ---- */

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

/* The kernel has nothing to ask again. */
ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	if (fd != device)
		return __real_read(fd, buf, len);
	errno = EAGAIN;
	return -1;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	return fd == device ? (ssize_t)len : __real_write(fd, buf, len);
}

/* ---- reading ---- */

/* The nodeid of a file that is looked up then, 0: it is not there. */
static uint64_t look_up(const char *name)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i = NULL;
	int err = zsfs_lookup(tx, ROOT_NODEID, name, &i);
	uint64_t nodeid = err || !i ? 0 : inode_nodeid(fs, i);

	fixture_end(tx, err);
	return nodeid;
}

static void forget(uint64_t nodeid)
{
	if (nodeid)
		zsfs_forget(th, nodeid, 1, NULL);
}

/* @promise as in read_all(). */
static void read_file(const struct damage_file *f, uint64_t nodeid,
		      enum promise promise)
{
	static uint8_t got[65536];
	size_t step = f->size % 3 ? 4096 : sizeof(got), done;

	for (uint64_t off = 0; off < f->size; off += step) {
		struct tx *tx = tx_begin(th);
		int err = zsfs_read(tx, nodeid, got, step, off, &done);

		fixture_end(tx, err);
		if (promise > PROMISE_SERVES)
			continue;
		FUZZ_CHECK(err == 0 || err == -EIO ||
			   (err < 0 && promise == PROMISE_SERVES));
		if (err)
			continue;
		FUZZ_CHECK(done ==
			   (f->size - off < step ? f->size - off : step));
		FUZZ_CHECK(!memcmp(got, f->data + off, done));
	}
}

/* All that is there, and as it was where @promise is that. */
static void read_all(enum promise promise)
{
	for (unsigned k = 0; k < NR_FILES; k++) {
		const struct damage_file *f = &damage_files[k];
		uint64_t nodeid = look_up(f->name);

		FUZZ_CHECK(nodeid || promise > PROMISE_READS);
		if (nodeid)
			read_file(f, nodeid, promise);
		forget(nodeid);
	}
}

/* ---- changing ---- */

static void note_read(void *arg, unsigned blocks, unsigned bad)
{
}

static void note_bad(void *arg, const struct scrub_bad *b)
{
	FUZZ_CHECK(b->form && b->first <= b->last);
}

static void check_err(int err, enum promise promise)
{
	FUZZ_CHECK(err <= 0);
	if (promise <= PROMISE_READS)
		FUZZ_CHECK(err == 0 || err == -EIO || err == -ENOSPC);
}

/* Blocks move to other places and forms: none becomes right by that. */
static void move_all(enum promise promise)
{
	static const struct scrub_watch watch = {.read = note_read,
						 .bad = note_bad};

	check_err(zsfs_scrub(th, &watch), promise);
	for (unsigned k = 0; k < NR_FILES; k += 2) {
		uint64_t nodeid = look_up(damage_files[k].name);

		if (!nodeid)
			continue;
		warm_ask(th, nodeid, k);
		warm_step(th);
		forget(nodeid);
	}
	hot_drain(th, UINT64_MAX);
	check_err(zsfs_settle(th), promise);
	zsfs_compact(fs, th);
}

/* Parts of blocks are written, whose rest must verify. */
static void write_some(enum promise promise)
{
	for (unsigned k = 0; k < NR_FILES; k += 3) {
		struct damage_file *f = &damage_files[k];
		uint64_t nodeid = look_up(f->name);
		size_t done;

		if (!nodeid)
			continue;
		check_err(fixture_write(th, nodeid, f->data + 1000, 1500, 1000,
					&done),
			  promise);
		tidy_clusters(th);
		forget(nodeid);
	}
}

static void copy_and_cut(enum promise promise)
{
	struct copy c = {
		.from = look_up("b"), .to = look_up("g"), .len = 50000};
	struct stat st = {.st_size = 20001};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	size_t done;

	check_err(fixture_end(tx, zsfs_copy(tx, &c, &done)), PROMISE_REFUSAL);
	tx = tx_begin(th);
	check_err(fixture_end(tx, zsfs_setattr(tx, c.from, &st, SET_SIZE, &i)),
		  PROMISE_REFUSAL);
	forget(c.from);
	forget(c.to);
}

static void delete_all(enum promise promise)
{
	for (unsigned k = 0; k < NR_FILES; k++) {
		uint64_t nodeid = look_up(damage_files[k].name);
		struct tx *tx = tx_begin(th);
		int err = fixture_end(
			tx, zsfs_unlink(tx, ROOT_NODEID, damage_files[k].name));

		FUZZ_CHECK(!err || promise > PROMISE_READS);
		if (nodeid)
			zsfs_forget(th, nodeid, UINT64_MAX, NULL);
	}
	reap_all(th);
}

/* ---- new files in the place of others ---- */

#define NR_FRESH 2u

static struct damage_file fresh[NR_FRESH] = {{.name = "x"}, {.name = "y"}};

/* Its size is what could be written: it holds that, and no more. */
static void write_fresh(struct damage_file *f, uint64_t nodeid, unsigned round)
{
	const struct damage_file *like = &damage_files[f->name[0] % 2 + 4];
	size_t size = 25 * 4096 + 77, done = 0;

	memcpy(f->data, like->data, size);
	for (size_t k = 0; k < size; k += 512)
		f->data[k] ^= (uint8_t)(f->name[0] + round);
	if (fixture_write(th, nodeid, f->data, size, 0, &done))
		done = 0;
	f->size = done;
}

/* 0: it could not be made. */
static uint64_t make_fresh(struct damage_file *f, unsigned round)
{
	struct new_inode spec = {.mode = S_IFREG | 0644};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = zsfs_make(tx, ROOT_NODEID, f->name, &spec, &i);
	uint64_t nodeid = err ? 0 : inode_nodeid(fs, i);

	if (fixture_end(tx, err))
		return 0;
	write_fresh(f, nodeid, round);
	return nodeid;
}

static void delete_fresh(const struct damage_file *f, uint64_t nodeid)
{
	struct tx *tx = tx_begin(th);

	fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, f->name));
	zsfs_forget(th, nodeid, UINT64_MAX, NULL);
	reap_all(th);
}

/* ---- changing with slots damaged ---- */

/* What is changed is put back for the next time. */
static struct damage_file were[NR_FILES];
static bool changed;

static void begin_changes(void)
{
	if (!changed)
		memcpy(were, damage_files, sizeof(were));
	changed = true;
}

static void end_changes(void)
{
	if (changed)
		memcpy(damage_files, were, sizeof(were));
	changed = false;
}

/* Two parts of blocks with whole ones between them. */
static void write_over(struct damage_file *f, uint64_t nodeid)
{
	static uint8_t data[LARGE_SIZE / 4];
	size_t size = f->size / 4, at = f->size / 3, done;

	for (size_t k = 0; k < size; k++)
		data[k] = f->data[at + k] ^ (k % 7 ? 0 : 0x5a);
	if (!fixture_write(th, nodeid, data, size, at, &done))
		memcpy(f->data + at, data, done);
}

static int set_size(uint64_t nodeid, size_t size)
{
	struct stat st = {.st_size = (off_t)size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	return fixture_end(tx, zsfs_setattr(tx, nodeid, &st, SET_SIZE, &i));
}

/* Shorter, and longer again: there are zeros then. */
static void cut(struct damage_file *f, uint64_t nodeid)
{
	size_t size = f->size / 2;

	if (set_size(nodeid, size))
		return;
	memset(f->data + size, 0, f->size - size);
	if (set_size(nodeid, f->size))
		f->size = size;
}

static void copy(const struct damage_file *from, uint64_t nodeid,
		 struct damage_file *to)
{
	struct copy c = {.from = nodeid, .to = look_up(to->name)};
	struct tx *tx = tx_begin(th);
	size_t done;

	c.len = from->size;
	if (!fixture_end(tx, zsfs_copy(tx, &c, &done))) {
		memcpy(to->data, from->data, done);
		to->size = done > to->size ? done : to->size;
	}
	forget(c.to);
}

static void warm_file(const struct damage_file *f, uint64_t nodeid)
{
	for (size_t off = 0; off < f->size; off += 16 * 4096) {
		warm_ask(th, nodeid, off / 4096);
		warm_step(th);
	}
}

/* Each group is moved, and counted as what it is. */
static void warm_all(void)
{
	for (unsigned k = 0; k < NR_FILES; k++) {
		uint64_t nodeid = look_up(damage_files[k].name);
		struct group g = {.inode = inode_resolve(fs, nodeid)};
		struct usage u = {0};

		while (usage_add_groups(fs, &u, &g))
			;
		warm_file(&damage_files[k], nodeid);
		forget(nodeid);
	}
}

/* Each file is changed in its way. */
static void change_files(void)
{
	for (unsigned k = 0; k < NR_FILES; k++) {
		struct damage_file *f = &damage_files[k];
		uint64_t nodeid = look_up(f->name);

		if (k % 3 != 1)
			write_over(f, nodeid);
		tidy_clusters(th);
		if (k % 3 == 1)
			copy(f, nodeid, &damage_files[(k + 5) % NR_FILES]);
		if (k % 2 == 0)
			cut(f, nodeid);
		forget(nodeid);
	}
}

/* What was taken is neither lost to the pool nor anybody else's. */
static void check_memory(void)
{
	char msg[512] = "";

	if (arena_verify(fs->arena, msg, sizeof(msg)) ||
	    zs_pool_verify(fs->pool, msg, sizeof(msg))) {
		fprintf(stderr, "%s\n", msg);
		abort();
	}
}

/* It was taken over, and people use it without a look at all of it. */
static void serve(enum promise promise)
{
	uint64_t nodeid[NR_FRESH];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned k = 0; k < NR_FRESH; k++)
			nodeid[k] = make_fresh(&fresh[k], round);
		read_all(promise);
		for (unsigned k = 0; k < NR_FRESH; k++)
			if (nodeid[k])
				read_file(&fresh[k], nodeid[k], promise);
		zsfs_compact(fs, th);
		read_all(promise);
		for (unsigned k = 0; k < NR_FRESH; k++)
			if (nodeid[k])
				delete_fresh(&fresh[k], nodeid[k]);
	}
}

/* ---- taking over ---- */

/* Is all in order? It must be where @promise is that. */
static bool verifies(enum promise promise)
{
	char msg[512] = "";
	int err = zsfs_verify(fs, msg, sizeof(msg));

	if (err)
		FUZZ_CHECK(err == -EUCLEAN && *msg);
	if (err && promise == PROMISE_ALL) {
		fprintf(stderr, "%s\n", msg);
		abort();
	}
	return !err;
}

/* The end of all files, with slots damaged. */
static void use_damaged(void)
{
	move_all(PROMISE_CONTENT);
	warm_all();
	read_all(PROMISE_CONTENT);
	begin_changes();
	for (unsigned round = 0; round < 2; round++) {
		change_files();
		read_all(PROMISE_CONTENT);
		move_all(PROMISE_CONTENT);
		read_all(PROMISE_CONTENT);
	}
	check_memory();
	delete_all(PROMISE_CONTENT);
	end_changes();
	check_memory();
	verifies(PROMISE_CONTENT);
}

static void use(enum promise promise)
{
	if (promise <= PROMISE_SERVES) {
		read_all(promise);
		serve(promise);
	}
	if (promise == PROMISE_CONTENT)
		use_damaged();
	if (promise == PROMISE_CONTENT || !verifies(promise) ||
	    promise == PROMISE_VERIFY)
		return;
	read_all(promise);
	move_all(promise);
	read_all(promise);
	write_some(promise);
	read_all(promise);
	copy_and_cut(promise);
	delete_all(promise);
	verifies(promise);
}

/* Has it been taken over? */
static bool take_over(enum promise promise)
{
	struct takeover t = {.fs = fs, .fd = device};
	int err = takeover_run(&t);

	FUZZ_CHECK(!err || (err == -EPROTO && promise > PROMISE_CONTENT));
	if (!err)
		reap_all(zsfs_background(fs));
	return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum promise promise, then;
	int file = damage_make(data, size, &promise), err;

	if (device < 0)
		device = open("/dev/null", O_RDWR | O_CLOEXEC);
	err = zsfs_attach(file, 0, NULL, 0, &fs);
	FUZZ_CHECK(!err || (err == -EPROTO && promise > PROMISE_READS));
	if (err)
		return 0;
	then = damage_attached(data, size);
	promise = then > promise ? then : promise;
	th = &fs->threads[0];
	if (take_over(promise)) {
		then = damage_in_use(data, size);
		use(then > promise ? then : promise);
	}
	zsfs_close(fs);
	return 0;
}
