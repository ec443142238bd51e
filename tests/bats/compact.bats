#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Compaction, and memory that comes back.
load helpers

setup() { zsfs_setup; zsfs_only; zsfs_mount -o settle=off; }
teardown() { zsfs_teardown; }

# Files of one text block each, of many compressed sizes: f0, f1, ...
many_blocks() {
	"$PYTHON" - "$M" "$1" <<-'END'
		import os, random, sys
		rnd = random.Random(5)
		words = [os.urandom(3).hex().encode() for _ in range(5000)]
		for i in range(int(sys.argv[2])):
		    n = rnd.choice((20, 80, 200, 400, 600))
		    text = b" ".join(rnd.choice(words) for _ in range(n))
		    block = (text * (4096 // len(text) + 1))[:4096]
		    with open("%s/f%d" % (sys.argv[1], i), "wb") as f:
		        f.write(block)
	END
}

objs_are() { same "$(class_total obj_used)" "$1"; }

@test "compact: half of the blocks deleted, then packed" {
	many_blocks 8000
	before=$(class_total pages_used)
	(cd "$M" && cksum f*[13579] >"$T/sums" && rm f*[02468])
	poll 10 quiet objs_are 4000
	sparse=$(class_total pages_used)
	freeable=$(awk '$1 == "Total" { print $NF }' "$M/.zsstats/fullness")
	echo 1 >"$M/.zsctl/compact"
	packed=$(class_total pages_used)
	freed=$(control compact)
	echo "pages: $before full, $sparse sparse, $packed packed; $freed freed of $freeable"
	[ "$sparse" -gt $((packed + before / 10)) ]
	same "$(mm_stat 7)" $((sparse - packed))
	[ "$(mm_stat 7)" -ge $((freeable * 9 / 10)) ]
	# Free memory that was given back with them counts, too.
	[ "$freed" -ge "$(mm_stat 7)" ]
	drop_cache
	(cd "$M" && cksum f*) | diff "$T/sums" -
	# Again: nothing left to do.
	echo 1 >"$M/.zsctl/compact"
	same "$(class_total pages_used)" "$packed"
}

@test "compact: within 3 % of the least pages" {
	many_blocks 10000
	(cd "$M" && ls | awk 'BEGIN { srand(7) } rand() < 0.5' | xargs rm)
	n=$(ls "$M" | wc -l)
	poll 10 quiet objs_are "$n"
	echo 1 >"$M/.zsctl/compact"
	# The least a class needs is its objects in as few zspages as hold them.
	awk 'NF == 18 && NR > 1 && $17 {
		per = $14 ? $14 / ($16 / $17) : 1
		z = int(($15 + per - 1) / per)
		least += z * $17; used += $16 }
	END { print used, least; exit !(used <= least * 1.03) }' "$M/.zsstats/fullness"
}

@test "compact: all deleted, all given back" {
	inodes=$(json .content.inodes)
	many_blocks 5000
	random_file "$M/random" 50000000
	text_file "$M/text" 20000000
	full=$(mm_stat 3)
	rm -rf "${M:?}"/*
	poll 10 quiet objs_are 0
	same "$(class_total pages_used)" 0
	same "$(class_total obj_allocated)" 0
	same "$(mm_stat 1) $(mm_stat 2) $(mm_stat 6) $(mm_stat 8)" "0 0 0 0"
	same "$(json .content.inodes)" "$inodes"
	echo 1 >"$M/.zsctl/compact"
	given_back() { [ "$(mm_stat 3)" -lt $((45 << 20)) ]; }
	poll 10 given_back
	[ "$full" -gt $((50 << 20)) ]
}

@test "compact: the kernel gets the pages, not only the pool" {
	many_blocks 30000
	(cd "$M" && ls | awk 'NR % 8' | xargs rm)
	n=$(ls "$M" | wc -l)
	poll 10 quiet objs_are "$n"
	echo 1 >"$M/.zsctl/compact"
	pages=$(class_total pages_used)
	meta=$(json '.memory.window_bytes + .memory.root_bytes +
		4096 * (.memory.slab_pages + .memory.data_pages)')
	room=$((32 << 20))
	least=$((pages * 4096 + meta))
	[ $((least * 3 / 100)) -le $room ] || room=$((least * 3 / 100))
	echo "least $least, used $(mm_stat 3)"
	json .memory
	[ "$(mm_stat 3)" -le $((least + room)) ]
}

@test "compact: nothing is lost while files come and go" {
	many_blocks 3000
	(cd "$M" && cksum f* >"$T/sums")
	touch "$T/go"
	(while [ -e "$T/go" ]; do
		echo 1 >"$M/.zsctl/compact" || true
	done) 3>&- &
	pid=$!
	for i in 1 2 3 4 5 6; do
		expect ok -n 400 put "$M/t%d" 10000
		rm "$M"/t*
		drop_cache
		(cd "$M" && cksum f*) | diff "$T/sums" -
	done
	rm "$T/go"
	wait $pid
}

@test "compact: memory per byte stored stays small" {
	expect ok put "$M/f" 100000000 # random: stored raw
	stored=$(mm_stat 2)
	between 99900000 "$stored" 100100000
	# More is kept for what is hot, until nothing was written for two seconds.
	small() { [ "$(mm_stat 3)" -lt $((stored + (stored / 50) + (40 << 20))) ]; }
	poll 10 small
}

# What is kept because of hot blocks goes back when somebody looks, and all that
# is free with it.
no_hot() {
	echo 0 >"$M/.zsctl/hot"
}

@test "compact: what it gives back is counted, though nothing had to be packed" {
	no_hot
	random_file "$M/random" 140000000
	rm "$M/random"
	poll 10 quiet objs_are 0
	before=$(mm_stat 3)
	echo 1 >"$M/.zsctl/compact"
	after=$(mm_stat 3)
	[ "$before" -gt $((after + (16 << 20))) ]
	same "$(control compact)" $(((before - after) / 4096))
	same "$(mm_stat 7)" 0
	echo 1 >"$M/.zsctl/compact"
	same "$(control compact)" 0
}

# A store every tenth of a second (of zeros, which take no object) until
# end_busy, so that the mount is not idle however slow the test is.
begin_busy() {
	"$PYTHON" - "$M/busy" <<-'END' 3>&- &
		import os, sys, time
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
		while True:
		    os.pwrite(fd, bytes(1), 0)
		    time.sleep(0.1)
	END
	busy=$!
	on_teardown "kill $busy 2>/dev/null"
}

end_busy() {
	kill "$busy"
	wait "$busy" || true
}

@test "compact: an idle mount gives back what was freed, by itself" {
	no_hot
	least=$(mm_stat 3)
	begin_busy
	random_file "$M/random" 140000000
	expect ok -n 300 put "$M/f%d" 50000
	rm "$M"/random "$M"/f*[1-9]
	# Free, but kept at hand for a moment.
	poll 10 quiet objs_are $((30 * 13))
	[ "$(mm_stat 3)" -gt $((least + (20 << 20))) ]
	end_busy
	idle() { [ "$(mm_stat 3)" -lt $((least + (6 << 20))) ]; }
	poll 10 idle
	same "$(control compact)" 0
	drop_cache
	expect ok check "$M/f10" 0 50000 1
}

@test "compact: an idle mount packs its pool by itself, and is at rest then" {
	not_cached "the kernel tells the times of files later"
	many_blocks 8000
	(cd "$M" && cksum f*[13579] >"$T/sums" && rm f*[02468])
	poll 10 quiet objs_are 4000
	packed() { [ "$(json .pool.can_compact)" = 0 ]; }
	poll 10 packed
	[ "$(mm_stat 7)" -gt 300 ]
	same "$(json .pool.compactions)" 1
	same "$(json .pool.last_compacted)" "$(mm_stat 7)"
	pid=$(worker)
	sleep 4
	before=$(woken "$pid" | xargs)
	sleep 4
	same "$(woken "$pid" | xargs)" "$before"
	same "$(mm_stat 7)" "$(json .pool.last_compacted)"
	drop_cache
	(cd "$M" && cksum f*) | diff "$T/sums" -
}

@test "compact: workers that die while they pack an idle mount lose nothing" {
	root_only
	many_blocks 12000
	(cd "$M" && cksum f*[13579] >"$T/sums" && rm f*[02468])
	poll 10 quiet objs_are 6000
	sleep 1.9
	for _ in 1 2 3 4 5 6; do
		kill -9 "$(worker)" 2>/dev/null || true
		sleep 0.02
	done
	packed() { [ "$(json .pool.can_compact)" = 0 ]; }
	poll 20 packed
	drop_cache
	(cd "$M" && cksum f*) | diff "$T/sums" -
	expect_log "killed|died|takes over|took over"
}

@test "compact: what a worker that died had not given back, its successor does" {
	no_hot
	least=$(mm_stat 3)
	begin_busy
	random_file "$M/random" 140000000
	rm "$M/random"
	poll 10 quiet objs_are 0
	old=$(worker)
	kill -9 "$old"
	[ "$(mm_stat 3)" -gt $((least + (20 << 20))) ]
	end_busy
	successor() { [ "$(worker)" != "$old" ]; }
	poll 10 successor
	idle() { [ "$(mm_stat 3)" -lt $((least + (6 << 20))) ]; }
	poll 10 idle
}

# Times that the threads of the process have been woken, and its ticks of CPU time.
woken() {
	awk '/^voluntary/ { n += $2 } END { print n }' /proc/"$1"/task/*/status
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

@test "compact: an idle mount is not woken" {
	not_cached "the kernel tells the times of files later"
	expect ok -n 300 put "$M/f%d" 50000
	rm "$M"/f*[1-9]
	pid=$(worker) # a request: readers are watched for a moment after it
	sleep 6
	before=$(woken "$pid" | xargs)
	sleep 6
	same "$(woken "$pid" | xargs)" "$before"
}

# FILE is stored until memory is full, in blocks of 1500 bytes that do not
# compress and some zeros; then every other 16 KiB of it become zeros, so that
# half of nearly every zspage is free.
fragmented() {
	"$PYTHON" - "$1" <<-'END'
		import errno, os, random, sys
		r = random.Random(8)
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		size = 0
		try:
		    while True:
		        piece = b"".join(r.randbytes(1500) + bytes(2596)
		                         for _ in range(32))
		        size += os.pwrite(fd, piece, size)
		except OSError as e:
		    assert e.errno == errno.ENOSPC, e
		for off in range(0, size - 32768, 32768):
		    assert os.pwrite(fd, bytes(16384), off) == 16384
	END
}

# Then a mount does not pack its pool by itself.
keep_busy() {
	touch "$T/busy"
	(while [ -e "$T/busy" ]; do
		echo x >"$M/busy" || true
		sleep 0.3
	done) 2>/dev/null 3>&- &
	on_teardown "rm -f '$T/busy'; sleep 0.5"
}

mount_fragmented() {
	not_cached "write(2) does not say what found room"
	zsfs_umount
	zsfs_mount -o "$1,settle=off"
	keep_busy
	fragmented "$M/f"
	# The first new block has what is kept for writing over zeros packed, too.
	echo x >"$M/busy"
	holes=$(json .pool.can_compact)
	between 8000 "$holes" 100000
}

@test "compact: a full pool with holes takes what they have room for" {
	mount_fragmented mem_limit=192M
	sum=$(cksum <"$M/f")
	compacted=$(mm_stat 7)
	runs=$(json .pool.compactions)
	# The first packs what it needs, and not the whole pool.
	expect ok put "$M/g" 1048576
	between 1 $(($(mm_stat 7) - compacted)) 1000
	# None is short or refused, up to nine tenths of the holes.
	for n in $(seq $((holes * 9 / 10 / 256 - 1))); do
		expect 1048576 write "$M/g" wa 0 1048576 "$n"
	done
	between 10 $(($(json .pool.compactions) - runs)) "$holes"
	between $((holes * 8 / 10)) $(($(mm_stat 7) - compacted)) $((holes * 11 / 10))
	# Names, too, when not even they have room.
	expect ok -n 3000 mkdir "$M/d%d" 755
	drop_cache
	same "$(cksum <"$M/f")" "$sum"
	expect ok check "$M/g" 0 1048576 1
}

# How long the machine keeps anybody waiting is told by a process that only sends
# back what it gets.
@test "compact: who reads a file does not wait while its writer packs the pool" {
	mount_fragmented mem_limit=256M
	"$PYTHON" - "$M/f" "$holes" <<-'END' >"$T/out"
		import mmap, os, sys, threading, time
		name, holes = sys.argv[1], int(sys.argv[2])
		there, back = os.pipe(), os.pipe()
		if not os.fork():
		    os.close(there[1])
		    while os.read(there[0], 1):
		        os.write(back[1], b"x")
		    os._exit(0)
		fd = os.open(name, os.O_RDWR)
		end, done, worst, waited, n = os.fstat(fd).st_size, False, 0, 0, 0
		data = os.urandom(1 << 20)
		def write():
		    global done
		    for k in range(holes // 512):
		        assert os.pwrite(fd, data, end + (k << 20)) == 1 << 20
		    done = True
		t = threading.Thread(target=write)
		direct = os.open(name, os.O_RDONLY | os.O_DIRECT)
		page = mmap.mmap(-1, 4096)
		t.start()
		while not done and t.is_alive():
		    began = time.monotonic()
		    assert os.preadv(direct, [page], n % 1000 * 32768) == 4096
		    os.stat(name)
		    read = time.monotonic()
		    os.write(there[1], b"x")
		    os.read(back[0], 1)
		    worst = max(worst, read - began)
		    waited = max(waited, time.monotonic() - read)
		    n += 1
		t.join()
		assert done
		print(n, int(worst * 1000), int(waited * 1000))
	END
	read -r calls worst waited <"$T/out"
	echo "$calls reads, the longest $worst ms; the machine $waited ms"
	between 50 "$calls" 1000000
	between 0 "$worst" $((250 + 4 * waited))
}

@test "compact: several writers pack a full pool at once, and none gives up" {
	mount_fragmented mem_limit=192M
	local pids=() each=$((holes * 7 / 10 / 4 * 4096)) n
	for n in 1 2 3 4; do
		dd if=/dev/urandom of="$M/w$n" bs=256K count=$((each / 262144)) \
			iflag=fullblock status=none & pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n"
	done
	same "$(stat -c %s "$M"/w? | uniq)" $((each / 262144 * 262144))
}

@test "compact: worker after worker dies while a writer packs a full pool" {
	mount_fragmented mem_limit=192M
	sum=$(cksum <"$M/f")
	random_file "$T/want" $((holes * 2048))
	dd if="$T/want" of="$M/g" bs=1M status=none &
	local dd=$!
	while kill -0 $dd 2>/dev/null; do
		kill -9 "$(worker)" 2>/dev/null || true
		sleep 0.03
	done
	wait $dd
	drop_cache
	cmp "$T/want" "$M/g"
	same "$(cksum <"$M/f")" "$sum"
}
