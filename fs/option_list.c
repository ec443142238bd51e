/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options behind -o: a table of them, and a small setter function for each
 * kind of value.
 */
#include "options_i.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "size_arg.h"

/* Longest item of a list. */
#define MAX_ITEM 1024u

struct option_def;
typedef int setter_fn(struct parser *p, const struct option_def *d,
		      const char *val);

enum takes { NO_VALUE, VALUE, MAYBE_VALUE };

struct option_def {
	const char *name;
	enum takes takes;
	setter_fn *set;
	size_t where;	     /* offset in struct zsfs_options of what is set */
	int num;	     /* meaning depends on the setter */
	const char *allowed; /* what to say about a bad value */
};

/* ---- messages ---- */

const char *options_shown(const char *text, char room[64])
{
	size_t n = strnlen(text, 61);

	for (size_t i = 0; i < n; i++)
		room[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	strcpy(room + n, n > 60 ? ".." : "");
	return room;
}

int options_bad_value(struct parser *p, const char *name, const char *val,
		      const char *allowed)
{
	char room[64];

	textbuf_add(&p->msg, "option %s: bad value \"%s\"; allowed: %s", name,
		    options_shown(val, room), allowed);
	return -EINVAL;
}

static int bad_value(struct parser *p, const struct option_def *d,
		     const char *val, const char *allowed)
{
	return options_bad_value(p, d->name, val, allowed);
}

int options_unknown(struct parser *p, const char *what, const char *name)
{
	char room[64];

	textbuf_add(&p->msg, "%s \"%s\"; zsfs --help lists what is allowed",
		    what, options_shown(name, room));
	return -EINVAL;
}

/* ---- setters ---- */

static void *target(struct parser *p, const struct option_def *d)
{
	return (char *)p->o + d->where;
}

static int set_flag(struct parser *p, const struct option_def *d,
		    const char *val)
{
	*(bool *)target(p, d) = d->num;
	return 0;
}

static int set_nothing(struct parser *p, const struct option_def *d,
		       const char *val)
{
	return 0;
}

static int set_refused(struct parser *p, const struct option_def *d,
		       const char *val)
{
	textbuf_add(&p->msg, "option %s: not supported, %s", d->name,
		    d->allowed);
	return -EINVAL;
}

/* num: enum size_kind */
static int set_size(struct parser *p, const struct option_def *d,
		    const char *val)
{
	enum size_kind kind = (enum size_kind)d->num;
	uint64_t *to = target(p, d);

	if (size_arg_parse(val, strlen(val), kind, p->env->ram, to))
		return bad_value(p, d, val, size_arg_usage(kind));
	/* tmpfs, too, counts in whole blocks and rounds up. */
	if (kind == SIZE_BYTES)
		*to = (*to + ZSFS_BLOCK_SIZE - 1) & ~(ZSFS_BLOCK_SIZE - 1ul);
	if (kind == SIZE_MEMORY)
		p->mem_limit_given = true;
	return 0;
}

static int set_mode(struct parser *p, const struct option_def *d,
		    const char *val)
{
	uint64_t n;

	if (number_arg_parse(val, strlen(val), 8, 07777, &n))
		return bad_value(p, d, val, d->allowed);
	p->o->fs.mode = (uint32_t)n;
	return 0;
}

static int set_chain_size(struct parser *p, const struct option_def *d,
			  const char *val)
{
	uint64_t n;

	if (number_arg_parse(val, strlen(val), 10, ZS_MAX_CHAIN_SIZE, &n) ||
	    n < ZS_MIN_CHAIN_SIZE)
		return bad_value(p, d, val, d->allowed);
	p->o->fs.chain_size = (unsigned)n;
	return 0;
}

static int set_comp(struct parser *p, const struct option_def *d,
		    const char *val)
{
	if (zcomp_parse(val, &p->o->fs.comp))
		return bad_value(p, d, val, zcomp_usage());
	return 0;
}

static int set_uid(struct parser *p, const struct option_def *d,
		   const char *val)
{
	struct passwd *pw;
	uint64_t n;
	/* The highest number stands for "no user" in system calls. */
	int err = number_arg_parse(val, strlen(val), 10, UINT32_MAX - 1, &n);

	if (err) {
		pw = err == -EINVAL && *val ? getpwnam(val) : NULL;
		if (!pw)
			return bad_value(p, d, val, d->allowed);
		n = pw->pw_uid;
	}
	p->o->fs.uid = p->o->fs.owner_uid = (uint32_t)n;
	return 0;
}

static int set_gid(struct parser *p, const struct option_def *d,
		   const char *val)
{
	struct group *gr;
	uint64_t n;
	int err = number_arg_parse(val, strlen(val), 10, UINT32_MAX - 1, &n);

	if (err) {
		gr = err == -EINVAL && *val ? getgrnam(val) : NULL;
		if (!gr)
			return bad_value(p, d, val, d->allowed);
		n = gr->gr_gid;
	}
	p->o->fs.gid = p->o->fs.owner_gid = (uint32_t)n;
	return 0;
}

int options_replace(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int set_name(struct parser *p, const struct option_def *d,
		    const char *val)
{
	if (strlen(val) > MAX_NAME)
		return bad_value(p, d, val, d->allowed);
	return options_replace(target(p, d), val);
}

/* ---- the table ---- */

#define AT(field) offsetof(struct zsfs_options, field)
#define FLAG(n, field, v)                                                      \
	{                                                                      \
		n, NO_VALUE, set_flag, AT(field), v, NULL                      \
	}
#define IGNORED(n)                                                             \
	{                                                                      \
		n, NO_VALUE, set_nothing, 0, 0, NULL                           \
	}
#define REFUSED(n, why)                                                        \
	{                                                                      \
		n, MAYBE_VALUE, set_refused, 0, 0, why                         \
	}

#define ATIME_WHY                                                              \
	"because reads that the kernel answers from its cache are not "        \
	"seen; allowed: relatime (the default), noatime"

static const struct option_def options[] = {
	{"size", VALUE, set_size, AT(fs.size_limit), SIZE_BYTES, NULL},
	{"mem_limit", VALUE, set_size, AT(fs.mem_limit), SIZE_MEMORY, NULL},
	{"nr_inodes", VALUE, set_size, AT(fs.inode_limit), SIZE_COUNT, NULL},
	{"mode", VALUE, set_mode, 0, 0, "an octal number from 0 to 7777"},
	{"uid", VALUE, set_uid, 0, 0, "a user's number or name"},
	{"gid", VALUE, set_gid, 0, 0, "a group's number or name"},
	{"comp", VALUE, set_comp, 0, 0, NULL},
	{"chain_size", VALUE, set_chain_size, 0, 0, "4 to 16"},
	{"fsname", VALUE, set_name, AT(fsname), 0, "at most 255 bytes"},
	{"subtype", VALUE, set_name, AT(subtype), 0, "at most 255 bytes"},
	FLAG("noatime", fs.noatime, true),
	FLAG("atime", fs.noatime, false),
	FLAG("relatime", fs.noatime, false),
	FLAG("nostrictatime", fs.noatime, false),
	FLAG("ro", read_only, true),
	FLAG("rw", read_only, false),
	FLAG("noexec", noexec, true),
	FLAG("exec", noexec, false),
	FLAG("nosuid", nosuid, true),
	FLAG("suid", nosuid, false),
	FLAG("nodev", nodev, true),
	FLAG("dev", nodev, false),
	FLAG("sync", sync, true),
	FLAG("async", sync, false),
	FLAG("dirsync", dirsync, true),
	FLAG("allow_other", allow_other, true),
	FLAG("noallow_other", allow_other, false),
	FLAG("nosurvive", survive, false),
	FLAG("survive", survive, true),
	FLAG("stack", stack, true),
	/* What mount(8) and fstab say to each other. */
	IGNORED("defaults"),
	IGNORED("auto"),
	IGNORED("noauto"),
	{"user", MAYBE_VALUE, set_nothing, 0, 0, NULL},
	IGNORED("nouser"),
	IGNORED("users"),
	IGNORED("nousers"),
	IGNORED("owner"),
	IGNORED("noowner"),
	IGNORED("group"),
	IGNORED("nogroup"),
	IGNORED("nofail"),
	IGNORED("_netdev"),
	IGNORED("silent"),
	IGNORED("loud"),
	/* All that a RAM disk knows of a file is in memory anyway. */
	IGNORED("lazytime"),
	IGNORED("nolazytime"),
	/* Known, but not kept: better said than silently not done. */
	REFUSED("strictatime", ATIME_WHY),
	REFUSED("norelatime", ATIME_WHY),
	REFUSED("nodiratime", ATIME_WHY),
	REFUSED("auto_unmount", "because the mount has to outlive a daemon "
				"that another one takes over from; to "
				"unmount, send the daemon SIGTERM"),
	REFUSED("allow_root", "because other users would be let in by the "
			      "kernel's caches; use allow_other and mode="),
	REFUSED("remount", "write the new value to a file in .zsctl instead"),
};

static const struct option_def *find_option(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strncmp(options[i].name, name, len) == 0 &&
		    options[i].name[len] == '\0')
			return &options[i];
	}
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
	if (d->takes == NO_VALUE && val)
		return bad_value(p, d, val, "no value");
	if (d->takes == VALUE && !val) {
		textbuf_add(&p->msg, "option %s needs a value: %s=..", d->name,
			    d->name);
		return -EINVAL;
	}
	return d->set(p, d, val);
}

int options_parse_list(struct parser *p, const char *list)
{
	char item[MAX_ITEM];

	for (;;) {
		size_t len = strcspn(list, ",");
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
