/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Storm: processes that look at everything meanwhile, so that answers from
 * before a change are on their way while it is made.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"
#include "storm.h"

#define DEEPEST 4u

static pid_t pids[STORM_READERS];

struct entry { /* as getdents64(2) has it */
	uint64_t number;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void look_at(struct rng *r, int fd, const char *name)
{
	struct statx sx;

	statx(fd, name,
	      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH |
		      (rng_chance(r, 50) ? AT_STATX_FORCE_SYNC : 0),
	      STATX_BASIC_STATS, &sx);
}

static void look_into(struct rng *r, int dir, unsigned depth)
{
	char buf[4096] __attribute__((aligned(8)));
	long n, at;

	look_at(r, dir, "");
	n = syscall(SYS_getdents64, dir, buf, sizeof(buf));
	for (at = 0; at < n; at += ((struct entry *)(buf + at))->len) {
		const struct entry *e = (const void *)(buf + at);
		int fd;

		if (!strcmp(e->name, ".") || !strcmp(e->name, ".."))
			continue;
		if (rng_chance(r, 30))
			look_at(r, dir, e->name);
		if (e->type != S_IFDIR >> 12 || depth == DEEPEST)
			continue;
		fd = openat(dir, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd >= 0) {
			look_into(r, fd, depth + 1);
			close(fd);
		}
	}
}

static void read_for_ever(int root, uint64_t seed)
{
	struct rng r = {seed};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		lseek(root, 0, SEEK_SET);
		look_into(&r, root, 0);
		if (rng_chance(&r, 20))
			usleep((unsigned)rng_below(&r, 2000));
	}
}

void readers_start(const char *dir, unsigned nr)
{
	for (unsigned k = 0; k < nr; k++) {
		pids[k] = fork();
		if (pids[k] < 0) {
			perror("fork");
			exit(2);
		}
		if (!pids[k])
			read_for_ever(open(dir, O_RDONLY | O_DIRECTORY), k);
	}
}

void readers_stop(unsigned nr)
{
	for (unsigned k = 0; k < nr; k++) {
		kill(pids[k], SIGKILL);
		waitpid(pids[k], NULL, 0);
	}
}
