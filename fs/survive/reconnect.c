/* SPDX-License-Identifier: BSD-3-Clause */
/* A new mount in the place of a dead one (see reconnect.h). */
#include "reconnect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mount_table.h"
#include "mount.h"
#include "serve/notify.h"
#include "state/inode.h"

/* Since Linux 6.5. */
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif

/* How long an unmount may take from the abort to its end. */
#define UNMOUNT_USECS 300

/* ---- was it an unmount? ---- */

/*
 * Does the file system of connection @fd still exist? Aborted or not, the
 * kernel finds its root inode then.
 */
static bool exists(int fd)
{
	return notify_attr(fd, ROOT_NODEID) != -ENOENT;
}

/* In this order: while it exists, its device number is nobody else's. */
bool reconnect_is_left(const struct mount_place *p, int fd)
{
	struct mount_table t;
	/* What cannot be read is no reason to drop anything. */
	bool left = mount_table_read(&t, p->dev) || t.nr > 0;

	mount_table_free(&t);
	return left && exists(fd);
}

/*
 * Is it @e that one comes to at its path? Nobody but the kernel is asked, and
 * it answers much sooner than it lists all mounts.
 */
static bool is_visible(const struct mount_entry *e)
{
	struct statx st;

	return !statx(AT_FDCWD, e->at,
		      AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
			      AT_STATX_DONT_SYNC,
		      STATX_MNT_ID, &st) &&
	       st.stx_mask & STATX_MNT_ID && st.stx_mnt_id == (uint64_t)e->id;
}

/*
 * Is the mount left, of which @main is all to be seen if it is not NULL, when
 * whoever may be at unmounting it has had time to?
 */
static bool stays(const struct mount_place *p, const struct mount_entry *main,
		  int old_fd, uint64_t until)
{
	uint64_t now = clock_us();

	if (now < until)
		usleep((useconds_t)(until - now));
	if (main && is_visible(main) && exists(old_fd))
		return true;
	return reconnect_is_left(p, old_fd);
}

/* ---- the new file system ---- */

/* What the kernel shows without having been told is refused: never mind. */
static void set_option(int fs, const char *word, const char *value)
{
	if (value)
		fsconfig(fs, FSCONFIG_SET_STRING, word, value, 0);
	else
		fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0);
}

static void set_options(int fs, const char *list)
{
	char *copy = strdup(list), *rest = copy, *word;

	while (rest && (word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		set_option(fs, word, value);
	}
	free(copy);
}

static const char *subtype_of(const struct mount_entry *e)
{
	const char *dot = strchr(e->type, '.');

	return dot ? dot + 1 : NULL;
}

static int configure(int fs, const struct mount_entry *old, int fuse_fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fuse_fd);
	set_options(fs, old->super_options);
	set_option(fs, "source", old->source);
	if (subtype_of(old))
		set_option(fs, "subtype", subtype_of(old));
	set_option(fs, "rootmode", "40000");
	set_option(fs, "fd", number);
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
}

static const struct {
	const char *word;
	uint64_t attr;
} attrs[] = {
	{"ro", MOUNT_ATTR_RDONLY},
	{"nosuid", MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC},
	{"noatime", MOUNT_ATTR_NOATIME},
	{"nodiratime", MOUNT_ATTR_NODIRATIME},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
};

/* The options of the mount @old for the mount behind @fd. */
static void set_attributes(int fd, const struct mount_entry *old)
{
	struct mount_attr a = {
		.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
			    MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW |
			    MOUNT_ATTR__ATIME,
	};

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		if (mount_table_has(old->options, attrs[i].word))
			a.attr_set |= attrs[i].attr;
	if (!(a.attr_set & MOUNT_ATTR_NOATIME) &&
	    !mount_table_has(old->options, "relatime"))
		a.attr_set |= MOUNT_ATTR_STRICTATIME;
	mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a));
}

/* A mount that is nowhere yet; its descriptor or -errno. */
static int new_mount(const struct mount_entry *old, int fuse_fd)
{
	int fs = fsopen("fuse", FSOPEN_CLOEXEC);
	int err = fs < 0 ? -errno : configure(fs, old, fuse_fd);
	int fd = -1;

	if (!err) {
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
		err = fd < 0 ? -errno : 0;
	}
	if (fs >= 0)
		close(fs);
	if (!err)
		set_attributes(fd, old);
	return err ? err : fd;
}

/* ---- its place ---- */

/*
 * The mount behind @fd takes the place of the one at @at. 0 or -errno; *@gone:
 * the old one was taken away all the same.
 */
static int put_in_place(int fd, const char *at, bool *gone)
{
	bool beneath =
		!move_mount(fd, "", AT_FDCWD, at,
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH);

	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW))
		return -errno;
	if (beneath)
		return 0;
	/* Before Linux 6.5, or where its rules forbid it. */
	if (!move_mount(fd, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH))
		return 0;
	*gone = true;
	return -errno;
}

/*
 * A mount of its own of @part of @mount, "" for all of it. What users may have
 * put in the way, symbolic links above all, leads nowhere.
 */
static int clone_part(int mount, const char *part)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int at = *part ? (int)syscall(SYS_openat2, mount, part, &how,
				      sizeof(how))
		       : fcntl(mount, F_DUPFD_CLOEXEC, 0);
	int fd = -1, err = 0;

	if (at >= 0)
		fd = open_tree(at, "",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				       AT_EMPTY_PATH);
	if (fd < 0)
		err = -errno;
	if (at >= 0)
		close(at);
	return err ? err : fd;
}

/* Put @part of the new mount, "" for all of it, wherever @old was. */
static void put_part(const struct reconnect *r, const char *part,
		     const struct mount_entry *old)
{
	int fd = clone_part(r->mount, part), err = fd < 0 ? fd : 0;
	bool gone = false;

	if (!err) {
		set_attributes(fd, old);
		err = is_visible(old) ? put_in_place(fd, old->at, &gone)
				      : -EBUSY;
		close(fd);
	}
	if (err)
		zsfs_log(LOG_WARNING,
			 "%s: stays without a connection: %s; unmount it",
			 old->at, strerror(-err));
}

/* ---- all of it ---- */

static bool is_whole(const struct mount_entry *e)
{
	return !strcmp(e->root, "/");
}

/* The mount to be replaced first: the one that was made, if it is there. */
static const struct mount_entry *find_main(const struct mount_table *t,
					   const char *mountpoint)
{
	const struct mount_entry *main = NULL;

	for (size_t i = 0; i < t->nr; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (is_whole(e) && (!main || !strcmp(e->at, mountpoint)))
			main = e;
	}
	return main;
}

/* Without asking whoever will serve it. */
static void note_device(int mount, struct mount_place *p)
{
	struct statx st;

	if (!statx(mount, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st))
		snprintf(p->dev, sizeof(p->dev), "%u:%u", st.stx_dev_major,
			 st.stx_dev_minor);
}

static int replace_mounts(struct reconnect *r, struct mount_place *p,
			  const struct mount_entry *main)
{
	int err = 0;

	if (main)
		err = is_visible(main)
			      ? put_in_place(r->mount, main->at, &p->gone)
			      : -EBUSY;
	for (size_t i = 0; !err && i < r->old.nr; i++)
		if (&r->old.entries[i] != main && is_whole(&r->old.entries[i]))
			put_part(r, "", &r->old.entries[i]);
	return err;
}

/* The new mount is made while somebody may still be at unmounting the old. */
static int mount_as_root(struct reconnect *r, struct mount_place *p, int old_fd,
			 uint64_t until)
{
	const struct mount_entry *main = find_main(&r->old, p->mountpoint);
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	r->mount = new_mount(main ? main : r->old.entries, fd);
	err = r->mount < 0 ? r->mount : 0;
	if (!err && !stays(p, main, old_fd, until))
		err = -ENOENT;
	if (!err)
		err = replace_mounts(r, p, main);
	if (err) {
		close(fd);
		return err;
	}
	note_device(r->mount, p);
	return fd;
}

/* With libfuse, and fusermount3 where that is needed. */
static int mount_by_path(struct mount_place *p, const char *opts)
{
	int fd;

	if (!p->gone && !mount_is_visible(p))
		return -EBUSY;
	mount_detach(p);
	p->gone = true;
	fd = mount_make(p->mountpoint, opts);
	if (fd >= 0) {
		p->gone = false;
		mount_find(p);
	}
	return fd;
}

int reconnect_mount(struct reconnect *r, struct mount_place *p, int old_fd,
		    const char *user_opts)
{
	uint64_t until = clock_us() + UNMOUNT_USECS;
	int err;

	r->mount = -1;
	/* The old one was taken away, and making another failed. */
	if (p->gone)
		return mount_by_path(p, user_opts);
	err = mount_table_read(&r->old, p->dev);
	if (!err && r->old.nr == 0)
		err = -ENOENT;
	if (!err)
		err = mount_as_root(r, p, old_fd, until);
	if (err != -EPERM)
		return err;
	return stays(p, NULL, old_fd, until) ? mount_by_path(p, user_opts)
					     : -ENOENT;
}

void reconnect_parts(const struct reconnect *r)
{
	for (size_t i = 0; r->mount >= 0 && i < r->old.nr; i++)
		if (!is_whole(&r->old.entries[i]))
			put_part(r, r->old.entries[i].root + 1,
				 &r->old.entries[i]);
}

void reconnect_end(struct reconnect *r)
{
	mount_table_free(&r->old);
	if (r->mount >= 0)
		close(r->mount);
	r->mount = -1;
}
