/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool on its own: a store of text lines that survives its process.
 *
 *   pool_example FILE
 *
 * A child keeps every line of FILE as an object, drops every second one, packs
 * the rest, and is killed. The parent takes up the same memory, prints what is
 * left and compares it with the file. Nothing but zsmalloc.h is needed for
 * that.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zsmalloc.h"

#define MAX_LINES 1024

/*
 * The root area: what a successor must find. First what the pool keeps there,
 * then our own refs, which own the objects.
 */
static uint64_t *lines_of(const struct arena *a)
{
	size_t pool_size = (zs_pool_root_size() + 4095) / 4096 * 4096;

	return (uint64_t *)((char *)arena_root(a) + pool_size);
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "pool_example: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void store_line(struct zs_pool *pool, struct arena_thread *t,
		       uint64_t *ref, const char *line)
{
	size_t len = strlen(line);
	int err = zs_malloc(pool, t, len, 0, 0, ref);

	if (err)
		fail("zs_malloc", err);
	zs_obj_write(pool, t, (uint32_t)REF_VALUE(*ref), line, len);
}

static void fill(struct arena *a, struct zs_pool *pool, FILE *in)
{
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t *lines = lines_of(a);
	char buf[ZS_MAX_ALLOC_SIZE];
	unsigned n = 0;

	while (n < MAX_LINES && fgets(buf, sizeof(buf), in))
		store_line(pool, t, &lines[n++], buf);
	for (unsigned i = 1; i < n; i += 2)
		zs_free(pool, t, &lines[i]);
	zs_compact(pool, t);
	kill(getpid(), SIGKILL);
}

/* Print the line that @ref owns; is it this one? */
static bool print_line(struct zs_pool *pool, struct arena_thread *t,
		       uint64_t ref, const char *line)
{
	struct zs_obj_info info;
	const void *p =
		zs_obj_read_begin(pool, t, (uint32_t)REF_VALUE(ref), &info);
	bool same;

	if (!p)
		return false;
	fwrite(p, 1, info.size, stdout);
	same = info.size == strlen(line) && !memcmp(p, line, info.size);
	zs_obj_read_end(pool, t);
	return same;
}

static int print_all(struct arena *a, struct zs_pool *pool, FILE *in)
{
	struct arena_thread *t = arena_thread(a, 0);
	const uint64_t *lines = lines_of(a);
	char buf[ZS_MAX_ALLOC_SIZE];
	struct zs_pool_stats stats;
	unsigned n = 0, wrong = 0;

	for (; n < MAX_LINES && fgets(buf, sizeof(buf), in); n++) {
		if (n % 2)
			wrong += lines[n] != REF_NONE;
		else
			wrong += !print_line(pool, t, lines[n], buf);
	}
	zs_pool_get_stats(pool, &stats);
	fprintf(stderr, "%llu of %u lines in %llu pages, %u wrong\n",
		(unsigned long long)stats.objs_used, n,
		(unsigned long long)stats.pages_used, wrong);
	return wrong || !n || stats.objs_used != (n + 1) / 2;
}

/* Make the memory and let a child fill it; returns what names the memory. */
static int fill_in_child(FILE *in)
{
	struct arena_params params = {
		.limit = 64 << 20,
		.nr_threads = 1,
		.root_size = zs_pool_root_size() + 4096 + MAX_LINES * 8,
	};
	struct zs_pool *pool;
	struct arena *a;
	int err, fd;

	err = arena_create(&params, &a);
	if (err)
		fail("arena_create", err);
	err = zs_create_pool(a, arena_root(a), ZS_DEFAULT_CHAIN_SIZE, &pool);
	if (err)
		fail("zs_create_pool", err);
	fd = dup(arena_fd(a));
	if (fork() == 0)
		fill(a, pool, in);
	wait(NULL);
	zs_close_pool(pool);
	arena_close(a);
	return fd;
}

int main(int argc, char **argv)
{
	struct zs_pool *pool;
	struct arena *a;
	int err, fd, ret;
	FILE *in;

	in = argc == 2 ? fopen(argv[1], "re") : NULL;
	if (!in) {
		fprintf(stderr, "usage: pool_example FILE\n");
		return 2;
	}
	fd = fill_in_child(in);
	err = arena_open(fd, &a);
	if (err)
		fail("arena_open", err);
	err = zs_open_pool(a, arena_root(a), &pool);
	if (err)
		fail("zs_open_pool", err);
	zs_recover_pool(pool, arena_thread(a, 0));
	rewind(in);
	ret = print_all(a, pool, in);
	zs_destroy_pool(pool, arena_thread(a, 0));
	arena_close(a);
	close(fd);
	fclose(in);
	return ret;
}
