#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Sizes and offsets: block borders, holes, truncation, the largest file.
load helpers

MAX=$((2 ** 63 - 1))

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

blocks() { stat -c %b "$1"; }

@test "sizes: around one block" {
	for n in 0 1 511 512 4095 4096 4097 8191 8192 8193 65535 65536 65537; do
		expect ok put "$M/f$n" "$n"
		same "$(stat -c %s "$M/f$n")" "$n"
		same "$(blocks "$M/f$n")" $(((n + 4095) / 4096 * 8))
	done
	drop_cache
	for n in 1 511 512 4095 4096 4097 8191 8192 8193 65535 65536 65537; do
		expect ok check "$M/f$n" 0 "$n" 1
		expect "$n" read "$M/f$n" 0 100000
		expect 0 read "$M/f$n" "$n" 1
		expect 1 read "$M/f$n" $((n - 1)) 100
	done
}

@test "sizes: writes of one byte around a border touch nothing else" {
	for off in 0 4095 4096 4097 8191 8192; do
		expect ok put "$M/f" 12000
		expect 1 write "$M/f" w $off 1 9
		drop_cache
		expect ok check "$M/f" 0 $off 1
		expect ok check "$M/f" $off 1 9
		expect ok check "$M/f" $((off + 1)) $((12000 - off - 1)) 1
		rm "$M/f"
	done
}

@test "sizes: overlapping writes across blocks" {
	expect ok put "$M/f" 100000
	expect 10000 write "$M/f" w 3000 10000 2
	expect 4097 write "$M/f" w 40959 4097 3
	drop_cache
	expect ok check "$M/f" 0 3000 1
	expect ok check "$M/f" 3000 10000 2
	expect ok check "$M/f" 13000 27959 1
	expect ok check "$M/f" 40959 4097 3
	expect ok check "$M/f" 45056 54944 1
}

@test "sizes: appends" {
	expect ok create "$M/f" 644
	for i in 0 1 2 3 4 5 6 7 8 9; do
		# Pattern by the offset given, so the pieces differ.
		expect 1000 write "$M/f" wa $((i * 1000)) 1000 1
	done
	drop_cache
	same "$(stat -c %s "$M/f")" 10000
	expect ok check "$M/f" 0 10000 1
}

@test "sizes: appends of many writers, each whole and in its order" {
	"$PYTHON" - "$M/log" <<-'END'
		import os, sys
		def append(k):
		    fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
		    for i in range(500):
		        os.write(fd, (b"%d %d " % (k, i)).ljust(50 + k * 700, b".") + b"\n")
		pids = []
		for k in range(6):
		    pids.append(os.fork())
		    if not pids[-1]:
		        append(k)
		        os._exit(0)
		for pid in pids:
		    assert os.waitpid(pid, 0)[1] == 0
		lines = open(sys.argv[1], "rb").read().splitlines()
		assert len(lines) == 3000, len(lines)
		for k in range(6):
		    mine = [line for line in lines if line.startswith(b"%d " % k)]
		    assert mine == [(b"%d %d " % (k, i)).ljust(50 + k * 700, b".") for i in range(500)]
	END
}

@test "sizes: a hole reads as zeros and costs nothing" {
	expect ok create "$M/f" 644
	expect 1 write "$M/f" w 10000000 1 1
	same "$(stat -c %s "$M/f")" 10000001
	same "$(blocks "$M/f")" 8
	drop_cache
	expect ok zeros "$M/f" 0 10000000
	expect ok check "$M/f" 10000000 1 1
}

@test "sizes: a block of zeros counts as allocated" {
	head -c 1M /dev/zero >"$M/f"
	same "$(blocks "$M/f")" 2048
	drop_cache
	expect ok zeros "$M/f" 0 1048576
}

@test "sizes: a sparse terabyte" {
	expect ok create "$M/f" 644
	for i in 0 1 255 256 511 512 513 1000; do
		expect 5000 write "$M/f" w $((i * 2 ** 30 - (i > 0) * 100)) 5000 "$i"
	done
	same "$(stat -c %s "$M/f")" $((1000 * 2 ** 30 + 4900))
	drop_cache
	for i in 0 1 255 256 511 512 513 1000; do
		expect ok check "$M/f" $((i * 2 ** 30 - (i > 0) * 100)) 5000 "$i"
	done
	expect ok zeros "$M/f" $((700 * 2 ** 30)) 100000
	expect ok truncate "$M/f" $((2 ** 30 * 256))
	expect ok check "$M/f" $((255 * 2 ** 30 - 100)) 5000 255
	expect ok truncate "$M/f" $((1000 * 2 ** 30 + 4900))
	expect ok zeros "$M/f" $((512 * 2 ** 30 - 100)) 5000
	time rm "$M/f"
}

@test "sizes: the largest file" {
	expect ok create "$M/f" 644
	expect ok truncate "$M/f" $MAX
	same "$(stat -c %s "$M/f")" $MAX
	expect 1 write "$M/f" w $((MAX - 1)) 1 5
	expect 10 write "$M/f" w $((MAX - 10)) 10 6
	drop_cache
	expect ok check "$M/f" $((MAX - 10)) 10 6
	expect ok zeros "$M/f" $((MAX - 5000)) 4990
	expect 10 read "$M/f" $((MAX - 10)) 10
	expect ok truncate "$M/f" 0
	same "$(blocks "$M/f")" 0
}

@test "sizes: nothing fits behind the largest offset" {
	expect ok create "$M/f" 644
	# The kernel itself refuses an offset plus length past 2^63-1.
	expect EINVAL write "$M/f" w $MAX 1 1
	expect EINVAL write "$M/f" w $((MAX - 5)) 10 1
	# Appending gets there: first short, then EFBIG.
	expect ok truncate "$M/f" $((MAX - 5))
	expect 5 write "$M/f" wa 0 10 1
	expect EFBIG write "$M/f" wa 0 10 1
	same "$(stat -c %s "$M/f")" $MAX
	expect EINVAL truncate "$M/f" -1
	expect EINVAL write "$M/f" w -1 1 1
	same "$(stat -c %s "$M/f")" $MAX
	expect EINVAL read "$M/f" -1 10
}

@test "sizes: truncate down and up leaves zeros" {
	for to in 0 1 4095 4096 4097 10000 20000; do
		expect ok put "$M/f" 30000
		expect ok truncate "$M/f" $to
		expect ok truncate "$M/f" 30000
		drop_cache
		expect ok check "$M/f" 0 $to 1
		expect ok zeros "$M/f" $to $((30000 - to))
		same "$(blocks "$M/f")" $(((to + 4095) / 4096 * 8))
		rm "$M/f"
	done
}

@test "sizes: a write behind the end after truncate finds zeros before it" {
	expect ok put "$M/f" 30000
	expect ok truncate "$M/f" 5000
	expect 100 write "$M/f" w 7000 100 2
	drop_cache
	expect ok check "$M/f" 0 5000 1
	expect ok zeros "$M/f" 5000 2000
	expect ok check "$M/f" 7000 100 2
}

@test "sizes: O_TRUNC empties, O_APPEND|O_TRUNC too" {
	expect ok put "$M/f" 5000
	expect ok open "$M/f" wt
	same "$(stat -c %s "$M/f")" 0
	expect ok put "$M/g" 5000
	expect 10 write "$M/g" wta 0 10 3
	drop_cache
	same "$(stat -c %s "$M/g")" 10
	expect ok check "$M/g" 0 10 3
}

@test "sizes: requests larger than any buffer" {
	random_file "$T/data" 20000000
	dd if="$T/data" of="$M/f" bs=7M status=none
	drop_cache
	dd if="$M/f" bs=13M status=none | cmp - "$T/data"
	drop_cache
	dd if="$M/f" bs=333 count=9000 status=none | cmp - <(head -c $((333 * 9000)) "$T/data")
}

@test "sizes: O_DIRECT in and out" {
	random_file "$T/data" 1048576
	dd if="$T/data" of="$M/f" bs=64k oflag=direct status=none
	dd if="$M/f" of="$T/back" bs=4k iflag=direct status=none
	cmp "$T/data" "$T/back"
	same "$(stat -c %s "$M/f")" 1048576
}

@test "sizes: random operations against a model" {
	for seed in 1 2 3 4; do
		timeout 100 "$ZSFS_TOOLS/filemodel" "$M/f" 6000 $seed
	done
	timeout 100 "$ZSFS_TOOLS/filemodel" "$M/g" 6000 5 20000
}

@test "sizes: threads whose writes share blocks, with truncate" {
	for seed in 1 2 3; do
		timeout 100 "$ZSFS_TOOLS/writers" "$M/f" 8 25 $seed
	done
}

@test "sizes: the same under constant compaction" {
	zsfs_only
	touch "$T/go"
	(while [ -e "$T/go" ]; do
		echo 1 >"$M/.zsctl/compact" || true
	done) 3>&- &
	timeout 100 "$ZSFS_TOOLS/writers" "$M/f" 8 25 21
	timeout 100 "$ZSFS_TOOLS/filemodel" "$M/g" 6000 22
	rm "$T/go"
	wait $!
}
