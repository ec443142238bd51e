/* SPDX-License-Identifier: BSD-3-Clause */
/* The program that the keeper runs next: whose it is, and that it is the one.
 */
#include "check.h"
#include "survive/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static char path[] = "/tmp/zsfs-program-XXXXXX";

/* A copy of a program that does nothing, as root or we have it. */
static int copy_program(void)
{
	char data[65536];
	int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	int to = mkstemp(path);
	ssize_t n;

	REQUIRE(from >= 0 && to >= 0);
	while ((n = read(from, data, sizeof(data))) > 0)
		REQUIRE(write(to, data, (size_t)n) == n);
	REQUIRE(!fchmod(to, 0755));
	close(from);
	close(to);
	return program_at(path);
}

static void test_who_may_write_to_it(void)
{
	int fd = copy_program();
	char why[256];

	REQUIRE(fd >= 0);
	CHECK_EQ(program_check(fd, why, sizeof(why)), 0);
	chmod(path, 0757);
	CHECK_EQ(program_check(fd, why, sizeof(why)), -EACCES);
	CHECK(strstr(why, "757") && strstr(why, "chmod"));
	chmod(path, 0775);
	CHECK_EQ(program_check(fd, why, sizeof(why)), 0);
	if (geteuid() == 0) {
		CHECK_EQ(chown(path, 0, 12345), 0);
		CHECK_EQ(program_check(fd, why, sizeof(why)), -EACCES);
		chmod(path, 0755);
		CHECK_EQ(program_check(fd, why, sizeof(why)), 0);
		CHECK_EQ(chown(path, 12345, 0), 0);
		CHECK_EQ(program_check(fd, why, sizeof(why)), -EACCES);
		CHECK(strstr(why, "12345") && strstr(why, "chown"));
	}
	unlink(path);
	close(fd);
	CHECK_EQ(program_at(path), -ENOENT);
	fd = program_at("/");
	CHECK_EQ(program_check(fd, why, sizeof(why)), -EACCES);
	close(fd);
}

static void test_its_path(void)
{
	int fd = copy_program();
	char found[4096];

	program_path(fd, found, sizeof(found));
	CHECK(!strcmp(found, path));
	/* What is there now is something else. */
	unlink(path);
	program_path(fd, found, sizeof(found));
	CHECK(!strcmp(found, ""));
	close(fd);
}

/* Also when it has no path any more. */
static void test_it_runs(void)
{
	char *const argv[] = {(char *)"true", NULL};
	int fd = copy_program(), status = -1;
	pid_t pid;

	unlink(path);
	pid = fork();
	if (pid == 0) {
		program_run(fd, argv);
		_exit(9);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(fd);
}

static pid_t asker(const char *name)
{
	int ends[2];
	pid_t pid;
	char c;

	REQUIRE(!pipe(ends));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, name);
		if (write(ends[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	REQUIRE(read(ends[0], &c, 1) == 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static int ask(const char *name)
{
	pid_t pid = asker(name);
	int fd = program_of(pid);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

static void test_who_asks(void)
{
	struct stat own, st;
	int fd = ask(PROGRAM_ASKS);

	REQUIRE(fd >= 0);
	CHECK_EQ(stat("/proc/self/exe", &own), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_ino, own.st_ino);
	CHECK_EQ(st.st_dev, own.st_dev);
	close(fd);
	CHECK_EQ(ask("zsfs"), -ENOENT);
	CHECK_EQ(ask("zsfs-replac"), -ENOENT);
	CHECK_EQ(ask("zsfs-replace1"), -ENOENT);
	CHECK_EQ(program_of(0), -ENOENT);
	CHECK_EQ(program_of(-1), -ENOENT);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_who_may_write_to_it),
	CHECK_CASE(test_its_path),
	CHECK_CASE(test_it_runs),
	CHECK_CASE(test_who_asks),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
