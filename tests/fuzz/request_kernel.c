/* SPDX-License-Identifier: BSD-3-Clause */
/* What was asked, and what is answered (see request_kernel.h). */
#include "request_kernel.h"

#include <linux/fuse.h>
#include <string.h>

#include "fuzz.h"
#include "request_lookups.h"
#include "request_once.h"
#include "serve/request_check.h"
#include "state/zsfs.h"

/* Of the protocol since 7.37 and 7.40; older headers lack them. */
#define OP_TMPFILE    51u
#define NOTIFY_RESEND 7

/* Answers that are not asked for by size. */
#define MAX_FIXED 512u

struct asked {
	struct fuse_in_header *request; /* as it was sent */
	union {
		struct fuse_read_in read;
		struct fuse_getxattr_in getxattr;
		struct fuse_ioctl_in ioctl;
	} body;
	size_t len;
	bool waits;   /* for an answer */
	bool is_long; /* others may overtake it */
	bool again;   /* it is to be sent again */
};

static struct request_input *input;
static struct asked all_asked[MAX_REQUESTS];
static const struct asked *last_asked;
static struct asked *asked; /* the one that is being answered */
static uint64_t unique;

static void learn(uint64_t nodeid)
{
	input_learn(input, nodeid);
	lookups_add(nodeid);
}

static void forget(struct asked *a)
{
	free(a->request);
	*a = (struct asked){0};
}

void kernel_begin(struct request_input *in)
{
	kernel_end();
	lookups_begin();
	once_forget();
	input = in;
	unique = 0;
}

void kernel_end(void)
{
	for (unsigned k = 0; k < MAX_REQUESTS; k++)
		forget(&all_asked[k]);
	last_asked = NULL;
}

/* ---- what is asked ---- */

static bool has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
	       opcode != FUSE_INTERRUPT && opcode != FUSE_NOTIFY_REPLY;
}

static struct asked *find_asked(uint64_t nr)
{
	return &all_asked[(nr & ~UNIQUE_RESEND) / 2 % MAX_REQUESTS];
}

static void keep(struct asked *a, const struct fuse_in_header *in, size_t len)
{
	size_t n = len - sizeof(*in);

	a->request = malloc(len);
	if (!a->request)
		exit(2);
	memcpy(a->request, in, len);
	memcpy(&a->body, in + 1, n < sizeof(a->body) ? n : sizeof(a->body));
	a->len = len;
}

/* @others wait: what changes names may be among them, and come later. */
static void note_sound(struct zsfs *fs, const struct fuse_in_header *in,
		       bool others)
{
	lookups_forget(in);
	if (others)
		once_forget();
	else
		once_ask(fs, in);
}

void kernel_ask(struct zsfs *fs, struct fuse_in_header *in, size_t len)
{
	struct asked *a = find_asked(unique += 2);
	bool others = kernel_waits();

	in->unique = (in->unique & UNIQUE_RESEND) | unique;
	forget(a);
	keep(a, in, len);
	a->waits = has_answer(in->opcode);
	a->is_long = request_may_take_long(in);
	last_asked = a;
	if (request_is_sound(fs->super, in, len))
		note_sound(fs, in, others);
}

bool kernel_last_is_done(void)
{
	return !last_asked || !last_asked->waits || last_asked->is_long;
}

bool kernel_waits(void)
{
	for (unsigned k = 0; k < MAX_REQUESTS; k++)
		if (all_asked[k].waits)
			return true;
	return false;
}

void kernel_resend_all(void)
{
	for (unsigned k = 0; k < MAX_REQUESTS; k++)
		all_asked[k].again = all_asked[k].waits;
	last_asked = NULL;
}

static size_t send_again(struct asked *a, void *buf, size_t size)
{
	FUZZ_CHECK(a->len <= size);
	a->again = false;
	a->request->unique |= UNIQUE_RESEND;
	memcpy(buf, a->request, a->len);
	return a->len;
}

size_t kernel_resend(void *buf, size_t size)
{
	for (uint64_t nr = 2; nr <= unique; nr += 2)
		if (find_asked(nr)->again)
			return send_again(find_asked(nr), buf, size);
	return 0;
}

/* ---- what is answered ---- */

static void check_dirents(const uint8_t *p, size_t left, bool plus)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;

	while (left >= head + FUSE_NAME_OFFSET) {
		const struct fuse_dirent *d = (const void *)(p + head);
		size_t n =
			head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d->namelen);

		FUZZ_CHECK(d->namelen && d->namelen <= 1024 && n <= left);
		FUZZ_CHECK(!memchr(d->name, '/', d->namelen) &&
			   !memchr(d->name, '\0', d->namelen));
		if (plus)
			learn(((const struct fuse_entry_out *)p)->nodeid);
		p += n;
		left -= n;
	}
	/* One that is too short for an entry ends the listing. */
	FUZZ_CHECK(left == 0 || left == 8);
}

static size_t longest_answer(void)
{
	uint32_t size = asked->body.getxattr.size;

	switch (asked->request->opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return asked->body.read.size;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		return size ? size : sizeof(struct fuse_getxattr_out);
	case FUSE_IOCTL:
		return sizeof(struct fuse_ioctl_out) +
		       asked->body.ioctl.out_size;
	case FUSE_READLINK:
		return 4095;
	default:
		return MAX_FIXED;
	}
}

static void check_body(const uint8_t *body, size_t n)
{
	FUZZ_CHECK(n <= longest_answer());
	switch (asked->request->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		FUZZ_CHECK(n == sizeof(struct fuse_entry_out));
		learn(((const struct fuse_entry_out *)body)->nodeid);
		break;
	case FUSE_CREATE:
	case OP_TMPFILE:
		FUZZ_CHECK(n == sizeof(struct fuse_entry_out) +
					sizeof(struct fuse_open_out));
		learn(((const struct fuse_entry_out *)body)->nodeid);
		break;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		check_dirents(body, n,
			      asked->request->opcode == FUSE_READDIRPLUS);
		break;
	default:
		break;
	}
}

/* As fuse_dev_write() of the kernel has it. */
static void check_answer(const struct fuse_out_header *out, size_t len)
{
	struct asked *a = find_asked(out->unique);

	FUZZ_CHECK(a->waits && out->unique == a->request->unique);
	FUZZ_CHECK(out->error <= 0 && out->error > -512);
	FUZZ_CHECK(!out->error || len == sizeof(*out));
	/* Which is not known to a successor before it asks. */
	FUZZ_CHECK(!a->again);
	a->waits = false;
	asked = a;
	once_answer(a->request, out->error);
	if (!out->error)
		check_body((const uint8_t *)(out + 1), len - sizeof(*out));
}

static void check_notification(const struct fuse_out_header *out, size_t len,
			       bool taking_over)
{
	if (out->error == NOTIFY_RESEND) {
		FUZZ_CHECK(taking_over && len == sizeof(*out));
		return;
	}
	FUZZ_CHECK(out->error == FUSE_NOTIFY_INVAL_INODE);
	FUZZ_CHECK(len ==
		   sizeof(*out) + sizeof(struct fuse_notify_inval_inode_out));
}

void kernel_take(const void *buf, size_t len, bool taking_over)
{
	const struct fuse_out_header *out = buf;

	FUZZ_CHECK(len >= sizeof(*out) && out->len == len);
	if (out->unique)
		check_answer(out, len);
	else
		check_notification(out, len, taking_over);
}
