/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the command line (see options.h); -o lists are in option_list.c. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/min.h"
#include "options_i.h"
#include "state/reserve.h"
#include "volume/volume.h"

#define MAX_THREADS 16u
#define MAX_HELPERS 15u
#define HOT_PART    8u
#define HOT_MOST    (UINT64_C(256) << 20)

/* ---- the command line ---- */

/* Apart from the letters, so that messages can tell which was used. */
enum { LONG_HELP = 256, LONG_VERSION, LONG_REPLACE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, LONG_HELP},
	{"version", no_argument, NULL, LONG_VERSION},
	{"replace", no_argument, NULL, LONG_REPLACE},
	{NULL, 0, NULL, 0},
};

static int unknown_flag(struct parser *p, char **argv)
{
	char letter[3] = {'-', (char)optopt, '\0'};
	bool is_long = optopt == 0 || optopt >= LONG_HELP;

	return hints_for_flag(p, is_long ? argv[optind - 1] : letter);
}

/* mount(8) begins its list with one of these, whatever it was given. */
static bool begins_as_of_mount(const char *list)
{
	return (!strncmp(list, "rw", 2) || !strncmp(list, "ro", 2)) &&
	       (!list[2] || list[2] == ',');
}

static int parse_flag(struct parser *p, int c, char **argv)
{
	struct zsfs_options *o = p->o;

	switch (c) {
	case 'o':
		o->complete |= begins_as_of_mount(optarg);
		return options_parse_list(p, optarg);
	case 'f':
		o->foreground = true;
		return 0;
	case 'd':
		o->debug = o->foreground = true;
		return 0;
	case 'h':
	case LONG_HELP:
		o->help = true;
		return 0;
	case 'V':
	case LONG_VERSION:
		o->version = true;
		return 0;
	case LONG_REPLACE:
		o->replace = true;
		return 0;
	case 's':
	case 'n':
	case 'v':
	case 't':
		return 0;
	case ':':
		textbuf_add(&p->msg, "option -%c needs a value", optopt);
		return -EINVAL;
	default:
		return unknown_flag(p, argv);
	}
}

static int parse_flags(struct parser *p, int argc, char **argv)
{
	int c, err = hints_for_dashes(p, argv);

	optind = 0; /* start anew, also after an earlier call */
	opterr = 0;
	while (!err) {
		c = getopt_long(argc, argv, ":o:fdhVsnvt:", long_options, NULL);
		if (c == -1)
			break;
		err = parse_flag(p, c, argv);
	}
	return err;
}

/* [SOURCE] MOUNTPOINT */
static int parse_operands(struct parser *p, int n, char **args)
{
	struct zsfs_options *o = p->o;
	int err = hints_for_operands(p, n, args);

	if (err)
		return err;
	if (n < 1 || n > 2) {
		textbuf_add(&p->msg,
			    "%s; usage: zsfs [-o OPTION,OPTION,..] [SOURCE] "
			    "MOUNTPOINT, for example: "
			    "zsfs -o size=8G,nosuid,nodev /mnt/z",
			    n < 1 ? "no mountpoint given"
				  : "too many arguments");
		return -EINVAL;
	}
	if (n == 2) {
		if (strlen(args[0]) > MAX_NAME)
			return options_bad_value(p, "SOURCE", args[0],
						 "at most 255 bytes");
		err = options_replace(&o->source, args[0]);
		if (err)
			return err;
	}
	return options_replace(&o->mountpoint, args[n - 1]);
}

/* ---- defaults, and what only makes sense together ---- */

static int set_fallbacks(struct parser *p)
{
	int err = 0;

	for (enum knob_id id = 0; !err && id < KNOB_NR; id++) {
		const struct option_def *d = &knob_options[id];

		if (knobs[id].fallback)
			err = d->set(p, d, knobs[id].fallback);
	}
	return err;
}

/* Of the rows, and what depends on the machine and on who mounts. */
static int set_defaults(struct parser *p)
{
	struct zsfs_options *o = p->o;
	struct zsfs_params *fs = &o->fs;
	unsigned cpus = p->env->cpus;

	memset(o, 0, sizeof(*o));
	fs->mem_limit = machine_default_mem_limit(p->env);
	fs->inode_limit = machine_default_nr_inodes(p->env);
	fs->nr_threads = cpus < 2 ? 2 : cpus > MAX_THREADS ? MAX_THREADS : cpus;
	fs->nr_helpers = cpus - 1 > MAX_HELPERS ? MAX_HELPERS : cpus - 1;
	fs->mode = p->env->privileged ? 01777 : 0755;
	fs->uid = fs->owner_uid = geteuid();
	fs->gid = fs->owner_gid = getegid();
	o->allow_other = p->env->privileged;
	return set_fallbacks(p);
}

static int check_mem_limit(struct parser *p)
{
	const struct zsfs_params *fs = &p->o->fs;
	uint64_t min = zsfs_min_mem_limit(fs->nr_threads);

	/* A live mount may have another least value, and says it itself. */
	if (fs->mem_limit == 0 || fs->mem_limit >= min || p->o->remount)
		return 0;
	if (p->o->given & OPTION_GIVEN(KNOB_MEM_LIMIT))
		textbuf_add(&p->msg,
			    "option mem_limit: %" PRIu64
			    " bytes are too little; "
			    "allowed: at least %" PRIu64 " bytes (%" PRIu64
			    "M), or 0 for no "
			    "limit",
			    fs->mem_limit, min, (min + (1 << 20) - 1) >> 20);
	else
		textbuf_add(&p->msg,
			    "half of the RAM that the machine or the control "
			    "group allows is %" PRIu64 " bytes, too little for "
			    "mem_limit; give mem_limit=%" PRIu64 "M or more",
			    fs->mem_limit, (min + (1 << 20) - 1) >> 20);
	return -EINVAL;
}

/* By itself a part of mem_limit may be hot, but no more than is of use. */
static void default_hot(struct zsfs_options *o)
{
	struct zsfs_params *fs = &o->fs;

	if (o->given & OPTION_GIVEN(KNOB_HOT))
		return;
	fs->hot = fs->mem_limit ? min_u64(fs->mem_limit / HOT_PART, HOT_MOST)
				: HOT_MOST;
}

static void settle_atime(struct zsfs_options *o, bool privileged)
{
	o->fs.atime = o->flags & MS_STRICTATIME ? ATIME_STRICTATIME
		      : o->flags & MS_NOATIME	? ATIME_NOATIME
						: ATIME_RELATIME;
	o->fs.nodiratime = o->flags & MS_NODIRATIME;
	/* fusermount3 has words for little of it. */
	o->fs.atime_is_own = !privileged;
}

/* What a user asks for must be kept, or be refused. */
static int check_flags(struct parser *p)
{
	if (p->kernel_word && !p->o->remount)
		return options_unknown(p, "unknown option", p->kernel_word);
	if (p->env->privileged || !(p->o->flags & MS_NOSYMFOLLOW) ||
	    p->o->remount)
		return 0;
	textbuf_add(&p->msg, "option nosymfollow: only root may use it");
	return -EINVAL;
}

/* How a mount shows up that was given no name. */
static int default_name(struct zsfs_options *o)
{
	if (!o->fsname)
		return options_replace(&o->fsname,
				       o->source ? o->source : "zsfs");
	return 0;
}

static bool called_by_mount(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strncmp(slash ? slash + 1 : argv0, "mount.", 6) == 0;
}

int options_parse(int argc, char **argv, const struct environment *env,
		  struct zsfs_options *o, char *msg, size_t size)
{
	struct parser p = {.o = o, .env = env};
	int err;

	textbuf_init(&p.msg, msg, size);
	p.by_mount = argc > 0 && called_by_mount(argv[0]);
	err = set_defaults(&p);
	if (!err)
		err = parse_flags(&p, argc, argv);
	o->by_mount = p.by_mount;
	/* mount(8) calls its helpers with -f for a rehearsal. */
	if (!err && p.by_mount) {
		o->fake = o->foreground && !o->debug;
		o->foreground = o->debug;
	}
	if (!err && (o->help || o->version))
		return 0;
	if (!err)
		err = parse_operands(&p, argc - optind, argv + optind);
	if (!err)
		err = check_mem_limit(&p);
	if (!err)
		err = check_flags(&p);
	default_hot(o);
	settle_atime(o, env->privileged);
	/* mount(8) always names a source, also through mount.fuse3. */
	o->complete = p.by_mount || (o->complete && o->source);
	if (!err)
		err = default_name(o);
	if (err == -ENOMEM)
		textbuf_add(&p.msg, "no memory");
	return err;
}

void options_free(struct zsfs_options *o)
{
	free(o->mountpoint);
	free(o->source);
	free(o->fsname);
	free(o->subtype);
	o->mountpoint = o->source = o->fsname = o->subtype = NULL;
}

/* ---- for libfuse ---- */

/* ",name=value" with what separates options escaped as libfuse reads it. */
static void add_name(struct textbuf *t, const char *name, const char *val)
{
	textbuf_add(t, "%s%s=", t->len ? "," : "", name);
	for (; *val; val++)
		textbuf_add(t, "%s%c", strchr(",\\", *val) ? "\\" : "", *val);
}

/* The same for a whole list, in which only quoted commas are escaped. */
static void add_contexts(struct textbuf *t, const char *list)
{
	bool quoted = false;

	textbuf_add(t, "%s", *list ? "," : "");
	for (; *list; list++) {
		quoted ^= *list == '"';
		textbuf_add(t, "%s%c",
			    *list == '\\' || (*list == ',' && quoted) ? "\\"
								      : "",
			    *list);
	}
}

static void add_flag(struct textbuf *t, const char *name, bool on)
{
	if (on)
		textbuf_add(t, ",%s", name);
}

char *options_mount_string(const struct zsfs_options *o, bool privileged)
{
	size_t size = 4 * (MAX_NAME + 1) + 2 * sizeof(o->contexts) + 256;
	char *room = malloc(size);
	struct textbuf t;

	if (!room)
		return NULL;
	textbuf_init(&t, room, size);
	/* The kernel, too, shows "none" for a file system without a source. */
	add_name(&t, "fsname", *o->fsname ? o->fsname : "none");
	if (*o->subtype)
		add_name(&t, "subtype", o->subtype);
	add_flag(&t, "default_permissions", true);
	add_flag(&t, "allow_other", o->allow_other);
	/*
	 * libfuse has nosuid and nodev on by itself; users cannot be without.
	 */
	add_flag(&t, "suid", privileged && !(o->flags & MS_NOSUID));
	add_flag(&t, "dev", privileged && !(o->flags & MS_NODEV));
	add_flag(&t, "noexec", o->flags & MS_NOEXEC);
	add_flag(&t, "ro", o->flags & MS_RDONLY);
	add_flag(&t, "sync", o->flags & MS_SYNCHRONOUS);
	add_flag(&t, "dirsync", o->flags & MS_DIRSYNC);
	add_flag(&t, "noatime", o->flags & MS_NOATIME);
	add_contexts(&t, o->contexts);
	return room;
}
