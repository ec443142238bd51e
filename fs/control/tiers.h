/* SPDX-License-Identifier: BSD-3-Clause */
/* Tiers: the forms in which blocks are stored, and the RAM that each takes. */
#ifndef FS_TIERS_H
#define FS_TIERS_H

#include <stdint.h>

struct textbuf;
struct zsfs;

enum tier {
	TIER_HOT,   /* as they are, until they are compressed (content/hot.h) */
	TIER_WARM,  /* compressed by themselves */
	TIER_DENSE, /* in clusters (content/cluster.h) */
	TIER_RAW,   /* as they are: they do not compress */
	TIER_SAME,  /* same-filled */
	NR_TIERS,
};

struct tiers {
	struct {
		uint64_t blocks;
		uint64_t ram; /* bytes of chunks in the pool */
	} tier[NR_TIERS];
	uint64_t gaps;	/* bytes of zspages that no object has */
	uint64_t other; /* of RAM: metadata, and free memory that is kept */
	uint64_t used;	/* RAM of all */
};

/* Any thread. While others write the parts may not fit together exactly. */
void tiers_look(struct zsfs *fs, struct tiers *out);

/* As a key in stats.json. */
const char *tier_key(enum tier t);

/* The table for people. */
void tiers_render(struct zsfs *fs, struct textbuf *t);

#endif
