#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Deleting and cutting large files: the bytes are free at once, the work is
# done beside the requests, and goes on in a successor.
load helpers

setup() { zsfs_setup; zsfs_only; }
teardown() { zsfs_teardown; }

# zeros FILE GIB: same-filled blocks cost little memory, but must be freed, too.
zeros() {
	dd if=/dev/zero of="$1" bs=1M count=$(($2 * 1024)) status=none
}

# text FILE GIB: blocks that are kept as objects; every one of them differs.
text() {
	"$PYTHON" - "$1" "$2" <<-'END'
		import random, sys
		r = random.Random(4)
		block = lambda: (r.randbytes(150) + b"some text " * 400)[:4096]
		piece = b"".join(block() for _ in range(256))
		with open(sys.argv[1], "wb", buffering=0) as f:
		    for _ in range(int(float(sys.argv[2]) * 1024)):
		        f.write(piece)
	END
}

being_freed() {
	json .content.inodes_being_freed
}

all_freed() {
	[ "$(being_freed)" = 0 ]
}

used_blocks() {
	stat -f -c '%b %f' "$M" | { read -r all free; echo $((all - free)); }
}

# What was deleted or closed is free once the kernel has said so, which it does
# after the call has returned: who asks right then may overtake that.
used_is() {
	same "$(used_blocks)" "$1"
}

used_at_most() {
	between 0 "$(used_blocks)" "$1"
}

no_zeros() {
	[ "$(mm_stat 6)" = 0 ]
}

# Once a file of zeros is gone, nothing is left of it.
nothing_left() {
	! all_have writeback || poll 5 no_zeros
	poll 60 all_freed
	same "$(mm_stat 6)" 0
	same "$(json .content.bytes_being_freed)" 0
}

# The longest call and what 99.9 % of them do not take longer than, in
# microseconds, of a client in $M/d that stalls_begin started.
stalls_begin() {
	"$ZSFS_TOOLS/stalls" "$M/d" 200000 >"$T/stalls" &
	STALLS=$!
}

stalls_end() {
	kill "$STALLS"
	wait "$STALLS"
	awk '{ print $4, $7 }' "$T/stalls"
}

# stalls_beside_hogs N: the same beside N processes that only compute, for 3 s:
# what the scheduler of this machine, as loaded as it is, does to such a client.
stalls_beside_hogs() {
	local n pids=()
	for ((n = 0; n < $1; n++)); do
		timeout 3 sh -c 'while :; do :; done' & pids+=($!)
	done
	stalls_begin
	wait "${pids[@]}" || true
	stalls_end
}

@test "reap: rm of large files stalls nobody, and their bytes are free at once" {
	zsfs_mount
	mkdir "$M/d"
	zeros "$M/a" 8
	zeros "$M/b" 8
	local worst most hog_worst hog_most
	# As many as are at it: two rm, which drop cached pages, and the thread.
	stalls_beside_hogs 3 >"$T/beside"
	read -r hog_worst hog_most <"$T/beside"
	stalls_begin
	sleep 0.2
	rm "$M/a" &
	rm "$M/b"
	wait $!
	poll 5 used_at_most 50
	between 0 "$(being_freed)" 2
	poll 60 all_freed
	stalls_end >"$T/beside"
	read -r worst most <"$T/beside"
	echo "beside hogs $hog_worst us, 99.9 % $hog_most us; $(cat "$T/stalls")"
	# It was 1 s and more with one request thread at it.
	between 0 "$worst" $((100000 + 4 * hog_worst))
	between 0 "$most" $((20000 + 2 * hog_most))
	nothing_left
}

@test "reap: a cut is counted right at once, wherever it is" {
	zsfs_mount
	zeros "$M/f" 4
	fsop truncate "$M/f" 3221225473
	same "$(stat -c %b "$M/f")" $((786433 * 8))
	same "$(used_blocks)" 786433
	fsop truncate "$M/f" 1000000
	same "$(stat -c %b "$M/f")" $((245 * 8))
	same "$(used_blocks)" 245
	fsop truncate "$M/f" 0
	same "$(stat -c %b "$M/f")" 0
	same "$(used_blocks)" 0
	nothing_left
}

@test "reap: what is cut off and written again is new" {
	zsfs_mount
	text "$M/f" 0.5
	: >"$M/f"
	same "$(stat -c '%s %b' "$M/f")" "0 0"
	expect 1000000 write "$M/f" w 300000000 1000000 7
	expect ok check "$M/f" 300000000 1000000 7
	cmp -n 300000000 "$M/f" /dev/zero
	fsop truncate "$M/f" 400000000
	drop_cache
	expect ok check "$M/f" 300000000 1000000 7
	cmp -i 301000000:0 -n 99000000 "$M/f" /dev/zero
	poll 60 all_freed
	expect ok check "$M/f" 300000000 1000000 7
	same "$(stat -c %b "$M/f")" $((245 * 8))
}

@test "reap: several at once, by truncate, rename, rm and the last close" {
	zsfs_mount
	local n
	for n in 1 2 3 4; do
		zeros "$M/$n" 2
	done
	echo small >"$M/new"
	exec 7<"$M/4"
	rm "$M/4"
	same "$(used_blocks)" 2097153
	local pids=()
	: >"$M/1" & pids+=($!)
	mv "$M/new" "$M/2" & pids+=($!)
	rm "$M/3" & pids+=($!)
	exec 7<&-
	wait "${pids[@]}"
	poll 5 used_is 1
	same "$(cat "$M/2")" small
	nothing_left
}

@test "reap: unmounting does not wait for it" {
	zsfs_mount
	zeros "$M/f" 8
	rm "$M/f"
	local began=$SECONDS
	zsfs_umount
	wait_daemon
	between 0 $((SECONDS - began)) 5
}

@test "reap: a successor goes on with it" {
	expect_log 'killed by signal 9|worker .* died'
	zsfs_mount
	poll 10 has_standby
	zeros "$M/f" 8
	zeros "$M/g" 2
	rm "$M/f"
	fsop truncate "$M/g" 5000
	kill -9 "$(worker)"
	between 2 "$(used_blocks)" 2
	poll 60 all_freed
	same "$(mm_stat 6)" 2
	same "$(stat -c %b "$M/g")" 16
	same "$(json .survival.takeovers)" 1
	verify_clean
}

@test "reap: a live check comes in between" {
	zsfs_mount
	zeros "$M/f" 8
	rm "$M/f"
	verify_clean
	nothing_left
}
