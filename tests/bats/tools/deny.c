/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deny WHAT... -- COMMAND...: run it where the kernel refuses something, as an
 * older one or a container does:
 *
 *	landlock   no Landlock (ENOSYS)
 *	seccomp    no filters of system calls (ENOSYS, EINVAL)
 *	ids        no other user or group (EPERM)
 *	caps       capabilities cannot be given up (EPERM)
 *
 * Needs root, whose privileges COMMAND keeps.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_CREATE_RULESET 444
#define MAX_STEPS		128

static const struct {
	const char *what;
	int nr, err;
	int first; /* first argument that it counts for, 0 = any */
} denied[] = {
	{"landlock", LANDLOCK_CREATE_RULESET, ENOSYS, 0},
	{"seccomp", SYS_seccomp, ENOSYS, 0},
	{"seccomp", SYS_prctl, EINVAL, PR_SET_SECCOMP},
	{"ids", SYS_setgroups, EPERM, 0},
	{"ids", SYS_setresgid, EPERM, 0},
	{"ids", SYS_setresuid, EPERM, 0},
	{"caps", SYS_capset, EPERM, 0},
	{"caps", SYS_prctl, EPERM, PR_CAPBSET_DROP},
};

static struct sock_filter steps[MAX_STEPS];
static unsigned short n;

static void add(struct sock_filter f)
{
	if (n == MAX_STEPS)
		abort();
	steps[n++] = f;
}

static void load(size_t off)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 (unsigned)off));
}

/* Go on if it is @val, else leave out @others steps. */
static void expect(int val, unsigned char others)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
					 (unsigned)val, 0, others));
}

static void answer(unsigned with)
{
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, with));
}

static void deny(const char *what)
{
	unsigned before = n;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		if (strcmp(denied[i].what, what))
			continue;
		load(offsetof(struct seccomp_data, nr));
		expect(denied[i].nr, denied[i].first ? 3 : 1);
		if (denied[i].first) {
			load(offsetof(struct seccomp_data, args[0]));
			expect(denied[i].first, 1);
		}
		answer(SECCOMP_RET_ERRNO | (unsigned)denied[i].err);
	}
	if (n == before) {
		fprintf(stderr, "deny: nothing called %s\n", what);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sock_fprog prog = {.filter = steps};
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--"); i++)
		deny(argv[i]);
	answer(SECCOMP_RET_ALLOW);
	prog.len = n;
	if (i + 1 >= argc)
		return 2;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0)) {
		perror("deny");
		return 1;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
