/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fsop: make one system call and print how it ended.
 *
 *   fsop [-u UID:GID] [-n TIMES] OPERATION ARGUMENTS...
 *
 * Prints "ok", a number (bytes transferred, an offset), or the name of the
 * errno, so that a test compares a word. The exit code is 0 whenever the call
 * was made. With -n the operation is repeated, "%d" in a path standing for 0,
 * 1, 2...; it stops at the first error. Nothing but the operation touches the
 * file system, so that tests can count requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define OK     (-1LL) /* a result that is not a count: printed as "ok" */
#define FAILED (-2LL)

typedef long long (*op_fn)(char **arg);

static long long status(int res)
{
	return res < 0 ? FAILED : OK;
}

static long long num(const char *s)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(s, &end, 0);
	if (errno || *end || end == s) {
		fprintf(stderr, "fsop: bad number '%s'\n", s);
		exit(2);
	}
	return n;
}

static mode_t mode_of(const char *s)
{
	return (mode_t)strtoul(s, NULL, 8);
}

/* Letters to open(2) flags: r, w, b(oth), c, x, t, a, d(irectory), n, s, D. */
static int flags_of(const char *s)
{
	static const struct {
		char letter;
		int flag;
	} map[] = {
		{'r', O_RDONLY}, {'w', O_WRONLY},    {'b', O_RDWR},
		{'c', O_CREAT},	 {'x', O_EXCL},	     {'t', O_TRUNC},
		{'a', O_APPEND}, {'d', O_DIRECTORY}, {'n', O_NOFOLLOW},
		{'s', O_SYNC},	 {'D', O_DIRECT},    {'N', O_NONBLOCK},
	};
	int flags = 0;

	for (; *s; s++)
		for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
			if (map[i].letter == *s)
				flags |= map[i].flag;
	return flags;
}

/* Bytes that depend on their offset, so that a misplaced block shows. */
static unsigned char pattern(uint64_t off, unsigned seed)
{
	uint64_t x = ((off >> 3) + seed * UINT64_C(0x632be59bd9b4e019) + 1) *
		     UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return (unsigned char)((x ^ x >> 32) >> (8 * (off & 7)));
}

static unsigned char *pattern_buf(uint64_t off, size_t len, unsigned seed)
{
	unsigned char *buf = aligned_alloc(4096, (len + 4096) & ~4095UL);

	for (size_t i = 0; buf && i < len; i++)
		buf[i] = pattern(off + i, seed);
	return buf;
}

static long long close_with(int fd, long long res)
{
	int saved = errno;

	if (close(fd) < 0 && res != FAILED)
		return FAILED;
	errno = saved;
	return res;
}

static long long op_open(char **a)
{
	int fd = open(a[0], flags_of(a[1]), 0666);

	return fd < 0 ? FAILED : close_with(fd, OK);
}

static long long op_create(char **a)
{
	int fd = open(a[0], O_WRONLY | O_CREAT | O_EXCL, mode_of(a[1]));

	return fd < 0 ? FAILED : close_with(fd, OK);
}

/* PATH LENGTH: open(O_CREAT|O_EXCL), one write, close. */
static long long op_put(char **a)
{
	size_t len = (size_t)num(a[1]);
	unsigned char *buf = pattern_buf(0, len, 1);
	int fd = open(a[0], O_WRONLY | O_CREAT | O_EXCL, 0666);
	long long res = fd < 0 ? FAILED : write(fd, buf, len);

	free(buf);
	if (fd < 0)
		return FAILED;
	return close_with(fd, res < 0 ? FAILED : OK);
}

/* PATH FLAGS OFFSET LENGTH SEED: one pwrite of pattern bytes. */
static long long op_write(char **a)
{
	off_t off = num(a[2]);
	size_t len = (size_t)num(a[3]);
	unsigned char *buf =
		pattern_buf((uint64_t)off, len, (unsigned)num(a[4]));
	int fd = open(a[0], flags_of(a[1]), 0666);
	long long res;

	if (fd < 0)
		return FAILED;
	res = flags_of(a[1]) & O_APPEND ? write(fd, buf, len)
					: pwrite(fd, buf, len, off);
	free(buf);
	return close_with(fd, res < 0 ? FAILED : res);
}

/* PATH TEXT: one write of the text at offset 0, as to a control file. */
static long long op_puts(char **a)
{
	int fd = open(a[0], O_WRONLY);
	long long res;

	if (fd < 0)
		return FAILED;
	res = write(fd, a[1], strlen(a[1]));
	return close_with(fd, res < 0 ? FAILED : res);
}

/* PATH OFFSET LENGTH SEED: "ok" when these bytes are op_write's, else where. */
static long long op_check(char **a)
{
	off_t off = num(a[1]);
	long long len = num(a[2]);
	unsigned seed = (unsigned)num(a[3]);
	static unsigned char buf[1 << 16];
	int fd = open(a[0], O_RDONLY);

	if (fd < 0)
		return FAILED;
	for (long long done = 0; done < len;) {
		size_t want = (size_t)(len - done) < sizeof(buf)
				      ? (size_t)(len - done)
				      : sizeof(buf);
		ssize_t n = pread(fd, buf, want, off + done);

		if (n < 0)
			return close_with(fd, FAILED);
		if (n == 0) {
			printf("end at %lld\n", (long long)off + done);
			exit(0);
		}
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] !=
			    pattern((uint64_t)(off + done + i), seed)) {
				printf("differs at %lld\n",
				       (long long)off + done + i);
				exit(0);
			}
		done += n;
	}
	return close_with(fd, OK);
}

/* PATH OFFSET LENGTH: "ok" when the range reads as zeros, else where not. */
static long long op_zeros(char **a)
{
	off_t off = num(a[1]), end = off + num(a[2]);
	static unsigned char buf[1 << 16];
	int fd = open(a[0], O_RDONLY);

	if (fd < 0)
		return FAILED;
	while (off < end) {
		size_t want = (size_t)(end - off) < sizeof(buf)
				      ? (size_t)(end - off)
				      : sizeof(buf);
		ssize_t n = pread(fd, buf, want, off);

		if (n <= 0) {
			printf("end at %lld\n", (long long)off);
			exit(0);
		}
		for (ssize_t i = 0; i < n; i++)
			if (buf[i]) {
				printf("differs at %lld\n", (long long)off + i);
				exit(0);
			}
		off += n;
	}
	return close_with(fd, OK);
}

/* PATH OFFSET LENGTH: one pread, its count. */
static long long op_read(char **a)
{
	size_t len = (size_t)num(a[2]);
	void *buf = aligned_alloc(4096, (len + 4096) & ~4095UL);
	int fd = open(a[0], O_RDONLY);
	long long res;

	if (fd < 0)
		return FAILED;
	res = pread(fd, buf, len, num(a[1]));
	free(buf);
	return close_with(fd, res < 0 ? FAILED : res);
}

/* PATH: open, read to the end, close. */
static long long op_cat(char **a)
{
	static char buf[1 << 16];
	int fd = open(a[0], O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return FAILED;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0);
	return close_with(fd, n < 0 ? FAILED : OK);
}

static long long op_stat(char **a)
{
	struct stat st;

	return status(stat(a[0], &st));
}

static long long op_truncate(char **a)
{
	return status(truncate(a[0], num(a[1])));
}

static long long op_mkdir(char **a)
{
	return status(mkdir(a[0], mode_of(a[1])));
}

static long long op_rmdir(char **a)
{
	return status(rmdir(a[0]));
}

static long long op_unlink(char **a)
{
	return status(unlink(a[0]));
}

static long long op_rename(char **a)
{
	return status(rename(a[0], a[1]));
}

/* OLD NEW FLAGS as renameat2's number. */
static long long op_rename2(char **a)
{
	return status(
		renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], (unsigned)num(a[2])));
}

static long long op_link(char **a)
{
	return status(link(a[0], a[1]));
}

static long long op_symlink(char **a)
{
	return status(symlink(a[0], a[1]));
}

static long long op_readlink(char **a)
{
	char buf[8192];
	ssize_t n = readlink(a[0], buf, sizeof(buf));

	return n < 0 ? FAILED : n;
}

/* PATH TYPE MODE MAJOR MINOR; type is one of f, p, s, c, b. */
static long long op_mknod(char **a)
{
	static const char letters[] = "fpscb";
	static const mode_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR,
				       S_IFBLK};
	const char *t = strchr(letters, a[1][0]);

	return status(mknod(a[0], types[t - letters] | mode_of(a[2]),
			    makedev((unsigned)num(a[3]), (unsigned)num(a[4]))));
}

static long long op_chmod(char **a)
{
	return status(chmod(a[0], mode_of(a[1])));
}

/* PATH UID GID, -1 leaves one alone. Does not follow symlinks. */
static long long op_chown(char **a)
{
	return status(lchown(a[0], (uid_t)num(a[1]), (gid_t)num(a[2])));
}

/* PATH ATIME_SEC ATIME_NSEC MTIME_SEC MTIME_NSEC */
static long long op_utimens(char **a)
{
	struct timespec ts[2] = {
		{.tv_sec = num(a[1]), .tv_nsec = num(a[2])},
		{.tv_sec = num(a[3]), .tv_nsec = num(a[4])},
	};

	return status(utimensat(AT_FDCWD, a[0], ts, AT_SYMLINK_NOFOLLOW));
}

/* PATH: atime and mtime with all their digits, which stat(1) rounds. */
static long long op_times(char **a)
{
	struct stat st;

	if (lstat(a[0], &st) < 0)
		return FAILED;
	printf("%lld.%09ld %lld.%09ld\n", (long long)st.st_atim.tv_sec,
	       st.st_atim.tv_nsec, (long long)st.st_mtim.tv_sec,
	       st.st_mtim.tv_nsec);
	exit(0);
}

static long long op_access(char **a)
{
	return status(access(a[0], (int)num(a[1])));
}

/* PATH MODE OFFSET LENGTH */
static long long op_fallocate(char **a)
{
	int fd = open(a[0], O_RDWR);

	if (fd < 0)
		return FAILED;
	return close_with(fd, status(fallocate(fd, (int)num(a[1]), num(a[2]),
					       num(a[3]))));
}

/* PATH OFFSET data|hole */
static long long op_seek(char **a)
{
	int fd = open(a[0], O_RDONLY);
	off_t off;

	if (fd < 0)
		return FAILED;
	off = lseek(fd, num(a[1]), a[2][0] == 'd' ? SEEK_DATA : SEEK_HOLE);
	return close_with(fd, off < 0 ? FAILED : off);
}

/* DIRECTORY: an O_TMPFILE in it. */
static long long op_tmpfile(char **a)
{
	int fd = open(a[0], O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? FAILED : close_with(fd, OK);
}

static long long op_fsync(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return fd < 0 ? FAILED : close_with(fd, status(fsync(fd)));
}

/* PATH: drop its cached pages, so that the next read asks the daemon. */
static long long op_drop(char **a)
{
	int fd = open(a[0], O_RDONLY | O_NOFOLLOW);
	int err;

	if (fd < 0)
		return FAILED;
	fdatasync(fd);
	err = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	errno = err;
	return close_with(fd, err ? FAILED : OK);
}

static long long op_socket(char **a)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return FAILED;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", a[0]);
	return close_with(fd,
			  status(bind(fd, (struct sockaddr *)&sa, sizeof(sa))));
}

static const struct op {
	const char *name;
	int nr_args;
	op_fn run;
} ops[] = {
	{"open", 2, op_open},	      {"create", 2, op_create},
	{"put", 2, op_put},	      {"write", 5, op_write},
	{"puts", 2, op_puts},	      {"check", 4, op_check},
	{"zeros", 3, op_zeros},	      {"read", 3, op_read},
	{"cat", 1, op_cat},	      {"stat", 1, op_stat},
	{"truncate", 2, op_truncate}, {"mkdir", 2, op_mkdir},
	{"rmdir", 1, op_rmdir},	      {"unlink", 1, op_unlink},
	{"rename", 2, op_rename},     {"rename2", 3, op_rename2},
	{"link", 2, op_link},	      {"symlink", 2, op_symlink},
	{"readlink", 1, op_readlink}, {"mknod", 5, op_mknod},
	{"chmod", 2, op_chmod},	      {"chown", 3, op_chown},
	{"utimens", 5, op_utimens},   {"times", 1, op_times},
	{"access", 2, op_access},     {"fallocate", 4, op_fallocate},
	{"seek", 3, op_seek},	      {"tmpfile", 1, op_tmpfile},
	{"fsync", 1, op_fsync},	      {"drop", 1, op_drop},
	{"socket", 1, op_socket},
};

static void become(const char *who)
{
	unsigned uid, gid;

	if (sscanf(who, "%u:%u", &uid, &gid) != 2 || setgroups(0, NULL) < 0 ||
	    setgid(gid) < 0 || setuid(uid) < 0) {
		fprintf(stderr, "fsop: cannot become '%s'\n", who);
		exit(2);
	}
}

static void print_result(long long res)
{
	if (res == OK)
		puts("ok");
	else if (res == FAILED)
		puts(strerrorname_np(errno) ? strerrorname_np(errno) : "E?");
	else
		printf("%lld\n", res);
}

/* One round: the arguments with "%d" replaced by the round's number. */
static long long run_round(const struct op *op, char **arg, long round)
{
	static char room[5][8192];
	char *expanded[5];

	for (int i = 0; i < op->nr_args; i++) {
		const char *hole = strstr(arg[i], "%d");

		expanded[i] = hole ? room[i] : arg[i];
		if (hole)
			snprintf(room[i], sizeof(room[i]), "%.*s%ld%s",
				 (int)(hole - arg[i]), arg[i], round, hole + 2);
	}
	return op->run(expanded);
}

int main(int argc, char **argv)
{
	const struct op *op = NULL;
	long long res = OK;
	long times = 0;
	int c;

	while ((c = getopt(argc, argv, "+u:n:")) != -1) {
		if (c == 'u')
			become(optarg);
		else if (c == 'n')
			times = (long)num(optarg);
		else
			return 2;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (optind < argc && strcmp(ops[i].name, argv[optind]) == 0)
			op = &ops[i];
	if (!op || argc - optind - 1 != op->nr_args) {
		fprintf(stderr, "fsop: unknown operation or wrong arguments\n");
		return 2;
	}
	umask(0);
	if (!times)
		res = op->run(argv + optind + 1);
	for (long i = 0; i < times && res != FAILED; i++)
		res = run_round(op, argv + optind + 1, i);
	print_result(res);
	return 0;
}
