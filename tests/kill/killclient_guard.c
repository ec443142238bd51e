/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: what a worker holds the whole time: an unlinked file, locks. */
#include "killclient_guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "killclient_alarm.h"
#include "killclient_check.h"
#include "killclient_file.h"
#include "killclient_name.h"
#include "killclient_record.h"

static struct node *orphan, *flocked, *locked;

static struct flock write_lock(void)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fl;
}

static void path_of(struct tree *t, struct node *n, char *path)
{
	tree_entry_path(t, tree_name_of(t, n), path);
}

static void enlarge(struct node *n)
{
	free(n->data);
	n->limit = 2u << 20;
	n->data = calloc(1, n->limit);
	if (!n->data)
		fail("killclient has no memory");
}

void guard_begin(struct tree *t)
{
	struct flock fl = write_lock();
	char path[PATH_MAX];

	orphan = name_pinned(t, "orphan");
	enlarge(orphan);
	path_of(t, orphan, path);
	must(CALL(unlink, path), "unlink", path);
	tree_del(tree_name_of(t, orphan));
	flocked = name_pinned(t, "flocked");
	path_of(t, flocked, path);
	must(CALL(flock, flocked->fd, LOCK_EX | LOCK_NB), "flock", path);
	locked = name_pinned(t, "locked");
	path_of(t, locked, path);
	must(CALL(fcntl, locked->fd, F_SETLK, &fl), "fcntl (F_SETLK)", path);
}

void guard_append(struct tree *t)
{
	if (orphan->size + 30000 > orphan->limit) {
		check_file(t, orphan, true);
		must(CALL(ftruncate, orphan->fd, 0), "ftruncate",
		     "(a file without a name)");
		orphan->size = 0;
		orphan->mtime_known = false;
		enlarge(orphan);
	}
	file_append_to(t, orphan, 1 + rnd(rnd(2) ? 9000 : 100));
	if (rnd(4) == 0)
		check_file(t, orphan, rnd(2));
}

/* ---- the locks ---- */

static void check_flock(struct tree *t)
{
	char path[PATH_MAX];
	int fd;

	path_of(t, flocked, path);
	fd = (int)must(CALL(open, path, O_RDWR | O_CLOEXEC), "open", path);
	must_fail(CALL(flock, fd, LOCK_EX | LOCK_NB), EWOULDBLOCK,
		  "flock (of a locked file)", path);
	must_fail(CALL(flock, fd, LOCK_SH | LOCK_NB), EWOULDBLOCK,
		  "flock (of a locked file)", path);
	must_close(fd, path);
}

static void check_lock(struct tree *t)
{
	struct flock fl = write_lock();
	char path[PATH_MAX];
	int fd, res;

	path_of(t, locked, path);
	fd = (int)must(CALL(open, path, O_RDWR | O_CLOEXEC), "open", path);
	res = CALL(fcntl, fd, F_SETLK, &fl);
	if (res == 0 || errno != EACCES)
		must_fail(res, EAGAIN, "fcntl (F_SETLK of a locked file)",
			  path);
	must(CALL(fcntl, fd, F_GETLK, &fl), "fcntl (F_GETLK)", path);
	if (fl.l_type != F_WRLCK)
		fail("fcntl (F_GETLK) %s: expected F_WRLCK (%d), got %d", path,
		     F_WRLCK, fl.l_type);
	must_close(fd, path);
}

__attribute__((noreturn)) static void checker(struct tree *t, pid_t worker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(0);
	check_flock(t);
	check_lock(t);
	_exit(0);
}

/* Timers are not inherited, so the checker is not interrupted. */
void guard_locks(struct tree *t)
{
	pid_t self = getpid(), pid, got;
	int status;

	alarm_block();
	pid = fork();
	if (pid == 0)
		checker(t, self);
	alarm_unblock();
	if (pid < 0)
		fail("killclient cannot fork: %s", strerrorname_np(errno));
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid || status)
		fail("the checker of the locks ended with status 0x%x", status);
}

static void release(struct tree *t, struct node *n)
{
	check_file(t, n, true);
	must_close(n->fd, "a file that was kept open");
	n->pinned = false;
	tree_close(n);
}

void guard_end(struct tree *t)
{
	guard_locks(t);
	release(t, orphan);
	release(t, flocked);
	release(t, locked);
}
