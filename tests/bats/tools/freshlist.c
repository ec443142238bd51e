/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * freshlist DIR NAMES ROUNDS READERS: change a folder while others read it.
 *
 * Fills DIR with NAMES files. In each round it renames, replaces, removes or
 * makes a few, then opens DIR anew and lists it: every name that is there now
 * must come once, and no other. READERS processes list DIR all the time, some
 * of them only in part. Prints how many rounds were wrong, and the first of
 * them; ends with 1 if there were any.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* Number k is there under one name, "kK-VERSION"; version 0: not there. */
static unsigned *version;
static unsigned *seen;
static unsigned nr;
static const char *dir;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void name_of(char *name, unsigned k, unsigned v)
{
	snprintf(name, 32, "k%u-%u", k, v);
}

/* ---- readers ---- */

static void read_some(size_t size, unsigned calls)
{
	static char buf[32768] __attribute__((aligned(8)));
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		die(dir);
	while (calls-- && syscall(SYS_getdents64, fd, buf, size) > 0)
		;
	close(fd);
}

static void reader(unsigned nr_reader)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned n = nr_reader;; n++)
		read_some(n % 3 ? 4096 : 32768, ~0u);
}

/* ---- changes ---- */

static void make(unsigned k, unsigned v)
{
	char name[32];
	int fd;

	name_of(name, k, v);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0)
		die(name);
	close(fd);
	version[k] = v;
}

static void take_away(unsigned k)
{
	char name[32];

	name_of(name, k, version[k]);
	if (unlink(name))
		die(name);
	version[k] = 0;
}

static void move(unsigned k, unsigned v)
{
	char from[32], to[32];

	name_of(from, k, version[k]);
	name_of(to, k, v);
	if (rename(from, to))
		die(from);
	version[k] = v;
}

static void change(unsigned k, unsigned v)
{
	if (!version[k])
		make(k, v);
	else if (v % 4 == 0)
		take_away(k);
	else
		move(k, v);
}

/* ---- checks ---- */

/* True when the name is one that should be there, and comes for the first time.
 */
static bool expected(const char *name, unsigned round)
{
	unsigned k, v;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return true;
	if (sscanf(name, "k%u-%u", &k, &v) != 2 || k >= nr)
		return false;
	if (version[k] != v || seen[k] == round)
		return false;
	seen[k] = round;
	return true;
}

static bool check(unsigned round, bool tell)
{
	static char buf[32768] __attribute__((aligned(8)));
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	bool ok = true;
	long n;

	if (fd < 0)
		die(dir);
	while ((n = syscall(SYS_getdents64, fd, buf,
			    round % 2 ? 4096 : sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(buf + at);

			at += e->len;
			if (expected(e->name, round))
				continue;
			if (tell && ok)
				printf("round %u: %s is listed\n", round,
				       e->name);
			ok = false;
		}
	}
	if (n < 0)
		die("getdents64");
	close(fd);
	for (unsigned k = 0; k < nr; k++) {
		if (!version[k] || seen[k] == round)
			continue;
		if (tell && ok)
			printf("round %u: k%u-%u is missing\n", round, k,
			       version[k]);
		ok = false;
	}
	return ok;
}

static unsigned run(unsigned rounds)
{
	unsigned wrong = 0;

	for (unsigned round = 1; round <= rounds; round++) {
		for (unsigned k = 0; k < 1 + nr / 100; k++)
			change((unsigned)random() % nr, round + 1);
		wrong += !check(round, !wrong);
	}
	return wrong;
}

int main(int argc, char **argv)
{
	pid_t pids[16];
	unsigned readers, wrong;

	if (argc != 5)
		return 2;
	dir = argv[1];
	nr = (unsigned)atoi(argv[2]);
	readers = (unsigned)atoi(argv[4]);
	version = calloc(nr, sizeof(*version));
	seen = calloc(nr, sizeof(*seen));
	if (!version || !seen || !nr || readers > 16 || chdir(dir))
		die(dir);
	for (unsigned k = 0; k < nr; k++)
		make(k, 1);
	for (unsigned i = 0; i < readers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			reader(i);
	}
	wrong = run((unsigned)atoi(argv[3]));
	for (unsigned i = 0; i < readers; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	printf("%u of %s listings were wrong\n", wrong, argv[3]);
	return wrong > 0;
}
