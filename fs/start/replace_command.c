/* SPDX-License-Identifier: BSD-3-Clause */
/* zsfs --replace: the side that asks (see replace.h). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "mount_stats.h"
#include "survive/program.h"
#include "survive/replace.h"

#define FUSE_MAGIC 0x65735546
#define LOOKS	   3000 /* of 10 ms */
#define LOOK_USECS 10000
/* A signal that met another replacement is lost: sent again after as many. */
#define ASK_AGAIN 100

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

/* The name tells the keeper that it is for this program to be run (program.h).
 */
static int ask(pid_t keeper)
{
	prctl(PR_SET_NAME, PROGRAM_ASKS);
	return kill(keeper, SIGUSR2);
}

static void ask_again(char *text)
{
	char room[256];
	pid_t keeper = (pid_t)atoi(mount_stats_value(text, "keeper", room));

	if (keeper > 1 && takes_the_signal(keeper))
		ask(keeper);
}

static int await_result(const char *mountpoint, char *text, int attempts)
{
	char room[256];

	for (int i = 1; i <= LOOKS; i++) {
		usleep(LOOK_USECS);
		if (mount_stats_read(mountpoint, text))
			continue;
		if (atoi(mount_stats_value(text, "replace_attempts", room)) <=
		    attempts) {
			/* While one is under way the keeper takes no notice. */
			if (i % ASK_AGAIN == 0)
				ask_again(text);
			continue;
		}
		mount_stats_value(text, "replace", room);
		if (!strcmp(room, "done")) {
			mount_stats_value(text, "version", room);
			printf("%s is now served by zsfs %s\n", mountpoint,
			       room);
			return 0;
		}
		if (!strcmp(room, "refused"))
			return complain(
				mountpoint,
				mount_stats_value(text, "replace_text", room));
	}
	return complain(mountpoint, "the keeper does not say what came of it");
}

int replace_command(const char *mountpoint)
{
	char *text = malloc(MOUNT_STATS_SIZE), room[256];
	struct statfs st;
	int ret, attempts, err;
	pid_t pid;

	if (!text)
		return complain(mountpoint, strerror(ENOMEM));
	err = statfs(mountpoint, &st)	? -errno
	      : st.f_type != FUSE_MAGIC ? -ENOENT
					: mount_stats_read(mountpoint, text);
	if (err) {
		free(text);
		return complain(mountpoint,
				err == -EACCES
					? "only its owner or who mounted "
					  "it can look into it"
				: err == -ENOSPC ? "it is too full to be asked"
						 : "no zsfs is mounted there");
	}
	pid = (pid_t)atoi(mount_stats_value(text, "keeper", room));
	attempts = atoi(mount_stats_value(text, "replace_attempts", room));
	if (pid <= 1 || !takes_the_signal(pid))
		ret = complain(
			mountpoint,
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
