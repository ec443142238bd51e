/* SPDX-License-Identifier: BSD-3-Clause */
/* The crew: jobs of several request threads that overlap all come back. */
#include "check.h"
#include "content/crew.h"
#include "state/zsfs.h"
#include "zsmalloc.h"
#include "volume/volume.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct zsfs *fs;

struct run {
	unsigned nr;	   /* of the thread's context */
	unsigned delay_ms; /* before it starts */
	unsigned piece_ms; /* that a helper's piece takes */
	unsigned pieces;
	unsigned done; /* atomic */
	pthread_t thread;
};

static void do_piece(void *arg, unsigned piece, struct arena_thread *at,
		     struct zcomp_ctx *zc)
{
	struct run *r = arg;

	/* The caller is through early and has to wait for the helpers. */
	usleep((piece ? r->piece_ms : 20) * 1000);
	__atomic_add_fetch(&r->done, 1, __ATOMIC_RELAXED);
}

static void *run_job(void *arg)
{
	struct run *r = arg;
	struct zsfs_thread *th = &fs->threads[r->nr];

	usleep(r->delay_ms * 1000);
	crew_run(fs->crew, do_piece, r, r->pieces, th->at, th->zc);
	return NULL;
}

/* The second job begins and ends while the first waits for its helper. */
static void test_overlapping_jobs(void)
{
	struct zsfs_params p = {
		.nr_threads = 3,
		.nr_helpers = 3,
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};
	struct run runs[] = {
		{.nr = 0, .piece_ms = 400, .pieces = 2},
		{.nr = 1, .delay_ms = 100, .piece_ms = 100, .pieces = 2},
	};
	struct timespec until;

	CHECK_EQ(zsfs_create(&p, &fs), 0);
	usleep(10000); /* for the helpers to wait for work */
	for (unsigned k = 0; k < 2; k++)
		CHECK_EQ(pthread_create(&runs[k].thread, NULL, run_job,
					&runs[k]),
			 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	for (unsigned k = 0; k < 2; k++) {
		if (pthread_timedjoin_np(runs[k].thread, NULL, &until)) {
			CHECK_FAILED("job %u hangs", k);
			_exit(1);
		}
		CHECK_EQ(runs[k].done, 2);
	}
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_overlapping_jobs),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
