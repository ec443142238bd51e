/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: the system calls by name (see posix_table.h). */
#include "posix_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FDS	 8
#define BUF_SIZE (1 << 20)

static int fds[MAX_FDS];
static unsigned nr_fds;
static char buf[BUF_SIZE] __attribute__((aligned(4096)));

/* ---- arguments ---- */

static long num(const char *s)
{
	return s ? strtol(s, NULL, 0) : 0;
}

static mode_t oct(const char *s)
{
	return s ? (mode_t)strtoul(s, NULL, 8) : 0;
}

/* What was opened as the N-th, from 0; others are closed descriptors. */
static int fd_of(const char *s)
{
	long n = num(s);

	return n >= 0 && n < (long)nr_fds ? fds[n] : 1000;
}

static int flags_of(const char *s)
{
	static const struct {
		char letter;
		int flag;
	} map[] = {
		{'w', O_WRONLY},    {'b', O_RDWR},     {'c', O_CREAT},
		{'x', O_EXCL},	    {'t', O_TRUNC},    {'a', O_APPEND},
		{'d', O_DIRECTORY}, {'n', O_NOFOLLOW}, {'D', O_DIRECT},
		{'N', O_NONBLOCK},  {'A', O_NOATIME},  {'p', O_PATH},
		{'T', O_TMPFILE},   {'s', O_SYNC},
	};
	int flags = 0;

	for (; s && *s; s++)
		for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
			if (map[i].letter == *s)
				flags |= map[i].flag;
	return flags;
}

static long res(long r)
{
	return r < 0 ? -errno : r;
}

static long push(int fd)
{
	if (fd < 0)
		return -errno;
	if (nr_fds == MAX_FDS)
		abort();
	fds[nr_fds++] = fd;
	return 0;
}

/* ---- content ---- */

static long c_open(char **a)
{
	return push(open(a[1], flags_of(a[2]) | O_CLOEXEC,
			 a[3] ? oct(a[3]) : 0644));
}

static long c_close(char **a)
{
	return res(close(fd_of(a[1])));
}

/* file PATH SIZE [MODE]: make one. */
static long c_file(char **a)
{
	int fd = open(a[1], O_WRONLY | O_CREAT | O_EXCL, 0644);
	long n = num(a[2]), err = 0;

	memset(buf, 'x', sizeof(buf));
	if (fd < 0 || write(fd, buf, (size_t)n) != n ||
	    (a[3] && fchmod(fd, oct(a[3]))))
		err = -errno;
	close(fd);
	return err;
}

static long c_read(char **a)
{
	return res(read(fd_of(a[1]), buf, (size_t)num(a[2])));
}

static long c_write(char **a)
{
	memset(buf, 'y', sizeof(buf));
	return res(write(fd_of(a[1]), buf, (size_t)num(a[2])));
}

static long c_pread(char **a)
{
	return res(pread(fd_of(a[1]), buf, (size_t)num(a[2]), num(a[3])));
}

static long c_pwrite(char **a)
{
	memset(buf, 'y', sizeof(buf));
	return res(pwrite(fd_of(a[1]), buf, (size_t)num(a[2]), num(a[3])));
}

/* badbuf FD r|w: with a buffer that is nowhere */
static long c_badbuf(char **a)
{
	void *none =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return res(*a[2] == 'r' ? read(fd_of(a[1]), none, 100)
				: write(fd_of(a[1]), none, 100));
}

static long c_lseek(char **a)
{
	static const char *const words[] = {"set", "cur", "end", "data",
					    "hole"};
	int whence = 99;

	for (int i = 0; i < 5; i++)
		if (!strcmp(a[3], words[i]))
			whence = i;
	return res(lseek(fd_of(a[1]), num(a[2]), whence));
}

static long c_truncate(char **a)
{
	return res(truncate(a[1], num(a[2])));
}

static long c_ftruncate(char **a)
{
	return res(ftruncate(fd_of(a[1]), num(a[2])));
}

/* fallocate FD MODE OFFSET LENGTH */
static long c_fallocate(char **a)
{
	return res(
		fallocate(fd_of(a[1]), (int)num(a[2]), num(a[3]), num(a[4])));
}

static long c_copy(char **a)
{
	return res(copy_file_range(fd_of(a[1]), NULL, fd_of(a[2]), NULL,
				   (size_t)num(a[3]), 0));
}

static long c_sendfile(char **a)
{
	return res(sendfile(fd_of(a[2]), fd_of(a[1]), NULL, (size_t)num(a[3])));
}

static long c_fsync(char **a)
{
	return res(fsync(fd_of(a[1])));
}

/* byte FD OFFSET: what is there. */
static long c_byte(char **a)
{
	unsigned char c = 0;
	ssize_t n = pread(fd_of(a[1]), &c, 1, num(a[2]));

	return n < 0 ? -errno : n ? c : -1000;
}

/* mmap FD LENGTH PROT(rw): mapped shared, and gone again */
static long c_mmap(char **a)
{
	int prot = PROT_READ | (strchr(a[3], 'w') ? PROT_WRITE : 0);
	void *p =
		mmap(NULL, (size_t)num(a[2]), prot, MAP_SHARED, fd_of(a[1]), 0);

	if (p == MAP_FAILED)
		return -errno;
	return res(munmap(p, (size_t)num(a[2])));
}

/* store FD OFFSET: one byte 'z' through a mapping */
static long c_store(char **a)
{
	long at = num(a[2]), start = at & ~4095L;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd_of(a[1]), start);

	if (p == MAP_FAILED)
		return -errno;
	p[at - start] = 'z';
	if (msync(p, 4096, MS_SYNC))
		return -errno;
	return res(munmap(p, 4096));
}

/* ---- names ---- */

static long c_mkdir(char **a)
{
	return res(mkdir(a[1], a[2] ? oct(a[2]) : 0755));
}

static long c_rmdir(char **a)
{
	return res(rmdir(a[1]));
}

static long c_unlink(char **a)
{
	return res(unlink(a[1]));
}

static long c_link(char **a)
{
	return res(link(a[1], a[2]));
}

/* linkfd FD PATH: a name for what is open */
static long c_linkfd(char **a)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd_of(a[1]));
	return res(linkat(AT_FDCWD, from, AT_FDCWD, a[2], AT_SYMLINK_FOLLOW));
}

static long c_symlink(char **a)
{
	return res(symlink(!strcmp(a[1], "empty") ? "" : a[1], a[2]));
}

static long c_readlink(char **a)
{
	return res(readlink(a[1], buf, (size_t)(a[2] ? num(a[2]) : BUF_SIZE)));
}

/* rename FROM TO [FLAGS]: 1 NOREPLACE, 2 EXCHANGE, 4 WHITEOUT */
static long c_rename(char **a)
{
	return res(
		renameat2(AT_FDCWD, a[1], AT_FDCWD, a[2], (unsigned)num(a[3])));
}

static mode_t type_of(const char *s)
{
	return *s == 'p'   ? S_IFIFO
	       : *s == 'c' ? S_IFCHR
	       : *s == 'b' ? S_IFBLK
	       : *s == 's' ? S_IFSOCK
	       : *s == 'd' ? S_IFDIR
			   : S_IFREG;
}

static long c_mknod(char **a)
{
	return res(mknod(a[1], type_of(a[2]) | (a[3] ? oct(a[3]) : 0644),
			 makedev(1, 3)));
}

static long c_bind(char **a)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", a[1]);
	return res(bind(fd, (void *)&sun, sizeof(sun)));
}

/* ---- attributes ---- */

static long c_chmod(char **a)
{
	return res(chmod(a[1], oct(a[2])));
}

static long c_fchmod(char **a)
{
	return res(fchmod(fd_of(a[1]), oct(a[2])));
}

static long c_chown(char **a)
{
	return res(chown(a[1], (uid_t)num(a[2]), (gid_t)num(a[3])));
}

static long c_lchown(char **a)
{
	return res(lchown(a[1], (uid_t)num(a[2]), (gid_t)num(a[3])));
}

static long c_fchown(char **a)
{
	return res(fchown(fd_of(a[1]), (uid_t)num(a[2]), (gid_t)num(a[3])));
}

static struct timespec time_of(const char *s)
{
	if (!strcmp(s, "now"))
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (!strcmp(s, "omit"))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (!strcmp(s, "bad"))
		return (struct timespec){.tv_nsec = 1000000000};
	return (struct timespec){.tv_sec = num(s)};
}

/* utimens PATH [ATIME MTIME] */
static long c_utimens(char **a)
{
	struct timespec ts[2];

	if (!a[2])
		return res(utimensat(AT_FDCWD, a[1], NULL, 0));
	ts[0] = time_of(a[2]);
	ts[1] = time_of(a[3]);
	return res(utimensat(AT_FDCWD, a[1], ts, 0));
}

static long c_access(char **a)
{
	return res(access(a[1], (int)num(a[2])));
}

static long c_chdir(char **a)
{
	return res(chdir(a[1]));
}

static long c_statfs(char **a)
{
	struct statvfs st;

	return res(statvfs(a[1], &st));
}

static long c_umask(char **a)
{
	umask(oct(a[1]));
	return 0;
}

/* limit N: no file of this process grows beyond that */
static long c_limit(char **a)
{
	struct rlimit l = {(rlim_t)num(a[1]), (rlim_t)num(a[1])};

	signal(SIGXFSZ, SIG_IGN);
	return res(setrlimit(RLIMIT_FSIZE, &l));
}

static long c_getcwd(char **a)
{
	return getcwd(buf, sizeof(buf)) ? 0 : -errno;
}

static long c_futimens(char **a)
{
	struct timespec ts[2] = {time_of(a[2]), time_of(a[3])};

	return res(futimens(fd_of(a[1]), ts));
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
	int fd = open(a[1], O_RDONLY | O_NONBLOCK), flags = (int)num(a[2]);
	long r;

	if (fd < 0)
		return -errno;
	r = res(ioctl(fd, a[2] ? FS_IOC_SETFLAGS : FS_IOC_GETFLAGS, &flags));
	close(fd);
	return r || a[2] ? r : flags;
}

static long c_ioctl(char **a)
{
	return res(ioctl(fd_of(a[1]), 0x1234, buf));
}

static long c_setfl(char **a)
{
	return res(fcntl(fd_of(a[1]), F_SETFL, flags_of(a[2])));
}

/* ---- looking ---- */

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

	return res(stat(a[1], &st));
}

static long c_nlink(char **a)
{
	struct stat st;

	return fstat(fd_of(a[1]), &st) ? -errno : (long)st.st_nlink;
}

static long c_same(char **a)
{
	struct stat x, y;

	if (lstat(a[1], &x) || lstat(a[2], &y))
		return -errno;
	return x.st_ino == y.st_ino;
}

/* dir PATH WHAT: n names beside the dots; d: dots; NAME: its d_type */
static long c_dir(char **a)
{
	DIR *d = opendir(a[1]);
	const struct dirent *e;
	long n = 0, dots = 0, type = -1000;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			dots += e->d_type == DT_DIR;
		else
			n++;
		if (!strcmp(e->d_name, a[2]))
			type = e->d_type;
	}
	closedir(d);
	return !strcmp(a[2], "-n") ? n : !strcmp(a[2], "-d") ? dots : type;
}

/* tell PATH: what comes after each telldir() comes again after seekdir() */
static long c_tell(char **a)
{
	DIR *d = opendir(a[1]);
	const struct dirent *e;
	char name[100][256];
	long at[101], n = 0, wrong = 0;

	at[0] = telldir(d);
	while (n < 100 && (e = readdir(d))) {
		snprintf(name[n++], 256, "%.255s", e->d_name);
		at[n] = telldir(d);
	}
	for (long i = n; i-- > 0;) {
		seekdir(d, at[i]);
		e = readdir(d);
		wrong += !e || strcmp(e->d_name, name[i]);
	}
	closedir(d);
	return wrong;
}

/* appenders PATH N: N processes append 100 times 10 bytes; then the size */
static long c_appenders(char **a)
{
	struct stat st;

	for (long i = num(a[2]); i > 0; i--) {
		int fd;

		if (fork())
			continue;
		fd = open(a[1], O_WRONLY | O_APPEND);
		for (int k = 0; k < 100; k++)
			if (write(fd, "0123456789", 10) != 10)
				_exit(1);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return stat(a[1], &st) ? -errno : st.st_size;
}

static const struct {
	const char *name;
	long (*fn)(char **arg);
} calls[] = {
	{"access", c_access},
	{"appenders", c_appenders},
	{"badbuf", c_badbuf},
	{"bind", c_bind},
	{"byte", c_byte},
	{"chdir", c_chdir},
	{"chmod", c_chmod},
	{"chown", c_chown},
	{"close", c_close},
	{"copy", c_copy},
	{"dir", c_dir},
	{"exec", c_exec},
	{"fallocate", c_fallocate},
	{"fchmod", c_fchmod},
	{"fchown", c_fchown},
	{"file", c_file},
	{"flags", c_flags},
	{"fsync", c_fsync},
	{"ftruncate", c_ftruncate},
	{"futimens", c_futimens},
	{"getcwd", c_getcwd},
	{"ioctl", c_ioctl},
	{"lchown", c_lchown},
	{"limit", c_limit},
	{"link", c_link},
	{"linkfd", c_linkfd},
	{"look", c_look},
	{"lseek", c_lseek},
	{"mkdir", c_mkdir},
	{"mknod", c_mknod},
	{"mmap", c_mmap},
	{"nlink", c_nlink},
	{"open", c_open},
	{"pread", c_pread},
	{"pwrite", c_pwrite},
	{"read", c_read},
	{"readlink", c_readlink},
	{"rename", c_rename},
	{"rmdir", c_rmdir},
	{"same", c_same},
	{"sendfile", c_sendfile},
	{"setfl", c_setfl},
	{"stat", c_stat},
	{"statfs", c_statfs},
	{"store", c_store},
	{"symlink", c_symlink},
	{"tell", c_tell},
	{"truncate", c_truncate},
	{"umask", c_umask},
	{"unlink", c_unlink},
	{"utimens", c_utimens},
	{"write", c_write},
};

long posix_call(char **arg)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, arg[0]))
			return calls[i].fn(arg);
	fprintf(stderr, "no call is named %s\n", arg[0]);
	exit(2);
}
