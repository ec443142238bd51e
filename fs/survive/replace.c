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

void replace_init(struct replace *r, struct keep *k)
{
	*r = (struct replace){.k = k};
}

static void refuse(struct replace *r, const char *why)
{
	zsfs_log_ratelimited(LOG_ERR, "not replaced by %s: %s", r->k->binary,
			     why);
	snprintf(r->k->replace_text, sizeof(r->k->replace_text), "%s", why);
	strcpy(r->k->binary, r->before);
	keep_set(&r->k->drain, 0);
	keep_set(&r->k->replace, REPLACE_REFUSED);
	r->pid = 0;
	r->draining = false;
}

/* ---- the new program ---- */

/* Where it is: of the process that asked, or where ours was. */
static void find_program(struct replace *r, const struct signalfd_siginfo *info)
{
	static const char gone[] = " (deleted)";
	char link[64], path[KEEP_PATH_SIZE];
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
	strcpy(r->k->binary, path);
}

static void inherit(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void start_program(const struct keep *k, const char *role,
			  const char *bank)
{
	char fd[16];

	inherit(k->keep_fd);
	inherit(k->fuse_fd);
	inherit(k->arena_fd);
	inherit(k->wake_fd);
	inherit(k->alive_fd);
	snprintf(fd, sizeof(fd), "%d", k->keep_fd);
	execl(k->binary, "zsfs", role, fd, bank, k->mountpoint, (char *)NULL);
}

static pid_t start_successor(struct replace *r)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* The end that only the keeper has is closed by exec. */
	start_program(r->k, "--worker", r->k->active_bank ? "0" : "1");
	zsfs_log(LOG_ERR, "%s cannot be run: %s", r->k->binary,
		 strerror(errno));
	_exit(WORKER_FAILED);
}

void replace_begin(struct replace *r, const struct signalfd_siginfo *info)
{
	strcpy(r->before, r->k->binary);
	find_program(r, info);
	r->k->replace_text[0] = '\0';
	keep_set(&r->k->primed_pid, 0);
	keep_set(&r->k->replace, REPLACE_UNDER_WAY);
	keep_set(&r->k->replace_attempts, r->k->replace_attempts + 1);
	r->deadline = clock_ms() + PRIME_MSECS;
	if (!keep_get(&r->k->can_resend)) {
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
	if (keep_get(&r->k->active_pid) == (uint32_t)pid) {
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
	inherit(r->k->alive_keeper_fd);
	start_program(r->k, "--keeper", "0");
	zsfs_log(LOG_ERR, "%s cannot be run as keeper: %s", r->k->binary,
		 strerror(errno));
	/* Not for what else this process may start. */
	keep_claim_descriptors(r->k);
	fcntl(r->k->alive_keeper_fd, F_SETFD, FD_CLOEXEC);
}

static bool taken_over(struct replace *r)
{
	r->k->replacements++;
	keep_set(&r->k->drain, 0);
	r->pid = 0;
	r->draining = r->served = false;
	become_program(r);
	strcpy(r->k->binary, r->before);
	keep_set(&r->k->replace, REPLACE_DONE);
	return true;
}

static void begin_drain(struct replace *r, pid_t active)
{
	r->draining = true;
	r->deadline = clock_ms() + DRAIN_MSECS;
	keep_set(&r->k->drain, 1);
	if (active)
		kill(active, SIGUSR2);
}

bool replace_step(struct replace *r, pid_t active)
{
	struct keep *k = r->k;

	if (!replace_under_way(r))
		return false;
	if (r->served || keep_get(&k->active_pid) == (uint32_t)r->pid)
		return taken_over(r);
	if (!r->draining && keep_get(&k->primed_pid) == (uint32_t)r->pid)
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
