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
 *   dirscan rename DIR           rename every name as it is read to a new one,
 *                                which is renamed again if it comes, and so on
 *   dirscan link DIR             make one more link of every name
 *   dirscan make DIR             make a new file at every name; these three
 *                                print how many were read, at most MAX_READ
 *   dirscan nfs-rename DIR       as rename, but opens the directory anew for
 *                                each buffer and seeks, as a file server does
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

#define MAX_READ 100000u

typedef int (*visit_fn)(int dir, const struct entry *e);

static unsigned long nr_read;

static const char *reopen; /* before each buffer */

static int open_again(int *dir, int64_t at)
{
	close(*dir);
	*dir = open(reopen, O_RDONLY | O_DIRECTORY);
	return *dir < 0 || lseek(*dir, at, SEEK_SET) < 0 ? -errno : 0;
}

static int scan(int dir, visit_fn visit)
{
	static char buf[4096] __attribute__((aligned(8)));
	int64_t next = 0;

	for (;;) {
		long n = syscall(SYS_getdents64, dir, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		for (long at = 0; at < n;) {
			struct entry *e = (struct entry *)(buf + at);
			int err = 0;

			next = e->next;
			if (strcmp(e->name, ".") && strcmp(e->name, "..")) {
				nr_read++;
				err = visit(dir, e);
			}
			if (err)
				return err;
			at += e->len;
		}
		if (reopen && open_again(&dir, next))
			return -errno;
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

static const char *new_name(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "v%lu", nr_read);
	return name;
}

static int ends(int ret)
{
	if (nr_read >= MAX_READ)
		return -ELOOP;
	return ret < 0 ? -errno : 0;
}

static int visit_rename(int dir, const struct entry *e)
{
	return ends(renameat(dir, e->name, dir, new_name()));
}

static int visit_link(int dir, const struct entry *e)
{
	return ends(linkat(dir, e->name, dir, new_name(), 0));
}

static int visit_make(int dir, const struct entry *e)
{
	return ends(mknodat(dir, new_name(), S_IFREG | 0600, 0));
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
		{"list", visit_list},
		{"unlink", visit_unlink},
		{"create", visit_create},
		{"seek", visit_note},
		{"unlink-odd", visit_unlink_odd},
		{"rename", visit_rename},
		{"link", visit_link},
		{"make", visit_make},
		{"nfs-rename", visit_rename},
	};
	int err = -EINVAL, dir;

	if (argc != 3)
		return 2;
	dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (dir < 0) {
		perror(argv[2]);
		return 1;
	}
	if (!strncmp(argv[1], "nfs-", 4))
		reopen = argv[2];
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			err = scan(dir, modes[i].visit);
	if (!err && !strcmp(argv[1], "seek"))
		err = seek_back(dir);
	if (!err && (!strcmp(argv[1], "unlink") || strstr(argv[1], "rename") ||
		     !strcmp(argv[1], "link") || !strcmp(argv[1], "make")))
		printf("%lu\n", nr_read);
	if (err)
		fprintf(stderr, "dirscan: %s\n", strerror(-err));
	free(places);
	return err ? 1 : 0;
}
