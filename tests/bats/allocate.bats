#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# fallocate(2) and posix_fallocate(3): room that is there when it is needed.
load helpers

setup() {
	zsfs_setup
	! all_have writeback || expect_log 'no room for a cached write'
}
teardown() { zsfs_teardown; }

# A Python program with the mountpoint as its argument.
py() { timeout 100 "$PYTHON" - "$M"; }

@test "allocate: more than there is fails and takes nothing" {
	zsfs_mount -o mem_limit=48M,size=40M
	before=$(available)
	py <<-'END'
		import errno, os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		for n in 128 << 20, 1 << 40, (1 << 62):
		    try:
		        os.posix_fallocate(fd, 0, n)
		        raise SystemExit("posix_fallocate: succeeded")
		    except OSError as e:
		        assert e.errno in (errno.ENOSPC, errno.EFBIG), e
		st = os.fstat(fd)
		assert (st.st_size, st.st_blocks) == (0, 0), st
		os.unlink(sys.argv[1] + "/f")
	END
	# A page or two go to the first inode and name.
	between $((before - 65536)) "$(available)" "$before"
}

@test "allocate: what was granted can be stored through a mapping" {
	zsfs_mount -o mem_limit=48M,size=40M
	py <<-'END'
		import mmap, os, sys
		top = sys.argv[1]
		st = os.statvfs(top)
		size = st.f_bavail * st.f_frsize - (1 << 20)
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		os.posix_fallocate(fd, 0, size)
		assert os.fstat(fd).st_size == size
		assert os.fstat(fd).st_blocks * 512 >= size
		left = os.statvfs(top).f_bavail * st.f_frsize
		assert left <= 2 << 20, left
		# Others take what is left, and are told.
		try:
		    with open(top + "/g", "wb", buffering=0) as g:
		        while g.write(os.urandom(65536)):
		            pass
		except OSError:
		    pass
		m, want = mmap.mmap(fd, size), []
		for off in range(0, size, 1 << 20):
		    data = os.urandom(min(1 << 20, size - off))
		    m[off:off + len(data)] = data
		    want.append(data)
		m.flush()
		os.fsync(fd)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert m[:] == b"".join(want)
	END
	[ -n "${ZSFS_DRYRUN:-}" ] || all_have writeback ||
		same "$(json .content.late_writes_lost)" 0
}

@test "allocate: content stays, holes read as zeros, the file grows" {
	zsfs_mount
	py <<-'END'
		import os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b"begin", 3)
		os.pwrite(fd, b"middle", 300000)
		os.pwrite(fd, bytes(8192), 40960)
		want = os.pread(fd, 1 << 20, 0)
		os.posix_fallocate(fd, 100, 500000)
		want += bytes(500100 - len(want))
		assert os.fstat(fd).st_size == 500100
		assert os.fstat(fd).st_blocks == 123 * 8, os.fstat(fd).st_blocks
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 1 << 20, 0) == want
		os.posix_fallocate(fd, 0, 10)
		assert os.fstat(fd).st_size == 500100
		os.ftruncate(fd, 4096)
		assert os.fstat(fd).st_blocks == 8
	END
}

@test "allocate: it is counted, and freed, as any content" {
	zsfs_mount
	used() { df --output=used -k "$M" | tail -n 1; }
	before=$(used)
	fallocate -l 64M "$M/f"
	same "$(($(used) - before))" 65536
	same "$(du -k "$M/f" | cut -f 1)" 65536
	[ -n "${ZSFS_DRYRUN:-}" ] || [ "$(mm_stat 3)" -ge 67108864 ]
	truncate -s 32M "$M/f"
	poll 10 same "$(($(used) - before))" 32768
	rm "$M/f"
	poll 10 same "$(used)" "$before"
}

@test "allocate: other modes are refused" {
	zsfs_only
	zsfs_mount
	echo data >"$M/f"
	expect EOPNOTSUPP fallocate "$M/f" 1 0 4096
	expect EOPNOTSUPP fallocate "$M/f" 2 0 4096
	expect EOPNOTSUPP fallocate "$M/f" 8 0 4096
	expect EOPNOTSUPP fallocate "$M/f" 32 0 4096
	expect EOPNOTSUPP fallocate "$M/f" 16 0 4096
	expect ok fallocate "$M/f" 0 0 4096
	same "$(cat "$M/f" | tr -d '\0')" data
}

@test "allocate: others are served while much is reserved" {
	zsfs_only
	zsfs_mount
	local i done=0

	for i in 1 2 3 4; do
		fallocate -l 256M "$M/f$i" &
		echo $! >>"$T/pids"
	done
	# Each of these needs a request thread.
	for i in $(seq 400); do
		expect ok mkdir "$M/d$i" 0755
		kill -0 $(cat "$T/pids") 2>/dev/null && done=$i
	done
	wait $(cat "$T/pids")
	between 50 $done 400
	for i in 1 2 3 4; do
		same "$(stat -c '%s %b' "$M/f$i")" "268435456 524288"
	done
}

@test "allocate: worker after worker dies of a kill meanwhile" {
	zsfs_only
	zsfs_mount
	local i pid

	fallocate -l 1G "$M/f" &
	pid=$!
	for i in $(seq 8); do
		sleep 0.1
		kill -9 "$(worker)" 2>/dev/null || true
	done
	wait $pid
	same "$(stat -c '%s %b' "$M/f")" "1073741824 2097152"
}

# Room goes while much is being reserved for $M/f, which has 5 bytes; then COMMAND
# is run.
reserve_in_vain() {
	zsfs_mount -o size=2G
	printf hello >"$M/f"
	fallocate -l 1900M "$M/f" 2>"$T/said" &
	local pid=$!
	until [ "$(json .content.blocks)" -gt 20000 ]; do
		kill -0 $pid
	done
	echo 1G >"$M/.zsctl/size"
	kill -0 $pid
	same "$(stat -c %s "$M/f")" 5
	"$@"
	fails wait $pid
	grep -q 'No space left' "$T/said"
	same "$(stat -c '%s %b' "$M/f")" "5 8"
	same "$(cat "$M/f")" hello
	same "$(json .content.blocks)" 1
}

@test "allocate: room that goes meanwhile: nothing was taken" {
	zsfs_only
	reserve_in_vain true
}

@test "allocate: room and the worker go meanwhile: nothing was taken" {
	zsfs_only
	kill_worker() { kill -9 "$(worker)"; }
	reserve_in_vain kill_worker
	[ "$(json .survival.deaths)" -ge 1 ]
}

@test "allocate: right after much was deleted" {
	zsfs_mount -o mem_limit=200M,size=160M
	local i

	for i in $(seq 20); do
		fallocate -l 120M "$M/f$i"
		rm "$M/f$i"
	done
	for i in $(seq 3); do
		head -c 120M /dev/urandom >"$M/f$i"
		rm "$M/f$i"
		fallocate -l 120M "$M/g$i"
		rm "$M/g$i"
	done
}
