/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker may call (see syscall_filter.h). */
#include "syscall_filter.h"

#include <errno.h>

#if ZS_SECCOMP

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Since Linux 5.17; newer libcs name what they map. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Of an argument that is an int the kernel reads the lower half. */
#define INT_MASK UINT64_C(0xffffffff)
/* Whatever opens a file to change it. */
#define CHANGES                                                                \
	(O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))
/* Flags that are not for a file that is open: only O_NONBLOCK is changed. */
#define NEVER_SET (O_ASYNC | O_APPEND | O_DIRECT | O_NOATIME)
/* A thread, which has its creator's namespaces. */
#define OTHERS                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_VFORK |           \
	 CLONE_PTRACE)

/* Whatever the arguments are. Those that a machine has not are left out. */
static const int allowed[] = {
	/* what is open */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(lseek),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(fallocate),
	SCMP_SYS(close),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(sendto),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_get_priority_min),
	SCMP_SYS(sched_get_priority_max),
	SCMP_SYS(getpriority),
	SCMP_SYS(getcpu),
	SCMP_SYS(exit_group),
	/* signals */
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	/* time; without a clock in the vDSO these are calls, too */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	/* who and where we are */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrandom),
#if ZS_DEBUG_LEVEL >= 1
	/* serve/crash_test.c */
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
#endif
};

#define NR_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/* Allowed if (argument & mask) == val. Several of one call: any of them. */
struct rule {
	int call;
	unsigned arg;
	uint64_t mask, val;
};

static const struct rule rules[] = {
	{SCMP_SYS(openat), 2, CHANGES, O_RDONLY},
	{SCMP_SYS(open), 1, CHANGES, O_RDONLY},
	/* The times of what is open. */
	{SCMP_SYS(utimensat), 1, UINT64_MAX, 0},
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	{SCMP_SYS(mlock2), 2, INT_MASK, MLOCK_ONFAULT},
#ifdef __s390__
	{SCMP_SYS(clone), 1, CLONE_THREAD | OTHERS, CLONE_THREAD},
#else
	{SCMP_SYS(clone), 0, CLONE_THREAD | OTHERS, CLONE_THREAD},
#endif
	{SCMP_SYS(fcntl), 1, INT_MASK, F_GETFL},
	{SCMP_SYS(fcntl), 1, INT_MASK, F_GETFD},
	{SCMP_SYS(fcntl), 1, INT_MASK, F_SETFD},
	{SCMP_SYS(fcntl), 1, INT_MASK, F_DUPFD_CLOEXEC},
	/*
	 * How a crash goes on (serve/poison.c), how a thread wakes another
	 * (serve/server.c). Not SIGSYS, which this filter raises. What a
	 * libc sets up for threads it does with the first, before the seal.
	 */
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGSEGV},
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGBUS},
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGABRT},
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGILL},
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGFPE},
	{SCMP_SYS(rt_sigaction), 0, INT_MASK, SIGUSR1},
	/* Is somebody there? */
	{SCMP_SYS(kill), 1, INT_MASK, 0},
	{SCMP_SYS(prctl), 0, INT_MASK, PR_SET_NAME},
};

#define NR_RULES (sizeof(rules) / sizeof(rules[0]))

/* What is only tried by libcs, which then do without. */
static const struct {
	int call, err;
} refused[] = {
	{SCMP_SYS(clone3), ENOSYS},
	{SCMP_SYS(ioctl), ENOTTY},
};

#define NR_REFUSED (sizeof(refused) / sizeof(refused[0]))

static int add_plain(scmp_filter_ctx ctx)
{
	int err = 0;

	for (size_t i = 0; !err && i < NR_ALLOWED; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !err && i < NR_REFUSED; i++)
		err = seccomp_rule_add(ctx,
				       SCMP_ACT_ERRNO((unsigned)refused[i].err),
				       refused[i].call, 0);
	return err;
}

static int add_rules(scmp_filter_ctx ctx)
{
	int err = 0;

	for (size_t i = 0; !err && i < NR_RULES; i++) {
		const struct rule *r = &rules[i];
		struct scmp_arg_cmp cmp = {
			.arg = r->arg,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = r->mask,
			.datum_b = r->val,
		};

		err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->call, 1,
					     &cmp);
	}
	return err;
}

/* Signals go to the process itself, as abort(3) sends them. */
static int add_own_signals(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp own =
		SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, (uint64_t)getpid());
	int err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
					 &own);

	if (!err)
		err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					     SCMP_SYS(tgkill), 1, &own);
	return err;
}

/* Where @tid runs, and that it gives way: no policy that others give way to. */
static int add_place(scmp_filter_ctx ctx, pid_t tid)
{
	static const unsigned policies[] = {SCHED_OTHER, SCHED_IDLE};
	const struct scmp_arg_cmp own =
		SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, (uint64_t)tid);
	int err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					 SCMP_SYS(sched_setaffinity), 1, &own);

	for (unsigned i = 0; !err && i < 2; i++)
		err = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, SCMP_SYS(sched_setscheduler), 2,
			own,
			SCMP_A1(SCMP_CMP_MASKED_EQ, INT_MASK, policies[i]));
	return err;
}

/*
 * Where an answer is not waited for. With O_ASYNC a terminal sends a signal to
 * whoever has it in the foreground, the keeper as well.
 */
static int add_file_flags(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
				SCMP_A1(SCMP_CMP_MASKED_EQ, INT_MASK, F_SETFL),
				SCMP_A2(SCMP_CMP_MASKED_EQ, NEVER_SET, 0));
}

/* No core dump: writeback_before_crash(). */
static int add_prctl(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2,
		SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, PR_SET_DUMPABLE),
		SCMP_A1(SCMP_CMP_EQ, 0, 0));

	if (!err)
		err = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, PR_SET_VMA));
	return err;
}

/*
 * All threads get it; no_new_privs is there already. The mitigation of Spectre
 * 4 that kernels before 5.16 give to who has a filter is not wanted: it
 * protects code that a process runs without trusting it.
 */
static int set_up(scmp_filter_ctx ctx)
{
	int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);

	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* As far as kernel and library have it. */
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return err;
}

int syscall_filter_load(const pid_t *placed, unsigned nr)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err = ctx ? set_up(ctx) : -ENOMEM;

	if (!err)
		err = add_plain(ctx);
	if (!err)
		err = add_rules(ctx);
	if (!err)
		err = add_own_signals(ctx);
	if (!err)
		err = add_file_flags(ctx);
	if (!err)
		err = add_prctl(ctx);
	for (unsigned i = 0; !err && i < nr; i++)
		err = add_place(ctx, placed[i]);
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

#else

int syscall_filter_load(const pid_t *placed, unsigned nr)
{
	return -ENOPKG;
}

#endif
