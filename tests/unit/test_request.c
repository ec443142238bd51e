/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the request loop: one answer to each request, whatever happens. */
#define FUSE_USE_VERSION 35
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs_fixture.h"
#include "serve/readers.h"
#include "serve/request.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "tree/namei.h"
#include "tree/attr.h"
#include "volume/volume.h"

/* Of operations that this libfuse does not know. */
#define OP_UNKNOWN 63

static struct zsfs *fs;
static struct fuse_session *se;
static int dev, kernel; /* the two ends of the connection */
static uint64_t unique;

/* What is given up leaves libfuse's own record of the request behind. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- a device that refuses ---- */

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

static int refuse_with[2]; /* errno of the next two writes, 0: they succeed */
static unsigned writes;

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fd == dev && writes < 2 && refuse_with[writes]) {
		errno = refuse_with[writes++];
		return -1;
	}
	return __real_write(fd, buf, len);
}

/* ---- operations that misbehave ---- */

static char large[ZSFS_REPLY_SIZE + 100];

static void op_silent(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_none(req);
}

/* Leaves a transaction and its locks, too. */
static void op_silent_tx(fuse_req_t req, fuse_ino_t ino)
{
	struct tx *tx = tx_begin(request_thread());
	struct zinode *root;

	CHECK_EQ(zsfs_getattr(tx, ROOT_NODEID, &root), 0);
	fuse_reply_none(req);
}

static void op_large(fuse_req_t req, fuse_ino_t ino)
{
	CHECK(fuse_reply_buf(req, large, sizeof(large)) <= 0);
}

static void op_large_tx(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct new_inode spec = {.mode = S_IFREG | 0600};
	struct tx *tx = tx_begin(request_thread());
	struct zinode *i;

	CHECK_EQ(zsfs_make(tx, ROOT_NODEID, name, &spec, &i), 0);
	fuse_reply_buf(req, large, sizeof(large));
	CHECK_FAILED("goes on after an answer that cannot be recorded");
	tx_commit(tx);
}

static void op_fits(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	fuse_reply_buf(req, large,
		       ZSFS_REPLY_SIZE - sizeof(struct fuse_out_header));
}

static void op_twice(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_out_header out = {
		.len = sizeof(out), .error = -EPERM, .unique = unique};
	struct iovec iov = {&out, sizeof(out)};

	fuse_reply_err(req, EBUSY);
	request_capture(dev, &iov, 1, NULL);
	out.unique++;
	request_capture(dev, &iov, 1, NULL);
}

/* What it has told is done; what it does after that fails. */
static void op_fails_late(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct new_inode spec = {.mode = S_IFDIR | 0700};
	struct tx *tx = tx_begin(request_thread());
	struct zinode *i;

	CHECK_EQ(zsfs_make(tx, ROOT_NODEID, "late", &spec, &i), 0);
	fuse_reply_err(req, 0);
	tx_commit(tx);
	tx_give_up(tx_begin(request_thread()));
}

static void op_retrieved(fuse_req_t req, void *cookie, fuse_ino_t ino,
			 off_t off, struct fuse_bufvec *data)
{
	fuse_reply_err(req, EBUSY);
}

static const struct fuse_lowlevel_ops ops = {
	.retrieve_reply = op_retrieved,
	.getattr = op_silent,
	.readlink = op_silent_tx,
	.statfs = op_large,
	.lookup = op_large_tx,
	.readdir = op_fits,
	.unlink = op_twice,
	.access = op_fails_late,
};

/* ---- the kernel's side ---- */

static unsigned to_serve;

static bool leaving(void *arg)
{
	return to_serve-- == 0;
}

static void on_init(void *arg)
{
}

static int serve(unsigned n)
{
	struct request_env env = {
		.se = se, .fd = dev, .on_init = on_init, .leaving = leaving};
	struct reader_counts counts;
	int err =
		readers_new(fs->nr_threads, dev, false, &counts, &env.readers);

	if (err)
		return err;
	to_serve = n;
	err = request_loop(&fs->threads[0], &env);
	readers_free(env.readers);
	return err;
}

/*
 * Send a request with @len bytes behind its header, whose length is @more than
 * it should be.
 */
static void ask_longer(uint32_t opcode, const void *body, size_t len, int more)
{
	struct fuse_in_header in = {
		.len = (uint32_t)((int)(sizeof(in) + len) + more),
		.opcode = opcode,
		.unique = unique += 2,
		.nodeid = ROOT_NODEID,
	};
	struct iovec iov[2] = {{&in, sizeof(in)}, {(void *)body, len}};

	CHECK_EQ(writev(kernel, iov, len ? 2 : 1), sizeof(in) + len);
}

static void ask(uint32_t opcode, const void *body, size_t len)
{
	ask_longer(opcode, body, len, 0);
}

/* Bytes of the next answer, 0 when there is none; its header in @out. */
static size_t answer(struct fuse_out_header *out)
{
	static uint8_t buf[ZSFS_REPLY_SIZE + 4096];
	ssize_t n = recv(kernel, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return 0;
	memcpy(out, buf, sizeof(*out));
	CHECK_EQ(out->len, n);
	return (size_t)n;
}

/* One request, one answer with this error and nothing else. */
static void check_error(uint32_t opcode, const void *body, size_t len,
			int error)
{
	struct fuse_out_header out = {0};

	ask(opcode, body, len);
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(answer(&out), sizeof(out));
	CHECK_EQ(out.error, error);
	CHECK_EQ(out.unique, unique);
	CHECK_EQ(answer(&out), 0);
	/* All locks are free. */
	CHECK_EQ(fs->threads[0].slot->state, TX_IDLE);
	for (unsigned k = 0; k < NR_LOCK_STRIPES; k++) {
		CHECK_EQ(pthread_rwlock_trywrlock(&fs->locks[k].lock), 0);
		pthread_rwlock_unlock(&fs->locks[k].lock);
	}
}

/* ---- tests ---- */

static void test_none(void)
{
	struct fuse_getattr_in in = {0};

	check_error(FUSE_GETATTR, &in, sizeof(in), -EIO);
	check_error(FUSE_GETATTR, &in, sizeof(in), -EIO);
	check_error(OP_UNKNOWN, NULL, 0, -ENOSYS);
}

static void test_open_transaction(void)
{
	struct tx *tx;
	struct zinode *root;

	check_error(FUSE_READLINK, NULL, 0, -EIO);
	tx = tx_begin(&fs->threads[0]);
	CHECK_EQ(zsfs_getattr(tx, ROOT_NODEID, &root), 0);
	tx_abort(tx, 0);
}

static void test_too_long(void)
{
	struct zinode *i;
	struct tx *tx;

	check_error(FUSE_STATFS, NULL, 0, -EIO);
	check_error(FUSE_LOOKUP, "name", 5, -EIO);
	/* Nothing is left of what it would have done. */
	tx = tx_begin(&fs->threads[0]);
	CHECK_EQ(zsfs_lookup(tx, ROOT_NODEID, "name", &i), 0);
	CHECK(!i);
	tx_abort(tx, 0);
}

static void test_late(void)
{
	struct fuse_access_in in = {0};
	struct zinode *i;
	struct tx *tx;

	check_error(FUSE_ACCESS, &in, sizeof(in), 0);
	tx = tx_begin(&fs->threads[0]);
	CHECK_EQ(zsfs_lookup(tx, ROOT_NODEID, "late", &i), 0);
	CHECK(i);
	tx_abort(tx, 0);
}

static void test_longest(void)
{
	struct fuse_read_in in = {.size = ZSFS_REPLY_SIZE};
	struct fuse_out_header out = {0};

	ask(FUSE_READDIR, &in, sizeof(in));
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(answer(&out), ZSFS_REPLY_SIZE);
	CHECK_EQ(out.error, 0);
}

static void test_two(void)
{
	check_error(FUSE_UNLINK, "name", 5, -EBUSY);
}

static void test_no_answer(void)
{
	struct fuse_forget_in forget = {0};
	struct fuse_batch_forget_in batch = {0};
	struct fuse_interrupt_in interrupt = {.unique = unique};
	struct fuse_notify_retrieve_in retrieve = {0};
	struct fuse_out_header out;

	ask(FUSE_FORGET, &forget, sizeof(forget));
	ask(FUSE_BATCH_FORGET, &batch, sizeof(batch));
	ask(FUSE_INTERRUPT, &interrupt, sizeof(interrupt));
	ask(FUSE_NOTIFY_REPLY, &retrieve, sizeof(retrieve));
	CHECK_EQ(serve(4), 0);
	CHECK_EQ(answer(&out), 0);
}

/* Not even when the operation gives one. */
static void test_answer_too_many(void)
{
	struct {
		struct fuse_out_header out;
		struct fuse_notify_retrieve_out retrieve;
	} notification;
	struct {
		struct fuse_in_header in;
		struct fuse_notify_retrieve_in retrieve;
	} reply = {
		.in = {.len = sizeof(reply),
		       .opcode = FUSE_NOTIFY_REPLY,
		       .nodeid = ROOT_NODEID},
	};
	struct fuse_out_header out;

	CHECK_EQ(fuse_lowlevel_notify_retrieve(se, ROOT_NODEID, 10, 0, NULL),
		 0);
	CHECK_EQ(read(kernel, &notification, sizeof(notification)),
		 sizeof(notification));
	reply.in.unique = notification.retrieve.notify_unique;
	CHECK_EQ(write(kernel, &reply, sizeof(reply)), sizeof(reply));
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(answer(&out), 0);
}

/* What the device does not take. */
static void test_refused(void)
{
	static const int errors[] = {EINVAL, EFAULT, ENOMEM, EIO};
	struct fuse_out_header out = {0};

	for (unsigned k = 0; k < 4; k++) {
		writes = 0;
		refuse_with[0] = errors[k];
		refuse_with[1] = 0;
		check_error(FUSE_UNLINK, "name", 5, -EIO);
		/* The kernel gave its client an error by itself. */
		writes = 0;
		refuse_with[1] = ENOENT;
		ask(FUSE_UNLINK, "name", 5);
		CHECK_EQ(serve(1), 0);
		CHECK_EQ(answer(&out), 0);
		/* Nothing goes through: a successor may have more luck. */
		writes = 0;
		refuse_with[1] = errors[k];
		ask(FUSE_UNLINK, "name", 5);
		CHECK_EQ(serve(1), -errors[k]);
	}
	refuse_with[0] = 0;
}

static void test_nobody_waits(void)
{
	struct fuse_out_header out = {0};

	writes = 0;
	refuse_with[0] = ENOENT;
	refuse_with[1] = 0;
	ask(FUSE_UNLINK, "name", 5);
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(answer(&out), 0);
	writes = 0;
	refuse_with[0] = ENODEV;
	ask(FUSE_UNLINK, "name", 5);
	CHECK_EQ(serve(1), -ENODEV);
	refuse_with[0] = 0;
}

/* A body, that of write(2) or of an ioctl in front. */
static uint8_t body[2000];

/* Refused, by nobody else, and what it is about was not looked at. */
static void check_refused(uint32_t opcode, size_t len)
{
	check_error(opcode, body, len, -EIO);
	CHECK_EQ(fs->threads[0].slot->touched[0], 0);
}

static void test_another_length(void)
{
	struct fuse_out_header out = {0};
	struct fuse_forget_in forget = {1};

	for (int more = -40; more <= 40; more += 20) {
		ask_longer(FUSE_UNLINK, "name", 5, more);
		CHECK_EQ(serve(1), 0);
		CHECK_EQ(answer(&out), sizeof(out));
		CHECK_EQ(out.error, more ? -EIO : -EBUSY);
		CHECK_EQ(out.unique, unique);
	}
	ask_longer(FUSE_FORGET, &forget, sizeof(forget), -1);
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(answer(&out), 0);
}

/* Nothing that a request says lies behind its end. */
static void test_cut_off(void)
{
	struct fuse_write_in *write = (void *)body;
	struct fuse_batch_forget_in *batch = (void *)body;
	struct fuse_ioctl_in *ioctl = (void *)body;

	memset(body, 'x', sizeof(body));
	for (size_t len = 0; len < 16; len++) {
		check_refused(FUSE_READ, len);
		check_refused(FUSE_UNLINK, len);
		check_refused(FUSE_MKDIR, len);
		check_refused(FUSE_CREATE, len);
		check_refused(FUSE_SETXATTR, len);
	}
	memcpy(body + 20, "\0b", 2);
	check_refused(FUSE_RENAME, 22);
	check_refused(FUSE_SYMLINK, 22);
	write->size = 100;
	check_refused(FUSE_WRITE, sizeof(*write) + 99);
	ioctl->in_size = 100;
	check_refused(FUSE_IOCTL, sizeof(*ioctl) + 99);
	/* Nobody answers. */
	batch->count = 2;
	ask(FUSE_BATCH_FORGET, body, sizeof(*batch) + 31);
	CHECK_EQ(serve(1), 0);
}

/* What the kernel sees to. */
static void test_no_names_of_entries(void)
{
	static const char *const bad[] = {".", "..", "a/b", "/"};
	struct fuse_out_header out = {0};

	for (unsigned k = 0; k < 4; k++)
		check_error(FUSE_UNLINK, bad[k], strlen(bad[k]) + 1, -EIO);
	check_error(FUSE_LOOKUP, "a/b", 4, -EIO);
	ask(FUSE_UNLINK, "...", 4);
	CHECK_EQ(serve(1), 0);
	CHECK(answer(&out) && out.error == -EBUSY);
}

/* A second INIT is refused, and the first is what a successor takes up. */
static void test_second_init(void)
{
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
				  .minor = FUSE_KERNEL_MINOR_VERSION};
	uint32_t len = fs->super->init_reply_len;

	CHECK(len > sizeof(struct fuse_out_header));
	check_error(FUSE_INIT, &in, sizeof(in), -EIO);
	CHECK_EQ(fs->super->init_reply_len, len);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_none),
	CHECK_CASE(test_open_transaction),
	CHECK_CASE(test_too_long),
	CHECK_CASE(test_late),
	CHECK_CASE(test_longest),
	CHECK_CASE(test_two),
	CHECK_CASE(test_no_answer),
	CHECK_CASE(test_answer_too_many),
	CHECK_CASE(test_refused),
	CHECK_CASE(test_nobody_waits),
	CHECK_CASE(test_another_length),
	CHECK_CASE(test_cut_off),
	CHECK_CASE(test_no_names_of_entries),
	CHECK_CASE(test_second_init),
};

static void connect_both(void)
{
	static const struct fuse_custom_io io = {
		.writev = request_capture,
		.read = request_read,
	};
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
				  .minor = FUSE_KERNEL_MINOR_VERSION};
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_out_header out = {.error = -1};
	int fds[2], room = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) ||
	    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)))
		exit(2);
	dev = fds[0];
	kernel = fds[1];
	fuse_opt_add_arg(&args, "test");
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	if (!se || fuse_session_custom_io(se, &io, dup(dev)))
		exit(2);
	ask(FUSE_INIT, &in, sizeof(in));
	if (serve(1) || !answer(&out) || out.error)
		exit(2);
}

int main(int argc, char **argv)
{
	int ret;

	fs = fixture_fs();
	connect_both();
	ret = CHECK_MAIN(cases, argc, argv);
	fuse_session_destroy(se);
	zsfs_close(fs);
	return ret;
}
