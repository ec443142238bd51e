#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Settling: what stays is compressed more densely.
load helpers

setup() { zsfs_setup; zsfs_only; }
teardown() { zsfs_teardown; }

# Source text: everybody has the headers of C.
text() { tar -C /usr/include -c . 2>/dev/null | head -c "$1"; }

settle() { echo 1 >"$M/.zsctl/settle"; }

# Has the test said so, or failed and gone? Then what it left running ends, too.
is_over() { [ -e "$T/stop" ] || ! [ -d "$T" ] || ! [ -e "$M/.zsctl/settle" ]; }

@test "settle: text takes two thirds or less, reads back, and the numbers add up" {
	zsfs_mount
	text 12000000 >"$T/text"
	cp "$T/text" "$M/text"
	cp -r "$TOP/fs" "$M/tree"
	blocks=$(json .content.blocks)
	plain=$(mm_stat 1)
	before=$(mm_stat 2)
	used=$(mm_stat 3)
	same "$(control settle | cut -d' ' -f1,2)" "0 /"
	settle
	[[ $(control settle) =~ ^[0-9]+" / 0, "[0-9]+$ ]]
	after=$(mm_stat 2)
	echo "$before, then $after bytes compressed"
	[ "$after" -lt $((before * 2 / 3)) ]
	# What is saved is given back at once.
	[ "$(mm_stat 3)" -lt $((used - (before - after) * 3 / 4)) ]
	same "$(mm_stat 1)" "$plain"
	same "$(json .content.blocks)" "$blocks"
	same "$(mm_stat 8)" 0
	same "$(class_total obj_used)" "$(json .content.objects)"
	[ "$(json .content.dense_blocks)" -gt 2000 ]
	verify_clean
	drop_cache
	cmp "$T/text" "$M/text"
	diff -r "$TOP/fs" "$M/tree"
	rm -r "$M/text" "$M/tree"
	poll 5 same "$(json .content.blocks)" 0
	verify_clean
}

@test "settle: single blocks, parts and ends of what has settled" {
	zsfs_mount
	text 3000000 >"$T/f"
	cp "$T/f" "$M/f"
	settle
	for block in 0 700 31 16 15 47 555 1; do
		cmp <(dd if="$M/f" bs=4096 skip=$block count=1 status=none iflag=direct) \
			<(dd if="$T/f" bs=4096 skip=$block count=1 status=none)
	done
	# Both change in the same way, and settle again in between.
	for f in "$T/f" "$M/f"; do
		printf 'a few bytes' | dd of="$f" bs=1 seek=70001 conv=notrunc status=none
		dd if=/dev/zero of="$f" bs=4096 seek=33 count=9 conv=notrunc status=none
		fallocate -p -o 400000 -l 300000 "$f"
		truncate -s 2900001 "$f"
	done
	drop_cache
	cmp "$T/f" "$M/f"
	settle
	verify_clean
	for f in "$T/f" "$M/f"; do
		truncate -s 1000000 "$f"
		truncate -s 1300000 "$f"
		printf 'at the end' >>"$f"
	done
	mv "$M/f" "$M/g"
	cp --reflink=never "$M/g" "$M/h"
	drop_cache
	cmp "$T/f" "$M/g"
	cmp "$T/f" "$M/h"
	verify_clean
}

@test "settle: what does not compress is tried once" {
	zsfs_mount
	random_file "$M/noise" 4000000
	used=$(mm_stat 2)
	settle
	same "$(mm_stat 2)" "$used"
	same "$(control settle)" "977 / 0, 0"
	same "$(json .content.dense_blocks)" 0
	echo x | dd of="$M/noise" bs=4096 seek=5 conv=notrunc status=none
	same "$(control settle)" "976 / 1, 0"
	settle
	same "$(control settle)" "977 / 0, 0"
	verify_clean
}

@test "settle: while others write, cut and delete" {
	zsfs_mount
	text 4000000 >"$T/f"
	for i in 1 2 3; do cp "$T/f" "$M/f$i"; done
	until is_over; do settle; done &
	loop=$!
	for i in $(seq 30); do
		cp "$T/f" "$M/f$((i % 3 + 1))"
		truncate -s $((i * 77777)) "$M/f$(((i + 1) % 3 + 1))"
		rm "$M/f$(((i + 2) % 3 + 1))"
		cp "$T/f" "$M/keep$((i % 4))"
	done
	touch "$T/stop"
	wait "$loop"
	drop_cache
	for i in 0 1 2 3; do cmp "$T/f" "$M/keep$i"; done
	verify_clean
}

@test "settle: while holes are punched and reserved where it is at work" {
	zsfs_mount
	text 3000000 >"$T/f"
	for i in 1 2 3; do cp "$T/f" "$T/h$i"; cp "$T/f" "$M/h$i"; done
	until is_over; do settle; done &
	loop=$!
	for i in $(seq 60); do
		for f in "$T/h$((i % 3 + 1))" "$M/h$((i % 3 + 1))"; do
			fallocate -p -o $((i * 40009)) -l $((i % 5 * 9000 + 100)) "$f"
			fallocate -o $((i * 30011)) -l 50000 "$f"
			dd if="$T/f" of="$f" bs=4096 skip=$i seek=$((i * 11)) count=2 conv=notrunc status=none
		done
		fallocate -z -o $((i * 20011)) -l 5000 "$M/h1"
		head -c 5000 /dev/zero | dd of="$T/h1" bs=4096 oflag=seek_bytes seek=$((i * 20011)) \
			conv=notrunc status=none
	done
	touch "$T/stop"
	wait "$loop"
	drop_cache
	for i in 1 2 3; do cmp "$T/h$i" "$M/h$i"; done
	settle
	verify_clean
	for i in 1 2 3; do cmp "$T/h$i" "$M/h$i"; done
	fallocate -p -o 0 -l 4M "$M/h1"
	rm "$M/h2" "$M/h3"
	poll 5 same "$(json .content.blocks)" 0
	verify_clean
}

@test "settle: workers killed while it settles lose nothing" {
	root_only
	zsfs_mount
	text 20000000 >"$T/f"
	cp "$T/f" "$M/f"
	for i in 1 2 3 4 5 6; do
		settle &
		sleep 0.0"$i"
		kill -9 "$(json .survival.worker)" || true
		wait $!
		cp "$M/f" "$M/g"
		rm "$M/g"
	done
	settle
	verify_clean
	drop_cache
	cmp "$T/f" "$M/f"
	expect_log "killed|died|takes over|took over"
}

@test "settle: dense= by option, file and remount; bad values" {
	zsfs_mount
	same "$(control dense)" "zstd:4"
	zsfs_umount
	zsfs_mount -o dense=zstd:3
	same "$(control dense)" "zstd:3"
	same "$(json .dense)" "zstd:3"
	text 2000000 >"$T/f"
	cp "$T/f" "$M/f"
	echo zstd:12 >"$M/.zsctl/dense"
	same "$(control dense)" "zstd:12"
	for bad in lz4 none zstd:0 zstd:20 '' 3; do
		fails sh -c "echo '$bad' >'$M/.zsctl/dense'"
	done
	same "$(control dense)" "zstd:12"
	settle
	drop_cache
	cmp "$T/f" "$M/f"
}

@test "settle: a flipped bit is EIO for the blocks of its cluster, and no others" {
	root_only
	zsfs_mount
	# Of each block zstd keeps a piece as it is, and the rest is as the others'.
	"$PYTHON" - "$T/f" <<-'END'
		import os, sys
		text = open("/usr/include/stdio.h", "rb").read()[:3072].ljust(3072)
		with open(sys.argv[1], "wb") as f:
		    for _ in range(48):
		        f.write(os.urandom(1024) + text)
	END
	cp "$T/f" "$M/f"
	settle
	same "$(json .content.clusters)" 3
	# What is left of the blocks as they were must not be found.
	echo 1 >"$M/.zsctl/compact"
	bytes=$(dd if="$T/f" bs=4096 skip=20 count=1 status=none |
		tail -c +301 | head -c 48 | xxd -p | tr -d '\n')
	head -c 2097152 /dev/zero >"$M/other"
	drop_cache
	"$PYTHON" "$BATS_TEST_DIRNAME/flip_bit.py" "$DAEMON" "$bytes"
	expect_log "content does not verify"
	# It names just those that cannot be read.
	expect EIO puts "$M/.zsctl/verify" 1
	same "$(control verify)" "16 damaged blocks
inode $(stat -c %i "$M/f") blocks 16-31, bytes 65536-131071, dense"
	same "$(json .verify.bad_blocks)" 16
	for block in $(seq 16 31); do
		fails dd if="$M/f" of=/dev/null bs=4096 skip="$block" count=1 iflag=direct
	done
	for block in $(seq 0 15) $(seq 32 47); do
		cmp <(dd if="$M/f" bs=4096 skip="$block" count=1 status=none iflag=direct) \
			<(dd if="$T/f" bs=4096 skip="$block" count=1 status=none)
	done
	[ "$(json .content.corrupt_blocks)" -ge 16 ]
	# Written as a whole it is well again.
	dd if="$T/f" of="$M/f" bs=4096 skip=16 seek=16 count=16 conv=notrunc status=none
	drop_cache
	cmp "$T/f" "$M/f"
	settle
	verify_clean
}

# Direct reads of single blocks: numbers on standard input.
read_blocks() {
	"$PYTHON" -c '
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
for line in sys.stdin:
    assert os.preadv(fd, [page], int(line) * 4096) == 4096' "$1"
}

@test "warm: what single blocks are read of is dense no longer, the rest stays" {
	zsfs_mount
	text 4000000 >"$T/f"
	cp "$T/f" "$M/f"
	settle
	dense=$(json .content.dense_blocks)
	# In sequence, by block and as a whole, nothing moves.
	for _ in 1 2 3 4; do
		seq 0 900 | read_blocks "$M/f"
		drop_cache
		cmp "$T/f" "$M/f"
	done
	same "$(json .content.blocks_warmed)" 0
	same "$(json .content.dense_blocks)" "$dense"
	for _ in 1 2 3; do
		printf '%s\n' 169 165 170 | read_blocks "$M/f"
	done
	warmed() { same "$(json .content.blocks_warmed)" "$1"; }
	poll 5 quiet warmed 16
	same "$(json .content.dense_blocks)" $((dense - 16))
	drop_cache
	cmp "$T/f" "$M/f"
	settle
	same "$(json .content.dense_blocks)" "$dense"
	verify_clean
}

@test "warm: not where memory is short" {
	expect_late_losses
	zsfs_mount -o mem_limit=24M
	text 8000000 >"$T/f"
	cp "$T/f" "$M/f"
	settle
	dense=$(json .content.dense_blocks)
	dd if=/dev/urandom of="$M/noise" bs=64K status=none || true
	for _ in 1 2 3; do
		seq 1 3 1900 | shuf --random-source="$T/f" | read_blocks "$M/f"
	done
	[ "$(mm_stat 3)" -le $((24 << 20)) ]
	same "$(json .content.dense_blocks)" "$dense"
	same "$(json .content.blocks_warmed)" 0
	rm "$M/noise"
	warmed() {
		seq 1 3 1900 | shuf --random-source="$T/f" | read_blocks "$M/f"
		[ "$(json .content.dense_blocks)" -lt "$dense" ]
	}
	poll 10 warmed
	drop_cache
	cmp "$T/f" "$M/f"
}

@test "warm: files cut, punched, renamed, deleted and written while they warm, with kills" {
	root_only
	zsfs_mount
	text 4000000 >"$T/f"
	for i in 1 2 3; do cp "$T/f" "$M/f$i"; done
	cp "$T/f" "$M/keep"
	settle
	until is_over; do
		for f in "$M"/f* "$M/keep"; do
			seq 1 3 900 | shuf | read_blocks "$f" 2>/dev/null || true
		done
	done &
	loops=$!
	until is_over; do
		settle 2>/dev/null || true
		sleep 0.05
	done &
	loops+=" $!"
	for i in $(seq 24); do
		f=$M/f$((i % 3 + 1))
		truncate -s $((i * 77777)) "$f"
		fallocate -p -o $((i * 4096)) -l 40000 "$f"
		printf 'some bytes' | dd of="$f" bs=1 seek=$((i * 3333)) conv=notrunc status=none
		mv "$f" "$M/moved"
		cp "$T/f" "$f"
		rm "$M/moved"
		[ $((i % 3)) != 0 ] || kill -9 "$(worker)" 2>/dev/null || true
	done
	touch "$T/stop"
	# shellcheck disable=SC2086
	wait $loops
	drop_cache
	for f in "$M"/f* "$M/keep"; do cmp "$T/f" "$f"; done
	verify_clean
	expect_log "killed|died|takes over|took over"
}

@test "tiers: the table adds up, and follows what settles and warms" {
	zsfs_mount
	tier() { awk -v name="$1" -v col="$2" '$1 == name { print $col }' "$M/.zsstats/tiers"; }
	text 3997696 >"$M/f"
	head -c 409600 /dev/zero | tr '\0' x >"$M/same"
	random_file "$M/noise" 409600
	same "$(tier warm 2) $(tier dense 2) $(tier incompressible 2)" "976 0 100"
	same "$(tier incompressible 3) $(tier incompressible 4)" "409600 409600"
	same "$(tier total 2)" "$(json .content.blocks)"
	warm=$(tier warm 4)
	settle
	# The mount is idle, so it holds still.
	dense=$(json .content.dense_blocks)
	same "$(tier dense 2)" "$dense"
	same "$(json .tiers.dense.blocks)" "$dense"
	[ "$(tier dense 4)" -lt $((warm * 2 / 3)) ]
	same "$(tier total 2)" "$(json .content.blocks)"
	sum=$(awk 'NR > 1 && $1 != "total" { n += $4 } END { print n }' "$M/.zsstats/tiers")
	same "$sum" "$(tier total 4)"
	same "$(json .content.blocks_settled)" "$dense"
	rate() { [ "$(json .tiers.settled_per_second)" -gt 0 ]; }
	poll 5 rate
	for _ in 1 2 3; do
		printf '%s\n' 169 165 170 | read_blocks "$M/f"
	done
	warmed() { same "$(tier dense 2)" $((dense - 16)); }
	poll 5 quiet warmed
	# What has stopped is none a second.
	rate() { [ "$(json .tiers.settled_per_second)" = 0 ]; }
	poll 10 rate
}

@test "settle: on a full mount, what compresses no worse is written over it" {
	not_cached "write(2) does not say what found room"
	zsfs_mount -o mem_limit=40M
	text 30000000 >"$T/a"
	truncate -s $(($(stat -c %s "$T/a") / 4096 * 4096)) "$T/a"
	cp "$T/a" "$M/a"
	settle
	fails dd if=/dev/urandom of="$M/noise" bs=64k count=960
	grep -q 'No space left' "$T/fails.out"
	same "$(df --output=avail "$M" | tail -n 1 | tr -d ' ')" 0
	# In large writes, in single blocks, and in parts of blocks.
	cp "$T/a" "$T/b"
	python3 - "$T/b" "$M/a" <<'END'
import os, random, sys
r = random.Random(1)
data = open(sys.argv[1], "rb").read()
ours, theirs = (os.open(p, os.O_WRONLY) for p in sys.argv[1:])
for n in [1 << 20] * 5 + [4096] * 100 + [100] * 100:
    at = r.randrange((len(data) - n) // 4096) * 4096 + (n == 100) * 7
    # What stood a few blocks further is no harder to compress.
    src = data[at + 4096 * 3:at + 4096 * 3 + n]
    for fd in ours, theirs:
        done = os.pwrite(fd, src, at)
        assert done == len(src), (n, at, done)
END
	cmp "$T/b" "$M/a"
	# Noise does not fit, and the old content stays.
	fails dd if=/dev/urandom of="$M/a" bs=64k count=200 conv=notrunc
	verify_clean
	drop_cache
	cmp <(tail -c +13107201 "$T/b") <(tail -c +13107201 "$M/a")
	rm "$M/noise"
	cp "$T/a" "$M/a"
	drop_cache
	cmp "$T/a" "$M/a"
	verify_clean
}

# Wake-ups of the worker so far.
wakeups() { # PID
	cat "/proc/$1/task/"*/status |
		awk '/^voluntary_ctxt/ { n += $2 } END { print n }'
}

is_begun() { [ "$(json .content.dense_blocks)" -gt 0 ]; }
is_settled() { [[ $(control settle) =~ ^[1-9][0-9]*" / 0," ]]; }

@test "settle: by itself, what was not written for a while, and then the mount sleeps" {
	zsfs_mount -o settle=1
	text 8000000 >"$T/f"
	cp "$T/f" "$M/f"
	poll 10 is_settled
	drop_cache
	cmp "$T/f" "$M/f"
	# What is hot keeps no other group from it.
	cp "$T/f" "$M/g"
	for i in $(seq 50); do
		printf %04d "$i" | dd of="$M/g" bs=4 conv=notrunc status=none
		sleep 0.1
	done
	[[ $(control settle) =~ ^([0-9]+)" / "([0-9]+), ]]
	[ "${BASH_REMATCH[1]}" -gt 3800 ]
	[ "${BASH_REMATCH[2]}" -gt 0 ]
	[ "${BASH_REMATCH[2]}" -le 16 ]
	poll 10 is_settled
	verify_clean
	worker=$(json .survival.worker)
	# Memory that is free is given back two seconds later.
	sleep 5
	first=$(wakeups "$worker")
	sleep 5
	second=$(wakeups "$worker")
	echo "$first, $second wake-ups"
	[ "$second" -le $((first + 2)) ]
}

@test "settle: settle= by option, file and remount; off; bad values" {
	zsfs_mount
	same "$(control settle_after)" 30
	same "$(json .settle)" 30
	echo off >"$M/.zsctl/settle_after"
	same "$(control settle_after)" off
	mount -o remount,settle=0 "$M" 2>/dev/null || echo 0 >"$M/.zsctl/settle_after"
	same "$(control settle_after)" 0
	for bad in "" on -1 1001 1.5 30s; do
		fails sh -c "echo '$bad' >'$M/.zsctl/settle_after'"
	done
	same "$(control settle_after)" 0
	text 2000000 >"$M/f"
	poll 10 is_settled
	zsfs_umount
	refused settle 1001 -- "$ZSFS" -o settle=1001 "$M"
	zsfs_mount -o settle=off
	text 2000000 >"$M/f"
	sleep 2
	[[ $(control settle) =~ ^"0 / "[1-9] ]]
	expect_log "bad value"
}

@test "settle: another settle_after holds for what was written before, too" {
	zsfs_mount -o settle=1000
	text 2000000 >"$M/f"
	# The walk is due in 1000 seconds.
	sleep 2
	[[ $(control settle) =~ ^"0 / "[1-9] ]]
	echo 1 >"$M/.zsctl/settle_after"
	poll 10 is_settled
	# Young blocks are left for a walk that would be due in four minutes.
	echo 1000 >"$M/.zsctl/settle_after"
	text 2000000 >"$M/g"
	sleep 2
	echo off >"$M/.zsctl/settle_after"
	sleep 1
	fails is_settled
	echo 1 >"$M/.zsctl/settle_after"
	poll 10 is_settled
	verify_clean
}

@test "settle: off ends a walk that is under way, and who asks is served" {
	zsfs_mount -o settle=off
	for i in 1 2 3 4; do text 40000000 >"$M/$i"; done
	echo 0 >"$M/.zsctl/settle_after"
	poll 10 is_begun
	echo off >"$M/.zsctl/settle_after"
	sleep 0.3
	first=$(control settle)
	sleep 1
	same "$(control settle)" "$first"
	fails is_settled
	settle &
	stat "$M/1" >/dev/null
	wait $!
	is_settled
	verify_clean
}

@test "settle: who asks can be ended, and it goes on" {
	zsfs_mount -o settle=off,dense=zstd:19
	for i in 1 2 3; do text 40000000 >"$M/$i"; done
	sh -c 'echo 1 >"$1"' - "$M/.zsctl/settle" &
	poll 10 is_begun
	kill -9 $!
	start=$SECONDS
	wait $! || true
	[ $((SECONDS - start)) -lt 2 ]
	fails is_settled
	same "$(control last_cmd_status)" "settle: goes on by itself"
	echo zstd:1 >"$M/.zsctl/dense"
	settle
	is_settled
	verify_clean
}

@test "settle: a successor goes on with what the dead worker had begun" {
	root_only
	zsfs_mount -o settle=2
	for i in 1 2 3 4 5 6; do
		text $((i * 1000000)) >"$M/$i"
		kill -9 "$(json .survival.worker)"
		sleep 0.5
	done
	poll 15 is_settled
	kill -9 "$(json .survival.worker)"
	drop_cache
	for i in 1 2 3 4 5 6; do
		cmp <(text $((i * 1000000))) "$M/$i"
	done
	verify_clean
	expect_log "killed|died|takes over|took over"
}

@test "settle: text fits twice where memory ends, unless it is off" {
	expect_late_losses
	zsfs_mount -o mem_limit=40M,settle=1000
	text 10000000 >"$T/f"
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		cat "$T/f" >"$M/$n" || break
	done 2>/dev/null
	rm "$M/$n"
	echo "$n files"
	zsfs_umount
	with=$n
	zsfs_mount -o mem_limit=40M,settle=off
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		cat "$T/f" >"$M/$n" || break
	done 2>/dev/null
	echo "$n files"
	[ "$with" -gt $((n * 3 / 2)) ]
	verify_clean
}
