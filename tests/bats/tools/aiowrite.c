/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aiowrite: asynchronous direct writes beside buffered readers.
 *
 *   aiowrite PATH MSECS
 *
 * Writes the blocks of a file again and again with io_submit(2) and O_DIRECT,
 * while threads read the same blocks through the page cache. When a write has
 * completed, a buffered read must give what was written. Prints a line
 * "stale: N of M" and ends with exit code 1 when N is not 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	   4096u
#define NR_BLOCKS  4u
#define NR_READERS 2

static const char *path;
static int direct, cached;
static atomic_bool done;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *reader(void *arg)
{
	unsigned char data[BLOCK];

	for (unsigned i = 0; !done; i++)
		if (pread(cached, data, BLOCK, i % NR_BLOCKS * BLOCK) != BLOCK)
			die("reader");
	return NULL;
}

static void write_block(aio_context_t ctx, unsigned nr, void *data)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)direct,
		.aio_buf = (uintptr_t)data,
		.aio_nbytes = BLOCK,
		.aio_offset = nr * BLOCK,
	};
	struct iocb *list[1] = {&cb};
	struct io_event ev;
	long n;

	if (syscall(SYS_io_submit, ctx, 1L, list) != 1)
		die("io_submit");
	do
		n = syscall(SYS_io_getevents, ctx, 1L, 1L, &ev, NULL);
	while (n < 0 && errno == EINTR);
	if (n != 1 || ev.res != BLOCK)
		die("the write");
}

static bool is_stale(unsigned nr, const void *data)
{
	unsigned char got[BLOCK];

	if (pread(cached, got, BLOCK, nr * BLOCK) != BLOCK)
		die("pread");
	return memcmp(got, data, BLOCK);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void open_files(void)
{
	cached = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	direct = open(path, O_RDWR | O_DIRECT);
	if (cached < 0 || direct < 0)
		die(path);
	if (ftruncate(cached, NR_BLOCKS * BLOCK) < 0)
		die("ftruncate");
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_READERS];
	unsigned stale = 0, writes = 0;
	aio_context_t ctx = 0;
	long long end;
	void *data;

	if (argc < 3)
		return 2;
	path = argv[1];
	open_files();
	if (syscall(SYS_io_setup, 4L, &ctx) < 0)
		die("io_setup");
	if (posix_memalign(&data, BLOCK, BLOCK))
		die("memory");
	for (unsigned i = 0; i < NR_READERS; i++)
		pthread_create(&threads[i], NULL, reader, NULL);
	end = now_ms() + atoi(argv[2]);
	for (; now_ms() < end; writes++) {
		memset(data, (int)(writes & 0xff), BLOCK);
		memcpy(data, &writes, sizeof(writes));
		write_block(ctx, writes % NR_BLOCKS, data);
		stale += is_stale(writes % NR_BLOCKS, data);
	}
	done = true;
	for (unsigned i = 0; i < NR_READERS; i++)
		pthread_join(threads[i], NULL);
	printf("stale: %u of %u\n", stale, writes);
	return stale ? 1 : 0;
}
