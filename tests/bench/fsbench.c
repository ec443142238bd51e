/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fsbench: one file system workload, timed; the load generator of bench.sh.
 *
 * Each command does its work on one file or in one directory and prints one
 * line of JSON: operations, bytes and seconds. What has to be prepared (the
 * source in memory, a first pass over what is to be cached) happens before
 * the clock starts. Any error, also a short read or write, ends the program
 * with exit code 1: a figure is only printed for work that was done.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	    4096u
#define MAX_THREADS 64u
#define NSEC	    1000000000ull

struct params {
	const char *path; /* file or directory to work on */
	const char *src;  /* file with the data to write */
	uint64_t size;	  /* bytes of a file; 0 = that of src */
	uint64_t offset;  /* where seqwrite begins */
	uint64_t bs;	  /* bytes per read or write */
	uint64_t count;	  /* files */
	uint64_t passes;
	uint64_t msecs; /* how long random I/O goes on */
	uint64_t threads;
	bool cold;
	bool buffered;
};

struct result {
	uint64_t ops;
	uint64_t bytes;
	uint64_t nsec;
	uint64_t p999; /* latency alone: nsec that 99.9 % do not exceed */
};

/* The data to write, mapped and faulted in. */
struct source {
	const char *data;
	uint64_t size;
};

static void die(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fputs("fsbench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

/* xorshift64*: fast, and the same sequence in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		die("cannot open %s", path);
	return fd;
}

static uint64_t file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	return (uint64_t)st.st_size;
}

static char *alloc_buffer(size_t size)
{
	void *buf;

	errno = posix_memalign(&buf, BLOCK, size);
	if (errno)
		die("%zu bytes", size);
	memset(buf, 1, size);
	return buf;
}

static struct source source_open(const struct params *p)
{
	struct source s;
	int fd;

	if (!p->src) {
		errno = EINVAL;
		die("--src is missing");
	}
	fd = open_file(p->src, O_RDONLY);
	s.size = file_size(fd) / BLOCK * BLOCK;
	s.data =
		mmap(NULL, s.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (s.data == MAP_FAILED)
		die("cannot map %s", p->src);
	close(fd);
	return s;
}

static void write_all(int fd, const char *buf, size_t len, uint64_t offset)
{
	ssize_t n = pwrite(fd, buf, len, (off_t)offset);

	if (n == (ssize_t)len)
		return;
	if (n >= 0)
		errno = ENOSPC;
	die("write of %zu bytes at %llu", len, (unsigned long long)offset);
}

static void read_all(int fd, char *buf, size_t len, uint64_t offset)
{
	ssize_t n = pread(fd, buf, len, (off_t)offset);

	if (n == (ssize_t)len)
		return;
	if (n >= 0)
		errno = EIO;
	die("read of %zu bytes at %llu", len, (unsigned long long)offset);
}

/* The source is repeated as often as the size needs. */
static struct result do_seqwrite(const struct params *p)
{
	struct source src = source_open(p);
	uint64_t size = p->size ? p->size : src.size;
	struct result r = {0};
	uint64_t start = now();
	int fd = open_file(p->path, O_WRONLY | O_CREAT);

	while (r.bytes < size) {
		uint64_t at = (p->offset + r.bytes) % src.size;
		uint64_t len = p->bs;

		if (len > size - r.bytes)
			len = size - r.bytes;
		if (len > src.size - at)
			len = src.size - at;
		write_all(fd, src.data + at, len, p->offset + r.bytes);
		r.bytes += len;
		r.ops++;
	}
	if (fsync(fd) < 0)
		die("fsync");
	close(fd);
	r.nsec = now() - start;
	return r;
}

/* Without root only this file's pages can be dropped, once they are clean. */
static void drop_caches(const char *path)
{
	int fd;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "3", 1) != 1) {
		int file = open_file(path, O_RDONLY);

		fsync(file);
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		close(file);
	}
	if (fd >= 0)
		close(fd);
	usleep(200000);
}

static struct result read_file(const struct params *p, char *buf)
{
	struct result r = {0};
	uint64_t start = now();
	int fd = open_file(p->path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, buf, p->bs)) > 0) {
		r.bytes += (uint64_t)n;
		r.ops++;
	}
	if (n < 0)
		die("read of %s", p->path);
	close(fd);
	r.nsec = now() - start;
	return r;
}

static struct result do_seqread(const struct params *p)
{
	char *buf = alloc_buffer(p->bs);
	struct result r;

	if (p->cold)
		drop_caches(p->path);
	else
		read_file(p, buf);
	r = read_file(p, buf);
	free(buf);
	return r;
}

/*
 * Use RAM and give it back. A virtual machine may have handed its free pages to
 * the host, and whoever takes them first waits until they are there again.
 */
static struct result do_touch(const struct params *p)
{
	struct result r = {.ops = 1, .bytes = p->size};
	uint64_t start = now();
	void *ram = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		die("%llu bytes", (unsigned long long)p->size);
	madvise(ram, p->size, MADV_HUGEPAGE);
	memset(ram, 1, p->size);
	munmap(ram, p->size);
	r.nsec = now() - start;
	return r;
}

struct random_job {
	const struct params *p;
	const struct source *src; /* NULL: read */
	pthread_barrier_t *start;
	uint64_t seed;
	uint64_t ops;  /* out */
	uint64_t nsec; /* out */
};

static void random_op(const struct random_job *j, int fd, char *buf,
		      uint64_t blocks, uint64_t *state)
{
	uint64_t offset = next_random(state) % blocks * BLOCK;
	uint64_t from;

	if (!j->src) {
		read_all(fd, buf, BLOCK, offset);
		return;
	}
	from = next_random(state) % (j->src->size / BLOCK) * BLOCK;
	write_all(fd, j->src->data + from, BLOCK, offset);
}

static void *random_thread(void *arg)
{
	struct random_job *j = arg;
	int fd = open_file(j->p->path, (j->p->buffered ? 0 : O_DIRECT) |
					       (j->src ? O_WRONLY : O_RDONLY));
	uint64_t blocks = file_size(fd) / BLOCK;
	uint64_t limit = j->p->msecs * 1000000;
	uint64_t state = j->seed * 0x9e3779b97f4a7c15ull;
	char *buf = alloc_buffer(BLOCK);
	uint64_t start;

	if (!blocks) {
		errno = EINVAL;
		die("%s is too small", j->p->path);
	}
	pthread_barrier_wait(j->start);
	start = now();
	do {
		for (int i = 0; i < 16; i++)
			random_op(j, fd, buf, blocks, &state);
		j->ops += 16;
		j->nsec = now() - start;
	} while (j->nsec < limit);
	free(buf);
	close(fd);
	return NULL;
}

static struct result random_io(const struct params *p, const struct source *src)
{
	struct random_job jobs[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	pthread_barrier_t start;
	struct result r = {0};

	pthread_barrier_init(&start, NULL, (unsigned)p->threads);
	for (unsigned i = 0; i < p->threads; i++) {
		jobs[i] = (struct random_job){p, src, &start, i + 1, 0, 0};
		errno = pthread_create(&ids[i], NULL, random_thread, &jobs[i]);
		if (errno)
			die("pthread_create");
	}
	for (unsigned i = 0; i < p->threads; i++) {
		pthread_join(ids[i], NULL);
		r.ops += jobs[i].ops;
		if (r.nsec < jobs[i].nsec)
			r.nsec = jobs[i].nsec;
	}
	r.bytes = r.ops * BLOCK;
	return r;
}

static struct result do_randread(const struct params *p)
{
	return random_io(p, NULL);
}

static struct result do_randwrite(const struct params *p)
{
	struct source src = source_open(p);

	return random_io(p, &src);
}

/* A log that grows by small writes. */
static struct result do_append(const struct params *p)
{
	struct source src = source_open(p);
	struct result r = {0};
	uint64_t start = now();
	int fd = open_file(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);

	for (; r.ops < p->count; r.ops++) {
		write_all(fd, src.data + r.bytes % (src.size - p->size),
			  p->size, r.bytes);
		r.bytes += p->size;
	}
	close(fd);
	r.nsec = now() - start;
	return r;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* How long a statx takes that the file system has to answer, each ms one. */
static struct result do_latency(const struct params *p)
{
	uint64_t *took = calloc(p->msecs, sizeof(*took));
	struct result r = {0};
	uint64_t start = now(), begin;
	struct statx st;

	if (!took)
		die("%llu samples", (unsigned long long)p->msecs);
	while (r.ops < p->msecs && now() - start < p->msecs * 1000000) {
		begin = now();
		if (statx(AT_FDCWD, p->path, AT_STATX_FORCE_SYNC,
			  STATX_BASIC_STATS, &st) < 0)
			die("statx of %s", p->path);
		took[r.ops++] = now() - begin;
		usleep(1000);
	}
	qsort(took, r.ops, sizeof(*took), by_value);
	r.p999 = r.ops ? took[(r.ops - 1) * 999 / 1000] : 0;
	r.nsec = now() - start;
	free(took);
	return r;
}

/* What one metadata command does to file number @n of the directory. */
typedef void (*file_op)(const struct params *p, uint64_t n, char *buf);

static const char *file_name(char buf[32], char prefix, uint64_t n)
{
	snprintf(buf, 32, "%c%07llu", prefix, (unsigned long long)n);
	return buf;
}

static void op_create(const struct params *p, uint64_t n, char *buf)
{
	char name[32];
	int fd =
		open_file(file_name(name, 'f', n), O_WRONLY | O_CREAT | O_EXCL);

	if (p->size >= sizeof(n))
		memcpy(buf, &n, sizeof(n)); /* no two files are equal */
	if (p->size)
		write_all(fd, buf, p->size, 0);
	if (close(fd) < 0)
		die("close");
}

static void op_stat(const struct params *p, uint64_t n, char *buf)
{
	char name[32];
	struct stat st;

	if (stat(file_name(name, 'f', n), &st) < 0)
		die("stat of %s", name);
}

/* The kernel has to ask the file system, whatever it knows. */
static void op_getattr(const struct params *p, uint64_t n, char *buf)
{
	char name[32];
	struct statx st;

	if (statx(AT_FDCWD, file_name(name, 'f', n), AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &st) < 0)
		die("statx of %s", name);
}

static void op_rewrite(const struct params *p, uint64_t n, char *buf)
{
	char name[32];
	int fd = open_file(file_name(name, 'f', n), O_WRONLY);

	write_all(fd, buf, p->size, 0);
	close(fd);
}

static void op_openread(const struct params *p, uint64_t n, char *buf)
{
	char name[32];
	int fd = open_file(file_name(name, 'f', n), O_RDONLY);

	if (p->size)
		read_all(fd, buf, p->size, 0);
	close(fd);
}

static void op_rename(const struct params *p, uint64_t n, char *buf)
{
	char from[32], to[32];

	if (rename(file_name(from, 'f', n), file_name(to, 'g', n)) < 0)
		die("rename of %s", from);
}

static void op_unlink(const struct params *p, uint64_t n, char *buf)
{
	char name[32];

	if (unlink(file_name(name, 'g', n)) < 0)
		die("unlink of %s", name);
}

/* File content that compresses about 2:1. */
static void fill_text(char *buf, size_t size)
{
	uint64_t state = 1;

	for (size_t i = 0; i < size; i++)
		buf[i] = (char)("etaoin shrdlu\n,x"[next_random(&state) >> 60]);
}

/* Do @op to each file, and before the clock starts @before, if given. */
static struct result each_file(const struct params *p, file_op op,
			       file_op before)
{
	char *buf = alloc_buffer(p->size + 1);
	struct result r = {0};
	uint64_t start;

	if (chdir(p->path) < 0)
		die("cannot enter %s", p->path);
	fill_text(buf, p->size);
	for (uint64_t i = 0; before && i < p->count; i++)
		before(p, i, buf);
	start = now();
	for (uint64_t pass = 0; pass < p->passes; pass++) {
		for (uint64_t i = 0; i < p->count; i++)
			op(p, i, buf);
	}
	r.nsec = now() - start;
	r.ops = p->passes * p->count;
	r.bytes = r.ops * p->size;
	free(buf);
	return r;
}

/* A command on a file has run, one in a directory has op. */
static const struct command {
	const char *name;
	struct result (*run)(const struct params *p);
	file_op op, before;
} commands[] = {
	{"seqwrite", do_seqwrite, NULL, NULL},
	{"seqread", do_seqread, NULL, NULL},
	{"randread", do_randread, NULL, NULL},
	{"randwrite", do_randwrite, NULL, NULL},
	{"touch", do_touch, NULL, NULL},
	{"append", do_append, NULL, NULL},
	{"latency", do_latency, NULL, NULL},
	{"create", NULL, op_create, NULL},
	{"stat", NULL, op_stat, op_stat},
	{"statnew", NULL, op_stat, op_rewrite},
	{"getattr", NULL, op_getattr, op_stat},
	{"openread", NULL, op_openread, op_openread},
	{"rename", NULL, op_rename, NULL},
	{"unlink", NULL, op_unlink, NULL},
};

static const char usage[] =
	"usage: fsbench COMMAND [options] PATH\n"
	"commands on a file:       seqwrite seqread randread randwrite append "
	"latency\n"
	"commands in a directory:  create stat statnew getattr openread "
	"rename\n"
	"                          unlink\n"
	"command on RAM:           touch (PATH is any word)\n"
	"  --src FILE    data to write (seqwrite, randwrite, append)\n"
	"  --size N      bytes to write or touch, or of each file or append\n"
	"  --offset N    where seqwrite begins\n"
	"  --bs N        bytes per sequential read or write (1048576)\n"
	"  --cold        seqread: drop caches first; else read once before\n"
	"  --buffered    random I/O through the page cache\n"
	"  --count N     files in the directory, or appends (1000)\n"
	"  --passes N    how often stat and openread go over them (1)\n"
	"  --msecs N     time of random I/O and latency (1000)\n"
	"  --threads N   of random I/O (1)\n"
	"stat, getattr and openread look at all files first, untimed, statnew\n"
	"writes them; latency asks for the attributes once a millisecond;\n"
	"rename makes fNNNNNNN gNNNNNNN, unlink removes those.\n";

static void bad_usage(void) __attribute__((noreturn));

static void bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t parse_number(const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-')
		bad_usage();
	return n;
}

static void parse_options(int argc, char **argv, struct params *p)
{
	static const struct option options[] = {
		{"src", 1, NULL, 's'},
		{"size", 1, NULL, 'z'},
		{"offset", 1, NULL, 'o'},
		{"bs", 1, NULL, 'b'},
		{"cold", 0, NULL, 'c'},
		{"count", 1, NULL, 'n'},
		{"passes", 1, NULL, 'p'},
		{"msecs", 1, NULL, 'm'},
		{"threads", 1, NULL, 't'},
		{"buffered", 0, NULL, 'f'},
		{0},
	};
	uint64_t *const number[] = {
		['z'] = &p->size,    ['o'] = &p->offset, ['b'] = &p->bs,
		['n'] = &p->count,   ['p'] = &p->passes, ['m'] = &p->msecs,
		['t'] = &p->threads,
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			bad_usage();
		else if (c == 's')
			p->src = optarg;
		else if (c == 'c')
			p->cold = true;
		else if (c == 'f')
			p->buffered = true;
		else
			*number[c] = parse_number(optarg);
	}
	if (optind != argc - 1 || !p->bs || !p->threads ||
	    p->threads > MAX_THREADS)
		bad_usage();
	p->path = argv[optind];
}

int main(int argc, char **argv)
{
	struct params p = {
		.bs = 1 << 20,
		.count = 1000,
		.passes = 1,
		.msecs = 1000,
		.threads = 1,
	};
	struct result r;

	if (argc < 2)
		bad_usage();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(argv[1], c->name) != 0)
			continue;
		parse_options(argc - 1, argv + 1, &p);
		r = c->op ? each_file(&p, c->op, c->before) : c->run(&p);
		printf("{\"cmd\": \"%s\", \"ops\": %llu, \"bytes\": %llu, "
		       "\"seconds\": %.6f",
		       argv[1], (unsigned long long)r.ops,
		       (unsigned long long)r.bytes, (double)r.nsec / 1e9);
		if (r.p999)
			printf(", \"p999_usec\": %.1f", (double)r.p999 / 1e3);
		puts("}");
		return 0;
	}
	bad_usage();
}
