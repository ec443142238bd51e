/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: what is taken, what is refused, and with what words. */
#include "start/options.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "check.h"
#include "start/mount_stats.h"
#include "state/reserve.h"

#define MIN_LIMIT (UINT64_C(16) << 20)
#define MAX_ARGS  12

/* As volume.c's, but without all that hangs on it. */
uint64_t zsfs_min_mem_limit(unsigned nr_threads)
{
	return MIN_LIMIT + nr_threads;
}

static const struct environment root_env = {
	.ram = UINT64_C(8) << 30, .cpus = 4, .privileged = true};
static const struct environment user_env = {
	.ram = UINT64_C(8) << 30, .cpus = 1, .privileged = false};

static struct zsfs_options o;
static char msg[OPTIONS_MSG_SIZE];

/* Parse a command line of words separated by single spaces; "''" is empty. */
static int parse_as(const struct environment *env, const char *line)
{
	char *argv[MAX_ARGS + 1], copy[2048], *save = NULL, *word;
	int argc = 0;

	options_free(&o);
	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word && argc < MAX_ARGS;
	     word = strtok_r(NULL, " ", &save)) {
		argv[argc++] = strcmp(word, "''") ? word : word + 2;
	}
	argv[argc] = NULL;
	return options_parse(argc, argv, env, &o, msg, sizeof(msg));
}

static int parse(const char *line)
{
	return parse_as(&root_env, line);
}

#define OK(line) REQUIRE(parse(line) == 0)

static bool is(const char *got, const char *want)
{
	return got && strcmp(got, want) == 0;
}

/* ---- defaults ---- */

static void test_defaults_root(void)
{
	OK("zsfs /mnt");
	CHECK(is(o.mountpoint, "/mnt"));
	CHECK(!o.source);
	CHECK(is(o.fsname, "zsfs"));
	CHECK(is(o.subtype, "zsfs"));
	CHECK_EQ(o.fs.size_limit, 0);
	CHECK_EQ(o.fs.mem_limit, UINT64_C(4) << 30);
	CHECK_EQ(o.fs.inode_limit, 1 << 20);
	CHECK_EQ(o.fs.comp.alg, ZCOMP_LZ4);
	CHECK_EQ(o.fs.comp.level, 1);
	CHECK_EQ(o.fs.chain_size, 8);
	CHECK_EQ(o.fs.nr_threads, 4);
	CHECK_EQ(o.fs.nr_helpers, 3);
	CHECK_EQ(o.fs.mode, 01777);
	CHECK_EQ(o.fs.uid, geteuid());
	CHECK_EQ(o.fs.gid, getegid());
	CHECK_EQ(o.fs.owner_uid, geteuid());
	CHECK_EQ(o.fs.owner_gid, getegid());
	CHECK(!o.fs.no_huge && !o.fs.no_swap && !*o.fs.huge && !*o.fs.mpol);
	CHECK_EQ(o.fs.atime, ATIME_RELATIME);
	CHECK(o.allow_other);
	CHECK(!o.foreground && !o.debug && !o.help && !o.version && !o.fake);
	CHECK_EQ(o.flags, 0);
}

static void test_defaults_user(void)
{
	REQUIRE(parse_as(&user_env, "zsfs /mnt") == 0);
	CHECK_EQ(o.fs.mode, 0755);
	CHECK(!o.allow_other);
	CHECK_EQ(o.fs.nr_threads, 2);
	CHECK_EQ(o.fs.nr_helpers, 0);
}

static void test_many_cpus(void)
{
	struct environment env = root_env;

	env.cpus = 200;
	REQUIRE(parse_as(&env, "zsfs /mnt") == 0);
	CHECK_EQ(o.fs.nr_threads, 16);
	CHECK_EQ(o.fs.nr_helpers, 15);
}

static void test_cgroup_default(void)
{
	struct environment env = root_env;

	env.cgroup = UINT64_C(1) << 30;
	REQUIRE(parse_as(&env, "zsfs /mnt") == 0);
	CHECK_EQ(o.fs.mem_limit, UINT64_C(512) << 20);
	CHECK_EQ(o.fs.inode_limit, 128 << 10);
	/* What is asked for counts all the same. */
	REQUIRE(parse_as(&env, "zsfs -o mem_limit=2G /mnt") == 0);
	CHECK_EQ(o.fs.mem_limit, UINT64_C(2) << 30);
	CHECK_EQ(o.fs.inode_limit, 128 << 10);
	REQUIRE(parse_as(&env, "zsfs -o nr_inodes=0 /mnt") == 0);
	CHECK_EQ(o.fs.inode_limit, 0);
	env.cgroup = 2 * MIN_LIMIT;
	CHECK_EQ(parse_as(&env, "zsfs /mnt"), -EINVAL);
	CHECK(strstr(msg, "give mem_limit=17M or more"));
	CHECK_EQ(parse_as(&env, "zsfs -o mem_limit=17M /mnt"), 0);
}

/* ---- values ---- */

static void test_limits(void)
{
	OK("zsfs -o size=1G,mem_limit=25%,nr_inodes=10k /mnt");
	CHECK_EQ(o.fs.size_limit, UINT64_C(1) << 30);
	CHECK_EQ(o.fs.mem_limit, UINT64_C(2) << 30);
	CHECK_EQ(o.fs.inode_limit, 10240);
	OK("zsfs -o size=200% -o mem_limit=0 /mnt");
	CHECK_EQ(o.fs.size_limit, UINT64_C(16) << 30);
	CHECK_EQ(o.fs.mem_limit, 0);
	/* Whole blocks, rounded up. */
	OK("zsfs -o size=1 /mnt");
	CHECK_EQ(o.fs.size_limit, 4096);
	OK("zsfs -o size=8192 /mnt");
	CHECK_EQ(o.fs.size_limit, 8192);
	OK("zsfs -o size=8193 /mnt");
	CHECK_EQ(o.fs.size_limit, 12288);
	/* The last one counts. */
	OK("zsfs -o size=1G,size=2G -o size=0 /mnt");
	CHECK_EQ(o.fs.size_limit, 0);
}

/* An eighth of mem_limit, at most 256 MiB, or what is asked for. */
static void test_hot(void)
{
	OK("zsfs /mnt");
	CHECK_EQ(o.fs.hot, 256 << 20);
	OK("zsfs -o mem_limit=64M /mnt");
	CHECK_EQ(o.fs.hot, 8 << 20);
	OK("zsfs -o mem_limit=0 /mnt");
	CHECK_EQ(o.fs.hot, 256 << 20);
	OK("zsfs -o hot=0,mem_limit=64M /mnt");
	CHECK_EQ(o.fs.hot, 0);
	OK("zsfs -o hot=1G /mnt");
	CHECK_EQ(o.fs.hot, 1 << 30);
}

static void test_mem_limit_least(void)
{
	/* 4 threads: 16 MiB + 4 bytes. */
	OK("zsfs -o mem_limit=16777220 /mnt");
	CHECK_EQ(o.fs.mem_limit, 16777220);
	CHECK_EQ(parse("zsfs -o mem_limit=16777219 /mnt"), -EINVAL);
	CHECK(is(msg, "option mem_limit: 16777219 bytes are too little; "
		      "allowed: at least 16777220 bytes (17M), or 0 for no "
		      "limit"));
}

static void test_root_directory(void)
{
	OK("zsfs -o mode=0700,uid=12,gid=34 /mnt");
	CHECK_EQ(o.fs.mode, 0700);
	CHECK_EQ(o.fs.uid, 12);
	CHECK_EQ(o.fs.owner_uid, 12);
	CHECK_EQ(o.fs.gid, 34);
	CHECK_EQ(o.fs.owner_gid, 34);
	OK("zsfs -o mode=0,uid=root,gid=root /mnt");
	CHECK_EQ(o.fs.mode, 0);
	CHECK_EQ(o.fs.uid, 0);
	CHECK_EQ(o.fs.gid, 0);
	OK("zsfs -o mode=7777,uid=4294967294 /mnt");
	CHECK_EQ(o.fs.mode, 07777);
	CHECK_EQ(o.fs.uid, 4294967294u);
}

static void test_comp(void)
{
	OK("zsfs -o comp=zstd:3,chain_size=16 /mnt");
	CHECK_EQ(o.fs.comp.alg, ZCOMP_ZSTD);
	CHECK_EQ(o.fs.comp.level, 3);
	CHECK_EQ(o.fs.chain_size, 16);
	OK("zsfs -o comp=none,chain_size=4 /mnt");
	CHECK_EQ(o.fs.comp.alg, ZCOMP_RAW);
	CHECK_EQ(o.fs.chain_size, 4);
}

static void test_flags(void)
{
	OK("zsfs -o ro,noexec,nosuid,nodev,sync,dirsync,noatime,noallow_other "
	   "/mnt");
	CHECK_EQ(o.flags, MS_RDONLY | MS_NOEXEC | MS_NOSUID | MS_NODEV |
				  MS_SYNCHRONOUS | MS_DIRSYNC | MS_NOATIME);
	CHECK_EQ(o.fs.atime, ATIME_NOATIME);
	CHECK(!o.allow_other);
	OK("zsfs -o ro,noexec,nosuid,nodev,sync,noatime,noallow_other "
	   "-o rw,exec,suid,dev,async,relatime,allow_other /mnt");
	CHECK_EQ(o.flags, 0);
	CHECK(o.allow_other);
	OK("zsfs -o noatime,atime /mnt");
	CHECK_EQ(o.fs.atime, ATIME_RELATIME);
	OK("zsfs -o noatime,nostrictatime /mnt");
	CHECK_EQ(o.fs.atime, ATIME_NOATIME);
	OK("zsfs -o noatime,strictatime,nodiratime,nosymfollow /mnt");
	CHECK_EQ(o.fs.atime, ATIME_STRICTATIME);
	CHECK_EQ(o.flags, MS_STRICTATIME | MS_NODIRATIME | MS_NOSYMFOLLOW);
	OK("zsfs -o strictatime,nodiratime,relatime,diratime /mnt");
	CHECK_EQ(o.fs.atime, ATIME_RELATIME);
	CHECK_EQ(o.flags, 0);
}

static void test_ignored(void)
{
	OK("zsfs -o defaults,auto,noauto,user,user=joe,nouser,users,nousers,"
	   "owner,noowner,group,nogroup,nofail,_netdev,x-systemd.automount,"
	   "x-foo=bar=baz,X-bar,silent,loud,lazytime,nolazytime /mnt");
	OK("zsfs -o ,,size=1G,,,ro, /mnt");
	CHECK_EQ(o.flags, MS_RDONLY);
	OK("zsfs -o '' /mnt");
}

/* ---- the command line ---- */

static void test_operands(void)
{
	OK("zsfs none /mnt");
	CHECK(is(o.source, "none"));
	CHECK(is(o.mountpoint, "/mnt"));
	CHECK(is(o.fsname, "none"));
	OK("zsfs none /mnt -o fsname=abc,subtype=");
	CHECK(is(o.fsname, "abc"));
	CHECK(is(o.subtype, ""));
	OK("zsfs -- -f -o");
	CHECK(is(o.source, "-f"));
	CHECK(is(o.mountpoint, "-o"));
	CHECK(!o.foreground);
	OK("zsfs '' /mnt");
	CHECK(is(o.source, ""));
	CHECK_EQ(parse("zsfs"), -EINVAL);
	CHECK(is(msg, "no mountpoint given; usage: zsfs [-o OPTION,OPTION,..] "
		      "[SOURCE] MOUNTPOINT, for example: "
		      "zsfs -o size=8G,nosuid,nodev /mnt/z"));
	CHECK_EQ(parse("zsfs a b c"), -EINVAL);
	CHECK(is(msg, "too many arguments; usage: zsfs [-o OPTION,OPTION,..] "
		      "[SOURCE] MOUNTPOINT, for example: "
		      "zsfs -o size=8G,nosuid,nodev /mnt/z"));
}

static void test_hints(void)
{
	CHECK_EQ(parse("zsfs size=8G /mnt"), -EINVAL);
	CHECK(strstr(msg, "did you mean -o size=8G?"));
	CHECK_EQ(parse("zsfs /mnt noatime"), -EINVAL);
	CHECK(strstr(msg, "did you mean -o noatime?"));
	CHECK_EQ(parse("zsfs -nosuid /mnt"), -EINVAL);
	CHECK(strstr(msg, "did you mean -o nosuid?"));
	CHECK_EQ(parse("zsfs umount /mnt"), -EINVAL);
	CHECK(strstr(msg, "no command \"umount\""));
	/* Names that hold the words, and what mount(8) calls a source. */
	OK("zsfs sizes=8G /mnt");
	OK("zsfs ./status");
	OK("zsfs -- -comp");
	OK("mount.zsfs dev /mnt -o rw");
	OK("mount.zsfs status /mnt -o rw");
	CHECK_EQ(parse("mount.zsfs size=8G /mnt -o rw"), -EINVAL);
}

static void test_letters(void)
{
	OK("zsfs -f /mnt");
	CHECK(o.foreground && !o.debug);
	OK("zsfs /mnt -d");
	CHECK(o.foreground && o.debug);
	OK("zsfs -fdsnv -t zsfs /mnt -oro");
	CHECK(o.foreground && o.debug && o.flags == MS_RDONLY);
	OK("zsfs -h");
	CHECK(o.help);
	OK("zsfs --help /mnt");
	CHECK(o.help);
	OK("zsfs -V");
	CHECK(o.version);
	OK("zsfs --version");
	CHECK(o.version);
}

/* As mount(8) calls its helpers. */
static void test_mount_helper(void)
{
	OK("/sbin/mount.zsfs none /mnt -s -n -v -o rw,size=1G");
	CHECK(!o.fake && !o.foreground);
	CHECK_EQ(o.fs.size_limit, UINT64_C(1) << 30);
	OK("mount.zsfs none /mnt -f -o rw");
	CHECK(o.fake && !o.foreground);
	OK("/sbin/mount.zsfs none /mnt -d");
	CHECK(!o.fake && o.foreground && o.debug);
	CHECK_EQ(parse("/sbin/mount.zsfs none /mnt -f -o bad"), -EINVAL);
}

/* ---- words of tmpfs and mount(8) ---- */

static void test_tmpfs_words(void)
{
	struct environment env = root_env;

	/* systemd's tmp.mount. */
	OK("zsfs tmpfs /tmp -o mode=1777,strictatime,nosuid,nodev,size=50%,"
	   "nr_inodes=1m");
	CHECK_EQ(o.fs.size_limit, UINT64_C(4) << 30);
	CHECK_EQ(o.fs.inode_limit, 1 << 20);
	CHECK(is(o.fs.idle_options, ""));
	OK("zsfs -o nr_blocks=3k,huge=within_size,noswap /mnt");
	CHECK_EQ(o.fs.size_limit, 3 * 1024 * 4096);
	CHECK(is(o.fs.huge, "within_size"));
	CHECK(o.fs.no_swap);
	OK("zsfs -o nr_blocks=1,size=2G,nr_blocks=0 /mnt");
	CHECK_EQ(o.fs.size_limit, 0);
	CHECK_EQ(parse("zsfs -o nr_blocks=9007199254740991 /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o huge=force /mnt"), -EINVAL);
	/* A comma before a digit goes on with the nodes, as in tmpfs. */
	OK("zsfs -o mpol=bind=static:0-3,5,7,mode=700 /mnt");
	CHECK(is(o.fs.mpol, "bind=static:0-3,5,7"));
	CHECK_EQ(o.fs.mode, 0700);
	CHECK_EQ(parse("zsfs -o mpol= /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o mpol=Bind:0 /mnt"), -EINVAL);
	OK("zsfs -o mand,iversion,lazytime,mand,inode32,nomand /mnt");
	CHECK(is(o.fs.idle_options, "mand,iversion,lazytime,inode32"));
	/* Without SELinux. */
	OK("zsfs -o context=\"a:b:c0,c1\",nodev,fscontext=d /mnt");
	CHECK(is(o.fs.idle_options, "context,fscontext"));
	CHECK(is(o.contexts, ""));
	CHECK_EQ(o.flags, MS_NODEV);
	env.selinux = true;
	REQUIRE(!parse_as(&env, "zsfs -o rootcontext=\"a,b\",context=c /mnt"));
	CHECK(is(o.contexts, "rootcontext=\"a,b\",context=c"));
	/* A quote of which there is only one is nothing special. */
	OK("zsfs -o fsname=a\"b,ro /mnt");
	CHECK(is(o.fsname, "a\"b"));
	CHECK_EQ(o.flags, MS_RDONLY);
}

static void test_tmpfs_words_of_users(void)
{
	static const char *const only_root[] = {"noswap", "mpol=local",
						"nosymfollow"};
	char line[64];

	for (size_t i = 0; i < sizeof(only_root) / sizeof(only_root[0]); i++) {
		snprintf(line, sizeof(line), "zsfs -o %s /mnt", only_root[i]);
		CHECK_EQ(parse_as(&user_env, line), -EINVAL);
		CHECK(strstr(msg, ": only root may use it"));
	}
	CHECK(!parse_as(&user_env, "zsfs -o strictatime,nodiratime /mnt"));
	CHECK_EQ(o.fs.atime, ATIME_STRICTATIME);
	CHECK(o.fs.atime_is_own);
}

/* What there is of a remount, in the words of mount(8) and by hand. */
static void test_remount(void)
{
	OK("zsfs none /mnt -o rw,noexec,remount,user_id=0,group_id=0,"
	   "default_permissions,allow_other,size=1G");
	CHECK(o.remount && o.complete);
	CHECK_EQ(o.given,
		 OPTION_GIVEN(KNOB_SIZE) | OPTION_GIVEN(KNOB_ALLOW_OTHER));
	CHECK_EQ(o.flags, MS_NOEXEC);
	CHECK_EQ(o.flags_given, MS_NOEXEC | MS_RDONLY);
	OK("zsfs -o remount,ro,mem_limit=1M,comp=zstd /mnt");
	CHECK(o.remount && !o.complete);
	CHECK_EQ(o.given,
		 OPTION_GIVEN(KNOB_MEM_LIMIT) | OPTION_GIVEN(KNOB_COMP));
	CHECK_EQ(o.fs.mem_limit, 1 << 20);
	OK("mount.fuse.zsfs none /mnt -o remount,noatime");
	CHECK(o.complete);
	OK("zsfs -o ro,remount /mnt");
	CHECK(!o.complete);
	REQUIRE(!parse_as(&user_env, "zsfs -o remount,nosymfollow /mnt"));
}

/* ---- what is refused ---- */

struct refusal {
	const char *line;
	const char *msg; /* whole */
};

#define SIZE_TEXT                                                              \
	"allowed: bytes with an optional K, M, G or T, or a percentage of "    \
	"RAM such as 50%, or 0 for no limit"
#define MEM_TEXT                                                               \
	"allowed: bytes with an optional K, M, G or T, or 1% to 100% of RAM, " \
	"or 0 for no limit"
#define COUNT_TEXT                                                             \
	"allowed: a number with an optional K, M or G, or 0 for no limit"
#define SEE_HELP "; zsfs --help lists what is allowed"

static const struct refusal refusals[] = {
	{"zsfs -o size= /m", "option size: bad value \"\"; " SIZE_TEXT},
	{"zsfs -o size=-1 /m", "option size: bad value \"-1\"; " SIZE_TEXT},
	{"zsfs -o size=1Gx /m", "option size: bad value \"1Gx\"; " SIZE_TEXT},
	{"zsfs -o size=99999999T /m",
	 "option size: bad value \"99999999T\"; " SIZE_TEXT},
	{"zsfs -o size=9223372036854775807 /m",
	 "option size: bad value \"9223372036854775807\"; " SIZE_TEXT},
	{"zsfs -o size=a\nb /m", "option size: bad value \"a?b\"; " SIZE_TEXT},
	{"zsfs -o size /m", "option size needs a value: size=.."},
	{"zsfs -o mem_limit=101% /m",
	 "option mem_limit: bad value \"101%\"; " MEM_TEXT},
	{"zsfs -o mem_limit=half /m",
	 "option mem_limit: bad value \"half\"; " MEM_TEXT},
	{"zsfs -o nr_inodes=5% /m",
	 "option nr_inodes: bad value \"5%\"; " COUNT_TEXT},
	{"zsfs -o nr_inodes=1T /m",
	 "option nr_inodes: bad value \"1T\"; " COUNT_TEXT},
	{"zsfs -o mode=8 /m", "option mode: bad value \"8\"; allowed: an octal "
			      "number from 0 to 7777"},
	{"zsfs -o mode=17777 /m", "option mode: bad value \"17777\"; allowed: "
				  "an octal number from 0 to 7777"},
	{"zsfs -o mode= /m", "option mode: bad value \"\"; allowed: an octal "
			     "number from 0 to 7777"},
	{"zsfs -o uid=no-such-user /m", "option uid: bad value "
					"\"no-such-user\"; allowed: a user's "
					"number or name"},
	{"zsfs -o uid=4294967295 /m", "option uid: bad value \"4294967295\"; "
				      "allowed: a user's number or name"},
	{"zsfs -o uid= /m",
	 "option uid: bad value \"\"; allowed: a user's number or name"},
	{"zsfs -o gid=-1 /m",
	 "option gid: bad value \"-1\"; allowed: a group's number or name"},
	{"zsfs -o chain_size=3 /m",
	 "option chain_size: bad value \"3\"; allowed: 4 to 16"},
	{"zsfs -o chain_size=17 /m",
	 "option chain_size: bad value \"17\"; allowed: 4 to 16"},
	{"zsfs -o chain_size=8x /m",
	 "option chain_size: bad value \"8x\"; allowed: 4 to 16"},
	{"zsfs -o ro=1 /m", "option ro: bad value \"1\"; allowed: no value"},
	{"zsfs -o bogus /m", "unknown option \"bogus\"" SEE_HELP},
	{"zsfs -o bogus=1 /m", "unknown option \"bogus=1\"" SEE_HELP},
	{"zsfs -o =1 /m", "unknown option \"=1\"" SEE_HELP},
	{"zsfs -o siz=1 /m", "unknown option \"siz=1\"" SEE_HELP},
	{"zsfs -o sizes=1 /m", "unknown option \"sizes=1\"" SEE_HELP},
	{"zsfs -o SIZE=1 /m", "unknown option \"SIZE=1\"" SEE_HELP},
	{"zsfs -x /m", "unknown option \"-x\"" SEE_HELP},
	{"zsfs --bogus /m", "unknown option \"--bogus\"" SEE_HELP},
	{"zsfs --help=1 /m", "unknown option \"--help=1\"" SEE_HELP},
	{"zsfs /m -o", "option -o needs a value"},
	{"zsfs -o user_id=0 /m", "unknown option \"user_id\"" SEE_HELP},
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		int err = parse(r->line);

		if (err != -EINVAL || strcmp(msg, r->msg))
			CHECK_FAILED("%s: %d: %s", r->line, err, msg);
	}
}

/* Refused for a reason, and the reason is said. */
static void test_not_supported(void)
{
	static const char *const names[] = {
		"auto_unmount", "allow_root",  "quota",
		"usrquota",	"grpquota",    "casefold",
		"bind",		"disksize=1G", "usrquota_block_hardlimit=1G"};
	char line[64], begin[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "zsfs -o %s /mnt", names[i]);
		snprintf(begin, sizeof(begin), "option %.*s: not supported, ",
			 (int)strcspn(names[i], "="), names[i]);
		CHECK_EQ(parse(line), -EINVAL);
		CHECK(strncmp(msg, begin, strlen(begin)) == 0);
	}
}

static void test_comp_refused(void)
{
	CHECK_EQ(parse("zsfs -o comp=gzip /mnt"), -EINVAL);
	CHECK(strstr(msg, "option comp: bad value \"gzip\"; allowed: "));
	CHECK(strstr(msg, zcomp_usage()));
	CHECK_EQ(parse("zsfs -o comp=zstd:20 /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o comp= /mnt"), -EINVAL);
}

static void test_long_values(void)
{
	char line[1500], big[1200];

	memset(big, 'n', sizeof(big));
	big[255] = '\0';
	snprintf(line, sizeof(line), "zsfs -o fsname=%s /mnt", big);
	CHECK_EQ(parse(line), 0);
	big[255] = 'n';
	big[256] = '\0';
	snprintf(line, sizeof(line), "zsfs -o fsname=%s /mnt", big);
	CHECK_EQ(parse(line), -EINVAL);
	CHECK(strstr(msg, "nnn..\"; allowed: at most 255 bytes"));
	snprintf(line, sizeof(line), "zsfs %s /mnt", big);
	CHECK_EQ(parse(line), -EINVAL);
	CHECK(strstr(msg, "option SOURCE: bad value \"nnn"));
	big[256] = 'n';
	big[1100] = '\0';
	snprintf(line, sizeof(line), "zsfs -o subtype=%s /mnt", big);
	CHECK_EQ(parse(line), -EINVAL);
	CHECK(strstr(msg, "too long an option \"subtype=nnn"));
	CHECK(strlen(msg) < 200);
}

/* ---- for libfuse ---- */

static void check_mount_string(const char *line, bool privileged,
			       const char *want)
{
	char *got;

	REQUIRE(parse_as(privileged ? &root_env : &user_env, line) == 0);
	got = options_mount_string(&o, privileged);
	if (!is(got, want))
		CHECK_FAILED("%s: %s", line, got);
	free(got);
}

static void check_contexts(void)
{
	struct environment env = root_env;
	char *got;

	env.selinux = true;
	REQUIRE(!parse_as(&env, "zsfs -o context=\"a,b\",fscontext=c,subtype= "
				"/mnt"));
	got = options_mount_string(&o, true);
	CHECK(is(got, "fsname=zsfs,default_permissions,allow_other,suid,dev,"
		      "context=\"a\\,b\",fscontext=c"));
	free(got);
}

static void test_mount_string(void)
{
	check_mount_string("zsfs /mnt", true,
			   "fsname=zsfs,subtype=zsfs,default_permissions,"
			   "allow_other,suid,dev");
	check_mount_string("zsfs /mnt", false,
			   "fsname=zsfs,subtype=zsfs,default_permissions");
	check_mount_string("zsfs none /mnt -o subtype=,nosuid,nodev,"
			   "noallow_other",
			   true, "fsname=none,default_permissions");
	check_mount_string("zsfs /mnt -o fsname=", true,
			   "fsname=none,subtype=zsfs,default_permissions,"
			   "allow_other,suid,dev");
	check_mount_string("zsfs /mnt -o ro,noexec,sync,dirsync,noatime,suid,"
			   "dev,allow_other",
			   false,
			   "fsname=zsfs,subtype=zsfs,default_permissions,"
			   "allow_other,noexec,ro,sync,dirsync,noatime");
	check_contexts();
	check_mount_string("zsfs a,b\\c /mnt", false,
			   "fsname=a\\,b\\\\c,subtype=zsfs,"
			   "default_permissions");
}

/* The longest names, all of it escaped, are not cut. */
static void test_mount_string_room(void)
{
	char line[600], name[256], *got;

	memset(name, '\\', 255);
	name[255] = '\0';
	snprintf(line, sizeof(line), "zsfs %s /mnt -o subtype=%s,ro", name,
		 name);
	OK(line);
	got = options_mount_string(&o, true);
	CHECK(got && strlen(got) > 4 * 255);
	CHECK(got && is(got + strlen(got) - 3, ",ro"));
	free(got);
}

static void test_flag_words(void)
{
	OK("zsfs -o nosurvive,noallow_other /mnt");
	CHECK(!o.survive && !o.allow_other);
	OK("zsfs -o nosurvive,survive,noallow_other,allow_other /mnt");
	CHECK(o.survive && o.allow_other);
	CHECK(o.sandbox);
	OK("zsfs -o nosandbox /mnt");
	CHECK(!o.sandbox);
	CHECK_EQ(parse("zsfs -o nonosurvive /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o nosize=1 /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o nosurvive=1 /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o no /mnt"), -EINVAL);
	CHECK_EQ(parse("zsfs -o nonoswap /mnt"), -EINVAL);
}

/* Of a mount that tells the terminal something else. */
static void test_controls_of_others(void)
{
	static const char text[] = "{\"version\":\"1\033[2J\177\",\"n\":12}";
	char room[256];

	CHECK(!strcmp(mount_stats_value(text, "version", room), "1?[2J?"));
	CHECK(!strcmp(mount_stats_value(text, "n", room), "12"));
	CHECK(!strcmp(mount_stats_value(text, "none", room), ""));
}

static const struct check_case cases[] = {
	CHECK_CASE(test_defaults_root),
	CHECK_CASE(test_defaults_user),
	CHECK_CASE(test_many_cpus),
	CHECK_CASE(test_cgroup_default),
	CHECK_CASE(test_limits),
	CHECK_CASE(test_hot),
	CHECK_CASE(test_mem_limit_least),
	CHECK_CASE(test_root_directory),
	CHECK_CASE(test_comp),
	CHECK_CASE(test_flags),
	CHECK_CASE(test_ignored),
	CHECK_CASE(test_operands),
	CHECK_CASE(test_hints),
	CHECK_CASE(test_letters),
	CHECK_CASE(test_mount_helper),
	CHECK_CASE(test_tmpfs_words),
	CHECK_CASE(test_tmpfs_words_of_users),
	CHECK_CASE(test_remount),
	CHECK_CASE(test_refused),
	CHECK_CASE(test_not_supported),
	CHECK_CASE(test_comp_refused),
	CHECK_CASE(test_long_values),
	CHECK_CASE(test_mount_string),
	CHECK_CASE(test_mount_string_room),
	CHECK_CASE(test_flag_words),
	CHECK_CASE(test_controls_of_others),
};

int main(int argc, char **argv)
{
	int status = CHECK_MAIN(cases, argc, argv);

	options_free(&o);
	return status;
}
