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
}

/* What @fn dies of, 0 when it does not. */
static int ends_by(void (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		freopen("/dev/null", "w", stderr);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_order(void)
{
	int noticed = ZS_DEBUG_LEVEL >= 2 ? SIGABRT : 0;

	zs_lock_init(&reader[0], RANK_READER, 0);
	zs_lock_init(&reader[1], RANK_READER, 1);
	zs_lock_init(&class, RANK_CLASS, 0);
	CHECK_EQ(ends_by(in_order), 0);
	CHECK_EQ(ends_by(only_tried), 0);
	CHECK_EQ(ends_by(wrong_rank), noticed);
	CHECK_EQ(ends_by(wrong_number), noticed);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_order),
	};

	return CHECK_MAIN(cases, argc, argv);
}
