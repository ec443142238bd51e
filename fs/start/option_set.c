/* SPDX-License-Identifier: BSD-3-Clause */
/* What options do: a small setter function for each kind of value. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mount_table.h"
#include "base/size_arg.h"
#include "options_i.h"
#include "state/settings.h"
#include "zsmalloc.h"

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

int set_switch(struct parser *p, const struct option_def *d, const char *val)
{
	*(bool *)target(p, d) = true;
	return 0;
}

/* @val: the name, or the name with "no" before it. */
int set_flag(struct parser *p, const struct option_def *d, const char *val)
{
	*(bool *)target(p, d) = strcmp(val, d->name) == 0;
	return 0;
}

/* where: MS_* to set, num: MS_* to clear */
int set_flags(struct parser *p, const struct option_def *d, const char *val)
{
	unsigned long on = d->where, off = (unsigned long)d->num;

	p->o->flags = (p->o->flags & ~off) | on;
	p->o->flags_given |= on | off;
	return 0;
}

int set_nothing(struct parser *p, const struct option_def *d, const char *val)
{
	return 0;
}

/* Names of our own, each once: there is room for all of them. */
int set_idle(struct parser *p, const struct option_def *d, const char *val)
{
	char *list = p->o->fs.idle_options;
	size_t len = strlen(list), room = sizeof(p->o->fs.idle_options) - len;

	if (!mount_table_has(list, d->name))
		snprintf(list + len, room, "%s%s", len ? "," : "", d->name);
	return 0;
}

static int only_root(struct parser *p, const struct option_def *d)
{
	textbuf_add(&p->msg, "option %s: only root may use it", d->name);
	return -EINVAL;
}

int set_nr_blocks(struct parser *p, const struct option_def *d, const char *val)
{
	uint64_t n;

	if (size_arg_parse(val, strlen(val), SIZE_COUNT, 0, &n) ||
	    n > SIZE_ARG_MAX / ZSFS_BLOCK_SIZE)
		return bad_value(p, d, val, size_arg_usage(SIZE_COUNT));
	p->o->fs.size_limit = n * ZSFS_BLOCK_SIZE;
	p->o->given |= OPTION_GIVEN(KNOB_SIZE);
	return 0;
}

int set_noswap(struct parser *p, const struct option_def *d, const char *val)
{
	if (!p->env->privileged)
		return only_root(p, d);
	p->o->fs.no_swap = true;
	return 0;
}

int set_huge(struct parser *p, const struct option_def *d, const char *val)
{
	static const char *const known[] = {"never", "always", "within_size",
					    "advise"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(val, known[i]))
			continue;
		strcpy(p->o->fs.huge, val);
		return 0;
	}
	return bad_value(p, d, val, "never, always, within_size, advise");
}

/* The kernel knows what is allowed; it is asked when the arena is made. */
int set_mpol(struct parser *p, const struct option_def *d, const char *val)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789:=-,"
				    " ()";

	if (!*val || val[strspn(val, chars)] ||
	    strlen(val) >= sizeof(p->o->fs.mpol))
		return bad_value(p, d, val, "a memory policy as for tmpfs");
	if (!p->env->privileged)
		return only_root(p, d);
	strcpy(p->o->fs.mpol, val);
	return 0;
}

/* Without SELinux mount(8) leaves them away, too. */
int set_context(struct parser *p, const struct option_def *d, const char *val)
{
	char *list = p->o->contexts;
	size_t len = strlen(list), room = sizeof(p->o->contexts) - len;

	if (!*val || strlen(val) > MAX_NAME)
		return bad_value(p, d, val, d->allowed);
	if (!p->env->selinux)
		return set_idle(p, d, val);
	if (!p->env->privileged)
		return only_root(p, d);
	if (strlen(d->name) + strlen(val) + 3 > room)
		return bad_value(p, d, val, "given once");
	snprintf(list + len, room, "%s%s=%s", len ? "," : "", d->name, val);
	return 0;
}

int set_kernel_word(struct parser *p, const struct option_def *d,
		    const char *val)
{
	p->kernel_word = d->name;
	return 0;
}

int set_refused(struct parser *p, const struct option_def *d, const char *val)
{
	textbuf_add(&p->msg, "option %s: not supported, %s", d->name,
		    d->allowed);
	return -EINVAL;
}

/* num: the kind of the limit, an enum size_kind */
int set_size(struct parser *p, const struct option_def *d, const char *val)
{
	enum size_kind kind = (enum size_kind)d->num;
	uint64_t *to = target(p, d);

	if (size_arg_parse(val, strlen(val), kind, p->env->ram, to))
		return bad_value(p, d, val, size_arg_usage(kind));
	/* tmpfs, too, counts in whole blocks and rounds up. */
	if (kind == SIZE_BYTES)
		*to = (*to + ZSFS_BLOCK_SIZE - 1) & ~(ZSFS_BLOCK_SIZE - 1ul);
	return 0;
}

int set_mode(struct parser *p, const struct option_def *d, const char *val)
{
	uint64_t n;

	if (number_arg_parse(val, strlen(val), 8, 07777, &n))
		return bad_value(p, d, val, "an octal number from 0 to 7777");
	p->o->fs.mode = (uint32_t)n;
	return 0;
}

int set_chain_size(struct parser *p, const struct option_def *d,
		   const char *val)
{
	uint64_t n;

	if (number_arg_parse(val, strlen(val), 10, ZS_MAX_CHAIN_SIZE, &n) ||
	    n < ZS_MIN_CHAIN_SIZE)
		return bad_value(p, d, val, "4 to 16");
	p->o->fs.chain_size = (unsigned)n;
	return 0;
}

int set_comp(struct parser *p, const struct option_def *d, const char *val)
{
	if (zcomp_parse(val, &p->o->fs.comp))
		return bad_value(p, d, val, zcomp_usage());
	return 0;
}

int set_dense(struct parser *p, const struct option_def *d, const char *val)
{
	if (zsfs_parse_dense(val, &p->o->fs.dense))
		return bad_value(p, d, val, DENSE_USAGE);
	return 0;
}

int set_settle(struct parser *p, const struct option_def *d, const char *val)
{
	if (zsfs_parse_settle(val, &p->o->fs.settle))
		return bad_value(p, d, val, SETTLE_USAGE);
	return 0;
}

int set_uid(struct parser *p, const struct option_def *d, const char *val)
{
	struct passwd *pw;
	uint64_t n;
	/* The highest number stands for "no user" in system calls. */
	int err = number_arg_parse(val, strlen(val), 10, UINT32_MAX - 1, &n);

	if (err) {
		pw = err == -EINVAL && *val ? getpwnam(val) : NULL;
		if (!pw)
			return bad_value(p, d, val, "a user's number or name");
		n = pw->pw_uid;
	}
	p->o->fs.uid = p->o->fs.owner_uid = (uint32_t)n;
	return 0;
}

int set_gid(struct parser *p, const struct option_def *d, const char *val)
{
	struct group *gr;
	uint64_t n;
	int err = number_arg_parse(val, strlen(val), 10, UINT32_MAX - 1, &n);

	if (err) {
		gr = err == -EINVAL && *val ? getgrnam(val) : NULL;
		if (!gr)
			return bad_value(p, d, val, "a group's number or name");
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

int set_name(struct parser *p, const struct option_def *d, const char *val)
{
	if (strlen(val) > MAX_NAME)
		return bad_value(p, d, val, "at most 255 bytes");
	return options_replace(target(p, d), val);
}

/* ---- values, the other way ---- */

void options_value(const struct zsfs_options *o, enum knob_id id,
		   char text[OPTION_VALUE_SIZE])
{
	const void *at = (const char *)o + knob_options[id].where;

	switch (knobs[id].kind) {
	case KIND_SIZE:
	case KIND_MEMORY:
	case KIND_BUDGET:
	case KIND_COUNT:
		snprintf(text, OPTION_VALUE_SIZE, "%" PRIu64,
			 *(const uint64_t *)at);
		break;
	case KIND_NUMBER:
		snprintf(text, OPTION_VALUE_SIZE, "%u", *(const unsigned *)at);
		break;
	case KIND_ALGORITHM:
	case KIND_DENSE:
		zcomp_format(at, text, OPTION_VALUE_SIZE);
		break;
	case KIND_IDLE:
		zsfs_format_settle(*(const uint32_t *)at, text,
				   OPTION_VALUE_SIZE);
		break;
	case KIND_FLAG:
	case KIND_MARK:
		strcpy(text, *(const bool *)at ? "true" : "false");
		break;
	default:
		text[0] = '\0';
	}
}
