/* SPDX-License-Identifier: BSD-3-Clause */
/* Knobs (see knob.h). */
#include "knob.h"

#include <stdio.h>
#include <string.h>

#include "format.h"
#include "stats.h"

static void show_word(char *text, const char *word)
{
	snprintf(text, FORMAT_SIZE, "%s", word ? word : "-");
}

static void show_truth(char *text, int64_t val)
{
	show_word(text, val < 0 ? NULL : val ? "true" : "false");
}

#define NUMBER(name, field)                                                    \
	static void show_##name(const struct stats *s, char *text)             \
	{                                                                      \
		format_number(text, s->field);                                 \
	}
#define WORD(name)                                                             \
	static void show_##name(const struct stats *s, char *text)             \
	{                                                                      \
		show_word(text, s->name);                                      \
	}
#define TRUTH(name)                                                            \
	static void show_##name(const struct stats *s, char *text)             \
	{                                                                      \
		show_truth(text, s->name);                                     \
	}

NUMBER(size, size)
NUMBER(mem_limit, mem_limit)
NUMBER(nr_inodes, nr_inodes)
NUMBER(hot, hot)
NUMBER(mem_used_max, ram_max)
NUMBER(chain_size, chain_size)
WORD(comp)
WORD(dense)
WORD(settle)
TRUTH(follow_cpu)
TRUTH(writeback)
TRUTH(xattr)
TRUTH(hidestats)

/* clang-format off */
const struct ctl_knob ctl_knobs[] = {
	{"size", "size", "SIZE", "most content of files before compression; 0: no limit", show_size},
	{"mem_limit", "mem_limit", "SIZE", "most RAM, processes aside; 0: no limit", show_mem_limit},
	{"nr_inodes", "nr_inodes", "N", "most files and directories; 0: no limit", show_nr_inodes},
	{"comp", "comp_algorithm", "ALG", "how what is written from now on is compressed", show_comp},
	{"dense", "dense", "ALG", "how what settles is compressed: zstd or zstd:N", show_dense},
	{"settle", "settle_after", "SECS", "seconds until a block that nobody writes is compressed densely, or off", show_settle},
	{"hot", "hot", "SIZE", "most bytes that are compressed only later; 0: none", show_hot},
	{"mem_used_max", "mem_used_max", "0", "the most RAM in use so far; 0 starts it anew", show_mem_used_max},
	{"chain_size", NULL, NULL, "most pages put together for objects of one size", show_chain_size},
	{"follow_cpu", NULL, NULL, "requests are served where they come from", show_follow_cpu},
	{"writeback", NULL, NULL, "the kernel holds what is written for a while", show_writeback},
	{"xattr", NULL, NULL, "there are extended attributes", show_xattr},
	{"hidestats", NULL, NULL, "statistics are for owners only", show_hidestats},
};
/* clang-format on */

const size_t ctl_nr_knobs = sizeof(ctl_knobs) / sizeof(ctl_knobs[0]);

static bool is(const char *have, const char *name, size_t len)
{
	return have && strlen(have) == len && !strncmp(have, name, len);
}

const struct ctl_knob *knob_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ctl_nr_knobs; i++)
		if (is(ctl_knobs[i].name, name, len))
			return &ctl_knobs[i];
	for (size_t i = 0; i < ctl_nr_knobs; i++)
		if (is(ctl_knobs[i].file, name, len))
			return &ctl_knobs[i];
	return NULL;
}

void knob_list(char *text, size_t size, bool settable)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ctl_nr_knobs && len < size; i++)
		if (ctl_knobs[i].file || !settable)
			len += (size_t)snprintf(text + len, size - len, "%s%s",
						len ? ", " : "",
						ctl_knobs[i].name);
}
