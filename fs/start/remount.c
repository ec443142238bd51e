/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing a live mount (see remount.h). */
#include "remount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mount_table.h"
#include "control/vfile.h"
#include "mount_stats.h"
#include "preflight.h"
#include "volume/volume.h"

#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME)
#define NR_LIMITS   4u

struct remount {
	const struct zsfs_options *o;
	char *path;
	struct mount_table table;
	const struct mount_entry *e;
	char *stats;
	/* What was set, and what had been there, to be put back. */
	unsigned nr_set;
	const char *file[NR_LIMITS];
	char was[NR_LIMITS][VFILE_VALUE_SIZE];
};

static int complain(const struct remount *r, const char *what)
{
	zsfs_log(LOG_ERR, "%s: %s", r->path, what);
	return -1;
}

/* ---- what cannot be changed ---- */

static const char *subtype_of(const struct mount_entry *e)
{
	const char *dot = strchr(e->type, '.');

	return dot ? dot + 1 : "";
}

/* Is an option of the arena what it was? */
static bool same_memory(const struct remount *r, const char *name,
			const char *val)
{
	char room[256], word[128];
	const char *was = mount_stats_value(r->stats, "memory_options", room);

	snprintf(word, sizeof(word), "%s%s%s", name, val ? "=" : "",
		 val ? val : "");
	/* A policy has commas in it. */
	return mount_table_has(was, word) ||
	       (!strcmp(name, "mpol") && strstr(was, word));
}

static bool same_survival(const struct remount *r)
{
	char room[256];

	mount_stats_value(r->stats, "why_not", room);
	return r->o->survive == (strcmp(room, "nosurvive") != 0);
}

static bool same_chain_size(const struct remount *r)
{
	char room[256];

	mount_stats_value(r->stats, "chain_size", room);
	return (unsigned)atoi(room) == r->o->fs.chain_size;
}

/* The first option that was given another value than it has, or NULL. */
static const char *changed_option(const struct remount *r)
{
	const struct zsfs_options *o = r->o;
	const struct mount_entry *e = r->e;
	unsigned given = o->given;

	if (given & GIVEN_CHAIN_SIZE && !same_chain_size(r))
		return "chain_size";
	if (given & GIVEN_SURVIVE && !same_survival(r))
		return "survive";
	if (given & GIVEN_ALLOW_OTHER &&
	    o->allow_other != mount_table_has(e->super_options, "allow_other"))
		return "allow_other";
	if (given & GIVEN_FSNAME && strcmp(o->fsname, e->source))
		return "fsname";
	if (given & GIVEN_SUBTYPE && strcmp(o->subtype, subtype_of(e)))
		return "subtype";
	if (given & GIVEN_NOSWAP && !same_memory(r, "noswap", NULL))
		return "noswap";
	if (given & GIVEN_HUGE && !same_memory(r, "huge", o->fs.huge))
		return "huge";
	if (given & GIVEN_MPOL && !same_memory(r, "mpol", o->fs.mpol))
		return "mpol";
	return NULL;
}

static int check_fixed(const struct remount *r)
{
	const char *name = changed_option(r);

	if (!name)
		return 0;
	zsfs_log(LOG_ERR,
		 "%s: option %s: fixed by the mount; a remount can change "
		 "size, nr_blocks, mem_limit, nr_inodes, comp, ro, noatime and "
		 "the other flags that mount(8) has for all file systems",
		 r->path, name);
	return -1;
}

/* ---- limits ---- */

static int open_control(const struct remount *r, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/.zsctl/%s", r->path, file);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int read_control(const struct remount *r, const char *file, char *text,
			size_t size)
{
	int fd = open_control(r, file);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err;
}

static int put_value(const struct remount *r, const char *file, const char *val)
{
	char arg[VFILE_VALUE_SIZE] = "";
	int fd = open_control(r, file), err;

	if (fd < 0)
		return -errno;
	snprintf(arg, sizeof(arg), "%s", val);
	err = ioctl(fd, VFILE_SET, arg) ? -errno : 0;
	close(fd);
	return err;
}

static int refused(const struct remount *r, const char *file, const char *val,
		   int err)
{
	char why[512];

	if (err == -EINVAL &&
	    !read_control(r, "last_cmd_status", why, sizeof(why)))
		return complain(r, why);
	zsfs_log(LOG_ERR, "%s: %s=%s: %s%s", r->path, file, val, strerror(-err),
		 err == -EACCES ? "; only its owner may change it" : "");
	return -1;
}

/* Of the algorithm the file shows all that there are. */
static int read_old(struct remount *r, const char *file, char *was)
{
	char room[256];

	if (strcmp(file, "comp_algorithm"))
		return read_control(r, file, was, VFILE_VALUE_SIZE);
	snprintf(was, VFILE_VALUE_SIZE, "%s",
		 mount_stats_value(r->stats, "comp", room));
	return 0;
}

static int set_value(struct remount *r, const char *file, const char *val)
{
	char *was = r->was[r->nr_set];
	int err = read_old(r, file, was);

	if (!err)
		err = put_value(r, file, val);
	if (err)
		return refused(r, file, val, err);
	r->file[r->nr_set++] = file;
	return 0;
}

static int set_limit(struct remount *r, const char *file, uint64_t val)
{
	char text[VFILE_VALUE_SIZE];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)val);
	return set_value(r, file, text);
}

static int set_comp(struct remount *r)
{
	char text[VFILE_VALUE_SIZE];

	zcomp_format(&r->o->fs.comp, text, sizeof(text));
	return set_value(r, "comp_algorithm", text);
}

static int set_limits(struct remount *r)
{
	const struct zsfs_params *fs = &r->o->fs;
	unsigned given = r->o->given;
	int err = 0;

	if (given & GIVEN_SIZE)
		err = set_limit(r, "size", fs->size_limit);
	if (!err && given & GIVEN_MEM_LIMIT)
		err = set_limit(r, "mem_limit", fs->mem_limit);
	if (!err && given & GIVEN_NR_INODES)
		err = set_limit(r, "nr_inodes", fs->inode_limit);
	if (!err && given & GIVEN_COMP)
		err = set_comp(r);
	return err;
}

static void undo_limits(struct remount *r)
{
	while (r->nr_set--)
		put_value(r, r->file[r->nr_set], r->was[r->nr_set]);
}

/* ---- flags ---- */

/* Flags that mountinfo says of a mount. */
static unsigned long flags_of(const struct mount_entry *e)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} words[] = {
		{"ro", MS_RDONLY},
		{"nosuid", MS_NOSUID},
		{"nodev", MS_NODEV},
		{"noexec", MS_NOEXEC},
		{"noatime", MS_NOATIME},
		{"nodiratime", MS_NODIRATIME},
		{"nosymfollow", MS_NOSYMFOLLOW},
		{"sync", MS_SYNCHRONOUS},
		{"dirsync", MS_DIRSYNC},
	};
	unsigned long flags = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (mount_table_has(e->options, words[i].word) ||
		    mount_table_has(e->super_options, words[i].word))
			flags |= words[i].flag;
	if (!(flags & MS_NOATIME) && !mount_table_has(e->options, "relatime"))
		flags |= MS_STRICTATIME;
	return flags;
}

/*
 * mount(8) says all that there shall be, where a list by hand says what shall
 * be different; but of times of access nothing said is nothing changed, as in
 * mount(2).
 */
static unsigned long wanted_flags(const struct zsfs_options *o,
				  unsigned long now)
{
	unsigned long base = o->complete ? now & MS_DIRSYNC : now;

	if (o->complete && !(o->flags_given & ATIME_FLAGS))
		base |= now & ATIME_FLAGS;
	return (base & ~o->flags_given) | o->flags;
}

static int explain_flags(const struct remount *r, int err)
{
	switch (err) {
	case EBUSY:
		return complain(r, "busy: files are open for writing, so it "
				   "cannot become read-only");
	case EPERM:
		return complain(r, "only root may change the flags of a mount; "
				   "unmount it and mount it anew");
	default:
		return complain(r, strerror(err));
	}
}

static int set_flags(const struct remount *r)
{
	unsigned long now = flags_of(r->e), want = wanted_flags(r->o, now);
	/* Without it, nothing said would be nothing changed. */
	unsigned long relatime =
		want & (MS_NOATIME | MS_STRICTATIME) ? 0 : MS_RELATIME;

	if (want == now)
		return 0;
	if ((want ^ now) & MS_DIRSYNC)
		return complain(r, "option dirsync: fixed by the mount");
	if (mount(NULL, r->path, NULL, MS_REMOUNT | want | relatime, NULL))
		return explain_flags(r, errno);
	return 0;
}

/* ---- all of it ---- */

static int find_mount(struct remount *r)
{
	int err = mount_table_read(&r->table, NULL);

	if (err)
		return complain(r, strerror(-err));
	r->e = mount_table_top(&r->table, r->path);
	if (!r->e || !preflight_is_zsfs(r->path))
		return complain(r, "no zsfs is mounted there");
	r->stats = malloc(MOUNT_STATS_SIZE);
	if (!r->stats)
		return complain(r, strerror(ENOMEM));
	err = mount_stats_read(r->path, r->stats);
	if (err)
		return complain(r, err == -EACCES ? "only the user who mounted "
						    "it can look into it"
						  : strerror(-err));
	return 0;
}

static int remount(struct remount *r)
{
	int err = find_mount(r);

	if (!err)
		err = check_fixed(r);
	if (!err && !r->o->fake) {
		err = set_limits(r);
		if (!err)
			err = set_flags(r);
		if (err)
			undo_limits(r);
		/* Have the daemon see the new flags before we return. */
		mount_stats_read(r->path, r->stats);
	}
	return err;
}

int remount_command(const struct zsfs_options *o)
{
	struct remount r = {.o = o};
	char msg[PREFLIGHT_MSG_SIZE];
	int err = -1;

	r.path = preflight_mountpoint(o->mountpoint, true, msg, sizeof(msg));
	if (r.path)
		err = remount(&r);
	else
		zsfs_log(LOG_ERR, "%s", msg);
	mount_table_free(&r.table);
	free(r.stats);
	free(r.path);
	return err ? 1 : 0;
}
