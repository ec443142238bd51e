#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Random operations through the kernel do what they do on the model; for a long
# time and with other options in scripts/soak-storm.sh.
load helpers

STORM=$(dirname "$(dirname "$ZSFS")")/tests/storm/storm

setup() {
	zsfs_setup
	root_only
	mkdir "$T/tmpfs"
}
teardown() { zsfs_teardown; }

# storm FOLDER ARGUMENTS...: in a folder that is gone at the end
storm() {
	mkdir "$1/storm"
	timeout 200 "$STORM" "${@:2}" "$1/storm"
	rm -r "$1/storm"
}

cached() {
	! all_have writeback || echo -w
}

@test "storm: the model is right about tmpfs" {
	mount -t tmpfs -o size=1g none "$T/tmpfs"
	storm "$T/tmpfs" -s 1 -n 100000
	umount "$T/tmpfs"
}

@test "storm: 50,000 operations" {
	zsfs_mount
	storm "$M" -s 1 -n 50000 $(cached)
}

@test "storm: on a mount that is full" {
	zsfs_only
	not_cached "ENOSPC comes late"
	zsfs_mount -o nr_blocks=600,nr_inodes=100
	storm "$M" -s 5 -n 20000 -b 600 -i 100
}

@test "storm: while others look at everything" {
	zsfs_only
	zsfs_mount
	storm "$M" -s 4 -n 20000 -r 1 $(cached)
}

@test "storm: with a cache of writes" {
	zsfs_only
	zsfs_mount -o writeback
	storm "$M" -s 2 -n 25000 -w
}

@test "storm: three clients, other options, and workers that die" {
	zsfs_only
	zsfs_mount -o nofollow_cpu,comp=zstd
	poll 10 has_standby
	mkdir "$M/storm"
	timeout 200 "$STORM" -s 3 -n 10000 -j 3 $(cached) "$M/storm" &
	while kill -0 $! 2>/dev/null; do
		kill -9 "$(worker)" 2>/dev/null || true
		sleep 0.1
	done
	wait $!
	rm -r "$M/storm"
}
