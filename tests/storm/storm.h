/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Storm: random operations through the kernel on a directory of a mounted file
 * system, compared with the model of tests/model.
 *
 * A step is drawn as there (step.h) and means what it means to the kernel's
 * users: to look a file up is to open it, to forget it is to close it, and what
 * the model calls known is open here. kernel.c knows what the kernel makes of
 * a step before the file system has a say.
 */
#ifndef TESTS_STORM_STORM_H
#define TESTS_STORM_STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "step.h"

#define STORM_MSG     512u
#define STORM_MAP     (64u * 4096u) /* bytes of a file that can be mapped */
#define STORM_ZERO    2u	    /* step.flags of a punch: zeros with room */
#define STORM_READERS 16u
#define STORM_KEPT    (INODE_IMMUTABLE | INODE_APPEND)
#define STORM_STEPS   100u /* that a report shows */

/* What is open of one inode of the model, by its id. */
struct hold {
	int fd;	       /* -1: nothing */
	bool writable; /* by this descriptor */
	bool dirty;    /* the kernel may not have written everything yet */
	bool roomy;    /* was given room, or may have been, by fallocate(2) */
	uint8_t *map;  /* of its first STORM_MAP bytes, or NULL */
};

struct past {
	struct step step;
	struct step_result res;
};

struct storm {
	struct model *m;
	struct draw draw;
	const char *dir;
	struct hold *holds;
	struct timespec *since; /* by id */
	unsigned nr_holds;
	unsigned readers;
	unsigned allow; /* FOLLOW_* */
	bool tmpfs;	/* with what is known to differ there */
	bool cached;	/* the kernel holds what is written for a while */
	struct step_result res;
	struct step_out out;
	struct hold found; /* what the step has opened; fd -1: nothing */
	uint64_t nr;	   /* steps done */
	struct past past[STORM_STEPS];
	char msg[STORM_MSG]; /* what is wrong, "" */
};

/* For the first thing that is wrong; always -1. */
int storm_wrong(struct storm *st, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Hold of an inode of the model, whose fd is -1 when it is not open. */
struct hold *storm_hold(struct storm *st, unsigned id);
/* When its content or names were changed last, or a little before. */
struct timespec *storm_since(struct storm *st, unsigned id);
void storm_release(struct hold *h);
/* Have everything written that the kernel still holds. */
void storm_clean(struct hold *h);

/* ---- kernel.c ---- */

/* Make of @s what the kernel would pass on, or something that it would. */
void kernel_adapt(const struct storm *st, struct step *s);
/* The -errno with which the kernel ends @s by itself; 0: it does not. */
int kernel_refuses(const struct storm *st, const struct step *s);

/* ---- path.c ---- */

/* A name in a directory for the *at() calls: by descriptor or by path. */
struct place {
	int fd;
	const char *path; /* in @buf */
	char buf[4096];
};

/* @deep: from the root, where that can be */
void place_of(struct storm *st, unsigned dir, const char *name, bool deep,
	      struct place *p);
/* Some name of an inode; false: it has none. */
bool place_find(struct storm *st, unsigned id, struct place *p);
/* As its descriptors are held; fd -1 and errno when that fails. */
struct hold place_open(const struct place *p, mode_t type);
/* The same inode once more. */
int open_again(int fd, int flags);
/* Read names into st->out as step_follow() wants them. 0 or -errno. */
int list_names(struct storm *st, unsigned id, int fd, size_t room);

/* ---- run.c, run_data.c ---- */

/* Do it: st->res, st->out, st->found, st->msg. */
void storm_run(struct storm *st, const struct step *s);

typedef void storm_fn(struct storm *st, const struct step *s);

storm_fn run_write, run_read, run_truncate, run_allocate, run_copy, run_seek,
	run_flush, run_unmap;
/* The result of a call: its errno where @ret is -1. */
void result_of(struct storm *st, int64_t ret);

/* ---- readers.c ---- */

/* @nr of them, at most STORM_READERS, below @dir. */
void readers_start(const char *dir, unsigned nr);
void readers_stop(unsigned nr);

/* ---- check.c ---- */

/* Attributes as the kernel has them against the model's. */
int check_attributes(struct storm *st, unsigned id, const struct place *p,
		     bool real);
/* Everything, by walking the tree. 0, or -1 and st->msg. */
int check_all(struct storm *st);

#endif
