/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storm [OPTION...] DIR: random operations on a directory and on a model of it,
 * side by side (storm.h). Ends with 1 at the first difference, after the steps
 * that led to it. The directory must be empty and is left as it is at the end,
 * with no flags of chattr(1), so that it can be removed.
 *
 *   -s N   seed; the time if none is given
 *   -n N   operations, of each client
 *   -t N   end after so many seconds
 *   -j N   as many clients, each in a folder of its own with a seed of its own
 *   -c N   compare everything after so many operations (20000; 0: at the end)
 *   -m N   most inodes (150)
 *   -b N   blocks, and
 *   -i N   inodes that the mount has, as options, for DIR and its root alone
 *   -r N   processes that look at everything meanwhile
 *   -w     the mount caches writes
 *   -v     say how often each operation was tried and worked
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state/inode.h"
#include "storm.h"

#define TMPFS_MAGIC 0x01021994
#define MAX_JOBS    16u

struct args {
	uint64_t seed, ops, seconds, every, inodes, max_blocks, max_inodes;
	unsigned jobs, readers;
	bool cached, verbose;
	const char *dir;
};

static uint64_t ran[STEP_NR], worked[STEP_NR];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

int storm_wrong(struct storm *st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!*st->msg)
		vsnprintf(st->msg, STORM_MSG, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- what is open ---- */

struct hold *storm_hold(struct storm *st, unsigned id)
{
	while (st->nr_holds <= id) {
		size_t n = st->nr_holds + 1;

		st->holds = realloc(st->holds, n * sizeof(st->holds[0]));
		st->since = realloc(st->since, n * sizeof(st->since[0]));
		if (!st->holds || !st->since)
			die("memory");
		st->since[st->nr_holds] = (struct timespec){0};
		st->holds[st->nr_holds++] = (struct hold){.fd = -1};
	}
	return &st->holds[id];
}

struct timespec *storm_since(struct storm *st, unsigned id)
{
	storm_hold(st, id);
	return &st->since[id];
}

void storm_release(struct hold *h)
{
	if (h->map)
		munmap(h->map, STORM_MAP);
	if (h->fd >= 0)
		close(h->fd);
	*h = (struct hold){.fd = -1};
}

void storm_clean(struct hold *h)
{
	if (h->dirty && fsync(h->fd))
		die("fsync");
	h->dirty = false;
}

/* What the step has opened belongs to the inode that the model knows by now. */
static void adopt(struct storm *st)
{
	unsigned id = model_by_nodeid(st->m, st->res.value);

	if (st->found.fd < 0)
		return;
	if (id == MODEL_NO_ID || storm_hold(st, id)->fd >= 0)
		storm_release(&st->found);
	else
		*storm_hold(st, id) = st->found;
}

/* ---- following ---- */

static int follow_zero(struct storm *st, const struct step *s)
{
	int err = model_punch(st->m, s->id, s->off, s->size);

	if (!err)
		err = model_allocate(st->m, s->id, s->off, s->size,
				     s->flags & 1);
	return err;
}

static int must_be(struct storm *st, int err)
{
	if (st->res.err == err)
		return 0;
	return storm_wrong(st, "result %" PRId64 " (%s), should be %d (%s)",
			   st->res.err, strerror((int)-st->res.err), err,
			   strerror(-err));
}

/* Times that depend on what the kernel has in its caches. */
static void forget_times(struct storm *st, const struct step *s)
{
	struct minode *i = model_get(st->m, s->id);

	if (!i)
		return;
	if (s->op == STEP_READ || s->op == STEP_READLINK ||
	    s->op == STEP_READDIR || s->op == STEP_COPY ||
	    s->op == STEP_WRITE || st->readers)
		i->atime = MODEL_ANY_TIME;
	/* A store into a page that is mapped and dirty changes none there. */
	if ((st->tmpfs || st->cached) && s->op == STEP_WRITE &&
	    storm_hold(st, s->id)->map)
		i->mtime = MODEL_ANY_TIME;
	if ((st->tmpfs || st->cached) &&
	    (s->op == STEP_TRUNCATE || s->op == STEP_ALLOCATE ||
	     s->op == STEP_PUNCH))
		i->mtime = MODEL_ANY_TIME;
}

/*
 * Before a file that has capabilities is changed the kernel asks for something
 * that looks like chown(2) without owner and group, which takes set-user-ID and
 * set-group-ID as well.
 */
static void follow_privileges(struct storm *st, const struct step *s)
{
	unsigned id = s->op == STEP_COPY ? s->id2 : s->id;
	struct minode *i = model_get(st->m, id);

	if (s->op != STEP_WRITE && s->op != STEP_ALLOCATE &&
	    s->op != STEP_PUNCH && s->op != STEP_COPY)
		return;
	if (!st->tmpfs && !st->res.err &&
	    model_find_xattr(i, "security.capability"))
		model_kill_priv(i, false);
}

static int follow(struct storm *st, const struct step *s)
{
	int err = kernel_refuses(st, s);

	follow_privileges(st, s);
	if (st->tmpfs)
		st->m->last_number = 0;
	if (err)
		return must_be(st, err);
	if (s->op == STEP_PUNCH && s->flags & STORM_ZERO)
		return must_be(st, follow_zero(st, s));
	err = step_follow(st->m, s, &st->out, st->allow, st->msg, STORM_MSG);
	if (!err)
		adopt(st);
	return err;
}

/*
 * Which of these inodes did the step change, and so not before @start? The
 * model says so by the time at which it was done, where there was none.
 */
static int follow_times(struct storm *st, const struct step *s,
			const struct timespec *start)
{
	const unsigned ids[2] = {s->id, s->id2};
	unsigned nr = s->id == s->id2 ? 1 : 2;
	int64_t old[2];
	int err;

	for (unsigned k = 0; k < nr; k++) {
		old[k] = model_get(st->m, ids[k])->mtime;
		model_get(st->m, ids[k])->mtime = MODEL_ANY_TIME;
	}
	err = follow(st, s);
	for (unsigned k = 0; k < nr; k++) {
		struct minode *i = model_get(st->m, ids[k]);

		if (i && i->mtime == MODEL_ANY_TIME)
			i->mtime = old[k];
		else if (i && i->mtime == MODEL_CLOCK)
			*storm_since(st, ids[k]) = *start;
	}
	return err;
}

/* ---- steps ---- */

static int do_step(struct storm *st, struct step *s)
{
	struct past *past = &st->past[st->nr++ % STORM_STEPS];
	struct timespec start;

	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	ran[s->op]++;
	storm_run(st, s);
	past->step = *s;
	past->res = st->res;
	worked[s->op] += !st->res.err;
	if (*st->msg || follow_times(st, s, &start))
		return -1;
	forget_times(st, s);
	return 0;
}

static void report(const struct storm *st, uint64_t seed)
{
	uint64_t n = st->nr < STORM_STEPS ? st->nr : STORM_STEPS;
	char text[1024];

	for (uint64_t k = st->nr - n; k < st->nr; k++) {
		const struct past *p = &st->past[k % STORM_STEPS];

		step_print(&p->step, text, sizeof(text));
		printf("%" PRIu64 ": %s = %" PRId64 ", %" PRIu64 "\n", k, text,
		       p->res.err, p->res.value);
	}
	printf("DIFFERENCE in %s, seed %" PRIu64 ", operation %" PRIu64
	       ": %s\n",
	       st->dir, seed, st->nr - 1, st->msg);
}

static int strip_flags(struct storm *st)
{
	for (unsigned id = 0; id < st->m->nr_ids; id++) {
		struct minode *i = model_get(st->m, id);
		struct step s = {.op = STEP_FLAGS, .id = id};
		struct place p;
		struct hold mine;

		if (!i || !(i->flags & STORM_KEPT))
			continue;
		if (storm_hold(st, id)->fd < 0) {
			if (!place_find(st, id, &p))
				continue;
			mine = place_open(&p, i->mode);
			*storm_hold(st, id) = mine;
		}
		if (do_step(st, &s))
			return -1;
	}
	return 0;
}

static int do_steps(struct storm *st, const struct args *a)
{
	time_t end = time(NULL) + (time_t)a->seconds;
	struct step s;

	for (uint64_t k = 1; !a->ops || k <= a->ops; k++) {
		step_draw(&st->draw, st->m, &s);
		kernel_adapt(st, &s);
		if (do_step(st, &s))
			return -1;
		if (a->every && k % a->every == 0 && check_all(st))
			return -1;
		if (a->seconds && k % 64 == 0 && time(NULL) >= end)
			break;
	}
	return check_all(st) || strip_flags(st);
}

/* ---- one client ---- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void begin(struct storm *st, const struct args *a)
{
	struct hold *root = storm_hold(st, MODEL_ROOT);
	struct minode *i;
	struct statfs sf;
	struct stat sb;

	root->fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0 || fstat(root->fd, &sb) || fstatfs(root->fd, &sf))
		die(a->dir);
	st->dir = a->dir;
	st->tmpfs = sf.f_type == TMPFS_MAGIC;
	st->cached = a->cached;
	st->readers = a->readers;
	st->m = model_new(sb.st_mode & 07777, sb.st_uid, sb.st_gid);
	i = model_get(st->m, MODEL_ROOT);
	i->nodeid = i->number = st->m->last_number = sb.st_ino;
	/* What was let go may take a moment to be free. */
	st->allow = a->max_blocks || a->max_inodes ? FOLLOW_FULL : 0;
	st->m->max_blocks = a->max_blocks;
	st->m->max_inodes = a->max_inodes ? a->max_inodes - 1 : 0;
	st->out.res = &st->res;
	st->out.buf = aligned_alloc(4096, STEP_MAX_OUT);
	st->draw = (struct draw){
		.rng = {a->seed},
		.nr_names = 40,
		.max_write = 65536,
		.max_blocks = 4096,
		.max_inodes = a->inodes,
		.min_inodes = a->inodes / 4,
		.noise = 30,
		.phase = 1000,
		.far = true,
		.whole = true,
		.bursts = true,
	};
	if (!st->out.buf)
		die("memory");
}

static int client(const struct args *a)
{
	static struct storm st;
	double start = now();
	int err;

	begin(&st, a);
	readers_start(a->dir, a->readers);
	err = do_steps(&st, a);
	readers_stop(a->readers);
	if (err) {
		report(&st, a->seed);
		return 1;
	}
	printf("seed %" PRIu64 ": %" PRIu64
	       " operations, %.0f a second, no difference\n",
	       a->seed, st.nr, (double)st.nr / (now() - start));
	for (unsigned op = 0; a->verbose && op < STEP_NR; op++)
		if (ran[op])
			printf("  %-10s %8" PRIu64 " of %8" PRIu64 "\n",
			       step_op_name(op), worked[op], ran[op]);
	return 0;
}

/* ---- several ---- */

static pid_t start_client(const struct args *a, unsigned nr)
{
	struct args mine = *a;
	char dir[4096];
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/%u", a->dir, nr);
	if (mkdir(dir, 0755))
		die(dir);
	mine.dir = dir;
	mine.seed = a->seed + nr;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	exit(client(&mine));
}

static int clients(const struct args *a)
{
	pid_t pids[MAX_JOBS];
	int bad = 0, status;

	for (unsigned k = 0; k < a->jobs; k++)
		pids[k] = start_client(a, k);
	for (unsigned k = 0; k < a->jobs; k++) {
		if (waitpid(pids[k], &status, 0) < 0)
			die("waitpid");
		bad |= status;
	}
	return bad != 0;
}

static bool read_args(int argc, char **argv, struct args *a)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:t:j:c:m:b:i:r:wv")) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 1;

		switch (c) {
		case 's':
			a->seed = n;
			break;
		case 'n':
			a->ops = n;
			break;
		case 't':
			a->seconds = n;
			break;
		case 'j':
			a->jobs = (unsigned)n;
			break;
		case 'c':
			a->every = n;
			break;
		case 'm':
			a->inodes = n;
			break;
		case 'b':
			a->max_blocks = n;
			break;
		case 'i':
			a->max_inodes = n;
			break;
		case 'r':
			a->readers = (unsigned)n;
			break;
		case 'w':
			a->cached = true;
			break;
		case 'v':
			a->verbose = true;
			break;
		default:
			return false;
		}
	}
	a->dir = argv[optind];
	return optind + 1 == argc && a->jobs <= MAX_JOBS &&
	       a->readers <= STORM_READERS && (a->ops || a->seconds);
}

int main(int argc, char **argv)
{
	struct args a = {
		.seed = (uint64_t)time(NULL), .every = 20000, .inodes = 150};

	if (!read_args(argc, argv, &a)) {
		fprintf(stderr, "usage: storm [-s SEED] [-n OPERATIONS] "
				"[-t SECONDS] [-j CLIENTS] [-c OPERATIONS] "
				"[-m INODES] [-b BLOCKS] [-i INODES] [-r "
				"READERS] [-w] [-v] DIR\n");
		return 2;
	}
	printf("storm -s %" PRIu64 " -n %" PRIu64 " -c %" PRIu64 " -m %" PRIu64
	       "%s\n",
	       a.seed, a.ops, a.every, a.inodes, a.cached ? " -w" : "");
	fflush(stdout);
	return a.jobs ? clients(&a) : client(&a);
}
