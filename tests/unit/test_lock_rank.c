/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that takes locks out of order does not get away with it. */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

#include "lock.h"
#include "lock_rank.h"

static struct zs_lock reader[2], class;

static void in_order(void)
{
	zs_lock(&reader[0]);
	zs_lock(&reader[1]);
	zs_lock(&class);
	zs_unlock(&reader[0]);
	zs_unlock(&class);
	zs_lock(&class);
	zs_unlock(&class);
	zs_unlock(&reader[1]);
	zs_lock(&reader[0]);
	zs_unlock(&reader[0]);
}

static void wrong_rank(void)
{
	zs_lock(&class);
	zs_lock(&reader[0]);
}

static void wrong_number(void)
{
	zs_lock(&reader[1]);
	zs_lock(&reader[0]);
}

static void only_tried(void)
{
	zs_lock(&class);
	zs_trylock(&reader[0]);
	zs_unlock(&reader[0]);
	zs_unlock(&class);
	zs_lock(&reader[0]);
}

static void below_tried(void)
{
	zs_trylock(&class);
	zs_lock(&reader[0]);
}

static void below_tried_mutex(void)
{
	pthread_mutex_t run = PTHREAD_MUTEX_INITIALIZER;

	ranked_trylock(&run, RANK_RUN, 0);
	zs_lock(&class);
}

static void below_leaf(void)
{
	pthread_mutex_t slab = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_t run = PTHREAD_MUTEX_INITIALIZER;

	ranked_lock(&slab, RANK_SLAB, 3);
	ranked_lock(&run, RANK_RUN, 0);
}

static void not_held(void)
{
	zs_unlock(&class);
}

static char said[512]; /* by the last that ended */

/* What @fn dies of, 0 when it does not. */
static int ends_by(void (*fn)(void))
{
	FILE *err = tmpfile();
	int status = 0;
	pid_t pid;

	REQUIRE(err);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(err), STDERR_FILENO);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	rewind(err);
	said[fread(said, 1, sizeof(said) - 1, err)] = '\0';
	fclose(err);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void init_locks(void)
{
	zs_lock_init(&reader[0], RANK_READER, 0);
	zs_lock_init(&reader[1], RANK_READER, 1);
	zs_lock_init(&class, RANK_CLASS, 0);
}

static const int noticed = ZS_DEBUG_LEVEL >= 2 ? SIGABRT : 0;

static void test_order(void)
{
	init_locks();
	CHECK_EQ(ends_by(in_order), 0);
	CHECK_EQ(ends_by(only_tried), 0);
	CHECK_EQ(ends_by(wrong_rank), noticed);
	CHECK_EQ(ends_by(wrong_number), noticed);
	CHECK_EQ(ends_by(below_leaf), noticed);
	CHECK_EQ(ends_by(not_held), noticed);
}

static void test_tried_is_held(void)
{
	init_locks();
	CHECK_EQ(ends_by(below_tried), noticed);
	CHECK_EQ(ends_by(below_tried_mutex), noticed);
}

static void test_names(void)
{
	init_locks();
	if (!noticed)
		return;
	ends_by(wrong_number);
	CHECK(strstr(said, "RANK_READER 0 is wanted"));
	CHECK(strstr(said, "holds RANK_READER 1"));
	ends_by(below_tried_mutex);
	CHECK(strstr(said, "RANK_CLASS 0 is wanted"));
	CHECK(strstr(said, "holds RANK_RUN 0"));
	ends_by(below_leaf);
	CHECK(strstr(said, "RANK_RUN 0 is wanted"));
	CHECK(strstr(said, "holds RANK_SLAB 3"));
}

static const struct check_case cases[] = {
	CHECK_CASE(test_order),
	CHECK_CASE(test_tried_is_held),
	CHECK_CASE(test_names),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
