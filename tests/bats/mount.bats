#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Mounting, unmounting, the daemon's life, and what goes wrong there.
load helpers

setup() { zsfs_setup; zsfs_only; }
teardown() { zsfs_teardown; }

# Start in the background as users do; sets DAEMON, ends with a mount that works.
mount_daemon() {
	timeout 60 "$ZSFS" "$@" "$M" </dev/null 3>&- 4>&-
	same "$(daemons_of "$M" | wc -l)" 1
	on_teardown "umount -l $M 2>/dev/null; true"
}

no_daemon() { [ -z "$(daemons_of "$M")" ]; }

@test "mount: daemonizes only when the mount works" {
	for i in 1 2 3 4 5; do
		mount_daemon
		is_mounted "$M"
		expect ok put "$M/f" 1000
		same "$(control size)" 0
		zsfs_umount
		poll 10 no_daemon
	done
}

@test "mount: the daemon lets go of its caller's pipes and folder" {
	cd "$T"
	out=$(timeout 20 "$ZSFS" m </dev/null 2>&1 3>&- 4>&-)
	same "$out" ""
	pid=$(daemons_of "$M")
	same "$(readlink "/proc/$pid/cwd")" /
	for fd in 0 1 2; do
		same "$(readlink "/proc/$pid/fd/$fd")" /dev/null
	done
	same "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
	expect ok put "$M/f" 1000
	zsfs_umount
	poll 10 no_daemon
}

@test "mount: SIGTERM, SIGINT and SIGHUP unmount cleanly" {
	for sig in TERM INT HUP; do
		mount_daemon
		expect ok put "$M/f" 100000
		kill -$sig "$(daemons_of "$M")"
		poll 10 no_daemon
		fails is_mounted "$M"
		zsfs_mount
		expect ENOENT stat "$M/f"
		kill -$sig $DAEMON
		poll 10 daemon_gone
		fails is_mounted "$M"
		wait_daemon
	done
}

@test "mount: SIGTERM while files are open and programs write" {
	zsfs_mount
	exec 7<>"$M/open"
	(while echo x >"$M/busy" && fsop put "$M/b$RANDOM$RANDOM" 100000 >/dev/null; do
		:
	done) 2>/dev/null 3>&- 7>&- &
	writer=$!
	sleep 0.3
	kill -TERM $DAEMON
	gone() { ! is_mounted "$M"; }
	poll 10 gone
	exec 7>&-
	kill $writer 2>/dev/null || true
	wait $writer || true
	poll 20 daemon_gone
	wait_daemon
}

@test "mount: umount is refused while a file is open, umount -l is not" {
	root_only
	zsfs_mount
	exec 7<>"$M/f"
	echo before >&7
	fails umount "$M"
	is_mounted "$M"
	echo after >&7
	umount -l "$M"
	fails is_mounted "$M"
	echo still >&7
	same "$(cat /proc/self/fd/7 | xargs)" "before after still"
	kill -0 $DAEMON
	exec 7>&-
	poll 10 daemon_gone
	wait_daemon
}

# Lines "device:inode bytes-of-memory", one for each descriptor of an arena that
# the processes /proc/$1 have. Its file is in memory, without a name, and large.
open_arenas() {
	find /proc/$1/fd \( -lname '/memfd:zsfs-arena*' -o -lname '/#* (deleted)' \) 2>/dev/null |
		xargs -r stat -L -c '%d:%i %s %b %B' 2>/dev/null |
		awk '$2 > 1e11 { printf "%s %.0f\n", $1, $3 * $4 }'
}

@test "mount: the memory is gone after the unmount" {
	root_only
	zsfs_mount
	expect ok put "$M/f" 200000000
	read -r arena bytes < <(open_arenas $DAEMON)
	[ "$bytes" -gt 150000000 ]
	has_it() { open_arenas '[0-9]*' | grep -q "^$arena "; }
	has_it
	zsfs_umount
	wait_daemon
	# The file, and the memory with it, lives as long as somebody has it.
	given_back() { [ -z "$(processes_of "$M")" ] && ! has_it; }
	poll 10 given_back
}

@test "mount: a mountpoint that is missing, a file, or not reachable" {
	refused "$T/none" "not exist" -- "$ZSFS" "$T/none"
	touch "$T/file"
	refused "$T/file" "not a directory" -- "$ZSFS" "$T/file"
	refused "$T/file/x" directory -- "$ZSFS" "$T/file/x"
	refused "$T/none" -- "$ZSFS" -f "$T/none"
	ln -s none "$T/dangling"
	refused "$T/dangling" -- "$ZSFS" "$T/dangling"
	ln -s loop "$T/loop"
	refused "$T/loop" -- "$ZSFS" "$T/loop"
	refused ountpoint -- "$ZSFS" ""
	refused mountpoint -- "$ZSFS" "$T/$(printf 'x%.0s' {1..5000})"
}

@test "mount: a mountpoint given as a relative path, a symlink, or with a slash" {
	ln -s m "$T/link"
	cd "$T"
	for name in m ./m m/ link ../"$(basename "$T")"/m; do
		"$ZSFS" -f "$name" </dev/null >>"$LOG" 2>&1 3>&- 4>&- &
		DAEMON=$!
		poll 10 started "$M"
		is_mounted "$M"
		expect ok put "$M/f" 10
		zsfs_umount
		wait_daemon
	done
}

@test "mount: odd characters in the mountpoint's name" {
	for name in "with blank" "comma,comma" 'back\slash' $'new\nline' "quote'\"" -dash; do
		mkdir "$T/$name"
		(cd "$T" && exec "$ZSFS" -f -- "./$name" </dev/null >>"$LOG" 2>&1 3>&- 4>&-) &
		DAEMON=$!
		answers() { [ -e "$T/$name/.zsctl/size" ]; }
		poll 10 answers
		touch "$T/$name/f"
		# Right after the start it may still be busy.
		zsfs_umount "$T/$name"
		wait_daemon
	done
}

@test "mount: on a folder that holds files and is someone's working directory" {
	touch "$M/hidden"
	cd "$M"
	zsfs_mount
	same "$(ls -A "$M")" ""
	zsfs_umount
	wait_daemon
	same "$(ls -A "$M")" hidden
}

@test "mount: twice on one mountpoint is refused, -o stack does it" {
	zsfs_mount -o subtype=other
	echo first >"$M/f"
	first=$DAEMON
	ln -s "$M" "$T/link"
	for name in "$M" "$M/" "$T/link"; do
		run timeout 20 bash -c '"$0" "$1" 3>&- 4>&-' "$ZSFS" "$name"
		same "$status" 1
		[[ $output == *"$M already"*"umount $M"*stack* ]]
		same "$(daemons_of "$M")" "$first"
	done
	# A folder below it is another matter.
	mkdir "$M/d"
	timeout 20 "$ZSFS" "$M/d" 3>&- 4>&-
	umount "$M/d"
	# The second lies over the first.
	timeout 20 "$ZSFS" -o stack "$M" 3>&- 4>&-
	same "$(ls -A "$M")" ""
	echo second >"$M/g"
	zsfs_umount
	same "$(cat "$M/f")" first
	DAEMON=$first
	alone() { same "$(daemons_of "$M")" "$first"; }
	poll 10 quiet alone
}

@test "mount: an ordinary user is told of the zsfs that is there already" {
	as_nobody '
		$ZSFS $M
		echo text >$M/f
		fails $ZSFS $M
		grep -F "$M already" $T/fails.out
		[ "$(cat $M/f)" = text ]
		fusermount3 -u $M'
	poll 10 no_daemon
	# Root may not look into it.
	refused "only its user" -- unshare -m bash -c '
		cp -a /dev/fuse "$T/fuse2" && chmod 666 "$T/fuse2" &&
		mount --bind "$T/fuse2" /dev/fuse && cd / &&
		setpriv --reuid=65534 --regid=65534 --clear-groups "$T/daemon" "$M" || exit 9
		"$0" "$M"; s=$?; umount "$M"; exit $s' "$ZSFS"
	poll 10 no_daemon
}

@test "mount: many at once, each its own" {
	for i in 1 2 3 4 5; do
		mkdir "$T/m$i"
		timeout 60 "$ZSFS" -o mem_limit=100M "$T/m$i" 3>&- 4>&-
		echo "$i" >"$T/m$i/f"
	done
	for i in 1 2 3 4 5; do
		same "$(cat "$T/m$i/f")" "$i"
		zsfs_umount "$T/m$i"
	done
	for i in 1 2 3 4 5; do
		gone() { [ -z "$(daemons_of "$T/m$i")" ]; }
		poll 10 gone
	done
}

@test "mount: over the remains of a daemon that was killed" {
	zsfs_mount
	expect_log . # a killed daemon may say anything
	poll 10 has_standby
	kill -9 $(processes_of "$M")
	wait $DAEMON || true
	DAEMON=
	poll 10 quiet expect ENOTCONN create "$M/f" 644
	# Either told how to get rid of it, or mounted over it.
	run timeout 20 bash -c '"$0" "$1" 3>&- 4>&-' "$ZSFS" "$M"
	if [ "$status" = 0 ]; then
		expect ok put "$M/f" 10
		zsfs_umount
	else
		[[ $output == *"umount -l"* ]]
	fi
	umount -l "$M"
	fails is_mounted "$M"
	zsfs_mount
	expect ok put "$M/f" 10
}

# Where a user mounts the next one has the same device number.
@test "mount: the next one there outlives the end of the one before" {
	as_nobody '
		$ZSFS $M
		keeper=$(jq .survival.keeper $M/.zsstats/stats.json)
		kill -STOP $keeper
		fusermount3 -u $M
		$ZSFS $M
		echo content >$M/f
		kill -CONT $keeper
		for i in {1..100}; do
			kill -0 $keeper 2>/dev/null || break
			sleep 0.1
		done
		grep content $M/f
		fusermount3 -u $M'
}

@test "mount: no /dev/fuse" {
	root_only
	need unshare
	refused /dev/fuse modprobe -- unshare -m bash -c '
		mkdir "$2/dev" && mount -t tmpfs none "$2/dev" && mount --bind "$2/dev" /dev &&
		exec "$0" "$1"' "$ZSFS" "$M" "$T"
}

@test "mount: without the right to mount" {
	root_only
	need setpriv
	# Root without CAP_SYS_ADMIN: as in a container.
	refused mount -- setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$ZSFS" "$M"
	[[ $output == *"ermi"* || $output == *SYS_ADMIN* ]]
}

# limited "ULIMIT'S WORDS" OPTIONS: mount under a hard limit that cannot be raised.
limited() {
	timeout 20 bash -c 'ulimit $1 && exec setpriv --inh-caps -sys_resource \
		--bounding-set -sys_resource "$0" -o "$2" "$3"' \
		"$ZSFS" "$1" "$2" "$M" 3>&- 4>&-
}

@test "mount: under limits that root may raise" {
	root_only
	(ulimit -c 0 && ulimit -Hc unlimited) 2>/dev/null ||
		skip "root may not raise limits here"
	for limit in "-f 104857600" "-v 104857600" "-f 1000" "-v 1000000" "-n 20" \
		"-s 64" "-d 10000" "-t 100" "-l 0" "-i 0"; do
		timeout 20 bash -c 'ulimit $1 && exec "$0" -o size=1G "$2"' \
			"$ZSFS" "$limit" "$M" 3>&- 4>&-
		expect ok put "$M/f" 1000000
		worker=$(json .survival.worker)
		same "$(awk '/^Max (file size|address space|cpu time)/ { print $4 }' \
			/proc/$worker/limits | sort -u)" unlimited
		zsfs_umount
		poll 10 no_daemon
	done
}

@test "mount: under limits that stay, with a smaller arena" {
	root_only
	need setpriv
	for limit in "-f 104857600" "-v 104857600" "-v 4000000" "-v 300000" "-f 200000"; do
		limited "$limit" size=1G,mem_limit=64M
		expect ok put "$M/f" 20000000
		kill -9 "$(json .survival.worker)"
		poll 10 quiet expect ok stat "$M/f"
		rm "$M/f"
		verify_clean
		zsfs_umount
		poll 10 no_daemon
	done
	# All of a small arena, beside which mem_limit is no limit.
	run limited "-v 300000" mem_limit=0
	same "$status" 0
	[[ $output == *"ulimit -v"*"MiB of RAM at most"* ]]
	run dd if=/dev/urandom of="$M/f" bs=1M count=400
	same "$status" 1
	[[ $output == *"No space"* ]]
	truncate -s 50M "$M/f"
	rm "$M/f"
	[ "$(available)" -gt 50000000 ]
	expect ok put "$M/g" 30000000
	verify_clean
	zsfs_umount
	poll 10 no_daemon
}

@test "mount: limits under which nothing can be mounted are named" {
	root_only
	need setpriv
	for limit in "-v 150000" "-f 1000" "-n 8"; do
		run limited "$limit" mem_limit=64M
		same "$status" 1
		[[ $output == *"ulimit ${limit% *}"* ]]
		fails is_mounted "$M"
	done
}

@test "mount: through mount(8)" {
	root_only
	need mount.fuse
	timeout 30 mount -t fuse "$ZSFS#none" "$M" -o size=1G,mode=0700,noatime 3>&- 4>&-
	is_mounted "$M"
	same "$(mount_field "$M" type)" fuse.zsfs
	same "$(stat -c %a "$M")" 700
	same "$(control size)" 1073741824
	expect ok put "$M/f" 10
	umount "$M"
	poll 10 no_daemon
	ln -s "$ZSFS" "$T/mount.zsfs" # what mount(8) calls for type zsfs
	timeout 30 "$T/mount.zsfs" none "$M" -o rw,size=2G 3>&- 4>&-
	same "$(control size)" 2147483648
	umount "$M"
	poll 10 no_daemon
}

@test "mount: a private mount namespace" {
	root_only
	need unshare
	timeout 60 unshare -m bash -c '
		set -e
		"$0" "$1" 3>&- 4>&-
		echo text >"$1/f"
		[ "$(cat "$1/f")" = text ]
		umount "$1"' "$ZSFS" "$M"
	poll 10 no_daemon
	fails is_mounted "$M"
}

@test "mount: an ordinary user, with fusermount3" {
	as_nobody '
		$ZSFS $M
		echo text >$M/f
		[ "$(cat $M/f)" = text ]
		[ "$(stat -c %u:%a $M)" = 65534:755 ]
		echo 100M >$M/.zsctl/size
		[ "$(cat $M/.zsctl/size)" = 104857600 ]
		grep -q Total $M/.zsstats/classes
		head -c 3000000 /dev/urandom >$M/r
		cp $M/r $M/s
		cmp $M/r $M/s
		grep -E " $M .*nosuid,nodev" /proc/self/mountinfo >/dev/null
		fails mknod $M/null c 1 3
		echo 1 >$M/.zsctl/verify
		[ "$(cat $M/.zsctl/verify)" = clean ]
		fusermount3 -u $M
		fails grep " $M " /proc/self/mountinfo'
	poll 10 no_daemon
}

@test "mount: an ordinary user may not take options of root" {
	as_nobody '
		! $ZSFS -o allow_other $M 2>$M/err || grep -q "^user_allow_other" /etc/fuse.conf
		grep -q allow_other $M/err || grep -q "^user_allow_other" /etc/fuse.conf
		rm -f $M/err
		fails $ZSFS /root
		[ -s $T/fails.out ]
		fails $ZSFS /usr
		grep /usr $T/fails.out'
	fails is_mounted "$M"
}

@test "mount: an ordinary user where /dev/fuse is closed to him" {
	root_only
	need setpriv
	cp "$ZSFS" "$T/daemon"
	chown $NOBODY "$M"
	run timeout 60 unshare -m bash -c '
		cp -a /dev/fuse "$T/fuse" && chmod 600 "$T/fuse" &&
		mount --bind "$T/fuse" /dev/fuse &&
		exec setpriv --reuid=65534 --regid=65534 --clear-groups "$T/daemon" "$M"'
	same "$status" 1
	[[ $output == */dev/fuse* && $output == *666* ]]
}

group_is_empty() {
	[ -z "$(cat "$1/cgroup.procs")" ]
}

@test "mount: with room for few processes the command ends, and says why" {
	local n pids=/sys/fs/cgroup/pids/zsfs-mount-$$ rc

	root_only
	zsfs_only
	mkdir "$pids" 2>/dev/null || skip "no control groups of processes"
	on_teardown "for i in \$(seq 50); do rmdir $pids && break; sleep 0.1; done"
	on_teardown "xargs -r kill -9 <$pids/cgroup.procs"
	for n in $(seq 1 20); do
		echo "$n" >"$pids/pids.max"
		rc=0
		timeout 20 bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$pids" \
			"$ZSFS" "$M" >"$T/out" 2>&1 || rc=$?
		[ $rc != 124 ] || { echo "hangs with $n processes"; return 1; }
		if [ $rc = 0 ]; then
			touch "$M/f"
			umount "$M"
		else
			[ -s "$T/out" ] || { echo "says nothing with $n"; return 1; }
			fails is_mounted "$M"
		fi
		poll 5 group_is_empty "$pids"
	done
	same $rc 0
}

# Processes of zsfs for $M, in whatever mount namespace.
served() {
	[ -n "$(processes_of "$M")" ]
}

not_served() {
	! served
}

in_namespace() {
	timeout 60 unshare -m --propagation private bash -c "$1" 3>&- 4>&-
}

@test "mount: it ends with the mount namespace that it is in" {
	root_only
	zsfs_only
	in_namespace '"$ZSFS" "$M" && echo hi >"$M/f" && sleep 0.5 && cat "$M/f"'
	poll 10 not_served
}

@test "mount: a namespace that something holds keeps its mount" {
	root_only
	zsfs_only
	mkdir "$T/ns"
	mount --bind "$T/ns" "$T/ns"
	mount --make-private "$T/ns"
	touch "$T/ns/mnt"
	on_teardown "umount $T/ns/mnt; umount $T/ns"
	timeout 60 unshare --mount="$T/ns/mnt" --propagation private bash -c \
		'"$ZSFS" "$M" && echo kept >"$M/f"' 3>&- 4>&-
	sleep 1
	same "$(nsenter --mount="$T/ns/mnt" cat "$M/f")" kept
	served
	# A worker's death out there is survived as any other.
	kill -9 $(processes_named zsfs-worker "$M")
	same "$(nsenter --mount="$T/ns/mnt" cat "$M/f")" kept
	umount "$T/ns/mnt"
	poll 10 not_served
}

@test "mount: files of who starts it are not its, in the foreground either" {
	zsfs_only
	for fd in 7 19 200; do
		eval "exec $fd<\"$T\""
	done
	zsfs_mount
	poll 10 has_standby
	for pid in $(processes_of "$M"); do
		for fd in /proc/"$pid"/fd/*; do
			[ "$(readlink "$fd")" != "$T" ] || { echo "$fd is $T"; return 1; }
		done
	done
	for fd in 7 19 200; do
		eval "exec $fd<&-"
	done
}
