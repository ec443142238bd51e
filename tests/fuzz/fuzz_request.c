/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: requests as /dev/fuse would give them (request_input.h), the
 * first byte of the input says on what mount. They go the way of all: read(2),
 * request.c, libfuse, operations, write(2). Each has one answer, which is none
 * that the kernel would refuse and not longer than asked for; a request is not
 * read beyond its end; and whatever they were, the file system is in order when
 * they are over.
 *
 * Allocations may fail, and the process may die at any crash point (chores of
 * the input): then a successor takes over what it left, and the kernel sends
 * again what has no answer yet.
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
#include "fuzz.h"
#include "inject_input.h"
#include "request_chores.h"
#include "request_input.h"
#include "request_kernel.h"
#include "request_lookups.h"
#include "request_once.h"
#include "serve/disconnect.h"
#include "serve/readers.h"
#include "serve/takeover.h"
#include "serve/waiting.h"
#include "stand_ins.h"
#include "state/mem_limit.h"
#include "state/settings.h"
#include "tree/reap.h"

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
static bool over; /* the input is, or the mount */
static bool dead; /* the process has died between two requests */
static bool taking_over;
static bool cut_short; /* not all is answered */
/* The request that waited, while it is being executed. */
static struct fuse_in_header *taken;

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
void __real_waiting_free(struct fuse_in_header *in);
void __wrap_waiting_free(struct fuse_in_header *in);
void __real_waiting_return(struct fuse_in_header *in, uint64_t until);
void __wrap_waiting_return(struct fuse_in_header *in, uint64_t until);

/* A control file may have lifted the limit. */
static void bound_work(void)
{
	const uint64_t limit = fs->super->mem_limit;

	if (!limit || limit > MEM_LIMIT)
		zsfs_set_mem_limit(fs, MEM_LIMIT);
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

static bool input_no_more(void)
{
	return input.left < 4 || nr_requests >= MAX_REQUESTS;
}

/* Here a death ends read(2), which counts who is in it. */
static ssize_t die_in_read(void)
{
	dead = true;
	errno = ENODEV;
	return -1;
}

static ssize_t no_request(void)
{
	over = !taking_over && input_no_more() && !waiting_any();
	errno = over ? ENODEV : EAGAIN;
	return -1;
}

static void do_chore(void)
{
	/* It may change any name. */
	once_forget();
	chore_do(fs, &input.chore);
}

static ssize_t hand_out(void *buf, size_t len)
{
	kernel_ask(fs, buf, len);
	watch(buf, len);
	return (ssize_t)len;
}

static ssize_t read_next(void *buf, size_t len)
{
	size_t n;
	int op;

	while (!input_no_more()) {
		if (input_is_alone(&input) && waiting_any())
			break;
		nr_requests++;
		op = input_next(&input, buf, len, &n);
		if (op < OP_CHORES)
			return inject_survived(bound_work) ? hand_out(buf, n)
							   : die_in_read();
		if (input.chore.op == ASIDE_PAUSE && waiting_any())
			break;
		if (!inject_survived(do_chore))
			return die_in_read();
	}
	return no_request();
}

/* What was asked before; then what is new, until it is no request. */
static ssize_t read_again(void *buf, size_t len)
{
	size_t n = kernel_resend(buf, len);

	if (n)
		watch(buf, n);
	else if (input_no_request(&input) || input_no_more() ||
		 input_is_alone(&input))
		return no_request();
	return n ? (ssize_t)n : read_next(buf, len);
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	if (fd != device)
		return __real_read(fd, buf, len);
	unwatch();
	if (taking_over)
		return read_again(buf, len);
	FUZZ_CHECK(kernel_last_is_done() || waiting_any());
	return read_next(buf, len);
}

/* Others come until the input ends, or as the last request says. */
int __wrap_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	if (nr != 1 || fds->fd != device)
		return __real_poll(fds, nr, ms);
	fds->revents = POLLIN;
	return !input.alone && !input_no_more();
}

/* It goes where the last one was. */
struct fuse_in_header *__wrap_waiting_take(void)
{
	unwatch();
	taken = __real_waiting_take();
	return taken;
}

void __wrap_waiting_free(struct fuse_in_header *in)
{
	taken = NULL;
	__real_waiting_free(in);
}

void __wrap_waiting_return(struct fuse_in_header *in, uint64_t until)
{
	taken = NULL;
	__real_waiting_return(in, until);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fd != device)
		return __real_write(fd, buf, len);
	kernel_take(buf, len, taking_over);
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

/* ---- lives ---- */

static struct request_env env = {.on_init = on_init, .leaving = leaving};
static struct reader_counts counts;
static unsigned nr_lives;

/* What a process has for itself. */
static void begin_life(void)
{
	env.se = fixture_session(fs, device);
	env.fd = device;
	FUZZ_CHECK(!readers_new(fs->nr_threads, device, false, &counts,
				&env.readers));
	dead = false;
}

static void end_life(void)
{
	unwatch();
	taking_over = false;
	waiting_free(taken);
	readers_free(env.readers);
	fuse_session_destroy(env.se);
	nr_lives++;
}

/* Somebody else has the arena from now on. */
static void attach_anew(void)
{
	int fd = dup(arena_fd(fs->arena));

	zsfs_close(fs);
	FUZZ_CHECK(!zsfs_attach(fd, 0, NULL, 0, &fs));
	close(fd);
}

/* The kernel cannot send again: to it that is another mount. */
static void disconnect(void)
{
	FUZZ_CHECK(!zsfs_recover(fs));
	disconnect_clean(fs);
	over = cut_short = true;
}

static void take_over(void)
{
	struct takeover t = {.fs = fs, .fd = device};

	if (!takeover_possible(fs)) {
		disconnect();
		return;
	}
	FUZZ_CHECK(!request_prime(fs, env.se));
	kernel_resend_all();
	taking_over = true;
	FUZZ_CHECK(!takeover_run(&t));
	taking_over = false;
	chore_verify(fs);
}

static void live(void)
{
	int err;

	if (nr_lives)
		take_over();
	/* A request that is none ends a thread, as if there were no more. */
	err = request_loop(&fs->threads[0], &env);
	FUZZ_CHECK(err == -ENODEV || err == 0);
	cut_short = cut_short || err == 0;
}

static void serve(void)
{
	bool lived;

	over = cut_short = false;
	nr_lives = 0;
	do {
		if (nr_lives)
			attach_anew();
		begin_life();
		lived = inject_life(live) && !dead;
		end_life();
	} while (!lived);
	FUZZ_CHECK(cut_short || !kernel_waits());
	if (!cut_short)
		lookups_check(fs);
}

/* As a successor would. */
static void take_up(void)
{
	int fd = dup(arena_fd(fs->arena));

	zsfs_close(fs);
	FUZZ_CHECK(!zsfs_open(fd, 0, &fs));
	close(fd);
	chore_verify(fs);
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
	kernel_begin(&input);
	serve();
	inject_nothing();
	kernel_end();
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
	chore_verify(fs);
	if (data[0] & MOUNT_TWICE)
		take_up();
	zsfs_close(fs);
	return 0;
}
