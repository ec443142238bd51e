/* SPDX-License-Identifier: BSD-3-Clause */
/* Making the mount and taking it away (see mount.h). */
#define FUSE_USE_VERSION 35
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mount_table.h"

/* The default of 128 KiB makes cold reads slow. */
#define READ_AHEAD_KB 1024
/*
 * Per cent of what the machine may hold that is not written back. The default
 * for FUSE is 1, which makes short bursts wait on machines with little RAM.
 * What is held takes RAM uncompressed, and is written back page by page when
 * somebody asks where data is (serve/writeback.h).
 */
#define MAX_RATIO 5

/* ---- making ---- */

/*
 * libfuse mounts, with fusermount3 where that is needed. Of its session only
 * the connection is wanted; it is kept, since its end would close that and
 * still leave memory of the mount behind.
 */
int mount_make(const char *mountpoint, const char *opts)
{
	static const struct fuse_lowlevel_ops none;
	/* volatile: nobody looks at it but those who look for leaks. */
	static struct fuse_session *volatile kept;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se = NULL;
	int err = 0;

	if (fuse_opt_add_arg(&args, "zsfs") ||
	    (opts[0] &&
	     (fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, opts))))
		err = -ENOMEM;
	if (!err)
		se = fuse_session_new(&args, &none, sizeof(none), NULL);
	fuse_opt_free_args(&args);
	if (err || !se)
		return err ? err : -EINVAL;
	errno = 0;
	if (!fuse_session_mount(se, mountpoint)) {
		kept = se;
		return fuse_session_fd(kept);
	}
	err = errno ? -errno : -EIO;
	fuse_session_destroy(se);
	return err;
}

int mount_set_flags(const char *mountpoint, unsigned long flags)
{
	struct mount_attr attr = {0};

	if (flags & MS_NODIRATIME)
		attr.attr_set |= MOUNT_ATTR_NODIRATIME;
	if (flags & MS_NOSYMFOLLOW)
		attr.attr_set |= MOUNT_ATTR_NOSYMFOLLOW;
	if (flags & MS_STRICTATIME) {
		attr.attr_clr |= MOUNT_ATTR__ATIME;
		attr.attr_set |= MOUNT_ATTR_STRICTATIME;
	}
	if (!attr.attr_set)
		return 0;
	return mount_setattr(AT_FDCWD, mountpoint, 0, &attr, sizeof(attr))
		       ? -errno
		       : 0;
}

/* ---- finding ---- */

/* Copy "major:minor" of the newest mount at @path. */
static bool find_device(const char *path, char *dev, size_t size)
{
	const struct mount_entry *e = NULL;
	struct mount_table t;

	if (!mount_table_read(&t, NULL))
		e = mount_table_top(&t, path);
	if (e)
		snprintf(dev, size, "%s", e->dev);
	mount_table_free(&t);
	return e;
}

void mount_find(struct mount_place *p)
{
	if (!find_device(p->mountpoint, p->dev, sizeof(p->dev)))
		p->dev[0] = '\0';
}

/* Is our mount the one that its path leads to? */
static bool is_on_top(const struct mount_place *p, bool *other)
{
	char dev[MOUNT_DEV_SIZE];
	bool found = find_device(p->mountpoint, dev, sizeof(dev));

	*other = p->dev[0] && found && strcmp(dev, p->dev);
	return p->dev[0] && found && !*other;
}

/* ---- telling the kernel ---- */

/* Only root can. @value, or 0 when it could not be set. */
static unsigned set_bdi(const struct mount_place *p, const char *file,
			unsigned value)
{
	char path[96], text[16];
	int fd, len;
	bool ok;

	snprintf(path, sizeof(path), "/sys/class/bdi/%s/%s", p->dev, file);
	fd = p->dev[0] ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	len = snprintf(text, sizeof(text), "%u", value);
	ok = write(fd, text, (size_t)len) == len;
	close(fd);
	return ok ? value : 0;
}

struct mount_tuning mount_tune(const struct mount_place *p, bool writeback)
{
	return (struct mount_tuning){
		.read_ahead_kb = set_bdi(p, "read_ahead_kb", READ_AHEAD_KB),
		.max_ratio = writeback ? set_bdi(p, "max_ratio", MAX_RATIO) : 0,
	};
}

/*
 * Open and close what is a regular file. Whoever serves the mount may say that
 * it is a link to anywhere, a device or a fifo.
 */
static void touch_regular(int dir, const char *name)
{
	int at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	char link[32];
	struct stat st;

	if (at < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	if (!fstat(at, &st) && S_ISREG(st.st_mode))
		fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	close(at);
}

/*
 * The kernel learns that OPEN, OPENDIR and FLUSH are not answered from the
 * first of each; until then every file that is created costs a RELEASE. So
 * have one of each right away.
 */
void mount_teach_kernel(const struct mount_place *p)
{
	int root = open(p->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir = -1;

	if (root >= 0)
		dir = openat(root, ".zsstats",
			     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0) {
		touch_regular(dir, "mm_stat");
		close(dir);
	}
	if (root >= 0)
		close(root);
}

/* ---- taking away ---- */

static void spawn_fusermount(const char *mountpoint)
{
	char *const argv[] = {(char *)"fusermount3",
			      (char *)"-u",
			      (char *)"-q",
			      (char *)"-z",
			      (char *)"--",
			      (char *)(uintptr_t)mountpoint,
			      NULL};
	pid_t pid;

	if (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}

void mount_detach(const struct mount_place *p)
{
	bool other;

	if (p->gone)
		return;
	/* A path names the mount on top, which may be somebody else's. */
	if (!is_on_top(p, &other) && other) {
		zsfs_log(LOG_NOTICE,
			 "not unmounted: %s has another mount on top",
			 p->mountpoint);
		return;
	}
	if (umount2(p->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) &&
	    errno == EPERM)
		spawn_fusermount(p->mountpoint);
}

bool mount_is_visible(const struct mount_place *p)
{
	bool other;

	return is_on_top(p, &other);
}

void mount_detach_dead(const struct mount_place *p)
{
	if (mount_is_visible(p))
		mount_detach(p);
}
