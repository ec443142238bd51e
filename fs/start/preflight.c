/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks before the mount (see preflight.h). */
#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "arena.h"
#include "base/mount_table.h"

/* ---- what is mounted there ---- */

/* The type of the mount at @path; false when there is none. */
static bool mounted_type(const char *path, char type[64])
{
	const struct mount_entry *e = NULL;
	struct mount_table t;

	if (!mount_table_read(&t, NULL))
		e = mount_table_top(&t, path);
	if (e)
		snprintf(type, 64, "%s", e->type);
	mount_table_free(&t);
	return e;
}

/* ---- mountpoint ---- */

/* @path, cut so that all of a message fits into a line of the log. */
static const char *shown(const char *path, char room[256])
{
	snprintf(room, 256, "%.250s%s", path, strlen(path) > 250 ? ".." : "");
	return room;
}

static void explain_path(const char *path, int err, char *msg, size_t size)
{
	const char *why = strerror(err);
	char room[256], type[64];

	path = shown(path, room);
	switch (err) {
	case ENOENT:
		snprintf(msg, size,
			 "mountpoint %s does not exist; make it with: mkdir -p "
			 "%s",
			 path, path);
		break;
	case ENOTDIR:
		snprintf(msg, size,
			 "mountpoint %s: a part of the path is not a directory",
			 path);
		break;
	case ENOTCONN:
		snprintf(msg, size,
			 "mountpoint %s holds a FUSE mount whose daemon has "
			 "died; remove it with: umount -l %s (or fusermount3 "
			 "-uz %s)",
			 path, path, path);
		break;
	case EACCES:
		if (mounted_type(path, type) && !strncmp(type, "fuse", 4)) {
			snprintf(msg, size,
				 "mountpoint %s holds a FUSE mount that only "
				 "its user may look into; unmount it first",
				 path);
			break;
		}
		snprintf(msg, size,
			 "mountpoint %s: you may not enter a directory on the "
			 "way to it",
			 path);
		break;
	default:
		snprintf(msg, size, "mountpoint %s: %s", path, why);
	}
}

/* What fusermount3 asks of an ordinary user's mountpoint. */
static bool user_may_mount_on(const char *path, const struct stat *st)
{
	if (access(path, W_OK) != 0)
		return false;
	return !(st->st_mode & S_ISVTX) || st->st_uid == getuid();
}

char *preflight_mountpoint(const char *path, bool privileged, char *msg,
			   size_t size)
{
	char *full = realpath(path, NULL);
	char room[256];
	struct statfs sfs;
	struct stat st;

	/* Of a mount that has died the kernel may still know the root. */
	if (!full || stat(full, &st) != 0 || statfs(full, &sfs) != 0) {
		explain_path(path, errno, msg, size);
		goto err_free;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(msg, size, "mountpoint %s is not a directory",
			 shown(path, room));
		goto err_free;
	}
	if (!privileged && !user_may_mount_on(full, &st)) {
		snprintf(
			msg, size,
			"mountpoint %s: you may only mount on a directory that "
			"you may write to and, if it is sticky, own",
			shown(path, room));
		goto err_free;
	}
	return full;

err_free:
	free(full);
	return NULL;
}

/* ---- what is meant by it ---- */

/* It may have been given any subtype, or be closed to us. */
bool preflight_is_zsfs(const char *full)
{
	char stats[PATH_MAX], type[64];
	int n = snprintf(stats, sizeof(stats), "%s/.zsstats", full);

	if (!mounted_type(full, type) || strncmp(type, "fuse", 4))
		return false;
	if (!strcmp(type, "fuse.zsfs"))
		return true;
	return n > 0 && (size_t)n < sizeof(stats) && access(stats, F_OK) == 0;
}

int preflight_not_mounted(const char *full, char *msg, size_t size)
{
	char room[256];

	if (!preflight_is_zsfs(full))
		return 0;
	shown(full, room);
	snprintf(msg, size,
		 "a zsfs is mounted on %s already: umount %s ends it (an "
		 "ordinary user: fusermount3 -u), -o remount,size=8G changes "
		 "its limits, and -o stack mounts another one over it",
		 room, room);
	return -EBUSY;
}

int preflight_machine(long page_size, char *msg, size_t size)
{
	if (page_size == ARENA_PAGE_SIZE)
		return 0;
	snprintf(msg, size,
		 "this kernel has pages of %ld bytes; zsfs needs a kernel with "
		 "pages of %u",
		 page_size, ARENA_PAGE_SIZE);
	return -EOPNOTSUPP;
}

int preflight_source(const char *source, char *msg, size_t size)
{
	char room[256];
	struct stat st;

	if (!strchr(source, '/') || stat(source, &st))
		return 0;
	snprintf(msg, size,
		 "SOURCE is only a name, and nothing of %s would be in the "
		 "mount, which begins empty and keeps all in RAM. Leave it "
		 "away; where the name is wanted, -o fsname=%s",
		 shown(source, room), room);
	return -EINVAL;
}

/* ---- /dev/fuse ---- */

int preflight_device(const char *dev, char *msg, size_t size)
{
	int fd = open(dev, O_RDWR | O_CLOEXEC);
	int err = errno;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		snprintf(msg, size,
			 "%s is missing: load the kernel's FUSE module with "
			 "\"modprobe fuse\"; in a container, pass the device "
			 "to it with --device /dev/fuse --cap-add SYS_ADMIN",
			 dev);
		break;
	case EACCES:
	case EPERM:
		snprintf(msg, size,
			 "%s may not be opened: as a user, ask for \"chmod 666 "
			 "/dev/fuse\", which is the normal setting; in a "
			 "container, pass the device to it with --device "
			 "/dev/fuse --cap-add SYS_ADMIN",
			 dev);
		break;
	default:
		snprintf(msg, size, "%s cannot be opened: %s", dev,
			 strerror(err));
	}
	return -err;
}

/* ---- ordinary users ---- */

static bool is_program(const char *dir, size_t len, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0;
}

static bool in_path(const char *path, const char *name)
{
	for (;;) {
		size_t len = strcspn(path, ":");

		if (len && is_program(path, len, name))
			return true;
		if (!path[len])
			return false;
		path += len + 1;
	}
}

/* Does the file have @word on a line of its own? */
static bool has_line(const char *file, const char *word)
{
	FILE *f = fopen(file, "re");
	bool found = false;
	char line[256];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *end = line + strcspn(line, "\r\n");

		while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		*end = '\0';
		found = strcmp(line + strspn(line, " \t"), word) == 0;
	}
	fclose(f);
	return found;
}

int preflight_user(const char *path, const char *conf, bool allow_other,
		   char *msg, size_t size)
{
	if (!in_path(path, "fusermount3")) {
		snprintf(msg, size,
			 "fusermount3 is missing, and only root can mount "
			 "without it: install the package fuse3");
		return -ENOENT;
	}
	if (allow_other && !has_line(conf, "user_allow_other")) {
		snprintf(msg, size,
			 "option allow_other: only root may use it, unless %s "
			 "has the line \"user_allow_other\"",
			 conf);
		return -EPERM;
	}
	return 0;
}
