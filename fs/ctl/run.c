/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zsctl run: a mount for one command.
 *
 * Root's is in a mount namespace of its own, where nobody else sees it; a
 * user's is made by fusermount3 and closed to others. Another process, the
 * janitor, holds the end of a pipe and cleans up when zsctl has ended in
 * whatever way.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "program.h"

struct place {
	char path[PATH_MAX];
	bool made; /* by us, and ours to remove */
	dev_t dev; /* of the file system there before */
	bool mounted;
};

struct request {
	char **zsfs_options; /* "-o", LIST, .. */
	size_t nr_options;
	const char *mountpoint; /* NULL: a new one */
	bool chdir;
	char **command;
};

static int complain(const char *what)
{
	ctl_error("run: %s: %s", what, strerror(errno));
	return CTL_RUN_FAILED;
}

/* ---- children ---- */

/* -1 with errno when there was none. */
static int await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static bool succeeds(pid_t pid)
{
	return pid > 0 && await(pid) == 0;
}

/* ---- signals ---- */

static volatile sig_atomic_t command_pid;

static void pass_on(int sig)
{
	if (command_pid > 0)
		kill((pid_t)command_pid, sig);
}

/* What a terminal sends, the command gets, too: only it decides. */
static struct {
	int sig;
	void (*handler)(int);
	struct sigaction before;
} signals[] = {
	{.sig = SIGINT, .handler = SIG_IGN},
	{.sig = SIGQUIT, .handler = SIG_IGN},
	{.sig = SIGTERM, .handler = pass_on},
	{.sig = SIGHUP, .handler = pass_on},
};

#define NR_SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* What is ignored already, as nohup has it, stays so. */
static void handle_signals(void)
{
	for (size_t i = 0; i < NR_SIGNALS; i++) {
		struct sigaction to = {.sa_handler = signals[i].handler};

		sigaction(signals[i].sig, NULL, &signals[i].before);
		if (signals[i].before.sa_handler != SIG_IGN)
			sigaction(signals[i].sig, &to, NULL);
	}
}

static void restore_signals(void)
{
	for (size_t i = 0; i < NR_SIGNALS; i++)
		sigaction(signals[i].sig, &signals[i].before, NULL);
}

static sigset_t mask;

/* Until release_signals(): none may end us between a thing and its janitor. */
static void hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < NR_SIGNALS; i++)
		sigaddset(&held, signals[i].sig);
	sigprocmask(SIG_BLOCK, &held, &mask);
}

static void release_signals(void)
{
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* ---- where ---- */

static bool note_dev(struct place *p)
{
	struct stat st;

	if (stat(p->path, &st))
		return false;
	p->dev = st.st_dev;
	return true;
}

/* Not by a relative name: the command may start in another folder. */
static bool make_place(struct place *p, const char *named)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	if (named)
		return realpath(named, p->path) && note_dev(p);
	/* What is named if that fails. */
	snprintf(p->path, sizeof(p->path), "%s", tmp && *tmp ? tmp : "/tmp");
	if (snprintf(path, sizeof(path), "%s/zsctl-run.XXXXXX", p->path) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!mkdtemp(path))
		return false;
	p->made = realpath(path, p->path) && note_dev(p);
	if (!p->made)
		rmdir(path);
	return p->made;
}

/* What root mounts from here on nobody else sees; what others do is seen. */
static bool leave_namespace(void)
{
	if (geteuid() != 0)
		return true;
	return !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

/* ---- the mount ---- */

/* It holds @pipe, the janitor's, until it has mounted or failed. */
static pid_t start_zsfs(const struct request *r, const struct place *p,
			int pipe)
{
	char **argv = calloc(r->nr_options + 3, sizeof(*argv));
	pid_t pid;

	if (!argv)
		return -1;
	memcpy(argv + 1, r->zsfs_options, r->nr_options * sizeof(*argv));
	argv[1 + r->nr_options] = (char *)p->path;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		release_signals();
		fcntl(pipe, F_SETFD, 0);
		program_exec_zsfs(argv);
		complain("zsfs");
		_exit(CTL_RUN_FAILED);
	}
	free(argv);
	return pid;
}

/* Of a user: with the setuid program that also mounted it. */
static void unmount_as_user(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-q", "-z", path,
		       (char *)NULL);
		_exit(1);
	}
	succeeds(pid);
}

/* Has something been mounted there, by zsfs, without us to hear of it? */
static bool is_changed(const struct place *p)
{
	struct stat st;

	if (!stat(p->path, &st))
		return st.st_dev != p->dev;
	return errno == ENOTCONN || errno == ECONNABORTED ||
	       errno == ECONNREFUSED;
}

/* What the command has left running keeps its files until it ends. */
static void clean_up(const struct place *p)
{
	if (p->mounted && geteuid() == 0)
		umount2(p->path, MNT_DETACH);
	else if (p->mounted)
		unmount_as_user(p->path);
	if (p->made)
		rmdir(p->path);
}

/* ---- the janitor ---- */

struct janitor {
	pid_t pid;
	/* Is told whether there is a mount; closed when zsctl ends. */
	int pipe;
};

static const char is_mounted = 'm', has_failed = 'f';

/*
 * It has a session of its own, and holds signals for good: no terminal ends it,
 * nor who ends all that zsctl has started.
 */
static _Noreturn void be_janitor(struct place *p, int from)
{
	char byte, told = 0;
	ssize_t n;

	setsid();
	signal(SIGPIPE, SIG_IGN);
	/* A terminal or pipe of zsctl's is not kept open. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	open("/dev/null", O_RDWR);
	while ((n = read(from, &byte, 1)) > 0 || (n < 0 && errno == EINTR))
		told = n > 0 ? byte : told;
	p->mounted = told ? told == is_mounted : is_changed(p);
	clean_up(p);
	_exit(0);
}

static bool start_janitor(struct janitor *j, struct place *p)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return false;
	fflush(stdout);
	j->pid = fork();
	if (j->pid == 0) {
		close(ends[1]);
		be_janitor(p, ends[0]);
	}
	close(ends[0]);
	j->pipe = ends[1];
	return j->pid > 0;
}

static void end_janitor(struct janitor *j)
{
	close(j->pipe);
	if (j->pid > 0)
		await(j->pid);
}

/* ---- the command ---- */

static _Noreturn void be_command(const struct request *r, const struct place *p)
{
	restore_signals();
	release_signals();
	setenv("TMPDIR", p->path, true);
	setenv("ZSFS_MOUNT", p->path, true);
	if (r->chdir && chdir(p->path))
		_exit(complain(p->path));
	execvp(r->command[0], r->command);
	complain(r->command[0]);
	_exit(errno == ENOENT ? CTL_RUN_NOT_FOUND : CTL_RUN_NO_EXEC);
}

/* As a shell has it. */
static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int run_command(const struct request *r, const struct place *p)
{
	int status;
	pid_t pid;

	hold_signals();
	handle_signals();
	pid = fork();
	if (pid == 0)
		be_command(r, p);
	if (pid < 0)
		return complain("fork");
	command_pid = pid;
	release_signals();
	status = await(pid);
	command_pid = 0;
	return status < 0 ? complain("wait") : status_of(status);
}

/* False: it is not there any more, and we clean up. */
static bool tell_janitor(const struct janitor *j, char what)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	bool told = write(j->pipe, &what, 1) == 1;

	signal(SIGPIPE, before);
	return told;
}

static int mount_and_run(const struct request *r, struct place *p,
			 const struct janitor *j)
{
	p->mounted = succeeds(start_zsfs(r, p, j->pipe));
	if (!tell_janitor(j, p->mounted ? is_mounted : has_failed)) {
		clean_up(p);
		return complain("janitor");
	}
	if (!p->mounted)
		return CTL_RUN_FAILED; /* zsfs has said why */
	release_signals();
	return run_command(r, p);
}

static int run_there(const struct request *r, struct place *p)
{
	struct janitor j = {.pipe = -1};
	int status;

	if (!start_janitor(&j, p)) {
		status = complain("fork");
		clean_up(p);
		return status;
	}
	status = mount_and_run(r, p, &j);
	end_janitor(&j);
	return status;
}

/* ---- options ---- */

/* Those of zsfs are passed on as they are. */
static void take_option(struct request *r, int key)
{
	extern char *optarg;

	switch (key) {
	case 'o':
		r->zsfs_options[r->nr_options++] = (char *)"-o";
		r->zsfs_options[r->nr_options++] = optarg;
		break;
	case 'm':
		r->mountpoint = optarg;
		break;
	case 'c':
		r->chdir = true;
		break;
	}
}

static int run(struct args *a)
{
	struct request r = {
		.zsfs_options = calloc((size_t)a->argc * 2, sizeof(char *))};
	struct place p = {.made = false};
	int key, status;

	if (!r.zsfs_options)
		return complain("memory");
	while ((key = args_next(a)) >= 0)
		take_option(&r, key);
	r.command = args_expect(a, 1, INT_MAX);
	hold_signals();
	if (!leave_namespace())
		status = complain("a mount namespace");
	else if (!make_place(&p, r.mountpoint))
		status = complain(r.mountpoint ? r.mountpoint : p.path);
	else
		status = run_there(&r, &p);
	release_signals();
	free(r.zsfs_options);
	return status;
}

static const struct ctl_option options[] = {
	{'c', "chdir", NULL, "start the command in the mount"},
	{'m', "mountpoint", "DIR", "mount here, not on a new folder in /tmp"},
	{'o', "options", "LIST", "options of zsfs, such as size=2G,comp=zstd"},
	{0},
};

static void more_help(void)
{
	printf("\nThe command finds the mount by $TMPDIR and $ZSFS_MOUNT. "
	       "zsctl ends as it does;\n125, 126, 127: it could not be "
	       "started. For example\n\n"
	       "  zsctl run -c -o size=4G -- sh -c 'tar -xf ~/src.tar && "
	       "make -C src'\n");
}

const struct ctl_command cmd_run = {
	.name = "run",
	.operands = "[--] COMMAND [ARGUMENT...]",
	.summary = "a mount for one command, gone with it",
	.options = options,
	.more_help = more_help,
	.run = run,
	.has_command = true,
};
