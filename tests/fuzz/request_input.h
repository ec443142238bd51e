/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of a fuzzer as requests that a kernel could send, nearly.
 *
 * The input is a row of records:
 *
 *   op, node, how, len   a byte each; then @len bytes of which it is made
 *
 *   op    the opcode; from OP_CHORES on, a chore between two requests
 *   node  which nodeid: the root, one that an answer told, one beside it, one
 *         of a virtual file, or 8 bytes of the input
 *   how   HOW_*
 *
 * Where it is not HOW_RAW the body is laid out as the opcode wants it: its
 * fixed part from the first of the bytes, with nodeids as above in place of the
 * ones in there; then names, each a number in a list or so many bytes; then
 * data, of which the sizes in the fixed part tell.
 */
#ifndef TESTS_FUZZ_REQUEST_INPUT_H
#define TESTS_FUZZ_REQUEST_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOW_RAW	   0x01 /* the bytes are the body */
#define HOW_CALLER 0x06 /* who asks: root, a user, nobody known (two ways) */
#define HOW_LARGE  0x08 /* data goes on, up to all: two bytes say how far */
#define HOW_WRONG  0x10 /* the length in the header is another: a byte says */
#define HOW_RESENT 0x20 /* it was sent before */
#define HOW_FLAT   0x40 /* that is one word, again and again */
#define HOW_ALONE  0x80 /* none waits then, and none comes behind it */

#define OP_CHORES 0xc0
#define NR_ASIDES 32u

/* From OP_CHORES on, again and again; any other one verifies. */
enum chore {
	ASIDE_SETTLE,
	ASIDE_REAP,
	ASIDE_COMPACT,
	ASIDE_COOL,
	ASIDE_WARM_UP,
	ASIDE_VERIFY,
	ASIDE_PAUSE, /* no request for now: those that wait have their turn */
	ASIDE_FAIL,  /* allocations: two numbers (inject_input.h) */
	ASIDE_DIE,   /* likewise */
	ASIDE_TIME,  /* passes */
	ASIDE_LOOK,  /* how much a look at it takes */
	ASIDE_SETTLE_FOR,
	ASIDE_TRIM,
	ASIDE_FILES,	/* are made in the node */
	ASIDE_NO_FILES, /* and removed */
	ASIDE_OBJECTS,	/* content of the node */
	ASIDE_GAPS,	/* in it */
};

/* A record that is one. */
struct input_chore {
	enum chore op;
	uint64_t nodeid;
	uint8_t args[4]; /* the first bytes of the record */
};

#define MAX_KNOWN 32u

/* What is left of an input, and what answers have told. */
struct request_input {
	const uint8_t *data;
	size_t left;
	uint64_t known[MAX_KNOWN]; /* nodeids */
	unsigned nr_known;
	bool alone;		  /* the last request is HOW_ALONE */
	struct input_chore chore; /* the last one */
};

/* An answer has told of @nodeid. */
void input_learn(struct request_input *in, uint64_t nodeid);

/* Bytes that compress, one word, noise: more than the longest request has. */
const uint8_t *input_pattern(unsigned nr);

/* Is the next record a chore, or is there none? */
bool input_no_request(const struct request_input *in);
/* Is it a request that is HOW_ALONE? */
bool input_is_alone(const struct request_input *in);

/*
 * The opcode, or chore, of the next record, -1 when there is none. A request is
 * put into @buf (of @size bytes), with any unique; *@len: its bytes. A chore is
 * in @in.
 */
int input_next(struct request_input *in, void *buf, size_t size, size_t *len);

#endif
