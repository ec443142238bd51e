/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * killclient: a client of a zsfs mount whose daemon is killed again and again.
 *
 *   killclient [-p WORKERS] [-t SECONDS] [-s SEED] [-i USECS] [-k] [-c]
 *              [-v ROOT] [-w MSECS] [-q] DIR
 *
 * Each worker has a directory of its own in DIR, does whatever a file system
 * can do there, and compares every result with a model in its memory. At the
 * end (after SECONDS, 10 if not given; 0: at SIGTERM) it verifies all and
 * removes all.
 *
 *   -i  a signal every so often, so that calls are interrupted
 *   -k  also processes that are killed in the middle of what they do
 *   -c  the kernel caches writes
 *   -v  also read and write the virtual files in ROOT
 *   -w  report every call that takes longer
 *   -q  say nothing at the start
 *
 * The last line says "ok", or "FAILED" after a description on stderr; exit
 * code 0 or 1, 2 for wrong arguments.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "killclient_record.h"
#include "killclient_shared.h"
#include "killclient_victim.h"
#include "killclient_worker.h"

#define MAX_WORKERS 64u
#define GRACE_NS    UINT64_C(2000000000)

static struct options opt = {.workers = 3, .seconds = 10};
static unsigned long long stall_ms;
static bool quiet, cached;
static pid_t pids[MAX_WORKERS]; /* 0: ended */

/* ---- the end of a failed run ---- */

/* What it left stays, to be looked at. */
static void report_failure(void)
{
	uint64_t from = record_now();

	while (record->failed == FAILING && record_now() - from < GRACE_NS)
		usleep(1000);
	for (unsigned i = 0; i < opt.workers; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	fprintf(stderr, "%s\n", record->message);
	fflush(stderr);
	printf("killclient: FAILED seed=%llu\n", (unsigned long long)opt.seed);
	fflush(stdout);
	_exit(1);
}

/* ---- workers ---- */

static void on_stop(int sig)
{
	record->stop = 1;
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

static void start_workers(void)
{
	pid_t self = getpid();

	for (unsigned i = 0; i < opt.workers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			fail("killclient cannot fork: %s", strerror(errno));
		if (pids[i] == 0)
			worker_run(&opt, i, self);
	}
}

static unsigned workers_left(void)
{
	unsigned nr = 0;
	int status;

	for (unsigned i = 0; i < opt.workers; i++) {
		if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
			pids[i] = 0;
			if (status)
				fail("worker %u ended with status 0x%x", i,
				     status);
		}
		nr += pids[i] != 0;
	}
	return nr;
}

static void supervise(void)
{
	uint64_t end = record_now() + opt.seconds * UINT64_C(1000000000);
	unsigned left;

	do {
		usleep(opt.victims ? 1000 : 10000);
		if (opt.seconds && record_now() >= end)
			record->stop = 1;
		left = workers_left();
		left += victims_tend(record->stop);
		if (record->failed)
			report_failure();
	} while (left);
}

static void run(void)
{
	record_init(1 + 2 * opt.workers);
	record_use(0, "parent", 0);
	record->stall_limit = stall_ms * 1000000;
	slot->op = "begin";
	record_at_failure(report_failure);
	rnd_seed(opt.seed ^ UINT64_C(0x6b63));
	catch_signals();
	umask(0);
	shared_make(opt.dir);
	victims_make(opt.dir, opt.victims ? opt.workers : 0, 1 + opt.workers,
		     cached);
	start_workers();
	slot->op = "supervise";
	supervise();
	slot->op = "remove everything";
	victims_unmake();
	shared_unmake();
}

/* ---- the command line ---- */

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: killclient [-p WORKERS] [-t SECONDS] [-s SEED] "
			"[-i USECS] [-k] [-c] [-v ROOT] [-w MSECS] [-q] DIR\n");
	exit(2);
}

static unsigned long long number(const char *arg, unsigned long long max)
{
	char *end;
	unsigned long long n = strtoull(arg, &end, 0);

	if (end == arg || *end || n > max)
		usage();
	return n;
}

static uint64_t some_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return mix((uint64_t)ts.tv_nsec ^ (uint64_t)ts.tv_sec << 30) %
	       1000000000;
}

static void one_option(int c, const char *arg)
{
	switch (c) {
	case 'p':
		opt.workers = (unsigned)number(arg, MAX_WORKERS);
		break;
	case 't':
		opt.seconds = (unsigned)number(arg, 1000000);
		break;
	case 's':
		opt.seed = number(arg, UINT64_MAX);
		break;
	case 'i':
		opt.interval_us = (unsigned)number(arg, 1000000000);
		break;
	case 'k':
		opt.victims = 1;
		break;
	case 'c':
		cached = true;
		break;
	case 'v':
		opt.root = arg;
		break;
	case 'w':
		stall_ms = number(arg, 1000000);
		break;
	case 'q':
		quiet = true;
		break;
	default:
		usage();
	}
}

static void report_success(void)
{
	const char *call, *who;
	uint64_t worst = record_worst(&call, &who), nr = 0;

	for (unsigned i = 0; i < record->nr_slots; i++)
		nr += record->slots[i].ops;
	printf("killclient: ok ops=%llu stall_max_ms=%.3f seed=%llu\n",
	       (unsigned long long)nr, (double)worst / 1e6,
	       (unsigned long long)opt.seed);
}

int main(int argc, char **argv)
{
	int c;

	opt.seed = some_seed();
	while ((c = getopt(argc, argv, "p:t:s:i:kcv:w:q")) != -1)
		one_option(c, optarg);
	if (optind + 1 != argc || !opt.workers || strlen(argv[optind]) > 1024)
		usage();
	opt.dir = argv[optind];
	if (!quiet)
		fprintf(stderr, "killclient: seed=%llu\n",
			(unsigned long long)opt.seed);
	run();
	report_success();
	return 0;
}
