/* SPDX-License-Identifier: BSD-3-Clause */
/* Knobs: what "get" shows and "set" changes. */
#ifndef FS_CTL_KNOB_H
#define FS_CTL_KNOB_H

#include <stdbool.h>
#include <stddef.h>

struct stats;

struct ctl_knob {
	const char *name; /* of the mount option, if there is one */
	const char *file; /* in .zsctl; NULL: fixed when mounted */
	const char *arg;  /* what it takes */
	const char *help;
	/* Writes its value, as stats.json has it, to a text of FORMAT_SIZE. */
	void (*show)(const struct stats *s, char *text);
};

extern const struct ctl_knob ctl_knobs[];
extern const size_t ctl_nr_knobs;

/* By its name, or that of its file; NULL: none. */
const struct ctl_knob *knob_find(const char *name, size_t len);

/* "size, mem_limit, ..": all, or those that can be set. */
void knob_list(char *text, size_t size, bool settable);

#endif
