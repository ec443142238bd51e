/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending a child process (see child.h). */
#include "child.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_MSECS 5000

/* How to wait for what is left of it then. */
static int await_end(pid_t pid)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};

	if (p.fd < 0)
		return 0;
	poll(&p, 1, STOP_MSECS);
	close(p.fd);
	return WNOHANG;
}

bool child_stop(pid_t *pid)
{
	bool ended = true;

	if (*pid > 0) {
		kill(*pid, SIGKILL);
		ended = waitpid(*pid, NULL, await_end(*pid)) != 0;
	}
	*pid = 0;
	return ended;
}
