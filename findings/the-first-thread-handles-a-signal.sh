#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The first thread of a process needs a system call that no other thread needs.
#
# Expected: to start threads under a filter of system calls takes what makes one
#   (clone3, mmap, mprotect, rt_sigprocmask, set_robust_list, rseq). A filter under
#   which a second thread starts is one under which the first does.
# What happens: the first pthread_create(3) of a process, and only that one, also calls
#   rt_sigaction(2), for signal 33, by which glibc has all threads change their user.
# Why it matters: a filter that lists the signals whose handlers may change kills a
#   process whose first thread starts behind it, and not one that had a thread before:
#   the same filter works in a daemon, ends its unit test, or does so on one machine
#   only, where a probe that starts a thread is left out. zsfs has its threads before
#   its filter (sandbox_seal()).
#
# Versions: glibc 2.36 (libc6 2.36-9+deb12u14), Linux 6.18
# Output seen:
#   threads before the filter: 0, then one ends by signal 31
#   threads before the filter: 1, then one works
set -u
command -v cc >/dev/null || { echo "skipped: no C compiler"; exit 0; }
T=$(mktemp -d)
trap 'cd /; rm -rf "$T"' EXIT
cd "$T" || exit 0
apt-get -qq download libc6=2.36-9+deb12u14 2>/dev/null ||
	{ echo "skipped: the package is not to be had"; exit 0; }
dpkg -x ./*.deb root
lib=$T/root/lib/x86_64-linux-gnu
cat >first.c <<'END'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void *nothing(void *arg) { return arg; }

static int thread(void)
{
	pthread_t t;
	return pthread_create(&t, NULL, nothing, NULL) || pthread_join(t, NULL);
}

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {4, code};
	for (int n = atoi(argv[1]); n > 0; n--)
		if (thread())
			return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return 77;
	return thread();
}
END
cc -pthread -o first first.c || { echo "skipped: it does not build"; exit 0; }
ulimit -c 0
for n in 0 1; do
	{ "$lib/ld-linux-x86-64.so.2" --library-path "$lib" ./first $n; } 2>/dev/null
	rc=$?
	[ $rc != 77 ] || { echo "skipped: no filters here"; exit 0; }
	said=works
	[ $rc = 0 ] || said="ends by signal $((rc - 128))"
	echo "threads before the filter: $n, then one $said"
	[ $rc = $((n ? 0 : 159)) ] || exit 1
done
