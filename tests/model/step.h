/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: one random operation, drawn from a seed and the state of a model, run
 * on the real file system, then followed on the model.
 *
 * Two processes that have the same model and the same generator draw the same
 * steps; what only the real file system can tell (nodeids, how much of a write
 * fitted) is in the step's result, which the one that ran it leaves where the
 * other finds it.
 */
#ifndef TESTS_MODEL_STEP_H
#define TESTS_MODEL_STEP_H

#include "model.h"
#include "random.h"
#include "state/zsfs.h"

enum step_op {
	STEP_LOOKUP,
	STEP_FORGET,
	STEP_MAKE,
	STEP_NAMELESS, /* a file without a name */
	STEP_LINK,
	STEP_UNLINK,
	STEP_RMDIR,
	STEP_RENAME,
	STEP_WRITE,
	STEP_READ,
	STEP_TRUNCATE,
	STEP_ALLOCATE,
	STEP_PUNCH,
	STEP_COPY,
	STEP_CHANGE, /* mode, owner, times */
	STEP_FLAGS,
	STEP_GETATTR,
	STEP_READLINK,
	STEP_SEEK,
	STEP_READDIR,
	STEP_XSET,
	STEP_XGET,
	STEP_XLIST,
	STEP_XREMOVE,
	STEP_VLOOKUP, /* takes a snapshot of a virtual file */
	STEP_VFORGET,
	STEP_COMPACT,
	STEP_TRIM,
	STEP_CODEC, /* another algorithm for what is written from now on */
	STEP_REAP,  /* as the background thread does */
	STEP_SETTLE,
	STEP_WARM, /* block off of a file leaves its cluster */
	STEP_COOL, /* back memory ahead, or compress what is hot */
	STEP_NR,
};

#define STEP_NAME_ROOM	 264
#define STEP_TARGET_ROOM 4200
#define STEP_MAX_OUT	 (ZSFS_MAX_WRITE + 4096)

#include <sys/stat.h>

struct step {
	enum step_op op;
	unsigned id;  /* inode, or directory of `name` */
	unsigned id2; /* directory of `name2` */
	char name[STEP_NAME_ROOM];
	char name2[STEP_NAME_ROOM];
	/* rename flags, MWRITE_*, inode flags, hole, keep_size, codec number,
	   flags of setxattr, list trusted names */
	unsigned flags;
	struct mspec spec; /* spec.target: length in `size`, not the text */
	struct mattr attr;
	uint64_t off;
	uint64_t off2; /* of the copy */
	uint64_t size; /* bytes; lookups to forget */
	uint64_t seed; /* of the content */
	bool noise;    /* content does not compress */
};

/* What the real file system said; for the model and for the log. */
struct step_result {
	int64_t err;
	uint64_t value;	 /* nodeid, bytes done, or offset found */
	uint64_t number; /* st_ino, with a nodeid */
};

struct step_out {
	struct step_result *res;
	/* What was read, STEP_MAX_OUT bytes; NULL: only the result is known. */
	uint8_t *buf;
	size_t len;
	struct stat st; /* GETATTR */
};

/* ---- step_draw.c ---- */

struct draw {
	struct rng rng;
	unsigned nr_names;   /* beside the few that are used all the time */
	size_t max_write;    /* bytes, at most ZSFS_MAX_WRITE */
	uint64_t max_blocks; /* rather delete than write above this */
	uint64_t max_inodes; /* and rather than create */
	uint64_t min_inodes; /* rather create or look up than delete or forget
				below this */
	unsigned noise;	     /* percent of writes that do not compress */
	unsigned phase; /* steps for which it grows or shrinks, on average */
	bool hoard;	/* cut and delete nothing while growing */
	bool far;	/* offsets up to 2^63 */
	bool whole;	/* the whole file system: virtual files and settings */
	bool one_codec; /* as it was mounted */
	bool bursts;	/* now and then many of one kind in a row */
	bool shrinking; /* state */
	unsigned left;	/* of a burst */
	enum step_op burst;
};

/* Draw the next step. Depends on nothing but @d and @m. */
void step_draw(struct draw *d, const struct model *m, struct step *s);

/* ---- step_run.c ---- */

/*
 * Run @s in @th. out->res is filled in before the transaction commits, as a
 * reply would be. @m only tells nodeids.
 */
void step_run(const struct model *m, struct zsfs_thread *th,
	      const struct step *s, struct step_out *out);

/* The word a forget clears in its own transaction; needs a request thread. */
uint64_t *step_consumed(struct zsfs_thread *th);

/* ---- step_follow.c ---- */

/* What a real result may differ in from the model's. */
#define FOLLOW_EXACT  0u
#define FOLLOW_FULL   1u /* no room: short writes, nothing new */
#define FOLLOW_NO_MEM 2u /* also whatever allocates may fail */

/*
 * Do @s on the model and compare with what the real file system did. 0, or -1
 * with a sentence in @msg.
 */
int step_follow(struct model *m, const struct step *s,
		const struct step_out *out, unsigned allow, char *msg,
		size_t size);

const char *step_op_name(enum step_op op);
/* A step in words, for messages. */
void step_print(const struct step *s, char *buf, size_t size);

/* ---- shared by run and follow ---- */

/* The value of an attribute: of a list's name most often a list. */
void step_value(const struct step *s, uint8_t *buf);
/* Content of a write or target of a symlink (terminated), by seed. */
void step_content(const struct step *s, uint8_t *buf);
void step_target(const struct step *s, char *buf);

#endif
