/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * posix_table: calls that go astray, other file systems, mounts that are full
 * or read-only, what other processes hold (see posix_calls.h).
 */
#include "posix_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix_table.h"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

/* ---- a directory, or a path, that is none ---- */

/* The call @name with the path @p, below the directory @d. */
static long call_at(const char *name, int d, const char *p)
{
	struct statx stx;

#define CALL(n, call)                                                          \
	if (!strcmp(name, n))                                                  \
	return call_result(call)
	CALL("access", faccessat(d, p, R_OK, 0));
	CALL("chdir", d == AT_FDCWD ? chdir(p) : fchdir(d));
	CALL("chmod", fchmodat(d, p, 0600, 0));
	CALL("chown", fchownat(d, p, 0, 0, 0));
	CALL("getxattr", getxattr(p, "user.a", call_buf, 100));
	CALL("link", linkat(d, p, d, p, 0));
	CALL("listxattr", listxattr(p, call_buf, 100));
	CALL("mkdir", mkdirat(d, p, 0755));
	CALL("mknod", mknodat(d, p, S_IFIFO, 0));
	CALL("open", openat(d, p, O_RDONLY));
	CALL("readlink", readlinkat(d, p, call_buf, 100));
	CALL("removexattr", removexattr(p, "user.a"));
	CALL("rename", renameat(d, p, d, p));
	CALL("rmdir", unlinkat(d, p, AT_REMOVEDIR));
	CALL("setxattr", setxattr(p, "user.a", "x", 1, 0));
	CALL("stat", statx(d, p, 0, STATX_BASIC_STATS, &stx));
	CALL("statfs", statvfs(p, (struct statvfs *)call_buf));
	CALL("symlink", symlinkat("x", d, p));
	CALL("truncate", truncate(p, 0));
	CALL("unlink", unlinkat(d, p, 0));
	CALL("utimens", syscall(SYS_utimensat, d, p, NULL, 0));
#undef CALL
	fprintf(stderr, "%s has no path\n", name);
	_exit(2);
}

/* at FD CALL PATH */
static long c_at(char **a)
{
	return call_at(a[2], arg_fd(a[1]), a[3]);
}

/* nowhere CALL: its path is at an address where nothing is */
static long c_nowhere(char **a)
{
	const char *none =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return call_at(a[1], AT_FDCWD, none);
}

/* via CALL PATH: any of the calls above */
static long c_via(char **a)
{
	return call_at(a[1], AT_FDCWD, a[2]);
}

/* atflags CALL PATH: with flags that are none */
static long c_atflags(char **a)
{
	const int bad = 0x40000000;
	struct statx stx;

	switch (*a[1]) {
	case 'u':
		return call_result(unlinkat(AT_FDCWD, a[2], bad));
	case 'l':
		return call_result(linkat(AT_FDCWD, a[2], AT_FDCWD, "x", bad));
	case 'o':
		return call_result(fchownat(AT_FDCWD, a[2], 0, 0, bad));
	case 't':
		return call_result(utimensat(AT_FDCWD, a[2], NULL, bad));
	case 's':
		return call_result(
			statx(AT_FDCWD, a[2], bad, STATX_BASIC_STATS, &stx));
	default:
		return call_result(
			syscall(__NR_fchmodat2, AT_FDCWD, a[2], 0600, bad));
	}
}

/* lchmod PATH MODE */
static long c_lchmod(char **a)
{
	return call_result(syscall(__NR_fchmodat2, AT_FDCWD, a[1],
				   arg_oct(a[2]), AT_SYMLINK_NOFOLLOW));
}

/* ---- descriptors ---- */

static long c_fchdir(char **a)
{
	return call_result(fchdir(arg_fd(a[1])));
}

static long c_fdatasync(char **a)
{
	return call_result(fdatasync(arg_fd(a[1])));
}

static long c_syncfs(char **a)
{
	return call_result(syncfs(arg_fd(a[1])));
}

/* syncrange FD OFFSET LENGTH FLAGS */
static long c_syncrange(char **a)
{
	return call_result(sync_file_range(arg_fd(a[1]), arg_num(a[2]),
					   arg_num(a[3]),
					   (unsigned)arg_num(a[4])));
}

/* getdents FD ROOM */
static long c_getdents(char **a)
{
	long n = call_result(syscall(SYS_getdents64, arg_fd(a[1]), call_buf,
				     (size_t)arg_num(a[2])));

	return n > 0 ? 1 : n;
}

/* copyat FROM OFFSET TO OFFSET LENGTH [FLAGS]: copy_file_range(2) */
static long c_copyat(char **a)
{
	off_t from = arg_num(a[2]), to = arg_num(a[4]);

	return call_result(copy_file_range(arg_fd(a[1]), &from, arg_fd(a[3]),
					   &to, (size_t)arg_num(a[5]),
					   (unsigned)arg_num(a[6])));
}

/* mapat FD OFFSET: a page from there on */
static long c_mapat(char **a)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, arg_fd(a[1]),
		       arg_num(a[2]));

	return p == MAP_FAILED ? -errno : 0;
}

/* ask FD WHAT: an ioctl(2) */
static long c_ask(char **a)
{
	static union {
		int number;
		struct fiemap map;
		struct fstrim_range trim;
		struct fsxattr attr;
		struct file_clone_range clone;
	} u;
	const struct {
		const char *name;
		unsigned long request;
	} map[] = {
		{"fiemap", FS_IOC_FIEMAP},
		{"trim", FITRIM},
		{"freeze", FIFREEZE},
		{"version", FS_IOC_GETVERSION},
		{"fsxattr", FS_IOC_FSGETXATTR},
		{"blocksize", FIGETBSZ},
		{"bmap", FIBMAP},
	};
	int fd = arg_fd(a[1]);

	memset(&u, 0, sizeof(u));
	if (!strcmp(a[2], "clone"))
		return call_result(ioctl(fd, FICLONE, arg_fd(a[3])));
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (!strcmp(map[i].name, a[2]))
			return call_result(ioctl(fd, map[i].request, &u));
	return -ENOSYS;
}

/* ---- other processes ---- */

/* hold FD HOW: another process has a lock on it: s, x: flock(2); r, w: fcntl */
static long lock(int fd, char how, int wait)
{
	struct flock l = {
		.l_type = how == 'w'   ? F_WRLCK
			  : how == 'r' ? F_RDLCK
				       : F_UNLCK,
		.l_whence = SEEK_SET,
	};

	if (how == 's' || how == 'x')
		return call_result(flock(fd, (how == 's' ? LOCK_SH : LOCK_EX) |
						     (wait ? 0 : LOCK_NB)));
	return call_result(fcntl(fd, wait ? F_SETLKW : F_SETLK, &l));
}

/* Until this process ends. */
static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

static long c_hold(char **a)
{
	int done[2];
	char c = 0;

	if (pipe(done))
		return -errno;
	if (fork() == 0) {
		char path[64];
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", arg_fd(a[1]));
		fd = open(path, O_RDWR);
		c = lock(fd, *a[2], 1) == 0;
		if (write(done[1], &c, 1) == 1)
			stay();
		_exit(1);
	}
	return read(done[0], &c, 1) == 1 && c ? 0 : -EIO;
}

/* lock FD HOW: it, now or never; u: unlock */
static long c_lock(char **a)
{
	return lock(arg_fd(a[1]), *a[2], 0);
}

/* lease FD r|w */
static long c_lease(char **a)
{
	return call_result(fcntl(arg_fd(a[1]), F_SETLEASE,
				 *a[2] == 'w' ? F_WRLCK : F_RDLCK));
}

/* seal FD */
static long c_seal(char **a)
{
	return call_result(fcntl(arg_fd(a[1]), F_ADD_SEALS, F_SEAL_WRITE));
}

/* run PATH: a program of that name is running */
static long c_run(char **a)
{
	static const char *const from = "/bin/sleep";
	int in = open(from, O_RDONLY), out, started[2];
	char c;

	out = open(a[1], O_WRONLY | O_CREAT | O_EXCL, 0777);
	for (ssize_t n; (n = read(in, call_buf, CALL_BUF_SIZE)) > 0;)
		if (write(out, call_buf, (size_t)n) != n)
			return -EIO;
	close(in);
	close(out);
	if (pipe2(started, O_CLOEXEC))
		return -errno;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(a[1], a[1], "30", NULL);
		_exit(1);
	}
	close(started[1]);
	return read(started[0], &c, 1); /* its end: closed by the start */
}

/* ---- mounts ---- */

/* A mount namespace of this process, which ends with it. */
static long own_mounts(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return 0;
}

/* mount FROM TO [HOW]: what is at FROM is at TO, too; ro, noexec, nodev */
static long c_mount(char **a)
{
	long err = own_mounts();
	unsigned long flags = 0;

	if (!err)
		err = call_result(mount(a[1], a[2], NULL, MS_BIND, NULL));
	if (err || !a[3])
		return err;
	flags = !strcmp(a[3], "ro")	  ? MS_RDONLY
		: !strcmp(a[3], "noexec") ? MS_NOEXEC
		: !strcmp(a[3], "nosuid") ? MS_NOSUID
					  : MS_NODEV;
	return call_result(
		mount(NULL, a[2], NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

static long c_swapon(char **a)
{
	return call_result(swapon(a[1], 0));
}

/* fill [nodes]: write all there is room for, or make as many files */
static long c_fill(char **a)
{
	char name[32];
	int fd;

	if (a[1]) {
		for (unsigned i = 0; i < 100000; i++) {
			snprintf(name, sizeof(name), "filler%u", i);
			if (mknod(name, S_IFREG | 0666, 0))
				return errno == ENOSPC ? 0 : -errno;
		}
		return -EFBIG;
	}
	fd = open("filler", O_WRONLY | O_CREAT | O_EXCL, 0666);
	if (getrandom(call_buf, 4096, 0) != 4096)
		return -EIO;
	for (unsigned i = 0; i < 100000; i++)
		if (write(fd, call_buf, 4096) != 4096)
			return errno == ENOSPC ? close(fd) : -errno;
	return -EFBIG;
}

/* readonly: the file system, until the row is over (posix_table.c) */
static long c_readonly(char **a)
{
	return call_result(
		mount(NULL, posix_top, NULL, MS_REMOUNT | MS_RDONLY, NULL));
}

const struct posix_call calls_places[] = {
	{"ask", c_ask},
	{"at", c_at},
	{"atflags", c_atflags},
	{"copyat", c_copyat},
	{"fchdir", c_fchdir},
	{"fdatasync", c_fdatasync},
	{"fill", c_fill},
	{"getdents", c_getdents},
	{"hold", c_hold},
	{"lchmod", c_lchmod},
	{"lease", c_lease},
	{"lock", c_lock},
	{"mapat", c_mapat},
	{"mount", c_mount},
	{"nowhere", c_nowhere},
	{"readonly", c_readonly},
	{"run", c_run},
	{"seal", c_seal},
	{"swapon", c_swapon},
	{"syncfs", c_syncfs},
	{"syncrange", c_syncrange},
	{"via", c_via},
	{0},
};
