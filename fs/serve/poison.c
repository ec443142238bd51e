/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that workers died of (see poison.h). */
#include "poison.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "base/log.h"
#include "request.h"
#include "state/chore.h"
#include "state/zsfs.h"
#include "writeback.h"

/* ---- noticing ---- */

/* Not every libc has it. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};

#define NR_CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

/* Only set before there are threads, and read by the handler. */
static struct sigaction earlier[NR_CRASH_SIGNALS];
static struct zsfs_super *watched;

static _Thread_local struct zsfs_slot *this_slot;

#define HANDLER_STACK (16u << 10)

static _Thread_local void *handler_stack;

/*
 * For the end of the thread's own stack; a sanitizer brings its own. It takes
 * no memory before it is used.
 */
static void set_handler_stack(void)
{
	stack_t stack = {.ss_size = HANDLER_STACK}, old;

	if (sigaltstack(NULL, &old) || !(old.ss_flags & SS_DISABLE))
		return;
	stack.ss_sp = mmap(NULL, HANDLER_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return;
	sigaltstack(&stack, NULL);
	handler_stack = stack.ss_sp;
}

void poison_this_thread(struct zsfs_slot *slot)
{
	this_slot = slot;
	set_handler_stack();
}

void poison_thread_ends(void)
{
	const stack_t none = {.ss_flags = SS_DISABLE};

	if (!handler_stack)
		return;
	sigaltstack(&none, NULL);
	munmap(handler_stack, HANDLER_STACK);
	handler_stack = NULL;
}

/* Note who it was, then let it happen again with what was there before us. */
static void on_crash(int sig)
{
	if (this_slot)
		this_slot->crashed = 1;
	else if (chore_of_thread())
		watched->crashed_chore = chore_of_thread();
	else
		watched->crashed = 1;
	writeback_before_crash();
	for (size_t i = 0; i < NR_CRASH_SIGNALS; i++)
		if (crash_signals[i] == sig)
			sigaction(sig, &earlier[i], NULL);
	raise(sig);
}

/* A call that a filter forbids. Whoever made it holds no lock of the log's. */
static void on_bad_call(int sig, siginfo_t *info, void *context)
{
	if (info->si_code == SYS_SECCOMP)
		zsfs_log(LOG_ERR, "system call %d is forbidden by the sandbox",
			 info->si_syscall);
	on_crash(sig);
}

void poison_watch(struct zsfs *fs)
{
	struct sigaction sa = {
		.sa_handler = on_crash,
		.sa_flags = SA_ONSTACK,
	};
	/* Put back by the kernel: the filter lets nobody do it. */
	const struct sigaction bad_call = {
		.sa_sigaction = on_bad_call,
		.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESETHAND,
	};

	watched = fs->super;
	for (size_t i = 0; i < NR_CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], &sa, &earlier[i]);
	sigaction(SIGSYS, &bad_call, NULL);
}

/* ---- counting ---- */

static struct zsfs_suspect *find(const struct zsfs *fs, uint64_t unique)
{
	struct zsfs_suspect *s = fs->super->suspects;

	for (unsigned i = 0; i < ZSFS_NR_SUSPECTS; i++)
		if (s[i].unique == (unique & ~UNIQUE_RESEND))
			return &s[i];
	return NULL;
}

/* With no room left the request goes unsuspected, and keeps its place. */
static void count(struct zsfs *fs, uint64_t unique, bool crashed)
{
	struct zsfs_suspect *s = find(fs, unique);

	if (!s) {
		s = find(fs, 0);
		if (!s)
			return;
		s->crashes = s->kills = 0;
		s->life = UINT64_MAX;
		s->unique = unique & ~UNIQUE_RESEND;
	}
	/* Recovery itself may have been killed since it was counted. */
	if (s->life == fs->super->life)
		return;
	if (crashed)
		s->crashes++;
	else
		s->kills++;
	undo_barrier();
	s->life = fs->super->life;
}

static uint64_t replies_sent(const struct zsfs *fs)
{
	uint64_t n = 0;

	for (unsigned k = 0; k + 1 < fs->nr_threads; k++)
		n += fs->threads[k].slot->replies;
	return n;
}

/*
 * What the thread of @slot was at when the process died. A thread without a
 * slot that crashed may have helped any request, or, if there was none, the
 * background. Was there a request?
 */
static bool blame_slot(struct zsfs *fs, struct zsfs_slot *slot, bool starved)
{
	bool request = slot->executing && slot->unique && !slot->done;
	bool crashed = (slot->crashed || fs->super->crashed) && !slot->chore;

	if (request && (crashed || starved))
		count(fs, slot->unique, crashed);
	if (slot->crashed)
		chore_blame(fs, slot->chore);
	slot->executing = 0;
	slot->crashed = 0;
	return request;
}

/* If recovery is killed in here, a crash may count twice against a chore. */
void poison_blame(struct zsfs *fs, bool oom)
{
	struct zsfs_super *super = fs->super;
	bool starved = oom && replies_sent(fs) == super->replies_seen;
	bool requests = false;

	for (unsigned k = 0; k < fs->nr_threads; k++)
		requests |= blame_slot(fs, fs->threads[k].slot, starved);
	if (super->crashed && !requests)
		chore_blame(fs, zsfs_background(fs)->slot->chore);
	chore_blame(fs, super->crashed_chore);
	for (unsigned k = 0; k < fs->nr_threads; k++)
		fs->threads[k].slot->chore = 0;
	super->crashed = super->crashed_chore = 0;
	super->replies_seen = replies_sent(fs);
	chores_begin(fs);
}

bool poison_is(const struct zsfs *fs, uint64_t unique)
{
	const struct zsfs_suspect *s = find(fs, unique);

	return s && s->unique &&
	       (s->crashes >= POISON_CRASHES || s->kills >= POISON_KILLS);
}

void poison_keep(struct zsfs *fs, uint64_t unique)
{
	struct zsfs_suspect *s = find(fs, unique);

	if (s && s->unique)
		s->life = fs->super->life + 1;
}

void poison_clear(struct zsfs *fs)
{
	for (unsigned i = 0; i < ZSFS_NR_SUSPECTS; i++)
		fs->super->suspects[i].unique = 0;
	fs->super->crashed = fs->super->crashed_chore = 0;
	fs->super->replies_seen = replies_sent(fs);
}

void poison_purge(struct zsfs *fs)
{
	struct zsfs_super *super = fs->super;

	for (unsigned i = 0; i < ZSFS_NR_SUSPECTS; i++) {
		struct zsfs_suspect *s = &super->suspects[i];

		if (s->unique && s->life != super->life + 1)
			s->unique = 0;
		else if (s->unique)
			s->life = super->life;
	}
	super->life++;
}
