/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options: what the command line and mount(8) ask for.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/machine.h"
#include "volume/volume.h"

/* What was given, for what depends on that. */
enum {
	GIVEN_SIZE = 1 << 0,
	GIVEN_MEM_LIMIT = 1 << 1,
	GIVEN_NR_INODES = 1 << 2,
	GIVEN_COMP = 1 << 3,
	GIVEN_CHAIN_SIZE = 1 << 4,
	GIVEN_NOSWAP = 1 << 5,
	GIVEN_HUGE = 1 << 6,
	GIVEN_MPOL = 1 << 7,
	GIVEN_CONTEXT = 1 << 8,
	GIVEN_FSNAME = 1 << 9,
	GIVEN_SUBTYPE = 1 << 10,
	GIVEN_ALLOW_OTHER = 1 << 11,
	GIVEN_SURVIVE = 1 << 12,
};

struct zsfs_options {
	struct zsfs_params fs;
	/* Owned; NULL when not given. Freed by options_free(). */
	char *mountpoint;
	char *source;
	char *fsname;
	char *subtype;
	unsigned given; /* GIVEN_* */
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

/* The text of --help. */
extern const char options_help[];

#endif
