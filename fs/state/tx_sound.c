/* SPDX-License-Identifier: BSD-3-Clause */
/* Does the slot of a dead process make sense (see tx.h)? */
#include "tx.h"

#include <linux/fuse.h>

#include "zsfs.h"

static bool is_owned(struct zsfs *fs, uint64_t ref)
{
	if (REF_KIND(ref) == REF_OBJ)
		return REF_VALUE(ref) <= UINT32_MAX &&
		       zs_obj_is_sound(fs->pool, (uint32_t)REF_VALUE(ref));
	return !ref || arena_owns(fs->arena, ref);
}

static bool are_owned(struct zsfs *fs, const uint64_t *refs, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!is_owned(fs, refs[i]))
			return false;
	return true;
}

static bool lies_in(uint64_t addr, const void *p, size_t size)
{
	return addr - (uint64_t)(uintptr_t)p < size;
}

/*
 * May a transaction of slot @s change the word at @addr? What it changes of the
 * root area is little: neither settings nor what belongs to other slots, nor
 * the lists that it is undone by.
 */
static bool may_change(const struct zsfs *fs, const struct zsfs_slot *s,
		       uint64_t addr)
{
	const struct zsfs_super *super = fs->super;

	if (arena_holds_word(fs->arena, addr))
		return true;
	if (addr % sizeof(uint64_t))
		return false;
	return lies_in(addr, &super->root, 8) ||
	       lies_in(addr, &super->reap_head, 8) ||
	       lies_in(addr, &super->snap_head, 8) ||
	       lies_in(addr, fs->snap_area,
		       ZSFS_SNAP_PAGES * (size_t)ARENA_PAGE_SIZE) ||
	       lies_in(addr, &s->reap, 8) ||
	       lies_in(addr, s->stat, sizeof(s->stat)) ||
	       /* What a FORGET, or an answer, is about is cleared with it. */
	       (lies_in(addr, s->reply, sizeof(s->reply) + sizeof(s->req)) &&
		addr < (uint64_t)(uintptr_t)fs->snap_area);
}

static bool can_be_undone(const struct zsfs *fs, const struct zsfs_slot *s)
{
	if (s->undo.n > TX_MAX_UNDO)
		return false;
	for (uint64_t i = 0; i < s->undo.n; i++)
		if (!may_change(fs, s, s->undo.e[i].addr))
			return false;
	return true;
}

/* Does reply[] answer the request that was executed? */
static bool has_answer(const struct zsfs_slot *s)
{
	const struct fuse_out_header *out = (const void *)s->reply;

	return s->reply_len >= sizeof(*out) && out->unique == s->unique;
}

/* What is to be undone, or what is to be freed, as its state says. */
static bool has_sound_logs(struct zsfs *fs, const struct zsfs_slot *s)
{
	if (s->undo.max != TX_MAX_UNDO || s->nr_alloc > TX_MAX_ALLOC ||
	    s->nr_free > TX_MAX_FREE)
		return false;
	switch (s->state) {
	case TX_IDLE:
		return s->undo.n == 0;
	case TX_ACTIVE:
		return can_be_undone(fs, s) &&
		       are_owned(fs, s->alloc, s->nr_alloc);
	case TX_COMMITTED:
		return are_owned(fs, s->free, s->nr_free);
	case TX_ANSWERED:
		return are_owned(fs, s->free, s->nr_free) && has_answer(s);
	default:
		return false;
	}
}

bool tx_is_sound(struct zsfs *fs, const struct zsfs_thread *th)
{
	const struct zsfs_slot *s = th->slot;

	return has_sound_logs(fs, s) && s->req_len <= ZSFS_REQ_SIZE &&
	       s->reply_len <= ZSFS_REPLY_SIZE;
}
