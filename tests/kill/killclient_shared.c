/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the directory in which all workers make and remove files. */
#include "killclient_shared.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "killclient_alarm.h"
#include "killclient_data.h"
#include "killclient_record.h"

#define NR_NAMES 12u

static char dir[PATH_MAX], hold[PATH_MAX + 64];
static char prefix[64]; /* of this worker's names */
static char paths[NR_NAMES][PATH_MAX + 96];
static bool exists[NR_NAMES];
static unsigned char content[NR_NAMES]; /* which name it was made as */

/* Another killclient may remove the directory before something is in it. */
void shared_make(const char *root)
{
	int fd = -1;

	snprintf(dir, sizeof(dir), "%s/kc-shared", root);
	snprintf(hold, sizeof(hold), "%s/hold-%d", dir, (int)getpid());
	for (unsigned i = 0; i < 100 && fd < 0; i++) {
		if (CALL(mkdir, dir, 0777) < 0 && errno != EEXIST)
			must(-1, "mkdir", dir);
		fd = CALL(open, hold, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	must(fd, "open (O_CREAT|O_EXCL)", hold);
	must_close(fd, hold);
}

void shared_unmake(void)
{
	must(CALL(unlink, hold), "unlink", hold);
	/* Or another killclient is using it, or has removed it. */
	if (CALL(rmdir, dir) < 0 && errno != ENOTEMPTY && errno != ENOENT)
		must(-1, "rmdir", dir);
}

void shared_begin(unsigned worker)
{
	snprintf(prefix, sizeof(prefix), "w%d-%u-", (int)getpid(), worker);
	for (unsigned i = 0; i < NR_NAMES; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s%u", dir, prefix, i);
}

/* ---- one name ---- */

static void make(unsigned i)
{
	int fd = CALL(open, paths[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		      0600);

	must(fd, "open (O_CREAT|O_EXCL)", paths[i]);
	data_put(fd, paths[i], strlen(paths[i]), 0, paths[i]);
	must_close(fd, paths[i]);
	exists[i] = true;
	content[i] = (unsigned char)i;
}

static void check(unsigned i)
{
	const char *want = paths[content[i]];
	unsigned char got[sizeof(paths[0])];
	int fd = CALL(open, paths[i], O_RDWR | O_CLOEXEC);

	if (!exists[i]) {
		must_fail(fd, ENOENT, "open", paths[i]);
		return;
	}
	must(fd, "open", paths[i]);
	data_get(fd, got, sizeof(got), 0, strlen(want), false, paths[i]);
	data_compare(got, (const unsigned char *)want, 0, strlen(want), "pread",
		     paths[i]);
	must_close(fd, paths[i]);
}

static void drop(unsigned i)
{
	int res = CALL(unlink, paths[i]);

	if (exists[i])
		must(res, "unlink", paths[i]);
	else
		must_fail(res, ENOENT, "unlink", paths[i]);
	exists[i] = false;
}

static void move(unsigned i, unsigned to)
{
	int res = CALL(rename, paths[i], paths[to]);

	if (!exists[i]) {
		must_fail(res, ENOENT, "rename", paths[i]);
		return;
	}
	must(res, "rename", paths[i]);
	if (i == to)
		return;
	exists[i] = false;
	exists[to] = true;
	content[to] = content[i];
}

void shared_change(void)
{
	unsigned i = rnd(NR_NAMES);

	if (rnd(3) == 0)
		check(i);
	else if (rnd(3) == 0)
		move(i, rnd(NR_NAMES));
	else if (exists[i])
		drop(i);
	else
		make(i);
}

/* ---- the listing ---- */

static void seen(const char *name, bool *listed)
{
	unsigned i = 0;

	if (strncmp(name, prefix, strlen(prefix)))
		return;
	while (i < NR_NAMES && strcmp(name, paths[i] + strlen(dir) + 1))
		i++;
	if (i == NR_NAMES || !exists[i])
		fail("readdir %s: additional name \"%s\"", dir, name);
	if (listed[i])
		fail("readdir %s: \"%s\" is there twice", dir, name);
	listed[i] = true;
}

/*
 * In one piece, where the file system does that: when others remove names
 * between two pieces, not every file system (tmpfs, for one) goes on exactly
 * where it was.
 */
void shared_list(void)
{
	static _Alignas(struct dirent64) char buf[128 << 10];
	bool listed[NR_NAMES] = {false};
	struct dirent64 *d;
	ssize_t n;
	int fd;

	fd = (int)must(CALL(open, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		       "open", dir);
	alarm_block();
	while ((n = CALL(getdents64, fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n; at += d->d_reclen) {
			d = (struct dirent64 *)(void *)(buf + at);
			seen(d->d_name, listed);
		}
	}
	alarm_unblock();
	must(n, "getdents", dir);
	must_close(fd, dir);
	for (unsigned i = 0; i < NR_NAMES; i++)
		if (exists[i] && !listed[i])
			fail("readdir %s: \"%s\" is missing", dir,
			     paths[i] + strlen(dir) + 1);
}

void shared_end(void)
{
	for (unsigned i = 0; i < NR_NAMES; i++) {
		check(i);
		drop(i);
	}
	shared_list();
}
