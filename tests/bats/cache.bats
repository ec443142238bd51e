#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What the kernel's page cache shows of files that change beside it.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

@test "cache: an asynchronous direct write is seen by buffered readers" {
	timeout 60 "$ZSFS_TOOLS/aiowrite" "$M/f" 3000
}
