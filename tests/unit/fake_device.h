/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device in place of /dev/fuse: a socket pair, and what the kernel remembers
 * of each request, in memory that outlives the workers of a test. It takes one
 * answer to each request, and sends the others again when asked to. For tests
 * that link with --wrap=read,--wrap=write.
 */
#ifndef TESTS_UNIT_FAKE_DEVICE_H
#define TESTS_UNIT_FAKE_DEVICE_H

#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/request.h"
#include "state/inode.h"

#define DEV_RESEND 7 /* the notification that asks for it */
#define DEV_MAX	   64u
#define DEV_BYTES  256u

enum asked_state { ASKED_QUEUED, ASKED_READ, ASKED_OVER };

struct asked {
	uint8_t req[DEV_BYTES]; /* a fuse_in_header, then its body */
	enum asked_state state;
	bool answered;	 /* else its client is gone, when it is over */
	int error;	 /* of the answer, 0 or -errno */
	uint64_t nodeid; /* in an answer that has an entry */
};

/* When the process that has the device open kills itself; 0 = not. */
struct dev_death {
	unsigned after_read;   /* of so many requests */
	unsigned before_write; /* number so many, from 1 on */
	unsigned after_write;
	void (*last)(void); /* done before, if not NULL */
};

struct dev_memory {
	struct asked asked[DEV_MAX]; /* the unique of number n is 2 * n + 2 */
	unsigned nr_asked;
	unsigned resends;  /* notifications */
	unsigned notified; /* inodes whose attributes were to be forgotten */
	/* What calls end with; 0 = they work. */
	int refuse_resend, refuse_read;
	bool half; /* what is read is no whole request */
};

static struct dev_memory *dev_mem;
static int dev, dev_kernel; /* the two ends */
static struct dev_death dev_death;
static uint32_t dev_uid; /* who asks */

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

static void dev_die_at(unsigned *countdown)
{
	if (!*countdown || --*countdown)
		return;
	if (dev_death.last)
		dev_death.last();
	kill(getpid(), SIGKILL);
}

static struct asked *dev_asked(uint64_t unique)
{
	return &dev_mem->asked[((unique & ~UNIQUE_RESEND) - 2) / 2];
}

static struct fuse_in_header *dev_header(struct asked *a)
{
	return (void *)a->req;
}

static void dev_queue(struct asked *a)
{
	a->state = ASKED_QUEUED;
	if (__real_write(dev_kernel, a->req, dev_header(a)->len) < 0)
		abort();
}

/* Ahead of those that nobody has read yet. */
static void dev_send_again(void)
{
	uint8_t old[DEV_BYTES];
	bool waits[DEV_MAX];

	while (recv(dev, old, sizeof(old), MSG_DONTWAIT) > 0)
		;
	for (unsigned i = 0; i < dev_mem->nr_asked; i++) {
		struct asked *a = &dev_mem->asked[i];

		waits[i] = a->state == ASKED_QUEUED;
		if (a->state != ASKED_READ)
			continue;
		dev_header(a)->unique |= UNIQUE_RESEND;
		dev_queue(a);
	}
	for (unsigned i = 0; i < dev_mem->nr_asked; i++)
		if (waits[i])
			dev_queue(&dev_mem->asked[i]);
}

static bool dev_has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
	       opcode != FUSE_INTERRUPT;
}

static int dev_answer(const struct fuse_out_header *out)
{
	struct asked *a = dev_asked(out->unique);

	if (a->state != ASKED_READ || dev_header(a)->unique != out->unique)
		return -ENOENT;
	a->state = ASKED_OVER;
	a->answered = true;
	a->error = out->error;
	if (out->len >= sizeof(*out) + sizeof(struct fuse_entry_out))
		a->nodeid = ((const struct fuse_entry_out *)(out + 1))->nodeid;
	return 0;
}

static int dev_notify(int what)
{
	dev_mem->notified += what == FUSE_NOTIFY_INVAL_INODE;
	if (what != DEV_RESEND)
		return 0;
	if (dev_mem->refuse_resend)
		return -dev_mem->refuse_resend;
	dev_mem->resends++;
	dev_send_again();
	return 0;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	const struct fuse_out_header *out = buf;
	int err;

	if (fd != dev)
		return __real_write(fd, buf, len);
	dev_die_at(&dev_death.before_write);
	if (out->len != len)
		err = -EINVAL;
	else
		err = out->unique ? dev_answer(out) : dev_notify(out->error);
	dev_die_at(&dev_death.after_write);
	errno = -err;
	return err ? -1 : (ssize_t)len;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	struct fuse_in_header *in = buf;
	ssize_t n;

	if (fd != dev)
		return __real_read(fd, buf, len);
	if (dev_mem->refuse_read) {
		errno = dev_mem->refuse_read;
		return -1;
	}
	if (dev_mem->half)
		return sizeof(*in) - 1;
	n = __real_read(fd, buf, len);
	if (n < (ssize_t)sizeof(*in))
		return n;
	dev_asked(in->unique)->state =
		dev_has_answer(in->opcode) ? ASKED_READ : ASKED_OVER;
	dev_die_at(&dev_death.after_read);
	return n;
}

/* A client makes a request with @len bytes behind its header. */
static struct asked *dev_ask(uint32_t opcode, uint64_t nodeid, const void *body,
			     size_t len)
{
	struct asked *a = &dev_mem->asked[dev_mem->nr_asked];
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + len),
		.opcode = opcode,
		.unique = 2 * (uint64_t)dev_mem->nr_asked + 2,
		.nodeid = nodeid,
		.uid = dev_uid,
	};

	if (dev_mem->nr_asked == DEV_MAX || in.len > DEV_BYTES)
		abort();
	memset(a, 0, sizeof(*a));
	memcpy(a->req, &in, sizeof(in));
	memcpy(a->req + sizeof(in), body, len);
	dev_mem->nr_asked++;
	dev_queue(a);
	return a;
}

static inline struct asked *dev_ask_mkdir(const char *name)
{
	uint8_t body[DEV_BYTES / 2] = {0};
	struct fuse_mkdir_in in = {.mode = 0755};

	memcpy(body, &in, sizeof(in));
	strcpy((char *)body + sizeof(in), name);
	return dev_ask(FUSE_MKDIR, ROOT_NODEID, body,
		       sizeof(in) + strlen(name) + 1);
}

static inline struct asked *dev_ask_tmpfile(void)
{
	struct {
		struct fuse_create_in in;
		char name[2];
	} body = {{.mode = S_IFREG | 0600}, "/"};

	return dev_ask(FUSE_TMPFILE, ROOT_NODEID, &body,
		       sizeof(body.in) + sizeof(body.name));
}

static inline struct asked *dev_ask_attr(void)
{
	struct fuse_getattr_in in = {0};

	return dev_ask(FUSE_GETATTR, ROOT_NODEID, &in, sizeof(in));
}

static inline struct asked *dev_ask_forget(uint64_t a, uint64_t b)
{
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[2];
	} body = {{.count = 2}, {{a, 1}, {b, 1}}};

	return dev_ask(FUSE_BATCH_FORGET, 0, &body, sizeof(body));
}

/* A new connection; what was open is closed. */
static inline void dev_open(void)
{
	int fds[2];

	if (dev_mem) {
		munmap(dev_mem, sizeof(*dev_mem));
		close(dev);
		close(dev_kernel);
	}
	dev_mem = mmap(NULL, sizeof(*dev_mem), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (dev_mem == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		exit(2);
	dev = fds[0];
	dev_kernel = fds[1];
}

#endif
