/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Run tables of system calls and their results.
 *
 *   posix_table [-z | -w] TABLE DIRECTORY
 *
 * Rows are
 *
 *   WHO SET-UP | CALL | RESULT [| RESULT OF ZSFS: WHY]
 *
 * WHO makes the call: R root, U an ordinary user; the set-up is root's. The
 * words of a call are in calls_*.c. A result is an errno or a number. In the
 * fourth column is another one of zsfs and its reason, which stands in the
 * manual's "Differences from tmpfs"; "unless writeback": not where writes are
 * cached.
 *
 * Each row is run by a process of its own in a new directory below DIRECTORY,
 * where everybody may write. What does not end as the row says is printed, and
 * then the exit code is 1. With -z it is zsfs, with -w zsfs with the option
 * writeback. What rows with the words "fill" and "readonly" in their set-up did
 * is undone. Needs root, who does the set-up of all rows.
 */
#include "posix_table.h"

#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ROW	  1024
#define MAX_ARGS  8
#define USER	  65534
#define ROW_SECS  20
#define NOT_KNOWN (-99999)

const char *posix_top;

struct row {
	unsigned line;
	bool user; /* who makes the call */
	char *setup, *call, *want, *zsfs;
};

/* ---- words ---- */

static const struct {
	const char *name;
	int nr;
} errnos[] = {
	{"EPERM", EPERM},
	{"ENOENT", ENOENT},
	{"EIO", EIO},
	{"ENXIO", ENXIO},
	{"EBADF", EBADF},
	{"EACCES", EACCES},
	{"EBUSY", EBUSY},
	{"EEXIST", EEXIST},
	{"EXDEV", EXDEV},
	{"ENODEV", ENODEV},
	{"ENOTDIR", ENOTDIR},
	{"EISDIR", EISDIR},
	{"EINVAL", EINVAL},
	{"ENOTTY", ENOTTY},
	{"ETXTBSY", ETXTBSY},
	{"EFBIG", EFBIG},
	{"ENOSPC", ENOSPC},
	{"ESPIPE", ESPIPE},
	{"EROFS", EROFS},
	{"EMLINK", EMLINK},
	{"EFAULT", EFAULT},
	{"ELOOP", ELOOP},
	{"ENOTEMPTY", ENOTEMPTY},
	{"ENAMETOOLONG", ENAMETOOLONG},
	{"EOVERFLOW", EOVERFLOW},
	{"EOPNOTSUPP", EOPNOTSUPP},
	{"ESTALE", ESTALE},
	{"ENODATA", ENODATA},
	{"E2BIG", E2BIG},
	{"ERANGE", ERANGE},
	{"EADDRINUSE", EADDRINUSE},
	{"ENOEXEC", ENOEXEC},
	{"EAGAIN", EAGAIN},
	{"ENOSYS", ENOSYS},
};

#define NR_ERRNOS (sizeof(errnos) / sizeof(errnos[0]))

/* A result as a table has it: the name of an errno, or a number. */
static void print_result(long res, char *buf, size_t size)
{
	for (size_t i = 0; i < NR_ERRNOS; i++)
		if (res == -errnos[i].nr) {
			snprintf(buf, size, "%s", errnos[i].name);
			return;
		}
	snprintf(buf, size, "%ld", res);
}

/* @n bytes that lead to the file x */
static void fill_path(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s[i] = i % 2 ? '/' : '.';
	s[n - 1] = 'x';
	if (n % 2 == 0)
		s[n - 2] = '/';
}

/*
 * What ends in ~N: N letters; ^N: a path of N bytes that leads to the file x;
 * the rest is as it is. Never freed: the process is short.
 */
static char *expand(char *word)
{
	char *mark = strpbrk(word, "~^"), *s;
	size_t begin, n;

	if (!mark)
		return word;
	begin = (size_t)(mark - word);
	n = strtoul(mark + 1, NULL, 10);
	s = calloc(begin + n + 1, 1);
	if (!s || !n)
		abort();
	memcpy(s, word, begin);
	if (*mark == '~')
		memset(s + begin, 'n', n);
	else
		fill_path(s + begin, n);
	return s;
}

static long run_one(char *text)
{
	char *arg[MAX_ARGS + 1] = {NULL}, *save, *word;
	unsigned n = 0;

	for (word = strtok_r(text, " \t", &save); word && n < MAX_ARGS;
	     word = strtok_r(NULL, " \t", &save))
		arg[n++] = expand(word);
	for (; n < MAX_ARGS; n++)
		arg[n] = NULL;
	return arg[0] ? posix_call(arg) : 0;
}

/* Calls divided by `;`: the result of the last. */
static long run_all(char *text, bool must)
{
	char *save, *one;
	long res = 0;

	for (one = strtok_r(text, ";", &save); one;
	     one = strtok_r(NULL, ";", &save)) {
		char copy[MAX_ROW];

		snprintf(copy, sizeof(copy), "%s", one);
		res = run_one(one);
		if (must && res < 0) {
			fprintf(stderr, "set-up:%s: %s\n", copy,
				strerror((int)-res));
			_exit(3);
		}
	}
	return res;
}

/* ---- rows ---- */

static void become_user(void)
{
	gid_t group = 100;

	if (setgroups(1, &group) || setresgid(USER, USER, USER) ||
	    setresuid(USER, USER, USER))
		_exit(4);
}

static void child(const struct row *r, long *res)
{
	char path[4096];

	umask(022);
	snprintf(path, sizeof(path), "%s/%u", posix_top, r->line);
	if (mkdir(path, 0777) || chmod(path, 0777) || chdir(path))
		_exit(5);
	alarm(ROW_SECS);
	run_all(r->setup, true);
	if (r->user)
		become_user();
	*res = run_all(r->call, false);
	_exit(0);
}

/* The result in @mode: 'z' and 'w' are zsfs. */
static const char *result_of(const struct row *r, char mode)
{
	const char *words = r->zsfs ? r->zsfs + strcspn(r->zsfs, " :") : "";
	static char result[32];

	if (!mode || !r->zsfs ||
	    (mode == 'w' && !strncmp(words, " unless writeback", 17)))
		return r->want;
	snprintf(result, sizeof(result), "%.*s", (int)(words - r->zsfs),
		 r->zsfs);
	return result;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

/* What would be in the way of the next row. */
static void clean_up(const struct row *r)
{
	char path[4096];

	if (strstr(r->setup, "readonly"))
		mount(NULL, posix_top, NULL, MS_REMOUNT, NULL);
	if (!strstr(r->setup, "fill"))
		return;
	snprintf(path, sizeof(path), "%s/%u", posix_top, r->line);
	nftw(path, remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* True when it ended as it should. */
static bool run_row(struct row *r, char mode, long *res)
{
	char call[MAX_ROW], setup[MAX_ROW], got[32];
	const char *want = result_of(r, mode);
	int status;
	pid_t pid;

	snprintf(call, sizeof(call), "%s", r->call);
	snprintf(setup, sizeof(setup), "%s", r->setup);
	*res = NOT_KNOWN;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(r, res);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	clean_up(r);
	print_result(*res, got, sizeof(got));
	if (status)
		snprintf(got, sizeof(got), "exit status %x", (unsigned)status);
	if (!strcmp(got, want))
		return true;
	printf("line %u: %s:%s |%s: should be %s, is %s\n", r->line,
	       r->user ? "user" : "root", setup, call, want, got);
	return false;
}

static char *trim(char *s)
{
	char *end;

	if (!s)
		return NULL;
	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && strchr(" \t\n", end[-1]))
		*--end = '\0';
	return s;
}

/* WHO SETUP | CALL | WANT [| RESULT OF ZSFS: WHY]; false: no row. */
static bool parse(char *line, struct row *r)
{
	char *save = line, *who = strsep(&save, "|");

	if (*line == '#' || *line == '\n' || !save)
		return false;
	r->user = *who == 'U';
	r->setup = who + 1;
	r->call = strsep(&save, "|");
	r->want = trim(strsep(&save, "|"));
	r->zsfs = trim(save);
	if (r->call && r->want && (*who == 'U' || *who == 'R'))
		return true;
	fprintf(stderr, "line %u is no row\n", r->line);
	exit(2);
}

int main(int argc, char **argv)
{
	char mode = argc == 4 && argv[1][0] == '-' ? argv[1][1] : 0;
	unsigned rows = 0, wrong = 0;
	struct row r = {0};
	char line[MAX_ROW];
	long *res = mmap(NULL, sizeof(*res), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FILE *f = argc >= 3 ? fopen(argv[argc - 2], "re") : NULL;

	if (!f || res == MAP_FAILED) {
		fprintf(stderr,
			"usage: posix_table [-z | -w] TABLE DIRECTORY\n");
		return 2;
	}
	posix_top = argv[argc - 1];
	while (fgets(line, sizeof(line), f)) {
		r.line++;
		if (!parse(line, &r))
			continue;
		rows++;
		wrong += !run_row(&r, mode, res);
	}
	printf("%u rows, %u wrong\n", rows, wrong);
	return wrong ? 1 : 0;
}
