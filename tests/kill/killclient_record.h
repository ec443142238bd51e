/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * killclient: what its processes tell one another: how much they did, the call
 * they are in, the longest one, and the first failure.
 */
#ifndef KILLCLIENT_RECORD_H
#define KILLCLIENT_RECORD_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

/* One process at a time writes a slot; the parent reads them all. */
struct slot {
	char name[32];
	_Atomic uint64_t ops;	/* of the model */
	_Atomic uint64_t calls; /* of the system */
	_Atomic uint64_t eintr; /* of them interrupted, and repeated */
	_Atomic uint64_t began; /* ns; 0: in no call */
	_Atomic uint64_t worst; /* ns */
	_Atomic(const char *) op;
	_Atomic(const char *) call;
	_Atomic(const char *) worst_call;
} __attribute__((aligned(64)));

enum { FINE, FAILING, FAILED };

struct record {
	atomic_int stop; /* finish, verify, clean up */
	atomic_int
		failed; /* FINE, FAILING: @message is being written, FAILED */
	char message[16384];
	uint64_t started;
	uint64_t stall_limit; /* ns; 0: none */
	bool quiet;
	unsigned nr_slots;
	struct slot slots[];
};

extern struct record *record;
extern struct slot *slot;  /* this process's */
extern bool interruptible; /* this process gets signals */

void record_init(unsigned nr_slots);
void record_use(unsigned nr, const char *kind, unsigned kind_nr);
uint64_t record_now(void);
/* The longest call of all; what it was in @call, whose in @who. */
uint64_t record_worst(const char **call, const char **who);

/* Say what is wrong, for the first time only, and end this process. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...);
/* Called instead of ending the process. */
void record_at_failure(void (*fn)(void));

void call_begin(const char *what);
bool call_again(void);
void call_end(void);

/* A system call, timed, and repeated when a signal interrupted it. */
#define CALL(fn, ...)                                                          \
	({                                                                     \
		__typeof__(fn(__VA_ARGS__)) res_;                              \
                                                                               \
		call_begin(#fn);                                               \
		do                                                             \
			res_ = fn(__VA_ARGS__);                                \
		while ((long)res_ == -1 && call_again());                      \
		call_end();                                                    \
		res_;                                                          \
	})

/* One that a signal must never interrupt, or that must not be repeated. */
#define ONCE(fn, ...)                                                          \
	({                                                                     \
		__typeof__(fn(__VA_ARGS__)) res_;                              \
                                                                               \
		call_begin(#fn);                                               \
		res_ = fn(__VA_ARGS__);                                        \
		call_end();                                                    \
		res_;                                                          \
	})

/* @res is what a call returned and must not be -1. */
long must(long res, const char *call, const char *path);
/* ...must be -1 with errno @want. */
void must_fail(long res, int want, const char *call, const char *path);
void must_close(int fd, const char *path);

void rnd_seed(uint64_t seed);
uint64_t rnd64(void);
unsigned rnd(unsigned below);
uint64_t mix(uint64_t x);

#endif
