/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the order in which threads get requests. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs_fixture.h"
#include "serve/readers.h"
#include "serve/receive.h"
#include "serve/request_slot.h"
#include "serve/waiting.h"
#include "state/reader_counts.h"

#define LONG_SIZE (64u << 10)

static struct zsfs *fs;
static struct reader_counts counts;
static struct receiver receiver;
static int kernel; /* the other end of the connection */

/* ---- requests ---- */

static struct {
	struct fuse_in_header in;
	union {
		struct fuse_read_in read;
		struct fuse_write_in write;
		struct fuse_batch_forget_in forget;
		struct fuse_getattr_in getattr;
	};
	uint8_t content[LONG_SIZE];
} ask;

static void send_request(uint64_t unique, uint32_t uid, uint32_t opcode,
			 size_t len)
{
	ask.in = (struct fuse_in_header){
		.len = (uint32_t)(sizeof(ask.in) + len),
		.opcode = opcode,
		.unique = unique,
		.nodeid = ROOT_NODEID,
		.uid = uid,
	};
	REQUIRE(write(kernel, &ask, ask.in.len) == ask.in.len);
}

static void send_short(uint64_t unique)
{
	send_request(unique, 0, FUSE_GETATTR, sizeof(ask.getattr));
}

static void send_long(uint64_t unique, uint32_t uid)
{
	ask.read = (struct fuse_read_in){.size = LONG_SIZE};
	send_request(unique, uid, FUSE_READ, sizeof(ask.read));
}

static void send_write(uint64_t unique, int byte)
{
	ask.write = (struct fuse_write_in){.size = LONG_SIZE};
	memset(ask.content, byte, sizeof(ask.content));
	send_request(unique, 0, FUSE_WRITE, sizeof(ask.write) + LONG_SIZE);
}

/* The unique of the next one. */
static uint64_t next(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	const struct fuse_in_header *in = request_in(th->slot);
	ssize_t n;

	request_drop(th->slot);
	n = receive_next(&receiver, th);
	CHECK_EQ(n, in->len);
	return in->unique;
}

static void done(void)
{
	receive_done(&receiver);
}

static void expect(uint64_t unique)
{
	CHECK_EQ(next(), unique);
	done();
}

/* ---- tests ---- */

/* Before any short one has come. */
static void test_without_short(void)
{
	send_long(1, 0);
	send_long(2, 0);
	expect(1);
	CHECK(!waiting_any());
	expect(2);
	CHECK_EQ(counts.put_aside, 0);
}

static void test_short_overtakes(void)
{
	send_short(1);
	send_long(2, 0);
	send_short(3);
	send_short(4);
	expect(1);
	expect(3);
	CHECK_EQ(counts.put_aside, 1);
	expect(4);
	expect(2);
	CHECK(!waiting_any());
}

static void test_alone(void)
{
	send_short(1);
	send_long(2, 0);
	expect(1);
	expect(2);
	CHECK_EQ(counts.put_aside, 0);
}

static void test_users_in_turns(void)
{
	send_short(1);
	for (unsigned i = 0; i < 3; i++)
		send_long(10 + i, 1000);
	send_long(20, 1001);
	send_long(21, 1001);
	send_long(30, 1002);
	send_short(2);
	expect(1);
	expect(2);
	expect(10);
	expect(20);
	expect(30);
	expect(11);
	expect(21);
	expect(12);
}

/* Who was served last is last, also when all that waited has gone meanwhile. */
static void test_turns_are_remembered(void)
{
	send_short(1);
	send_long(2, 1000);
	send_short(3);
	expect(1);
	expect(3);
	expect(2);
	send_long(4, 1000);
	send_long(5, 1001);
	send_short(6);
	expect(6);
	expect(5);
	expect(4);
}

/* Short ones that never end do not starve it. */
static void test_long_has_its_turn(void)
{
	unsigned before = 0;

	send_short(1);
	send_long(2, 0);
	for (unsigned i = 0; i < 60; i++)
		send_short(100 + i);
	expect(1);
	while (next() != 2 && ++before < 60)
		done();
	done();
	CHECK(before >= 16 && before <= 32);
	for (unsigned i = before; i < 60; i++)
		expect(100 + i);
}

static void test_content_waits(void)
{
	struct zsfs_slot *slot = fs->threads[0].slot;
	const uint8_t *body;

	send_short(1);
	send_write(2, 0x5a);
	send_short(3);
	expect(1);
	expect(3);
	memset(slot->req, 0, ZSFS_REQ_SIZE);
	CHECK_EQ(next(), 2);
	CHECK_EQ(((struct fuse_write_in *)(request_in(slot) + 1))->size,
		 LONG_SIZE);
	body = receive_body(&receiver, &fs->threads[0]);
	body += sizeof(ask.in) + sizeof(ask.write);
	CHECK(body[0] == 0x5a && !memcmp(body, body + 1, LONG_SIZE - 1));
	done();
	send_short(4);
	CHECK_EQ(next(), 4);
	CHECK(receive_body(&receiver, &fs->threads[0]) == slot->req);
	done();
}

/* Are the flags of the mapping that @p is in such, as proc(5) has them? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool within = false, is = false;
	unsigned long from, to;
	char line[512];

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			within = (uintptr_t)p >= from && (uintptr_t)p < to;
		if (within && !strncmp(line, "VmFlags:", 8))
			is = strstr(line, flag) != NULL;
	}
	fclose(f);
	return is;
}

/* What waits is in no core dump. */
static void test_content_is_kept_in(void)
{
	send_short(1);
	send_write(2, 1);
	send_short(3);
	expect(1);
	expect(3);
	CHECK_EQ(next(), 2);
	CHECK(receiver.waited && has_flag(receiver.waited, " dd"));
	done();
}

/* The kernel never sends them again. */
static void test_forgets_do_not_wait(void)
{
	unsigned n = LONG_SIZE / sizeof(struct fuse_forget_one);

	send_short(1);
	ask.forget = (struct fuse_batch_forget_in){.count = n};
	send_request(2, 0, FUSE_BATCH_FORGET, sizeof(ask.forget) + LONG_SIZE);
	send_short(3);
	expect(1);
	expect(2);
	expect(3);
	CHECK_EQ(counts.put_aside, 0);
}

/* Where memory is short all are served as they come. */
static void test_short_of_memory(void)
{
	send_short(1);
	expect(1);
	fs->super->pressure_used = 1;
	send_long(2, 0);
	send_short(3);
	expect(2);
	expect(3);
	fs->super->pressure_used = 0;
	fs->super->mem_limit = 32 * LONG_SIZE;
	send_write(4, 1);
	send_short(5);
	expect(4);
	expect(5);
	fs->super->mem_limit = 64 * LONG_SIZE;
	send_write(6, 1);
	send_write(7, 1);
	send_short(8);
	expect(7);
	expect(8);
	expect(6);
}

/* What was begun waits whole, with what is to be remembered, and again. */
static void test_put_back(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	const uint8_t *body;

	send_write(1, 0x5a);
	CHECK_EQ(next(), 1);
	CHECK_EQ(th->room_until, 0);
	CHECK(!receive_others(&receiver));
	send_short(2);
	CHECK(receive_others(&receiver));
	/* As libfuse is shown what it does not know. */
	th->slot->opcode = FUSE_WRITE;
	request_in(th->slot)->opcode = FUSE_READ;
	CHECK(receive_put_back(&receiver, th, 77));
	done();
	CHECK(receive_others(&receiver));
	expect(2);
	CHECK_EQ(th->room_until, 0);
	for (unsigned until = 77; until < 80; until++) {
		CHECK_EQ(next(), 1);
		CHECK_EQ(th->room_until, until);
		CHECK_EQ(request_in(th->slot)->opcode, FUSE_WRITE);
		body = receive_body(&receiver, th);
		body += sizeof(ask.in) + sizeof(ask.write);
		CHECK(body[0] == 0x5a &&
		      !memcmp(body, body + 1, LONG_SIZE - 1));
		if (until < 79)
			CHECK(receive_put_back(&receiver, th, until + 1));
		done();
	}
	CHECK(!waiting_any());
	/* Where there is no room for it, it stays. */
	fs->super->pressure_used = 1;
	send_write(3, 1);
	CHECK_EQ(next(), 3);
	CHECK(!receive_put_back(&receiver, th, 77));
	CHECK_EQ(request_in(th->slot)->unique, 3);
	done();
	fs->super->pressure_used = 0;
}

static bool is_nonblocking(void)
{
	return fcntl(receiver.fd, F_GETFL) & O_NONBLOCK;
}

/* Nobody sleeps in read(2) while one waits. */
static void test_nonblocking(void)
{
	struct fuse_in_header in = {.len = sizeof(in)};

	CHECK(!is_nonblocking());
	CHECK(waiting_keep(receiver.fd, &in, WAITING_ANY, 0));
	CHECK(waiting_keep(receiver.fd, &in, WAITING_ANY, 0));
	CHECK(is_nonblocking());
	waiting_free(waiting_take());
	CHECK(is_nonblocking());
	waiting_free(waiting_take());
	CHECK(!is_nonblocking());
}

/*
 * The one that others were put aside for goes away before it is read: its
 * client was killed.
 */
static void test_others_vanish(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct fuse_in_header in = {.len = sizeof(in), .unique = 1};

	CHECK(waiting_keep(receiver.fd, &in, WAITING_ANY, 0));
	expect(1);
	/* Another thread was quicker, and the connection still is so. */
	waiting_set_nonblocking(receiver.fd, true);
	request_drop(th->slot);
	CHECK_EQ(receive_next(&receiver, th), -EAGAIN);
	CHECK_EQ(request_in(th->slot)->len, 0);
}

/* The connection is gone: what waits is not executed. */
static void test_gone(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct fuse_in_header in = {.len = sizeof(in)};

	CHECK(waiting_keep(receiver.fd, &in, WAITING_ANY, 0));
	close(kernel);
	request_drop(th->slot);
	CHECK_EQ(receive_next(&receiver, th), 0);
	CHECK(waiting_any());
}

/* Kilobytes of this process that are in memory and in no file. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	long kbytes = 0;
	char line[256];

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "RssAnon: %ld", &kbytes);
	fclose(f);
	return kbytes;
}

/*
 * Longer and shorter ones that come and go take no more memory than is counted:
 * a short one is not where a long one was, with all of its pages.
 */
static void test_memory(void)
{
	enum { MANY = 60, SHORT_ONE = 8192 };
	struct fuse_in_header *in = calloc(1, ZSFS_REQ_SIZE);
	struct fuse_in_header *got[MANY];
	long before;

	REQUIRE(in != NULL);
	memset(in, 1, ZSFS_REQ_SIZE);
	before = resident();
	in->len = SHORT_ONE;
	REQUIRE(waiting_keep(receiver.fd, in, WAITING_ANY, 0));
	for (unsigned round = 0; round < 2; round++) {
		in->len = round ? SHORT_ONE : ZSFS_REQ_SIZE;
		for (unsigned n = 0; n < MANY; n++)
			REQUIRE(waiting_keep(receiver.fd, in, WAITING_ANY, 0));
		if (round)
			break;
		for (unsigned n = 0; n < MANY; n++)
			REQUIRE((got[n] = waiting_take()) != NULL);
		for (unsigned n = 0; n < MANY; n++)
			waiting_free(got[n]);
	}
	/* Sanitizers have memory of their own for what was mapped. */
	if (!ZS_ARENA_SANITIZED)
		CHECK(resident() - before < 2 * MANY * SHORT_ONE / 1024 + 4096);
	for (unsigned n = 0; n <= MANY; n++)
		waiting_free(waiting_take());
	CHECK(!waiting_any());
	free(in);
}

static void test_bounds(void)
{
	struct fuse_in_header in = {.len = sizeof(in)};

	for (unsigned i = 0; i < WAITING_MAX; i++)
		CHECK(waiting_keep(receiver.fd, &in, WAITING_MAX_BYTES, 0));
	CHECK(!waiting_keep(receiver.fd, &in, WAITING_MAX_BYTES, 0));
	CHECK(waiting_keep(receiver.fd, &in, WAITING_ANY, 0));
	waiting_clear();
	CHECK(!waiting_any() && !waiting_take());
	CHECK(!waiting_keep(receiver.fd, &in, sizeof(in) - 1, 0));
	/* There is something of ours beside each. */
	CHECK(waiting_keep(receiver.fd, &in, 2 * sizeof(in), 0));
	CHECK(!waiting_keep(receiver.fd, &in, 2 * sizeof(in), 0));
	waiting_clear();
}

/* ---- each in a new file system ---- */

static const struct check_case cases[] = {
	CHECK_CASE(test_without_short),
	CHECK_CASE(test_short_overtakes),
	CHECK_CASE(test_alone),
	CHECK_CASE(test_users_in_turns),
	CHECK_CASE(test_turns_are_remembered),
	CHECK_CASE(test_long_has_its_turn),
	CHECK_CASE(test_content_waits),
	CHECK_CASE(test_content_is_kept_in),
	CHECK_CASE(test_forgets_do_not_wait),
	CHECK_CASE(test_short_of_memory),
	CHECK_CASE(test_nonblocking),
	CHECK_CASE(test_others_vanish),
	CHECK_CASE(test_gone),
	CHECK_CASE(test_put_back),
	CHECK_CASE(test_memory),
	CHECK_CASE(test_bounds),
};

int main(int argc, char **argv)
{
	int fds[2], room = 1 << 20, ret;

	fs = fixture_fs();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) ||
	    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)))
		exit(2);
	kernel = fds[1];
	receiver.fd = fds[0];
	if (readers_new(1, fds[0], false, &counts, &receiver.readers))
		exit(2);
	ret = CHECK_MAIN(cases, argc, argv);
	readers_free(receiver.readers);
	zsfs_close(fs);
	return ret;
}
