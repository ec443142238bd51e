/* SPDX-License-Identifier: BSD-3-Clause */
/* Inodes and tables that a transaction has changed (see verify_tx.h). */
#include "verify_tx.h"

#include <stdlib.h>
#include <syslog.h>

#include "base/log.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "verify_i.h"

/* Collect in @touched, which has room, what @s says is new or was saved. */
static void collect(const struct zsfs_slot *s, struct numbers *touched)
{
	uint64_t *at = touched->v;
	size_t n = 0;

	for (uint64_t k = 0; k < s->undo.n; k++)
		at[n++] = s->undo.e[k].addr;
	for (uint64_t k = 0; k < s->nr_alloc; k++)
		if (REF_KIND(s->alloc[k]) == REF_SLAB)
			at[n++] = (uint64_t)(uintptr_t)slab_addr(s->alloc[k]);
	touched->n = n;
	numbers_sort(touched);
}

static bool is_listed(const uint64_t *refs, uint64_t n, const struct zinode *i)
{
	for (uint64_t k = 0; k < n; k++)
		if (refs[k] == slab_ref(i))
			return true;
	return false;
}

/* May nobody else change @i, and will it be there after the commit? */
static bool is_held(const struct tx *tx, const struct zinode *i)
{
	const struct zsfs_slot *s = tx->slot;

	if (is_listed(s->free, s->nr_free, i))
		return false;
	return tx_locks(tx, i) || s->reap == (uint64_t)(uintptr_t)i ||
	       is_listed(s->alloc, s->nr_alloc, i);
}

/* The inode that the word at @addr belongs to, NULL when to none. */
static struct zinode *inode_around(const struct zsfs *fs, uint64_t addr)
{
	uint64_t at = addr - addr % ARENA_PAGE_SIZE % SLAB_RECORD_SIZE;

	if (!slab_record_valid(fs->arena, (void *)(uintptr_t)at))
		return NULL;
	return (struct zinode *)(uintptr_t)at;
}

void verify_tx(struct tx *tx)
{
	static _Thread_local uint64_t at[TX_MAX_UNDO + TX_MAX_ALLOC];
	struct numbers touched = {.v = at};
	struct zinode *i, *last = NULL;
	char msg[256];
	struct check c = {
		.fs = tx->fs,
		.msg = msg,
		.size = sizeof(msg),
		.touched = &touched,
	};

	collect(tx->slot, &touched);
	for (size_t k = 0; k < touched.n; k++) {
		i = inode_around(tx->fs, touched.v[k]);
		if (!i || i == last)
			continue;
		last = i;
		if (!is_held(tx, i) || !verify_inode(i, &c))
			continue;
		zsfs_log(LOG_CRIT, "request %u would leave this: %s",
			 tx->slot->opcode, msg);
		abort();
	}
}
