/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of directory entries: the hash, cookies, colliding names. */
#include "check.h"

#include <errno.h>

#include "tree/dentry.h"
#include "fs_fixture.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "volume/volume.h"

static struct zsfs *fs;
static struct zinode *dir;

/* The hash that dentry.c uses. */
static uint32_t hash_of(const char *name)
{
	return (uint32_t)siphash(&fs->super->name_key, name, strlen(name));
}

static int add(const char *name, uint64_t ino)
{
	struct tx *tx = tx_begin(fs->threads);
	int err = dentry_add(tx, dir, name, strlen(name), ino, S_IFREG);

	return fixture_end(tx, err);
}

static struct dentry *find(const char *name)
{
	return dentry_find(fs, dir, name, strlen(name));
}

static uint64_t ino_of(const char *name)
{
	struct dentry *d = find(name);

	return d ? d->ino : 0;
}

static void del(const char *name)
{
	struct dentry *d = find(name);
	struct tx *tx;

	if (!d) {
		CHECK_FAILED("%s is not there", name);
		return;
	}
	tx = tx_begin(fs->threads);
	dentry_remove(tx, dir, d);
	tx_commit(tx);
}

static void verify(void)
{
	char msg[256];

	if (dentry_verify(fs, dir, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

/* Nothing may be left of an empty directory's tables. */
static void check_empty(void)
{
	verify();
	CHECK_EQ(dentry_count(dir), 0);
	CHECK_EQ(dir->dir.entries.root, 0);
	CHECK_EQ(dir->dir.buckets.root, 0);
	CHECK_EQ(dir->size, 0);
	CHECK_EQ(fixture_objects(fs), 0);
	CHECK(!dentry_next(dir, 0));
}

static void name_of(char *name, unsigned k)
{
	snprintf(name, 32, "entry %u", k);
}

/* ---- tests ---- */

/* Of what its authors published: key 00 01 .. 0f, @len bytes 00 01 .. */
static const uint64_t vectors[] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
	UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
	UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
	UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0),
	UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
	UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90),
	UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5),
};

static void test_hash(void)
{
	uint8_t bytes[16];
	struct siphash_key key, other;

	for (unsigned n = 0; n < 16; n++)
		bytes[n] = (uint8_t)n;
	memcpy(&key, bytes, sizeof(key));
	for (unsigned len = 0; len < 16; len++)
		CHECK_EQ(siphash(&key, bytes, len), vectors[len]);
	other = key;
	other.k1 ^= 1;
	CHECK(siphash(&key, bytes, 9) != siphash(&other, bytes, 9));
}

/* What collides on one mount does not on another. */
static void test_other_mount(void)
{
	struct siphash_key key = fs->super->name_key;
	uint32_t same = 0;
	char name[32];

	CHECK_EQ(add("a", 1), 0);
	same = find("a")->hash;
	CHECK_EQ(same, hash_of("a"));
	zsfs_close(fs);
	fs = fixture_fs();
	dir = inode_resolve(fs, ROOT_NODEID);
	CHECK(key.k0 != fs->super->name_key.k0);
	CHECK(key.k1 != fs->super->name_key.k1);
	CHECK(fs->super->name_key.k0 != fs->super->seed);
	same = 0;
	for (unsigned k = 0; k < 100; k++) {
		name_of(name, k);
		same += (uint32_t)siphash(&key, name, strlen(name)) ==
			hash_of(name);
	}
	CHECK(same <= 1);
}

static void test_basics(void)
{
	struct dentry *d;
	struct tx *tx;

	check_empty();
	CHECK_EQ(add("a", 10), 0);
	CHECK_EQ(add("b", 11), 0);
	CHECK_EQ(ino_of("a"), 10);
	CHECK_EQ(ino_of("b"), 11);
	CHECK_EQ(ino_of("ab"), 0);
	CHECK_EQ(ino_of(""), 0);
	CHECK_EQ(dentry_count(dir), 2);
	CHECK_EQ(dir->size, 2 * DIRENT_SIZE);
	d = find("a");
	CHECK_EQ(d->type, S_IFREG >> 12);
	tx = tx_begin(fs->threads);
	dentry_set_ino(tx, dir, d, 77, S_IFDIR);
	tx_commit(tx);
	CHECK_EQ(find("a")->ino, 77);
	CHECK_EQ(find("a")->type, S_IFDIR >> 12);
	verify();
	del("a");
	CHECK(!find("a"));
	CHECK_EQ(ino_of("b"), 11);
	del("b");
	check_empty();
}

static void check_broken(void)
{
	char msg[256] = "";

	CHECK_EQ(dentry_verify(fs, dir, msg, sizeof(msg)), -EUCLEAN);
	CHECK(*msg);
}

/* Wherever a chain leads, to check it ends and says that it is wrong. */
static void test_led_astray(void)
{
	static uint64_t outside[8];
	struct dentry *a, *b;
	uint64_t *end;

	CHECK_EQ(add("a", 10), 0);
	CHECK_EQ(add("b", 11), 0);
	a = find("a");
	b = find("b");
	end = a->hnext ? &b->hnext : &a->hnext;
	const uint64_t bad[] = {
		(uint64_t)(uintptr_t)a,
		(uint64_t)(uintptr_t)b,
		(uint64_t)(uintptr_t)outside,
		(uint64_t)(uintptr_t)dir,
		(uint64_t)(uintptr_t)a + 1,
		UINT64_C(1) << 30,
		UINT64_C(1) << 63,
	};
	const uint64_t was = *end;

	for (unsigned k = 0; k < sizeof(bad) / sizeof(*bad); k++) {
		*end = bad[k];
		check_broken();
	}
	*end = was;
	verify();
	del("a");
	del("b");
	check_empty();
}

static void test_names(void)
{
	char name[ZSFS_NAME_MAX + 1] = "";

	/* One inside the other, of every length. */
	for (unsigned n = 1; n <= ZSFS_NAME_MAX; n++) {
		name[n - 1] = (char)(n % 255 + 1);
		name[n] = '\0';
		CHECK_EQ(add(name, n), 0);
	}
	verify();
	for (unsigned n = ZSFS_NAME_MAX; n >= 1; n--) {
		name[n] = '\0';
		CHECK_EQ(ino_of(name), n);
		del(name);
		CHECK(!find(name));
	}
	check_empty();
}

/* Buckets follow the number of entries, up and down, one at a time. */
static void test_linear_hash(void)
{
	const unsigned n = 3000;
	char name[32];

	for (unsigned k = 0; k < n; k++) {
		name_of(name, k);
		CHECK_EQ(add(name, k + 1), 0);
		CHECK(dentry_count(dir) <= dir->dir.buckets.mark * 2);
		if (k < 300 || k % 100 == 0)
			verify();
	}
	CHECK(dir->dir.buckets.mark >= n / 2);
	CHECK(dir->dir.buckets.mark <= n);
	for (unsigned k = 0; k < n; k++) {
		name_of(name, k);
		CHECK_EQ(ino_of(name), k + 1);
	}
	for (unsigned k = 0; k < n; k++) {
		name_of(name, k * 7 % n); /* 7 and n have no common factor */
		del(name);
		if (k + 300 > n || k % 100 == 0)
			verify();
		CHECK(dir->dir.buckets.mark <= 2 * dentry_count(dir) + 2);
	}
	CHECK_EQ(dir->dir.buckets.mark, 1);
	check_empty();
}

static void test_abort(void)
{
	char name[32];
	struct zinode before;

	for (unsigned k = 0; k < 500; k++) {
		struct tx *tx;

		name_of(name, k);
		before = *dir;
		tx = tx_begin(fs->threads);
		CHECK_EQ(dentry_add(tx, dir, name, strlen(name), 5, S_IFREG),
			 0);
		tx_abort(tx, 0);
		CHECK(!memcmp(&before, dir, sizeof(before)));
		CHECK(!find(name));
		CHECK_EQ(add(name, 5), 0);
		before = *dir;
		tx = tx_begin(fs->threads);
		dentry_remove(tx, dir, find(name));
		tx_abort(tx, 0);
		CHECK(!memcmp(&before, dir, sizeof(before)));
		CHECK_EQ(ino_of(name), 5);
	}
	verify();
	for (unsigned k = 500; k-- > 0;) {
		name_of(name, k);
		del(name);
	}
	check_empty();
}

/* A reader that stopped goes on right there, whatever happened since. */
static void test_cookies(void)
{
	enum { N = 1000 };
	bool seen[2 * N] = {false}, gone[2 * N] = {false};
	uint64_t cookie = 0;
	struct dentry *d;
	unsigned added = N;
	char name[32];

	for (unsigned k = 0; k < N; k++) {
		name_of(name, k);
		CHECK_EQ(add(name, k + 1), 0);
	}
	for (unsigned k = 0; (d = dentry_next(dir, cookie)); k++) {
		unsigned nr = (unsigned)d->ino - 1, victim = nr * 13 % N;

		CHECK(d->cookie >= cookie && d->cookie >= FIRST_COOKIE);
		CHECK(!seen[nr]);
		seen[nr] = true;
		cookie = d->cookie + 1;
		if (k % 3 == 0 && added < 2 * N) {
			name_of(name, added);
			CHECK_EQ(add(name, added + 1), 0);
			added++;
		}
		name_of(name, victim);
		if (k % 2 && find(name)) {
			gone[victim] = true;
			del(name);
		}
		if (k % 100 == 0)
			verify();
	}
	for (unsigned k = 0; k < added; k++) {
		CHECK(seen[k] || gone[k]);
		name_of(name, k);
		CHECK_EQ(ino_of(name), gone[k] ? 0 : k + 1);
		if (!gone[k])
			del(name);
	}
	check_empty();
}

/* ---- readers ---- */

/* As readdir does: all it knows is the offset it was told last. */
static struct dentry *read_on(uint64_t *off)
{
	struct dir_reader r = dentry_seek(dir, *off);
	struct dentry *d = dentry_read(dir, &r);

	if (d) {
		*off = dentry_offset(&r, d->cookie);
		CHECK(*off < UINT64_C(1) << 54 && *off > 2);
	}
	return d;
}

/* A reader that has begun, with nothing read but the dots. */
static uint64_t begin(void)
{
	struct dir_reader r = dentry_seek(dir, 0);

	return dentry_offset(&r, 2);
}

/* The last one ends where the first cookie comes again. */
#define NR_STARTS 5u

static const uint64_t starts[NR_STARTS] = {
	FIRST_COOKIE, 1000, END_COOKIE - 70, END_COOKIE - 30, END_COOKIE - 1,
};

static void add_numbered(unsigned from, unsigned to)
{
	char name[32];

	for (unsigned k = from; k < to; k++) {
		name_of(name, k);
		CHECK_EQ(add(name, k + 1), 0);
	}
}

static void del_all(void)
{
	struct dentry *d;
	char name[32];

	while ((d = dentry_next(dir, 0))) {
		snprintf(name, sizeof(name), "%.*s", d->name_len, d->name);
		del(name);
	}
	check_empty();
}

/* A reader that renames all it reads, in the order of making, and ends. */
static void test_reader_ends(void)
{
	for (unsigned s = 0; s < NR_STARTS; s++) {
		uint64_t off = 0, n = 0;
		struct dentry *d;
		char name[32];

		dir->dir.entries.mark = starts[s];
		add_numbered(0, 50);
		for (; (d = read_on(&off)) && n < 1000; n++) {
			CHECK_EQ(d->ino, n + 1);
			name_of(name, (unsigned)n);
			del(name);
			name_of(name, 1000 + (unsigned)n);
			CHECK_EQ(add(name, 1000 + n), 0);
		}
		CHECK_EQ(n, 50);
		CHECK(!read_on(&off));
		verify();
		del_all();
	}
}

/* Whatever was made after a reader began is not for it. */
static void test_reader_begun(void)
{
	for (unsigned s = 0; s < NR_STARTS; s++) {
		uint64_t off, n = 0;
		struct dentry *d;

		dir->dir.entries.mark = starts[s];
		off = begin();
		add_numbered(0, 40);
		CHECK(!read_on(&off));
		off = begin();
		add_numbered(40, 80);
		for (; (d = read_on(&off)); n++)
			CHECK_EQ(d->ino, n + 1);
		CHECK_EQ(n, 40);
		for (off = 0, n = 0; (d = read_on(&off)); n++)
			CHECK_EQ(d->ino, n + 1);
		CHECK_EQ(n, 80);
		del_all();
	}
}

/* Cookies that are still in use are passed over when they come again. */
static void test_cookies_again(void)
{
	uint64_t off = 0, n = 0;
	struct dentry *d;

	dir->dir.entries.mark = FIRST_COOKIE;
	add_numbered(0, 20);
	dir->dir.entries.mark = END_COOKIE - 20;
	add_numbered(20, 40);
	CHECK_EQ(dir->dir.entries.mark, FIRST_COOKIE);
	add_numbered(40, 60);
	CHECK_EQ(find("entry 40")->cookie, FIRST_COOKIE + 20);
	verify();
	/* Whatever lies ahead comes first. */
	for (; (d = read_on(&off)); n++)
		CHECK_EQ(d->ino, n < 20 ? n + 21 : n < 40 ? n - 19 : n + 1);
	CHECK_EQ(n, 60);
	del_all();
}

/* Each change makes another end, so that no two listings that differ meet. */
static void test_ends_differ(void)
{
	uint64_t end = dentry_seek(dir, 0).end;
	struct tx *tx;

#define CHECK_DIFFERS()                                                        \
	do {                                                                   \
		CHECK(dentry_seek(dir, 0).end != end);                         \
		end = dentry_seek(dir, 0).end;                                 \
	} while (0)

	CHECK_EQ(add("a", 1), 0);
	CHECK_DIFFERS();
	CHECK_EQ(add("b", 2), 0);
	CHECK_DIFFERS();
	del("b");
	CHECK_DIFFERS();
	tx = tx_begin(fs->threads);
	dentry_set_ino(tx, dir, find("a"), 3, S_IFREG);
	tx_commit(tx);
	CHECK_DIFFERS();
	dir->dir.entries.mark = END_COOKIE - 1;
	end = dentry_seek(dir, 0).end;
	del("a");
	CHECK_DIFFERS();
	CHECK_EQ(end, FIRST_COOKIE);
	check_empty();
}

/* Offsets nobody was told: never a crash, always an end. */
static void test_made_up(void)
{
	add_numbered(0, 20);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t off = (UINT64_C(1) << bit) - (bit % 3 == 0);
		unsigned n = 0;

		while (read_on(&off) && n <= 20)
			n++;
		CHECK(n <= 20);
	}
	del_all();
}

static void test_many(void)
{
	const unsigned n = 100000;
	uint64_t cookie = 0, count = 0;
	struct dentry *d;
	char name[32];

	for (unsigned k = 0; k < n; k++) {
		name_of(name, k);
		REQUIRE(add(name, k + 1) == 0);
	}
	verify();
	for (; (d = dentry_next(dir, cookie)); cookie = d->cookie + 1)
		CHECK_EQ(d->ino, ++count);
	CHECK_EQ(count, n);
	for (unsigned k = 0; k < n; k += 10) {
		name_of(name, k);
		CHECK_EQ(ino_of(name), k + 1);
	}
	for (unsigned k = 0; k < n; k++) {
		name_of(name, k);
		del(name);
		if (k == n / 2)
			verify();
	}
	check_empty();
}

/* ---- collisions ---- */

struct hashed {
	uint32_t hash;
	unsigned k;
};

static int by_hash(const void *a, const void *b)
{
	uint32_t x = ((const struct hashed *)a)->hash;
	uint32_t y = ((const struct hashed *)b)->hash;

	return x < y ? -1 : x > y;
}

/* Names whose 32 bits of hash are the same. */
static void test_same_hash(void)
{
	const unsigned n = 400000;
	struct hashed *h = calloc(n, sizeof(*h));
	unsigned pairs = 0;
	char a[32], b[32];

	REQUIRE(h);
	for (unsigned k = 0; k < n; k++) {
		name_of(a, k);
		h[k] = (struct hashed){hash_of(a), k};
	}
	qsort(h, n, sizeof(*h), by_hash);
	for (unsigned k = 1; k < n; k++) {
		if (h[k].hash != h[k - 1].hash)
			continue;
		pairs++;
		name_of(a, h[k - 1].k);
		name_of(b, h[k].k);
		CHECK_EQ(add(a, 1), 0);
		CHECK(!find(b));
		CHECK_EQ(add(b, 2), 0);
		CHECK_EQ(find(a)->hash, find(b)->hash);
		CHECK_EQ(ino_of(a), 1);
		CHECK_EQ(ino_of(b), 2);
		verify();
		del(pairs % 2 ? a : b);
		CHECK_EQ(ino_of(pairs % 2 ? b : a), pairs % 2 ? 2 : 1);
		del(pairs % 2 ? b : a);
	}
	free(h);
	/* 18 are to be expected. */
	CHECK(pairs > 0);
	check_empty();
}

/* A chain longer than one transaction could split. */
static void test_one_bucket(void)
{
	const unsigned n = 2300;
	unsigned *which = calloc(n, sizeof(*which)), found = 0;
	char name[32];

	REQUIRE(which);
	for (unsigned k = 0; found < n; k++) {
		name_of(name, k);
		if (hash_of(name) % 4096 != 77)
			continue;
		which[found++] = k;
		REQUIRE(add(name, k + 1) == 0);
	}
	verify();
	for (unsigned k = 0; k < n; k++) {
		name_of(name, which[k]);
		CHECK_EQ(ino_of(name), which[k] + 1);
	}
	for (unsigned k = 0; k < n; k++) {
		name_of(name, which[k * 7 % n]);
		del(name);
		if (k % 200 == 0)
			verify();
	}
	free(which);
	check_empty();
}

#if ZS_DEBUG_LEVEL >= 1

/* Adding with the n'th allocation failing, at many sizes. */
static void test_failing(void)
{
	char name[32];

	for (unsigned k = 0; k < 400; k++) {
		unsigned n = 0;
		int err;

		name_of(name, k);
		do {
			struct zinode before = *dir;

			fixture_fail_at(++n);
			err = add(name, k + 1);
			if (err) {
				CHECK_EQ(err, -ENOSPC);
				CHECK(!memcmp(&before, dir, sizeof(before)));
				CHECK(!find(name));
			}
		} while (err && n < 100);
		fixture_fail_at(0);
		CHECK_EQ(err, 0);
		verify();
	}
	for (unsigned k = 0; k < 400; k++) {
		name_of(name, k);
		/* Removing needs no memory. */
		fixture_fail_at(1);
		del(name);
		fixture_fail_at(0);
		verify();
	}
	check_empty();
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_basics),       CHECK_CASE(test_names),
	CHECK_CASE(test_linear_hash),  CHECK_CASE(test_abort),
	CHECK_CASE(test_cookies),      CHECK_CASE(test_reader_ends),
	CHECK_CASE(test_reader_begun), CHECK_CASE(test_cookies_again),
	CHECK_CASE(test_ends_differ),  CHECK_CASE(test_made_up),
	CHECK_CASE(test_many),	       CHECK_CASE(test_same_hash),
	CHECK_CASE(test_one_bucket),   CHECK_CASE(test_hash),
	CHECK_CASE(test_other_mount),  CHECK_CASE(test_led_astray),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_failing),
#endif
};

int main(int argc, char **argv)
{
	int ret;

	fs = fixture_fs();
	dir = inode_resolve(fs, ROOT_NODEID);
	ret = CHECK_MAIN(cases, argc, argv);
	zsfs_close(fs);
	return ret;
}
