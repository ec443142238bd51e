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
#include "state/threads.h"
#include "state/zsfs.h"

struct usage {
	struct zsfs *fs;
	uint64_t blocks[NR_FORMS], ram[NR_FORMS];
};

/* A group has at most one cluster, which counts once. */
static void add_group(struct usage *u, const struct group *g)
{
	const struct cluster *cl = NULL;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		uint64_t slot = g->slot[k];
		enum slot_form f = slot_form(u->fs, slot);

		if (!slot)
			continue;
		u->blocks[f]++;
		if (slot_kind(slot) == SLOT_OBJECT)
			u->ram[f] += object_cost(u->fs, slot_size(u->fs, slot));
		else if (f == FORM_DENSE)
			cl = slot_cluster(slot);
	}
	if (cl)
		u->ram[FORM_DENSE] += cluster_pieces_cost(u->fs, cl->len);
}

/* ---- all of them ---- */

/* 1: there is more; 0: that was all; -errno. */
static int add_some(struct usage *u, uint64_t nodeid, uint64_t *first)
{
	struct group g = {.first = *first};
	unsigned left = LOOK_GROUPS;
	int err = file_lock_shared(u->fs, nodeid, &g.inode);

	if (err)
		return err == -ESTALE ? err : -ENODATA;
	while (left > 0 && group_next(&g)) {
		add_group(u, &g);
		g.first += CLUSTER_BLOCKS;
		left--;
	}
	inode_unlock(u->fs, g.inode);
	*first = g.first;
	return left == 0;
}

static int render(const struct usage *u, char *buf)
{
	struct textbuf t;

	textbuf_init(&t, buf, USAGE_SIZE);
	for (enum slot_form f = 0; f < FORM_UNKNOWN; f++)
		textbuf_add(&t, "%s %" PRIu64 " %" PRIu64 "\n",
			    slot_form_name(f), u->blocks[f], u->ram[f]);
	return textbuf_end(&t);
}

int zsfs_usage(struct zsfs_thread *th, uint64_t nodeid, char *buf)
{
	struct usage u = {.fs = th->fs};
	uint64_t first = 0;
	int more;

	while ((more = add_some(&u, nodeid, &first)) > 0)
		zsfs_pause(th);
	return more < 0 ? more : render(&u, buf);
}
