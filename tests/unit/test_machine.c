/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines and control groups of many kinds, set up as directories. */
#include "base/machine.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define MIB(n) ((uint64_t)(n) << 20)

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Put @text into the file @path below the root, making its directories. */
static void put(const char *path, const char *text)
{
	char full[1024];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	REQUIRE(f);
	fputs(text, f);
	fclose(f);
}

static void new_root(void)
{
	if (root[0])
		remove_root();
	strcpy(root, "/tmp/zsfs-test-env-XXXXXX");
	REQUIRE(mkdtemp(root));
	put("/proc/meminfo", "MemTotal:        8388608 kB\n"
			     "MemFree:          100000 kB\n"
			     "MemAvailable:    4194304 kB\n");
}

#define V2_MOUNT                                                               \
	"22 1 0:20 / /proc rw - proc proc rw\n"                                \
	"35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 "    \
	"rw,nsdelegate\n"
#define V1_MOUNTS                                                              \
	"30 24 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"           \
	"31 30 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"  \
	"32 30 0:27 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup "     \
	"rw,memory\n"

static void test_ram(void)
{
	new_root();
	CHECK_EQ(machine_ram(root), MIB(8192));
	CHECK_EQ(machine_ram_available(root), MIB(4096));
	CHECK_EQ(machine_ram("/nonexistent"), 0);
}

/* Page cache of a group is there to be had, what it holds else is not. */
static void test_room(void)
{
	new_root();
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/proc/self/cgroup", "0::/g\n");
	CHECK_EQ(machine_room(root), MIB(4096));
	put("/sys/fs/cgroup/g/memory.max", "104857600\n");
	put("/sys/fs/cgroup/g/memory.current", "94371840\n");
	CHECK_EQ(machine_room(root), MIB(10));
	put("/sys/fs/cgroup/g/memory.stat",
	    "anon 1\ninactive_anon 8388608\ninactive_file 20971520\n"
	    "active_file 10485760\nunevictable 8388608\n");
	CHECK_EQ(machine_room(root), MIB(35));
	put("/sys/fs/cgroup/g/memory.current", "115343360\n");
	CHECK_EQ(machine_room(root), MIB(15));
	put("/sys/fs/cgroup/g/memory.current", "209715200\n");
	CHECK_EQ(machine_room(root), 1);
	/* Version 1, where the limit is for the groups below as well. */
	put("/proc/self/mountinfo", V1_MOUNTS);
	put("/proc/self/cgroup", "4:memory:/g\n");
	put("/sys/fs/cgroup/memory/g/memory.limit_in_bytes", "104857600\n");
	put("/sys/fs/cgroup/memory/g/memory.usage_in_bytes", "104857600\n");
	put("/sys/fs/cgroup/memory/g/memory.stat",
	    "cache 1\ninactive_file 0\nactive_file 0\ntotal_cache 1\n"
	    "total_inactive_file 1048576\ntotal_active_file 2097152\n");
	CHECK_EQ(machine_room(root), MIB(2));
}

static uint64_t oom_kills(void)
{
	int fd = machine_open_oom(root);
	uint64_t n = machine_read_oom(fd);

	/* The same descriptor tells of what has come since. */
	CHECK_EQ(machine_read_oom(fd), n);
	if (fd >= 0)
		close(fd);
	return n;
}

static void test_oom_kills(void)
{
	static char text[40000];
	size_t len = 0;

	new_root();
	CHECK_EQ(oom_kills(), 0);
	/* Where the line lies must not matter. */
	for (unsigned lines = 300; lines < 330; lines++) {
		len = 0;
		for (unsigned i = 0; i < lines; i++)
			len += (size_t)sprintf(
				text + len, "pgsteal_something_%u %u\n", i, i);
		sprintf(text + len, "oom_kill_disable 3\noom_kill 17\nx 1\n");
		put("/proc/vmstat", text);
		CHECK_EQ(oom_kills(), 17);
	}
	put("/proc/self/mountinfo", V1_MOUNTS);
	put("/proc/self/cgroup", "4:memory:/g\n");
	put("/sys/fs/cgroup/memory/g/memory.oom_control",
	    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	CHECK_EQ(oom_kills(), 2);
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/proc/self/cgroup", "0::/g\n");
	put("/sys/fs/cgroup/g/memory.events", "low 0\noom 4\noom_kill 3\n");
	CHECK_EQ(oom_kills(), 3);
}

static void test_no_cgroup(void)
{
	new_root();
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n");
	put("/proc/self/cgroup", "0::/\n");
	CHECK_EQ(machine_cgroup_limit(root), 0);
}

static void test_v2(void)
{
	new_root();
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/proc/self/cgroup", "0::/a.slice/b.service\n");
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/sys/fs/cgroup/a.slice/b.service/memory.max", "1073741824\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1024));
	/* A parent's smaller limit counts, a larger one does not. */
	put("/sys/fs/cgroup/a.slice/memory.max", "536870912\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(512));
	put("/sys/fs/cgroup/a.slice/memory.max", "2147483648\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1024));
	put("/sys/fs/cgroup/memory.max", "268435456\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(256));
	put("/sys/fs/cgroup/a.slice/memory.high", "134217728\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(128));
}

static void test_v1(void)
{
	new_root();
	put("/proc/self/mountinfo", V1_MOUNTS);
	put("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/dock/abc\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes",
	    "9223372036854771712\n");
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/sys/fs/cgroup/memory/dock/abc/memory.limit_in_bytes",
	    "1073741824\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1024));
	put("/sys/fs/cgroup/memory/dock/memory.limit_in_bytes", "67108864\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(64));
}

/* The memory controller may share its hierarchy. */
static void test_v1_joined(void)
{
	new_root();
	put("/proc/self/mountinfo",
	    "32 30 0:27 / /cg/all rw - cgroup cgroup rw,cpu,memory,freezer\n");
	put("/proc/self/cgroup", "1:memoryx:/bad\n4:cpu,memory,freezer:/g\n");
	put("/cg/all/g/memory.limit_in_bytes", "1048576\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1));
}

/* Both versions at once: the smaller limit counts. */
static void test_hybrid(void)
{
	new_root();
	put("/proc/self/mountinfo",
	    V1_MOUNTS "40 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 "
		      "cgroup2 rw\n");
	put("/proc/self/cgroup", "4:memory:/g\n0::/u\n");
	put("/sys/fs/cgroup/memory/g/memory.limit_in_bytes", "2097152\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(2));
	put("/sys/fs/cgroup/unified/u/memory.max", "1048576\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1));
}

/* In a container the mount shows the container's own group as its root. */
static void test_container(void)
{
	new_root();
	put("/proc/self/mountinfo",
	    "32 30 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup "
	    "rw,memory\n");
	put("/proc/self/cgroup", "4:memory:/docker/abc/sub\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4194304\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(4));
	put("/sys/fs/cgroup/memory/sub/memory.limit_in_bytes", "2097152\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(2));
	/* A group whose name only begins the same is another one. */
	put("/proc/self/cgroup", "4:memory:/docker/abcd/sub\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(4));
	put("/proc/self/cgroup", "4:memory:/others/abc/sub\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(4));
	/* Outside of the name space. */
	put("/proc/self/cgroup", "4:memory:/../other\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(4));
}

static void test_escaped_path(void)
{
	new_root();
	put("/proc/self/mountinfo",
	    "35 24 0:30 / /my\\040groups rw - cgroup2 none rw\n");
	put("/proc/self/cgroup", "0::/with space\n");
	put("/my groups/with space/memory.max", "1048576\n");
	CHECK_EQ(machine_cgroup_limit(root), MIB(1));
}

static void test_garbage(void)
{
	static char longline[9000];

	new_root();
	memset(longline, 'x', sizeof(longline) - 1);
	put("/proc/self/mountinfo",
	    "\n - \n1 - cgroup2\n1 2 3 - cgroup2 a b\n");
	put("/proc/self/cgroup", "\n:\n::\n0:\n0::\n");
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/proc/self/mountinfo", longline);
	put("/proc/self/cgroup", longline);
	CHECK_EQ(machine_cgroup_limit(root), 0);
	put("/proc/meminfo", longline);
	CHECK_EQ(machine_ram(root), 0);
	put("/proc/meminfo", "MemTotal: lots\n");
	CHECK_EQ(machine_ram(root), 0);
}

static void test_default_mem_limit(void)
{
	struct environment e = {.ram = MIB(100)};

	CHECK_EQ(machine_default_mem_limit(&e), MIB(50));
	e.cgroup = MIB(40);
	CHECK_EQ(machine_default_mem_limit(&e), MIB(20));
	e.cgroup = MIB(400);
	CHECK_EQ(machine_default_mem_limit(&e), MIB(50));
	e.ram = 0;
	CHECK_EQ(machine_default_mem_limit(&e), MIB(200));
}

/* The machine that runs the test. */
static void test_here(void)
{
	struct environment e;

	machine_read("", &e);
	CHECK(e.ram > MIB(64));
	CHECK(e.cpus >= 1 && e.cpus <= 65536);
	CHECK_EQ(e.privileged, geteuid() == 0);
	CHECK(machine_ram_available("") <= e.ram);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_ram),	    CHECK_CASE(test_no_cgroup),
	CHECK_CASE(test_v2),	    CHECK_CASE(test_v1),
	CHECK_CASE(test_v1_joined), CHECK_CASE(test_hybrid),
	CHECK_CASE(test_container), CHECK_CASE(test_escaped_path),
	CHECK_CASE(test_garbage),   CHECK_CASE(test_default_mem_limit),
	CHECK_CASE(test_oom_kills), CHECK_CASE(test_room),
	CHECK_CASE(test_here),
};

int main(int argc, char **argv)
{
	int status = CHECK_MAIN(cases, argc, argv);

	if (root[0])
		remove_root();
	return status;
}
