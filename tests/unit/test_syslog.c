/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to the system's log, whose daemon comes and goes. */
#include "check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>

#include "base/log.h"
#include "base/syslog_socket.h"

static char folder[] = "/tmp/zsfs-syslog.XXXXXX";
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static char got[4096];

static int listen_there(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	unlink(at.sun_path);
	REQUIRE(fd >= 0);
	REQUIRE(!bind(fd, (struct sockaddr *)&at, sizeof(at)));
	return fd;
}

static const char *hear(int fd)
{
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void begin(void)
{
	REQUIRE(mkdtemp(folder));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/log", folder);
	syslog_socket_open(at.sun_path);
	zsfs_log_to_syslog();
}

static void end(int fd)
{
	close(fd);
	unlink(at.sun_path);
	rmdir(folder);
}

static void test_as_syslog_has_it(void)
{
	char name[32];
	int fd;

	begin();
	fd = listen_there();
	zsfs_log(LOG_ERR, "it is %s", "full");
	snprintf(name, sizeof(name), " zsfs[%d]: ", (int)getpid());
	/* Facility 3; "Nov 29 16:45:37" */
	CHECK(!strncmp(hear(fd), "<27>", 4));
	CHECK(got[4 + 3] == ' ' && got[4 + 9] == ':' && got[4 + 12] == ':');
	CHECK(strlen(got) > 19 && !strncmp(got + 19, name, strlen(name)));
	CHECK(!strcmp(got + 19 + strlen(name), "it is full"));
	end(fd);
}

static void test_the_daemon_is_started_anew(void)
{
	int fd;

	begin();
	zsfs_log(LOG_INFO, "nobody there yet");
	fd = listen_there();
	zsfs_log(LOG_INFO, "one");
	CHECK(strstr(hear(fd), ": one"));
	close(fd);
	zsfs_log(LOG_INFO, "nobody listens");
	fd = listen_there();
	zsfs_log(LOG_INFO, "two");
	CHECK(strstr(hear(fd), ": two"));
	CHECK(!strcmp(hear(fd), ""));
	end(fd);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_as_syslog_has_it),
	CHECK_CASE(test_the_daemon_is_started_anew),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
