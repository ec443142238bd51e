#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Nothing is lost when a worker dies, and the program can be replaced.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	KILLCLIENT=$(dirname "$(dirname "$ZSFS")")/tests/kill/killclient
	OTHER_LAYOUT=$(dirname "$KILLCLIENT")/zsfs-other-layout
	expect_log 'the keeper .* has died|killed by signal 7 .Bus error'
	expect_late_losses
}
teardown() { zsfs_teardown; }

ready() {
	poll 10 has_standby
}

# Blocks and inodes.
in_use() {
	stat -f -c '%b %f %c %d' "$M" | awk '{ print $1 - $2, $3 - $4 }'
}

takeovers() {
	json .survival.takeovers
}

# Kill the worker by a signal, and see that the mount answers.
kill_worker() {
	kill "-$1" "$(worker)"
	stat -f "$M" >/dev/null
}

# The file that lists the processes that the keeper has started.
children_of_keeper() {
	local keeper

	keeper=$(json .survival.keeper)
	children=/proc/$keeper/task/$keeper/children
	[ -e "$children" ] || skip "the kernel has no list of children"
}

# A mount with a file in it that nobody serves, and whose keeper gets no process,
# until there is a larger number in $pids/pids.max.
no_worker_can_start() {
	root_only
	pids=/sys/fs/cgroup/pids/zsfs-bats-$$
	mkdir "$pids" 2>/dev/null || skip "no control groups of processes"
	on_teardown "for i in \$(seq 50); do rmdir $pids && break; sleep 0.1; done"
	expect_log 'no worker can be started'
	zsfs_mount
	ready
	expect ok put "$M/f" 100000
	children_of_keeper
	victims=$(cat "$children")
	json .survival.keeper >"$pids/cgroup.procs"
	echo 1 >"$pids/pids.max"
	kill -9 $victims
}

@test "survive: files, settings and open files outlive kill -9" {
	zsfs_mount -o size=1G,mem_limit=512M,nr_inodes=1000
	text_file "$T/text" 3000000
	cp "$T/text" "$M/text"
	echo zstd:7 >"$M/.zsctl/comp_algorithm"
	echo 800M >"$M/.zsctl/size"
	echo 900 >"$M/.zsctl/nr_inodes"
	echo 1 >"$M/.zsctl/verify"
	exec 7<>"$M/unlinked"
	echo kept >&7
	rm "$M/unlinked"
	before=$(in_use)
	for i in 1 2 3; do
		ready
		kill_worker 9
		same "$(takeovers)" $i
	done
	drop_cache
	cmp "$T/text" "$M/text"
	same "$(cat /proc/self/fd/7)" kept
	echo more >&7
	same "$(in_use)" "$before"
	[[ $(control comp_algorithm) == *"[zstd:7]"* ]]
	same "$(control size)" $((800 << 20))
	same "$(control nr_inodes)" 900
	same "$(control mem_limit)" $((512 << 20))
	same "$(control verify)" clean
	same "$(json .survival.last_cause)" "signal 9 (Killed)"
	exec 7>&-
	verify_clean
}

# kill_workers_beside PID: as long as that lives, and $kills of them. Only sleep(1)
# is started for it, as a busy machine takes its time for each process.
kill_workers_beside() {
	local pids pid name

	kills=0
	while kill -0 "$1"; do
		sleep 0.0$((RANDOM % 6 + 2))
		read -r pids <"$children" || true
		for pid in $pids; do
			name=
			read -r name <"/proc/$pid/comm" || true
			[ "$name" = zsfs-worker ] && kill -9 "$pid" || continue
			kills=$((kills + 1))
		done
	done 2>/dev/null
}

@test "survive: kills at random times under a client that checks everything" {
	zsfs_mount
	children_of_keeper
	timeout 200 "$KILLCLIENT" -q -t 8 -v "$M" "$M" &
	client=$!
	kill_workers_beside $client
	wait $client
	[ $kills -gt 15 ]
	[ "$(takeovers)" -gt 15 ]
	same "$(ls -A "$M")" ""
	verify_clean
	same "$(json .content.inodes)" 1
	same "$(json .content.objects)" 0
}

@test "survive: clients that are interrupted and killed, too" {
	zsfs_mount
	local cached=()
	! all_have writeback || cached=(-c)
	children_of_keeper
	timeout 200 "$KILLCLIENT" -q -t 5 -i 700 -k "${cached[@]}" "$M" &
	client=$!
	kill_workers_beside $client
	wait $client
	verify_clean
	# What clients knew is forgotten with them: nothing may be left behind.
	nothing_left() { [ "$(json .content.inodes) $(json .content.blocks)" = "1 0" ]; }
	poll 10 nothing_left
}

@test "survive: SIGSEGV, SIGABRT, SIGBUS and SIGTERM of the worker" {
	zsfs_mount
	expect ok put "$M/f" 500000
	for sig in SEGV ABRT BUS; do
		ready
		before=$(takeovers)
		kill_worker $sig
		same "$(takeovers)" $((before + 1))
	done
	expect ok check "$M/f" 0 500000 1
	# A worker told to end is a mount told to end.
	kill -TERM "$(worker)"
	gone() { ! is_mounted "$M"; }
	poll 10 gone
	wait_daemon
}

@test "survive: an idle mount can be killed any number of times" {
	zsfs_mount
	expect ok put "$M/f" 100000
	for _ in $(seq 130); do
		for pid in $(processes_named zsfs-worker "$M"); do
			kill -9 "$pid" 2>/dev/null || true
		done
	done
	drop_cache
	expect ok check "$M/f" 0 100000 1
	verify_clean
}

@test "survive: worker and standby killed together" {
	zsfs_mount
	expect ok put "$M/f" 300000
	for _ in 1 2 3 4 5; do
		ready
		kill -9 "$(worker)" "$(standby)"
		drop_cache
		expect ok check "$M/f" 0 300000 1
	done
	verify_clean
}

@test "survive: workers killed as fast as they come, for seconds" {
	zsfs_mount
	ready
	expect ok put "$M/f" 300000
	children_of_keeper
	until=$((SECONDS + 5))
	# In the shell alone, which is faster than they are.
	while [ $SECONDS -lt $until ]; do
		read -r pids <"$children" || true
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
	done
	drop_cache
	expect ok check "$M/f" 0 300000 1
	poll 5 has_standby
	grep -q 'trying on, with pauses' "$LOG"
	verify_clean
}

@test "survive: a request that takes longer than workers live" {
	zsfs_mount -o comp=zstd:19
	ready
	text_file "$T/text" 1048576
	children_of_keeper
	dd if="$T/text" of="$M/f" bs=1M status=none &
	writer=$!
	# Nothing else is answered meanwhile; more often than it takes to give up.
	# A worker that dies may be seen for a while beside its successor.
	declare -A killed=()
	while [ ${#killed[@]} -lt 120 ]; do
		sleep 0.03
		read -r pids <"$children" || true
		for pid in $pids; do
			read -r name <"/proc/$pid/comm" || true
			[ "$name" = zsfs-worker ] && [ -z "${killed[$pid]:-}" ] || continue
			kill -9 "$pid" && killed[$pid]=1
		done 2>/dev/null
	done
	wait $writer
	same "$(json .survival.poisoned)" 0
	[ "$(json .survival.deaths)" -gt 100 ]
	drop_cache
	cmp "$T/text" "$M/f"
}

@test "survive: the end of the standby is only its own" {
	zsfs_mount
	ready
	expect ok put "$M/f" 100000
	pid=$(standby)
	kill -TERM "$pid"
	other_standby() { has_standby && [ "$(standby)" != "$pid" ]; }
	poll 10 other_standby
	same "$(takeovers)" 0
	expect ok check "$M/f" 0 100000 1
}

@test "survive: a stopped worker is not a dead one" {
	zsfs_mount
	ready
	pid=$(worker)
	kill -STOP "$pid"
	sleep 0.5
	kill -CONT "$pid"
	same "$(worker)" "$pid"
	same "$(takeovers)" 0
}

@test "survive: the keeper's death is said, and survived" {
	zsfs_mount
	ready
	expect ok put "$M/f" 300000
	kill -9 $DAEMON
	wait $DAEMON || true
	DAEMON=
	said() { [ "$(json .survival.keeper)" = 0 ]; }
	poll 5 said
	grep -q 'the keeper .* has died' "$LOG"
	# The standby is still there for one more death.
	same "$(json .survive)" true
	kill_worker 9
	same "$(json .survive)" false
	same "$(json .survival.why_not)" "the keeper has died"
	drop_cache
	expect ok check "$M/f" 0 300000 1
	verify_clean
	zsfs_umount
	nobody() { [ -z "$(processes_of "$M")" ]; }
	poll 10 nobody
}

@test "survive: nobody takes over after a wanted end" {
	root_only
	for how in term umount lazy both both-term both; do
		zsfs_mount
		ready
		pids=$(worker)
		[[ $how != both* ]] || pids+=" $(standby)"
		kill -9 $pids
		case $how in
		both) umount -l "$M" ;;
		both-term) kill -TERM $DAEMON ;;
		term) kill -TERM $DAEMON ;;
		umount) zsfs_umount ;;
		lazy) umount -l "$M" ;;
		esac
		poll 10 daemon_gone
		wait_daemon
		fails is_mounted "$M"
		same "$(processes_of "$M")" ""
	done
}

@test "survive: an ordinary user's mount" {
	as_nobody '
		pid() { jq .survival.$1 $M/.zsstats/stats.json; }
		$ZSFS $M
		echo text >$M/f
		kill -9 $(pid worker)
		[ "$(cat $M/f)" = text ]
		[ "$(pid takeovers)" = 1 ]
		$ZSFS --replace $M
		kill -9 $(pid worker)
		[ "$(cat $M/f)" = text ]
		echo 1 >$M/.zsctl/verify
		fusermount3 -u $M'
	nobody() { [ -z "$(processes_of "$M")" ]; }
	poll 10 nobody
}

@test "survive: two mounts side by side" {
	mkdir "$T/n"
	zsfs_start "$T/n"
	other=$DAEMON
	zsfs_mount
	echo one >"$M/f"
	echo two >"$T/n/f"
	ready
	kill_worker 9
	same "$(jq .survival.takeovers "$T/n/.zsstats/stats.json")" 0
	same "$(cat "$M/f" "$T/n/f" | xargs)" "one two"
	zsfs_umount "$T/n"
	gone() { ! kill -0 "$other" 2>/dev/null; }
	poll 10 gone
}

@test "survive: a damaged header is refused, and nothing hangs" {
	expect_log 'makes no sense|not serving|giving up|of another layout'
	zsfs_mount
	ready
	echo text >"$M/f"
	for fd in /proc/$DAEMON/fd/*; do
		[[ $(readlink "$fd") == *zsfs-arena* || $(stat -L -c %s "$fd") -gt 100000000000 ]] || continue
		printf 'garbage!' | dd of="$fd" bs=8 conv=notrunc status=none
		break
	done
	kill -9 "$(worker)"
	poll 10 daemon_gone
	wait $DAEMON && return 1
	DAEMON=
	grep -q 'makes no sense' "$LOG"
	fails timeout 5 cat "$M/f"
	umount -l "$M"
}

# What ps(1) shows of a process.
title() {
	ps -o args= -p "$1"
}

titles() {
	[ "$(title "$(json .survival.keeper)")" = "zsfs: keeper $M" ] &&
		[ "$(title "$(worker)")" = "zsfs: worker $M" ] &&
		[ "$(title "$(standby)")" = "zsfs: standby $M" ]
}

@test "survive: ps tells keeper, worker and standby apart" {
	need ps
	zsfs_mount
	ready
	titles
	kill_worker 9
	poll 10 quiet titles
	"$ZSFS" --replace "$M"
	poll 10 quiet titles
	# Names for pkill and top stay what they were.
	same "$(cat "/proc/$(worker)/comm" "/proc/$(standby)/comm" | xargs)" \
		"zsfs-worker zsfs-standby"
	# The environment has gone elsewhere, whole.
	zsfs_umount
	wait_daemon
	(
		cd "$T"
		env -i "LONG=$(printf 'x%.0s' {1..5000})" PATH="$PATH" "$ZSFS" -f m \
			</dev/null >>"$LOG" 2>&1 3>&- 4>&- &
		echo $! >"$T/pid"
	)
	poll 10 is_mounted "$M"
	ready
	titles
	zsfs_umount
	gone() { ! kill -0 "$(cat "$T/pid")" 2>/dev/null; }
	poll 10 gone
	# With little room it says what it can.
	(cd "$T" && exec env -i "$ZSFS" m 3>&- 4>&-)
	[[ "zsfs: worker $M" == "$(title "$(worker)")"* ]]
}

@test "survive: what only the keeper may write, workers can only read" {
	root_only
	zsfs_mount
	ready
	for pid in $DAEMON $(worker) $(standby); do
		awk '$6 ~ /zsfs-keeper/ { print $2 }' "/proc/$pid/maps" | xargs >>"$T/maps"
	done
	same "$(xargs <"$T/maps")" "rw-s r--s r--s"
	"$ZSFS" --replace "$M"
	poll 10 has_standby
	: >"$T/maps"
	for pid in $DAEMON $(worker) $(standby); do
		awk '$6 ~ /zsfs-keeper/ { print $2 }' "/proc/$pid/maps" | xargs >>"$T/maps"
	done
	same "$(xargs <"$T/maps")" "rw-s r--s r--s"
	# Nor by a descriptor of it.
	for fd in /proc/"$(worker)"/fd/*; do
		[[ $(readlink "$fd") != *zsfs-keeper* ]] ||
			fails dd if=/dev/zero of="$fd" bs=8 count=1 conv=notrunc
	done
}

# Overwrite all that workers write in the memory shared with the keeper. Of a
# lock that cannot be the C library may end the standby; the next one goes on.
spoil_lives() {
	local fd pid

	expect_log 'Assertion .* failed'
	expect_log 'was killed by signal 6'
	pid=$(worker)
	for fd in /proc/"$pid"/fd/*; do
		[[ $(readlink "$fd") == *zsfs-worker* ]] || continue
		"$@" "$fd"
		return
	done
	return 1
}

zeros() { fallocate -p -o 0 -l 1M "$1"; }
random() { dd if=/dev/urandom of="$1" bs=4k count=8 conv=notrunc status=none; }

@test "survive: who takes over does not depend on what a worker wrote" {
	root_only
	timeout 60 "$ZSFS" "$M" </dev/null 3>&- 4>&-
	head -c 300000 /dev/urandom >"$T/f"
	cp "$T/f" "$M"
	for how in zeros random zeros random; do
		ready
		pid=$(worker)
		spoil_lives $how
		kill -9 "$pid"
		timeout 20 cmp "$T/f" "$M/f"
		timeout 20 cp "$T/f" "$M/$how"
	done
	drop_cache
	cmp "$T/f" "$M/random"
	verify_clean
}

@test "survive: no worker keeps the program from being replaced" {
	root_only
	zsfs_mount
	echo here >"$M/f"
	replaced() { [ "$(grep -c "is now served by version" "$LOG")" -eq "$1" ]; }
	# The worker may deny that there is a keeper: it is told by signal.
	for n in 1 2 3 4; do
		ready
		spoil_lives "$( ((n % 2)) && echo zeros || echo random)"
		kill -USR2 "$DAEMON"
		poll 20 replaced $n
		same "$(timeout 20 cat "$M/f")" here
	done
	verify_clean
}

# A worker that may not send the keeper a signal can still say that it got one.
@test "survive: SIGTERM of the worker needs no right to signal the keeper" {
	need strace
	zsfs_mount
	ready
	timeout 20 strace -f -q -e trace=kill,tgkill -o "$T/calls" -p "$(worker)" &
	tracer=$!
	attached() { grep -q 'TracerPid:.*[1-9]' "/proc/$(worker)/status"; }
	poll 5 attached
	keeper=$DAEMON
	kill -TERM "$(worker)"
	gone() { ! is_mounted "$M"; }
	poll 10 gone
	wait_daemon
	wait $tracer || true
	fails grep -F "kill($keeper," "$T/calls"
}

@test "survive: a lonely SIGUSR2 does not send a worker away" {
	zsfs_mount
	ready
	pid=$(worker)
	kill -USR2 "$pid"
	sleep 0.3
	same "$(worker)" "$pid"
}

@test "survive: nosurvive is one process, whose death is the end" {
	zsfs_mount -o nosurvive
	same "$(processes_of "$M")" "$DAEMON"
	same "$(json .survive)" false
	same "$(json .survival.why_not)" nosurvive
	fails "$ZSFS" --replace "$M"
	grep -q nosurvive "$T/fails.out"
	expect ok put "$M/f" 100000
	kill -9 $DAEMON
	wait $DAEMON || true
	DAEMON=
	fails timeout 5 stat "$M/f"
	umount -l "$M"
}

@test "survive: the program is replaced under load" {
	zsfs_mount
	ready
	"$KILLCLIENT" -q -t 8 "$M" &
	client=$!
	for i in 1 2 3 4 5 6; do
		"$ZSFS" --replace "$M"
		same "$(json .survival.replacements)" $i
	done
	kill -USR2 "$(json .survival.keeper)"
	seventh() { [ "$(json .survival.replacements)" = 7 ]; }
	poll 10 seventh
	same "$(json .survival.keeper)" "$DAEMON"
	wait $client
	ready
	kill_worker 9
	verify_clean
}

@test "survive: a program of another layout is refused, the old one goes on" {
	expect_log 'another layout|not replaced'
	zsfs_mount
	ready
	expect ok put "$M/f" 100000
	pid=$(worker)
	fails "$OTHER_LAYOUT" --replace "$M"
	grep -q layout "$T/fails.out"
	same "$(json .survival.replace)" refused
	same "$(worker)" "$pid"
	ready
	kill_worker 9
	drop_cache
	expect ok check "$M/f" 0 100000 1
	# Without a program that asks it is the keeper's own, not the last one.
	kill -USR2 "$(json .survival.keeper)"
	replaced() { [ "$(json .survival.replace)" = done ]; }
	poll 10 replaced
	"$ZSFS" --replace "$M"
	same "$(json .survival.replace)" done
}

@test "survive: the program that asks is the one that runs, wherever it is" {
	root_only
	zsfs_mount
	ready
	expect ok put "$M/f" 100000
	mkdir "$T/p"
	# Nobody else sees this file, by whatever path.
	unshare -m bash -ec '
		mount -t tmpfs none "$2"
		cp "$0" "$2/other"
		chmod 755 "$2/other"
		"$2/other" --replace "$1"' "$ZSFS" "$M" "$T/p" 3>&- 4>&-
	[[ "$(readlink "/proc/$DAEMON/exe")" == *other* ]]
	fails test -e "$T/p/other"
	same "$(json .survival.replacements)" 1
	poll 10 quiet titles
	kill_worker 9
	expect ok check "$M/f" 0 100000 1
	# What has no name any more, too.
	cp "$ZSFS" "$T/gone"
	chmod 755 "$T/gone"
	kill -STOP "$DAEMON"
	"$T/gone" --replace "$M" 3>&- 4>&- &
	asks() { same "$(cat "/proc/$!/comm")" zsfs-replace; }
	poll 10 quiet asks
	rm "$T/gone"
	kill -CONT "$DAEMON"
	wait $!
	[[ "$(readlink "/proc/$DAEMON/exe")" == *"(deleted)" ]]
	ready
	kill_worker 9
	# The path that a signal alone leads to is one that everybody has.
	kill -USR2 "$DAEMON"
	third() { [ "$(json .survival.replacements)" = 3 ]; }
	poll 10 third || { json .survival; cat "$LOG"; return 1; }
	same "$(readlink "/proc/$DAEMON/exe")" "$(realpath "$ZSFS")"
}

@test "survive: a program that others may write to is refused" {
	root_only
	expect_log 'not replaced'
	zsfs_mount
	ready
	expect ok put "$M/f" 100000
	pid=$(worker)
	cp "$ZSFS" "$T/other"
	chmod 777 "$T/other"
	fails "$T/other" --replace "$M"
	grep -q 'chmod go-w' "$T/fails.out"
	chmod 755 "$T/other"
	chown 12345 "$T/other"
	fails "$T/other" --replace "$M"
	grep -q 'belongs to user 12345' "$T/fails.out"
	same "$(json .survival.replace)" refused
	same "$(worker)" "$pid"
	ready
	chown 0 "$T/other"
	if setfacl -m u:12345:rwx "$T/other" 2>/dev/null; then
		fails "$T/other" --replace "$M"
		grep -q 'mode 775.*chmod go-w' "$T/fails.out"
		same "$(worker)" "$pid"
		# The list stays, and nobody on it may write.
		chmod go-w "$T/other"
		ready
	fi
	"$T/other" --replace "$M"
	same "$(json .survival.replace)" done
	kill_worker 9
	drop_cache
	expect ok check "$M/f" 0 100000 1
}

@test "survive: the keeper has the capabilities that it needs, and no others" {
	root_only
	zsfs_mount
	ready
	# SYS_ADMIN SYS_CHROOT SYS_PTRACE DAC_READ_SEARCH KILL SETUID SETGID SETPCAP
	# SYS_RESOURCE IPC_LOCK SYS_NICE
	needed=0
	for cap in 21 18 19 2 5 7 6 8 24 14 23; do
		needed=$((needed | 1 << cap))
	done
	caps() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }
	had=$((16#$(caps self CapEff)))
	limited() {
		for set in CapEff CapPrm CapBnd; do
			same $((16#$(caps "$DAEMON" $set))) $((needed & had)) || return 1
		done
	}
	limited
	"$ZSFS" --replace "$M"
	limited
	# A worker has no more.
	same $((16#$(caps "$(worker)" CapEff) & ~needed)) 0
}

@test "survive: --replace of what is no zsfs mount" {
	for dir in "$T" /proc /nonexistent; do
		fails "$ZSFS" --replace "$dir"
		grep -q 'no zsfs' "$T/fails.out"
	done
}

@test "survive: an OOM kill of the worker" {
	root_only
	expect_log 'want of memory|no worker can be started'
	make_group $((160 << 20))
	start_in_group "$GROUP"
	ready
	echo 0 >"$M/.zsctl/mem_limit"
	echo 1000 >"/proc/$(worker)/oom_score_adj"
	echo 1000 >"/proc/$(standby)/oom_score_adj"
	text_file "$T/text" 3000000
	cp "$T/text" "$M/text"
	# The writer is outside: only the arena fills the group.
	run timeout 60 dd if=/dev/urandom of="$M/f" bs=1M count=400
	[ "$status" != 0 ]
	[[ $output == *"No space left"* || $output == *"annot allocate"* ]] || { echo "$output"; return 1; }
	drop_cache
	cmp "$T/text" "$M/text"
	# There is a next standby, and statistics to see it in.
	for _ in 1 2 3; do
		poll 10 has_standby
		kill_worker 9
		drop_cache
		cmp "$T/text" "$M/text"
	done
	run dd if=/dev/urandom of="$M/more" bs=1M count=8
	[[ $output == *"No space left"* ]] || { echo "$output"; return 1; }
	rm "$M/f"
	if [ "$(oom_kills)" != 0 ]; then
		[ "$(json .survival.oom_takeovers)" -gt 0 ]
	fi
	again() { quiet expect ok put "$M/g" 1000000; }
	poll 20 again
	verify_clean
}

@test "survive: in a small group, too, statistics are there and storing goes on" {
	root_only
	expect_log 'want of memory|no worker can be started'
	make_group $((64 << 20))
	start_in_group "$GROUP"
	ready
	echo 0 >"$M/.zsctl/mem_limit"
	run timeout 60 dd if=/dev/urandom of="$M/f" bs=1M count=300
	[ "$status" != 0 ]
	for file in "$M"/.zsstats/* "$M"/.zsctl/*; do
		cat "$file" >/dev/null
	done
	poll 10 has_standby
	kill_worker 9
	truncate -s 5000001 "$M/f"
	rm "$M/f"
	again() { quiet expect ok put "$M/g" 1000000; }
	poll 20 again
	verify_clean
}

@test "survive: unmounted while no worker can be started" {
	no_worker_can_start
	sleep 1
	umount -l "$M"
	poll 5 daemon_gone
	wait_daemon
	fails is_mounted "$M"
}

@test "survive: no worker can be started for a while" {
	no_worker_can_start
	sleep 3
	echo max >"$pids/pids.max"
	drop_cache
	expect ok check "$M/f" 0 100000 1
	verify_clean
}

@test "survive: two replacements asked for at once" {
	zsfs_mount
	ready
	for delay in 0 0.001 0.003 0.01; do
		timeout 20 "$ZSFS" --replace "$M" 3>&- &
		first=$!
		sleep $delay
		timeout 20 "$ZSFS" --replace "$M"
		wait $first
	done
	[ "$(json .survival.replacements)" -ge 4 ]
}
