/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filemodel: random operations on one file, compared with memory.
 *
 *   filemodel PATH OPERATIONS SEED [BYTES]
 *
 * Writes, reads, truncates, stores and loads through a shared mapping, and
 * drops the page cache, so that both the kernel's copy and the daemon's are
 * read. Content is made of random bytes, repeated words and zeros in turn.
 * Prints the seed and the operation at the first difference; exit code 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_OP 70000u

static unsigned char *model;
static unsigned char buf[MAX_OP];
static size_t room;
static size_t size; /* of the file, as it should be */
static uint64_t rng;
static unsigned long step;
static const char *what;

static void fail(const char *why, size_t off)
{
	printf("operation %lu (%s): %s at %zu, size %zu, errno %d\n", step,
	       what, why, off, size, errno);
	exit(1);
}

static uint64_t rnd(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % below;
}

/* Offsets like the neighbourhood of block borders, lengths likewise. */
static size_t pick(size_t below)
{
	size_t n = rnd(below);

	if (rnd(3) == 0)
		n = (n & ~(size_t)4095) + rnd(3);
	return n < below ? n : below - 1;
}

static void fill(size_t len)
{
	unsigned kind = (unsigned)rnd(4);

	for (size_t i = 0; i < len; i++)
		buf[i] = kind == 0   ? 0
			 : kind == 1 ? (unsigned char)rnd(256)
			 : kind == 2 ? (unsigned char)(i >> 6)
				     : (unsigned char)(step >> (i & 1));
}

static void grown_to(size_t end)
{
	if (end > size)
		size = end; /* the model is zero there already */
}

static void do_write(int fd)
{
	size_t off = pick(room), len = 1 + pick(MAX_OP);

	if (len > room - off)
		len = room - off;
	fill(len);
	what = "write";
	if (pwrite(fd, buf, len, (off_t)off) != (ssize_t)len)
		fail("short or failed write", off);
	memcpy(model + off, buf, len);
	grown_to(off + len);
}

static void compare(const unsigned char *got, size_t off, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != model[off + i])
			fail("wrong byte", off + i);
}

static void do_read(int fd)
{
	size_t off = pick(room), len = 1 + pick(MAX_OP), want;
	ssize_t n;

	what = "read";
	want = off >= size ? 0 : len < size - off ? len : size - off;
	n = pread(fd, buf, len, (off_t)off);
	if (n != (ssize_t)want)
		fail("wrong count from read", off);
	compare(buf, off, want);
}

static void do_truncate(int fd)
{
	size_t to = pick(room);

	what = "truncate";
	if (ftruncate(fd, (off_t)to) < 0)
		fail("failed", to);
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void do_map(int fd)
{
	size_t off, len;
	unsigned char *map;

	if (size < 2)
		return;
	what = "mmap";
	off = pick(size);
	len = 1 + pick(MAX_OP);
	if (len > size - off)
		len = size - off;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("failed", 0);
	compare(map + off, off, len);
	if (rnd(2)) {
		fill(len);
		memcpy(map + off, buf, len);
		memcpy(model + off, buf, len);
		if (rnd(2) && msync(map, size, MS_SYNC) < 0)
			fail("msync failed", 0);
	}
	munmap(map, size);
}

static void do_drop(int fd)
{
	what = "drop caches";
	if (fdatasync(fd) < 0)
		fail("fdatasync failed", 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void check_all(int fd)
{
	what = "final check";
	do_drop(fd);
	if (lseek(fd, 0, SEEK_END) != (off_t)size)
		fail("wrong size", 0);
	for (size_t off = 0; off < size; off += sizeof(buf)) {
		size_t n = size - off < sizeof(buf) ? size - off : sizeof(buf);

		if (pread(fd, buf, n, (off_t)off) != (ssize_t)n)
			fail("short read", off);
		compare(buf, off, n);
	}
}

int main(int argc, char **argv)
{
	unsigned long ops;
	int fd;

	if (argc < 4)
		return 2;
	ops = strtoul(argv[2], NULL, 10);
	rng = strtoull(argv[3], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	room = argc > 4 ? strtoul(argv[4], NULL, 10) : 1u << 20;
	model = calloc(1, room);
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || !model) {
		perror("filemodel");
		return 2;
	}
	printf("seed %s\n", argv[3]);
	for (step = 0; step < ops; step++) {
		unsigned dice = (unsigned)rnd(100);

		if (dice < 40)
			do_write(fd);
		else if (dice < 75)
			do_read(fd);
		else if (dice < 82)
			do_truncate(fd);
		else if (dice < 95)
			do_map(fd);
		else
			do_drop(fd);
	}
	check_all(fd);
	close(fd);
	free(model);
	return 0;
}
