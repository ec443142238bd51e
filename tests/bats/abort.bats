#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# An aborted connection (umount -f) is no unmount: the content stays.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	expect_log 'was aborted|Transport endpoint'
}
teardown() { zsfs_teardown; }

reconnects() {
	json .survival.reconnects
}

reconnected() {
	[ "$(reconnects 2>/dev/null)" = "$1" ]
}

# The "abort" file of the connection, which only root may write to.
abort_connection() {
	local device

	device=$(mount_field "$M" device)
	echo 1 >"$FUSECTL/${device#*:}/abort"
}

can_abort() {
	root_only
	find_fusectl || skip "no fusectl"
}

@test "abort: umount -f of a mount in use changes nothing" {
	root_only
	zsfs_mount -o size=1G,mem_limit=512M
	text_file "$T/text" 2000000
	cp "$T/text" "$M/text"
	mkdir "$M/d"
	echo zstd:5 >"$M/.zsctl/comp_algorithm"
	options=$(mount_field "$M" options)
	super=$(mount_field "$M" super)
	for i in 1 2 3; do
		exec 7<"$M/text"
		run umount -f "$M"
		[ "$status" -ne 0 ]
		poll 5 reconnected $i
		fails cat <&7
		exec 7<&-
		cmp "$T/text" "$M/text"
		[ -d "$M/d" ]
	done
	same "$(mount_field "$M" options)" "$options"
	same "$(mount_field "$M" super)" "$super"
	[[ $(control comp_algorithm) == *"[zstd:5]"* ]]
	same "$(control size)" $((1 << 30))
	same "$(mounts_below "$T" | wc -l)" 1
	verify_clean
}

@test "abort: umount -f of a bind mount, and in another namespace" {
	root_only
	zsfs_mount
	mkdir "$M/part" "$T/whole" "$T/part" "$T/other"
	echo precious >"$M/part/f"
	for at in whole part other; do
		on_teardown "umount $T/$at; umount -l $T/$at"
	done
	mount --bind "$M" "$T/whole"
	mount --bind "$M/part" "$T/part"
	mount --bind "$M/part" "$T/other"
	mount -o remount,bind,ro "$T/part"
	umount -f "$T/other"
	poll 5 reconnected 1
	same "$(cat "$M/part/f")" precious
	# The others that show it follow, with their options.
	same "$(cat "$T/whole/part/f")" precious
	poll 5 quiet cat "$T/part/f"
	same "$(cat "$T/part/f")" precious
	fails touch "$T/part/g"
	unshare -m umount -f "$M" || true
	poll 5 reconnected 2
	same "$(cat "$M/part/f")" precious
	verify_clean
}

# Its owner is told by the number of its request, and these begin anew.
@test "abort: what was reserved before is not taken back for what fails later" {
	root_only
	for how in survive nosurvive; do
		zsfs_mount -o size=64M,$how
		"$PYTHON" - "$M/f" <<-'E'
			import os, sys
			fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
			for k in range(256):
			    os.posix_fallocate(fd, k * 4096, 4096)
		E
		exec 7<"$M/f"
		umount -f "$M" || true
		poll 5 quiet cat "$M/f"
		exec 7<&-
		"$PYTHON" - "$M/f" <<-'E'
			import errno, os, sys
			fd = os.open(sys.argv[1], os.O_RDWR)
			for k in range(1000):
			    try:
			        os.posix_fallocate(fd, 0, 1 << 40)
			        raise SystemExit("succeeded")
			    except OSError as e:
			        assert e.errno == errno.ENOSPC, e
			assert os.fstat(fd).st_blocks == 2048, os.fstat(fd)
		E
		zsfs_umount
		wait_daemon
	done
}

@test "abort: what only open files or the kernel held is given back" {
	can_abort
	zsfs_mount
	for i in $(seq 300); do echo $i >"$M/f$i"; done
	exec 7>"$M/orphan"
	random_file "$T/r" 3000000
	cat "$T/r" >&7
	rm "$M/orphan"
	exec 8<"$M/.zsstats/mm_stat"
	abort_connection
	poll 5 reconnected 1
	poll 5 test "$(json .content.inodes)" = 301
	exec 7>&- 8<&-
	rm "$M"/f*
	poll 5 left 1 0
	verify_clean
}

left() {
	same "$(json .content.inodes) $(json .content.blocks)" "$1 $2"
}

@test "abort: under writers, and with the worker killed beside it" {
	can_abort
	zsfs_mount
	for n in 1 2; do
		while [ ! -e "$T/stop" ]; do
			cp -r /usr/include/linux "$M/d$n"
			rm -rf "$M/d$n"
		done >/dev/null 2>&1 3>&- 4>&- &
		writers+=" $!"
	done
	on_teardown "touch $T/stop; sleep 1"
	text_file "$T/text" 300000
	cp "$T/text" "$M/text"
	for i in $(seq 12); do
		poll 5 quiet stat -f "$M"
		[ $((i % 3)) != 0 ] || kill -9 "$(worker)" 2>/dev/null || true
		abort_connection
		poll 5 quiet cmp "$T/text" "$M/text"
		sleep 0.0$((RANDOM % 9))
	done
	touch "$T/stop"
	wait $writers || true # their files went with the connections
	[ "$(reconnects)" -ge 12 ]
	rm -rf "$M"/d1 "$M"/d2
	verify_clean
}

@test "abort: again and again under a client that checks everything" {
	can_abort
	zsfs_mount
	"$PYTHON" "$TOP/tests/kill/abort_client.py" "$M" >"$T/out" 3>&- 4>&- &
	client=$!
	on_teardown "kill $client"
	sleep 0.5
	for i in $(seq 40); do
		sleep 0.0$((RANDOM % 8 + 1))
		[ $((RANDOM % 4)) != 0 ] || kill_workers
		abort_connection 2>/dev/null || true
	done
	sleep 0.5
	kill -TERM $client || true # what ended it before is in its output
	wait $client || { cat "$T/out"; false; }
	[ "$(reconnects)" -ge 20 ]
	poll 5 left 1 0
	verify_clean
}

kill_workers() {
	local pid

	for pid in $(processes_named zsfs-worker "$M"); do
		kill -9 "$pid" || true
	done
}

@test "abort: the new connection survives a killed worker, and can be replaced" {
	can_abort
	zsfs_mount
	echo kept >"$M/f"
	abort_connection
	poll 5 reconnected 1
	poll 10 has_standby
	kill -9 "$(worker)"
	same "$(cat "$M/f")" kept
	poll 10 has_standby
	"$ZSFS" --replace "$M"
	same "$(cat "$M/f")" kept
	same "$(json .survival.replacements)" 1
	abort_connection
	poll 5 reconnected 2
	same "$(cat "$M/f")" kept
}

@test "abort: umount -f of a mount that nobody uses ends it" {
	root_only
	zsfs_mount
	echo gone >"$M/f"
	umount -f "$M"
	fails is_mounted "$M"
	poll 5 daemon_gone
}

@test "abort: umount -l, then the abort of what is left, ends it" {
	can_abort
	zsfs_mount
	exec 7>"$M/f"
	device=$(mount_field "$M" device)
	umount -l "$M"
	echo 1 >"$FUSECTL/${device#*:}/abort"
	poll 5 daemon_gone
	exec 7>&-
}

@test "abort: SIGTERM while there is no connection ends it" {
	can_abort
	zsfs_mount
	abort_connection
	kill -TERM "$DAEMON"
	poll 5 daemon_gone
	fails is_mounted "$M"
}

@test "abort: with nosurvive, too" {
	can_abort
	zsfs_mount -o nosurvive
	text_file "$T/text" 300000
	cp "$T/text" "$M/text"
	mkdir "$M/d" "$T/part"
	on_teardown "umount $T/part; umount -l $T/part"
	mount --bind "$M/d" "$T/part"
	for i in 1 2; do
		abort_connection
		poll 5 quiet cmp "$T/text" "$M/text"
		poll 5 quiet touch "$T/part/f$i"
	done
	[ -e "$M/d/f2" ]
	zsfs_umount "$T/part"
	verify_clean
}

@test "abort: an ordinary user's mount, by root" {
	can_abort
	as_nobody '
		$ZSFS $M
		echo precious >$M/f
		touch $T/ready
		for i in $(seq 100); do [ ! -e $T/aborted ] || break; sleep 0.1; done
		for i in $(seq 50); do [ "$(cat $M/f 2>/dev/null)" != precious ] || break; sleep 0.1; done
		cat $M/f
		jq .survival.reconnects $M/.zsstats/stats.json
		fusermount3 -u $M' >"$T/out" 2>&1 &
	user=$!
	chmod 777 "$T"
	poll 20 test -e "$T/ready"
	for c in "$FUSECTL"/*; do
		[ "$(stat -c %u "$c")" != $NOBODY ] || echo 1 >"$c/abort"
	done
	touch "$T/aborted"
	wait $user || { cat "$T/out"; false; }
	same "$(cat "$T/out")" "$(printf 'precious\n1')"
}

@test "abort: a limit on how long requests may take does not end the mount" {
	can_abort
	limit=/proc/sys/fs/fuse/default_request_timeout
	[ -w $limit ] || skip "this kernel has no such limit (Linux 6.14)"
	before=$(cat $limit)
	on_teardown "echo $before >$limit"
	echo 1 >$limit
	zsfs_mount
	echo "$before" >$limit
	echo kept >"$M/f"
	pid=$(worker)
	on_teardown "kill -CONT $pid"
	kill -STOP "$pid"
	stat -f "$M" >"$T/statfs" &
	client=$!
	# The kernel looks every 15 s.
	sleep 33
	kill -CONT "$pid"
	wait $client
	same "$(cat "$M/f")" kept
	same "$(reconnects)" 0
}

@test "abort: what lies on the mount is left alone, and waited for" {
	can_abort
	expect_log 'no new mount can be made'
	expect_log 'is not replaced'
	zsfs_mount
	echo kept >"$M/f"
	device=$(mount_field "$M" device)
	mount -t tmpfs tmpfs "$M"
	on_teardown "umount $M"
	echo precious >"$M/g"
	echo 1 >"$FUSECTL/${device#*:}/abort"
	sleep 2.5
	same "$(cat "$M/g")" precious
	# Another program would take it for an unmount.
	kill -USR2 "$DAEMON"
	declined() { grep -q 'not replaced: the mount has no connection' "$LOG"; }
	poll 5 declined
	umount "$M"
	poll 10 quiet cat "$M/f"
	same "$(cat "$M/f")" kept
}

@test "abort: a worker that cannot be started is tried again" {
	local keeper pids=/sys/fs/cgroup/pids/zsfs-abort-$$

	can_abort
	mkdir "$pids" 2>/dev/null || skip "no control groups of processes"
	on_teardown "for i in \$(seq 50); do rmdir $pids 2>/dev/null && break; sleep 0.1; done"
	expect_log 'no worker can be started'
	zsfs_mount
	echo kept >"$M/f"
	poll 10 has_standby
	keeper=$(json .survival.keeper)
	echo "$keeper" >"$pids/cgroup.procs"
	on_teardown "echo max >$pids/pids.max; cat $pids/cgroup.procs | while read p; do echo \$p >/sys/fs/cgroup/pids/cgroup.procs; done"
	echo 1 >"$pids/pids.max"
	abort_connection
	sleep 3
	echo max >"$pids/pids.max"
	same "$(timeout 20 cat "$M/f")" kept
}
