#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Workers that crash by themselves: needs a build with crash points
# (debug_level >= 1, and ZSFS_HOOKS=1 to say so).
load helpers

setup() {
	zsfs_setup
	zsfs_only
	[ "${ZSFS_HOOKS:-0}" = 1 ] || skip "needs a build with debug_level >= 1"
	KILLCLIENT=$(dirname "$(dirname "$ZSFS")")/tests/kill/killclient
}
teardown() { zsfs_teardown; }

@test "crash: a request that kills every worker gets EIO, others do not notice" {
	expect_log 'too many workers|killed by signal 6'
	export ZSFS_TEST_POISON=poison
	zsfs_mount
	unset ZSFS_TEST_POISON
	expect ok put "$M/f" 300000
	expect EIO stat "$M/poison"
	same "$(json .survival.deaths)" 3
	same "$(json .survival.poisoned)" 1
	same "$(json .survival.last_cause)" "signal 6 (Aborted)"
	grep -q 'gets EIO' "$LOG"
	drop_cache
	expect ok check "$M/f" 0 300000 1
	# It is known again only by dying of it again.
	(for i in 1 2 3 4 5 6; do expect ok put "$M/g$i" 5000 || exit 1; done) 3>&- &
	other=$!
	expect EIO stat "$M/poison"
	wait $other
	same "$(json .survival.poisoned)" 2
}

@test "crash: what the background does kills workers: requests are served" {
	expect_log 'killed by signal 6'
	expect_log 'it rests for'
	export ZSFS_TEST_CHORE=settle
	zsfs_mount
	unset ZSFS_TEST_CHORE
	expect ok put "$M/f" 300000
	poll 20 eval '[ "$(json .survival.deaths)" -ge 3 ]'
	# It rests for 2 seconds, then 4, 8, 16: without that they die at once.
	for i in $(seq 20); do
		expect ok put "$M/f$i" 50000
		sleep 0.2
	done
	[ "$(json .survival.deaths)" -le 5 ]
	drop_cache
	expect ok check "$M/f" 0 300000 1
	same "$(json .survival.poisoned)" 0
	grep -q '"settle": it rests for' "$LOG"
}

@test "crash: who looks for room is not to blame for what others stored" {
	expect_log 'killed by signal 6'
	expect_log 'it rests for'
	export ZSFS_TEST_CHORE=settle
	zsfs_mount -o mem_limit=48M,settle=off
	unset ZSFS_TEST_CHORE
	expect ok put "$M/keep" 300000
	echo 1000 >"$M/.zsctl/settle_after"
	for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/urandom of="$M/fill$i" bs=1M count=60 status=none \
			2>"$T/why" || grep -q 'No space left' "$T/why"
	done
	# It is told at once, not when the rest is over.
	fails timeout 5 bash -c 'echo 1 >"$0"' "$M/.zsctl/settle"
	grep -q 'it rests' "$M/.zsctl/last_cmd_status"
	same "$(json .survival.poisoned)" 0
	[ "$(json .survival.deaths)" -le 6 ]
	drop_cache
	expect ok check "$M/keep" 0 300000 1
}

@test "crash: workers that kill themselves at every kind of step" {
	export ZSFS_TEST_KILL=20000
	zsfs_mount
	unset ZSFS_TEST_KILL
	timeout 200 "$KILLCLIENT" -q -t 10 -v "$M" "$M"
	[ "$(json .survival.deaths)" -ge 10 ]
	same "$(ls -A "$M")" ""
	verify_clean
	same "$(json .content.inodes)" 1
	same "$(json .content.objects)" 0
}

@test "crash: at the smallest limit, so that everything is full all the time" {
	export ZSFS_TEST_KILL=20000
	zsfs_mount -o mem_limit=40M
	unset ZSFS_TEST_KILL
	expect ok put "$M/keep" 1000000
	for i in $(seq 12); do
		head -c 60M /dev/urandom >"$M/fill$((i % 3))" 2>/dev/null || true
		expect ok check "$M/keep" 0 1000000 1
	done
	rm "$M"/fill*
	drop_cache
	expect ok check "$M/keep" 0 1000000 1
	[ "$(json .survival.deaths)" -ge 2 ]
}

@test "crash: workers that achieve nothing are given up, and nothing hangs" {
	expect_log 'giving up'
	export ZSFS_TEST_DOOM=$T/doom
	zsfs_mount
	unset ZSFS_TEST_DOOM
	expect ok put "$M/f" 100000
	touch "$T/doom"
	fails timeout 20 bash -c 'kill -9 $0; ls "$1"' "$(worker)" "$M"
	poll 30 daemon_gone
	wait $DAEMON && return 1
	DAEMON=
	grep -q 'giving up' "$LOG"
	same "$(processes_of "$M")" ""
	# Not the folder below: nothing shall be written there by mistake.
	poll 10 quiet expect ENOTCONN stat "$M/f"
	umount -l "$M"
}

@test "crash: a request that does not fit its undo log gets EIO, nothing else" {
	expect_log 'does not fit its undo log'
	export ZSFS_TEST_LOG=150
	zsfs_mount
	unset ZSFS_TEST_LOG
	expect ok put "$M/f" 300000
	# A million bytes are 245 blocks.
	expect EIO write "$M/f" w 0 1000000 2
	expect EIO write "$M/g" wc 0 1000000 2
	same "$(stat -c %s "$M/g")" 0
	drop_cache
	expect ok check "$M/f" 0 300000 1
	expect 40000 write "$M/f" w 0 40000 3
	expect ok rename "$M/f" "$M/h"
	rm "$M/g"
	expect ok check "$M/h" 0 40000 3
	same "$(json .survival.deaths)" 0
	verify_clean
}

@test "crash: an allocation of many steps ends as if nothing had been" {
	export ZSFS_TEST_KILL=8000
	zsfs_mount -o size=600M
	unset ZSFS_TEST_KILL
	printf hello >"$M/f"
	for i in 1 2 3; do
		fallocate -l 300M "$M/f"
		same "$(stat -c '%s %b' "$M/f")" "314572800 614400"
		fails fallocate -l 400M "$M/g"
		same "$(stat -c '%s %b' "$M/g")" "0 0"
		fallocate -n -o 1G -l 200M "$M/f"
		same "$(stat -c '%s %b' "$M/f")" "314572800 1024000"
		truncate -s 5 "$M/f"
		same "$(cat "$M/f")" hello
		same "$(stat -c %b "$M/f")" 8
	done
	[ "$(json .survival.deaths)" -ge 3 ]
}

@test "crash: a hole made in many steps is whole" {
	export ZSFS_TEST_KILL=2000
	zsfs_mount
	unset ZSFS_TEST_KILL
	for i in 1 2 3; do
		head -c 20M /dev/zero | tr '\0' x >"$M/f"
		fallocate -p -o 1000 -l 16M "$M/f"
		same "$(head -c 1000 "$M/f" | tr -cd x | wc -c)" 1000
		tail -c +1001 "$M/f" | head -c 16M | cmp -n 16777216 - /dev/zero
		same "$(tail -c +16778217 "$M/f" | tr -cd x | wc -c)" 4193304
		same "$(stat -c '%s %b' "$M/f")" "20971520 8200"
	done
	[ "$(json .survival.deaths)" -ge 3 ]
}
