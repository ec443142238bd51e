/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: expendable processes, which are killed in the middle of calls. */
#ifndef KILLCLIENT_VICTIM_H
#define KILLCLIENT_VICTIM_H

#include <stdbool.h>

/*
 * Victims 0 to @nr - 1, the first of which has slot @slot. @cached: the kernel
 * caches writes.
 */
void victims_make(const char *root, unsigned nr, unsigned first_slot,
		  bool cached);
/* Start and kill them as it is time to; how many are there after @stop. */
unsigned victims_tend(bool stop);
/* Remove what they have left. */
void victims_unmake(void);

#endif
