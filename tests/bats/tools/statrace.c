/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * statrace DIR SECONDS READERS [stored]: are attributes that come from the
 * kernel's cache those that the file system has?
 *
 * Changes a few files and folders below DIR in every way, and compares after
 * each call what statx(2) says as stat(2) would with what it says with
 * AT_STATX_FORCE_SYNC. READERS processes stat, list and look up the same all
 * the time, so that answers given before a change are on their way while it
 * happens. Prints after which calls what differed, and how many rounds were
 * made; ends with 1 if anything did. The time of the last access, which may be
 * late (see zsfs(1)), is not compared.
 *
 * With "stored", for mounts with a cache of writes, the mapped file has all its
 * blocks from the beginning: there what is written through a mapping may change
 * the number of blocks up to a second before stat(2) tells. A few numbers of
 * blocks may be late for other reasons.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAP_SIZE 65536u
/* Of those that last for two looks: 4 in 29 million looks on two processors. */
#define MAX_INSTANTS 5u

/* Held by descriptor, wherever their names are. */
static const char *const watched[] = {"a",   "b", "a/s", "b/t", "a/f",
				      "b/g", "h", "m",	 "."};
#define NR_WATCHED (sizeof(watched) / sizeof(watched[0]))

/* What readers look up besides. */
static const char *const others[] = {"b/f", "a/g", "b/s", "a/t", "h1",
				     "h2",  "n",   "a/x", "b/x"};
#define NR_OTHERS (sizeof(others) / sizeof(others[0]))

enum op {
	OP_RENAME,
	OP_EXCHANGE,
	OP_LINK,
	OP_UNLINK,
	OP_MKNOD,
	OP_MKDIR,
	OP_RMDIR,
	OP_SYMLINK,
	OP_CHMOD,
	OP_CHOWN,
	OP_UTIME,
	OP_TRUNCATE,
	OP_WRITE,
	OP_MAP,
	OP_READ,
	OP_ALLOCATE,
	OP_PUNCH,
};

/* One round; everything is where it was at its end. */
static const struct step {
	enum op op;
	const char *a, *b;
} steps[] = {
	{OP_RENAME, "h", "h1"},	     {OP_RENAME, "h1", "h"},
	{OP_RENAME, "a/f", "b/f"},   {OP_EXCHANGE, "b/f", "b/g"},
	{OP_EXCHANGE, "b/f", "b/g"}, {OP_RENAME, "b/f", "a/f"},
	{OP_RENAME, "a/s", "b/s"},   {OP_EXCHANGE, "b/s", "b/t"},
	{OP_EXCHANGE, "b/s", "b/t"}, {OP_RENAME, "b/s", "a/s"},
	{OP_EXCHANGE, "a/f", "b/t"}, {OP_EXCHANGE, "a/f", "b/t"},
	{OP_LINK, "h", "h2"},	     {OP_LINK, "h", "a/x"},
	{OP_UNLINK, "a/x", NULL},    {OP_MKNOD, "n", NULL},
	{OP_RENAME, "n", "h2"},	     {OP_UNLINK, "h2", NULL},
	{OP_CHMOD, "h", NULL},	     {OP_CHMOD, "a", NULL},
	{OP_CHOWN, "h", NULL},	     {OP_UTIME, "h", NULL},
	{OP_TRUNCATE, "h", NULL},    {OP_WRITE, "h", NULL},
	{OP_MKDIR, "a/x", NULL},     {OP_RMDIR, "a/x", NULL},
	{OP_SYMLINK, "b/x", NULL},   {OP_UNLINK, "b/x", NULL},
	{OP_MKDIR, "a/x", NULL},     {OP_MKDIR, "b/x", NULL},
	{OP_RENAME, "a/x", "b/x"},   {OP_RMDIR, "b/x", NULL},
	{OP_MAP, "m", NULL},	     {OP_READ, "m", NULL},
	{OP_WRITE, "m", NULL},	     {OP_READ, "m", NULL},
	{OP_ALLOCATE, "h", NULL},    {OP_PUNCH, "h", NULL},
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static int fds[NR_WATCHED];
static uint8_t *map;
static unsigned nr_round;
static unsigned nr_instants; /* see is_instant() and is_late() */
static bool writes_cached;
static unsigned differed[NR_STEPS];
static const char *what_differed[NR_STEPS], *where_differed[NR_STEPS];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- readers ---- */

static void list(const char *name)
{
	static char buf[32768] __attribute__((aligned(8)));
	int fd = open(name, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return;
	while (syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void reader(unsigned seed)
{
	struct statx st;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom(seed);
	for (;;) {
		unsigned what = (unsigned)random() % 16;
		unsigned nr = (unsigned)random();

		if (what < 10)
			statx(fds[nr % NR_WATCHED], "",
			      AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
			      STATX_BASIC_STATS, &st);
		else if (what < 12)
			statx(AT_FDCWD, watched[nr % NR_WATCHED],
			      AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st);
		else if (what < 14)
			statx(AT_FDCWD, others[nr % NR_OTHERS],
			      AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st);
		else
			list(what == 14 ? "a" : "b");
	}
}

/* ---- changes ---- */

static int write_some(const char *name)
{
	int fd = open(name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = pwrite(fd, "hello", 5, nr_round * 997 % MAP_SIZE);
	close(fd);
	return n == 5 ? 0 : -1;
}

static int read_some(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;
	char c;

	if (fd < 0)
		return -1;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	n = pread(fd, &c, 1, 0);
	close(fd);
	return n == 1 ? 0 : -1;
}

static int set_times(const char *name)
{
	struct timespec t[2] = {{nr_round, 1}, {nr_round, 2}};

	return utimensat(AT_FDCWD, name, t, 0);
}

static int write_map(void)
{
	map[nr_round * 4096 % MAP_SIZE] = (uint8_t)nr_round;
	return msync(map, MAP_SIZE, MS_SYNC);
}

/* Behind the end, so that the file does not grow. */
static int allocate(const char *name, int flags)
{
	int fd = open(name, O_WRONLY), err;

	if (fd < 0)
		return -1;
	err = fallocate(fd, FALLOC_FL_KEEP_SIZE | flags, 2 * MAP_SIZE, 65536);
	close(fd);
	return err;
}

static int execute(const struct step *s)
{
	switch (s->op) {
	case OP_RENAME:
		return rename(s->a, s->b);
	case OP_EXCHANGE:
		return renameat2(AT_FDCWD, s->a, AT_FDCWD, s->b,
				 RENAME_EXCHANGE);
	case OP_LINK:
		return link(s->a, s->b);
	case OP_UNLINK:
		return unlink(s->a);
	case OP_MKNOD:
		return mknod(s->a, S_IFREG | 0600, 0);
	case OP_MKDIR:
		return mkdir(s->a, 0700);
	case OP_RMDIR:
		return rmdir(s->a);
	case OP_SYMLINK:
		return symlink("target", s->a);
	case OP_CHMOD:
		return chmod(s->a, 0700 | nr_round % 64);
	case OP_CHOWN:
		return geteuid() ? 0 : chown(s->a, nr_round % 7, nr_round % 5);
	case OP_UTIME:
		return set_times(s->a);
	case OP_TRUNCATE:
		return truncate(s->a, nr_round * 997 % MAP_SIZE);
	case OP_WRITE:
		return write_some(s->a);
	case OP_MAP:
		return write_map();
	case OP_READ:
		return read_some(s->a);
	case OP_ALLOCATE:
		return allocate(s->a, 0);
	case OP_PUNCH:
		return allocate(s->a, FALLOC_FL_PUNCH_HOLE);
	}
	return -1;
}

/* ---- checks ---- */

static bool time_differs(const struct statx_timestamp *x,
			 const struct statx_timestamp *y)
{
	return x->tv_sec != y->tv_sec || x->tv_nsec != y->tv_nsec;
}

/* A word for what differs, or NULL. */
static const char *difference(const struct statx *x, const struct statx *y)
{
	if (x->stx_nlink != y->stx_nlink)
		return "nlink";
	if (x->stx_mode != y->stx_mode)
		return "mode";
	if (x->stx_uid != y->stx_uid || x->stx_gid != y->stx_gid)
		return "owner";
	if (x->stx_size != y->stx_size)
		return "size";
	if (x->stx_blocks != y->stx_blocks)
		return "blocks";
	if (time_differs(&x->stx_mtime, &y->stx_mtime))
		return "mtime";
	return time_differs(&x->stx_ctime, &y->stx_ctime) ? "ctime" : NULL;
}

static void get(unsigned i, unsigned flags, struct statx *st)
{
	if (statx(fds[i], "", AT_EMPTY_PATH | (int)flags, STATX_BASIC_STATS,
		  st))
		die(watched[i]);
}

/*
 * Linux takes in new attributes one by one, the size last, and shows what is
 * there meanwhile: new times with the old size, for as long as the processor
 * that does is held up. An answer that was given before a change and came after
 * it has old times as well, for the next change after somebody has looked has
 * another time.
 */
static bool is_instant(const struct statx *cached, const struct statx *real)
{
	struct statx with_size = *cached;

	with_size.stx_size = real->stx_size;
	return !difference(&with_size, real);
}

/*
 * With a cache of writes zsfs says no more than once a second that there are
 * more blocks, and meanwhile lends attributes for that long. An answer given
 * before the write that came after it holds until then.
 */
static bool is_late(const struct statx *cached, const struct statx *real)
{
	struct statx with_blocks = *cached;

	with_blocks.stx_blocks = real->stx_blocks;
	return writes_cached && !difference(&with_blocks, real);
}

/* Twice from the cache, because most such instants are over by then. */
static void check(unsigned nr_step)
{
	for (unsigned i = 0; i < NR_WATCHED; i++) {
		struct statx first, cached, real;
		const char *what;

		get(i, 0, &first);
		get(i, 0, &cached);
		get(i, AT_STATX_FORCE_SYNC, &real);
		what = difference(&cached, &real);
		if (!what || difference(&first, &cached))
			continue;
		if ((is_instant(&cached, &real) || is_late(&cached, &real)) &&
		    ++nr_instants <= MAX_INSTANTS)
			continue;
		differed[nr_step]++;
		what_differed[nr_step] = what;
		where_differed[nr_step] = watched[i];
	}
}

static void one_round(void)
{
	for (unsigned i = 0; i < NR_STEPS; i++) {
		const struct step *s = &steps[i];

		if (execute(s)) {
			fprintf(stderr, "step %u: ", i);
			die(s->a);
		}
		/* Give old answers the time to come late. */
		if (random() % 4 == 0)
			usleep((unsigned)random() % 200);
		check(i);
	}
}

static int report(void)
{
	int bad = 0;

	for (unsigned i = 0; i < NR_STEPS; i++) {
		if (!differed[i])
			continue;
		printf("after step %u (%s %s): %u times, %s of %s\n", i,
		       steps[i].a, steps[i].b ? steps[i].b : "", differed[i],
		       what_differed[i], where_differed[i]);
		bad = 1;
	}
	printf("%u rounds, %u instants\n", nr_round, nr_instants);
	return bad;
}

/* ---- beginning and end ---- */

static void store(int fd)
{
	static char bytes[MAP_SIZE];
	struct statx st;

	memset(bytes, 'x', sizeof(bytes));
	if (pwrite(fd, bytes, MAP_SIZE, 0) != MAP_SIZE || fsync(fd) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &st))
		die("m");
}

static void make_all(void)
{
	int fd;

	if (mkdir("a", 0700) || mkdir("b", 0700) || mkdir("a/s", 0700) ||
	    mkdir("b/t", 0700) || mknod("a/f", S_IFREG | 0600, 0) ||
	    mknod("b/g", S_IFREG | 0600, 0) || mknod("h", S_IFREG | 0600, 0))
		die("making files");
	fd = open("m", O_CREAT | O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, MAP_SIZE))
		die("m");
	if (writes_cached)
		store(fd);
	map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	close(fd);
	for (unsigned i = 0; i < NR_WATCHED; i++) {
		fds[i] = open(watched[i], O_PATH);
		if (fds[i] < 0)
			die(watched[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned nr_readers;
	pid_t pids[16];
	time_t end;

	if (argc < 4 || argc > 5 || chdir(argv[1]))
		return 2;
	nr_readers = (unsigned)atoi(argv[3]);
	if (nr_readers > 16)
		return 2;
	writes_cached = argc > 4 && !strcmp(argv[4], "stored");
	make_all();
	for (unsigned i = 0; i < nr_readers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			reader(i);
	}
	end = time(NULL) + atoi(argv[2]);
	for (nr_round = 1; time(NULL) < end; nr_round++)
		one_round();
	for (unsigned i = 0; i < nr_readers; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return report();
}
