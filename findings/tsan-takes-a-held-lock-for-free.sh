#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# ThreadSanitizer does not see a mutex being locked by pthread_mutex_clocklock(3).
#
# Expected: a mutex that is waited for until a time of some clock is held like any
#   other, as with pthread_mutex_timedlock(3), which is the same with the clock fixed.
#   What two threads count under it is no race.
# What happens: the lock is taken, and the sanitizer does not hear of it. It reports a
#   data race on what the lock protects, and the unlocking of a mutex that is not
#   locked; with the other call the same program is silent.
# Why it matters: who moves from timedlock to clocklock, so that setting the machine's
#   clock does not end a wait early, gets reports of races that are not there, next to
#   which a real one is not noticed. zsfs waits for the locks of workers by clocklock,
#   and in builds with ThreadSanitizer without a time (shared_page.c).
#
# Versions: libtsan2 12.2.0-14+deb12u1 (gcc 12.2.0); clang's of 14.0.6 does the same; glibc 2.36
# Output seen:
#   timedlock: 2000 counted, reports: none
#   clocklock: 2000 counted, reports: unlock of an unlocked mutex, data race
set -u
command -v gcc >/dev/null || { echo "skipped: no gcc"; exit 0; }
T=$(mktemp -d)
trap 'cd /; rm -rf "$T"' EXIT
cd "$T" || exit 0
apt-get -qq download libtsan2=12.2.0-14+deb12u1 2>/dev/null ||
	{ echo "skipped: the package is not to be had"; exit 0; }
dpkg -x ./*.deb root
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu
cat >count.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static long n;

static void *count(void *arg)
{
	for (int k = 0; k < 1000; k++) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 60;
#ifdef CLOCK
		if (pthread_mutex_clocklock(&m, CLOCK_REALTIME, &until))
#else
		if (pthread_mutex_timedlock(&m, &until))
#endif
			break;
		n++;
		pthread_mutex_unlock(&m);
	}
	return arg;
}

int main(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, count, NULL);
	pthread_create(&b, NULL, count, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	return printf("%ld counted\n", n) < 0;
}
END
try() { # NAME FLAG...: what is reported
	gcc -D_GNU_SOURCE -g -fsanitize=thread "${@:2}" count.c -o count -pthread 2>/dev/null &&
		timeout 60 ./count >out 2>&1 || [ -s out ] || { echo "skipped: it cannot be built or run"; exit 0; }
	found=$(sed -n 's/.*ThreadSanitizer: \([a-z ]*[a-z]\) .*(pid.*/\1/p' out | sort -ur | paste -sd, | sed 's/,/, /')
	echo "$1: $(grep counted out), reports: ${found:-none}"
}
try timedlock
timed=$found
try clocklock -DCLOCK
[ -z "$timed" ] && [[ $found == *"data race"* ]]
