/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forcecall PID CALL [ARGUMENT...]: have the first thread of a process, which
 * sleeps in a system call, make another one first, as an attacker could who had
 * got into it. An argument is a number or, if it does not begin like one, text.
 * Prints what it returned: a number, the name of an error, or "signal N" when
 * the process died of it. Exit code 77: not on this machine.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

#define MAX_ARGS 6
/* Below the stack that is in use, and what the compiler may use beyond it. */
#define FREE_STACK 16384
#define TEXT_ROOM  512

static const struct {
	const char *name;
	long nr;
} calls[] = {
	{"clone", SYS_clone},
	{"connect", SYS_connect},
	{"execve", SYS_execve},
	{"fork", SYS_fork},
	{"getpid", SYS_getpid},
	{"kill", SYS_kill},
	{"memfd", SYS_memfd_create},
	{"mmap", SYS_mmap},
	{"mount", SYS_mount},
	{"mprotect", SYS_mprotect},
	{"openat", SYS_openat},
	{"prctl", SYS_prctl},
	{"ptrace", SYS_ptrace},
	{"setaffinity", SYS_sched_setaffinity},
	{"setattr", SYS_sched_setattr},
	{"setscheduler", SYS_sched_setscheduler},
	{"sigaction", SYS_rt_sigaction},
	{"socket", SYS_socket},
	{"tgkill", SYS_tgkill},
	{"umount", SYS_umount2},
	{"unlink", SYS_unlink},
};

static pid_t pid;

static void die(const char *what)
{
	fprintf(stderr, "forcecall: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].nr;
	errno = EINVAL;
	die(name);
	return -1;
}

static int await(void)
{
	int status;

	if (waitpid(pid, &status, __WALL) < 0)
		die("waitpid");
	return status;
}

static void stop(void)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		die("ptrace");
	if (!WIFSTOPPED(await()))
		die("stop");
}

static uint64_t put_text(uint64_t at, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i += 8) {
		uint64_t word = 0;

		memcpy(&word, text + i, strnlen(text + i, 8));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word))
			die("poke");
	}
	return at;
}

static uint64_t argument(const char *text, uint64_t room)
{
	char *end;
	long long val = strtoll(text, &end, 0);

	return end != text && !*end ? (uint64_t)val : put_text(room, text);
}

/* The call that it sleeps in was made by the two bytes before. */
static void set_call(struct user_regs_struct *r, long nr, char **args)
{
	unsigned long long *reg[MAX_ARGS] = {&r->rdi, &r->rsi, &r->rdx,
					     &r->r10, &r->r8,  &r->r9};
	uint64_t room = (r->rsp - FREE_STACK) & ~UINT64_C(15);

	for (unsigned i = 0; i < MAX_ARGS; i++)
		*reg[i] = args[i] ? argument(args[i], room + i * TEXT_ROOM) : 0;
	r->rip -= 2;
	r->rax = (unsigned long long)nr;
	r->orig_rax = UINT64_MAX;
}

static void print_result(long ret)
{
	const char *name =
		ret < 0 && ret > -4096 ? strerrorname_np((int)-ret) : NULL;

	if (name)
		puts(name);
	else
		printf("%ld\n", ret);
}

/* What it died of. Of a step that we had it make it has not heard. */
static void follow_to_death(int status)
{
	while (WIFSTOPPED(status)) {
		int sig = WSTOPSIG(status);

		if (ptrace(PTRACE_CONT, pid, 0, sig == SIGTRAP ? 0 : sig) &&
		    errno != ESRCH)
			die("continue");
		status = await();
	}
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	struct user_regs_struct before, during;
	char *args[MAX_ARGS] = {0};
	int status;

	if (argc < 3 || argc > 3 + MAX_ARGS)
		return 2;
	pid = atoi(argv[1]);
	for (int i = 3; i < argc; i++)
		args[i - 3] = argv[i];
	stop();
	if (ptrace(PTRACE_GETREGS, pid, 0, &before))
		die("registers");
	during = before;
	set_call(&during, number_of(argv[2]), args);
	if (ptrace(PTRACE_SETREGS, pid, 0, &during) ||
	    ptrace(PTRACE_SINGLESTEP, pid, 0, 0))
		die("step");
	status = await();
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
		follow_to_death(status);
		return 0;
	}
	if (ptrace(PTRACE_GETREGS, pid, 0, &during) ||
	    ptrace(PTRACE_SETREGS, pid, 0, &before) ||
	    ptrace(PTRACE_DETACH, pid, 0, 0))
		die("end");
	print_result((long)during.rax);
	return 0;
}

#else

int main(void)
{
	return 77;
}

#endif
