/* SPDX-License-Identifier: BSD-3-Clause */
/* Locking and hiding memory (see memlock.h). */
#include "memlock.h"

#include <sys/mman.h>
#include <sys/prctl.h>

void memory_lock(void *p, size_t size, bool huge)
{
	const size_t piece = (size_t)128 << 10;

	if (huge)
		size = (size + HUGE_PAGE_SIZE - 1) & ~(HUGE_PAGE_SIZE - 1);
	if (!mlock2(p, size, MLOCK_ONFAULT))
		return;
	for (size_t off = 0; off < size; off += piece) {
		size_t len = size - off < piece ? size - off : piece;

		if (mlock2((char *)p + off, len, MLOCK_ONFAULT))
			return;
	}
}

void memory_hide(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
