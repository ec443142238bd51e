/* SPDX-License-Identifier: BSD-3-Clause */
/* zsfs --replace: the side that asks (see replace.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "replace.h"

#define FUSE_MAGIC  0x65735546
#define STATS_SIZE  (64u << 10)
#define LOOKS	    3000 /* of 10 ms */
#define LOOK_USECS  10000
/* A signal that met another replacement is lost: sent again after as many. */
#define ASK_AGAIN   100

/* Read stats.json of the mount; 0 or -errno. */
static int read_stats(const char *mountpoint, char *text)
{
	char path[PATH_MAX];
	size_t n;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/.zsstats/stats.json", mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	n = fread(text, 1, STATS_SIZE - 1, f);
	text[n] = '\0';
	fclose(f);
	return n > 0 ? 0 : -ENODATA;
}

/* A number or word behind "key": in our own text; "" when it is not there. */
static const char *value_of(const char *text, const char *key, char room[256])
{
	char want[64];
	const char *at;
	size_t n;

	snprintf(want, sizeof(want), "\"%s\":", key);
	at = strstr(text, want);
	room[0] = '\0';
	if (!at)
		return room;
	at += strlen(want);
	at += *at == '"';
	n = strcspn(at, "\",}");
	n = n < 255 ? n : 255;
	memcpy(room, at, n);
	room[n] = '\0';
	return room;
}

static int complain(const char *mountpoint, const char *what)
{
	zsfs_log(LOG_ERR, "%s: %s", mountpoint, what);
	return 1;
}

/*
 * Who wrote stats.json decides whom the signal goes to, so look whether that is
 * a process that waits for it: it would kill any other.
 */
static bool takes_the_signal(pid_t pid)
{
	char path[64], line[256];
	unsigned long long blocked = 0;
	bool named = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		named |= !strcmp(line, "Name:\tzsfs\n");
		sscanf(line, "SigBlk: %llx", &blocked);
	}
	if (f)
		fclose(f);
	return named && blocked >> (SIGUSR2 - 1) & 1;
}

static int ask(pid_t keeper)
{
	return sigqueue(keeper, SIGUSR2, (union sigval){0});
}

static void ask_again(char *text)
{
	char room[256];
	pid_t keeper = (pid_t)atoi(value_of(text, "keeper", room));

	if (keeper > 1 && takes_the_signal(keeper))
		ask(keeper);
}

static int await_result(const char *mountpoint, char *text, int attempts)
{
	char room[256];

	for (int i = 1; i <= LOOKS; i++) {
		usleep(LOOK_USECS);
		if (read_stats(mountpoint, text))
			continue;
		if (atoi(value_of(text, "replace_attempts", room)) <= attempts) {
			/* While one is under way the keeper takes no notice. */
			if (i % ASK_AGAIN == 0)
				ask_again(text);
			continue;
		}
		value_of(text, "replace", room);
		if (!strcmp(room, "done")) {
			value_of(text, "version", room);
			printf("%s is now served by zsfs %s\n", mountpoint,
			       room);
			return 0;
		}
		if (!strcmp(room, "refused"))
			return complain(mountpoint,
					value_of(text, "replace_text", room));
	}
	return complain(mountpoint, "the keeper does not say what came of it");
}

int replace_command(const char *mountpoint)
{
	char *text = malloc(STATS_SIZE), room[256];
	struct statfs st;
	int ret, attempts, err;
	pid_t pid;

	if (!text)
		return complain(mountpoint, strerror(ENOMEM));
	err = statfs(mountpoint, &st)	  ? -errno :
	      st.f_type != FUSE_MAGIC ? -ENOENT :
					    read_stats(mountpoint, text);
	if (err) {
		free(text);
		return complain(mountpoint,
				err == -EACCES ? "only the user who mounted it "
						 "can look into it" :
				err == -ENOSPC ? "it is too full to be asked" :
						 "no zsfs is mounted there");
	}
	pid = (pid_t)atoi(value_of(text, "keeper", room));
	attempts = atoi(value_of(text, "replace_attempts", room));
	if (pid <= 1 || !takes_the_signal(pid))
		ret = complain(mountpoint,
			       "it has no keeper that could replace the program "
			       "(mounted with nosurvive, by an older kernel, or "
			       "the keeper has died)");
	else if (ask(pid))
		ret = complain(mountpoint, strerror(errno));
	else
		ret = await_result(mountpoint, text, attempts);
	free(text);
	return ret;
}
