/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: expendable processes, which are killed in the middle of calls. */
#include "killclient_victim.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "killclient_data.h"
#include "killclient_record.h"

#define MAX_VICTIMS 64u

static struct victim {
	char dir[PATH_MAX];
	pid_t pid;    /* 0: none */
	bool killed;  /* not yet reaped */
	uint64_t due; /* to be killed */
} victims[MAX_VICTIMS];
static unsigned nr_victims, slots_from;
static bool writes_cached;

void victims_make(const char *root, unsigned nr, unsigned first_slot,
		  bool cached)
{
	writes_cached = cached;
	nr_victims = nr;
	slots_from = first_slot;
	for (unsigned i = 0; i < nr; i++) {
		struct victim *v = &victims[i];

		snprintf(v->dir, sizeof(v->dir), "%s/kx-%d-%u", root,
			 (int)getpid(), i);
		must(CALL(mkdir, v->dir, 0700), "mkdir", v->dir);
	}
}

/* ---- the victim itself ---- */

/* Fail unless the call succeeded, or failed as it may by what is there. */
static bool done(long res, const char *call, const char *path)
{
	if (res == -1 && errno != ENOENT && errno != EEXIST &&
	    errno != ENOTDIR && errno != EISDIR && errno != ENOTEMPTY &&
	    errno != ENXIO) /* a whiteout */
		must(-1, call, path);
	return res != -1;
}

/*
 * With a cache of writes, rename, link and unlink tell the times of the file.
 * Where a process is killed while they do, Linux keeps that as an error of the
 * file, for the next one who calls fsync or close.
 */
static void told(long res, const char *call, const char *path)
{
	if (res != -1 || !writes_cached || (errno != EINTR && errno != EIO))
		must(res, call, path);
}

static void scribble(const char *path)
{
	static unsigned char buf[200000];
	size_t len = 1 + rnd(rnd(3) ? 9000 : sizeof(buf));
	int fd = CALL(open, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (!done(fd, "open (O_CREAT)", path))
		return;
	data_fill(buf, rnd(1000), 1, 0, len);
	data_put(fd, buf, len, rnd(300000), path);
	if (rnd(4) == 0)
		told(CALL(fsync, fd), "fsync", path);
	told(ONCE(close, fd), "close", path);
}

/* A file without a name, that may be given @path. */
static void nameless(const char *dir, const char *path)
{
	int fd = CALL(open, dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	char self[40];

	must(fd, "open (O_TMPFILE)", dir);
	data_put(fd, "nameless", 8, rnd(9000), dir);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (rnd(2))
		done(CALL(linkat, AT_FDCWD, self, AT_FDCWD, path,
			  AT_SYMLINK_FOLLOW),
		     "linkat", path);
	told(ONCE(close, fd), "close", dir);
}

static void be_random(const char *dir)
{
	char path[PATH_MAX + 32], path2[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%u", dir, rnd(12));
	snprintf(path2, sizeof(path2), "%s/%u", dir, rnd(12));
	switch (rnd(10)) {
	case 0:
		done(CALL(mkdir, path, 0700), "mkdir", path);
		break;
	case 1:
		done(CALL(rmdir, path), "rmdir", path);
		break;
	case 2:
		done(CALL(unlink, path), "unlink", path);
		break;
	case 3:
		done(CALL(rename, path, path2), "rename", path);
		break;
	case 4:
		done(CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path2,
			  RENAME_WHITEOUT),
		     "renameat2 (RENAME_WHITEOUT)", path);
		break;
	case 5:
		nameless(dir, path);
		break;
	case 6:
		snprintf(path, sizeof(path), "%s/%u/%u", dir, rnd(12), rnd(2));
		scribble(path);
		break;
	default:
		scribble(path);
	}
}

__attribute__((noreturn)) static void victim(unsigned nr, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	record_at_failure(NULL);
	record_use(slots_from + nr, "victim", nr);
	while (getppid() == parent) {
		be_random(victims[nr].dir);
		slot->ops++;
	}
	_exit(0);
}

/* ---- its life ---- */

static void start(struct victim *v)
{
	uint64_t seed = rnd64();
	pid_t self = getpid();

	v->killed = false;
	v->due = record_now() + 5000000 + (uint64_t)rnd(55000) * 1000;
	v->pid = fork();
	if (v->pid < 0)
		fail("killclient cannot fork: %s", strerrorname_np(errno));
	if (v->pid == 0) {
		rnd_seed(seed);
		victim((unsigned)(v - victims), self);
	}
}

/* A killed process stays until its request is answered: do not wait. */
static void reap(struct victim *v)
{
	int status;

	if (waitpid(v->pid, &status, WNOHANG) != v->pid)
		return;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || !v->killed)
		fail("victim %d ended with status 0x%x", (int)v->pid, status);
	v->pid = 0;
}

unsigned victims_tend(bool stop)
{
	unsigned nr = 0;

	for (struct victim *v = victims; v < victims + nr_victims; v++) {
		if (v->pid == 0 && !stop)
			start(v);
		if (v->pid && !v->killed && (stop || record_now() >= v->due)) {
			v->killed = true;
			kill(v->pid, SIGKILL);
		}
		if (v->pid)
			reap(v);
		nr += v->pid != 0;
	}
	return nr;
}

/* ---- removing ---- */

static void remove_all(const char *dir, unsigned depth)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = CALL(opendir, dir);

	if (!d)
		must(-1, "opendir", dir);
	while ((errno = 0, e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < 0)
			continue;
		if (CALL(unlink, path) == 0)
			continue;
		if (errno != EISDIR || depth == 3)
			must(-1, "unlink", path);
		remove_all(path, depth + 1);
	}
	if (errno)
		must(-1, "readdir", dir);
	closedir(d);
	must(CALL(rmdir, dir), "rmdir", dir);
}

void victims_unmake(void)
{
	for (unsigned i = 0; i < nr_victims; i++)
		remove_all(victims[i].dir, 0);
}
