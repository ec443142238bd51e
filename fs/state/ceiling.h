/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ceilings: how much of the machine the mounter has granted a mount.
 *
 * Control files belong to the mount's owner, who may be somebody else (uid=).
 * Each setting that takes memory or processor time has a ceiling, the value
 * that the mounter gave it last; the owner moves below it. Settings are
 * compared by what they take: a number that is larger for more. How something
 * is compressed is compared by the time; mem_limit bounds the memory.
 */
#ifndef FS_CEILING_H
#define FS_CEILING_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "zcomp.h"

struct zsfs;

/* Limits: 0 is none, and so the most. */
static inline uint64_t ceiling_of_limit(uint64_t n)
{
	return n - 1;
}

/*
 * The processor's time that comp= takes for a block, from none to zstd:19. The
 * level of lz4 is an acceleration, so 64 takes less than 1.
 */
static inline uint64_t ceiling_of_comp(const struct zcomp_params *p)
{
	const uint64_t between = UINT64_C(1) << 32; /* lz4 and zstd */

	if (p->alg == ZCOMP_ZSTD)
		return between + (uint64_t)p->level;
	return p->alg == ZCOMP_LZ4 ? between - (uint64_t)p->level : 0;
}

/* Seconds until what is stored is compressed again; SETTLE_OFF: never. */
static inline uint64_t ceiling_of_settle(uint32_t secs)
{
	return UINT32_MAX - secs;
}

/* May somebody other than the mounter set what takes @much? */
bool ceiling_allows(const struct zsfs *fs, enum zsfs_ceiling c, uint64_t much);

/*
 * The mounter has set it: what is set now is the ceiling. The caller lets
 * nobody else set it meanwhile.
 */
void ceiling_note(struct zsfs *fs, enum zsfs_ceiling c);

#endif
