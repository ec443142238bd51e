/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the shared record, timing of calls, and failing. */
#include "killclient_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct record *record;
struct slot *slot;
bool interruptible;

static void (*at_failure)(void);
static uint64_t rng;

uint64_t record_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void record_init(unsigned nr_slots)
{
	size_t size = sizeof(*record) + nr_slots * sizeof(*slot);

	record = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record == MAP_FAILED) {
		perror("killclient: mmap");
		exit(2);
	}
	record->nr_slots = nr_slots;
	record->started = record_now();
}

void record_use(unsigned nr, const char *kind, unsigned kind_nr)
{
	slot = &record->slots[nr];
	snprintf(slot->name, sizeof(slot->name), "%s %u", kind, kind_nr);
	slot->began = 0;
}

uint64_t record_worst(const char **call, const char **who)
{
	uint64_t worst = 0;

	*call = *who = "none";
	for (unsigned i = 0; i < record->nr_slots; i++) {
		struct slot *s = &record->slots[i];

		if (s->worst <= worst)
			continue;
		worst = s->worst;
		*call = s->worst_call;
		*who = s->name;
	}
	return worst;
}

/* ---- failing ---- */

void record_at_failure(void (*fn)(void))
{
	at_failure = fn;
}

void fail(const char *fmt, ...)
{
	double at = (double)(record_now() - record->started) / 1e9;
	size_t room = sizeof(record->message);
	const char *op = slot->op;
	int fine = FINE, n;
	va_list ap;

	slot->began = 0;
	if (atomic_compare_exchange_strong(&record->failed, &fine, FAILING)) {
		n = snprintf(
			record->message, room,
			"%s, operation %llu (%s), %.3f s after the start: ",
			slot->name, (unsigned long long)slot->ops,
			op ? op : "-", at);
		va_start(ap, fmt);
		vsnprintf(record->message + n, room - (size_t)n, fmt, ap);
		va_end(ap);
		record->failed = FAILED;
	}
	if (at_failure)
		at_failure();
	_exit(1);
}

long must(long res, const char *call, const char *path)
{
	if (res == -1)
		fail("%s %s: expected success, got %s (%s)", call, path,
		     strerrorname_np(errno), strerror(errno));
	return res;
}

void must_fail(long res, int want, const char *call, const char *path)
{
	if (res != -1)
		fail("%s %s: expected %s, but it succeeded (%ld)", call, path,
		     strerrorname_np(want), res);
	if (errno != want)
		fail("%s %s: expected %s, got %s (%s)", call, path,
		     strerrorname_np(want), strerrorname_np(errno),
		     strerror(errno));
}

/* Not repeated: an interrupted close(2) has closed it. */
void must_close(int fd, const char *path)
{
	if (ONCE(close, fd) == 0)
		return;
	if (errno == EINTR && interruptible)
		slot->eintr++;
	else
		must(-1, "close", path);
}

/* ---- timing ---- */

void call_begin(const char *what)
{
	slot->call = what;
	slot->calls++;
	slot->began = record_now();
}

bool call_again(void)
{
	if (errno != EINTR || !interruptible)
		return false;
	slot->eintr++;
	return true;
}

static void report_stall(uint64_t ns)
{
	fprintf(stderr,
		"killclient: stall: %s: %s took %.3f ms, %.3f s after the "
		"start\n",
		slot->name, slot->call, (double)ns / 1e6,
		(double)(record_now() - record->started) / 1e9);
}

void call_end(void)
{
	uint64_t ns = record_now() - slot->began;
	int saved = errno;

	slot->began = 0;
	if (ns > slot->worst) {
		slot->worst = ns;
		slot->worst_call = slot->call;
	}
	if (record->stall_limit && ns > record->stall_limit)
		report_stall(ns);
	errno = saved;
}

/* ---- random numbers ---- */

uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void rnd_seed(uint64_t seed)
{
	rng = mix(seed);
}

uint64_t rnd64(void)
{
	return mix(rng++);
}

unsigned rnd(unsigned below)
{
	return (unsigned)((rnd64() >> 32) * below >> 32);
}
