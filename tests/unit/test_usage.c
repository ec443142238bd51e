/* SPDX-License-Identifier: BSD-3-Clause */
/* What folders say that their files take, against what these say. */
#include "check.h"
#include "fs_fixture.h"
#include "content/prealloc.h"
#include "content/settle.h"
#include "content/usage.h"
#include "state/threads.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "tree/usage_walk.h"
#include "tree/xattr.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#define LARGE	(5u << 20) /* more than is looked at under one lock */
#define MANY	1000	   /* the same of entries */
#define OWNER	1000u
#define SOMEONE 2000u

static struct zsfs *fs;
static struct zsfs_thread *th;
static char data[LARGE];

/* The numbers behind each name. */
struct said {
	uint64_t blocks[NR_FORMS], ram[NR_FORMS];
	uint64_t files, size, links, folders;
};

static void start(void)
{
	fs = fixture_fs_of(2);
	th = &fs->threads[0];
	srand(1);
	/* What compresses, but more with its neighbours; and what does not. */
	for (size_t k = 0; k < sizeof(data); k++)
		data[k] = (char)(k < LARGE / 2 ? 'a' + rand() % 8 : rand());
}

static void stop(void)
{
	zsfs_close(fs);
}

static uint64_t make(struct zsfs_thread *t, uint64_t dir, const char *name,
		     uint32_t mode)
{
	struct new_inode spec = {
		.mode = mode, .uid = OWNER, .target = "target"};
	struct tx *tx = tx_begin(t);
	struct zinode *i = NULL;
	uint64_t nodeid = 0;
	int err = zsfs_make(tx, dir, name, &spec, &i);

	if (!err)
		nodeid = inode_nodeid(fs, i);
	CHECK_EQ(fixture_end(tx, err), 0);
	return nodeid;
}

static uint64_t make_file(uint64_t dir, const char *name, size_t from,
			  size_t size)
{
	uint64_t nodeid = make(th, dir, name, S_IFREG | 0644);
	size_t off = 0, done;

	while (off < size &&
	       !fixture_write(th, nodeid, data + from + off,
			      size - off < 65536 ? size - off : 65536, off,
			      &done))
		off += done;
	CHECK_EQ(off, size);
	return nodeid;
}

static void link_to(uint64_t nodeid, uint64_t dir, const char *name)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(fixture_end(tx, zsfs_link(tx, nodeid, dir, name, &i)), 0);
}

static int drop(struct zsfs_thread *t, uint64_t dir, const char *name)
{
	struct tx *tx = tx_begin(t);

	return fixture_end(tx, zsfs_unlink(tx, dir, name));
}

static void give_room(uint64_t nodeid, uint64_t blocks)
{
	struct tx *tx = tx_begin(th);
	uint64_t block = 0;
	struct zinode *i;
	int err = file_lock(tx, nodeid, LOCK_EXCL, &i);

	if (!err) {
		inode_save(tx, i);
		err = file_give_room(tx, i, 1, &block, blocks);
		inode_note_stored(tx, i);
	}
	CHECK_EQ(fixture_end(tx, err), 0);
}

/* ---- asking ---- */

static void take_number(struct said *s, const char *name, uint64_t n)
{
	if (!strcmp(name, "files"))
		s->files += n;
	else if (!strcmp(name, "size"))
		s->size += n;
	else if (!strcmp(name, "links"))
		s->links += n;
	else if (!strcmp(name, "folders"))
		s->folders += n;
	else
		CHECK_FAILED("%s", name);
}

static void take_line(struct said *s, const char *line)
{
	uint64_t blocks, ram;
	char name[16];
	int n = sscanf(line, "%15s%*[ ]%" SCNu64 "%*[ ]%" SCNu64, name, &blocks,
		       &ram);

	if (n == 2)
		take_number(s, name, blocks);
	for (enum slot_form f = 0; n == 3 && f < FORM_UNKNOWN; f++) {
		if (strcmp(name, slot_form_name(f)) != 0)
			continue;
		s->blocks[f] += blocks;
		s->ram[f] += ram;
	}
	CHECK(n == 2 || n == 3);
}

/* Add what was said; what the question returned if that is an error, else 0. */
static int take(struct said *s, int len, char *text)
{
	if (len < 0)
		return len;
	CHECK_EQ((size_t)len, strlen(text));
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
		take_line(s, at);
	return 0;
}

static int ask(struct said *s, uint64_t nodeid, uint32_t uid)
{
	struct usage_walk w = {.nodeid = nodeid, .uid = uid, .owner = uid};
	int err = usage_walk_until(th, &w, UINT64_MAX);
	char text[USAGE_SIZE];

	return take(s, err ? err : usage_walk_print(&w, text), text);
}

static int ask_whom(uint64_t nodeid, uint32_t uid)
{
	struct said s = {0};

	return ask(&s, nodeid, uid);
}

static void check_forms(const struct said *got, const struct said *want)
{
	for (enum slot_form f = 0; f < FORM_UNKNOWN; f++) {
		CHECK_EQ(got->blocks[f], want->blocks[f]);
		CHECK_EQ(got->ram[f], want->ram[f]);
	}
}

/* ---- tests ---- */

static void test_all_forms(void)
{
	struct said got = {0}, want = {0};
	uint64_t dir, other, file[6], linked;

	start();
	dir = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	other = make(th, dir, "other", S_IFDIR | 0755);
	file[0] = make_file(dir, "dense", 0, 300000);
	CHECK_EQ(zsfs_settle(th), 0);
	file[1] = make_file(dir, "lz4", 0, 100001);
	file[2] = make_file(dir, "raw", LARGE / 2, 50000);
	file[3] = make_file(dir, "large", 0, LARGE);
	file[4] = make_file(dir, "empty", 0, 0);
	file[5] = make_file(dir, "room", 0, 0);
	give_room(file[5], 100);
	linked = make_file(dir, "linked", 0, 70000);
	link_to(linked, dir, "again");
	link_to(linked, other, "once more");
	make(th, dir, "symlink", S_IFLNK | 0777);
	make(th, dir, "fifo", S_IFIFO | 0644);
	make(th, dir, "socket", S_IFSOCK | 0644);
	make_file(other, "below", 0, 5000);

	for (unsigned k = 0; k < 6; k++)
		CHECK_EQ(ask(&want, file[k], 0), 0);
	CHECK_EQ(ask(&got, dir, 0), 0);
	check_forms(&got, &want);
	CHECK_EQ(got.files, 6);
	CHECK_EQ(got.size, 300000 + 100001 + 50000 + LARGE);
	CHECK_EQ(got.links, 2);
	CHECK_EQ(got.folders, 1);
	CHECK(got.blocks[FORM_DENSE]);
	CHECK(got.blocks[FORM_LZ4]);
	CHECK(got.blocks[FORM_RAW]);
	CHECK(got.blocks[FORM_ROOM]);
	stop();
}

static void test_what_has_one_name_again(void)
{
	struct said got = {0}, want = {0};
	uint64_t file;

	start();
	file = make_file(ROOT_NODEID, "f", 0, 10000);
	link_to(file, ROOT_NODEID, "g");
	CHECK_EQ(drop(th, ROOT_NODEID, "f"), 0);
	CHECK_EQ(ask(&want, file, 0), 0);
	CHECK_EQ(ask(&got, ROOT_NODEID, 0), 0);
	check_forms(&got, &want);
	CHECK_EQ(got.files, 1);
	CHECK_EQ(got.links, 0);
	stop();
}

static void test_what_has_none(void)
{
	struct said s = {0};
	uint64_t dir, file;

	start();
	dir = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	file = make_file(dir, "f", 0, 10000);
	CHECK_EQ(drop(th, dir, "f"), 0);
	CHECK_EQ(ask(&s, dir, SOMEONE), 0);
	CHECK_EQ(s.files + s.size + s.links + s.folders, 0);
	CHECK_EQ(ask_whom(file, 0), 0);
	CHECK_EQ(ask_whom(make(th, dir, "l", S_IFLNK | 0777), 0), -ENODATA);
	CHECK_EQ(ask_whom(UINT64_MAX, 0), -ESTALE);
	stop();
}

/* What walks are at ends between two of their steps. */
static void test_ends_meanwhile(void)
{
	enum { NR = 100 };
	struct usage_walk w = {0}, f = {0};
	uint64_t file[NR];
	char name[16];
	int ret;

	start();
	w.nodeid = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	for (unsigned k = 0; k < NR; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		file[k] = make_file(w.nodeid, name, 0, 8192);
		give_room(file[k], 2000);
	}
	f.nodeid = file[0];
	CHECK_EQ(usage_walk_step(th, &f), 1);
	/* That it is a folder, its entries, nine files and a part of one. */
	for (unsigned n = 0; n < 21; n++)
		CHECK_EQ(usage_walk_step(th, &w), 1);
	CHECK(w.is_folder && w.group.inode && w.at < w.nr);
	for (unsigned k = 0; k < NR; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		CHECK_EQ(drop(th, w.nodeid, name), 0);
		zsfs_forget(th, file[k], 1, NULL);
	}
	reap_all(th);
	CHECK_EQ(usage_walk_step(th, &f), -ESTALE);
	while ((ret = usage_walk_step(th, &w)) > 0)
		;
	CHECK_EQ(ret, 0);
	CHECK_EQ(w.files, 10);
	stop();
}

static void set_mode(uint64_t nodeid, uint32_t mode)
{
	struct stat st = {.st_mode = mode};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = inode_resolve_locked(tx, nodeid, LOCK_EXCL, &i);

	if (!err) {
		inode_save(tx, i);
		i->mode = (i->mode & S_IFMT) | st.st_mode;
	}
	CHECK_EQ(fixture_end(tx, err), 0);
}

/* Who might not read one of them is told of none. */
static void test_who_asks(void)
{
	static const struct {
		uint32_t dir, file, uid;
		int result;
	} t[] = {
		{0755, 0644, SOMEONE, 0},	{0755, 0644, UINT32_MAX, 0},
		{0755, 0640, SOMEONE, -EACCES}, {0755, 0604, SOMEONE, -EACCES},
		{0754, 0644, SOMEONE, -EACCES}, {0755, 0600, OWNER, 0},
		{0755, 0066, OWNER, -EACCES},	{0655, 0644, OWNER, -EACCES},
		{0700, 0400, OWNER, 0},		{0000, 0000, 0, 0},
	};
	uint64_t dir, file;
	struct tx *tx;

	start();
	dir = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	make_file(dir, "a", 0, 5000);
	file = make_file(dir, "b", 0, 5000);
	for (unsigned k = 0; k < sizeof(t) / sizeof(t[0]); k++) {
		set_mode(dir, t[k].dir);
		set_mode(file, t[k].file);
		if (ask_whom(dir, t[k].uid) != t[k].result)
			CHECK_FAILED("case %u", k);
	}
	set_mode(dir, 0755);
	set_mode(file, 0644);
	tx = tx_begin(th);
	/* It might be a list of access rights. */
	CHECK_EQ(fixture_end(tx, zsfs_setxattr(tx, file, "user.a", "x", 1, 0)),
		 0);
	CHECK_EQ(ask_whom(dir, SOMEONE), -EACCES);
	CHECK_EQ(ask_whom(dir, OWNER), 0);
	stop();
}

/* ---- others at work ---- */

static int ended; /* atomic */

static void *come_and_go(void *arg)
{
	struct zsfs_thread *mine = &fs->threads[1];
	uint64_t dir = *(const uint64_t *)arg;
	char name[16];

	for (unsigned n = 0; !__atomic_load_n(&ended, __ATOMIC_RELAXED); n++) {
		snprintf(name, sizeof(name), "new%u", n);
		zsfs_forget(mine, make(mine, dir, name, S_IFREG | 0644), 1,
			    NULL);
		if (n < 100)
			continue;
		snprintf(name, sizeof(name), "new%u", n - 100);
		CHECK_EQ(drop(mine, dir, name), 0);
	}
	return NULL;
}

/* What stays counts once, each time. */
static void test_while_others_come_and_go(void)
{
	struct said want = {0};
	pthread_t thread;
	uint64_t dir;
	char name[16];

	start();
	dir = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	for (unsigned n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "old%u", n);
		make_file(dir, name, n, 100 + n);
	}
	CHECK_EQ(ask(&want, dir, 0), 0);
	CHECK_EQ(want.files, MANY);
	REQUIRE(!pthread_create(&thread, NULL, come_and_go, &dir));
	for (unsigned n = 0; n < 300; n++) {
		struct said got = {0};

		CHECK_EQ(ask(&got, dir, 0), 0);
		check_forms(&got, &want);
		CHECK_EQ(got.size, want.size);
		CHECK(got.files >= MANY && got.files <= MANY + 102);
	}
	__atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	stop();
}

/* With hidestats: the file's owner, the mount's, and root. */
static void test_hidden(void)
{
	struct said s = {0};
	uint64_t dir, file;

	start();
	dir = make(th, ROOT_NODEID, "dir", S_IFDIR | 0755);
	file = make_file(dir, "f", 0, 100000);
	inode_resolve(th->fs, file)->uid = OWNER;
	CHECK_EQ(ask_whom(file, SOMEONE), 0);
	CHECK_EQ(ask_whom(dir, SOMEONE), 0);
	th->fs->super->hidestats = 1;
	CHECK_EQ(ask_whom(file, SOMEONE), -EACCES);
	CHECK_EQ(ask_whom(file, UINT32_MAX), -EACCES);
	CHECK_EQ(ask_whom(file, OWNER), 0);
	CHECK_EQ(ask_whom(file, 0), 0);
	CHECK_EQ(ask_whom(dir, SOMEONE), -EACCES);
	CHECK_EQ(ask(&s, dir, OWNER), 0);
	/* One file of somebody else's closes the folder. */
	inode_resolve(th->fs, make_file(dir, "g", 0, 1))->uid = SOMEONE;
	CHECK_EQ(ask_whom(dir, OWNER), -EACCES);
	th->fs->super->mount_uid = OWNER;
	CHECK_EQ(ask_whom(dir, OWNER), 0);
	CHECK_EQ(ask_whom(dir, 0), 0);
	stop();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_all_forms),
	CHECK_CASE(test_what_has_one_name_again),
	CHECK_CASE(test_what_has_none),
	CHECK_CASE(test_ends_meanwhile),
	CHECK_CASE(test_who_asks),
	CHECK_CASE(test_hidden),
	CHECK_CASE(test_while_others_come_and_go),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
