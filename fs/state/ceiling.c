/* SPDX-License-Identifier: BSD-3-Clause */
/* What the mounter has granted (see ceiling.h). */
#include "ceiling.h"

#include "settings.h"
#include "zsfs.h"

/* What the setting takes as it is now. */
static uint64_t taken(const struct zsfs *fs, enum zsfs_ceiling c)
{
	const struct zsfs_super *s = fs->super;
	struct zcomp_params comp = zsfs_get_comp(fs);

	switch (c) {
	case CEILING_SIZE:
		return ceiling_of_limit(s->size_limit);
	case CEILING_MEM_LIMIT:
		return ceiling_of_limit(s->mem_limit);
	case CEILING_NR_INODES:
		return ceiling_of_limit(s->inode_limit);
	case CEILING_COMP:
		return ceiling_of_comp(&comp);
	case CEILING_DENSE:
		return (uint64_t)zsfs_get_dense(fs);
	case CEILING_SETTLE:
		return ceiling_of_settle(zsfs_get_settle(fs));
	case CEILING_HOT:
		return zsfs_get_hot(fs);
	case CEILING_NR:
		break;
	}
	return 0;
}

bool ceiling_allows(const struct zsfs *fs, enum zsfs_ceiling c, uint64_t much)
{
	return much <=
	       __atomic_load_n(&fs->super->ceiling[c], __ATOMIC_RELAXED);
}

void ceiling_note(struct zsfs *fs, enum zsfs_ceiling c)
{
	__atomic_store_n(&fs->super->ceiling[c], taken(fs, c),
			 __ATOMIC_RELAXED);
}
