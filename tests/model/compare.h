/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing a file system in an arena with a model. */
#ifndef TESTS_MODEL_COMPARE_H
#define TESTS_MODEL_COMPARE_H

#include <stddef.h>
#include <sys/stat.h>

#include "model.h"
#include "state/zsfs.h"

/*
 * Walk both trees from the model's root, and the model's inodes without a name,
 * and compare everything that the model knows: names and their order, types,
 * owners, modes, links, lookups, sizes, blocks, content, targets. Nothing else
 * may be changing them. 0, or -1 with a sentence in @msg for the first
 * difference.
 */
int compare_trees(struct zsfs *fs, const struct model *m, char *msg,
		  size_t size);

/*
 * Where the model is of the whole file system: inodes and blocks in use,
 * nothing left to reap, and the snapshots of virtual files.
 */
int compare_totals(struct zsfs *fs, const struct model *m, char *msg,
		   size_t size);

/* Do attributes and the model agree? What differs, or NULL. */
const char *compare_stat(const struct minode *i, const struct stat *st);

#endif
