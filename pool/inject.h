/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places where a test may end the process or make an allocation fail.
 *
 * In builds with ZS_DEBUG_LEVEL >= 1 every step that changes arena memory
 * passes a crash point and every step that can run out of memory asks whether
 * it should fail. Both hooks are NULL unless a test sets them. In release
 * builds the macros are empty.
 */
#ifndef POOL_INJECT_H
#define POOL_INJECT_H

#include <stdbool.h>

#if ZS_DEBUG_LEVEL >= 1
/* Called at every crash point; a recovery test counts down and kills itself. */
extern void (*zs_crash_hook)(void);
/* Returns true when the allocation about to be made shall fail. */
extern bool (*zs_fail_hook)(void);

static inline void zs_crash_point(void)
{
	if (zs_crash_hook)
		zs_crash_hook();
}

static inline bool zs_should_fail(void)
{
	return zs_fail_hook && zs_fail_hook();
}
#else
static inline void zs_crash_point(void)
{
}

static inline bool zs_should_fail(void)
{
	return false;
}
#endif

#endif
