/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to the system's log (see syslog_socket.h). */
#include "syslog_socket.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static int sock = -1;
static struct sockaddr_un daemon_at = {
	.sun_family = AF_UNIX,
	.sun_path = "/dev/log",
};

void syslog_socket_open(const char *path)
{
	if (path)
		snprintf(daemon_at.sun_path, sizeof(daemon_at.sun_path), "%s",
			 path);
	if (sock < 0)
		sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tzset();
}

void syslog_socket_send(int level, const char *text)
{
	char line[2048], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	strftime(when, sizeof(when), "%b %e %T", localtime_r(&now, &tm));
	n = snprintf(line, sizeof(line), "<%d>%s zsfs[%d]: %s",
		     LOG_DAEMON | level, when, (int)getpid(), text);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	/* Nobody is left to tell that nobody listens. */
	sendto(sock, line, (size_t)n, MSG_NOSIGNAL,
	       (const struct sockaddr *)&daemon_at, sizeof(daemon_at));
}
