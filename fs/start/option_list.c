/* SPDX-License-Identifier: BSD-3-Clause */
/* The options behind -o: a table of them, and how a list of them is read. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>

#include "base/size_arg.h"
#include "options_i.h"

/* Longest item of a list. */
#define MAX_ITEM 1024u

/* ---- the table ---- */

#define AT(field) offsetof(struct zsfs_options, field)
#define FLAG(n, on, off)                                                       \
	{                                                                      \
		n, NO_VALUE, set_flags, on, off, NULL, 0                       \
	}
#define SWITCH(n, field)                                                       \
	{                                                                      \
		n, NO_VALUE, set_switch, AT(field), 0, NULL, 0                 \
	}
#define IGNORED(n)                                                             \
	{                                                                      \
		n, MAYBE_VALUE, set_nothing, 0, 0, NULL, 0                     \
	}
/* Means nothing here; noted in stats.json. */
#define IDLE(n)                                                                \
	{                                                                      \
		n, NO_VALUE, set_idle, 0, 0, NULL, 0                           \
	}
/* What mountinfo says and mount(8) repeats in a remount. */
#define KERNEL(n)                                                              \
	{                                                                      \
		n, VALUE, set_kernel_word, 0, 0, NULL, 0                       \
	}
#define REFUSED(n, why)                                                        \
	{                                                                      \
		n, MAYBE_VALUE, set_refused, 0, 0, why, 0                      \
	}

#define QUOTA_WHY                                                              \
	"limits for each user are not kept; size= and nr_inodes= hold for "    \
	"all together"
#define CASE_WHY     "names are told apart by every byte"
#define CONTEXT_TEXT "an SELinux context of at most 255 bytes"

/* clang-format off */
#define TAKES(kind)                                                            \
	(KIND_##kind == KIND_FLAG   ? YES_OR_NO                                \
	 : KIND_##kind == KIND_MARK ? NO_VALUE                                 \
				    : VALUE)
#define OPTION(id, name, kind, set, field, ...)                                \
	[KNOB_##id] = {#name, TAKES(kind), set, AT(field), KIND_##kind, NULL,  \
		       OPTION_GIVEN(KNOB_##id)},
#define CONTROL(...)
/* clang-format on */

const struct option_def knob_options[KNOB_NR] = {
	KNOBS(OPTION, OPTION, OPTION, CONTROL)};

/* What mount(8) has for all file systems, and what is only known. */
static const struct option_def options[] = {
	{"context", VALUE, set_context, 0, 0, CONTEXT_TEXT, 0},
	{"fscontext", VALUE, set_context, 0, 0, CONTEXT_TEXT, 0},
	{"defcontext", VALUE, set_context, 0, 0, CONTEXT_TEXT, 0},
	{"rootcontext", VALUE, set_context, 0, 0, CONTEXT_TEXT, 0},
	FLAG("noatime", MS_NOATIME, MS_STRICTATIME),
	FLAG("atime", 0, MS_NOATIME),
	FLAG("relatime", 0, MS_NOATIME | MS_STRICTATIME),
	FLAG("strictatime", MS_STRICTATIME, MS_NOATIME),
	FLAG("nostrictatime", 0, MS_STRICTATIME),
	FLAG("nodiratime", MS_NODIRATIME, 0),
	FLAG("diratime", 0, MS_NODIRATIME),
	FLAG("ro", MS_RDONLY, 0),
	FLAG("rw", 0, MS_RDONLY),
	FLAG("noexec", MS_NOEXEC, 0),
	FLAG("exec", 0, MS_NOEXEC),
	FLAG("nosuid", MS_NOSUID, 0),
	FLAG("suid", 0, MS_NOSUID),
	FLAG("nodev", MS_NODEV, 0),
	FLAG("dev", 0, MS_NODEV),
	FLAG("nosymfollow", MS_NOSYMFOLLOW, 0),
	FLAG("symfollow", 0, MS_NOSYMFOLLOW),
	FLAG("sync", MS_SYNCHRONOUS, 0),
	FLAG("async", 0, MS_SYNCHRONOUS),
	FLAG("dirsync", MS_DIRSYNC, 0),
	SWITCH("stack", stack),
	/* What mount(8) and fstab say to each other. */
	IGNORED("defaults"),
	IGNORED("auto"),
	IGNORED("noauto"),
	IGNORED("user"),
	IGNORED("nouser"),
	IGNORED("users"),
	IGNORED("nousers"),
	IGNORED("owner"),
	IGNORED("noowner"),
	IGNORED("group"),
	IGNORED("nogroup"),
	IGNORED("nofail"),
	IGNORED("_netdev"),
	IGNORED("comment"),
	IGNORED("helper"),
	IGNORED("uhelper"),
	IGNORED("silent"),
	IGNORED("loud"),
	/* So it is without them. */
	IGNORED("norelatime"),
	IGNORED("noiversion"),
	IGNORED("nomand"),
	IGNORED("nolazytime"),
	IGNORED("noquota"),
	/* What the kernel shows where SELinux is in use. */
	IGNORED("seclabel"),
	IGNORED("inode64"),
	IGNORED("nonempty"),
	IGNORED("default_permissions"),
	/* All that a RAM disk knows of a file is in memory anyway. */
	IDLE("lazytime"),
	/* Who exports the mount goes by the change time. */
	IDLE("iversion"),
	/* Linux has no mandatory locks any more (since 5.15). */
	IDLE("mand"),
	/* Kept for the first 4,294,967,295 files; then nothing starts anew. */
	IDLE("inode32"),
	/* Known, but not kept: better said than silently not done. */
	REFUSED("quota", QUOTA_WHY),
	REFUSED("usrquota", QUOTA_WHY),
	REFUSED("grpquota", QUOTA_WHY),
	REFUSED("usrquota_block_hardlimit", QUOTA_WHY),
	REFUSED("usrquota_inode_hardlimit", QUOTA_WHY),
	REFUSED("grpquota_block_hardlimit", QUOTA_WHY),
	REFUSED("grpquota_inode_hardlimit", QUOTA_WHY),
	REFUSED("casefold", CASE_WHY),
	REFUSED("strict_encoding", CASE_WHY),
	REFUSED("disksize", "there is no device; size= limits the content, "
			    "mem_limit= the RAM"),
	REFUSED("bind", "only new mounts are made here; use mount --bind"),
	REFUSED("auto_unmount", "because the mount has to outlive a daemon "
				"that another one takes over from; to "
				"unmount, send the daemon SIGTERM"),
	REFUSED("allow_root", "because other users would be let in by the "
			      "kernel's caches; use allow_other and mode="),
	SWITCH("remount", remount),
	KERNEL("user_id"),
	KERNEL("group_id"),
	KERNEL("rootmode"),
	KERNEL("fd"),
	KERNEL("max_read"),
	KERNEL("blksize"),
};

const struct option_def *options_at(size_t i)
{
	const size_t n = sizeof(options) / sizeof(options[0]);

	if (i < KNOB_NR)
		return &knob_options[i];
	return i - KNOB_NR < n ? &options[i - KNOB_NR] : NULL;
}

static bool is_word(const char *word, const char *name, size_t len)
{
	return strncmp(word, name, len) == 0 && word[len] == '\0';
}

static bool has_name(const struct option_def *d, const char *name, size_t len)
{
	if (!d->name)
		return false;
	if (d->takes == YES_OR_NO && len > 2 && !strncmp(name, "no", 2) &&
	    is_word(d->name, name + 2, len - 2))
		return true;
	return is_word(d->name, name, len);
}

static const struct option_def *find_option(const char *name, size_t len)
{
	const struct option_def *d;

	for (size_t i = 0; (d = options_at(i)); i++)
		if (has_name(d, name, len))
			return d;
	return NULL;
}

bool options_is_name(const char *name, size_t len)
{
	return len && find_option(name, len);
}

/* ---- -o lists ---- */

/* Execute one item, "name" or "name=value". */
static int parse_item(struct parser *p, const char *item)
{
	size_t len = strcspn(item, "=");
	const struct option_def *d = find_option(item, len);
	const char *val = item[len] ? item + len + 1 : NULL;

	if (strncasecmp(item, "x-", 2) == 0)
		return 0;
	if (!d)
		return options_unknown(p, "unknown option", item);
	if (val && (d->takes == NO_VALUE || d->takes == YES_OR_NO))
		return options_bad_value(p, d->name, val, "no value");
	if (d->takes == VALUE && !val) {
		textbuf_add(&p->msg, "option %s needs a value: %s=..", d->name,
			    d->name);
		return -EINVAL;
	}
	p->o->given |= d->given;
	return d->set(p, d, d->takes == YES_OR_NO ? item : val);
}

/* Is this the comma of a list of nodes, as tmpfs takes them: "mpol=bind:0,2" */
static bool is_in_nodes(const char *item, const char *comma)
{
	return !strncmp(item, "mpol=", 5) && comma[1] >= '0' && comma[1] <= '9';
}

/* Bytes of the item at the start of @list; commas in quotes do not end it. */
static size_t item_length(const char *list)
{
	bool quoted = false;
	const char *at = list;

	for (; *at; at++) {
		if (*at == '"')
			quoted = !quoted;
		if (*at == ',' && !quoted && !is_in_nodes(list, at))
			break;
	}
	/* A quote without its other half is a character like others. */
	return quoted ? strcspn(list, ",") : (size_t)(at - list);
}

int options_parse_list(struct parser *p, const char *list)
{
	char item[MAX_ITEM];

	for (;;) {
		size_t len = item_length(list);
		int err;

		if (len >= sizeof(item))
			return options_unknown(p, "too long an option", list);
		memcpy(item, list, len);
		item[len] = '\0';
		err = len ? parse_item(p, item) : 0;
		if (err || !list[len])
			return err;
		list += len + 1;
	}
}
