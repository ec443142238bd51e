#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# .zsstats and .zsctl: names, formats, snapshots.
load helpers

STATS="classes fullness io_stat metrics mm_stat stats.json tiers"
CONTROLS="comp_algorithm compact dense hot last_cmd_status mem_limit mem_used_max nr_inodes settle settle_after size verify"

setup() {
	zsfs_setup
	zsfs_only
	zsfs_mount
	S=$M/.zsstats
	C=$M/.zsctl
}

teardown() { zsfs_teardown; }

# Some of everything: text, random, zeros, repeated words, small and large.
fill() {
	text_file "$M/text" 4000000
	random_file "$M/random" 2000000
	head -c 1000000 /dev/zero >"$M/zeros"
	expect ok -n 200 put "$M/small%d" 700
	yes 'seven b' | head -c 800000 >"$M/same"
}

@test "vfiles: found by name, not listed with the root" {
	same "$(ls -A "$M")" ""
	same "$(ls "$S" | sort | xargs)" "$STATS"
	same "$(ls "$C" | sort | xargs)" "$CONTROLS"
	same "$(find "$M" | xargs)" "$M"
	same "$(find "$S" "$C" -type f | wc -l)" 19
	same "$(stat -c '%F %a' "$S")" "directory 555"
	same "$(stat -c '%F' "$C")" "directory"
	for f in $STATS; do
		same "$(stat -c '%F %a' "$S/$f")" "regular file 444"
	done
	for f in $CONTROLS; do
		mode=600
		[ "$f" != last_cmd_status ] || mode=400
		same "$(stat -c '%F %a %u' "$C/$f")" "regular file $mode $(id -u)"
	done
	expect ENOENT stat "$S/none"
	expect ENOENT stat "$C/none"
	cp -r "$S" "$C" "$T/"
}

@test "vfiles: a clean tree for rm -rf, cp -a and du" {
	mkdir "$M/d"
	touch "$M/d/f" "$M/g"
	cp -a "$M/." "$T/copy"
	same "$(ls -A "$T/copy" | xargs)" "d g"
	rm -rf "${M:?}"/* "$M"/.[!.]* || true
	same "$(ls -A "$M")" ""
	same "$(cat "$C/size")" 0
}

@test "vfiles: the names are reserved, in the root only" {
	touch "$M/f"
	mkdir "$M/d"
	for n in .zsstats .zsctl; do
		expect EEXIST create "$M/$n" 644
		expect EEXIST mkdir "$M/$n" 755
		expect EEXIST symlink x "$M/$n"
		expect EEXIST mknod "$M/$n" p 644 0 0
		expect EEXIST link "$M/f" "$M/$n"
		expect EISDIR rename "$M/f" "$M/$n" # the kernel says that first
		expect EEXIST rename "$M/d" "$M/$n"
		expect EPERM rmdir "$M/$n"
		expect EPERM rename "$M/$n" "$M/x"
		expect EPERM chmod "$M/$n" 777
		expect EPERM chown "$M/$n" 1 1
		expect ok mkdir "$M/d/$n" 755
		expect ok rmdir "$M/d/$n"
		expect ok create "$M/d/$n" 644
		expect ok unlink "$M/d/$n"
	done
	expect ok stat "$M/f"
}

@test "vfiles: what is in the folders cannot be changed" {
	touch "$M/f"
	for f in "$S/classes" "$C/size"; do
		expect EPERM unlink "$f"
		expect EPERM chmod "$f" 666
		expect EPERM chown "$f" 1 1
		expect EPERM rename "$f" "$M/x"
		expect EPERM link "$f" "$M/x"
		got=$(fsop rename "$M/f" "$f")
		[[ $got == EPERM || $got == EEXIST ]]
	done
	for d in "$S" "$C"; do
		[[ $(fsop create "$d/new" 644) =~ ^(EPERM|EACCES)$ ]]
		[[ $(fsop mkdir "$d/new" 755) =~ ^(EPERM|EACCES)$ ]]
		[[ $(fsop rename "$M/f" "$d/new") =~ ^(EPERM|EACCES)$ ]]
		expect ENOENT stat "$d/new"
	done
	[[ $(fsop puts "$S/classes" 1) =~ ^(EPERM|EACCES)$ ]]
	fsop truncate "$S/classes" 0 # whatever it says
	grep -q Total "$S/classes"
	expect ok stat "$M/f"
}

@test "vfiles: statistics are for everybody, controls for the owner" {
	root_only
	expect ok -u 1000:1000 cat "$S/classes"
	expect EACCES -u 1000:1000 cat "$C/size"
	expect EACCES -u 1000:1000 puts "$C/size" 0
	expect EACCES -u 1000:1000 puts "$C/compact" 1
	mkdir "$T/m2"
	first=$DAEMON
	zsfs_start "$T/m2" -o uid=1000
	expect ok -u 1000:1000 cat "$T/m2/.zsctl/size"
	expect 4 -u 1000:1000 puts "$T/m2/.zsctl/size" 100M
	same "$(cat "$T/m2/.zsctl/size")" 104857600
	expect ok -u 1000:1000 open "$T/m2/.zsctl/size" wt # as the shell's > does
	expect EACCES -u 1001:1001 cat "$T/m2/.zsctl/size"
	zsfs_umount "$T/m2"
	wait_daemon
	DAEMON=$first
}

@test "vfiles: classes has the seed's format, byte for byte" {
	fill
	cp "$S/classes" "$T/c"
	same "$(head -n 1 "$T/c")" " class  size almost_full almost_empty obj_allocated   obj_used pages_used pages_per_zspage"
	awk '
	NR == 1 { next }
	$1 == "Total" { done = 1
		want = sprintf(" %5s %5s %11d %12d %13d %10d %10d", "Total", "", f, e, a, u, p)
		if ($0 != want) bad("total")
		next }
	/^$/ { blank++; next }
	{ want = sprintf(" %5d %5d %11d %12d %13d %10d %10d %16d", $1, $2, $3, $4, $5, $6, $7, $8)
	  if ($0 != want || NF != 8) bad("row")
	  if ($2 != 32 + 16 * $1) bad("size")
	  if (NR > 2 && $1 <= last) bad("order")
	  if ($6 > $5 || $7 % $8) bad("counts")
	  last = $1; rows++
	  f += $3; e += $4; a += $5; u += $6; p += $7 }
	function bad(what) { print what ": " NR ": " $0; failed = 1 }
	END { if (!done || blank != 1 || rows != 119) bad("end " rows)
	      exit failed }' "$T/c"
	same "$(tail -c 1 "$T/c" | od -An -tx1 | tr -d ' ')" 0a
	[ "$(class_total obj_used)" -gt 500 ]
}

@test "vfiles: fullness has the modern kernel's columns" {
	fill
	rm "$M"/small*[13579]
	cp "$S/fullness" "$T/f"
	same "$(head -n 1 "$T/f")" " class  size       10%       20%       30%       40%       50%       60%       70%       80%       90%       99%      100% obj_allocated   obj_used pages_used pages_per_zspage freeable"
	awk '
	function groups(	i, s) { s = ""
		for (i = 3; i <= 13; i++) s = s sprintf("%9d ", $i)
		return s }
	NR == 1 { next }
	$1 == "Total" { done = 1; s = ""
		for (i = 1; i <= 11; i++) s = s sprintf("%9d ", g[i])
		want = sprintf(" %5s %5s ", "Total", "") s sprintf("%13d %10d %10d %16s %8d", a, u, p, "", fr)
		if ($0 != want) bad("total, not " want)
		next }
	/^$/ { blank++; next }
	{ want = sprintf(" %5d %5d ", $1, $2) groups() sprintf("%13d %10d %10d %16d %8d", $14, $15, $16, $17, $18)
	  if ($0 != want || NF != 18) bad("row")
	  for (i = 1; i <= 11; i++) { g[i] += $(i + 2); z += $(i + 2) }
	  if (z * $17 != $16) bad("zspages")
	  z = 0; rows++; a += $14; u += $15; p += $16; fr += $18 }
	function bad(what) { print what ": " NR ": " $0; failed = 1 }
	END { if (!done || blank != 1 || rows != 119) bad("end " rows)
	      exit failed }' "$T/f"
}

@test "vfiles: the two tables agree" {
	fill
	awk 'NF == 8 && NR > 1 { print $1, $2, $5, $6, $7, $8 }' "$S/classes" >"$T/a"
	awk 'NF == 18 && NR > 1 { print $1, $2, $14, $15, $16, $17 }' "$S/fullness" >"$T/b"
	diff "$T/a" "$T/b"
	[ -s "$T/a" ]
}

@test "vfiles: chain_size decides the classes" {
	zsfs_umount
	wait_daemon
	for n in "4 69" "16 192"; do
		set -- $n
		zsfs_mount -o chain_size="$1"
		same "$(awk 'NF == 8' "$S/classes" | tail -n +2 | wc -l)" "$2"
		zsfs_umount
		wait_daemon
	done
}

@test "vfiles: mm_stat has zram's nine columns" {
	fill
	# shellcheck disable=SC2046
	set -- $(cat "$S/mm_stat")
	same $# 9
	same "$(cat "$S/mm_stat")" "$(printf '%8d %8d %8d %8d %8d %8d %8d %8d %8d' "$@")"
	blocks=$(($(find "$M" -type f -printf '%b + ') 0))
	same "$1" $((blocks * 512))              # orig_data_size
	between 2000000 "$2" "$1"                # compr_data_size
	[ "$3" -gt "$2" ]                        # mem_used_total
	same "$4" "$(control mem_limit)"         # mem_limit
	[ "$5" -ge "$3" ]                        # mem_used_max
	between $((1000000 / 4096)) "$6" 500     # same_pages
	between $((2000000 / 4096)) "$8" 600     # huge_pages
	[ "$9" -ge "$8" ]                        # huge_pages_since
	rm "$M/random"
	[ "$(mm_stat 8)" -lt 100 ]
	same "$(mm_stat 9)" "$9"
}

@test "vfiles: io_stat has zram's four columns" {
	# shellcheck disable=SC2046
	set -- $(cat "$S/io_stat")
	same $# 4
	same "$(cat "$S/io_stat")" "$(printf '%8d %8d %8d %8d' "$@")"
	same "$1 $2 $3" "0 0 0"
	expect ok put "$M/f" 409600
	rm "$M/f"
	freed() { [ "$(awk '{ print $4 }' "$S/io_stat")" -ge $(($1 + 100)) ]; }
	poll 5 freed "$4"
}

@test "vfiles: stats.json is valid and agrees with the others" {
	fill
	jq . "$S/stats.json" >/dev/null
	same "$(json .content.compr_data_size)" "$(mm_stat 2)"
	same "$(json .content.orig_data_size)" "$(mm_stat 1)"
	same "$(json .memory.used)" "$(mm_stat 3)"
	same "$(json .pool.pages_used)" "$(class_total pages_used)"
	same "$(json .pool.objs_used)" "$(class_total obj_used)"
	same "$(json '[.classes[].obj_used] | add')" "$(class_total obj_used)"
	same "$(json .limits.mem_limit)" "$(control mem_limit)"
	same "$(json .content.corrupt_blocks)" 0
	same "$(json .environment.pid)" "$DAEMON"
	same "$(json '.requests | has("lookup")')" true
	same "$(json '[.. | numbers | select(. < 0)] | length')" 0
}

@test "vfiles: the size is exact, reading by pieces gives the whole" {
	fill
	for f in "$S"/* "$C"/*; do
		[ -e "$f" ] || continue
		"$PYTHON" - "$f" <<-'END'
			import os, sys
			fd = os.open(sys.argv[1], os.O_RDONLY)
			size = os.fstat(fd).st_size
			text = b""
			while True:
			    piece = os.read(fd, 7)
			    if not piece:
			        break
			    text += piece
			assert len(text) == size, (len(text), size)
			assert size > 0 and text.endswith(b"\n")
			assert os.pread(fd, 100, size) == b""
			assert os.pread(fd, 3, 2) == text[2:5]
		END
	done
	for f in classes fullness mm_stat io_stat tiers; do
		same "$(wc -c <"$S/$f")" "$(cat "$S/$f" | wc -c)"
		same "$(stat -c %s "$S/$f")" "$(cat "$S/$f" | wc -c)"
	done
}

@test "vfiles: one descriptor is one snapshot, the next sees the change" {
	"$PYTHON" - "$M" <<-'END'
		import os, sys
		top = sys.argv[1]
		name = top + "/.zsstats/classes"
		fd = os.open(name, os.O_RDONLY)
		start = os.read(fd, 300)
		with open(top + "/data", "wb") as f:
		    f.write(os.urandom(3000000))
		rest = os.read(fd, 1 << 20)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		again = os.pread(fd, 1 << 20, 0)
		assert start + rest == again
		assert os.fstat(fd).st_size == len(again)
		with open(name, "rb") as f:
		    assert f.read() != again
		stat1, stat2 = os.stat(name), os.stat(name)
		assert stat1.st_ino == stat2.st_ino
	END
}

@test "vfiles: many snapshots held open at once" {
	"$PYTHON" - "$M" <<-'END'
		import os, sys
		top = sys.argv[1]
		held = []
		for i in range(200):
		    fd = os.open(top + "/.zsstats/mm_stat", os.O_RDONLY)
		    held.append((fd, os.read(fd, 4096)))
		    with open(top + "/f%d" % i, "wb") as f:
		        f.write(os.urandom(5000))
		for fd, text in held:
		    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		    assert os.pread(fd, 4096, 0) == text
		assert len({text for _, text in held}) > 100
	END
}

# hold UID COUNT NAME: process $HOLDER has .zsstats/NAME open $HELD times: as often
# as can be, up to COUNT.
hold() {
	cat >"$T/hold.py" <<-'END'
		import errno, os, sys, time
		uid, count, name, out = sys.argv[1:]
		os.setgid(int(uid))
		os.setuid(int(uid))
		held = []
		for i in range(int(count)):
		    try:
		        held.append(os.open(name, os.O_RDONLY))
		    except OSError as e:
		        assert e.errno == errno.ENFILE, e
		        break
		with open(out + ".new", "w") as f:
		    print(len(held), file=f)
		os.rename(out + ".new", out)
		time.sleep(600)
	END
	chmod 755 "$T" && mkdir -p "$T/held" && chmod 1777 "$T/held"
	rm -f "$T/held/$1"
	(ulimit -n 5000 && exec "$PYTHON" "$T/hold.py" "$1" "$2" "$S/$3" \
		"$T/held/$1") 3>&- &
	HOLDER=$!
	on_teardown "kill $HOLDER 2>/dev/null || true"
	poll 20 test -s "$T/held/$1"
	HELD=$(cat "$T/held/$1")
}

@test "vfiles: one user's snapshots leave room for everybody else's" {
	root_only
	hold 1000 3000 mm_stat
	between 100 "$HELD" 400
	expect ENFILE -u 1000:1000 cat "$S/classes"
	# Another user, root's statistics and controls.
	expect ok -u 1001:1001 cat "$S/classes"
	for f in "$S"/* "$C"/*; do
		cat "$f" >/dev/null
	done
	hold 1001 3000 fullness
	hold 1002 3000 fullness
	hold 1003 3000 stats.json
	# Not if root holds all that it may have, too.
	hold 0 3000 classes
	for f in "$C"/*; do
		cat "$f" >/dev/null
	done
	echo 1 >"$C/verify"
	same "$(cat "$C/verify")" clean
}

@test "vfiles: shares of snapshots survive a takeover" {
	root_only
	[ "$(json .survive)" = true ] || skip "needs Linux 6.9"
	hold 1000 3000 mm_stat
	kill -9 "$(worker)"
	poll 10 quiet cat "$S/mm_stat"
	expect ENFILE -u 1000:1000 cat "$S/classes"
	echo 1 >"$C/verify"
	same "$(cat "$C/verify")" clean
	"$ZSFS" --replace "$M"
	expect ENFILE -u 1000:1000 cat "$S/classes"
	kill $HOLDER
	one_more() { [ "$(fsop -u 1000:1000 cat "$S/classes")" = ok ]; }
	poll 10 one_more
}

@test "vfiles: snapshots do not take what overwriting at the limit needs" {
	not_cached "write(2) does not say what found room"
	root_only
	zsfs_umount
	wait_daemon
	zsfs_mount -o mem_limit=16M
	dd if=/dev/urandom of="$M/f" bs=64k 2>/dev/null || true
	size=$(stat -c %s "$M/f")
	before=$(mm_stat 3)
	for uid in 1000 1001; do
		hold $uid 3000 fullness
		[ "$HELD" -gt 0 ]
	done
	same "$(mm_stat 3)" "$before"
	for _ in 1 2 3; do
		expect 1000000 write "$M/f" w $((size - 1000000)) 1000000 5
	done
	expect ok truncate "$M/f" 100001
}

@test "vfiles: readers of a changing pool never see a torn table" {
	cat >"$T/reader.py" <<-'END'
		import sys, time
		top, end, n = sys.argv[1], time.time() + 6, 0
		while time.time() < end:
		    with open(top + "/.zsstats/classes") as f:
		        lines = f.read().split("\n")
		    rows = [list(map(int, s.split())) for s in lines[1:-3]]
		    assert lines[-3] == "" and lines[-1] == "", lines[-3:]
		    total = list(map(int, lines[-2].split()[1:]))
		    assert len(rows) == 119
		    sums = [sum(r[c] for r in rows) for c in range(2, 7)]
		    assert sums == total, (sums, total)
		    for r in rows:
		        assert r[5] <= r[4], r
		    n += 1
		assert n > 20, n
	END
	for r in 1 2; do
		"$PYTHON" "$T/reader.py" "$M" >"$T/reader$r" 2>&1 3>&- &
		readers+=($!)
	done
	touch "$T/go"
	(i=0
	while [ -e "$T/go" ]; do
		i=$((i + 1))
		fsop -n 100 put "$M/w$i-%d" 9000 >/dev/null
		rm -f "$M"/w$i-*
		echo 1 >"$M/.zsctl/compact" || true
	done) 3>&- &
	writer=$!
	wait "${readers[@]}" || { cat "$T"/reader?; false; }
	rm "$T/go"
	wait $writer
}

@test "virtual files: the manual's line for the ratio, on an empty mount too" {
	line=$(sed -n "s/^awk/awk/p" "$TOP/man/zsfs.1")
	[ -n "$line" ]
	grep -qxF "    $line" "$TOP/README.md"
	line=${line/"/mnt/z"/'"$M"'}
	[[ $(eval "$line") =~ ^[0-9]+\ [0-9]+\ [0-9.]+$ ]]
	head -c 4000000 /dev/zero | tr '\0' x >"$M/f"
	[[ $(eval "$line") =~ ^4001792\ [0-9]+\ [0-9.]+$ ]]
}

@test "vfiles: the root tells statistics in one request" {
	need getfattr
	head -c 100000 /usr/bin/bash >"$M/f"
	stats() { getfattr --absolute-names --only-values -n zsfs.stats "$@"; }
	stats "$M" >"$T/stats"
	# The same as the file but for the classes, what counts requests, and the
	# standby, which comes when it is ready.
	members() { jq -S 'del(.classes, .requests, .readers, .survival.standby)'; }
	same "$(members <"$T/stats")" "$(json . | members)"
	same "$(jq .classes "$T/stats")" null
	fails stats "$M/f"
	fails setfattr -n zsfs.stats -v 1 "$M"
	run -0 getfattr -d -m - "$M"
	same "$output" ""
	root_only
	need setpriv
	chmod 755 "$M"
	[ -n "$(as $NOBODY getfattr --only-values -n zsfs.stats "$M")" ]
	zsfs_umount
	wait_daemon
	zsfs_mount -o hidestats,mode=755
	[ -n "$(stats "$M")" ]
	fails as $NOBODY getfattr --only-values -n zsfs.stats "$M"
}
