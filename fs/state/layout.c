/* SPDX-License-Identifier: BSD-3-Clause */
/* Where things are in the root area (see layout.h). */
#include "layout.h"

#include "zsmalloc.h"

size_t layout_page_up(size_t n)
{
	return (n + ARENA_PAGE_SIZE - 1) & ~(size_t)(ARENA_PAGE_SIZE - 1);
}

size_t layout_pool_offset(void)
{
	return layout_page_up(sizeof(struct zsfs_super));
}

size_t layout_slots_offset(void)
{
	return layout_pool_offset() + layout_page_up(zs_pool_root_size());
}

size_t layout_snap_offset(unsigned n)
{
	return layout_page_up(layout_slots_offset() +
			      n * sizeof(struct zsfs_slot) +
			      offsetof(struct zsfs_slot, reply));
}

size_t layout_root_size(unsigned n)
{
	return layout_snap_offset(n) +
	       ZSFS_SNAP_PAGES * (size_t)ARENA_PAGE_SIZE;
}
