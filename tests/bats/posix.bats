#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The table of system calls, on zsfs and on the kernel's tmpfs.
load helpers

TABLES=$TOP/tests/posix
POSIX=$(dirname "$(dirname "$ZSFS")")/tests/posix/posix_table

setup() {
	root_only
	zsfs_setup
	mkdir "$T/tmpfs"
}

teardown() {
	zsfs_teardown
}

# A table on tmpfs and on zsfs, mounted with the same OPTIONS.
table() {
	mount -t tmpfs -o "$2" tmpfs "$T/tmpfs"
	on_teardown "umount '$T/tmpfs'"
	"$POSIX" "$TABLES/$1.table" "$T/tmpfs"
	zsfs_mount -o "$2"
	if all_have writeback; then
		"$POSIX" -w "$TABLES/$1.table" "$M"
	else
		"$POSIX" -z "$TABLES/$1.table" "$M"
	fi
}

@test "posix: the content of files, on tmpfs and here" {
	table content mode=755
}

@test "posix: names and directories, on tmpfs and here" {
	table names mode=755
}

@test "posix: attributes and flags, on tmpfs and here" {
	table attrs mode=755
}

@test "posix: extended attributes and access lists, on tmpfs and here" {
	table xattr mode=755
}

@test "posix: a read-only mount, on tmpfs and here" {
	table readonly mode=755
}

@test "posix: a mount without a block left, on tmpfs and here" {
	not_cached "what finds no room is stored first"
	table full mode=755,size=1M
}

@test "posix: a mount without an inode left, on tmpfs and here" {
	table nodes mode=755,size=1M,nr_inodes=30
}
