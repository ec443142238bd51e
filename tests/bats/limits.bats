#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# size=, mem_limit=, nr_inodes=: clean ENOSPC, nothing lost, honest statfs.
load helpers

setup() {
	zsfs_setup
	expect_late_losses
}
teardown() { zsfs_teardown; }

# fill_up FILE: random bytes until ENOSPC; a copy of what fitted is in $T/want.
fill_up() {
	"$PYTHON" - "$1" "$T/want" <<-'END'
		import errno, os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
		keep = open(sys.argv[2], "wb")
		short = False
		while True:
		    data = os.urandom(1000000)
		    try:
		        n = os.write(fd, data)
		    except OSError as e:
		        assert e.errno == errno.ENOSPC, e
		        break
		    assert n > 0
		    assert not short, "wrote more after a short write"
		    keep.write(data[:n])
		    short = n < len(data)
		print("filled with", keep.tell())
	END
}

@test "limits: size ends in a short write, then ENOSPC" {
	not_cached "write(2) does not say what found room"
	zsfs_mount -o size=16M
	expect 16777216 write "$M/f" wc 0 20000000 1
	expect ENOSPC write "$M/f" wa 0 1 1
	expect ENOSPC put "$M/g" 1
	drop_cache
	expect ok check "$M/f" 0 16777216 1
	same "$(stat -c %s "$M/f")" 16777216
	same "$(stat -f -c %a "$M")" 0
	expect ok truncate "$M/f" 16773120
	expect 4096 write "$M/f" wa 0 5000 2
}

@test "limits: by default an inode for each 8 KiB of RAM, as on tmpfs" {
	zsfs_only
	zsfs_mount
	# What the control groups allow may be less.
	between 1 "$(control nr_inodes)" \
		$(($(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo) / 8))
	same "$(control nr_inodes)" "$(json .limits.nr_inodes)"
	same "$(control nr_inodes)" $(($(json .limits.mem_limit) / 4096))
	[ "$(stat -f -c %c "$M")" -le "$(control nr_inodes)" ]
	echo 0 >"$M/.zsctl/nr_inodes"
	same "$(control nr_inodes)" 0
}

@test "limits: a control group's limit counts for the default of nr_inodes" {
	zsfs_only
	make_group $((256 << 20))
	start_in_group "$GROUP"
	same "$(control nr_inodes)" $((128 << 20 >> 12))
}

@test "limits: overwriting and metadata work at the size limit" {
	zsfs_mount -o size=8M
	expect 8388608 write "$M/f" wc 0 8388608 1
	expect 5000000 write "$M/f" w 1000 5000000 2
	drop_cache
	expect ok check "$M/f" 1000 5000000 2
	expect ok check "$M/f" 5001000 3387608 1
	expect ok chmod "$M/f" 600
	expect ok rename "$M/f" "$M/g"
	expect ok link "$M/g" "$M/h"
	expect ok symlink x "$M/s"
	expect ok unlink "$M/g"
	expect ok unlink "$M/h"
	expect 8388608 write "$M/f" wc 0 8388608 3
}

@test "limits: holes are free of charge" {
	zsfs_mount -o size=1M
	expect ok create "$M/f" 644
	expect ok truncate "$M/f" 1099511627776
	expect 4096 write "$M/f" w 549755813888 4096 1
	same "$(stat -f -c '%b %f' "$M")" "256 255"
}

@test "limits: used space agrees with du" {
	zsfs_mount -o size=100M
	expect ok put "$M/a" 1000000
	expect ok put "$M/b" 1
	head -c 500000 /dev/zero >"$M/zeros"
	expect ok truncate "$M/b" 100000000
	mkdir "$M/d"
	expect ok -n 100 put "$M/d/f%d" 5000
	blocks=$(($(find "$M" -type f -printf '%b + ') 0))
	same "$(($(stat -f -c '%b - %f' "$M")))" $((blocks / 8))
}

@test "limits: mem_limit ends in ENOSPC, what was written stays" {
	not_cached "write(2) does not say what found room"
	zsfs_only
	zsfs_mount -o mem_limit=128M
	fill_up "$M/f"
	drop_cache
	cmp "$T/want" "$M/f"
	[ "$(stat -c %s "$M/f")" -gt $((100 * 2 ** 20)) ]
	[ "$(mm_stat 3)" -le $((128 * 2 ** 20)) ]
	[ "$(mm_stat 5)" -le $((128 * 2 ** 20)) ]
	same "$(stat -f -c %a "$M")" 0
}

@test "limits: at mem_limit deleting, truncating and overwriting work" {
	not_cached "write(2) does not say what found room"
	zsfs_only
	zsfs_mount -o mem_limit=128M
	expect ok -n 50 put "$M/small%d" 5000
	fill_up "$M/f"
	# Random over random compresses no worse.
	for off in 0 12345 5000000 50000000; do
		expect 3000000 write "$M/f" w $off 3000000 5
	done
	drop_cache
	expect ok check "$M/f" 50000000 3000000 5
	cmp -i 60000000 "$T/want" "$M/f"
	expect ok rename "$M/small1" "$M/renamed"
	expect ok unlink "$M/small2"
	expect ok chmod "$M/f" 600
	expect ok truncate "$M/f" 60000000
	expect 20000000 write "$M/f" wa 0 20000000 6
	rm "$M/f"
	expect ok -n 49 stat "$M/renamed"
	poll 10 quiet fsop put "$M/again" 90000000
	drop_cache
	expect ok check "$M/again" 0 90000000 1
}

@test "limits: a block that does not fit keeps its old content" {
	not_cached "write(2) does not say what found room"
	zsfs_only
	zsfs_mount -o mem_limit=96M
	text_file "$T/text" 30000000
	cp "$T/text" "$M/text"
	fill_up "$M/f"
	"$PYTHON" - "$M/text" "$T/text" <<-'END'
		import errno, os, sys
		old = open(sys.argv[2], "rb").read()
		fd = os.open(sys.argv[1], os.O_RDWR)
		now, failures = bytearray(old), 0
		for off in range(0, len(old) - 300000, 300000):
		    new = os.urandom(300000)
		    try:
		        n = os.pwrite(fd, new, off)
		    except OSError as e:
		        assert e.errno == errno.ENOSPC, e
		        n = 0
		    failures += n < 300000
		    now[off:off + n] = new[:n]
		assert failures > 10, failures
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		for off in range(0, len(old), 1 << 20):
		    want = bytes(now[off:off + (1 << 20)])
		    assert os.pread(fd, 1 << 20, off) == want, off
	END
	cmp "$T/want" "$M/f"
}

@test "limits: statfs keeps its promise of mem_limit" {
	zsfs_only
	zsfs_mount -o mem_limit=200M
	text_file "$M/text" 10000000
	expect ok -n 500 put "$M/small%d" 700
	promise=$(available)
	[ "$promise" -gt $((150 * 2 ** 20)) ]
	random_file "$T/data" "$promise"
	dd if="$T/data" of="$M/f" bs=1M status=none
	drop_cache
	cmp "$T/data" "$M/f"
	# Not far too little either: no tenth more would have fitted.
	if ! all_have writeback; then
		fsop put "$M/more" $((promise / 10)) >/dev/null
		[ "$(stat -c %s "$M/more")" -lt $((promise / 10)) ]
	else
		expect ENOSPC put "$M/more" $((promise / 5))
	fi
}

@test "limits: statfs keeps its promise when asked again and again" {
	zsfs_only
	zsfs_mount -o mem_limit=128M
	for i in 1 2 3 4 5 6 7 8; do
		n=$(($(available) / 2))
		random_file "$T/data" $n
		dd if="$T/data" of="$M/f$i" bs=256k status=none
		[ $((i % 3)) != 0 ] || rm "$M/f$((i - 1))"
	done
	random_file "$T/data" "$(available)"
	cp "$T/data" "$M/last"
	drop_cache
	cmp "$T/data" "$M/last"
}

@test "limits: statfs keeps its promise of size" {
	zsfs_mount -o size=50M
	expect ok put "$M/a" 12345
	rest=$(available)
	same "$rest" $((50 * 2 ** 20 - 16384))
	expect ok put "$M/f" "$rest"
	same "$(stat -c %s "$M/f")" "$rest"
	expect ENOSPC put "$M/g" 1
}

@test "limits: nr_inodes counts every kind, and they come back" {
	zsfs_mount -o nr_inodes=101
	free=$(stat -f -c %d "$M")
	same "$(stat -f -c %c "$M")" 101
	expect ENOSPC -n 1000 create "$M/f%d" 644
	same "$(stat -f -c %d "$M")" 0
	expect ENOSPC mkdir "$M/d" 755
	expect ENOSPC symlink x "$M/s"
	expect ENOSPC mknod "$M/p" p 644 0 0
	expect 5 write "$M/f1" w 0 5 1
	rm "$M"/f?
	gone() { [ "$(stat -f -c %d "$M")" = 10 ]; }
	poll 5 gone
	expect ok mkdir "$M/d" 755
	expect ok symlink x "$M/s"
	expect ok create "$M/d/f" 644
	same "$(stat -f -c %d "$M")" 7
	rm -rf "${M:?}"/*
	all_back() { [ "$(stat -f -c %d "$M")" = "$free" ]; }
	poll 5 all_back
}

# Forgotten files come back behind the request that removed them, and the next
# one may be faster.
@test "limits: what was deleted makes room for the very next call" {
	zsfs_mount -o nr_inodes=21,size=1M
	"$PYTHON" - "$M" <<-'E'
		import errno, os, sys
		os.chdir(sys.argv[1])
		def make(name):
		    os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_EXCL))
		try:
		    for k in range(100):
		        make("f%d" % k)
		except OSError as e:
		    assert e.errno == errno.ENOSPC and k == 20, (e, k)
		for k in range(300):
		    os.unlink("f0")
		    os.mkdir("d")
		    os.rmdir("d")
		    make("f0")
		    os.rename("f1", "f0")
		    os.symlink("f0", "f1")
		    os.unlink("f1")
		    make("f1")
		for k in range(300):
		    with open("f0", "wb", buffering=0) as f:
		        if k % 2:
		            os.posix_fallocate(f.fileno(), 0, 1 << 20)
		        else:
		            assert f.write(bytes(1 << 20)) == 1 << 20
		            os.fsync(f.fileno())
		    os.rename("f1", "f0")
		    make("f1")
	E
}

@test "limits: small files fill the memory and give it back" {
	zsfs_only
	zsfs_mount -o mem_limit=96M
	mkdir "$M/d"
	expect ENOSPC -n 1000000 put "$M/d/f%d" 3000
	n=$(ls "$M/d" | wc -l)
	[ "$n" -gt 15000 ]
	drop_cache
	expect ok check "$M/d/f0" 0 3000 1
	expect ok check "$M/d/f$((n - 2))" 0 3000 1
	rm -rf "${M:?}/d"
	none_used() { [ "$(class_total obj_used)" = 0 ]; }
	poll 10 none_used
	expect ok put "$M/f" 60000000
}

@test "limits: empty files fill the memory and give it back" {
	zsfs_only
	zsfs_mount -o mem_limit=32M
	before=$(available)
	mkdir "$M/d"
	expect ENOSPC -n 2000000 create "$M/d/f%d" 644
	n=$(ls "$M/d" | wc -l)
	[ "$n" -gt 25000 ]
	same "$("$ZSFS_TOOLS/dirscan" unlink "$M/d")" "$n"
	rmdir "$M/d"
	back() { [ "$(available)" -ge $((before * 9 / 10)) ]; }
	poll 10 back
}

@test "limits: removing a large tree works when full" {
	zsfs_only
	zsfs_mount -o mem_limit=96M
	mkdir -p "$M"/{a,b}/{c,d}/{e,f}
	expect ok -n 500 put "$M/a/c/e/f%d" 6000
	expect ok -n 500 put "$M/b/d/f/f%d" 6000
	fill_up "$M/big"
	rm -rf "${M:?}/a" "$M/b"
	same "$(ls "$M")" big
	expect ok put "$M/f" 3000000
}

@test "limits: changed live, up and down" {
	not_cached "write(2) does not say what found room"
	zsfs_only
	zsfs_mount -o mem_limit=96M
	fill_up "$M/f"
	expect ENOSPC -n 1000 put "$M/g%d" 100000
	echo 200M >"$M/.zsctl/mem_limit"
	[ "$(available)" -gt $((80 * 2 ** 20)) ]
	expect ok put "$M/h" 50000000
	# Below what is in use: nothing is lost, nothing more fits.
	echo 64M >"$M/.zsctl/mem_limit"
	same "$(stat -f -c %a "$M")" 0
	[[ $(fsop put "$M/i" 30000000) != ok || $(stat -c %s "$M/i") -lt 30000000 ]]
	drop_cache
	cmp "$T/want" "$M/f"
	expect ok check "$M/h" 0 50000000 1
	rm -f "$M"/[fghi]*
	below() { [ "$(mm_stat 3)" -le $((64 * 2 ** 20)) ]; }
	poll 10 below
	expect ok put "$M/i" 30000000
	drop_cache
	expect ok check "$M/i" 0 30000000 1
}

@test "limits: several writers reach the limit together" {
	zsfs_only
	zsfs_mount -o mem_limit=96M
	for i in 1 2 3 4; do
		(dd if=/dev/urandom of="$M/f$i" bs=100k 2>"$T/dd$i" || true) 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "$(grep -l 'No space left' "$T"/dd? | wc -l)" 4
	[ "$(mm_stat 5)" -le $((96 * 2 ** 20)) ]
	rm "$M"/f*
	empty() { [ "$(mm_stat 1)" = 0 ]; }
	poll 10 empty
}

@test "limits: a shared mapping over the limit: an error or all of it" {
	not_cached "write(2) does not say what found room"
	zsfs_only
	expect_log 'no room for a write to its shared mapping'
	zsfs_mount -o mem_limit=96M
	fill_up "$M/f"
	"$PYTHON" - "$M/map" <<-'END'
		import errno, mmap, os, sys
		size = 60 << 20
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, size)
		m = mmap.mmap(fd, size)
		for off in range(0, size, 1 << 20):
		    m[off:off + (1 << 20)] = os.urandom(1 << 20)
		try:
		    m.flush()
		    os.fsync(fd)
		    raise SystemExit("60 MiB fitted into a full mount")
		except OSError as e:
		    assert e.errno in (errno.ENOSPC, errno.EIO), e
	END
	cmp "$T/want" "$M/f"
	rm "$M/map"
}

@test "limits: late writes stay inside of mem_limit, and have a part of it" {
	not_cached "all of them may have the part of late ones"
	zsfs_only
	expect_log 'no room for a write to its shared mapping'
	zsfs_mount -o mem_limit=96M
	late=$(json .memory.late_reserve)
	same "$late" $((6 << 20))
	fill_up "$M/f"
	before=$(mm_stat 3)
	[ "$before" -le $(((96 << 20) - late - $(json .memory.reserve))) ]
	fill_by_map "$M/map" 30
	[ "$(mm_stat 3)" -gt "$before" ]
	[ "$(mm_stat 5)" -le $((96 << 20)) ]
	cmp "$T/want" "$M/f"
	# What overwriting needs is there still.
	expect 3000000 write "$M/f" w 12345 3000000 5
	[ "$(mm_stat 5)" -le $((96 << 20)) ]
}

@test "limits: with everything used up by late writes, looking and raising work" {
	zsfs_only
	expect_log 'no room for a write to its shared mapping'
	for limit in 16M 48M; do
		zsfs_mount -o mem_limit=$limit
		fill_by_map "$M/map" 128
		for file in "$M"/.zsstats/* "$M"/.zsctl/*; do
			cat "$file" >/dev/null
		done
		[ "$(mm_stat 5)" -le "$(mm_stat 4)" ]
		[ "$(stat -f -c %b "$M")" -gt 0 ]
		expect ok truncate "$M/map" 100001
		echo 256M >"$M/.zsctl/mem_limit"
		expect ok put "$M/h" 1000000
		rm "$M/map"
		zsfs_umount
		wait_daemon
	done
}

# What the log has of lost writes, in $shown (lines) and $told (of those left out).
read_log_of_lost() {
	local lines=$T/lines

	grep 'no room for a' "$LOG" >"$lines"
	told=$(sed -nE 's/.*[ (]([0-9]+) lines (like this )?left out.*/\1/p' "$lines" |
		awk '{ n += $1 } END { print n + 0 }')
	shown=$(($(wc -l <"$lines") - $(grep -c 'the last of' "$lines" || true)))
}

@test "limits: many lost late writes are few lines in the log, none in silence" {
	zsfs_only
	expect_log 'no room for a write to its shared mapping'
	zsfs_mount -o mem_limit=32M
	begun=$SECONDS
	for i in 1 2 3; do
		fill_by_map "$M/map" 200
	done
	lost=$(json .content.late_writes_lost)
	zsfs_umount
	wait_daemon
	secs=$((SECONDS - begun + 2))
	read_log_of_lost
	echo "$lost lost, $shown lines, $told left out, $secs s"
	[ "$lost" -gt 100 ]
	[ "$shown" -le $((5 * secs)) ]
	same $((shown + told)) "$lost"
}

# On one processor, where the others wait for the keeper when it has news.
keeper_first() {
	local worker task pid cpu

	worker=$(worker)
	cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
	for task in /proc/"$worker"/task/*; do
		renice -n 19 -p "${task##*/}"
		taskset -cp "$cpu" "${task##*/}"
	done >/dev/null
	for pid in $(processes_of "$M"); do
		taskset -cp "$cpu" "$pid" >/dev/null
	done
}

@test "limits: lost late writes are told of, though the keeper is the first to end" {
	zsfs_only
	need taskset renice
	expect_log 'no room for a write to its shared mapping'
	for i in 1 2 3 4; do
		: >"$LOG"
		zsfs_mount -o mem_limit=16M,nofollow_cpu
		fill_by_map "$M/map" 60
		lost=$(json .content.late_writes_lost)
		keeper_first
		zsfs_umount
		wait_daemon
		read_log_of_lost
		[ "$lost" -gt 20 ]
		same $((shown + told)) "$lost"
	done
}

# ---- memory control groups --------------------------------------------------

@test "limits: the default respects a 1 GiB control group, no oom-kill" {
	zsfs_only
	make_group $((1 << 30))
	start_in_group "$GROUP"
	between $((256 << 20)) "$(control mem_limit)" $((512 << 20))
	# The writer is in the group too, with its page cache.
	run in_group dd if=/dev/urandom of="$M/f" bs=1M count=2000
	[ "$status" != 0 ]
	[[ $output == *"No space left"* ]]
	same "$(oom_kills)" 0
	kill -0 "$DAEMON"
	[ "$(stat -c %s "$M/f")" -gt $((200 << 20)) ]
	in_group cksum "$M/f"
	same "$(oom_kills)" 0
	rm "$M/f"
	expect ok put "$M/g" 1000000
	zsfs_umount
	wait_daemon
}

@test "limits: the default respects the limit of a parent group" {
	zsfs_only
	make_group $((400 << 20))
	mkdir "$GROUP/child"
	on_teardown "rmdir $GROUP/child"
	start_in_group "$GROUP/child"
	between $((100 << 20)) "$(control mem_limit)" $((200 << 20))
	zsfs_umount
	wait_daemon
}

@test "limits: a mem_limit below what is in use locks nobody out" {
	not_cached "all of them may have the part of late ones"
	zsfs_mount -o mem_limit=1G
	run dd if=/dev/urandom of="$M/f" bs=1M count=100 status=none
	[ "$status" = 0 ]
	echo 20M >"$M/.zsctl/mem_limit"
	expect ENOSPC put "$M/g" 100000
	for file in "$M"/.zsstats/* "$M"/.zsctl/*; do
		cat "$file" >/dev/null
	done
	truncate -s 100001 "$M/f"
	echo 1G >"$M/.zsctl/mem_limit"
	expect ok put "$M/h" 1000000
}
