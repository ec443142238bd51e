/* SPDX-License-Identifier: BSD-3-Clause */
/* How a file is stored (see usage.h). */
#include "usage.h"

#include <errno.h>
#include <inttypes.h>

#include "base/textbuf.h"
#include "file.h"
#include "group.h"
#include "object.h"
#include "slot.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/zsfs.h"

/* A group has at most one cluster, which counts once. */
static void add_group(struct zsfs *fs, struct usage *u, const struct group *g)
{
	const struct cluster *cl = NULL;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		uint64_t slot = g->slot[k];
		enum slot_form f = slot_form(fs, slot);

		if (!slot)
			continue;
		u->blocks[f]++;
		if (slot_kind(slot) == SLOT_OBJECT)
			u->ram[f] += object_cost(fs, slot_size(fs, slot));
		else if (!cl)
			cl = slot_own_cluster(fs, group_slot(g, k));
	}
	if (cl)
		u->ram[FORM_DENSE] += cluster_pieces_cost(fs, cl->len);
}

bool usage_is_open(const struct zsfs *fs, const struct zinode *i, uint32_t uid)
{
	return zsfs_tells_all(fs, uid) || uid == i->uid;
}

bool usage_add_groups(struct zsfs *fs, struct usage *u, struct group *g)
{
	for (unsigned left = LOOK_GROUPS; left > 0; left--) {
		if (!group_next(g))
			return false;
		add_group(fs, u, g);
		g->first += CLUSTER_BLOCKS;
	}
	return true;
}

void usage_print(const struct usage *u, struct textbuf *t)
{
	for (enum slot_form f = 0; f < FORM_UNKNOWN; f++)
		textbuf_add(t, "%s %" PRIu64 " %" PRIu64 "\n",
			    slot_form_name(f), u->blocks[f], u->ram[f]);
}

int usage_add_some(struct zsfs *fs, struct usage *u, uint64_t nodeid,
		   uint32_t uid, struct group *g)
{
	int ret = file_lock_shared(fs, nodeid, &g->inode);

	if (ret)
		return ret == -ESTALE ? ret : -ENODATA;
	ret = usage_is_open(fs, g->inode, uid) ? usage_add_groups(fs, u, g)
					       : -EACCES;
	inode_unlock(fs, g->inode);
	return ret;
}
