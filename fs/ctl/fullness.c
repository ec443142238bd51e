/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of zspages (see fullness.h). */
#include "fullness.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COLUMNS 32

const char *const fullness_group[FULLNESS_GROUPS] = {"10%", "20%", "30%", "40%",
						     "50%", "60%", "70%", "80%",
						     "90%", "99%", "100%"};

/* Which column has what; -1: none. */
struct places {
	int class, size, chain, group[FULLNESS_GROUPS];
};

static int split(char *line, char **word)
{
	char *save, *w = strtok_r(line, " ", &save);
	int n = 0;

	for (; w && n < MOST_COLUMNS; w = strtok_r(NULL, " ", &save))
		word[n++] = w;
	return n;
}

static int place_of(char **word, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(word[i], name))
			return i;
	return -1;
}

static bool find_places(struct places *p, char *line)
{
	char *word[MOST_COLUMNS];
	int n = split(line, word);
	bool all = true;

	p->class = place_of(word, n, "class");
	p->size = place_of(word, n, "size");
	p->chain = place_of(word, n, "pages_per_zspage");
	for (int i = 0; i < FULLNESS_GROUPS; i++) {
		p->group[i] = place_of(word, n, fullness_group[i]);
		all &= p->group[i] >= 0;
	}
	return all && p->class >= 0 && p->size >= 0 && p->chain >= 0;
}

static uint64_t at(char **word, int n, int place)
{
	return place < n ? strtoull(word[place], NULL, 10) : 0;
}

/* false: the line is no class, or one without zspages. */
static bool read_row(struct fullness_row *r, const struct places *p, char *line)
{
	char *word[MOST_COLUMNS];
	int n = split(line, word);
	uint64_t sum = 0;

	if (n == 0 || word[0][0] < '0' || word[0][0] > '9')
		return false;
	r->size = (unsigned)at(word, n, p->size);
	r->pages_per_zspage = (unsigned)at(word, n, p->chain);
	for (int i = 0; i < FULLNESS_GROUPS; i++) {
		r->zspages[i] = at(word, n, p->group[i]);
		sum += r->zspages[i];
	}
	return sum > 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

int fullness_parse(struct fullness *f, char *text)
{
	struct places p;
	char *line;

	f->nr = 0;
	f->row = calloc(count_lines(text), sizeof(*f->row));
	if (!f->row)
		return -ENOMEM;
	line = strsep(&text, "\n");
	if (!line || !find_places(&p, line))
		return -EINVAL;
	while ((line = strsep(&text, "\n")))
		if (read_row(&f->row[f->nr], &p, line))
			f->nr++;
	return 0;
}
