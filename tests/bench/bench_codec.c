/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_codec: what one 4 KiB block costs in each algorithm, and what it saves.
 *
 *   bench_codec [-c ALG,ALG...] [FILE|DIRECTORY...]
 *
 * Each argument is one set of data, cut into blocks as a file system would cut
 * its files; without any, programs and headers of this machine. Times are CPU
 * time of this thread, the median of some rounds in which all the algorithms
 * take turns.
 */
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "zcomp.h"

#define BLOCK_SIZE ZCOMP_BLOCK_SIZE
#define MAX_BLOCKS 4096u /* of one set: 16 MiB */
#define MAX_ALGS   16
#define ROUNDS	   7

struct alg {
	struct zcomp_params params;
	double compress[ROUNDS], decompress[ROUNDS]; /* us per block */
	size_t nr_raw; /* blocks that did not fit */
	size_t bytes;  /* stored in all */
};

/* One set of data. */
static unsigned char *blocks;
static size_t nr_blocks, max_per_file;

/* What the blocks were compressed to; length 0: stored as it is. */
static unsigned char *stored;
static uint16_t stored_len[MAX_BLOCKS];

static struct alg algs[MAX_ALGS];
static size_t nr_algs;
static struct zcomp_ctx *ctx;

static double cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

/* The last block of a file is filled up with zeros. */
static int add_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t got, i;

	if (!file)
		return 0;
	for (i = 0; i < max_per_file && nr_blocks < MAX_BLOCKS; i++) {
		unsigned char *block = blocks + nr_blocks * BLOCK_SIZE;

		got = fread(block, 1, BLOCK_SIZE, file);
		if (!got)
			break;
		memset(block + got, 0, BLOCK_SIZE - got);
		nr_blocks++;
	}
	fclose(file);
	return nr_blocks == MAX_BLOCKS;
}

static int add_entry(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	return type == FTW_F && S_ISREG(st->st_mode) ? add_file(path) : 0;
}

static void add_path(const char *path)
{
	if (nftw(path, add_entry, 16, FTW_PHYS) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

static void add_programs(void)
{
	static const char *const patterns[] = {
		"/usr/lib/gcc/*/*/cc1", "/usr/bin/perf", "/usr/bin/git",
		"/usr/bin/python3.*",	"/usr/bin/bash", "/proc/self/exe",
	};
	glob_t found;
	size_t i, k;

	max_per_file = MAX_BLOCKS / 4;
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (glob(patterns[i], 0, NULL, &found))
			continue;
		for (k = 0; k < found.gl_pathc; k++)
			add_file(found.gl_pathv[k]);
		globfree(&found);
	}
}

static double time_compress(struct alg *alg)
{
	double start = cpu_usec();
	size_t i;

	alg->nr_raw = 0;
	alg->bytes = 0;
	for (i = 0; i < nr_blocks; i++) {
		int len = zcomp_compress(
			ctx, &alg->params, blocks + i * BLOCK_SIZE,
			stored + i * BLOCK_SIZE, BLOCK_SIZE - 1);

		stored_len[i] = len > 0 ? (uint16_t)len : 0;
		alg->nr_raw += len <= 0;
		alg->bytes += len > 0 ? (size_t)len : BLOCK_SIZE;
	}
	return (cpu_usec() - start) / (double)nr_blocks;
}

static double time_decompress(const struct alg *alg)
{
	static unsigned char plain[BLOCK_SIZE];
	double start = cpu_usec();
	size_t i, done = 0;

	for (i = 0; i < nr_blocks; i++) {
		if (!stored_len[i])
			continue;
		done++;
		if (zcomp_decompress(ctx, alg->params.alg,
				     stored + i * BLOCK_SIZE, stored_len[i],
				     plain)) {
			fprintf(stderr, "block %zu does not decode\n", i);
			exit(1);
		}
	}
	return done ? (cpu_usec() - start) / (double)done : 0;
}

static void bench_algs(const char *name)
{
	char text[32];
	size_t a;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		for (a = 0; a < nr_algs; a++) {
			algs[a].compress[round] = time_compress(&algs[a]);
			algs[a].decompress[round] = time_decompress(&algs[a]);
		}
	}
	for (a = 0; a < nr_algs; a++) {
		struct alg *alg = &algs[a];

		zcomp_format(&alg->params, text, sizeof(text));
		printf("%-10s %-12s %9.2f %11.2f %7.3f %8.0f %6.1f%%\n", name,
		       text, median(alg->compress), median(alg->decompress),
		       (double)nr_blocks * BLOCK_SIZE / (double)alg->bytes,
		       (double)alg->bytes / (double)nr_blocks,
		       100.0 * (double)alg->nr_raw / (double)nr_blocks);
	}
}

/* The small operations, each on block @i; the result must not be unused. */
static uint64_t do_checksum(size_t i)
{
	return zcomp_checksum(blocks + i * BLOCK_SIZE);
}

static uint64_t do_same_filled(size_t i)
{
	uint64_t word = 0;

	return zcomp_same_filled(blocks + i * BLOCK_SIZE, &word) + word;
}

static unsigned char *zero_blocks;

static uint64_t do_same_filled_zero(size_t i)
{
	uint64_t word = 0;

	return zcomp_same_filled(zero_blocks + i % 8 * BLOCK_SIZE, &word) +
	       word;
}

static uint64_t do_fill(size_t i)
{
	zcomp_fill(stored + i % 8 * BLOCK_SIZE, i + 1);
	return stored[i % 8 * BLOCK_SIZE];
}

static uint64_t do_copy(size_t i)
{
	memcpy(stored + i % 8 * BLOCK_SIZE, blocks + i * BLOCK_SIZE,
	       BLOCK_SIZE);
	return stored[i % 8 * BLOCK_SIZE];
}

static void bench_small(const char *name)
{
	static const struct {
		const char *what;
		uint64_t (*run)(size_t block);
	} table[] = {
		{"checksum", do_checksum},
		{"same-filled", do_same_filled},
		{"same (zero)", do_same_filled_zero},
		{"fill", do_fill},
		{"memcpy", do_copy},
	};
	uint64_t sum = 0;
	double usec[ROUNDS];
	size_t t, i;
	int round;

	for (t = 0; t < sizeof(table) / sizeof(table[0]); t++) {
		for (round = 0; round < ROUNDS; round++) {
			double start = cpu_usec();

			for (i = 0; i < nr_blocks; i++)
				sum += table[t].run(i);
			usec[round] = (cpu_usec() - start) / (double)nr_blocks;
		}
		/* The compiler must believe that somebody wants it. */
		__asm__ volatile("" : : "r"(sum));
		printf("%-10s %-12s %9.3f\n", name, table[t].what,
		       median(usec));
	}
}

static void bench_set(const char *name)
{
	if (!nr_blocks) {
		fprintf(stderr, "%s: no data\n", name);
		exit(1);
	}
	bench_algs(name);
	bench_small(name);
	nr_blocks = 0;
}

static void parse_algs(char *list)
{
	char *text;

	nr_algs = 0;
	for (text = strtok(list, ","); text; text = strtok(NULL, ",")) {
		if (nr_algs == MAX_ALGS ||
		    zcomp_parse(text, &algs[nr_algs].params)) {
			fprintf(stderr, "-c: \"%s\" is not one of %s\n", text,
				zcomp_usage());
			exit(1);
		}
		nr_algs++;
	}
}

static void *blocks_alloc(size_t n)
{
	void *mem = aligned_alloc(BLOCK_SIZE, n * BLOCK_SIZE);

	if (!mem) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	memset(mem, 0, n * BLOCK_SIZE);
	return mem;
}

static void bench_default(void)
{
	add_programs();
	bench_set("programs");
	max_per_file = MAX_BLOCKS;
	add_path("/usr/include");
	bench_set("headers");
}

int main(int argc, char **argv)
{
	char list[256] = "lz4,lz4:4,zstd:1,zstd:3";
	int arg = 1;

	if (argc > 2 && !strcmp(argv[1], "-c")) {
		snprintf(list, sizeof(list), "%s", argv[2]);
		arg = 3;
	}
	parse_algs(list);
	ctx = zcomp_ctx_create();
	blocks = blocks_alloc(MAX_BLOCKS);
	stored = blocks_alloc(MAX_BLOCKS);
	zero_blocks = blocks_alloc(8);
	if (!ctx)
		return 1;

	printf("%-10s %-12s %9s %11s %7s %8s %7s\n", "data", "", "us/block",
	       "decompress", "ratio", "bytes", "raw");
	if (arg == argc)
		bench_default();
	for (max_per_file = MAX_BLOCKS; arg < argc; arg++) {
		const char *name = strrchr(argv[arg], '/');

		add_path(argv[arg]);
		bench_set(name && name[1] ? name + 1 : argv[arg]);
	}
	zcomp_ctx_destroy(ctx);
	free(blocks);
	free(stored);
	free(zero_blocks);
	return 0;
}
