/* SPDX-License-Identifier: BSD-3-Clause */
/* Who else is in the mount namespace (see witness.h). */
#include "witness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* PF_KTHREAD of the flags in /proc/PID/stat. */
#define KERNEL_THREAD 0x00200000u

/* What /proc/@pid/@name points to; "" when that cannot be read. */
static const char *read_link(const char *pid, const char *name,
			     char room[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
	n = readlink(path, room, PATH_MAX - 1);
	room[n > 0 ? n : 0] = '\0';
	return room;
}

static bool same_link(const char *pid, const char *name, const char *ours)
{
	char room[PATH_MAX];

	return !strcmp(read_link(pid, name, room), ours);
}

/* Of the oldest, which may be expected to live longest. */
static int find_in(DIR *proc, const char *ns, const char *exe)
{
	struct dirent *e;
	int fd = -ESRCH;

	while (fd < 0 && (e = readdir(proc)))
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' &&
		    same_link(e->d_name, "ns/mnt", ns) &&
		    !same_link(e->d_name, "exe", exe))
			fd = pidfd_open(atoi(e->d_name), 0);
	return fd < 0 ? -ESRCH : fd;
}

int witness_find(void)
{
	char ns[PATH_MAX], exe[PATH_MAX];
	DIR *proc;
	int fd;

	if (!*read_link("self", "ns/mnt", ns) ||
	    !*read_link("self", "exe", exe))
		return -errno;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	fd = find_in(proc, ns, exe);
	closedir(proc);
	return fd;
}

/* Process 2 is one of the kernel's wherever process 1 is the machine's. */
static bool is_kernel_thread(const char *stat_file)
{
	FILE *f = fopen(stat_file, "re");
	unsigned flags = 0;

	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u",
			   &flags) != 1)
			flags = 0;
		fclose(f);
	}
	return flags & KERNEL_THREAD;
}

/* One that lives as long as the machine, or the container. */
static int open_home(void)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && is_kernel_thread("/proc/2/stat"))
		fd = open("/proc/2/ns/mnt", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int witness_leave(void)
{
	int fd = open_home(), err;

	if (fd < 0)
		return fd;
	err = setns(fd, CLONE_NEWNS) ? -errno : 0;
	close(fd);
	return err;
}
