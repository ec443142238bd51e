/* SPDX-License-Identifier: BSD-3-Clause */
/* Landlock by its system calls: no libc has them (see landlock.h). */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all machines; libcs and headers may be older than the kernel. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

#define GET_VERSION	1u
#define RULE_PATH	1
#define FS_READ_FILE	(UINT64_C(1) << 2)
#define FS_READ_DIR	(UINT64_C(1) << 3)
#define FIRST_RIGHTS(n) ((UINT64_C(1) << (n)) - 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

/*
 * All that this version can take away. Each added to the rights that there
 * were: for files these are 13, then moving between folders, truncation and
 * ioctl() of devices; two of TCP; two bounds between processes.
 */
static struct ruleset all_of(int version)
{
	return (struct ruleset){
		.fs = FIRST_RIGHTS(version < 2	 ? 13
				   : version < 3 ? 14
				   : version < 5 ? 15
						 : 16),
		.net = version < 4 ? 0 : FIRST_RIGHTS(2),
		.scoped = version < 6 ? 0 : FIRST_RIGHTS(2),
	};
}

static int allow_reading(int ruleset, const char *folder)
{
	struct path_rule rule = {
		.allowed = FS_READ_FILE | FS_READ_DIR,
		.folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int err;

	if (rule.folder < 0)
		return 0;
	err = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0)
		      ? -errno
		      : 0;
	close(rule.folder);
	return err;
}

int landlock_confine(const char *const *readable, unsigned n)
{
	int version =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);
	struct ruleset rules = all_of(version);
	int fd, err = 0;

	if (version < 0)
		return -errno;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules),
			  0);
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; !err && i < n; i++)
		err = allow_reading(fd, readable[i]);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err ? err : version;
}
