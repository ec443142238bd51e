/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that stays in RAM, and that others cannot read. */
#ifndef FS_MEMLOCK_H
#define FS_MEMLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

/*
 * Keep [@p, @p + @size) in memory, what is backed now and what will be: as much
 * of it, from the start, as RLIMIT_MEMLOCK allows. @p at the start of a page.
 * @huge: it is on huge pages, of which the last one is mapped to its end; a
 * lock that ended within it would have it mapped in pieces.
 */
void memory_lock(void *p, size_t size, bool huge);

/* Give back what the heap has no use for: what only the start needed. */
void memory_trim(void);

/*
 * Keep all memory of this process and of those that it will start, also as
 * other programs, out of core dumps: heap, stacks and codec states may have
 * content in them. Registers are left, with some bytes of what was copied last.
 * Who debugs and may see the content writes another coredump_filter (core(5)).
 * Mappings that have content and nothing else are MADV_DONTDUMP besides.
 */
void memory_keep_from_dumps(void);

/*
 * Keep others of the same user from reading this process's memory and
 * descriptors, and the process from being dumped at all. The files that it has
 * in /proc belong to root from then on: it cannot write to them any more.
 */
void memory_hide(void);
/* The contrary, for who debugs. */
void memory_show(void);

#endif
