/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options: what the command line and mount(8) ask for.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/machine.h"
#include "control/knobs.h"
#include "volume/volume.h"

/* A bit of zsfs_options.given. */
#define OPTION_GIVEN(id) (1u << (id))
_Static_assert(KNOB_NR <= 32, "each has a bit");

struct zsfs_options {
	struct zsfs_params fs;
	/* Owned; NULL when not given. Freed by options_free(). */
	char *mountpoint;
	char *source;
	char *fsname;
	char *subtype;
	unsigned given; /* which knobs: OPTION_GIVEN() */
	bool remount;	/* change the mount that is there (remount.h) */
	bool complete;	/* the flags are all that there shall be */
	bool help;	/* -h: print the help and end */
	bool version;	/* -V */
	bool replace;	/* --replace: have this program take a mount over */
	bool foreground;
	bool debug;
	bool by_mount; /* called by mount(8) as its helper */
	bool fake; /* -f as mount(8) means it: check everything, do nothing */
	/* MS_* of the mount, and those that anything was said about. */
	unsigned long flags, flags_given;
	char contexts[1100]; /* SELinux's options, comma separated */
	bool allow_other;
	bool stack;   /* over a zsfs that is mounted there already */
	bool survive; /* a keeper, and workers that can follow each other */
	bool sandbox; /* these workers confine themselves */
};

/* Room that is enough for every message of options_parse(). */
#define OPTIONS_MSG_SIZE 512u

/*
 * Read the command line: zsfs [options] [SOURCE] MOUNTPOINT. @argv is permuted,
 * its strings stay as they are. What is not given gets its default, as far as
 * it depends on the machine from @env.
 *
 * Returns 0, or -EINVAL or -ENOMEM with one line in @msg that names the option,
 * the value and what is allowed. In every case the caller owns *o and frees it
 * with options_free().
 */
int options_parse(int argc, char **argv, const struct environment *env,
		  struct zsfs_options *o, char *msg, size_t size);
void options_free(struct zsfs_options *o);

/*
 * The mount's options as libfuse takes them behind -o, for a user or (with
 * @privileged) root. The caller frees the string. NULL: no memory.
 */
char *options_mount_string(const struct zsfs_options *o, bool privileged);

/* Room for a value of options_value(). */
#define OPTION_VALUE_SIZE 64u

/*
 * The value that @o has of a knob that is FIXED or LIVE, as its option takes
 * it and stats.json shows it.
 */
void options_value(const struct zsfs_options *o, enum knob_id id,
		   char text[OPTION_VALUE_SIZE]);

/* Print the text of --help. */
void options_help(FILE *to);

#endif
