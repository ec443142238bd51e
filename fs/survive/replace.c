/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's side of a replacement of the program (see replace.h). */
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "state/shared_page.h"
#include "worker.h"

#define PRIME_MSECS 20000
/* The same when nobody serves meanwhile. */
#define ALONE_MSECS 500
#define DRAIN_MSECS 3000

void replace_init(struct replace *r, struct shared_page *k)
{
	*r = (struct replace){.k = k};
}

static void refuse(struct replace *r, const char *why)
{
	zsfs_log_ratelimited(LOG_ERR, "not replaced by %s: %s",
			     r->k->state.binary, why);
	snprintf(r->k->state.replace_text, sizeof(r->k->state.replace_text),
		 "%s", why);
	strcpy(r->k->state.binary, r->before);
	shared_set(&r->k->state.drain, 0);
	shared_set(&r->k->state.replace, REPLACE_REFUSED);
	r->pid = 0;
	r->draining = false;
}

/* ---- the new program ---- */

/* Where it is: of the process that asked, or where ours was. */
static void find_program(struct replace *r, const struct signalfd_siginfo *info)
{
	static const char gone[] = " (deleted)";
	char link[64], path[SHARED_PATH_SIZE];
	struct stat st;
	ssize_t n;

	/* Its process id may be another process's by now: look whose it is. */
	snprintf(link, sizeof(link), "/proc/%u", info->ssi_pid);
	if (info->ssi_code != SI_QUEUE || stat(link, &st) ||
	    (st.st_uid != 0 && st.st_uid != geteuid()))
		return;
	snprintf(link, sizeof(link), "/proc/%u/exe", info->ssi_pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	if ((size_t)n > sizeof(gone) &&
	    !strcmp(path + n - (sizeof(gone) - 1), gone))
		return;
	strcpy(r->k->state.binary, path);
}

static void inherit(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void start_program(const struct shared_page *k, const char *role,
			  const char *bank)
{
	char fd[16];

	inherit(k->fd.page);
	inherit(k->fd.fuse);
	inherit(k->fd.arena);
	inherit(k->fd.wake);
	inherit(k->fd.alive);
	snprintf(fd, sizeof(fd), "%d", k->fd.page);
	execl(k->state.binary, "zsfs", role, fd, bank, k->config.mountpoint,
	      (char *)NULL);
}

static pid_t start_successor(struct replace *r)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* The end that only the keeper has is closed by exec. */
	start_program(r->k, "--worker", r->k->state.active_bank ? "0" : "1");
	zsfs_log(LOG_ERR, "%s cannot be run: %s", r->k->state.binary,
		 strerror(errno));
	_exit(WORKER_FAILED);
}

void replace_begin(struct replace *r, const struct signalfd_siginfo *info)
{
	strcpy(r->before, r->k->state.binary);
	find_program(r, info);
	r->k->state.replace_text[0] = '\0';
	shared_set(&r->k->state.primed_pid, 0);
	shared_set(&r->k->state.replace, REPLACE_UNDER_WAY);
	shared_set(&r->k->stats.replace_attempts,
		   r->k->stats.replace_attempts + 1);
	r->deadline = clock_ms() + PRIME_MSECS;
	if (!shared_get(&r->k->state.can_resend)) {
		refuse(r, "this kernel (before 6.9) gives no successor the "
			  "requests of the old program");
		return;
	}
	r->pid = start_successor(r);
	if (r->pid < 0)
		refuse(r, strerror(errno));
}

void replace_abandon(struct replace *r, const char *why)
{
	if (!replace_under_way(r))
		return;
	if (r->pid) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
	}
	r->served = false;
	refuse(r, why);
}

bool replace_child_died(struct replace *r, pid_t pid, int status)
{
	if (!r->pid || pid != r->pid)
		return false;
	if (shared_get(&r->k->state.active_pid) == (uint32_t)pid) {
		r->served = true;
		r->pid = 0;
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_REFUSED)
		refuse(r, "it has another layout of the arena; unmount to "
			  "change to it");
	else
		refuse(r, "it did not start; the log may say why");
	return true;
}

/* The last step. On failure the old keeper goes on with new workers. */
static void become_program(struct replace *r)
{
	inherit(r->k->fd.alive_keeper);
	start_program(r->k, "--keeper", "0");
	zsfs_log(LOG_ERR, "%s cannot be run as keeper: %s", r->k->state.binary,
		 strerror(errno));
	/* Not for what else this process may start. */
	shared_page_claim_descriptors(r->k);
	fcntl(r->k->fd.alive_keeper, F_SETFD, FD_CLOEXEC);
}

static bool taken_over(struct replace *r)
{
	r->k->stats.replacements++;
	shared_set(&r->k->state.drain, 0);
	r->pid = 0;
	r->draining = r->served = false;
	become_program(r);
	strcpy(r->k->state.binary, r->before);
	shared_set(&r->k->state.replace, REPLACE_DONE);
	return true;
}

static void begin_drain(struct replace *r, pid_t active)
{
	r->draining = true;
	r->deadline = clock_ms() + DRAIN_MSECS;
	shared_set(&r->k->state.drain, 1);
	if (active)
		kill(active, SIGUSR2);
}

bool replace_step(struct replace *r, pid_t active)
{
	struct shared_page *k = r->k;

	if (!replace_under_way(r))
		return false;
	if (r->served || shared_get(&k->state.active_pid) == (uint32_t)r->pid)
		return taken_over(r);
	if (!r->draining &&
	    shared_get(&k->state.primed_pid) == (uint32_t)r->pid)
		begin_drain(r, active);
	if (!active && !r->draining && r->deadline > clock_ms() + ALONE_MSECS)
		r->deadline = clock_ms() + ALONE_MSECS;
	if (clock_ms() < r->deadline)
		return false;
	/* A request that does not end: its worker's death ends it, too. */
	if (!r->draining)
		kill(r->pid, SIGKILL);
	else if (active)
		kill(active, SIGKILL);
	r->deadline = clock_ms() + PRIME_MSECS;
	return false;
}
