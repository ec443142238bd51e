/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirscan: read a directory while it changes.
 *
 *   dirscan list DIR             one name a line, in the order of readdir
 *   dirscan unlink DIR           unlink every name right after it was read;
 *                                prints how many were read
 *   dirscan unlink-odd DIR       at every 100th name, unlink the files named
 *                                f1, f3, f5... in turn; lists what was read
 *   dirscan create DIR           create a new file every 100 names; lists
 *   dirscan seek DIR             remember telldir() of every name, then seek
 *                                there in reverse order and compare
 *
 * Reads through getdents64 with a small buffer, so that the directory is read
 * in many requests.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
	uint64_t ino;
	int64_t next; /* cookie of the entry behind this one */
	uint16_t len;
	uint8_t type;
	char name[];
};

typedef int (*visit_fn)(int dir, const struct entry *e);

static unsigned long nr_read;

static int scan(int dir, visit_fn visit)
{
	static char buf[4096] __attribute__((aligned(8)));

	for (;;) {
		long n = syscall(SYS_getdents64, dir, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		for (long at = 0; at < n;) {
			struct entry *e = (struct entry *)(buf + at);
			int err = 0;

			if (strcmp(e->name, ".") && strcmp(e->name, "..")) {
				nr_read++;
				err = visit(dir, e);
			}
			if (err)
				return err;
			at += e->len;
		}
	}
}

static int visit_list(int dir, const struct entry *e)
{
	puts(e->name);
	return 0;
}

static int visit_unlink(int dir, const struct entry *e)
{
	return unlinkat(dir, e->name, 0) < 0 ? -errno : 0;
}

static int visit_unlink_odd(int dir, const struct entry *e)
{
	static unsigned next = 1;
	char name[32];

	puts(e->name);
	for (int i = 0; nr_read % 100 == 0 && i < 50; i++, next += 2) {
		snprintf(name, sizeof(name), "f%u", next);
		unlinkat(dir, name, 0); /* none left is fine */
	}
	return 0;
}

static int visit_create(int dir, const struct entry *e)
{
	char name[32];
	int fd;

	puts(e->name);
	if (nr_read % 100 || e->name[0] == 'n')
		return 0;
	snprintf(name, sizeof(name), "n%lu", nr_read);
	fd = openat(dir, name, O_CREAT | O_WRONLY | O_EXCL, 0600);
	return fd < 0 ? -errno : close(fd);
}

struct place {
	int64_t before;
	char name[256];
};

static struct place *places;
static int64_t cookie;

static int visit_note(int dir, const struct entry *e)
{
	struct place *p;

	places = realloc(places, nr_read * sizeof(*places));
	if (!places)
		return -ENOMEM;
	p = &places[nr_read - 1];
	p->before = cookie;
	snprintf(p->name, sizeof(p->name), "%s", e->name);
	cookie = e->next;
	return 0;
}

static int seek_back(int dir)
{
	static char buf[4096] __attribute__((aligned(8)));

	for (unsigned long i = nr_read; i-- > 0;) {
		struct entry *e = (struct entry *)buf;

		if (lseek(dir, places[i].before, SEEK_SET) < 0 ||
		    syscall(SYS_getdents64, dir, buf, sizeof(buf)) <= 0)
			return -errno;
		while (!strcmp(e->name, ".") || !strcmp(e->name, ".."))
			e = (struct entry *)((char *)e + e->len);
		if (strcmp(e->name, places[i].name)) {
			printf("after seek: %s, before: %s\n", e->name,
			       places[i].name);
			return -EILSEQ;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		visit_fn visit;
	} modes[] = {
		{ "list", visit_list },		{ "unlink", visit_unlink },
		{ "create", visit_create },	{ "seek", visit_note },
		{ "unlink-odd", visit_unlink_odd },
	};
	int err = -EINVAL, dir;

	if (argc != 3)
		return 2;
	dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (dir < 0) {
		perror(argv[2]);
		return 1;
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			err = scan(dir, modes[i].visit);
	if (!err && !strcmp(argv[1], "seek"))
		err = seek_back(dir);
	if (!err && !strcmp(argv[1], "unlink"))
		printf("%lu\n", nr_read);
	if (err)
		fprintf(stderr, "dirscan: %s\n", strerror(-err));
	free(places);
	close(dir);
	return err ? 1 : 0;
}
