/* SPDX-License-Identifier: BSD-3-Clause */
/* What a confined process can do, and what ends it. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/priority.h"
#include "base/sandbox_notes.h"
#include "state/shared_page.h"
#include "survive/sandbox.h"

static struct shared_config config = {.sandbox = true};

/* A sanitizer's runtime would not survive it, and this says so. */
static bool is_left_out(void)
{
	if (!ZS_ARENA_SANITIZED)
		return !ZS_SECCOMP;
	sandbox_begin(&config);
	sandbox_seal(NULL, 0);
	CHECK(!sandbox_is_on() && !strcmp(sandbox_notes.off, "sanitizer"));
	return true;
}

static void *do_nothing(void *arg)
{
	return arg;
}

/* As in a worker, where the first thread finds no filter yet. */
static void make_a_thread(void)
{
	pthread_t t;

	REQUIRE(!pthread_create(&t, NULL, do_nothing, NULL));
	pthread_join(t, NULL);
}

static void confine(void)
{
	make_a_thread();
	if (!geteuid())
		sandbox_find_user(NULL, &config.own_uid, &config.own_gid);
	sandbox_begin(&config);
	/* Of all threads the first may be placed. */
	sandbox_seal((pid_t[]){gettid()}, 1);
}

/* The wait status of a confined process that does this. */
static int does(void (*what)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		confine();
		what();
		_exit(check_failures ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* ---- what ends it ---- */

static void try_execve(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void try_fork(void)
{
	if (!fork())
		_exit(0);
}

static void try_write(void)
{
	open("/dev/null", O_WRONLY);
}

static void try_create(void)
{
	open("/tmp/zsfs-sandbox-test", O_RDONLY | O_CREAT, 0600);
}

static void try_temporary(void)
{
	open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static void try_inet(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void try_unix(void)
{
	socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_mmap_exec(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	     0);
}

static void try_mprotect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void try_kill(void)
{
	kill(getppid(), SIGKILL);
}

static void try_setuid(void)
{
	if (setuid(0))
		_exit(1);
}

/* The signal's default is not the only way to die of it. */
static void try_to_live_on(void)
{
	signal(SIGSYS, SIG_IGN);
}

static void try_to_be_dumped(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static const struct sched_param none = {0};

static void try_to_pin(void)
{
	cpu_set_t set;

	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	sched_setaffinity(getppid(), sizeof(set), &set);
}

static void try_to_put_off(void)
{
	sched_setscheduler(getppid(), SCHED_IDLE, &none);
}

static void try_to_go_first(void)
{
	sched_setscheduler(gettid(), SCHED_FIFO,
			   &(struct sched_param){.sched_priority = 1});
}

static void try_attributes(void)
{
	priority_patient();
}

/* Its number would be free, for the filter names some. */
static void try_to_end_a_thread(void)
{
	make_a_thread();
}

static void test_forbidden(void)
{
	static const struct {
		const char *name;
		void (*what)(void);
	} all[] = {
		{"execve", try_execve},
		{"fork", try_fork},
		{"open for writing", try_write},
		{"create", try_create},
		{"temporary file", try_temporary},
		{"network", try_inet},
		{"socket", try_unix},
		{"executable mapping", try_mmap_exec},
		{"executable memory", try_mprotect_exec},
		{"kill", try_kill},
		{"setuid", try_setuid},
		{"no SIGSYS", try_to_live_on},
		{"core dump", try_to_be_dumped},
		{"pin", try_to_pin},
		{"put off", try_to_put_off},
		{"go first", try_to_go_first},
		{"attributes of scheduling", try_attributes},
		{"end of a thread", try_to_end_a_thread},
	};

	if (is_left_out())
		return;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int status = does(all[i].what);

		fprintf(stderr, "# %s: status %#x\n", all[i].name, status);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

/* ---- what ends it for its arguments ---- */

#ifdef __s390__
#define CLONE(flags)                                                           \
	SYS_clone,                                                             \
	{                                                                      \
		0, (flags)                                                     \
	}
#else
#define CLONE(flags)                                                           \
	SYS_clone,                                                             \
	{                                                                      \
		(flags)                                                        \
	}
#endif

/* As pthread_create(3) has it. */
#define THREAD                                                                 \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define HIGH(arg) (INT64_C(1) << 32 | (arg))
#define ADDRESS	  ((long)(uintptr_t) "/dev/null")

/* Each differs from what is allowed in the argument that it is named for. */
static const struct forbidden {
	const char *name;
	long call, arg[4];
} forbidden[] = {
	{"F_DUPFD", SYS_fcntl, {0, F_DUPFD}},
	{"F_SETLK", SYS_fcntl, {0, F_SETLK}},
	{"F_SETOWN", SYS_fcntl, {0, 8}},
	{"F_SETSIG", SYS_fcntl, {0, 10}},
	{"F_SETLEASE", SYS_fcntl, {0, 1024}},
	{"F_NOTIFY", SYS_fcntl, {0, 1026}},
	{"F_SETPIPE_SZ", SYS_fcntl, {0, 1031, 1 << 20}},
	{"F_ADD_SEALS", SYS_fcntl, {0, 1033}},
	{"F_SETFL O_ASYNC", SYS_fcntl, {0, F_SETFL, O_ASYNC}},
	{"F_SETFL O_APPEND", SYS_fcntl, {0, F_SETFL, O_APPEND}},
	{"F_SETFL, high bits", SYS_fcntl, {0, HIGH(F_SETFL), O_ASYNC}},
	{"F_SETOWN with high bits", SYS_fcntl, {0, HIGH(8)}},
	{"mlock2 of all at once", SYS_mlock2, {0, 0, 0}},
	{"mlock2 with another flag", SYS_mlock2, {0, 0, 3}},
	{"utimensat with a path", SYS_utimensat, {AT_FDCWD, ADDRESS}},
	{"utimensat at 2^32", SYS_utimensat, {0, HIGH(0)}},
	{"O_TRUNC", SYS_openat, {AT_FDCWD, ADDRESS, O_TRUNC}},
	{"O_APPEND", SYS_openat, {AT_FDCWD, ADDRESS, O_APPEND}},
	{"O_CREAT", SYS_openat, {AT_FDCWD, ADDRESS, O_CREAT}},
	{"O_TMPFILE", SYS_openat, {AT_FDCWD, ADDRESS, O_TMPFILE}},
	{"O_RDWR", SYS_openat, {AT_FDCWD, ADDRESS, O_RDWR}},
	{"O_ACCMODE", SYS_openat, {AT_FDCWD, ADDRESS, O_ACCMODE}},
	{"no thread", CLONE(THREAD & ~CLONE_THREAD)},
	{"CLONE_NEWNS", CLONE(THREAD | CLONE_NEWNS)},
	{"CLONE_NEWCGROUP", CLONE(THREAD | CLONE_NEWCGROUP)},
	{"CLONE_NEWUTS", CLONE(THREAD | CLONE_NEWUTS)},
	{"CLONE_NEWIPC", CLONE(THREAD | CLONE_NEWIPC)},
	{"CLONE_NEWUSER", CLONE(THREAD | CLONE_NEWUSER)},
	{"CLONE_NEWPID", CLONE(THREAD | CLONE_NEWPID)},
	{"CLONE_NEWNET", CLONE(THREAD | CLONE_NEWNET)},
	{"CLONE_VFORK", CLONE(THREAD | CLONE_VFORK)},
	{"CLONE_PTRACE", CLONE(THREAD | CLONE_PTRACE)},
	{"dumpable, high bits", SYS_prctl, {PR_SET_DUMPABLE, HIGH(0)}},
	{"dumpable, of root", SYS_prctl, {PR_SET_DUMPABLE, 2}},
	{"prctl with high bits", SYS_prctl, {HIGH(PR_SET_DUMPABLE), 1}},
	{"other prctl", SYS_prctl, {PR_SET_PDEATHSIG, 0}},
	{"SIGSYS with high bits", SYS_rt_sigaction, {HIGH(SIGSYS), 0, 0, 8}},
	{"a limit", SYS_prlimit64, {0, 6 /* RLIMIT_NPROC */}},
	{"seccomp", SYS_seccomp, {1}},
	{"a message with descriptors", SYS_sendmsg, {0}},
	{"connect", SYS_connect, {0}},
	{"bind", SYS_bind, {0}},
#ifdef __x86_64__
	{"x32's getpid", 0x40000000 | SYS_getpid, {0}},
	{"x32's execve", 0x40000000 | 520, {0}},
#endif
};

static const struct forbidden *now;

static void try_now(void)
{
	syscall(now->call, now->arg[0], now->arg[1], now->arg[2], now->arg[3]);
}

static void test_forbidden_arguments(void)
{
	const size_t nr = sizeof(forbidden) / sizeof(forbidden[0]);

	if (is_left_out())
		return;
	for (now = forbidden; now < forbidden + nr; now++) {
		int status = does(try_now);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fprintf(stderr, "# %s: status %#x\n", now->name,
				status);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

/* ---- calls as another machine makes them ---- */

/* getpid() of the i386, whose number is that of a call that we may make. */
static long of_i386(void)
{
	long ret = 20;

#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "cc");
#endif
	return ret;
}

static void try_i386(void)
{
	if (of_i386() == getpid())
		_exit(0);
	_exit(1);
}

/* Kernels without such calls answer by a signal. */
static bool has_i386(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		try_i386();
	waitpid(pid, &status, 0);
	return !status;
}

static void test_another_machine(void)
{
	int status;

	if (is_left_out() || !has_i386())
		return;
	status = does(try_i386);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* ---- what it can reach ---- */

static int sender;
static struct sockaddr_un receiver_at;
static socklen_t receiver_len;

/* A socket of somebody who is not confined; at "" and the rest: abstract. */
static int receive_at(const char *path, size_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	receiver_at = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(receiver_at.sun_path, path, len);
	receiver_len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	REQUIRE(!bind(fd, (struct sockaddr *)&receiver_at, receiver_len));
	return fd;
}

static ssize_t send_one(void)
{
	return sendto(sender, "x", 1, MSG_DONTWAIT,
		      (struct sockaddr *)&receiver_at, receiver_len);
}

static void send_to_path(void)
{
	CHECK_EQ(send_one(), 1);
}

static void send_to_abstract(void)
{
	bool scoped = sandbox_notes.landlock >= 6;

	CHECK_EQ(send_one(), scoped ? -1 : 1);
	CHECK(!scoped || errno == EPERM);
}

/* As the log's, which is open before. The manual says that paths are left. */
static void test_sockets(void)
{
	char path[64];
	int len, fd;

	if (is_left_out())
		return;
	sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	REQUIRE(sender >= 0);
	len = snprintf(path, sizeof(path), "/tmp/zsfs-test-%d", (int)getpid());
	fd = receive_at(path, (size_t)len + 1);
	REQUIRE(!chmod(path, 0777));
	CHECK_EQ(does(send_to_path), 0);
	close(fd);
	unlink(path);
	path[0] = '\0';
	fd = receive_at(path, (size_t)len);
	CHECK_EQ(send_one(), 1);
	CHECK_EQ(does(send_to_abstract), 0);
	close(fd);
	close(sender);
}

/* ---- what goes on ---- */

static void *thread_main(void *arg)
{
	pid_t placed = getpid();
	cpu_set_t set;

	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	CHECK(!sched_setaffinity(placed, sizeof(set), &set));
	CHECK(!sched_setscheduler(placed, SCHED_OTHER, &none));
	CHECK(!sched_setscheduler(placed, SCHED_IDLE, &none));
	sem_post(arg);
	sandbox_end_thread();
	return NULL;
}

static void use_threads(void)
{
	pthread_t thread;
	sem_t ran;

	sem_init(&ran, 0, 0);
	CHECK(!pthread_create(&thread, NULL, thread_main, &ran));
	sem_wait(&ran);
	/* Time to end, which would end the process, too. */
	usleep(50000);
}

static void use_memory(void)
{
	size_t size = (size_t)64 << 20;
	char *p = malloc(size);

	CHECK(p);
	memset(p, 1, size);
	p = realloc(p, 2 * size);
	CHECK(p && p[size - 1] == 1);
	free(p);
}

static void use_files(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	CHECK(f && fgets(line, sizeof(line), f));
	if (f)
		fclose(f);
	CHECK(usleep(1000) == 0);
	if (sandbox_notes.landlock)
		CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
}

static void test_allowed(void)
{
	if (is_left_out())
		return;
	CHECK_EQ(does(use_threads), 0);
	CHECK_EQ(does(use_memory), 0);
	CHECK_EQ(does(use_files), 0);
}

static void test_abort(void)
{
	int status = is_left_out() ? SIGABRT : does(abort);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_not_wanted(void)
{
	config.sandbox = false;
	confine();
	CHECK(!sandbox_is_on());
	if (!ZS_ARENA_SANITIZED)
		CHECK(!strcmp(sandbox_notes.off, "nosandbox"));
	try_fork();
	try_write();
}

/* ---- who it is ---- */

static void find(const char *passwd, uint32_t *uid, uint32_t *gid)
{
	char path[] = "/tmp/zsfs-passwd.XXXXXX";
	int fd = mkstemp(path);

	REQUIRE(fd >= 0);
	CHECK(write(fd, passwd, strlen(passwd)) == (ssize_t)strlen(passwd));
	close(fd);
	sandbox_find_user(path, uid, gid);
	unlink(path);
}

/* Each time another one that no service and no user has. */
static void finds_any(const char *passwd)
{
	uint32_t uid, gid, first;

	find(passwd, &first, &gid);
	for (int n = 0; n < 100; n++) {
		find(passwd, &uid, &gid);
		CHECK(uid >= 61184 && uid <= 65519);
		CHECK_EQ(gid, uid);
		if (uid != first)
			return;
	}
	CHECK(!"always the same");
}

static void test_user(void)
{
	uint32_t uid, gid;

	finds_any("");
	finds_any("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
	finds_any("zsfs:x:0:0::/:/bin/sh\n");
	finds_any("zsfs:x\n");
	find("a:x:7:7::/:\nzsfs:x:990:991::/nonexistent:\nb:x:8:8::/:\n", &uid,
	     &gid);
	CHECK_EQ(uid, 990);
	CHECK_EQ(gid, 991);
}

/* All that could be had are taken, or all but one. */
static void test_user_taken(void)
{
	const uint32_t left = 64000;
	char *passwd = NULL;
	uint32_t uid, gid;
	size_t size;
	FILE *f = open_memstream(&passwd, &size);

	REQUIRE(f);
	for (uint32_t id = 61184; id <= 65519; id++)
		if (id != left)
			fprintf(f, "u%u:x:%u:%u::/:\n", id, id, id);
	fflush(f);
	find(passwd, &uid, &gid);
	CHECK_EQ(uid, left);
	CHECK_EQ(gid, left);
	fprintf(f, "last:x:7:%u::/:\n", left);
	fclose(f);
	find(passwd, &uid, &gid);
	CHECK_EQ(uid, 65534);
	CHECK_EQ(gid, 65534);
	free(passwd);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_forbidden),	  CHECK_CASE(test_forbidden_arguments),
	CHECK_CASE(test_another_machine), CHECK_CASE(test_sockets),
	CHECK_CASE(test_allowed),	  CHECK_CASE(test_abort),
	CHECK_CASE(test_not_wanted),	  CHECK_CASE(test_user),
	CHECK_CASE(test_user_taken),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
