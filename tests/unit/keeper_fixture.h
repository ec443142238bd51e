/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper without a mount: the mount, what workers do, and who else is in
 * the namespace are the test's. For tests that link with keeper_dep.
 */
#ifndef TESTS_UNIT_KEEPER_FIXTURE_H
#define TESTS_UNIT_KEEPER_FIXTURE_H

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "survive/daemon.h"
#include "survive/keeper_i.h"
#include "survive/worker.h"

static struct shared_page *k;
static struct keeper kp;
static pid_t keeper; /* this process */

/* ---- in the place of what needs a mount ---- */

static void (*work)(bool first); /* what a worker does; NULL: it waits */
static bool no_processes;
static bool nobody_dies; /* whom the keeper kills hangs in the kernel */
static bool all_begin;	 /* or has just begun to serve */
static int connection;	 /* what reconnect_mount() returns */
static bool unmounted;
static unsigned mounted, detached, detached_dead;
static uint32_t *told; /* it works, in memory of all; atomic */
static int witness, left;
static int other_end; /* of the connection */

/* A case that fails leaves no child behind. */
static inline void end_with_case(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
}

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	if (all_begin)
		shared_set(&k->worker.active_pid, (uint32_t)pid);
	return nobody_dies ? 0 : __real_kill(pid, sig);
}

/* To wait for it is in vain: that is over at once. */
int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
	return nobody_dies ? open("/dev/null", O_RDONLY | O_CLOEXEC)
			   : __real_pidfd_open(pid, flags);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	errno = EAGAIN;
	return no_processes ? -1 : __real_fork();
}

_Noreturn void __wrap_worker_main(struct shared_page *page, unsigned bank,
				  bool first, bool attached);
_Noreturn void __wrap_worker_main(struct shared_page *page, unsigned bank,
				  bool first, bool attached)
{
	end_with_case();
	if (shared_page_confine(page))
		_exit(1);
	if (work)
		work(first);
	for (;;)
		pause();
}

int __wrap_reconnect_mount(struct reconnect *r, struct mount_place *p,
			   int old_fd, const char *opts);
int __wrap_reconnect_mount(struct reconnect *r, struct mount_place *p,
			   int old_fd, const char *opts)
{
	mounted++;
	return connection;
}

bool __wrap_reconnect_is_left(const struct mount_place *p, int fd);
bool __wrap_reconnect_is_left(const struct mount_place *p, int fd)
{
	return !unmounted;
}

void __wrap_mount_teach_kernel(const struct mount_place *p);
void __wrap_mount_teach_kernel(const struct mount_place *p)
{
}

struct mount_tuning __wrap_mount_tune(const struct mount_place *p,
				      bool writeback);
struct mount_tuning __wrap_mount_tune(const struct mount_place *p,
				      bool writeback)
{
	return (struct mount_tuning){1024, writeback ? 5 : 0};
}

void __wrap_mount_detach(const struct mount_place *p);
void __wrap_mount_detach(const struct mount_place *p)
{
	detached++;
}

void __wrap_mount_detach_dead(const struct mount_place *p);
void __wrap_mount_detach_dead(const struct mount_place *p)
{
	detached_dead++;
}

int __wrap_daemon_ready(struct daemon *d);
int __wrap_daemon_ready(struct daemon *d)
{
	CHECK(shared_is_ready(k));
	shared_set(told, 1);
	return 0;
}

int __wrap_witness_find(void);
int __wrap_witness_find(void)
{
	return witness;
}

int __wrap_witness_leave(void);
int __wrap_witness_leave(void)
{
	left++;
	return 0;
}

/* ---- children ---- */

/* A child that has ended as @status says: a signal below 0, else a code. */
static inline pid_t dead_child(int status)
{
	siginfo_t info;
	pid_t pid = __real_fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (status < 0)
			kill(getpid(), -status);
		_exit(status);
	}
	REQUIRE(pid > 0 &&
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	return pid;
}

/* One that hung in the kernel, or was just killed, dies. */
static inline void dies_now(pid_t pid)
{
	siginfo_t info;

	nobody_dies = false;
	kill(pid, SIGKILL);
	REQUIRE(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	keeper_reap_children(&kp);
}

/* A child that waits for its end. */
static inline pid_t live_child(void)
{
	pid_t pid = __real_fork();

	if (pid)
		return pid;
	end_with_case();
	signal(SIGUSR2, SIG_IGN);
	for (;;)
		pause();
}

static inline void serves(pid_t pid)
{
	kp.active = pid;
	if (pid)
		keeper_note_serving(&kp, pid, true);
	shared_set(&k->worker.active_pid, (uint32_t)pid);
}

/* The standby says that it does. */
static inline void takes_over(void)
{
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_look_who_is_active(&kp);
	CHECK_EQ(kp.active, k->worker.active_pid);
	CHECK_EQ(kp.standby, 0);
}

/* Do workers that are started wait for its end? */
static inline bool is_told(pid_t pid)
{
	for (unsigned i = 0; i < SHARED_MAX_SERVING; i++)
		if (k->state.serving[i] == (uint32_t)pid)
			return true;
	return false;
}

static inline void worker_dies(int status)
{
	serves(dead_child(status));
	keeper_reap_children(&kp);
	CHECK_EQ(kp.active, 0);
}

static inline void standby_dies(int status)
{
	kp.standby = dead_child(status);
	keeper_reap_children(&kp);
	CHECK_EQ(kp.standby, 0);
}

static inline void check_goes_on(void)
{
	CHECK(!kp.over);
	CHECK_EQ(k->state.over, 0);
}

static inline void check_over(int status)
{
	CHECK(kp.over);
	CHECK_EQ(k->state.over, 1);
	CHECK_EQ(kp.status, status);
}

/* As when a worker has served for a while. */
static inline void prepare(void)
{
	int fds[2];

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED || shared_page_create(1, 4096, false, &k) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		exit(2);
	keeper = getpid();
	strcpy(k->config.mountpoint, "/the/mount");
	k->fd.arena = k->fd.alive = k->fd.alive_keeper = -1;
	k->fd.fuse = fds[0];
	other_end = fds[1];
	k->fd.wake = eventfd(0, EFD_CLOEXEC);
	k->state.connection = k->worker.ready = 1;
	k->state.can_resend = k->worker.can_resend = k->state.detach = 1;
	kp = (struct keeper){.k = k,
			     .place.mountpoint = k->config.mountpoint,
			     .signals = -1,
			     .taught = true,
			     .settled = true,
			     .worked = true,
			     .answered = true,
			     .verdict = -1,
			     .reconnect.mount = -1,
			     .witness = -1};
	replace_init(&kp.replace, k);
}

#endif
