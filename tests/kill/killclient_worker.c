/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: a worker, which has a directory and a model of it. */
#include "killclient_worker.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "killclient_alarm.h"
#include "killclient_check.h"
#include "killclient_file.h"
#include "killclient_flags.h"
#include "killclient_guard.h"
#include "killclient_name.h"
#include "killclient_record.h"
#include "killclient_shared.h"
#include "killclient_virtual.h"
#include "killclient_xattr.h"

static const struct options *opt;

static void op_shared(struct tree *t)
{
	shared_change();
}

static void op_shared_list(struct tree *t)
{
	shared_list();
}

static void op_virtual(struct tree *t)
{
	if (opt->root)
		virtual_use(opt->root);
}

static void op_statfs(struct tree *t)
{
	struct statfs sf;

	must(CALL(statfs, t->path, &sf), "statfs", t->path);
	if (!sf.f_bsize || sf.f_bavail > sf.f_bfree)
		fail("statfs %s: expected at most the free blocks (%llu) to be "
		     "available, got %llu; block size %lld",
		     t->path, (unsigned long long)sf.f_bfree,
		     (unsigned long long)sf.f_bavail, (long long)sf.f_bsize);
}

static void op_list(struct tree *t)
{
	check_dir(t, tree_some_dir(t, MAX_DEPTH));
}

static void op_wanted(struct tree *t)
{
	t->wanted = 6 + rnd(45);
}

static const struct {
	unsigned weight; /* of 1000 or so */
	const char *name;
	void (*fn)(struct tree *t);
} ops[] = {
	{120, "make", name_make},
	{20, "file without a name", name_nameless},
	{30, "link", name_link},
	{40, "rename", name_rename},
	{15, "rename over another", name_replace},
	{15, "rename with a whiteout", name_whiteout},
	{20, "exchange", name_exchange},
	{45, "remove", name_remove},
	{100, "what must fail", name_refused},
	{120, "write", file_write},
	{50, "append", file_append},
	{80, "read", file_read},
	{40, "verify", file_verify},
	{45, "truncate", file_truncate},
	{10, "open (O_TRUNC)", file_empty},
	{15, "fallocate", file_allocate},
	{25, "punch a hole", file_punch},
	{25, "copy", file_copy},
	{25, "mmap", file_map},
	{25, "lseek", file_seek},
	{25, "fsync", file_sync},
	{20, "keep open or close", file_hold},
	{25, "chmod", file_chmod},
	{25, "utimensat", file_utimes},
	{20, "flags", flags_change},
	{50, "extended attributes", xattr_change},
	{50, "stat", file_stat},
	{40, "readdir", op_list},
	{10, "statfs", op_statfs},
	{25, "append to the unlinked file", guard_append},
	{2, "check the locks", guard_locks},
	{60, "shared directory", op_shared},
	{10, "list the shared directory", op_shared_list},
	{3, "virtual file", op_virtual},
	{3, "grow or shrink", op_wanted},
	{1, "verify everything", check_tree},
};

#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

static void one_op(struct tree *t)
{
	static unsigned total;
	unsigned i = 0, at;

	if (!total)
		for (unsigned j = 0; j < NR_OPS; j++)
			total += ops[j].weight;
	for (at = rnd(total); at >= ops[i].weight; i++)
		at -= ops[i].weight;
	slot->op = ops[i].name;
	ops[i].fn(t);
	/* Above what it should have, it shrinks. */
	if (tree_nr_nodes(t) > t->wanted)
		name_remove(t);
	slot->ops++;
}

/* ---- a worker's life ---- */

static struct tree *begin(const char *path)
{
	struct tree *t = tree_new(path);

	slot->op = "begin";
	t->mappings = true;
	op_wanted(t);
	must(CALL(mkdir, path, 0700), "mkdir", path);
	guard_begin(t);
	return t;
}

static void close_held(struct tree *t)
{
	for (struct node *n = t->nodes; n < t->nodes + MAX_NODES; n++) {
		if (!n->mode || n->fd < 0)
			continue;
		must_close(n->fd, "a file that was kept open");
		tree_close(n);
	}
}

static void end(struct tree *t)
{
	slot->op = "verify everything at the end";
	check_tree(t);
	guard_end(t);
	close_held(t);
	check_tree(t);
	slot->op = "remove everything";
	name_remove_all(t);
	shared_end();
}

void worker_run(const struct options *o, unsigned nr, int parent)
{
	static char path[PATH_MAX];
	struct tree *t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	record_at_failure(NULL);
	record_use(1 + nr, "worker", nr);
	rnd_seed(o->seed + nr);
	opt = o;
	snprintf(path, sizeof(path), "%s/kc-%d-%u", o->dir, parent, nr);
	alarm_start(o->interval_us, nr % 2 == 0);
	shared_begin(nr);
	t = begin(path);
	while (!record->stop && getppid() == parent)
		one_op(t);
	end(t);
	_exit(0);
}
