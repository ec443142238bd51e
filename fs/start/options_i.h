/* SPDX-License-Identifier: BSD-3-Clause */
/* What options.c and option_list.c share. */
#ifndef FS_OPTIONS_I_H
#define FS_OPTIONS_I_H

#include <stdbool.h>

#include "base/machine.h"
#include "base/textbuf.h"
#include "options.h"

/* Longest fsname, subtype or SOURCE. */
#define MAX_NAME 255u

struct parser {
	struct zsfs_options *o;
	const struct environment *env;
	struct textbuf msg;
	const char *kernel_word; /* of the kernel's own, in a remount only */
	bool by_mount;		 /* called as mount.zsfs or the like */
};

struct option_def;
/*
 * Execute one option; @val is NULL when it has none, and the word itself for
 * YES_OR_NO. 0, -EINVAL, -ENOMEM.
 */
typedef int setter_fn(struct parser *p, const struct option_def *d,
		      const char *val);

enum takes {
	NO_VALUE,
	VALUE,
	MAYBE_VALUE,
	YES_OR_NO, /* no value, and "no" may stand before the name */
};

struct option_def {
	const char *name;
	enum takes takes;
	setter_fn *set;
	size_t where;	     /* offset in struct zsfs_options of what is set */
	int num;	     /* meaning depends on the setter */
	const char *allowed; /* what to say about a bad value */
	unsigned given;	     /* OPTION_GIVEN() of a knob */
};

setter_fn set_switch, set_flag, set_flags, set_nothing, set_idle, set_refused,
	set_size, set_nr_blocks, set_mode, set_uid, set_gid, set_comp,
	set_dense, set_settle, set_chain_size, set_noswap, set_huge, set_mpol,
	set_context, set_name, set_kernel_word;

/* The options that are knobs; a knob that is no option has no name. */
extern const struct option_def knob_options[KNOB_NR];

/* All options, those of the knobs first; NULL behind the last. */
const struct option_def *options_at(size_t i);

/* Execute the items of a list as -o takes it. 0, -EINVAL, -ENOMEM. */
int options_parse_list(struct parser *p, const char *list);

/* Messages about what the user gave; both return -EINVAL. */
int options_bad_value(struct parser *p, const char *name, const char *val,
		      const char *allowed);
int options_unknown(struct parser *p, const char *what, const char *name);

/* Is the @len bytes long @name one of the options behind -o? */
bool options_is_name(const char *name, size_t len);

/*
 * Text of the user's, cut and without anything that could disturb a terminal.
 */
const char *options_shown(const char *text, char room[64]);

/*
 * hints.c: does the command line show that something else was meant? 0 if not,
 * else -EINVAL with a message. The @n operands @args; words with dashes, before
 * they are taken for flags: "-nosuid" would be "-n -o suid".
 */
int hints_for_operands(struct parser *p, int n, char **args);
int hints_for_dashes(struct parser *p, char **argv);
/* An unknown @flag: -EINVAL with a message. */
int hints_for_flag(struct parser *p, const char *flag);

/* Put a copy of @text in place of *@to. 0, -ENOMEM. */
int options_replace(char **to, const char *text);

#endif
