/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's side of a replacement of the program (see replace.h). */
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "child.h"
#include "program.h"
#include "state/shared_page.h"
#include "worker.h"

#define PRIME_MSECS 20000
/* The same when nobody serves meanwhile. */
#define ALONE_MSECS 500

void replace_init(struct replace *r, struct shared_page *k)
{
	*r = (struct replace){.k = k, .program = -1};
}

static void drop_program(struct replace *r)
{
	if (r->program >= 0)
		close(r->program);
	r->program = -1;
}

static void refuse(struct replace *r, const char *why)
{
	zsfs_log_ratelimited(LOG_ERR, "%s: the program is not replaced: %s",
			     r->k->config.mountpoint, why);
	snprintf(r->k->state.replace_text, sizeof(r->k->state.replace_text),
		 "%s", why);
	shared_set(&r->k->state.replace, REPLACE_REFUSED);
	drop_program(r);
	r->pid = 0;
	r->passed = false;
}

/* ---- the new program ---- */

/* Of the process that asked, or what is where ours was. 0 or -errno. */
static int find_program(struct replace *r, const struct signalfd_siginfo *info)
{
	r->program = info->ssi_code == SI_USER
			     ? program_of((pid_t)info->ssi_pid)
			     : -ENOENT;
	if (r->program == -ENOENT)
		r->program = program_at(r->k->state.binary);
	return r->program < 0 ? r->program : 0;
}

/* Returns only -errno. */
static int run_program(const struct replace *r, const char *role, int page,
		       const char *bank)
{
	char fd[16];
	char *const argv[] = {
		(char *)"zsfs",		 (char *)(uintptr_t)role, fd,
		(char *)(uintptr_t)bank, r->k->config.mountpoint, NULL};

	snprintf(fd, sizeof(fd), "%d", page);
	return program_run(r->program, argv);
}

static pid_t start_trial(struct replace *r)
{
	const struct shared_page *k = r->k;
	pid_t pid = fork();
	int err;

	if (pid)
		return pid;
	shared_page_pass_descriptors(k);
	/* The end that only the keeper has is closed by exec. */
	err = run_program(r, "--worker", k->fd.keeper,
			  k->state.active_bank ? "0" : "1");
	zsfs_log(LOG_ERR, "the new program cannot be run: %s", strerror(-err));
	_exit(WORKER_FAILED);
}

static void count_attempt(struct replace *r)
{
	struct shared_page *k = r->k;

	k->state.replace_text[0] = '\0';
	shared_set(&k->state.replace, REPLACE_UNDER_WAY);
	shared_set(&k->stats.replace_attempts, k->stats.replace_attempts + 1);
}

void replace_begin(struct replace *r, const struct signalfd_siginfo *info)
{
	char why[SHARED_TEXT_SIZE];
	int err;

	count_attempt(r);
	if (!r->k->state.can_resend) {
		refuse(r, "this kernel (before 6.9) gives no successor the "
			  "requests of the old program");
		return;
	}
	err = find_program(r, info);
	if (err) {
		snprintf(why, sizeof(why), "%.160s cannot be opened: %s",
			 r->k->state.binary, strerror(-err));
		refuse(r, why);
		return;
	}
	if (program_check(r->program, why, sizeof(why))) {
		refuse(r, why);
		return;
	}
	r->deadline = clock_ms() + PRIME_MSECS;
	r->pid = start_trial(r);
	if (r->pid < 0)
		refuse(r, strerror(errno));
}

void replace_decline(struct replace *r, const char *why)
{
	count_attempt(r);
	refuse(r, why);
}

void replace_abandon(struct replace *r, const char *why)
{
	if (!replace_under_way(r))
		return;
	child_stop(&r->pid);
	refuse(r, why);
}

bool replace_child_died(struct replace *r, pid_t pid, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (!r->pid || pid != r->pid)
		return false;
	r->pid = 0;
	if (code == WORKER_FIT)
		r->passed = true;
	else if (code == WORKER_REFUSED)
		refuse(r, "it has another layout of the arena; unmount to "
			  "change to it");
	else
		refuse(r, "it did not start; the log may say why");
	return true;
}

/* ---- the keeper becomes it ---- */

/* What SIGUSR2 starts then; what it cannot find by a path stays what it was. */
static void note_path(struct replace *r)
{
	char path[SHARED_PATH_SIZE];

	program_path(r->program, path, sizeof(path));
	if (*path)
		strcpy(r->k->state.binary, path);
}

/* Returns only -errno. */
static int become_program(struct replace *r)
{
	struct shared_page *k = r->k;
	int page = shared_page_renew(k), err;

	if (page < 0)
		return page;
	shared_page_pass_descriptors(k);
	fcntl(k->fd.keeper, F_SETFD, FD_CLOEXEC);
	fcntl(k->fd.alive_keeper, F_SETFD, 0);
	fcntl(page, F_SETFD, 0);
	err = run_program(r, "--keeper", page, "0");
	/* Not for what else this process may start. */
	close(page);
	shared_page_claim_descriptors(k);
	fcntl(k->fd.alive_keeper, F_SETFD, FD_CLOEXEC);
	return err;
}

static void succeed(struct replace *r, pid_t active)
{
	char before[SHARED_PATH_SIZE], why[SHARED_TEXT_SIZE];
	int err;

	strcpy(before, r->k->state.binary);
	note_path(r);
	r->k->state.active_pid = (uint32_t)active;
	err = become_program(r);
	strcpy(r->k->state.binary, before);
	snprintf(why, sizeof(why), "it cannot be run as keeper: %s",
		 strerror(-err));
	refuse(r, why);
}

bool replace_step(struct replace *r, pid_t active)
{
	uint64_t now = clock_ms();

	if (r->passed) {
		succeed(r, active);
		return true;
	}
	if (!r->pid)
		return false;
	if (!active && r->deadline > now + ALONE_MSECS)
		r->deadline = now + ALONE_MSECS;
	if (now >= r->deadline) {
		kill(r->pid, SIGKILL);
		r->deadline = now + PRIME_MSECS;
	}
	return false;
}
