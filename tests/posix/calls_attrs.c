/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: calls about attributes, limits, programs (see posix_calls.h). */
#include "posix_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static long c_chmod(char **a)
{
	return call_result(chmod(a[1], arg_oct(a[2])));
}

static long c_fchmod(char **a)
{
	return call_result(fchmod(arg_fd(a[1]), arg_oct(a[2])));
}

static long c_chown(char **a)
{
	return call_result(
		chown(a[1], (uid_t)arg_num(a[2]), (gid_t)arg_num(a[3])));
}

static long c_lchown(char **a)
{
	return call_result(
		lchown(a[1], (uid_t)arg_num(a[2]), (gid_t)arg_num(a[3])));
}

static long c_fchown(char **a)
{
	return call_result(fchown(arg_fd(a[1]), (uid_t)arg_num(a[2]),
				  (gid_t)arg_num(a[3])));
}

static struct timespec time_of(const char *s)
{
	if (!strcmp(s, "now"))
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (!strcmp(s, "omit"))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (!strcmp(s, "bad"))
		return (struct timespec){.tv_nsec = 1000000000};
	return (struct timespec){.tv_sec = arg_num(s)};
}

/* utimens PATH [ATIME MTIME] */
static long c_utimens(char **a)
{
	struct timespec ts[2];

	if (!a[2])
		return call_result(utimensat(AT_FDCWD, a[1], NULL, 0));
	ts[0] = time_of(a[2]);
	ts[1] = time_of(a[3]);
	return call_result(utimensat(AT_FDCWD, a[1], ts, 0));
}

static long c_access(char **a)
{
	return call_result(access(a[1], (int)arg_num(a[2])));
}

static long c_chdir(char **a)
{
	return call_result(chdir(a[1]));
}

static long c_statfs(char **a)
{
	struct statvfs st;

	return call_result(statvfs(a[1], &st));
}

static long c_umask(char **a)
{
	umask(arg_oct(a[1]));
	return 0;
}

/* limit N: no file of this process grows beyond that */
static long c_limit(char **a)
{
	struct rlimit l = {(rlim_t)arg_num(a[1]), (rlim_t)arg_num(a[1])};

	signal(SIGXFSZ, SIG_IGN);
	return call_result(setrlimit(RLIMIT_FSIZE, &l));
}

static long c_getcwd(char **a)
{
	return getcwd(call_buf, sizeof(call_buf)) ? 0 : -errno;
}

static long c_futimens(char **a)
{
	struct timespec ts[2] = {time_of(a[2]), time_of(a[3])};

	return call_result(futimens(arg_fd(a[1]), ts));
}

/* exec PATH: run it and wait; its exit status */
static long c_exec(char **a)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execl(a[1], a[1], NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

/* flags PATH: get; flags PATH NUMBER: set */
static long c_flags(char **a)
{
	int fd = open(a[1], O_RDONLY | O_NONBLOCK), flags = (int)arg_num(a[2]);
	long r;

	if (fd < 0)
		return -errno;
	r = call_result(
		ioctl(fd, a[2] ? FS_IOC_SETFLAGS : FS_IOC_GETFLAGS, &flags));
	close(fd);
	return r || a[2] ? r : flags;
}

static long c_ioctl(char **a)
{
	return call_result(ioctl(arg_fd(a[1]), 0x1234, call_buf));
}

static long c_setfl(char **a)
{
	return call_result(fcntl(arg_fd(a[1]), F_SETFL, arg_flags(a[2])));
}

/* look PATH WHAT: a field of lstat() */
static long c_look(char **a)
{
	struct stat st;

	if (lstat(a[1], &st))
		return -errno;
	switch (*a[2]) {
	case 'm':
		return st.st_mode & 07777;
	case 'u':
		return st.st_uid;
	case 'g':
		return st.st_gid;
	case 'n':
		return (long)st.st_nlink;
	case 's':
		return st.st_size;
	case 'b':
		return st.st_blocks;
	case 'A':
		return st.st_atim.tv_sec;
	case 'M':
		return st.st_mtim.tv_sec;
	case 'r':
		return (long)st.st_rdev;
	default:
		return (st.st_mode & S_IFMT) >> 12;
	}
}

static long c_stat(char **a)
{
	struct stat st;

	return call_result(stat(a[1], &st));
}

static long c_nlink(char **a)
{
	struct stat st;

	return fstat(arg_fd(a[1]), &st) ? -errno : (long)st.st_nlink;
}

const struct posix_call calls_attrs[] = {
	{"access", c_access}, {"chdir", c_chdir},     {"chmod", c_chmod},
	{"chown", c_chown},   {"exec", c_exec},	      {"fchmod", c_fchmod},
	{"fchown", c_fchown}, {"flags", c_flags},     {"futimens", c_futimens},
	{"getcwd", c_getcwd}, {"ioctl", c_ioctl},     {"lchown", c_lchown},
	{"limit", c_limit},   {"look", c_look},	      {"nlink", c_nlink},
	{"setfl", c_setfl},   {"stat", c_stat},	      {"statfs", c_statfs},
	{"umask", c_umask},   {"utimens", c_utimens}, {0},
};
