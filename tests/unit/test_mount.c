/* SPDX-License-Identifier: BSD-3-Clause */
/* What the keeper opens in a mount that may answer anything. */
#include "check.h"
#include "survive/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static char top[] = "/tmp/zsfs-mount-XXXXXX";

static const char *at(const char *name)
{
	static char path[2][PATH_MAX];
	static unsigned n;

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", top, name);
	return path[n];
}

static void make_file(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0);
	close(fd);
}

/* A folder like a mount, and beside it what is none of its business. */
static void make(void)
{
	REQUIRE(mkdtemp(top));
	REQUIRE(!mkdir(at("m"), 0700) && !mkdir(at("other"), 0700));
	make_file("other/mm_stat");
}

static void unmake(void)
{
	unlink(at("m/.zsstats/mm_stat"));
	rmdir(at("m/.zsstats"));
	unlink(at("m/.zsstats"));
	unlink(at("other/mm_stat"));
	rmdir(at("other"));
	rmdir(at("m"));
	rmdir(top);
}

/* Does teaching the kernel open the file @name? */
static bool opens(const char *name)
{
	struct mount_place p = {.mountpoint = at("m")};
	int seen = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct inotify_event e;
	bool opened;

	REQUIRE(seen >= 0);
	REQUIRE(inotify_add_watch(seen, at(name), IN_OPEN) >= 0);
	mount_teach_kernel(&p);
	opened = read(seen, &e, sizeof(e)) == sizeof(e);
	close(seen);
	return opened;
}

static void test_what_is_there(void)
{
	make();
	REQUIRE(!mkdir(at("m/.zsstats"), 0700));
	make_file("m/.zsstats/mm_stat");
	CHECK(opens("m/.zsstats/mm_stat"));
	unmake();
}

static void test_link(void)
{
	make();
	REQUIRE(!mkdir(at("m/.zsstats"), 0700));
	REQUIRE(!symlink("../../other/mm_stat", at("m/.zsstats/mm_stat")));
	CHECK(!opens("other/mm_stat"));
	unmake();
}

static void test_link_to_folder(void)
{
	make();
	REQUIRE(!symlink("../other", at("m/.zsstats")));
	CHECK(!opens("other/mm_stat"));
	unmake();
}

/* To open it would wait for who writes. */
static void test_fifo(void)
{
	make();
	REQUIRE(!mkdir(at("m/.zsstats"), 0700));
	REQUIRE(!mkfifo(at("m/.zsstats/mm_stat"), 0600));
	CHECK(!opens("m/.zsstats/mm_stat"));
	unmake();
}

static void test_nothing(void)
{
	make();
	CHECK(!opens("other/mm_stat"));
	unmake();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_what_is_there),	 CHECK_CASE(test_link),
	CHECK_CASE(test_link_to_folder), CHECK_CASE(test_fifo),
	CHECK_CASE(test_nothing),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
