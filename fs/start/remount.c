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

struct remount {
	const struct zsfs_options *o;
	char *path;
	struct mount_table table;
	const struct mount_entry *e;
	char *stats;
	/* What was set, and what had been there, to be put back. */
	unsigned nr_set;
	const char *file[KNOB_NR];
	char was[KNOB_NR][OPTION_VALUE_SIZE];
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

static bool same_sandbox(const struct remount *r)
{
	char room[256];

	mount_stats_value(r->stats, "off_because", room);
	return r->o->sandbox == (strcmp(room, "nosandbox") != 0);
}

static bool same_value(const struct remount *r, enum knob_id id)
{
	char was[256], is[OPTION_VALUE_SIZE];

	options_value(r->o, id, is);
	return !strcmp(mount_stats_value(r->stats, knobs[id].option, was), is);
}

static bool given(const struct remount *r, enum knob_id id)
{
	return r->o->given & OPTION_GIVEN(id);
}

/* The first FIXED knob that was given another value than it has, or NULL. */
static const char *changed_knob(const struct remount *r)
{
	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].shown && !knob_is_live(&knobs[id]) &&
		    given(r, id) && !same_value(r, id))
			return knobs[id].option;
	return NULL;
}

/* The first option that was given another value than it has, or NULL. */
static const char *changed_option(const struct remount *r)
{
	const struct zsfs_options *o = r->o;
	const struct mount_entry *e = r->e;

	if (given(r, KNOB_SURVIVE) && !same_survival(r))
		return "survive";
	if (given(r, KNOB_SANDBOX) && !same_sandbox(r))
		return "sandbox";
	if (given(r, KNOB_ALLOW_OTHER) &&
	    o->allow_other != mount_table_has(e->super_options, "allow_other"))
		return "allow_other";
	if (given(r, KNOB_FSNAME) && strcmp(o->fsname, e->source))
		return "fsname";
	if (given(r, KNOB_SUBTYPE) && strcmp(o->subtype, subtype_of(e)))
		return "subtype";
	if (given(r, KNOB_NOSWAP) && !same_memory(r, "noswap", NULL))
		return "noswap";
	if (given(r, KNOB_HUGE) && !same_memory(r, "huge", o->fs.huge))
		return "huge";
	if (given(r, KNOB_MPOL) && !same_memory(r, "mpol", o->fs.mpol))
		return "mpol";
	return changed_knob(r);
}

static int check_fixed(const struct remount *r)
{
	const char *name = changed_option(r);
	char room[256];
	struct textbuf live;

	if (!name)
		return 0;
	textbuf_init(&live, room, sizeof(room));
	knobs_list_live(&live);
	zsfs_log(LOG_ERR,
		 "%s: option %s: fixed by the mount; a remount can change %s, "
		 "nr_blocks, ro, noatime and the other flags that mount(8) has "
		 "for all file systems",
		 r->path, name, room);
	return -1;
}

/* ---- live knobs ---- */

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

	if ((err == -EINVAL || err == -EPERM) &&
	    !read_control(r, "last_cmd_status", why, sizeof(why)))
		return complain(r, why);
	zsfs_log(LOG_ERR, "%s: %s=%s: %s%s", r->path, file, val, strerror(-err),
		 err == -EACCES ? "; only its owner may change it" : "");
	return -1;
}

static int set_value(struct remount *r, enum knob_id id)
{
	char val[OPTION_VALUE_SIZE], room[256];
	int err;

	options_value(r->o, id, val);
	err = put_value(r, knobs[id].file, val);
	if (err)
		return refused(r, knobs[id].file, val, err);
	snprintf(r->was[r->nr_set], OPTION_VALUE_SIZE, "%s",
		 mount_stats_value(r->stats, knobs[id].option, room));
	r->file[r->nr_set++] = knobs[id].file;
	return 0;
}

static int set_live(struct remount *r)
{
	int err = 0;

	for (enum knob_id id = 0; !err && id < KNOB_NR; id++)
		if (knob_is_live(&knobs[id]) && given(r, id))
			err = set_value(r, id);
	return err;
}

static void undo_live(struct remount *r)
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
		return complain(r, err == -EACCES
					   ? "only its owner or who mounted "
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
		err = set_live(r);
		if (!err)
			err = set_flags(r);
		if (err)
			undo_live(r);
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
