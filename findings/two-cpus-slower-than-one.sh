#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A FUSE daemon that has a CPU to itself answers slower than one that shares its
# client's CPU.
#
# Expected: a daemon and its client, each bound to a CPU of its own, are at least
#   as fast as both on one CPU, where each has to wait for the other.
# What happens: they take turns anyway, so the second CPU gains nothing, and each
#   request wakes a sleeping CPU twice. Both on one CPU are faster, between a
#   fifth and several times, depending on how deep an idle CPU sleeps (the
#   cpuidle driver, the hypervisor). With no binding the scheduler prefers the
#   idle CPU, so that the usual case is the slow one. Only when another program
#   keeps the second CPU awake does the difference become small.
# Why it matters: binding a daemon to a CPU of its own, the usual advice for
#   servers, is the worst that can be done to small requests. A daemon has to go
#   where its client is, but cannot stay there alone: with several clients, or a
#   program that computes beside it, all CPUs are needed.
#
# Versions: Linux 6.18 (no cpuidle driver, in a virtual machine), bindfs 1.14.7-1,
#   libfuse2 2.9.9-6+b1
# Output seen:
#   microseconds a stat: same CPU 33, other CPU 47
set -u
[ -w /dev/fuse ] && [ "$(id -u)" = 0 ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
read -ra CPUS < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)))')
[ ${#CPUS[@]} -ge 2 ] || { echo "skipped: one CPU"; exit 0; }
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/m" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
chmod 755 "$T"
apt-get -qq download bindfs=1.14.7-1 libfuse2=2.9.9-6+b1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$T/root" -name 'libfuse.so.2' | head -n 1)")
export LD_LIBRARY_PATH
mkdir source m
echo content >source/f
# One thread, and attributes that are never remembered: a stat is a request.
taskset -c "${CPUS[0]}" "$T/root/usr/bin/bindfs" -o attr_timeout=0 source m ||
	{ echo "skipped: bindfs does not mount here"; exit 0; }
DAEMON=$(pgrep -f -n "$T/root/usr/bin/bindfs")
for task in "/proc/$DAEMON"/task/*; do
	taskset -pc "${CPUS[0]}" "${task##*/}" >/dev/null
done

# Microseconds of one stat by a client on CPU $1: the median of seven tries.
stats_on() {
	taskset -c "$1" python3 -c '
import os, statistics, time
def once():
    start = time.perf_counter()
    for _ in range(2000):
        os.stat("m/f")
    return (time.perf_counter() - start) / 2000 * 1e6
print(round(statistics.median(once() for _ in range(7))))'
}

same=$(stats_on "${CPUS[0]}") other=$(stats_on "${CPUS[1]}")
echo "microseconds a stat: same CPU $same, other CPU $other"
[ "$same" -lt "$other" ]
