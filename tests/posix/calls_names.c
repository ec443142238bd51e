/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: calls about names and directories (see posix_calls.h). */
#include "posix_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static long c_mkdir(char **a)
{
	return call_result(mkdir(a[1], a[2] ? arg_oct(a[2]) : 0755));
}

static long c_rmdir(char **a)
{
	return call_result(rmdir(a[1]));
}

static long c_unlink(char **a)
{
	return call_result(unlink(a[1]));
}

static long c_link(char **a)
{
	return call_result(link(a[1], a[2]));
}

/* linkfd FD PATH: a name for what is open */
static long c_linkfd(char **a)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", arg_fd(a[1]));
	return call_result(
		linkat(AT_FDCWD, from, AT_FDCWD, a[2], AT_SYMLINK_FOLLOW));
}

static long c_symlink(char **a)
{
	return call_result(symlink(!strcmp(a[1], "empty") ? "" : a[1], a[2]));
}

static long c_readlink(char **a)
{
	return call_result(
		readlink(a[1], call_buf,
			 (size_t)(a[2] ? arg_num(a[2]) : CALL_BUF_SIZE)));
}

/* rename FROM TO [FLAGS]: 1 NOREPLACE, 2 EXCHANGE, 4 WHITEOUT */
static long c_rename(char **a)
{
	return call_result(renameat2(AT_FDCWD, a[1], AT_FDCWD, a[2],
				     (unsigned)arg_num(a[3])));
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
	return call_result(mknod(a[1],
				 type_of(a[2]) | (a[3] ? arg_oct(a[3]) : 0644),
				 makedev(1, 3)));
}

static long c_bind(char **a)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", a[1]);
	return call_result(bind(fd, (void *)&sun, sizeof(sun)));
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

const struct posix_call calls_names[] = {
	{"bind", c_bind},	  {"dir", c_dir},
	{"link", c_link},	  {"linkfd", c_linkfd},
	{"mkdir", c_mkdir},	  {"mknod", c_mknod},
	{"readlink", c_readlink}, {"rename", c_rename},
	{"rmdir", c_rmdir},	  {"same", c_same},
	{"symlink", c_symlink},	  {"tell", c_tell},
	{"unlink", c_unlink},	  {0},
};
