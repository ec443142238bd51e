/* SPDX-License-Identifier: BSD-3-Clause */
/* Mounts (see mounts.h). */
#include "mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- reading ---- */

static bool is_octal(const char *s)
{
	for (int i = 0; i < 3; i++)
		if (s[i] < '0' || s[i] > '7')
			return false;
	return true;
}

/* The kernel writes blanks and backslashes as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (*s == '\\' && is_octal(s + 1)) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				       (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static char *field(char **rest)
{
	char *f = strsep(rest, " \n");

	if (!f)
		return (char *)"";
	unescape(f);
	return f;
}

static dev_t parse_dev(const char *text)
{
	unsigned major = 0, minor = 0;

	sscanf(text, "%u:%u", &major, &minor);
	return makedev(major, minor);
}

/* The optional fields end with "-". */
static struct mount parse(char *line)
{
	struct mount m = {.line = line};
	char *rest = line;

	m.id = atoi(field(&rest));
	m.parent = atoi(field(&rest));
	m.dev = parse_dev(field(&rest));
	m.root = field(&rest);
	m.at = field(&rest);
	m.options = field(&rest);
	while (rest && strcmp(field(&rest), "-"))
		;
	m.type = field(&rest);
	m.source = field(&rest);
	m.super_options = field(&rest);
	return m;
}

/* Takes @line over. */
static int add(struct mounts *m, char *line)
{
	struct mount *more = reallocarray(m->mount, m->nr + 1, sizeof(*more));

	if (!more) {
		free(line);
		return -ENOMEM;
	}
	m->mount = more;
	m->mount[m->nr++] = parse(line);
	return 0;
}

int mounts_read(struct mounts *m, const char *path)
{
	FILE *f = fopen(path ? path : "/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	*m = (struct mounts){0};
	if (!f)
		return -errno;
	while (!err && getline(&line, &size, f) > 0) {
		err = add(m, line);
		line = NULL;
		size = 0;
	}
	free(line);
	fclose(f);
	return err;
}

void mounts_free(struct mounts *m)
{
	for (size_t i = 0; i < m->nr; i++)
		free(m->mount[i].line);
	free(m->mount);
	*m = (struct mounts){0};
}

/* ---- looking ---- */

bool mount_is_zsfs(const struct mount *m)
{
	return !strcmp(m->type, "fuse.zsfs");
}

static bool is_fuse(const struct mount *m)
{
	return !strcmp(m->type, "fuse") || !strncmp(m->type, "fuse.", 5);
}

static bool shows_all(const struct mount *m)
{
	return !strcmp(m->root, "/");
}

/* Is @path @dir or in it? */
static bool is_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len > 0 && dir[len - 1] == '/')
		len--;
	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

bool mount_is_covered(const struct mounts *all, const struct mount *m)
{
	for (size_t i = 0; i < all->nr; i++)
		if (all->mount[i].parent == m->id &&
		    !strcmp(all->mount[i].at, m->at))
			return true;
	return false;
}

/* Of those that @path is below, the deepest; of several there the last. */
static const struct mount *deepest(const struct mounts *all, const char *path)
{
	const struct mount *found = NULL;

	for (size_t i = 0; i < all->nr; i++) {
		const struct mount *m = &all->mount[i];

		if (is_in(path, m->at) &&
		    (!found || strlen(m->at) >= strlen(found->at)))
			found = m;
	}
	return found;
}

/* One that shows the whole file system of @m. */
static const struct mount *whole(const struct mounts *all,
				 const struct mount *m)
{
	if (shows_all(m))
		return m;
	for (size_t i = 0; i < all->nr; i++)
		if (all->mount[i].dev == m->dev && shows_all(&all->mount[i]) &&
		    !mount_is_covered(all, &all->mount[i]))
			return &all->mount[i];
	return NULL;
}

/* A dead mount's path has no other name than the one that was given. */
static bool resolve(const char *path, char *to)
{
	size_t len = strlen(path);

	if (realpath(path, to))
		return true;
	if (errno != ENOTCONN && errno != ECONNABORTED && errno != EACCES)
		return false;
	if (path[0] != '/' || len >= PATH_MAX)
		return false;
	strcpy(to, path);
	while (len > 1 && to[len - 1] == '/')
		to[--len] = '\0';
	return true;
}

const struct mount *mounts_find(const struct mounts *all, const char *path,
				char *why, size_t size)
{
	const struct mount *m, *it;
	char real[PATH_MAX];

	if (!resolve(path, real)) {
		snprintf(why, size, "%s", strerror(errno));
		return NULL;
	}
	m = deepest(all, real);
	if (!m || !is_fuse(m)) {
		snprintf(why, size, "no zsfs is mounted there");
		return NULL;
	}
	it = whole(all, m);
	if (!it)
		snprintf(why, size,
			 "only a part of the mount is seen there (%s), and "
			 "its root nowhere",
			 m->root);
	return it;
}

/* The name from the root on. false: it has none that can be told so. */
static bool full_name(const char *path, char *to)
{
	size_t len = 0;

	if (strstr(path, ".."))
		return false;
	if (path[0] != '/') {
		if (!getcwd(to, PATH_MAX))
			return false;
		len = strlen(to);
	}
	return (size_t)snprintf(to + len, PATH_MAX - len, "/%s", path) <
	       PATH_MAX - len;
}

const struct mount *mounts_near(const struct mounts *all, const char *path)
{
	const struct mount *m;
	char full[PATH_MAX];

	if (!full_name(path, full))
		return NULL;
	m = deepest(all, full + (path[0] == '/'));
	return m && mount_is_zsfs(m) ? m : NULL;
}

bool mount_is_first(const struct mounts *all, const struct mount *m)
{
	const struct mount *first = NULL;

	for (size_t i = 0; i < all->nr; i++) {
		const struct mount *o = &all->mount[i];

		if (o->dev != m->dev)
			continue;
		if (!first || (!shows_all(first) && shows_all(o)))
			first = o;
	}
	return first == m;
}
