/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers: a growing array of them, to sort and to search. */
#ifndef FS_NUMBERS_H
#define FS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* All zero at first; the owner frees .v. */
struct numbers {
	uint64_t *v;
	size_t n, room; /* in use, and that fit into .v */
};

/* 0 or -ENOMEM. */
int numbers_add(struct numbers *a, uint64_t x);

/* The smallest first. */
void numbers_sort(struct numbers *a);

/* In a sorted array: the place of the first that is at least @x, or .n. */
size_t numbers_find(const struct numbers *a, uint64_t x);
/* And how often @x is there. */
uint64_t numbers_count(const struct numbers *a, uint64_t x);

#endif
