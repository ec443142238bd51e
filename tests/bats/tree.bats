#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# A real source tree through the programs that copy trees.
load helpers

BATS_TEST_TIMEOUT=400

setup_file() {
	# Headers and Python's library: small and large files, links, deep folders.
	local parts=(usr/include) size

	for part in /usr/lib/python3*; do
		[ -d "$part" ] && parts+=("${part#/}")
	done
	size=$(du -sm "${parts[@]/#//}" | awk '{ s += $1 } END { print s }')
	[ "$size" -lt 400 ] || parts=(usr/include)
	mkdir "$BATS_FILE_TMPDIR/src"
	tar -C / -cf - "${parts[@]}" | tar -C "$BATS_FILE_TMPDIR/src" -xf -
	tar --format=posix -C "$BATS_FILE_TMPDIR/src" -cf "$BATS_FILE_TMPDIR/src.tar" usr
}

setup() {
	zsfs_setup
	zsfs_mount
	SRC=$BATS_FILE_TMPDIR/src
}

teardown() { zsfs_teardown; }

# Names, types, owners, modes, sizes, times and link targets, sorted.
inventory() {
	(cd "$1" && find . ! -type d -printf '%P %y %U %G %m %s %T@ %l %n\n' \
		-o -printf '%P %y %U %G %m %T@\n' | sort)
}

@test "tree: untar, diff -r, and the same metadata" {
	tar -C "$M" -xf "$BATS_FILE_TMPDIR/src.tar"
	drop_cache
	diff -r --no-dereference "$SRC/usr" "$M/usr"
	inventory "$SRC/usr" >"$T/want"
	inventory "$M/usr" >"$T/got"
	diff "$T/want" "$T/got"
}

@test "tree: tar c | tar x from one folder of the mount to another" {
	tar -C "$M" -xf "$BATS_FILE_TMPDIR/src.tar"
	mkdir "$M/second"
	tar -C "$M/usr" -cf - . | tar -C "$M/second" -xf -
	drop_cache "$M/second"
	diff -r --no-dereference "$SRC/usr" "$M/second"
}

@test "tree: cp -a there and back" {
	cp -a "$SRC/usr" "$M/"
	drop_cache
	cp -a "$M/usr" "$T/back"
	diff -r --no-dereference "$SRC/usr" "$T/back"
	inventory "$SRC/usr" >"$T/want"
	inventory "$T/back" >"$T/got"
	diff "$T/want" "$T/got"
}

@test "tree: rsync -a --checksum has nothing left to do" {
	need rsync
	rsync -a "$SRC/usr" "$M/"
	drop_cache
	run -0 rsync -aH --checksum --itemize-changes "$SRC/usr" "$M/"
	same "$output" ""
	rsync -a --delete "$SRC/usr/include/linux/" "$M/usr/"
	diff -r --no-dereference "$SRC/usr/include/linux" "$M/usr"
}

@test "tree: rm -rf leaves nothing" {
	tar -C "$M" -xf "$BATS_FILE_TMPDIR/src.tar"
	rm -rf "${M:?}/usr"
	same "$(ls -A "$M")" ""
	same "$(stat -c %h "$M")" 2
	[ -z "${ZSFS_DRYRUN:-}" ] || return 0
	all_given_back() { same "$(class_total obj_used)" 0; }
	poll 10 quiet all_given_back
	same "$(mm_stat 1)" 0
}
