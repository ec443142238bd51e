/* SPDX-License-Identifier: BSD-3-Clause */
/* Forgetting a connection (see disconnect.h). */
#include "disconnect.h"

#include <linux/fuse.h>

#include "control/vfile.h"
#include "inject.h"
#include "poison.h"
#include "request.h"
#include "state/chore.h"
#include "state/inode.h"
#include "state/zsfs.h"
#include "tree/reap.h"
#include "waiting.h"

static int forget_inode(void *obj, void *arg)
{
	struct zsfs_thread *th = arg;
	const struct zinode *i = obj;

	if (i->nlookup)
		zsfs_forget(th, inode_nodeid(th->fs, i), i->nlookup, NULL);
	return 0;
}

/* What a thread was at, and what it had answered, is nobody's any more. */
static void clear_slot(struct zsfs_thread *th)
{
	struct zsfs_slot *slot = th->slot;

	th->parked = false;
	slot->executing = 0;
	slot->chore = 0;
	slot->crashed = 0;
	slot->done = 0;
	slot->sending = 0;
	slot->req_len = 0;
	slot->reply_len = 0;
	request_drop(slot);
}

void disconnect_clean(struct zsfs *fs)
{
	struct zsfs_thread *th = zsfs_background(fs);

	/* First: what is recorded of an INIT is answered to nobody again. */
	fs->super->init_req_len = 0;
	for (unsigned k = 0; k < fs->nr_threads; k++)
		clear_slot(&fs->threads[k]);
	waiting_clear();
	poison_clear(fs);
	/* What workers crashed of is the same on any connection. */
	chores_begin(fs);
	zs_crash_point();
	slab_for_each_record(fs->arena, forget_inode, th);
	vfile_forget_all(th);
}
