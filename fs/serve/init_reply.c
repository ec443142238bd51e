/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE_INIT beyond libfuse (see init_reply.h). */
#include "init_reply.h"

#include <linux/fuse.h>
#include <stdio.h>

/* Of flags: bits that libfuse 3.14 does not set by itself. */
#define WANTED_FLAGS                                                           \
	(FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT)

/* Of the protocol since 7.40, 7.41 and 7.43; older headers lack them. */
#define RESEND_MINOR	      40
#define INIT_EXT	      (1u << 30) /* of flags: flags2 is there */
#define HAS_RESEND_FLAG2      (1u << 7)
#define ALLOW_IDMAP_FLAG2     (1u << 8)
#define REQUEST_TIMEOUT_FLAG2 (1u << 10)

#define MAX_TIMEOUT UINT16_MAX

/* The bodies of request and reply as of 7.43. */
struct init_in {
	uint32_t major, minor, max_readahead, flags, flags2;
};

struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth;
	uint16_t request_timeout;
};

static bool has_flag2(const void *req, uint32_t flag)
{
	const struct fuse_in_header *head = req;
	const struct init_in *in = (const void *)(head + 1);

	return head->len >= sizeof(*head) + sizeof(*in) &&
	       in->flags & INIT_EXT && in->flags2 & flag;
}

bool init_request_can_resend(const void *req, size_t len)
{
	const struct init_in *in =
		(const void *)((const struct fuse_in_header *)req + 1);

	return len >= sizeof(struct fuse_in_header) + sizeof(*in) &&
	       in->minor >= RESEND_MINOR && has_flag2(req, HAS_RESEND_FLAG2);
}

unsigned init_reply_timeout(void)
{
	FILE *f = fopen("/proc/sys/fs/fuse/default_request_timeout", "re");
	unsigned secs = 0;

	if (f) {
		if (fscanf(f, "%u", &secs) != 1)
			secs = 0;
		fclose(f);
	}
	return secs ? MAX_TIMEOUT : 0;
}

static void add_flag2(struct init_out *out, uint32_t flag)
{
	out->flags |= INIT_EXT;
	out->flags2 |= flag;
}

void init_reply_complete(const void *req, void *reply, size_t len,
			 unsigned timeout)
{
	const struct init_in *in =
		(const void *)((const struct fuse_in_header *)req + 1);
	struct init_out *out = (void *)((struct fuse_out_header *)reply + 1);

	if (len < sizeof(struct fuse_out_header) + sizeof(*out))
		return;
	out->flags |= in->flags & WANTED_FLAGS;
	/* It wants default_permissions, which are always used. */
	if (has_flag2(req, ALLOW_IDMAP_FLAG2))
		add_flag2(out, ALLOW_IDMAP_FLAG2);
	if (timeout && has_flag2(req, REQUEST_TIMEOUT_FLAG2)) {
		add_flag2(out, REQUEST_TIMEOUT_FLAG2);
		out->request_timeout = (uint16_t)timeout;
	}
}

unsigned init_reply_agreed_timeout(const void *reply, size_t len)
{
	const struct init_out *out =
		(const void *)((const struct fuse_out_header *)reply + 1);

	if (len < sizeof(struct fuse_out_header) + sizeof(*out) ||
	    !(out->flags & INIT_EXT) || !(out->flags2 & REQUEST_TIMEOUT_FLAG2))
		return 0;
	return out->request_timeout;
}

bool init_reply_has(const void *reply, size_t len, uint32_t flag)
{
	const struct init_out *out =
		(const void *)((const struct fuse_out_header *)reply + 1);

	return len >= sizeof(struct fuse_out_header) + sizeof(*out) &&
	       out->flags & flag;
}
