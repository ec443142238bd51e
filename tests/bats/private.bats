#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What is stored is not in core dumps, and not open to who runs the daemon.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	root_only
	need setfattr getfattr jq
	# Longer than any register: these are in a dump.
	SECRET=zsfs-secret-$(od -An -N 60 -tx1 /dev/urandom | tr -d ' \n')
}
teardown() { zsfs_teardown; }

# Text of this test that is nowhere else; in another place each time.
lines_of_secrets() {
	awk -v s="$SECRET" 'BEGIN { for (n = 0; n < 4000; n++) print n, s, n * n % 97 }'
}

# By every way that there is: small and large, with LZ4 and zstd, dense, as a
# value, and back again.
store_secrets() {
	local comp

	lines_of_secrets >"$T/want"
	for comp in lz4 zstd; do
		echo $comp >"$M/.zsctl/comp_algorithm"
		cp "$T/want" "$M/$comp"
		printf %s "$SECRET" | dd of="$M/$comp" bs=64 seek=200 conv=notrunc status=none
	done
	setfattr -n user.s -v "$SECRET" "$M/lz4"
	read_secrets
	echo 1 >"$M/.zsctl/settle"
	read_secrets
}

read_secrets() {
	drop_cache
	cat "$M"/{lz4,zstd} >"$T/back"
	drop_cache
	dd if="$M/zstd" of="$T/back" bs=4096 skip=7 count=1 iflag=direct status=none
	getfattr -n user.s "$M/lz4" >"$T/back"
}

# start_for_cores OPTION...: a daemon that dumps where it may, to $T/cores
start_for_cores() {
	case $(cat /proc/sys/kernel/core_pattern) in
	*/* | '|'*) skip "core dumps go elsewhere" ;;
	esac
	expect_log 'error: |killed by signal 6|took over'
	mkdir -m 777 "$T/cores"
	cd "$T/cores"
	ulimit -S -c unlimited
	[ "$(ulimit -c)" = unlimited ] || skip "core dumps are not permitted"
	zsfs_mount "$@"
	cd "$T"
}

cores() {
	find "$T/cores" -type f
}

abort_worker() {
	local pid

	pid=$(worker)
	kill -ABRT "$pid"
	poll 20 eval '[ "$(worker)" != '"$pid"' ]'
	poll 20 fails quiet kill -0 "$pid"
}

@test "private: a daemon in service leaves no core dump" {
	start_for_cores
	store_secrets
	abort_worker
	same "$(cores)" ""
}

@test "private: the core dump of one that is debugged has nothing of the content" {
	# Who is confined can make no file, and so no core.
	start_for_cores -d -o nosandbox
	store_secrets
	# It is there to be found.
	[ -n "$("$PYTHON" "$BATS_TEST_DIRNAME/inmemory.py" "$(worker)" "$SECRET")" ]
	abort_worker
	same "$(cores | wc -l)" 1
	[ -s "$(cores)" ]
	fails grep -qaF "$SECRET" "$(cores)"
	[ "$(grep -c "$SECRET" "$M/lz4")" -gt 3990 ]
}

# Mappings of arena and buffers, which are shared and large: "yes" for one that is
# not for dumps.
left_out() {
	awk '/^[0-9a-f]+-/ { shared = $2 ~ /s/ }
		/^Size:/ { kib = $2 }
		/^VmFlags:/ && shared && kib > 1024 {
			print / dd( |$)/ ? "yes" : "no"
		}' "/proc/$1/smaps"
}

@test "private: arena and buffers are not for dumps, whatever the filter says" {
	local pid

	expect_log 'error: '
	zsfs_mount -d
	poll 20 has_standby
	for pid in $(worker) $(standby); do
		same "$(cat "/proc/$pid/coredump_filter")" 00000010
		[ "$(left_out "$pid" | wc -l)" -ge 3 ]
		same "$(left_out "$pid" | sort -u)" yes
	done
	same "$(cat "/proc/$(json .survival.keeper)/coredump_filter")" 00000010
}

# Locked KiB of a worker's shared memory: outside of the arena, and of the arena.
locked() {
	awk '/^[0-9a-f]+-/ { shared = $2 ~ /s/; arena = $1 ~ /^1000000/ }
		/^Locked:/ && shared { n[arena] += $2 }
		END { print n[0] + 0, n[1] + 0 }' "/proc/$1/smaps"
}

@test "private: where little memory may be locked, buffers go before the arena" {
	local real=$ZSFS

	need setpriv prlimit
	printf '#!/bin/bash\nexec prlimit --memlock=%s setpriv %s %s "$@"\n' \
		2097152 --bounding-set=-sys_resource "$ZSFS" >"$T/zsfs"
	chmod +x "$T/zsfs"
	ZSFS=$T/zsfs
	zsfs_mount
	ZSFS=$real
	[[ $(locked "$(worker)") =~ ^[1-9][0-9]*\ 0$ ]]
}

@test "private: who runs a daemon may not open its descriptors and memory" {
	as_nobody '
		$ZSFS $M
		echo text >$M/f
		for who in keeper worker; do
			pid=$(jq .survival.$who $M/.zsstats/stats.json)
			[ -d /proc/$pid ]
			fails ls /proc/$pid/fd
			fails cat /proc/$pid/environ
			# It is opened: there is nothing to be read at its start.
			fails dd if=/proc/$pid/mem count=0
		done
		$ZSFS --replace $M
		pid=$(jq .survival.keeper $M/.zsstats/stats.json)
		[ -d /proc/$pid ]
		fails ls /proc/$pid/fd
		[ "$(cat $M/f)" = text ]
		fusermount3 -u $M'
}

# spied OPTION...: what another process of the user who mounts, and has the program
# replaced, can open meanwhile; each three times.
spied() {
	cp "$BATS_TEST_DIRNAME/spy.py" "$T"
	: >"$T/spied"
	chmod 666 "$T/spied"
	OPTIONS=$* as_nobody '
		wait_for() {
			for i in $(seq 200); do
				! eval "$1" || return 0
				sleep 0.05
			done
			return 1
		}
		timeout 120 '"$PYTHON"' $T/spy.py >>$T/spied &
		spy=$!
		wait_for "grep -q ready $T/spied"
		for n in 1 2 3; do
			$ZSFS $OPTIONS $M &
			wait_for "[ -e $M/.zsstats ]"
			echo mounted >>$T/spied
			$ZSFS --replace $M
			sleep 0.3
			echo replaced >>$T/spied
			fusermount3 -u $M
			wait_for "[ -z \"\$(pgrep -f \"^zsfs: keeper $M\$\")\" ]"
		done
		kill $spy'
	same "$(grep -c replaced "$T/spied")" 3
}

@test "private: nor while it starts, and while a new program does" {
	export OPTIONS
	spied
	# With no new program there is nothing that is only loaded.
	fails grep -q loaded <(sed '/mounted/,/replaced/d' "$T/spied")
	fails grep -q begun "$T/spied"
	# The test finds what there is.
	spied -d
	grep -q begun "$T/spied"
}
