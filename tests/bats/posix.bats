#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The table of system calls, on zsfs and on the kernel's tmpfs.
load helpers

TABLE=$TOP/tests/posix/calls.table
POSIX=$(dirname "$(dirname "$ZSFS")")/tests/posix/posix_table

setup() {
	root_only
	zsfs_setup
	zsfs_mount -o mode=755
}

teardown() {
	zsfs_teardown
}

@test "posix: every row of the table, on tmpfs and here" {
	mkdir "$T/tmpfs"
	mount -t tmpfs -o mode=755 tmpfs "$T/tmpfs"
	"$POSIX" "$TABLE" "$T/tmpfs"
	if all_have writeback; then
		"$POSIX" -w "$TABLE" "$M"
	else
		"$POSIX" -z "$TABLE" "$M"
	fi
	umount "$T/tmpfs"
}
