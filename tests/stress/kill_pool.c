/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kills a process in the midst of the pool's work, and lets the next one go on.
 *
 *   kill_pool [-n KILLS] [-s SEED]
 *
 * A child opens the arena, allocates, frees and compacts in up to three threads
 * and one, and kills itself at a random point of a critical section. Others may
 * follow that kill themselves while they recover. Then the parent opens the
 * arena, and checks that nothing is broken, that the live objects are
 * exactly those that some ref names, that every operation that was finished
 * is there and every one that was not begun is not, and what is in the objects.
 * All children but each hundredth go on with the arena of the one before.
 */
#include "inject.h"
#include "pool_fixture.h"
#include "sizes.h"
#include "undo.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define NR_REFS	    1536u
#define NR_WORKERS  3u /* each with the refs whose number leaves its own */
#define NR_THREADS  (NR_WORKERS + 1)
#define MAX_STEPS   20000u
#define FRESH_EVERY 100u

#if ZS_DEBUG_LEVEL >= 1

/* Behind the refs in the root area. */
struct journal {
	uint64_t stored[NR_REFS];  /* word | 1 << 32 of a finished object */
	uint64_t busy[NR_WORKERS]; /* 1 + the ref being worked on */
};

static struct fixture fx;
static struct journal *journal;
static uint64_t seed = 1;
static unsigned kills_in_recovery;
static int64_t steps_left; /* of the child; atomic */
static uint64_t worker_seed[NR_WORKERS];

static void attach_journal(void)
{
	journal = (struct journal *)(fx.ref + NR_REFS);
}

/* The child. */

static void die_at_last(void)
{
	static _Thread_local uint64_t state;

	/* Often all threads are in the midst of something when one dies. */
	if (rnd(&state) % 32 == 0)
		sched_yield();
	if (__atomic_sub_fetch(&steps_left, 1, __ATOMIC_RELAXED) == 0)
		kill(getpid(), SIGKILL);
}

static bool fail_at_times(void)
{
	static _Thread_local uint64_t state;

	return rnd(&state) % 40 == 0;
}

static void store_object(struct arena_thread *t, unsigned i, uint64_t *state)
{
	uint32_t word = (uint32_t)rnd(state);
	int err = put_object(&fx, t, &fx.ref[i], random_size(state), word);

	if (!err)
		journal->stored[i] = UINT64_C(1) << 32 | word;
	else if (fx.ref[i] || (err != -ENOSPC && err != -ENOMEM))
		abort();
}

/* Share the object of another ref of the same worker, if that has one. */
static bool share_object(struct arena_thread *t, unsigned i, uint64_t *state)
{
	unsigned k =
		(unsigned)rnd_below(state, NR_REFS / NR_WORKERS) * NR_WORKERS +
		i % NR_WORKERS;

	if (k == i || !journal->stored[k] ||
	    zs_dup(fx.pool, t, ref_handle(fx.ref[k]), &fx.ref[i]))
		return false;
	journal->stored[i] = journal->stored[k];
	return true;
}

static void work_on(struct arena_thread *t, unsigned nr, unsigned i,
		    uint64_t *state)
{
	journal->busy[nr] = i + 1;
	undo_barrier();
	if (fx.ref[i]) {
		journal->stored[i] = 0;
		undo_barrier();
		zs_free(fx.pool, t, &fx.ref[i]);
	} else if (rnd_below(state, 4) || !share_object(t, i, state)) {
		store_object(t, i, state);
	}
	undo_barrier();
	journal->busy[nr] = 0;
	undo_barrier();
}

static void *work(void *arg)
{
	unsigned nr = (unsigned)(uintptr_t)arg;
	struct arena_thread *t = arena_thread(fx.arena, nr);
	uint64_t *state = &worker_seed[nr];

	for (;;) {
		/* In bursts, so that zspages come and go. */
		unsigned first = (unsigned)rnd_below(state, NR_REFS);

		for (unsigned n = 0; n < 40; n++)
			work_on(t, nr,
				(first + n) % (NR_REFS / NR_WORKERS) *
						NR_WORKERS +
					nr,
				state);
		if (rnd_below(state, 4) == 0)
			zs_compact_step(fx.pool, t);
	}
	return NULL;
}

static void *compact(void *arg)
{
	struct arena_thread *t = arena_thread(fx.arena, NR_WORKERS);
	unsigned pages;

	for (;;) {
		zs_compact(fx.pool, t);
		pages = zs_compact_step(fx.pool, t);
		if (pages)
			zs_count_compaction(fx.pool, t, pages);
		arena_trim(fx.arena, t, true, true);
		usleep(100);
	}
	return NULL;
}

static void open_in_child(int fd)
{
	if (arena_open(fd, &fx.arena) ||
	    zs_open_pool(fx.arena, arena_root(fx.arena), &fx.pool))
		_exit(3);
	fixture_attach(&fx, NR_REFS);
	attach_journal();
	zs_recover_pool(fx.pool, fx.t);
}

static void work_until_killed(int fd, uint64_t kill_seed)
{
	unsigned nr = 1 + (unsigned)rnd_below(&kill_seed, NR_WORKERS);
	pthread_t thread;

	for (unsigned i = 0; i < NR_WORKERS; i++)
		worker_seed[i] = rnd(&kill_seed);
	steps_left = 1 + (int64_t)rnd_below(&kill_seed, MAX_STEPS);
	open_in_child(fd);
	zs_crash_hook = die_at_last;
	zs_fail_hook = fail_at_times;
	for (unsigned i = 0; i < nr; i++)
		pthread_create(&thread, NULL, work, (void *)(uintptr_t)i);
	compact(NULL);
}

/* Finish what the last child left, if that takes fewer steps than given. */
static void recover_or_be_killed(int fd, uint64_t kill_seed)
{
	steps_left = 1 + (int64_t)rnd_below(&kill_seed, 24);
	zs_crash_hook = die_at_last;
	open_in_child(fd);
	_exit(0);
}

/* The parent. */

static int complain(unsigned i, const char *what)
{
	fprintf(stderr, "kill_pool: ref %u (%#llx): %s\n", i,
		(unsigned long long)fx.ref[i], what);
	return 1;
}

static bool is_busy(unsigned i)
{
	return journal->busy[i % NR_WORKERS] == i + 1;
}

static int check_ref(unsigned i)
{
	uint64_t want = journal->stored[i];
	struct zs_obj_info info;

	if (fx.ref[i] && !zs_obj_info(fx.pool, ref_handle(fx.ref[i]), &info))
		return complain(i, "names no object");
	if (want && !fx.ref[i])
		return complain(i, "an object is lost");
	if (!want && fx.ref[i] && !is_busy(i))
		return complain(i, "an object nobody made");
	if (want && (info.word != (uint32_t)want ||
		     !object_intact(&fx, fx.t, fx.ref[i], NULL)))
		return complain(i, "an object is damaged");
	return 0;
}

/* How many refs own the object, as it counts itself. */
static uint64_t owners(uint32_t handle)
{
	struct zs_obj_info info = {0};

	zs_obj_info(fx.pool, handle, &info);
	return info.refs;
}

static int add_owners(uint32_t handle, void *arg)
{
	*(uint64_t *)arg += owners(handle);
	return 0;
}

/*
 * Every object has as many owners as there are refs to it; so when all owners
 * are as many as all refs, there is no object without one.
 */
static int check_handles(void)
{
	uint64_t owned = 0, refs = 0;

	zs_for_each_handle(fx.pool, add_owners, &owned);
	for (unsigned i = 0; i < NR_REFS; i++) {
		uint64_t same = 0;

		refs += fx.ref[i] != 0;
		for (unsigned j = 0; fx.ref[i] && j < NR_REFS; j++)
			same += fx.ref[i] == fx.ref[j];
		if (fx.ref[i] && same != owners(ref_handle(fx.ref[i])))
			return complain(i, "counts other owners");
	}
	if (owned != refs) {
		fprintf(stderr, "kill_pool: %llu owners, %llu refs\n",
			(unsigned long long)owned, (unsigned long long)refs);
		return 1;
	}
	return 0;
}

static int check_pool(void)
{
	int bad = fixture_verify(&fx) != 0;

	for (unsigned i = 0; i < NR_REFS && !bad; i++)
		bad = check_ref(i);
	return bad ? bad : check_handles();
}

/* Drop what was allocated but not finished, as the owner of the refs would. */
static void settle(void)
{
	for (unsigned i = 0; i < NR_REFS; i++) {
		if (!journal->stored[i])
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	memset(journal->busy, 0, sizeof(journal->busy));
}

static int new_arena(unsigned n)
{
	static const unsigned chain[] = {8, 4, 16, 11};
	struct fixture_params p = {
		.nr_threads = NR_THREADS,
		.nr_refs = NR_REFS + sizeof(struct journal) / 8,
		.chain_size = chain[n / FRESH_EVERY % 4],
		/* Also one where memory always runs out. */
		.limit = n / FRESH_EVERY % 2 ? 6 << 20 : 0,
	};
	int fd;

	if (fixture_create(&fx, &p))
		return -1;
	fd = dup(arena_fd(fx.arena));
	fixture_close(&fx);
	return fd;
}

/* Run a child; 0 when it was killed, 1 when it ended well, -1 else. */
static int run_child(void (*fn)(int fd, uint64_t kill_seed), int fd,
		     uint64_t kill_seed)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fn(fd, kill_seed);
		_exit(4);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 1;
	fprintf(stderr, "kill_pool: the child ended with %#x\n", status);
	return -1;
}

/* Kill one at work, and every other time some of those that recover. */
static int kill_one(int fd, uint64_t kill_seed)
{
	int ret = run_child(work_until_killed, fd, kill_seed);

	for (unsigned i = 0; !ret && kill_seed % 2 && i < 4; i++) {
		ret = run_child(recover_or_be_killed, fd, kill_seed + i);
		kills_in_recovery += ret == 0;
	}
	return ret < 0;
}

static int check_one(int fd)
{
	int bad;

	if (arena_open(fd, &fx.arena) ||
	    zs_open_pool(fx.arena, arena_root(fx.arena), &fx.pool)) {
		fprintf(stderr, "kill_pool: cannot open\n");
		return 1;
	}
	fixture_attach(&fx, NR_REFS);
	attach_journal();
	zs_recover_pool(fx.pool, fx.t);
	bad = check_pool();
	settle();
	fixture_close(&fx);
	return bad;
}

int main(int argc, char **argv)
{
	unsigned nr_kills = 500;
	int opt, fd = -1;

	while ((opt = getopt(argc, argv, "n:s:")) != -1) {
		if (opt == 'n')
			nr_kills = (unsigned)strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	for (unsigned n = 0; n < nr_kills; n++) {
		if (n % FRESH_EVERY == 0) {
			if (fd >= 0)
				close(fd);
			fd = new_arena(n);
			if (fd < 0)
				return 1;
		}
		if (kill_one(fd, seed * 1000000 + n) || check_one(fd)) {
			fprintf(stderr, "kill_pool: seed %llu, kill %u\n",
				(unsigned long long)seed, n);
			return 1;
		}
	}
	close(fd);
	printf("%u kills survived, and %u in the recovery\n", nr_kills,
	       kills_in_recovery);
	return 0;
}

#else

int main(void)
{
	printf("skipped: no crash points at debug level 0\n");
	return 77;
}

#endif
