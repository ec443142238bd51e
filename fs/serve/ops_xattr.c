/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE operations on extended attributes. */
#include "ops.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>

#include "background.h"
#include "base/clock.h"
#include "base/min.h"
#include "caller.h"
#include "control/vfile.h"
#include "init_reply.h"
#include "request.h"
#include "room.h"
#include "state/threads.h"
#include "tree/usage_walk.h"
#include "tree/xattr.h"

/* How long a request thread sums up usage by itself. */
#define USAGE_MSECS 10

/* Virtual files have none, and say so: the kernel asks by itself, too. */

/*
 * libfuse knows the short head of a SETXATTR, whatever was agreed: of the long
 * one (Linux 5.14), which says more, it takes the end for the name.
 */
static bool has_long_head(const struct zsfs_super *s)
{
	return init_reply_has(s->init_reply, s->init_reply_len,
			      FUSE_SETXATTR_EXT);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	struct room room = {.pages = size / ZSFS_BLOCK_SIZE};
	struct tx *tx;
	int err;

	if (has_long_head(request_thread()->fs->super)) {
		const struct fuse_setxattr_in *in =
			(const void *)(request_header() + 1);

		name = (const char *)(in + 1);
		value = name + strlen(name) + 1;
		if (in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID)
			flags |= XATTR_KILL_SGID;
	}
	do {
		tx = room_begin(request_thread_of(req), &room);
		err = vfile_is(ino) ? -EPERM
				    : zsfs_setxattr(tx, ino, name, value, size,
						    flags);
	} while (room_again(&room, tx, err));
	reply_done(req, tx, err);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct tx *tx = tx_begin(request_thread_of(req));

	reply_done(req, tx,
		   vfile_is(ino) ? -ENODATA : zsfs_removexattr(tx, ino, name));
}

/* @len bytes in the thread's read buffer, or with @size 0 their number. */
static void reply_bytes(fuse_req_t req, struct tx *tx, int err, size_t size,
			size_t len)
{
	char *buf = (char *)tx->th->buf.read + READ_BUF_HEAD;

	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	if (size)
		fuse_reply_buf(req, buf, len);
	else
		fuse_reply_xattr(req, len);
	tx_commit(tx);
}

/*
 * Who asks for sure: on an idmapped mount, where the request does not say it,
 * another owner may be shown than is stored, but root is root.
 */
static uint32_t certain_uid(void)
{
	return caller_uid() == 0 ? 0 : request_header()->uid;
}

/* @len bytes at @text or -errno, or with @size 0 their number. */
static void reply_text(fuse_req_t req, const char *text, int len, size_t size)
{
	if (len < 0)
		reply_error(req, len);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else if ((size_t)len > size)
		reply_error(req, -ERANGE);
	else
		fuse_reply_buf(req, text, (size_t)len);
}

void reply_usage(fuse_req_t req, const struct usage_walk *w, int err,
		 size_t size)
{
	char text[USAGE_SIZE];

	reply_text(req, text, err ? err : usage_walk_print(w, text), size);
}

/*
 * How a file or those of a folder are stored: not in their attributes, but made
 * for who asks. What is long is for the background thread, so that this one can
 * serve.
 */
static void get_usage(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zsfs_thread *th = request_thread_of(req);
	/* Who may read the file, which the kernel knows, is no stranger. */
	struct usage_walk w = {
		.nodeid = ino, .uid = certain_uid(), .owner = caller_uid()};
	int ret = usage_walk_until(th, &w, clock_ms() + USAGE_MSECS);

	if (ret > 0 && !request_came_again() &&
	    background_walk(th->fs->background, req, &w, size)) {
		request_deferred();
		return;
	}
	while (ret > 0)
		ret = zsfs_is_interrupted(th)
			      ? -EINTR
			      : usage_walk_until(th, &w,
						 clock_ms() + USAGE_MSECS);
	reply_usage(req, &w, ret, size);
}

/* Of the whole mount, likewise. */
static void get_stats(fuse_req_t req, size_t size)
{
	const char *text = NULL;
	int len = vfile_summary(request_thread_of(req), caller_uid(), &text);

	reply_text(req, text, len, size);
}

static void get_stored(fuse_req_t req, fuse_ino_t ino, const char *name,
		       size_t size)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct tx *tx = tx_begin(th);
	size_t len = 0;
	int err = vfile_is(ino)
			  ? -ENODATA
			  : zsfs_getxattr(tx, ino, name,
					  th->buf.read + READ_BUF_HEAD,
					  min_u64(size, ZSFS_MAX_WRITE), &len);

	reply_bytes(req, tx, err, size, len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	if (!strcmp(name, USAGE_NAME) && !vfile_is(ino))
		get_usage(req, ino, size);
	else if (ino == FUSE_ROOT_ID && !strcmp(name, STATS_NAME))
		get_stats(req, size);
	else
		get_stored(req, ino, name, size);
}

static bool is_root(void)
{
	return caller_uid() == 0;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct tx *tx = tx_begin(th);
	size_t len = 0;
	int err = vfile_is(ino)
			  ? 0
			  : zsfs_listxattr(tx, ino, is_root,
					   (char *)th->buf.read + READ_BUF_HEAD,
					   min_u64(size, ZSFS_MAX_WRITE), &len);

	reply_bytes(req, tx, err, size, len);
}
