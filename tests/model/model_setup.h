/* SPDX-License-Identifier: BSD-3-Clause */
/* The set-ups that the model test runs in, and failures made on purpose. */
#ifndef TESTS_MODEL_MODEL_SETUP_H
#define TESTS_MODEL_MODEL_SETUP_H

#include "step.h"
#include "zcomp.h"
#include "state/zsfs.h"

struct setup {
	const char *name;
	struct draw draw;
	struct zcomp_params comp;
	unsigned chain_size;
	unsigned helpers;
	uint64_t mem_over;   /* bytes of mem_limit above the least; 0 = none */
	bool limited;	     /* has a mem_limit */
	bool huge;	     /* on huge pages where that is permitted */
	bool promise;	     /* check what a full file system promises */
	bool must_fail;	     /* some steps must have been refused */
	uint64_t max_blocks; /* size= */
	uint64_t max_inodes; /* nr_inodes= */
	unsigned allow;	     /* FOLLOW_* */
	unsigned fail_alloc; /* percent of steps in which allocation fails */
	unsigned fail_codec; /* percent of blocks the codec fails for */
};

extern const struct setup setups[];
extern const unsigned nr_setups;

int setup_create(const struct setup *s, struct zsfs **out);

/* Before a step: decide what will fail in it. */
void setup_arm(const struct setup *s, struct rng *r);
void setup_disarm(void);

#endif
