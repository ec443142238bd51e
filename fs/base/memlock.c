/* SPDX-License-Identifier: BSD-3-Clause */
/* Locking and hiding memory (see memlock.h). */
#include "memlock.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Of a core dump's parts the first page of each program and library. */
static const char only_headers[] = "0x10";

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

void memory_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void memory_keep_from_dumps(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Without the file, or in vain: core(5) then says what is dumped. */
	(void)!write(fd, only_headers, sizeof(only_headers) - 1);
	close(fd);
}

void memory_hide(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void memory_show(void)
{
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
