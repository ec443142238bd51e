#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What confines worker and standby, and what they do where it is not permitted.
load helpers

setup() { zsfs_setup; zsfs_only; }
teardown() { zsfs_teardown; }

# A mount with a standby; skips where the runtime of a sanitizer wants more.
mount_confined() {
	zsfs_mount "$@"
	poll 20 has_standby
	[ "$(json .sandbox.off_because)" != sanitizer ] ||
		skip "sanitizers need what the sandbox forbids"
	[[ $(json .sandbox.lacks) != *"Package not installed"* ]] ||
		skip "built without libseccomp"
}

# in_status PID NAME: a line of its status, numbers only.
in_status() {
	awk -v name="$2:" '$1 == name { $1 = ""; print substr($0, 2) }' \
		"/proc/$1/status"
}

# CAP_SYS_NICE where root may not raise the limit that does as well.
capabilities_left() {
	if [ "$(id -u)" != 0 ] || prlimit --nice=20:20 true 2>/dev/null; then
		echo 0000000000000000
	else
		echo 0000000000800000
	fi
}

# confined PID
confined() {
	local set

	same "$(in_status "$1" NoNewPrivs)" 1
	same "$(in_status "$1" Seccomp)" 2
	for set in CapInh CapAmb; do
		same "$(in_status "$1" $set)" 0000000000000000
	done
	for set in CapPrm CapEff; do
		same "$(in_status "$1" $set)" "$(capabilities_left)"
	done
	# The filter is all of its threads'.
	same "$(cat "/proc/$1/task"/*/status | grep -c '^Seccomp:.2$')" \
		"$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)"
}

not_root() {
	same "$(in_status "$1" CapBnd)" 0000000000000000
	fails grep -qw 0 <<<"$(in_status "$1" Uid) $(in_status "$1" Gid)"
	same "$(in_status "$1" Groups)" ""
}

kill_worker() {
	local pid

	poll 20 has_standby
	pid=$(worker)
	kill -9 "$pid"
	other() { [ "$(worker)" != "$pid" ]; }
	poll 10 other
}

# forced ROLE RESULT CALL ARGUMENT...: what it answers, or dies of (tools/forcecall.c)
forced() {
	local role=$1 want=$2 got rc=0

	shift 2
	poll 20 has_standby
	got=$("$ZSFS_TOOLS/forcecall" "$($role)" "$@") || rc=$?
	[ $rc != 77 ] || skip "calls cannot be forced on this machine"
	[ "$got" = "$want" ] || { echo "$role: $* gives $got, not $want"; return 1; }
}

@test "sandbox: worker and standby can do nothing but serve" {
	root_only
	mount_confined
	same "$(json .sandbox.state)" on
	same "$(json .sandbox.lacks)" ""
	same "$(json .sandbox.no_new_privs)" true
	[[ $(json .sandbox.capabilities) == @(none|sys_nice) ]]
	same "$(json .sandbox.seccomp)" true
	same "$(json .environment.privileged)" true
	for pid in "$(worker)" "$(standby)"; do
		confined "$pid"
		not_root "$pid"
		# Of the starter's files it has none but for what is the log.
		same "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" | uniq)" /dev/null
		same "$(in_status "$pid" Uid | cut -d " " -f 1)" "$(json .sandbox.uid)"
	done
	# Who mounts stays as it is.
	same "$(in_status "$DAEMON" Seccomp)" 0
	same "$(in_status "$DAEMON" Uid)" "0 0 0 0"
	# And so are those that come after.
	kill_worker
	confined "$(worker)"
	not_root "$(worker)"
	poll 20 has_standby
	confined "$(standby)"
	not_root "$(standby)"
}

@test "sandbox: a worker can have only so many threads" {
	root_only
	mount_confined
	[ "$(json .sandbox.uid)" -ge 61184 ] || skip "a user that mounts share"
	for pid in "$(worker)" "$(standby)"; do
		same "$(awk '/^Max processes/ { print $3, $4 }' "/proc/$pid/limits")" \
			"4096 4096"
	done
}

# Thousands of small calls, and a look at each 16th: half of the looks at least find
# the client where it is served. A busy machine may have all readers serve it.
served_where_it_is() {
	local looks near

	looks=$(json .readers.looks)
	near=$(json .readers.on_client_cpu)
	timeout 60 "$PYTHON" -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for i in range(6000):
    os.pwrite(fd, b"x" * 4096, i % 1000 * 4096)' "$M/f"
	looks=$(($(json .readers.looks) - looks))
	near=$(($(json .readers.on_client_cpu) - near))
	echo "$looks looks, $near of them near"
	[ "$looks" -ge 20 ] && [ "$near" -ge $((looks / 2)) ]
}

@test "sandbox: a small call is served where it comes from, as without" {
	root_only
	not_cached "its small writes are no requests"
	mount_confined
	[ "$(json .readers.following)" = true ] || skip "one processor"
	poll 10 served_where_it_is
}

@test "sandbox: who waits for the kernel is not where the client is" {
	root_only
	mount_confined
	[ "$(json .readers.following)" = true ] || skip "one processor"
	timeout 60 "$PYTHON" -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
for i in range(3000):
    os.pwrite(fd, b"x" * 4096, 0)
    assert i % 100 or os.lseek(fd, 0, os.SEEK_HOLE) == 4096' "$M/f"
	# The leader, its looker and the watch.
	[ "$(cat "/proc/$(worker)/task"/*/status |
		grep -c '^Cpus_allowed_list:.[0-9]*$')" -le 3 ]
	same "$(json .survival.deaths)" 0
}

# Fails if the text is anywhere in what a process has for itself.
not_in_memory() { # PID TEXT
	"$PYTHON" - "$1" "$2" <<-'END'
		import re, sys
		found = re.compile(re.escape(sys.argv[2].encode()))
		with open(f'/proc/{sys.argv[1]}/mem', 'rb', 0) as mem:
		    for line in open(f'/proc/{sys.argv[1]}/maps'):
		        at, rights, *_ = line.split()
		        begin, end = (int(a, 16) for a in at.split('-'))
		        if rights != 'rw-p' or end - begin > 1 << 28:
		            continue
		        mem.seek(begin)
		        if found.search(mem.read(end - begin)):
		            sys.exit(f'{line.strip()} has it')
	END
}

@test "sandbox: what the environment of who mounts says is forgotten" {
	root_only
	export SECRET_TOKEN=f9a2-c6b1 LC_TIME=C
	mount_confined
	for pid in "$DAEMON" "$(worker)" "$(standby)"; do
		fails grep -q f9a2 "/proc/$pid/environ"
		not_in_memory "$pid" f9a2-c6b1
	done
	# The test finds what there is, and what is kept gets to the next program.
	fails not_in_memory "$(worker)" LC_TIME=C
	"$ZSFS" --replace "$M"
	fails not_in_memory "$(worker)" LC_TIME=C
	not_in_memory "$(worker)" f9a2-c6b1
}

@test "sandbox: zsctl tells" {
	mount_confined
	zsctl=$(dirname "$ZSFS")/zsctl
	[ -x "$zsctl" ] || skip "no zsctl was built"
	"$zsctl" show "$M" | grep -E '^Sandbox    on: user [0-9]+, (no capabilities|CAP_SYS_NICE alone).*, seccomp$'
}

@test "sandbox: what it forbids ends a worker, and the mount goes on" {
	root_only
	expect_log 'system call [0-9]+ is forbidden by the sandbox'
	mount_confined
	expect ok put "$M/f" 300000
	exec 5>"$M/open"
	n=0
	while read -r call; do
		forced worker 'signal 31' $call </dev/null
		n=$((n + 1))
		poll 20 has_standby
		echo "$n" >&5
		expect ok put "$M/g$n" 10000
	done <<-END
		execve /bin/true 0 0
		openat -100 /dev/null 1 0
		openat -100 /dev/null 2 0
		openat -100 $T/new 64 384
		socket 2 1 0
		socket 2 2 0
		socket 1 1 0
		mprotect 0x10000 4096 5
		mmap 0 4096 5 34 -1 0
		fork
		clone 17 0 0 0 0
		ptrace 16 $DAEMON 0 0
		kill $DAEMON 9
		kill -1 9
		tgkill $DAEMON $DAEMON 9
		mount none $T tmpfs 0 0
		umount $M 2
		unlink $T/log
		memfd x 0
		sigaction 31 0 0 8
		sigaction 4294967327 0 0 8
		prctl 4 1
		setaffinity $DAEMON 8 cpus
		setscheduler $DAEMON 5 0
		setscheduler 1 5 0
		setattr 0 attributes 0
	END
	exec 5>&-
	same "$(json .survival.deaths)" $n
	same "$(json .survival.last_cause)" "signal 31 (Bad system call)"
	grep -q 'error: system call 59 is forbidden by the sandbox' "$LOG" # execve
	grep -q 'signal 31 .*: it called what its sandbox forbids' "$LOG"
	[ ! -e "$T/new" ]
	same "$(json .survival.keeper)" "$DAEMON"
	same "$(wc -l <"$M/open")" $n
	drop_cache
	expect ok check "$M/f" 0 300000 1
}

@test "sandbox: what it forbids ends a standby" {
	root_only
	expect_log 'system call [0-9]+ is forbidden by the sandbox'
	mount_confined
	pid=$(standby)
	forced standby 'signal 31' socket 2 1 0
	other() { has_standby && [ "$(standby)" != "$pid" ]; }
	poll 20 other
	same "$(json .survival.deaths)" 0
}

@test "sandbox: files that may not be read, processes that may not be reached" {
	root_only
	mount_confined
	[ "$(json .sandbox.landlock)" -ge 1 ] || skip "no Landlock in this kernel"
	mkdir -m 777 "$T/open"
	echo secret >"$T/open/file"
	chmod 644 "$T/open/file"
	pid=$(worker)
	forced worker EACCES openat -100 "$T/open/file" 0 0
	forced worker EACCES openat -100 /etc/passwd 0 0
	forced worker EACCES openat -100 / 65536 0
	forced worker EPERM kill "$DAEMON" 0
	# Of its own user, so that nothing but Landlock keeps it from that.
	poll 20 has_standby
	same "$(in_status "$(standby)" Uid)" "$(in_status "$pid" Uid)"
	[ "$(json .sandbox.landlock)" -lt 6 ] ||
		forced worker EPERM kill "$(standby)" 0
	forced worker "$pid" getpid
	same "$(worker)" "$pid"
	same "$(json .survival.deaths)" 0
	# What it does need.
	forced worker "$(forced_fd /proc/meminfo)" openat -100 /proc/meminfo 0 0
	forced worker "$(forced_fd /proc/1/status)" openat -100 /proc/1/status 0 0
}

# The number that the next file opened by the worker gets.
forced_fd() {
	local i=0

	while [ -e "/proc/$(worker)/fd/$i" ]; do
		i=$((i + 1))
	done
	echo $i
}

@test "sandbox: nosandbox leaves all as it is" {
	zsfs_mount -o nosandbox
	poll 20 has_standby
	[ "$(json .sandbox.off_because)" != sanitizer ] || skip "as with a sanitizer"
	same "$(json .sandbox.state)" off
	same "$(json .sandbox.off_because)" nosandbox
	for pid in "$(worker)" "$(standby)"; do
		same "$(in_status "$pid" Seccomp)" 0
		same "$(in_status "$pid" NoNewPrivs)" 0
		same "$(in_status "$pid" Uid)" "$(in_status "$DAEMON" Uid)"
	done
	run "$ZSFS" -o remount,sandbox "$M"
	same "$status" 1
	[[ $output == *sandbox* ]]
}

@test "sandbox: a remount may say what is so" {
	root_only
	mount_confined
	"$ZSFS" -o remount,sandbox,size=1G "$M"
	run "$ZSFS" -o remount,nosandbox "$M"
	same "$status" 1
	[[ $output == *sandbox* ]]
}

@test "sandbox: one process is not confined, and says so" {
	zsfs_mount -o nosurvive
	same "$(json .sandbox.state)" off
	same "$(json .sandbox.off_because)" nosurvive
}

@test "sandbox: -d leaves it on" {
	root_only
	expect_log .
	mount_confined -d
	same "$(json .sandbox.state)" on
	confined "$(worker)"
}

# mount_denied WHAT...: where the kernel refuses it (tools/deny.c)
mount_denied() {
	local real=$ZSFS

	printf '#!/bin/bash\nexec %s %s -- %s "$@"\n' "$ZSFS_TOOLS/deny" "$*" \
		"$ZSFS" >"$T/zsfs"
	chmod +x "$T/zsfs"
	ZSFS=$T/zsfs
	mount_confined
	ZSFS=$real
	same "$(json .sandbox.state)" partly
	grep 'the sandbox of who serves .* lacks' "$LOG"
	# Once, not by each worker.
	kill_worker
	same "$(grep -c 'the sandbox of who serves' "$LOG")" 1
}

@test "sandbox: a kernel without Landlock" {
	root_only
	mount_denied landlock
	same "$(json .sandbox.landlock)" 0
	same "$(json .sandbox.lacks)" "Landlock (Function not implemented)"
	same "$(json .sandbox.seccomp)" true
	confined "$(worker)"
	not_root "$(worker)"
}

@test "sandbox: a kernel without filters of system calls" {
	root_only
	mount_denied seccomp
	same "$(json .sandbox.seccomp)" false
	[[ $(json .sandbox.lacks) == "seccomp ("* ]]
	not_root "$(worker)"
	same "$(in_status "$(worker)" CapEff)" "$(capabilities_left)"
}

@test "sandbox: where user ids and capabilities stay" {
	root_only
	mount_denied ids caps
	same "$(json .sandbox.uid)" 0
	same "$(json .sandbox.capabilities)" kept
	same "$(json .sandbox.lacks)" \
		"a user id of its own (Operation not permitted), no capabilities (Operation not permitted)"
	same "$(json .sandbox.seccomp)" true
	same "$(in_status "$(worker)" NoNewPrivs)" 1
}

@test "sandbox: where capabilities stay" {
	root_only
	mount_denied caps
	same "$(json .sandbox.capabilities)" kept
	same "$(json .sandbox.lacks)" "no capabilities (Operation not permitted)"
	# With root's user id the kernel takes them away.
	same "$(in_status "$(worker)" CapEff)" 0000000000000000
	fails grep -qw 0 <<<"$(in_status "$(worker)" Uid)"
}

@test "sandbox: where user ids stay" {
	root_only
	mount_denied ids
	same "$(json .sandbox.uid)" 0
	same "$(json .sandbox.lacks)" "a user id of its own (Operation not permitted)"
	confined "$(worker)"
}

@test "sandbox: the user zsfs, which packages make" {
	root_only
	cp /etc/passwd "$T/passwd"
	sed -i /^zsfs:/d "$T/passwd"
	echo zsfs:x:990:991::/nonexistent:/usr/sbin/nologin >>"$T/passwd"
	cat >"$T/with_user" <<-END
		set -eu
		mount --make-rprivate /
		mount --bind "$T/passwd" /etc/passwd
		stats="$M/.zsstats/stats.json"
		has() { [ "\$(jq ".survival.\$1" "\$stats")" != 0 ]; }
		ids() {
			grep -E '^(Uid|Gid|Groups):' "/proc/\$(jq ".survival.\$1" "\$stats")/status"
		}
		"$ZSFS" -o nosuid "$M"
		echo text >"$M/f"
		until has standby; do sleep 0.05; done
		ids worker
		ids standby
		kill -9 "\$(jq .survival.worker "\$stats")"
		cat "$M/f"
		ids worker
		jq -r .sandbox.uid,.sandbox.state "\$stats"
		umount "$M"
	END
	run -0 timeout 60 unshare -m bash "$T/with_user" 3>&- 4>&-
	[ "${lines[-1]}" != off ] || skip "sanitizers"
	ids=$'Uid:\t990\t990\t990\t990\nGid:\t991\t991\t991\t991\nGroups:\t '
	same "$output" "$ids"$'\n'"$ids"$'\ntext\n'"$ids"$'\n990\non'
}

@test "sandbox: where root may signal nobody else" {
	local real=$ZSFS

	root_only
	need setpriv
	printf '#!/bin/bash\nexec setpriv --bounding-set=-kill %s "$@"\n' "$ZSFS" >"$T/zsfs"
	chmod +x "$T/zsfs"
	ZSFS=$T/zsfs
	mount_confined
	ZSFS=$real
	same "$(json .sandbox.lacks)" \
		"a user id of its own (Operation not permitted)"
	same "$(json .sandbox.uid)" 0
	confined "$(worker)"
	# The keeper can end its standby.
	zsfs_umount
	poll 10 daemon_gone
}

@test "sandbox: where nothing is permitted" {
	root_only
	mount_denied ids caps landlock seccomp
	expect ok put "$M/f" 100000
	drop_cache
	expect ok check "$M/f" 0 100000 1
}

@test "sandbox: root of a user namespace" {
	root_only
	by_user_root <<-END
		set -eu
		$T/daemon -f $T/mine 2>&1 &
		for i in \$(seq 200); do
			[ ! -e $T/mine/.zsstats/stats.json ] || break
			sleep 0.05
		done
		jq -r '.sandbox | .state, .off_because, .lacks' $T/mine/.zsstats/stats.json
		grep -E '^(NoNewPrivs|CapEff|CapPrm|Seccomp):' \\
			/proc/\$(jq .survival.worker $T/mine/.zsstats/stats.json)/status
		umount $T/mine
		wait
		echo done
	END
	! grep -qx sanitizer <<<"$output" || skip "sanitizers"
	grep -x partly <<<"$output"
	grep '^a user id of its own (' <<<"$output"
	same "$(awk '/^(Cap|NoNew|Seccomp)/ { print $2 }' <<<"$output" | xargs)" \
		"0000000000000000 0000000000000000 1 2"
}

@test "sandbox: an ordinary user's mount" {
	as_nobody '
		"$ZSFS" "$M"
		for i in $(seq 100); do
			[ "$(jq .survival.standby "$M/.zsstats/stats.json")" = 0 ] || break
			sleep 0.05
		done
		for who in worker standby; do
			grep -E "^(Uid|NoNewPrivs|CapEff|Seccomp):" \
				/proc/$(jq .survival.$who "$M/.zsstats/stats.json")/status
		done
		jq -r .sandbox.state,.sandbox.off_because "$M/.zsstats/stats.json"
		fusermount3 -u "$M"' >"$T/out"
	! grep -q sanitizer "$T/out" || skip "sanitizers"
	same "$(grep -c '^Seccomp:.2$' "$T/out")" 2
	same "$(grep -c '^NoNewPrivs:.1$' "$T/out")" 2
	same "$(grep -cE '^Uid:(.65534){4}$' "$T/out")" 2
	grep -qx on "$T/out"
}

@test "sandbox: what it forbids ends an ordinary user's worker, and the mount goes on" {
	local call calls=("execve /bin/true 0 0" "openat -100 /dev/null 1 0" "socket 2 1 0")

	[ "$(uname -m)" = x86_64 ] || skip "calls cannot be forced on this machine"
	mkdir -m 777 "$T/io"
	as_nobody '
		stats=$M/.zsstats/stats.json
		"$ZSFS" "$M"
		echo text >"$M/f"
		for i in 1 2 3; do
			while [ "$(jq .survival.standby "$stats")" = 0 ]; do sleep 0.05; done
			jq -r ".sandbox.state, .survival.worker" "$stats" >"$T/io/new"
			mv "$T/io/new" "$T/io/worker"
			while [ -e "$T/io/worker" ]; do sleep 0.05; done
			cat "$M/f"
		done
		jq -r .survival.deaths,.survival.last_cause "$stats"
		echo 1 >"$M/.zsctl/verify"
		cat "$M/.zsctl/verify"
		fusermount3 -u "$M"' >"$T/out" &
	for call in "${calls[@]}"; do
		poll 20 test -e "$T/io/worker"
		grep -qx off "$T/io/worker" ||
			same "$("$ZSFS_TOOLS/forcecall" "$(tail -n 1 "$T/io/worker")" $call)" \
				"signal 31"
		mv "$T/io/worker" "$T/io/last"
	done
	wait $!
	fails grep -qx off "$T/io/last" || skip "sanitizers"
	same "$(cat "$T/out")" "$(printf '%s\n' text text text 3 'signal 31 (Bad system call)' clean)"
}

@test "sandbox: a /proc that hides the processes of others" {
	root_only
	cat >"$T/hidden" <<-END
		set -eu
		mount --make-rprivate /
		mount -t proc -o hidepid=2 proc /proc
		"$ZSFS" -o nosuid "$M"
		echo text >"$M/f"
		echo 1 >"$M/.zsctl/verify"
		cat "$M/.zsctl/verify"
		jq -r .sandbox.state "$M/.zsstats/stats.json"
		umount "$M"
	END
	run -0 timeout 60 unshare -m bash "$T/hidden" 3>&- 4>&-
	[ "${lines[-1]}" != off ] || skip "sanitizers"
	same "$output" "$(printf 'clean\non')"
}

# Ends the mount's processes but for the worker.
kill_keeper() {
	expect_log 'the keeper .* has died|and the keeper is dead'
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	alone() { [ "$(json .survival.keeper)" = 0 ]; }
	poll 10 alone
}

nobody_left() {
	[ -z "$(processes_of "$M")" ]
}

@test "sandbox: SIGTERM to a worker unmounts, the keeper does it" {
	root_only
	mount_confined
	kill -TERM "$(worker)"
	poll 10 daemon_gone
	fails is_mounted "$M"
}

@test "sandbox: SIGTERM to a worker whose keeper is dead ends serving" {
	root_only
	mount_confined
	expect ok put "$M/f" 100000
	kill_keeper
	kill -TERM "$(worker)"
	poll 10 nobody_left
	grep 'keeper is dead: nobody serves .* unmount it' "$LOG"
	# Nobody writes into the folder below by mistake.
	is_mounted "$M"
	poll 10 quiet expect ENOTCONN stat "$M/f"
	umount "$M"
}

@test "sandbox: SIGTERM to one that may unmount does it" {
	root_only
	zsfs_mount -o nosandbox
	poll 20 has_standby
	kill_keeper
	kill -TERM "$(worker)"
	poll 10 nobody_left
	fails is_mounted "$M"
}
