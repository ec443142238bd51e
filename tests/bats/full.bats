#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# At mem_limit: what statfs promised fits, no more is taken, what works works.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	! all_have writeback || expect_log 'no room for a cached write'
}
teardown() { zsfs_teardown; }

# fill_mount LIMIT SIZE: see full.py
fill_mount() {
	local how=

	! all_have writeback || how=cached
	zsfs_mount -o "mem_limit=$1"
	"$PYTHON" "$BATS_TEST_DIRNAME/full.py" "$M" "$(worker)" "$2" $how
	echo 1 >"$M/.zsctl/verify"
	zsfs_umount
	wait_daemon
}

@test "full: files of 1 MiB at 16 MiB and at 64 MiB" {
	fill_mount 16M 1048576
	fill_mount 64M 1048576
}

@test "full: a file of 64 MiB and more at 256 MiB" {
	fill_mount 256M 67108864
}

@test "full: files of 64 KiB in many directories" {
	fill_mount 96M 65536
}

@test "full: an ordinary user, and with writes that are cached" {
	cp "$BATS_TEST_DIRNAME/full.py" "$T/full.py"
	expect_log 'no room for a cached write'
	as_nobody '
		$ZSFS -o mem_limit=64M $M
		'"$PYTHON"' $T/full.py $M 0 1048576
		fusermount3 -u $M
		$ZSFS -o mem_limit=64M,writeback $M
		'"$PYTHON"' $T/full.py $M 0 1048576 cached
		fusermount3 -u $M'
}
