/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writers: many threads write one file in pieces that share blocks.
 *
 *   writers PATH THREADS ROUNDS SEED
 *
 * The file is cut into records of random lengths, most of them not on block
 * borders; record r belongs to thread r % THREADS, which rewrites and re-reads
 * its records round after round. A partial write that is not atomic in its
 * block loses a neighbour's bytes. One more thread truncates the tail behind
 * the records up and down and checks that it reads as zeros. In the end the
 * whole file is compared. Exit code 1 and a line at the first difference.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_RECORDS 1500u
#define MAX_RECORD 9000u
#define TAIL	   (300u << 10)

struct record {
	uint32_t len;
	uint32_t version; /* of its last write; owner thread only */
	off_t off;
};

static struct record records[NR_RECORDS];
static unsigned nr_threads, rounds;
static uint64_t seed;
static off_t tail_at;
static int fd;
static atomic_bool failed, writers_done;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* What a record holds at a version: random, or text-like, or one byte. */
static void render(unsigned char *p, unsigned nr, uint32_t version)
{
	uint64_t key = mix(seed + nr * UINT64_C(1000003) + version);
	unsigned kind = (unsigned)(key % 3);

	for (uint32_t i = 0; i < records[nr].len; i++)
		p[i] = kind == 0   ? (unsigned char)mix(key + i)
		       : kind == 1 ? (unsigned char)(key >> (i % 24))
				   : (unsigned char)key;
}

static void complain(const char *why, unsigned nr, off_t at)
{
	if (!atomic_exchange(&failed, true))
		printf("%s: record %u version %u, offset %lld\n", why, nr,
		       nr < NR_RECORDS ? records[nr].version : 0,
		       (long long)at);
}

static void check_record(unsigned nr)
{
	unsigned char want[MAX_RECORD], got[MAX_RECORD];
	struct record *r = &records[nr];
	ssize_t n = pread(fd, got, r->len, r->off);

	if (n != (ssize_t)r->len) {
		complain("short read", nr, r->off);
		return;
	}
	render(want, nr, r->version);
	for (uint32_t i = 0; i < r->len; i++)
		if (want[i] != got[i]) {
			complain("lost bytes", nr, r->off + i);
			return;
		}
}

static void write_record(unsigned nr)
{
	unsigned char data[MAX_RECORD];
	struct record *r = &records[nr];

	r->version++;
	render(data, nr, r->version);
	if (pwrite(fd, data, r->len, r->off) != (ssize_t)r->len)
		complain("short write", nr, r->off);
}

static void *writer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned round = 0; round < rounds && !failed; round++)
		for (unsigned nr = me; nr < NR_RECORDS && !failed;
		     nr += nr_threads) {
			if (mix(seed ^ (round * UINT64_C(7919) + nr)) % 3)
				write_record(nr);
			else
				check_record(nr);
			if (nr % 64 == me % 64)
				posix_fadvise(fd, records[nr].off, 1 << 16,
					      POSIX_FADV_DONTNEED);
		}
	return NULL;
}

static void check_tail(off_t end)
{
	static unsigned char data[TAIL];
	ssize_t n = pread(fd, data, TAIL, tail_at);

	if (n != (ssize_t)(end - tail_at)) {
		complain("wrong size of the tail", NR_RECORDS, end);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (data[i]) {
			complain("tail is not zero", NR_RECORDS, tail_at + i);
			return;
		}
}

static void *truncator(void *arg)
{
	for (uint64_t i = 0; !writers_done && !failed; i++) {
		off_t up = tail_at + 1 + (off_t)(mix(seed + i) % (TAIL - 1));
		off_t junk = tail_at + (off_t)(mix(seed - i) % (TAIL / 2));

		if (ftruncate(fd, up) < 0)
			complain("truncate", NR_RECORDS, up);
		check_tail(up);
		if (pwrite(fd, &i, sizeof(i), junk) != sizeof(i))
			complain("write", NR_RECORDS, junk);
		if (ftruncate(fd, tail_at) < 0)
			complain("truncate", NR_RECORDS, tail_at);
	}
	return NULL;
}

static void lay_out(void)
{
	off_t off = 0;

	for (unsigned i = 0; i < NR_RECORDS; i++) {
		uint64_t r = mix(seed * 31 + i);

		records[i].len = (uint32_t)(1 + r % (r & 1 ? 300 : MAX_RECORD));
		records[i].off = off;
		off += records[i].len;
	}
	tail_at = off;
}

int main(int argc, char **argv)
{
	pthread_t threads[64], trunc_thread;

	if (argc < 5)
		return 2;
	nr_threads = (unsigned)atoi(argv[2]) % 64;
	rounds = (unsigned)atoi(argv[3]);
	seed = strtoull(argv[4], NULL, 10);
	printf("seed %s\n", argv[4]);
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) {
		perror("writers");
		return 2;
	}
	lay_out();
	for (unsigned i = 0; i < NR_RECORDS; i++)
		write_record(i);
	pthread_create(&trunc_thread, NULL, truncator, NULL);
	for (unsigned i = 0; i < nr_threads; i++)
		pthread_create(&threads[i], NULL, writer, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	writers_done = true;
	pthread_join(trunc_thread, NULL);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (unsigned i = 0; i < NR_RECORDS; i++)
		check_record(i);
	close(fd);
	return failed ? 1 : 0;
}
