/* SPDX-License-Identifier: BSD-3-Clause */
/* Going to the background, and protection (see daemon.h). */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/machine.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* ---- background ---- */

/* The parent: pass on what became of the child. */
static void await_verdict(pid_t child, int verdict)
{
	int status;
	ssize_t n;
	char ok;

	do {
		n = read(verdict, &ok, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			_exit(1);
	}
	if (WIFSIGNALED(status))
		zsfs_log(LOG_ERR, "the daemon was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	_exit(1);
}

void daemon_close_inherited(void)
{
	close_range(3, ~0U, 0);
}

/* Close all descriptors but the standard ones and @fd, which may change. */
static int keep_only(int fd)
{
	if (fd != 3) {
		if (dup3(fd, 3, O_CLOEXEC) != 3)
			return fd;
	}
	close_range(4, ~0U, 0);
	return 3;
}

int daemon_fork(struct daemon *d)
{
	int ends[2], err;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		goto err_close;
	}
	if (pid > 0) {
		close(ends[1]);
		await_verdict(pid, ends[0]);
	}
	d->verdict = keep_only(ends[1]);
	setsid(); /* cannot fail in a process just forked */
	return 0;

err_close:
	close(ends[0]);
	close(ends[1]);
	return err;
}

int daemon_open_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null < 0 ? -errno : null;
}

int daemon_let_go_of_files(int null)
{
	zsfs_log_to_syslog();
	for (int fd = 0; fd <= 2; fd++) {
		if (dup2(null, fd) < 0)
			return -errno;
	}
	if (null > 2)
		close(null);
	return 0;
}

static int leave_terminal(void)
{
	int null = daemon_open_null();

	if (null < 0)
		return null;
	return chdir("/") ? -errno : daemon_let_go_of_files(null);
}

int daemon_ready(struct daemon *d)
{
	ssize_t n;
	int err;

	if (d->verdict < 0)
		return 0;
	err = leave_terminal();
	if (err)
		return err;
	do {
		n = write(d->verdict, "", 1);
	} while (n < 0 && errno == EINTR);
	/* Whoever started us may be gone; the mount works all the same. */
	close(d->verdict);
	d->verdict = -1;
	return 0;
}

void daemon_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2);
}

void daemon_block_signals(void)
{
	sigset_t set;

	daemon_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- protection ---- */

static bool write_file(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, len) == (ssize_t)len;
	close(fd);
	return ok;
}

void daemon_protect(void)
{
	/* A dead daemon frees the RAM, but takes all files with it. */
	process_notes.oom_protected =
		write_file("/proc/self/oom_score_adj", "-1000");
	/* Reclaim must not wait for writes that need this very process. */
	process_notes.io_flusher = prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0;
}
