/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena's file: making it, mapping it, backing parts of it with memory. */
#include "arena_i.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* How often to try, and the longest pause between, in microseconds. */
#define PUNCH_TRIES 24
#define PUNCH_PAUSE 1024u

static bool wants_mpol(const struct arena_params *p)
{
	return p->mpol && *p->mpol;
}

/* What only a file on a tmpfs of our own can have. */
static bool wants_tmpfs(const struct arena_params *p)
{
	return p->no_swap || wants_mpol(p);
}

/* A tmpfs of our own, never attached anywhere: its mount, or -errno. */
static bool set_string(int fs, const char *key, const char *val)
{
	return !fsconfig(fs, FSCONFIG_SET_STRING, key, val, 0);
}

static bool configure_tmpfs(int fs, const struct arena_params *p)
{
	/* Size 0 is "no limit of its own"; so is the number of inodes. */
	return (p->no_huge || set_string(fs, "huge", "always")) &&
	       set_string(fs, "size", "0") &&
	       set_string(fs, "nr_inodes", "0") &&
	       (!p->no_swap ||
		!fsconfig(fs, FSCONFIG_SET_FLAG, "noswap", NULL, 0)) &&
	       (!wants_mpol(p) || set_string(fs, "mpol", p->mpol)) &&
	       !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int mount_private_tmpfs(const struct arena_params *p)
{
	int mnt = -1;
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (configure_tmpfs(fs, p))
		mnt = fsmount(fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				      MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		mnt = -errno;
	close(fs);
	return mnt;
}

static int make_tmpfs_file(const struct arena_params *p)
{
	int mnt = mount_private_tmpfs(p);
	int fd;

	if (mnt < 0)
		return mnt;
	fd = openat(mnt, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	/* The file keeps the file system alive. */
	close(mnt);
	return fd;
}

/* Making a file larger than RLIMIT_FSIZE is answered by a signal. */
static bool may_be_that_large(uint64_t size)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) < 0 || r.rlim_cur >= size)
		return true;
	r.rlim_cur = r.rlim_max;
	return r.rlim_max >= size && !setrlimit(RLIMIT_FSIZE, &r);
}

int arena_new_file(const char *name, const struct arena_params *p)
{
	int fd = p->no_huge && !wants_tmpfs(p) ? -1 : make_tmpfs_file(p);

	if (fd < 0 && wants_tmpfs(p))
		return -EOPNOTSUPP;
	if (fd < 0)
		fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int arena_make_file(const struct arena_params *params, uint64_t size)
{
	int fd;

	if (!may_be_that_large(size))
		return -EFBIG;
	fd = arena_new_file("zsfs-arena", params);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int arena_probe_huge(int fd, const struct arena_place *p, bool *huge)
{
	uint64_t data = p->data_pfn * ARENA_PAGE_SIZE;
	struct stat st;
	int err = arena_back(fd, data, ARENA_STEP);

	if (err)
		return err;
	if (fstat(fd, &st) < 0)
		return -errno;
	*huge = (uint64_t)st.st_blocks * 512 > ARENA_STEP;
	arena_unback(fd, data, ARENA_SEG_SIZE);
	return 0;
}

static void *map_part(int fd, uint64_t off, uint64_t len, int fixed)
{
	return mmap((void *)(uintptr_t)(ARENA_BASE + off), len,
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | fixed,
		    fd, (off_t)off);
}

int arena_map(int fd, const struct arena_place *place)
{
	void *base = (void *)(uintptr_t)ARENA_BASE;
	void *p = map_part(fd, 0, place->size, MAP_FIXED_NOREPLACE);

	if (p == MAP_FAILED)
		return -errno;
	if (p != base) {
		/* Kernels before 4.17 take the address for a wish. */
		munmap(p, place->size);
		return -EEXIST;
	}
	madvise(base, place->size, MADV_DONTDUMP);
	/* Root area and windows (ARENA_STEP); segments: arena_want_huge(). */
	madvise(base, place->size, MADV_NOHUGEPAGE);
	arena_place = *place;
	return 0;
}

void arena_unmap(void)
{
	munmap((void *)(uintptr_t)ARENA_BASE, arena_place.size);
}

int arena_back(int fd, uint64_t off, uint64_t len)
{
	zs_crash_point();
	while (fallocate(fd, 0, (off_t)off, (off_t)len) < 0) {
		if (errno == EINTR)
			continue;
		return errno == ENOSPC ? -ENOMEM : -errno;
	}
	zs_crash_point();
	return 0;
}

/* As madvise(2), of a part of the arena. */
static int advise(uint64_t off, uint64_t len, int advice)
{
	return madvise((void *)(uintptr_t)(ARENA_BASE + off), len, advice);
}

/* Map it, backed by memory; errno says what madvise(2) says. */
static int populate(uint64_t off, uint64_t len)
{
	int err;

	do {
		err = advise(off, len, MADV_POPULATE_WRITE);
	} while (err < 0 && errno == EINTR);
	return err;
}

bool arena_probe_small(int fd)
{
	struct stat st;

	if (!populate(0, ARENA_STEP) && !fstat(fd, &st) &&
	    (uint64_t)st.st_blocks * 512 <= ARENA_STEP)
		return true;
	arena_unback(fd, 0, ARENA_HUGE_STEP);
	return false;
}

int arena_back_fixed(int fd, const struct arena_header *h, uint64_t off,
		     uint64_t len)
{
	int err;

	/* fallocate(2) knows of no mapping that wants small pages. */
	if (!h->huge || h->step == ARENA_HUGE_STEP) {
		err = arena_back(fd, off, len);
		if (!err)
			arena_populate(off, len);
		return err;
	}
	zs_crash_point();
	err = populate(off, len);
	zs_crash_point();
	return err ? -ENOMEM : 0;
}

void arena_unback(int fd, uint64_t off, uint64_t len)
{
	int err;

	zs_crash_point();
	do {
		err = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)off, (off_t)len);
	} while (err < 0 && errno == EINTR);
	assert(!err);
	zs_crash_point();
}

uint64_t arena_excess(const struct arena *a)
{
	struct stat st;
	uint64_t held;

	if (fstat(a->fd, &st) < 0)
		return 0;
	held = (uint64_t)st.st_blocks * 512;
	return held > a->hdr->used ? held - a->hdr->used : 0;
}

void arena_punch(struct arena *a, uint64_t off, uint64_t len)
{
	uint64_t excess = 0;

	for (unsigned i = 0; i < PUNCH_TRIES; i++) {
		if (i)
			usleep(i < 10 ? 1u << i : PUNCH_PAUSE);
		arena_unback(a->fd, off, len);
		excess = arena_excess(a);
		if (excess <= a->excess)
			break;
	}
	/* What was in vain once must not be waited for at every later punch. */
	a->excess = excess;
}

void arena_populate(uint64_t off, uint64_t len)
{
	/* Where the kernel is too old for it, first touches fault instead. */
	populate(off, len);
}

void arena_want_huge(uint64_t off, uint64_t len)
{
	advise(off, len, MADV_HUGEPAGE);
}

void arena_want_small(uint64_t off, uint64_t len)
{
	advise(off, len, MADV_NOHUGEPAGE);
}

/*
 * What was mapped by small pages keeps its page table when they have gone, and
 * none by a huge one comes beside that: the part is mapped anew.
 */
void arena_populate_huge(int fd, uint64_t off, uint64_t len)
{
	if (map_part(fd, off, len, MAP_FIXED) == MAP_FAILED)
		return;
	advise(off, len, MADV_DONTDUMP);
	arena_want_huge(off, len);
	arena_populate(off, len);
	arena_want_small(off, len);
}
