/* SPDX-License-Identifier: BSD-3-Clause */
/* How files are stored (see usage.h). */
#include "usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define BLOCK_SIZE 4096
#define TEXT_SIZE  1024

static const char *const names[NR_USAGE_FORMS] = {
	[USAGE_HOT] = "hot",   [USAGE_LZ4] = "lz4",	[USAGE_ZSTD] = "zstd",
	[USAGE_RAW] = "raw",   [USAGE_DENSE] = "dense", [USAGE_SAME] = "same",
	[USAGE_ROOM] = "room", [USAGE_OTHER] = "",
};

static enum usage_form form_of(const char *name)
{
	int form = 0;

	while (form < USAGE_OTHER && strcmp(names[form], name) != 0)
		form++;
	return (enum usage_form)form;
}

static void add_form(struct usage *u, const char *name, int64_t blocks,
		     int64_t ram)
{
	enum usage_form form = form_of(name);

	u->bytes[form] += blocks * BLOCK_SIZE;
	u->ram[form] += ram;
}

/* Of those that a newer mount has more it can only be silent. */
static void add_number(struct usage *u, const char *name, int64_t n)
{
	if (!strcmp(name, "files"))
		u->files += n;
	else if (!strcmp(name, "size"))
		u->size += n;
	else if (!strcmp(name, "links"))
		u->links += n;
	else if (!strcmp(name, "folders"))
		u->folders += n;
}

static int parse_line(struct usage *u, const char *line)
{
	int64_t first, second;
	char name[32];
	int n = sscanf(line, "%31s%*[ ]%" SCNd64 "%*[ ]%" SCNd64, name, &first,
		       &second);

	if (n < 2)
		return -EINVAL;
	if (n == 3)
		add_form(u, name, first, second);
	else
		add_number(u, name, first);
	return 0;
}

int usage_parse(struct usage *u, const char *text)
{
	int err = 0;

	while (!err && *text) {
		err = parse_line(u, text);
		text += strcspn(text, "\n");
		text += strspn(text, "\n");
	}
	return err;
}

int usage_ask(struct usage *u, const char *path, bool follow)
{
	ssize_t (*ask)(const char *, const char *, void *, size_t) =
		follow ? getxattr : lgetxattr;
	char text[TEXT_SIZE];
	ssize_t n = ask(path, "zsfs.usage", text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return usage_parse(u, text);
}

void usage_add(struct usage *to, const struct usage *u)
{
	to->files += u->files;
	to->size += u->size;
	to->silent |= u->silent;
	for (int i = 0; i < NR_USAGE_FORMS; i++) {
		to->bytes[i] += u->bytes[i];
		to->ram[i] += u->ram[i];
	}
}

int64_t usage_data(const struct usage *u)
{
	int64_t sum = 0;

	for (int i = 0; i < NR_USAGE_FORMS; i++)
		sum += i == USAGE_ROOM ? 0 : u->bytes[i];
	return sum;
}

int64_t usage_ram(const struct usage *u)
{
	int64_t sum = 0;

	for (int i = 0; i < NR_USAGE_FORMS; i++)
		sum += u->ram[i];
	return sum;
}

int64_t usage_warm(const struct usage *u)
{
	return u->bytes[USAGE_LZ4] + u->bytes[USAGE_ZSTD];
}
