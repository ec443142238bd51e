/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of what takes most of the time, and changes nothing that is looked
 * at: memory is neither locked nor made present before it is used. For targets
 * that link with memory_link_args of meson.build.
 */
#include <sys/mman.h>
#include <sys/types.h>

int __wrap_mlock2(const void *p, size_t size, unsigned flags);
int __wrap_madvise(void *p, size_t size, int advice);
void *__real_mmap64(void *p, size_t size, int prot, int flags, int fd, off_t o);
void *__wrap_mmap64(void *p, size_t size, int prot, int flags, int fd, off_t o);
void *__real_mmap(void *p, size_t size, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t off);

int __wrap_mlock2(const void *p, size_t size, unsigned flags)
{
	return 0;
}

int __wrap_madvise(void *p, size_t size, int advice)
{
	return 0;
}

void *__wrap_mmap64(void *p, size_t size, int prot, int flags, int fd, off_t o)
{
	return __real_mmap64(p, size, prot, flags & ~MAP_POPULATE, fd, o);
}

void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t off)
{
	return __real_mmap(p, size, prot, flags & ~MAP_POPULATE, fd, off);
}
