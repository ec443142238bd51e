/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting while the clock is set: it is an hour ahead whenever it is read, and
 * right for whoever waits for a time of it. So is a clock that was set back by
 * an hour in between.
 */
#include "serve/background.h"
#include "check.h"
#include "base/clock.h"
#include "fs_fixture.h"
#include "control/vfile.h"
#include "state/zsfs.h"
#include "volume/volume.h"

#include <sys/syscall.h>
#include <unistd.h>

/* In the place of libc's. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	int err = (int)syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		t->tv_sec += 3600;
	return err;
}

static void test_wait(void)
{
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	for (long ms = 0; ms < 60; ms += 20) {
		uint64_t start = clock_ms();
		struct timespec until = clock_in_ms(ms);

		CHECK(!clock_wait(&cond, &lock, &until));
		CHECK(clock_ms() - start >= (uint64_t)ms);
	}
	pthread_mutex_unlock(&lock);
}

static bool was_verified(struct zsfs *fs)
{
	char text[600];

	return control_render(fs, KNOB_VERIFY, text, sizeof(text)) > 0 &&
	       !strcmp(text, "clean\n");
}

/* It looks again a while later when it finds a file system that is busy. */
static void test_background(void)
{
	struct zsfs *fs = fixture_fs();
	struct background *b;
	uint64_t end = clock_ms() + 20000;

	fs->threads[0].slot->requests[0] = 1;
	REQUIRE(!background_start(fs, &b));
	background_go(b, true);
	while (!was_verified(fs) && clock_ms() < end)
		usleep(1000);
	background_stop(b);
	CHECK(was_verified(fs));
	zsfs_close(fs);
}

/* Before it may, it does nothing, whoever rings: the slot is another's. */
static void test_waits_for_go(void)
{
	struct zsfs *fs = fixture_fs();
	struct background *b;
	bool look;

	REQUIRE(!background_start(fs, &b));
	zsfs_wake(fs);
	usleep(50000);
	pthread_mutex_lock(&fs->wake.lock);
	look = fs->wake.look;
	pthread_mutex_unlock(&fs->wake.lock);
	background_stop(b);
	CHECK(look);
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_wait),
	CHECK_CASE(test_background),
	CHECK_CASE(test_waits_for_go),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
