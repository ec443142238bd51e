/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading mountinfo (see mount_table.h). */
#include "mount_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* The next field of a line; "" at its end. */
static char *field(char **rest)
{
	char *f = strsep(rest, " \n");

	if (!f)
		return (char *)"";
	machine_unescape(f);
	return f;
}

/* Fields have fixed places but for the optional ones, which end with "-". */
static void parse(struct mount_entry *e, char *line)
{
	char *rest = line;

	*e = (struct mount_entry){.line = line};
	e->id = atoi(field(&rest));
	e->parent = atoi(field(&rest));
	e->dev = field(&rest);
	e->root = field(&rest);
	e->at = field(&rest);
	e->options = field(&rest);
	while (rest && strcmp(field(&rest), "-"))
		;
	e->type = field(&rest);
	e->source = field(&rest);
	e->super_options = field(&rest);
}

/* Takes @line over. */
static int add(struct mount_table *t, char *line, const char *dev)
{
	struct mount_entry e, *more;

	parse(&e, line);
	if (dev && strcmp(e.dev, dev)) {
		free(line);
		return 0;
	}
	more = reallocarray(t->entries, t->nr + 1, sizeof(e));
	if (!more) {
		free(line);
		return -ENOMEM;
	}
	t->entries = more;
	t->entries[t->nr++] = e;
	return 0;
}

int mount_table_read(struct mount_table *t, const char *dev)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;
	char *line = NULL;
	int err = 0;

	*t = (struct mount_table){0};
	if (!f)
		return -errno;
	while (!err && getline(&line, &size, f) > 0) {
		err = add(t, line, dev);
		line = NULL;
		size = 0;
	}
	free(line);
	fclose(f);
	return err;
}

void mount_table_free(struct mount_table *t)
{
	for (size_t i = 0; i < t->nr; i++)
		free(t->entries[i].line);
	free(t->entries);
	*t = (struct mount_table){0};
}

/* Does another mount at the same path lie on @below? */
static bool is_covered(const struct mount_table *t,
		       const struct mount_entry *below)
{
	for (size_t i = 0; i < t->nr; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (e != below && e->parent == below->id &&
		    !strcmp(e->at, below->at))
			return true;
	}
	return false;
}

const struct mount_entry *mount_table_top(const struct mount_table *t,
					  const char *path)
{
	for (size_t i = 0; i < t->nr; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (!strcmp(e->at, path) && !is_covered(t, e))
			return e;
	}
	return NULL;
}

bool mount_table_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, len) && (!at[len] || at[len] == ','))
			return true;
	}
	return false;
}
