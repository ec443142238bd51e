/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking mounts: reading and writing their virtual files. */
#ifndef FS_CTL_ASK_H
#define FS_CTL_ASK_H

#include <stddef.h>

#include "mounts.h"
#include "stats.h"

/* What came of asking a mount. */
enum answer {
	ANSWERED,
	ANSWER_DEAD,	  /* its daemon is gone */
	ANSWER_NO_ACCESS, /* who asks may not look into it */
	ANSWER_NONE,	  /* it does not answer in time */
	ANSWER_COVERED,	  /* another mount lies on it */
	ANSWER_NOT_ZSFS,  /* no zsfs, or none that can be understood */
	ANSWER_FULL,	  /* no room for a snapshot */
	ANSWER_OTHER,	  /* another error */
};

/* In a word, and in a sentence. */
const char *answer_word(enum answer a);
const char *answer_sentence(enum answer a);

/* The exit status for a command that needs a mount which answered so. */
int answer_status(enum answer a);

/* What one mount said. */
struct asked {
	const struct mount *mount;
	bool classes; /* are wanted, too */
	enum answer answer;
	struct stats stats; /* all missing unless ANSWERED */
};

/* How long commands wait for mounts that do not answer, in seconds. */
#define PATIENCE 3.0

/*
 * Read the statistics of all. One that has not answered after @patience seconds
 * is ANSWER_NONE, and holds up no other one; the thread that asks it goes on by
 * itself. The caller calls stats_free() for each.
 */
void ask_all(const struct mounts *all, struct asked *asked, size_t nr,
	     double patience);

/*
 * Find the mount that @path is on and ask it, but not again if @a is its answer
 * already. Returns the exit status, with a sentence in @why. The caller calls
 * stats_free().
 */
int ask_path(const struct mounts *all, struct asked *a, const char *path,
	     double patience, char *why, size_t size);

/*
 * Read a virtual file, "/.zsctl/size", into @text of @size bytes, with a NUL
 * behind it. Its length or -errno.
 */
long ask_file(const char *mountpoint, const char *file, char *text,
	      size_t size);

/* Write a value, whole, to a file of .zsctl. 0 or -errno. */
int ask_write(const char *mountpoint, const char *control, const char *value);

/* Why the last write failed, in the mount's words; "" if it does not say. */
void ask_why(const char *mountpoint, char *text, size_t size);

/*
 * For a command on one mount: find it and ask it. Says what is wrong and
 * returns an exit status, else CTL_OK. The caller calls asked_end() then.
 */
struct one {
	struct mounts all;
	struct asked asked;
	const char *at; /* its mountpoint */
};

int one_begin(struct one *o, const char *path);

/* The same with the classes of the pool. */
int one_begin_classes(struct one *o, const char *path);

/* Waits for an answer as long as it takes, and says nothing if none comes. */
int one_await(struct one *o, const char *path);
void one_end(struct one *o);

#endif
