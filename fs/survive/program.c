/* SPDX-License-Identifier: BSD-3-Clause */
/* The executable file that the keeper runs next (see program.h). */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What stands for whoever a user namespace does not map. */
#define OVERFLOW_ID 65534u

/* ---- finding ---- */

/* The process's name ends with a new line there. */
static bool asks(int proc)
{
	char name[sizeof(PROGRAM_ASKS)] = "";
	int fd = openat(proc, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, name, sizeof(name));
	close(fd);
	return n == (ssize_t)sizeof(name) &&
	       !memcmp(name, PROGRAM_ASKS "\n", sizeof(name));
}

static bool is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* The folder is that of one process for good, whatever becomes of its number.
 */
int program_of(pid_t pid)
{
	char path[32];
	struct stat st;
	int proc, fd = -1;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -ENOENT;
	if (!fstat(proc, &st) && is_ours(st.st_uid) && asks(proc))
		fd = openat(proc, "exe", O_PATH | O_CLOEXEC);
	close(proc);
	return fd < 0 ? -ENOENT : fd;
}

int program_at(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- checking ---- */

/* Are there users that this process does not know? */
static bool in_user_namespace(void)
{
	unsigned first = 0, outside = 0, nr = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	int found;

	if (!f)
		return false;
	found = fscanf(f, "%u %u %u", &first, &outside, &nr);
	fclose(f);
	return found == 3 && nr != UINT_MAX;
}

static bool may_own(uid_t uid)
{
	return is_ours(uid) || (uid == OVERFLOW_ID && in_user_namespace());
}

/* With a list, the group's bits are what anybody on it may at most. */
static bool has_list(int fd)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return getxattr(link, "system.posix_acl_access", NULL, 0) >= 0 ||
	       (errno != ENODATA && errno != EOPNOTSUPP);
}

/* A group of its own is what many systems give to each user. */
static bool others_may_write(int fd, const struct stat *st)
{
	bool own_group = st->st_gid == 0 || st->st_gid == getegid();

	return st->st_mode & S_IWOTH ||
	       (st->st_mode & S_IWGRP && (!own_group || has_list(fd)));
}

int program_check(int fd, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		snprintf(why, size, "the program is no file");
	else if (!may_own(st.st_uid))
		snprintf(why, size,
			 "the program belongs to user %u, who could change it; "
			 "it has to be root's or of who mounted: chown it",
			 st.st_uid);
	else if (others_may_write(fd, &st))
		snprintf(why, size,
			 "others may write to the program (mode %o): chmod "
			 "go-w it",
			 st.st_mode & 07777u);
	else
		return 0;
	return -EACCES;
}

/* ---- its path ---- */

void program_path(int fd, char *path, size_t size)
{
	char link[32];
	struct stat here, there;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	path[n > 0 ? n : 0] = '\0';
	if (stat(path, &there) || fstat(fd, &here) ||
	    here.st_dev != there.st_dev || here.st_ino != there.st_ino)
		path[0] = '\0';
}

/* ---- running ---- */

int program_run(int fd, char *const argv[])
{
	execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}
