/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: a worker, which has a directory and a model of it. */
#ifndef KILLCLIENT_WORKER_H
#define KILLCLIENT_WORKER_H

#include <stdint.h>

struct options {
	const char *dir, *root; /* @root: with virtual files, NULL: none */
	unsigned workers, seconds, interval_us;
	uint64_t seed;
	int victims;
};

/* Work until told to stop, verify, remove, exit. */
__attribute__((noreturn)) void worker_run(const struct options *o, unsigned nr,
					  int parent);

#endif
