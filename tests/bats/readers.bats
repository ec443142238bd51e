#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
#
# Where requests are served: near the client, and never only there.

load helpers

setup() { zsfs_setup; }
teardown() { zsfs_teardown; }

reader() {
	json ".readers.$1"
}

# The daemon is started by a command: zsfs_by taskset -c 0
zsfs_by() {
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$*" "$ZSFS" >"$T/zsfs-by"
	chmod +x "$T/zsfs-by"
	local ZSFS=$T/zsfs-by

	zsfs_mount -o follow_cpu
}

two_cpus() {
	[ "$(nproc)" -ge 2 ] || skip "one processor"
}

first_cpu() {
	$PYTHON -c 'import os; print(sorted(os.sched_getaffinity(0))[0])'
}

last_cpu() {
	$PYTHON -c 'import os; print(sorted(os.sched_getaffinity(0))[-1])'
}

# A control group for processors in $CPUSET.
make_cpuset() {
	local top=/sys/fs/cgroup

	if [ -f $top/cpuset/cpuset.cpus ]; then
		CPUSET=$top/cpuset/zsfs-bats-$$
		mkdir "$CPUSET" 2>/dev/null || skip "no control groups may be made"
		cat $top/cpuset/cpuset.mems >"$CPUSET/cpuset.mems"
		cat $top/cpuset/cpuset.cpus >"$CPUSET/cpuset.cpus"
	else
		echo +cpuset 2>/dev/null >$top/cgroup.subtree_control || skip "no cpusets"
		CPUSET=$top/zsfs-bats-$$
		mkdir "$CPUSET" 2>/dev/null || skip "no control groups may be made"
	fi
	# The daemon ends later.
	on_teardown "for p in \$(cat $CPUSET/cgroup.procs); do echo \$p >$CPUSET/../cgroup.procs; done; rmdir $CPUSET"
}

# requests N [FILE]: N of them, one after the other
requests() {
	$PYTHON - "$M/${2:-asked}" "$1" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
for i in range(int(sys.argv[2])):
    os.pwrite(fd, b"x" * 100, i % 64 * 4096)
END
}

# small_files CPU: made there
small_files() {
	taskset -c "$1" timeout 60 bash -c "for i in {1..300}; do echo \$i >'$M'/f\$i; done"
}

is_followed() {
	not_cached "its small writes are no requests"
	requests 500
	[ "$(reader on_client_cpu)" -gt "${1:-0}" ]
}

@test "a client is served on its processor" {
	zsfs_only
	two_cpus
	zsfs_mount
	[ "$(reader following)" = true ]
	poll 30 is_followed 20
}

@test "nofollow_cpu leaves it to the system" {
	zsfs_only
	zsfs_mount -o nofollow_cpu
	requests 1000
	[ "$(reader following)" = false ]
	[ "$(reader looks)" = 0 ]
	[ "$(reader now)" = all ]
	grep -q '"follow_cpu":false' "$M/.zsstats/stats.json"
}

@test "a remount may repeat it, but not change it" {
	zsfs_only
	zsfs_mount -o follow_cpu
	"$ZSFS" -o remount,follow_cpu "$M"
	expect_log "follow_cpu"
	run "$ZSFS" -o remount,nofollow_cpu "$M"
	[ "$status" -ne 0 ]
	[[ $output == *follow_cpu* ]]
}

@test "a daemon bound to one processor does not follow" {
	zsfs_only
	zsfs_by taskset -c "$(first_cpu)"
	requests 300
	[ "$(reader following)" = false ]
}

# Python that has sched_setaffinity(2) refused, and becomes the daemon.
refuse_affinity() {
	cat >"$T/refuse.py" <<-'END'
		import ctypes, os, platform, struct, sys
		numbers = {"x86_64": 203, "aarch64": 122}
		code = [(0x20, 0, 0, 0), (0x15, 0, 1, numbers[platform.machine()]),
		        (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
		buf = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
		class Program(ctypes.Structure):
		    _fields_ = [("len", ctypes.c_ushort), ("code", ctypes.c_void_p)]
		prctl = ctypes.CDLL(None, use_errno=True).prctl
		if prctl(22, 2, ctypes.byref(Program(len(code), ctypes.addressof(buf)))):
		    sys.exit(os.strerror(ctypes.get_errno()))
		try:
		    os.sched_setaffinity(0, os.sched_getaffinity(0))
		except PermissionError:
		    os.execv(sys.argv[1], sys.argv[1:])
		sys.exit("not refused")
	END
}

@test "a daemon that may not choose its processors" {
	zsfs_only
	root_only
	two_cpus
	case $(uname -m) in x86_64 | aarch64) ;; *) skip "other numbers of calls" ;; esac
	refuse_affinity
	$PYTHON "$T/refuse.py" /bin/true || skip "no filters of calls"
	zsfs_by "$PYTHON" "$T/refuse.py"
	small_files "$(first_cpu)"
	small_files "$(last_cpu)"
	same "$(reader following)" true
	same "$(reader moves)" 0
	kill -9 "$(worker)"
	same "$(cat "$M/f300")" 300
}

# As when processors go offline: the threads that were on them are moved.
@test "processors that are taken away, and given back" {
	zsfs_only
	root_only
	two_cpus
	make_cpuset
	zsfs_mount -o follow_cpu
	poll 30 is_followed 20
	for pid in $(json '.survival | .worker, .standby, .keeper'); do
		echo "$pid" >"$CPUSET/cgroup.procs"
	done
	for round in 1 2 3; do
		echo "$(first_cpu)" >"$CPUSET/cpuset.cpus"
		small_files "$(last_cpu)"
		small_files "$(first_cpu)"
		kill -9 "$(worker)"
		same "$(cat "$M/f300")" 300
		poll 30 has_standby
		echo "$(last_cpu)" >"$CPUSET/cpuset.cpus"
		small_files "$(first_cpu)"
		echo "$(first_cpu),$(last_cpu)" >"$CPUSET/cpuset.cpus"
		requests 500 "r$round"
	done
}

@test "a client that changes its processor with each call" {
	zsfs_only
	zsfs_mount -o follow_cpu
	$PYTHON - "$M/f" <<'END'
import os, sys
cpus = sorted(os.sched_getaffinity(0))
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for i in range(2000):
    os.sched_setaffinity(0, {cpus[i % len(cpus)]})
    assert os.pwrite(fd, b"%04d" % i, i * 4) == 4
assert os.pread(fd, 8000, 0) == b"".join(b"%04d" % i for i in range(2000))
END
}

@test "sixty-four clients at once" {
	zsfs_only
	zsfs_mount -o follow_cpu
	$PYTHON - "$M" <<'END'
import os, sys, threading
def client(n):
    d = f"{sys.argv[1]}/d{n}"
    os.mkdir(d)
    for i in range(20):
        with open(f"{d}/{i}", "wb") as f:
            f.write(b"%d" % n * 1000)
        os.rename(f"{d}/{i}", f"{d}/x{i}")
threads = [threading.Thread(target=client, args=(n,)) for n in range(64)]
[t.start() for t in threads]
[t.join() for t in threads]
for n in range(64):
    for i in range(20):
        assert open(f"{sys.argv[1]}/d{n}/x{i}", "rb").read() == b"%d" % n * 1000
END
}

# Eight write whole MiBs at once, so that some wait to be read; two others make
# small calls meanwhile.
write_beside_small_calls() {
	timeout 120 $PYTHON - "$M" <<'END'
import os, sys, threading
top = sys.argv[1]
def mib(n, k):
    return (b"%d %d " % (n, k) * (1 << 18))[:1 << 20]
def write(n):
    fd = os.open(f"{top}/large{n}", os.O_RDWR | os.O_CREAT)
    for k in range(16):
        assert os.pwrite(fd, mib(n, k), k << 20) == 1 << 20
    os.close(fd)
def call(n, writers):
    while any(w.is_alive() for w in writers):
        os.close(os.open(f"{top}/small{n}", os.O_CREAT | os.O_WRONLY))
        os.rename(f"{top}/small{n}", f"{top}/other{n}")
        os.unlink(f"{top}/other{n}")
writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
[w.start() for w in writers]
others = [threading.Thread(target=call, args=(n, writers)) for n in range(2)]
[o.start() for o in others]
[t.join() for t in writers + others]
for n in range(8):
    with open(f"{top}/large{n}", "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for k in range(16):
            assert f.read(1 << 20) == mib(n, k), (n, k)
END
}

@test "short requests overtake long ones" {
	zsfs_only
	zsfs_mount
	not_cached "writers do not wait for their requests"
	write_beside_small_calls
	[ "$(reader put_aside)" -gt 0 ]
}

@test "requests that wait for a thread outlive workers" {
	zsfs_only
	zsfs_mount
	under_kills write_beside_small_calls
}

# Each of these takes seconds by itself, where others must not wait for it.
@test "small requests beside long checks" {
	zsfs_only
	zsfs_mount -o follow_cpu
	head -c 64M /dev/urandom >"$M/data"
	for _ in 1 2 3 4 5; do echo 1 >"$M/.zsctl/verify"; done &
	timeout 60 bash -c "for i in {1..200}; do echo \$i >'$M'/f\$i; done"
	wait $!
	[ "$(cat "$M/f200")" = 200 ]
}

@test "beside programs that keep every processor busy" {
	zsfs_only
	zsfs_mount -o follow_cpu
	for _ in $(seq "$(nproc)"); do
		timeout 30 $PYTHON -c 'while True: pass' &
		on_teardown "kill $! 2>/dev/null"
	done
	timeout 25 bash -c "for i in {1..300}; do echo \$i >'$M'/f\$i; done"
	[ "$(cat "$M/f300")" = 300 ]
}

@test "a client that the daemon cannot see" {
	zsfs_only
	root_only
	two_cpus
	unshare --pid --fork true 2>/dev/null || skip "no PID namespaces here"
	zsfs_by unshare --pid --fork
	is_unknown() {
		not_cached "its small writes are no requests"
		requests 300
		[ "$(reader unknown)" -gt 0 ]
	}
	poll 30 is_unknown
	[ "$(cat "$M/asked" | wc -c)" -gt 0 ]
}

@test "a worker that is stopped goes on where it was" {
	zsfs_only
	zsfs_mount -o follow_cpu
	local pid
	requests 300
	pid=$(worker)
	kill -STOP "$pid"
	requests 300 other &
	sleep 0.3
	kill -CONT "$pid"
	wait $!
	[ -s "$M/other" ]
}

@test "a worker's death with one reader" {
	zsfs_only
	zsfs_mount -o follow_cpu
	requests 300
	for _ in 1 2 3; do
		requests 2000 &
		sleep 0.05
		kill -9 "$(worker)"
		wait $!
		poll 30 has_standby
	done
	two_cpus
	poll 30 is_followed 20
}

@test "a thread without work sleeps" {
	zsfs_only
	zsfs_mount -o follow_cpu
	requests 1000
	sleep 4 # what was freed is given back after 2 s
	local pid
	pid=$(worker)
	used() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
	local before
	before=$(used)
	sleep 5
	[ $(($(used) - before)) -le 1 ]
}

# threads_placed PID: those that are bound to fewer processors than the first,
# or are idle by their policy (5)
threads_placed() {
	local t n=0

	for t in "/proc/$1/task/"*; do
		cmp -s <(grep Cpus_allowed: "$t/status") \
			<(grep Cpus_allowed: "/proc/$1/status") &&
			[ "$(awk '{ print $41 }' "$t/stat")" != 5 ] || n=$((n + 1))
	done
	echo "$n"
}

@test "no thread keeps a place at rest, or hands it down" {
	zsfs_only
	two_cpus
	zsfs_mount -o follow_cpu
	nobody_is_placed() {
		[ "$(threads_placed "$(worker)")" = 0 ]
	}
	is_followed 0 || poll 30 is_followed 0
	# What waits for pages that are in the kernel has threads of its own.
	$PYTHON - "$M/mapped" <<'END'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
m = mmap.mmap(fd, 1 << 20)
for n in range(100):
    for i in range(40):
        os.pwrite(fd, b"x" * 100, (1 << 19) + i % 64 * 4096)
    m[n * 4096] = 1
    os.lseek(fd, 0, os.SEEK_DATA)
END
	poll 10 nobody_is_placed
}

# To look at a process that executes another program waits until its files are
# closed, and that waits for the mount.
@test "programs that are replaced while their files are written back" {
	zsfs_only
	zsfs_mount -o follow_cpu,writeback
	cat >"$T/again.py" <<'END'
import os, sys
left = int(sys.argv[2])
files = [os.open(f"{sys.argv[1]}/{k}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
         for k in range(200)]
for fd in files:
    os.pwrite(fd, b"%d" % left * 100, 0)
if left:
    os.execv(sys.executable, [sys.executable, *sys.argv[:2], str(left - 1)])
END
	$PYTHON "$T/again.py" "$M" 5 &
	ended() { ! kill -0 $! 2>/dev/null; }
	poll 30 ended
	wait $!
	[ "$(cat "$M/199")" = "$(printf '0%.0s' {1..100})" ]
}
