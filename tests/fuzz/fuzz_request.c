/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: requests as /dev/fuse would give them (request_input.h), the
 * first byte of the input says on what mount. They go the way of all: read(2),
 * request.c, libfuse, operations, write(2). Each has one answer, which is none
 * that the kernel would refuse and not longer than asked for; a request is not
 * read beyond its end; and whatever they were, the file system is in order when
 * they are over.
 *
 * Who asks is the kernel: it has checked names and lengths, and forgets only
 * what it knows. What it would not do must do no harm all the same.
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../unit/fixture_session.h"
#include "../unit/fs_fixture.h"
#include "base/log.h"
#include "content/hot.h"
#include "content/settle.h"
#include "control/compact.h"
#include "fuzz.h"
#include "request_input.h"
#include "serve/ops.h"
#include "serve/readers.h"
#include "serve/request.h"
#include "serve/request_check.h"
#include "serve/waiting.h"
#include "state/settings.h"
#include "state/mem_limit.h"
#include "stand_ins.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

/* Of the protocol since 7.37; older headers lack it. */
#define OP_TMPFILE 51u

/* Answers that are not asked for by size. */
#define MAX_FIXED    512u
#define MAX_REQUESTS 200u

/* Enough for some MiB of content. */
#define MEM_LIMIT (UINT64_C(28) << 20)

/* The first byte. */
#define MOUNT_WRITEBACK 0x01
#define MOUNT_NO_XATTR	0x02
#define MOUNT_SMALL	0x04
#define MOUNT_FEW	0x08
#define MOUNT_HOT	0x10
#define MOUNT_ZSTD	0x20
#define MOUNT_ATIME	0x40
#define MOUNT_TWICE	0x80 /* and taken up again when all is over */

static struct zsfs *fs;
static struct request_input input;
static int device = -1; /* stands for the connection */
static unsigned nr_requests;
static uint64_t unique;
static bool over; /* of the device */

/* A request, with the header as it was sent. */
struct asked {
	struct fuse_in_header in;
	union {
		struct fuse_read_in read;
		struct fuse_getxattr_in getxattr;
		struct fuse_ioctl_in ioctl;
	} body;
	bool waits;   /* for an answer */
	bool is_long; /* others may overtake it */
};

static struct asked all_asked[MAX_REQUESTS];
static struct asked *last_asked = all_asked;
static const struct asked *asked; /* the one that is being answered */

/* What is given up leaves libfuse's own record of the request behind. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- the device: what is read from it ---- */

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __real_poll(struct pollfd *fds, nfds_t nr, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t nr, int ms);
struct fuse_in_header *__real_waiting_take(void);
struct fuse_in_header *__wrap_waiting_take(void);

static void verify(void)
{
	char msg[512] = "";

	if (!zsfs_verify(fs, msg, sizeof(msg)))
		return;
	fprintf(stderr, "%s\n", msg);
	abort();
}

static void do_chore(unsigned nr)
{
	struct zsfs_thread *th = zsfs_background(fs);

	switch (nr % 8) {
	case 0:
		zsfs_settle(th);
		break;
	case 1:
		reap_all(th);
		break;
	case 2:
		zsfs_compact(fs, th);
		break;
	case 3:
		hot_drain(th, UINT64_MAX);
		break;
	case 4:
		while (hot_step(th, false) == 1)
			;
		break;
	default:
		verify();
		break;
	}
}

static bool has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
	       opcode != FUSE_INTERRUPT && opcode != FUSE_NOTIFY_REPLY;
}

/* A control file may have lifted the limit. */
static void bound_work(void)
{
	const uint64_t limit = fs->super->mem_limit;

	if (!limit || limit > MEM_LIMIT)
		zsfs_set_mem_limit(fs, MEM_LIMIT);
}

static struct asked *find_asked(uint64_t nr)
{
	return &all_asked[(nr & ~UNIQUE_RESEND) / 2 % MAX_REQUESTS];
}

static void note_asked(struct fuse_in_header *in, size_t len)
{
	struct asked *a = find_asked(unique += 2);
	size_t n = len - sizeof(*in);

	in->unique = (in->unique & UNIQUE_RESEND) | unique;
	*a = (struct asked){.in = *in};
	memcpy(&a->body, in + 1, n < sizeof(a->body) ? n : sizeof(a->body));
	a->waits = has_answer(in->opcode);
	a->is_long = request_may_take_long(in);
	last_asked = a;
}

/* Nobody may look at what is behind the request. */
static void watch(uint8_t *buf, size_t len)
{
	__asan_poison_memory_region(buf + len, ZSFS_REQ_SIZE - len);
}

static void unwatch(void)
{
	__asan_unpoison_memory_region(fs->threads[0].slot->req, ZSFS_REQ_SIZE);
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	size_t n;
	int op;

	if (fd != device)
		return __real_read(fd, buf, len);
	FUZZ_CHECK(!last_asked->waits || last_asked->is_long);
	unwatch();
	while (nr_requests++ < MAX_REQUESTS) {
		op = input_next(&input, buf, len, &n);
		if (op < 0)
			break;
		if (op == OP_PAUSE && waiting_any()) {
			errno = EAGAIN;
			return -1;
		}
		if (op >= OP_CHORES) {
			do_chore((unsigned)op - OP_CHORES);
			continue;
		}
		bound_work();
		note_asked(buf, n);
		watch(buf, n);
		return (ssize_t)n;
	}
	over = !waiting_any();
	errno = over ? ENODEV : EAGAIN;
	return -1;
}

/* Others come until the input ends, or as the last request says. */
int __wrap_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	if (nr != 1 || fds->fd != device)
		return __real_poll(fds, nr, ms);
	fds->revents = POLLIN;
	return input.left && !input.alone && nr_requests < MAX_REQUESTS;
}

/* It goes where the last one was. */
struct fuse_in_header *__wrap_waiting_take(void)
{
	unwatch();
	return __real_waiting_take();
}

/* ---- what is written to it ---- */

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
			input_learn(&input,
				    ((const struct fuse_entry_out *)p)->nodeid);
		p += n;
		left -= n;
	}
	/* One that is too short for an entry ends the listing. */
	FUZZ_CHECK(left == 0 || left == 8);
}

static size_t longest_answer(void)
{
	uint32_t size = asked->body.getxattr.size;

	switch (asked->in.opcode) {
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
	switch (asked->in.opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		FUZZ_CHECK(n == sizeof(struct fuse_entry_out));
		input_learn(&input,
			    ((const struct fuse_entry_out *)body)->nodeid);
		break;
	case FUSE_CREATE:
	case OP_TMPFILE:
		FUZZ_CHECK(n == sizeof(struct fuse_entry_out) +
					sizeof(struct fuse_open_out));
		input_learn(&input,
			    ((const struct fuse_entry_out *)body)->nodeid);
		break;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		check_dirents(body, n, asked->in.opcode == FUSE_READDIRPLUS);
		break;
	default:
		break;
	}
}

/* As fuse_dev_write() of the kernel has it. */
static void check_answer(const struct fuse_out_header *out, size_t len)
{
	struct asked *a = find_asked(out->unique);

	FUZZ_CHECK(a->waits && out->unique == a->in.unique);
	FUZZ_CHECK(out->len == len && out->error <= 0 && out->error > -512);
	FUZZ_CHECK(!out->error || len == sizeof(*out));
	a->waits = false;
	asked = a;
	if (!out->error)
		check_body((const uint8_t *)(out + 1), len - sizeof(*out));
}

static void check_notification(const struct fuse_out_header *out, size_t len)
{
	FUZZ_CHECK(out->error == FUSE_NOTIFY_INVAL_INODE);
	FUZZ_CHECK(len ==
		   sizeof(*out) + sizeof(struct fuse_notify_inval_inode_out));
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	const struct fuse_out_header *out = buf;

	if (fd != device)
		return __real_write(fd, buf, len);
	FUZZ_CHECK(len >= sizeof(*out) && out->len == len);
	if (out->unique)
		check_answer(out, len);
	else
		check_notification(out, len);
	return (ssize_t)len;
}

/* ---- a mount ---- */

static void make_fs(uint8_t how)
{
	struct zsfs_params p = {
		.comp = {how & MOUNT_ZSTD ? ZCOMP_ZSTD : ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = 1,
		.mode = 0755,
		.no_huge = true,
		.mem_limit = MEM_LIMIT,
		.size_limit = how & MOUNT_SMALL ? 400000 : 0,
		.inode_limit = how & MOUNT_FEW ? 9 : 0,
		.hot = how & MOUNT_HOT ? 1 << 20 : 0,
		.atime = how & MOUNT_ATIME ? ATIME_STRICTATIME : ATIME_RELATIME,
		.writeback = how & MOUNT_WRITEBACK,
		.xattr = !(how & MOUNT_NO_XATTR),
	};
	int err = zsfs_create(&p, &fs);

	if (err) {
		fprintf(stderr, "zsfs_create: %s\n", strerror(-err));
		exit(2);
	}
	/* The same input is the same way. */
	memset(&fs->super->name_key, 1, sizeof(fs->super->name_key));
	fs->super->seed = 1;
	fs->super->salt = 1;
}

static bool leaving(void *arg)
{
	return over;
}

static void on_init(void *arg)
{
}

static void serve(void)
{
	struct request_env env = {.se = fixture_session(fs, device),
				  .fd = device,
				  .on_init = on_init,
				  .leaving = leaving};
	struct reader_counts counts;
	int err = readers_new(fs->nr_threads, device, false, &counts,
			      &env.readers);

	FUZZ_CHECK(!err);
	over = false;
	/* A request that is none ends a thread, as if there were no more. */
	err = request_loop(&fs->threads[0], &env);
	FUZZ_CHECK(err == -ENODEV || err == 0);
	unwatch();
	readers_free(env.readers);
	fuse_session_destroy(env.se);
}

/* As a successor would. */
static void take_up(void)
{
	int fd = dup(arena_fd(fs->arena));

	zsfs_close(fs);
	FUZZ_CHECK(!zsfs_open(fd, 0, &fs));
	close(fd);
	verify();
}

/* The kernel says first what it knows: all there is. */
static const uint8_t hello[] = {
	FUSE_INIT, 0, 0, 20, 7,	   0,	 0,    0,    40,   0,	 0,    0,
	0,	   0, 2, 0,  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static void run(const uint8_t *data, size_t size)
{
	static uint8_t all[sizeof(hello) + (1u << 17)];

	if (size > sizeof(all) - sizeof(hello))
		size = sizeof(all) - sizeof(hello);
	memcpy(all, hello, sizeof(hello));
	memcpy(all + sizeof(hello), data, size);
	input = (struct request_input){.data = all,
				       .left = sizeof(hello) + size};
	nr_requests = 0;
	unique = 0;
	memset(all_asked, 0, sizeof(all_asked));
	serve();
	/* A request that is none ends it before. */
	waiting_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (device < 0)
		device = open("/dev/null", O_RDWR | O_CLOEXEC);
	time_begin();
	make_fs(data[0]);
	run(data + 1, size - 1);
	reap_all(zsfs_background(fs));
	verify();
	if (data[0] & MOUNT_TWICE)
		take_up();
	zsfs_close(fs);
	return 0;
}
