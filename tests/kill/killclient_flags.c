/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: flags of inodes, done to the file system and the model. */
#include "killclient_flags.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "killclient_check.h"
#include "killclient_file.h"
#include "killclient_record.h"

static char path[PATH_MAX];

static void check_flags(int fd, int want)
{
	int got = 0;

	must(CALL(ioctl, fd, FS_IOC_GETFLAGS, &got), "ioctl (GETFLAGS)", path);
	if (got != want)
		fail("flags of %s: expected %x, got %x", path, (unsigned)want,
		     (unsigned)got);
}

static void set_flags(int fd, int flags)
{
	must(CALL(ioctl, fd, FS_IOC_SETFLAGS, &flags), "ioctl (SETFLAGS)",
	     path);
	check_flags(fd, flags);
}

/* @n is immutable or append-only. */
static void check_kept(const struct node *n, bool immutable)
{
	char inside[PATH_MAX + 8];

	snprintf(inside, sizeof(inside), "%s/x", path);
	must_fail(CALL(chmod, path, 0777), EPERM, "chmod", path);
	if (S_ISDIR(n->mode)) {
		must_fail(CALL(rmdir, path), EPERM, "rmdir", path);
		if (immutable)
			must_fail(CALL(mkdir, inside, 0700), EPERM, "mkdir",
				  inside);
	} else {
		must_fail(CALL(unlink, path), EPERM, "unlink", path);
		must_fail(CALL(truncate, path, 0), EPERM, "truncate", path);
	}
}

static void keep_for_a_moment(struct tree *t, struct node *n, int fd)
{
	bool immutable = rnd(2);

	set_flags(fd, n->flags | (immutable ? FS_IMMUTABLE_FL : FS_APPEND_FL));
	check_kept(n, immutable);
	if (S_ISREG(n->mode) && !immutable)
		file_append_to(t, n, 1 + rnd(5000));
	set_flags(fd, n->flags);
}

void flags_change(struct tree *t)
{
	static const int flags[] = {0, FS_NODUMP_FL, FS_NOATIME_FL,
				    FS_NODUMP_FL | FS_NOATIME_FL};
	struct entry *e = tree_some_entry(t, rnd(2) ? S_IFREG : S_IFDIR);
	int fd;

	if (!e)
		return;
	tree_entry_path(t, e, path);
	fd = CALL(open, path, O_RDONLY | O_CLOEXEC);
	must(fd, "open", path);
	check_flags(fd, e->node->flags);
	e->node->flags = flags[rnd(4)];
	set_flags(fd, e->node->flags);
	if (geteuid() == 0 && rnd(3) == 0)
		keep_for_a_moment(t, e->node, fd);
	must_close(fd, path);
	check_entry(t, e);
}
