/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said when the mount cannot work. */
#include "start/preflight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char dir[] = "/tmp/zsfs-test-pre-XXXXXX";
static char msg[PREFLIGHT_MSG_SIZE];

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	REQUIRE(f);
	fputs(text, f);
	fclose(f);
	chmod(in_dir(name), mode);
}

static void check_refused(const char *path, bool privileged, const char *want)
{
	char *got = preflight_mountpoint(path, privileged, msg, sizeof(msg));

	CHECK(!got);
	if (!strstr(msg, want))
		CHECK_FAILED("%s: %s", path, msg);
	free(got);
}

static void test_mountpoint(void)
{
	char *got, *want = realpath(dir, NULL);

	REQUIRE(symlink(dir, in_dir("link")) == 0);
	got = preflight_mountpoint(in_dir("link"), true, msg, sizeof(msg));
	CHECK(got && want && strcmp(got, want) == 0);
	free(got);
	/* Relative ones become absolute: the daemon goes to "/". */
	REQUIRE(chdir(dir) == 0);
	got = preflight_mountpoint(".", true, msg, sizeof(msg));
	CHECK(got && want && strcmp(got, want) == 0);
	free(got);
	free(want);
	unlink(in_dir("link"));
}

static void test_bad_mountpoint(void)
{
	char path[6000];

	check_refused(in_dir("missing"), true,
		      "does not exist; make it with: "
		      "mkdir -p ");
	put("file", "", 0644);
	check_refused(in_dir("file"), true, "is not a directory");
	check_refused(in_dir("file/x"), true, "part of the path is not");
	check_refused("", true, "does not exist");
	REQUIRE(symlink("loop", in_dir("loop")) == 0);
	check_refused(in_dir("loop"), true, "levels of symbolic links");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	check_refused(path, true, "File name too long");
	unlink(in_dir("loop"));
	unlink(in_dir("file"));
}

/* What fusermount3 would refuse. */
static void test_user_mountpoint(void)
{
	char *got = preflight_mountpoint(dir, false, msg, sizeof(msg));

	CHECK(got);
	free(got);
	if (geteuid() != 0) {
		check_refused("/tmp", false, "if it is sticky, own");
		return;
	}
	REQUIRE(chown(dir, 1, 1) == 0);
	chmod(dir, 01777);
	check_refused(dir, false, "if it is sticky, own");
	got = preflight_mountpoint(dir, true, msg, sizeof(msg));
	CHECK(got);
	free(got);
	REQUIRE(chown(dir, 0, 0) == 0);
	chmod(dir, 0700);
}

static void test_machine(void)
{
	CHECK_EQ(preflight_machine(4096, msg, sizeof(msg)), 0);
	CHECK_EQ(preflight_machine(65536, msg, sizeof(msg)), -EOPNOTSUPP);
	CHECK(strstr(msg, "65536") && strstr(msg, "4096"));
}

static void test_device(void)
{
	CHECK_EQ(preflight_device("/dev/null", msg, sizeof(msg)), 0);
	CHECK_EQ(preflight_device(in_dir("fuse"), msg, sizeof(msg)), -ENOENT);
	CHECK(strstr(msg, "modprobe fuse"));
	CHECK(strstr(msg, "--device /dev/fuse"));
	if (geteuid() != 0) {
		put("fuse", "", 0);
		CHECK_EQ(preflight_device(in_dir("fuse"), msg, sizeof(msg)),
			 -EACCES);
		CHECK(strstr(msg, "chmod 666"));
		unlink(in_dir("fuse"));
	}
}

static int user(bool allow_other)
{
	char path[256], conf[128];

	snprintf(path, sizeof(path), "::/nonexistent:%s", dir);
	snprintf(conf, sizeof(conf), "%s", in_dir("fuse.conf"));
	return preflight_user(path, conf, allow_other, msg, sizeof(msg));
}

static void test_user(void)
{
	CHECK_EQ(user(false), -ENOENT);
	CHECK(strstr(msg, "install the package fuse3"));
	put("fusermount3", "#!/bin/sh\n", 0755);
	CHECK_EQ(user(false), 0);
	CHECK_EQ(user(true), -EPERM);
	CHECK(strstr(msg, "user_allow_other"));
	put("fuse.conf", "#user_allow_other\nuser_allow_others\n", 0644);
	CHECK_EQ(user(true), -EPERM);
	put("fuse.conf", "mount_max = 3\n  user_allow_other \t\n", 0644);
	CHECK_EQ(user(true), 0);
	put("fuse.conf", "user_allow_other", 0644);
	CHECK_EQ(user(true), 0);
	unlink(in_dir("fuse.conf"));
	unlink(in_dir("fusermount3"));
}

static const struct check_case cases[] = {
	CHECK_CASE(test_mountpoint),	  CHECK_CASE(test_bad_mountpoint),
	CHECK_CASE(test_user_mountpoint), CHECK_CASE(test_machine),
	CHECK_CASE(test_device),	  CHECK_CASE(test_user),
};

int main(int argc, char **argv)
{
	int status;

	if (!mkdtemp(dir))
		return 1;
	status = CHECK_MAIN(cases, argc, argv);
	if (chdir("/"))
		status = 1;
	rmdir(dir);
	return status;
}
