#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Hot blocks: stored as they are for a moment, and compressed in the background.
load helpers

setup() { zsfs_setup; zsfs_only; }
teardown() { zsfs_teardown; }

text() { tar -C /usr/include -c . 2>/dev/null | head -c "$1"; }

nothing_kept() { same "$(json .memory.kept_for_hot)" 0; }
nothing_hot() { same "$(json .content.hot_blocks)" 0; }

@test "hot: a look at the statistics finds everything compressed, memory goes back" {
	zsfs_mount -o hot=64M
	text 40000000 >"$T/text"
	cp "$T/text" "$M/text"
	same "$(json .content.hot_blocks)" 0
	[ "$(json .content.hot_blocks_compressed)" -gt 0 ]
	[ "$(mm_stat 2)" -lt 30000000 ]
	same "$(mm_stat 8)" 0
	verify_clean
	drop_cache
	cmp "$T/text" "$M/text"
	poll 6 nothing_kept
	[ "$(mm_stat 3)" -lt 45000000 ]
}

@test "hot: what is deleted at once is never compressed" {
	not_cached "what is deleted at once is not even written"
	zsfs_mount -o hot=64M
	for n in 1 2 3 4 5; do
		text 100000 >"$M/f"
		for line in 1 2 3 4 5 6 7 8; do
			echo "line $line" >>"$M/f"
		done
		rm "$M/f"
	done
	[ "$(json .content.hot_blocks_never_compressed)" -gt 0 ]
	verify_clean
}

@test "hot: a full mount compresses first, and then says ENOSPC" {
	expect_late_losses
	zsfs_mount -o hot=16M,mem_limit=40M
	text 16000000 >"$T/text"
	n=0
	while cp "$T/text" "$M/f$n" 2>/dev/null; do n=$((n + 1)); done
	# Uncompressed they would not fit.
	[ "$n" -ge 2 ]
	[ "$(mm_stat 3)" -le $((40 << 20)) ]
	rm "$M/f$n"
	verify_clean
	drop_cache
	while [ "$n" -gt 0 ]; do
		n=$((n - 1))
		cmp "$T/text" "$M/f$n"
	done
	echo 20M >"$M/.zsctl/mem_limit"
	verify_clean
}

@test "hot: a successor finds what was hot" {
	zsfs_mount -o hot=64M
	text 20000000 >"$T/text"
	for n in 1 2 3; do
		cp "$T/text" "$M/f$n"
		kill -9 "$(json .survival.worker)"
		cp "$T/text" "$M/g$n"
	done
	poll 5 nothing_hot
	verify_clean
	drop_cache
	for n in 1 2 3; do
		cmp "$T/text" "$M/f$n"
		cmp "$T/text" "$M/g$n"
	done
}

@test "hot: by option, file and remount; bad values" {
	[[ ,${ZSFS_TEST_OPTS:-}, == *,hot=* ]] || {
		zsfs_mount -o mem_limit=80M
		same "$(control hot)" 10485760
		same "$(json .hot)" 10485760
		zsfs_umount
		wait_daemon
	}
	zsfs_mount -o hot=0
	same "$(json .hot)" 0
	echo 8M >"$M/.zsctl/hot"
	same "$(control hot)" 8388608
	for bad in x -1 101% 1X; do
		fails sh -c "echo '$bad' >'$M/.zsctl/hot'"
		fails "$ZSFS" -o "hot=$bad" "$T/none"
	done
	same "$(control hot)" 8388608
}
