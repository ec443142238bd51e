#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# .zsctl: good values take effect, bad ones are EINVAL and change nothing.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	zsfs_mount -o size=512M,mem_limit=256M,nr_inodes=5000
	expect_late_losses
	C=$M/.zsctl
}

teardown() { zsfs_teardown; }

# refused FILE VALUES...: each is EINVAL, and the file says what it said.
refused() {
	local file=$1 before value

	shift
	before=$(control "$file")
	for value; do
		expect EINVAL puts "$C/$file" "$value"
		same "$(control "$file")" "$before"
	done
}

accepted() {
	expect ${#2} puts "$C/$1" "$2"
	same "$(control "$1")" "$3"
}

LONG=$(printf '1%.0s' {1..5000})

@test "ctl: the files show the options" {
	same "$(control size)" 536870912
	same "$(control mem_limit)" 268435456
	same "$(control nr_inodes)" 5000
	same "$(control compact)" 0
	[[ $(control comp_algorithm) == *"[lz4]"* ]]
	[ "$(control mem_used_max)" -gt 4096 ]
}

@test "ctl: size" {
	accepted size 64M 67108864
	accepted size 4096 4096
	accepted size $'1G\n' 1073741824
	accepted size 2T 2199023255552
	accepted size 100K 102400
	accepted size 0 0
	refused size $'\n' -1 -1M M 1x 1MM "1 2" "12 " abc 1.5M 0x1000 % -5% \
		18446744073709551616 99999999999999999999T 9223372036854775808G \
		$'1\n2' "$LONG" 1M,2M nan
}

@test "ctl: size follows in statfs" {
	accepted size 64M 67108864
	same "$(stat -f -c %b "$M")" 16384
	accepted size 32M 33554432
	same "$(stat -f -c %b "$M")" 8192
}

@test "ctl: size below what is in use is refused" {
	expect ok put "$M/f" 8388608
	refused size 4M 1
	accepted size 8M 8388608
	expect ENOSPC put "$M/g" 1
	rm "$M/g"
	accepted size 9M 9437184
	expect ok put "$M/g" 1
}

@test "ctl: mem_limit" {
	accepted mem_limit 128M 134217728
	accepted mem_limit $'1G\n' 1073741824
	accepted mem_limit 0 0
	refused mem_limit $'\n' -1 G 1x "1 2" abc 1.5G % 0% 101% -5% \
		18446744073709551616 99999999999999999999T "$LONG" 1 4096
	ram=$(awk '/MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
	expect 3 puts "$C/mem_limit" 10%
	between $((ram / 10 - 4096)) "$(control mem_limit)" $((ram / 10 + 4096))
}

@test "ctl: mem_limit below what is in use means deletions only" {
	not_cached "what finds no room is known later"
	random_file "$T/want" 40000000
	cp "$T/want" "$M/f"
	expect ok put "$M/g" 100000
	accepted mem_limit 32M 33554432
	same "$(stat -f -c %a "$M")" 0
	[ "$(mm_stat 3)" -gt $((32 << 20)) ]
	fsop put "$M/h" 5000000 >/dev/null
	[ "$(stat -c %s "$M/h")" -lt 5000000 ]
	rm "$M/h"
	drop_cache
	cmp "$T/want" "$M/f"
	expect ok rename "$M/g" "$M/i"
	expect ok truncate "$M/f" 20000001
	cmp -n 20000001 "$T/want" "$M/f"
	rm "$M/i"
	within() { [ "$(mm_stat 3)" -le $((32 << 20)) ]; }
	poll 10 within
	rm "$M/f"
	poll 10 quiet fsop put "$M/again" 5000000
}

@test "ctl: nr_inodes" {
	accepted nr_inodes 100 100
	accepted nr_inodes 2K 2048
	accepted nr_inodes $'1M\n' 1048576
	accepted nr_inodes 0 0
	refused nr_inodes $'\n' -1 K 1x "1 2" abc 1.5K 50% 18446744073709551616 \
		99999999999999999999G "$LONG"
	expect ok -n 20 create "$M/f%d" 644
	refused nr_inodes 10
	accepted nr_inodes 21 21 # the root counts, as in tmpfs
	expect ENOSPC create "$M/g" 644
}

@test "ctl: comp_algorithm" {
	for v in zstd zstd:19 zstd:1 none lz4:65537 lz4:1 lz4; do
		expect ${#v} puts "$C/comp_algorithm" "$v"
		[[ $(control comp_algorithm) == *"[${v%%:*}"*"]"* ]]
		same "$(control comp_algorithm | grep -o '\[' | wc -l)" 1
		same "$(control comp_algorithm | tr -d '[]' | grep -cw zstd)" 1
	done
	echo zstd >"$C/comp_algorithm"
	refused comp_algorithm $'\n' gzip ZSTD "zstd lz4" "lz4 " zstd: zstd:0 \
		zstd:20 zstd:-1 zstd:3x zstd:99999999999999999999 lz4:0 lz4:65538 \
		lz4:-1 lz4: none:1 "[lz4]" "$LONG" 1
}

@test "ctl: blocks of several algorithms live side by side" {
	text_file "$T/text" 3000000
	# Else who has a slow one sees what is not compressed yet.
	echo 0 >"$C/hot"
	for v in lz4 zstd none lz4:20 zstd:15; do
		echo $v >"$C/comp_algorithm"
		before=$(mm_stat 2)
		cp "$T/text" "$M/$v"
		echo "$v $(($(mm_stat 2) - before))" >>"$T/sizes"
	done
	drop_cache
	for v in lz4 zstd none lz4:20 zstd:15; do
		cmp "$T/text" "$M/$v"
	done
	awk '{ size[$1] = $2 } END {
		exit !(size["zstd:15"] <= size["zstd"] && size["zstd"] < size["lz4"] &&
			size["lz4"] < size["lz4:20"] && size["lz4:20"] < size["none"]) }' \
		"$T/sizes" || { cat "$T/sizes"; false; }
	# Rewriting part of a block of another algorithm.
	echo lz4 >"$C/comp_algorithm"
	expect 100 write "$M/zstd" w 5000 100 3
	drop_cache
	expect ok check "$M/zstd" 5000 100 3
	cmp -n 5000 "$T/text" "$M/zstd"
	cmp -i 5100 "$T/text" "$M/zstd"
}

@test "ctl: mem_used_max is a peak that can be reset" {
	random_file "$M/f" 60000000
	# What the kernel has cached would still make it grow.
	sync "$M/f"
	rm "$M/f"
	[ "$(control mem_used_max)" -ge 60000000 ]
	refused mem_used_max $'\n' 1 -1 abc 00x "$LONG"
	less() { [ "$(mm_stat 3)" -lt 50000000 ]; }
	poll 10 less
	echo 0 >"$C/mem_used_max"
	[ "$(control mem_used_max)" -lt 50000000 ]
	same "$(mm_stat 5)" "$(control mem_used_max)"
}

@test "ctl: compact takes anything and says the pages it freed" {
	for v in 1 0 all "$LONG"; do
		expect ${#v} puts "$C/compact" "$v"
		[[ $(control compact) =~ ^[0-9]+$ ]]
	done
}

@test "ctl: verify says clean" {
	same "$(control verify)" "never run"
	expect ok -n 100 put "$M/f%d" 20000
	echo 1 >"$C/verify"
	same "$(control verify)" clean
}

scrubbing() { [ "$(json .verify.scrubbed_blocks)" -gt 0 ]; }

@test "ctl: verify reads all content, and ends when who wants it is killed" {
	echo zstd >"$C/comp_algorithm"
	echo 4G >"$C/mem_limit"
	echo 0 >"$C/size"
	text_file "$T/text" 50000000
	for n in 1 2 3 4 5 6 7 8; do cp "$T/text" "$M/f$n"; done
	bash -c 'echo 1 >"$0"' "$C/verify" &
	pid=$!
	until scrubbing; do kill -0 $pid; done
	kill -9 $pid
	wait $pid || true
	same "$(control verify)" "stopped before all content was read"
	[ "$(json .verify.scrubbed_blocks)" -lt $((8 * 12208)) ]
	# SIGINT ends it with EINTR, handled or not; SIGALRM does not.
	cat >"$T/verify.py" <<-'END'
		import ctypes, errno, os, signal, sys
		libc = ctypes.CDLL(None, use_errno=True)
		fd = os.open(sys.argv[1], os.O_WRONLY)
		for sig in signal.SIGALRM, signal.SIGINT:
		    signal.signal(sig, lambda *_: None)
		def scrubbed():
		    return open(sys.argv[2]).read().split('"scrubbed_blocks":')[1].split(",")[0]
		before = scrubbed()
		if os.fork() == 0:
		    while scrubbed() == before:
		        pass
		    os.kill(os.getppid(), int(sys.argv[3]))
		    os._exit(0)
		# os.write() would begin anew.
		n = libc.write(fd, b"1", 1)
		print(n if n != -1 else errno.errorcode[ctypes.get_errno()])
	END
	same "$("$PYTHON" "$T/verify.py" "$C/verify" "$M/.zsstats/stats.json" 2)" EINTR
	same "$(control verify)" "stopped before all content was read"
	same "$("$PYTHON" "$T/verify.py" "$C/verify" "$M/.zsstats/stats.json" 14)" 1
	expect 1 puts "$C/verify" 1
	same "$(control verify)" clean
	same "$(json .verify.scrubbed_blocks)" "$(($(json .content.blocks) - $(json .content.same_blocks)))"
}

# The kernel tells of the signal once, and here it tells the worker that dies.
@test "ctl: verify ends with who wants it, also when the worker dies" {
	[ "$(json .survive)" = true ] || skip "needs a standby"
	echo zstd >"$C/comp_algorithm"
	echo 4G >"$C/mem_limit"
	echo 0 >"$C/size"
	text_file "$T/text" 50000000
	for n in 1 2 3 4 5 6 7 8; do cp "$T/text" "$M/f$n"; done
	poll 10 has_standby
	expect_log 'killed|took over|takes over'
	bash -c 'echo 1 >"$0"' "$C/verify" &
	pid=$!
	until scrubbing; do kill -0 $pid; done
	old=$(worker)
	kill -STOP "$old"
	kill -9 $pid
	sleep 0.2
	kill -9 "$old"
	wait $pid || true
	same "$(control verify)" "stopped before all content was read"
}

@test "ctl: echo, printf without newline, tee and sed -n w all work" {
	echo 100M >"$C/size"
	same "$(control size)" 104857600
	printf 200M >"$C/size"
	same "$(control size)" 209715200
	echo 300M | tee "$C/size" >/dev/null
	same "$(control size)" 314572800
	: >"$C/size" # truncation alone is nothing
	same "$(control size)" 314572800
}

@test "ctl: writes not at the start of the file are refused or harmless" {
	before=$(control size)
	got=$(fsop write "$C/size" w 100 1 1)
	[ "$got" != 1 ] || same "$(control size)" "$before"
	got=$(fsop write "$C/size" w 1 3 1)
	same "$(control size)" "$before"
	fails bash -c 'echo 1M >>"$0"' "$C/size" # the kernel appends at the end
	same "$(control size)" "$before"
}

@test "ctl: several at once get done or EBUSY, nothing hangs" {
	expect ok -n 2000 put "$M/f%d" 5000
	rm "$M"/f*[02468]
	for i in 1 2 3 4 5 6; do
		(for j in $(seq 20); do
			fsop puts "$C/compact" 1
			fsop puts "$C/verify" 1
		done) >"$T/out$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "$(cat "$T"/out? | grep -vcE '^(1|EBUSY)$')" 0
	grep -q '^1$' "$T"/out?
	expect ok -n 1 stat "$M/f1"
}

@test "ctl: last_cmd_status says why a write was refused" {
	same "$(control last_cmd_status)" ok
	for v in "size lots" "mem_limit 4096" "nr_inodes -1" "comp_algorithm gzip" \
		"mem_used_max 1"; do
		set -- $v
		expect EINVAL puts "$C/$1" "$2"
		[[ $(control last_cmd_status) == "$1: "*"\"$2\""*"allowed: "* ]]
		same "$(wc -l <"$C/last_cmd_status")" 1
	done
	expect EINVAL puts "$C/size" $'1\n2'
	same "$(control last_cmd_status | head -n 1 | cut -c 1-23)" 'size: bad value "1?2"; '
	expect EINVAL puts "$C/size" "$LONG"
	[[ $(control last_cmd_status) == *"no value of any file"* ]]
	# It has the last one only.
	expect 3 puts "$C/size" 64M
	same "$(control last_cmd_status)" ok
	expect ok put "$M/f" 8388608
	expect EINVAL puts "$C/size" 4M
	[[ $(control last_cmd_status) == *"allowed: 8388608 or more"* ]]
	if [ "$(json .survive)" = true ]; then
		kill -9 "$(worker)"
		[[ $(control last_cmd_status) == *"allowed: 8388608 or more"* ]]
	fi
	fails bash -c 'echo 1 >"$0"' "$C/last_cmd_status"
	expect 1 puts "$C/verify" 1
	same "$(control last_cmd_status)" ok
}

@test "ctl: last_cmd_status after an append" {
	fails bash -c 'echo 1M >>"$0"' "$C/size"
	[[ $(control last_cmd_status) == *"written whole"* ]]
}
