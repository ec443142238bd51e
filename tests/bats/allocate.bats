#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# fallocate(2) and posix_fallocate(3): room that is there when it is needed.
load helpers

setup() {
	zsfs_setup
	expect_late_losses
}
teardown() { zsfs_teardown; }

# A Python program with the mountpoint as its argument, libc, and said(fd, mode,
# off, len): the name of fallocate(2)'s errno or None.
py() {
	{ cat <<-'END'; cat; } | timeout 100 "$PYTHON" - "$M"
		import ctypes, errno
		libc = ctypes.CDLL(None, use_errno=True)
		libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
		def said(fd, mode, off, n):
		    if libc.fallocate(fd, mode, off, n) == 0:
		        return None
		    return errno.errorcode[ctypes.get_errno()]
	END
}

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
		# df allows for files of one block; those of a long one take less.
		assert left <= (2 << 20) + size // 16, left
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

@test "allocate: it is counted, and given back, as any content" {
	zsfs_mount -o size=200M
	used() { df --output=used -k "$M" | tail -n 1; }
	free=$(available)
	before=$(used)
	fallocate -l 64M "$M/f"
	same "$(($(used) - before))" 65536
	same "$(du -k "$M/f" | cut -f 1)" 65536
	between $((free - 68157440)) "$(available)" $((free - 67108864))
	truncate -s 32M "$M/f"
	poll 10 same "$(($(used) - before))" 32768
	[ -n "${ZSFS_DRYRUN:-}" ] || same "$(json .content.reserved_blocks)" 8192
	fallocate -p -o 0 -l 16M "$M/f"
	same "$(($(used) - before))" 16384
	echo >"$M/g"
	mv "$M/g" "$M/f"
	poll 10 same "$(($(used) - before))" 4
	fallocate -l 64M "$M/g"
	rm "$M/f" "$M/g"
	poll 10 same "$(used)" "$before"
	[ -n "${ZSFS_DRYRUN:-}" ] || same "$(json .content.reserved_blocks)" 0
}

@test "allocate: it takes memory when it is written" {
	zsfs_only
	zsfs_mount -o mem_limit=400M
	before=$(mm_stat 3)
	fallocate -l 256M "$M/f"
	between 0 $(($(mm_stat 3) - before)) 2200000
	same "$(mm_stat 1)" 0
	head -c 8M /dev/urandom | dd of="$M/f" conv=notrunc status=none bs=1M
	[ $(($(mm_stat 3) - before)) -ge 8388608 ]
	same "$(json .content.reserved_blocks)" 63488
}

@test "allocate: with the size kept, and what lies behind the end" {
	zsfs_mount
	py <<-'END'
		import os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		def keep(off, n):
		    assert libc.fallocate(fd, 1, off, n) == 0
		def shows(size, blocks):
		    st = os.fstat(fd)
		    assert (st.st_size, st.st_blocks) == (size, blocks * 8), st
		os.pwrite(fd, b"x" * 5000, 0)
		keep(0, 100000)
		shows(5000, 25)
		assert os.pread(fd, 10000, 0) == b"x" * 5000
		keep(1 << 30, 8192)
		shows(5000, 27)
		os.pwrite(fd, b"y", 50000)
		shows(50001, 27)
		assert os.pread(fd, 60000, 0) == b"x" * 5000 + bytes(45000) + b"y"
		os.ftruncate(fd, 1 << 20)
		shows(1 << 20, 27)
		assert os.pread(fd, 1 << 20, 50001) == bytes((1 << 20) - 50001)
		os.ftruncate(fd, 1 << 20)
		shows(1 << 20, 25)
		os.ftruncate(fd, 0)
		shows(0, 0)
	END
}

@test "allocate: reserved blocks are holes to SEEK_DATA and SEEK_HOLE" {
	zsfs_mount
	py <<-'END'
		import os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		os.posix_fallocate(fd, 0, 1 << 20)
		def seek(off, how):
		    try:
		        return os.lseek(fd, off, how)
		    except OSError as e:
		        return -e.errno
		assert seek(0, os.SEEK_HOLE) == 0
		assert seek(0, os.SEEK_DATA) == -6
		for b in 3, 4, 200, 255:
		    os.pwrite(fd, b"x", b * 4096 + 7)
		os.fsync(fd)
		found, off = [], 0
		while (off := seek(off, os.SEEK_DATA)) >= 0:
		    end = seek(off, os.SEEK_HOLE)
		    found.append((off // 4096, end // 4096))
		    off = end
		assert found == [(3, 5), (200, 201), (255, 256)], found
		assert os.fstat(fd).st_blocks == 2048
	END
}

@test "allocate: what a write into it does is not undone by others" {
	zsfs_mount -o mem_limit=64M,size=56M
	py <<-'END'
		import os, random, sys
		top, random.seed = sys.argv[1], random.seed
		random.seed(2)
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		size = 16 << 20
		os.posix_fallocate(fd, 0, size)
		g = os.open(top + "/g", os.O_RDWR | os.O_CREAT)
		def fill():
		    try:
		        while os.write(g, os.urandom(65536)):
		            pass
		    except OSError as e:
		        assert e.errno == 28, e
		want = bytearray(size)
		for b in random.sample(range(4096), 4096):
		    if b % 64 == 0:
		        fill()
		    n = random.choice([1, 500, 2000, 3000, 4096])
		    data = os.urandom(n)
		    assert os.pwrite(fd, data, b * 4096) == n
		    want[b * 4096:b * 4096 + n] = data
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, size, 0) == want
	END
}

@test "allocate: zeros in place of a range, which has room" {
	zsfs_only
	zsfs_mount
	py <<-'END'
		import os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		want = bytearray(os.urandom(100000))
		os.pwrite(fd, want, 0)
		for off, n in (5000, 20000), (0, 1), (95000, 5000), (40960, 4096):
		    assert libc.fallocate(fd, 17, off, n) == 0
		    want[off:off + n] = bytes(n)
		    assert os.pread(fd, 200000, 0) == want
		assert os.fstat(fd).st_blocks == 25 * 8
		assert libc.fallocate(fd, 17, 1 << 20, 4096) == 0
		assert os.fstat(fd).st_size == 100000
		assert libc.fallocate(fd, 16, 90000, 110000) == 0
		want[90000:] = bytes(110000)
		assert os.fstat(fd).st_size == 200000
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 300000, 0) == want
	END
	[ "$(json .content.reserved_blocks)" -ge 20 ]
}

@test "allocate: what is refused, and how" {
	zsfs_mount -o size=64M
	py <<-'END'
		import os, sys, time
		top = sys.argv[1]
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b"data", 0)
		os.fsync(fd)
		before = os.statvfs(top).f_bavail
		start = time.time()
		for mode in 0, 1:
		    assert said(fd, mode, 0, 1 << 40) == "ENOSPC"
		    assert said(fd, mode, 0, (1 << 63) - 1) == "ENOSPC"
		    assert said(fd, mode, 1 << 62, 1 << 62) == "EFBIG"
		    assert said(fd, mode, (1 << 63) - 1, 1) == "EFBIG"
		    assert said(fd, mode, 0, 0) == "EINVAL"
		    assert said(fd, mode, 0, -1) == "EINVAL"
		    assert said(fd, mode, -1, 1) == "EINVAL"
		assert time.time() - start < 5
		for mode in 2, 4, 8, 32, 64, 128, 24:
		    assert said(fd, mode, 0, 4096) == "ENOTSUP", mode
		d = os.open(top, os.O_RDONLY)
		assert said(d, 0, 0, 4096) == "EBADF"
		r = os.open(top + "/f", os.O_RDONLY)
		assert said(r, 0, 0, 4096) == "EBADF"
		st = os.fstat(fd)
		assert (st.st_size, st.st_blocks) == (4, 8), st
		assert os.statvfs(top).f_bavail == before
		assert os.pread(fd, 100, 0) == b"data"
	END
}

@test "allocate: at mem_limit there is none, but for what was given back" {
	not_cached "what finds no room is stored first"
	zsfs_mount -o mem_limit=20M,size=16M
	fails dd if=/dev/urandom of="$M/f" bs=1M count=100 status=none
	# What is left in pieces.
	fails dd if=/dev/urandom of="$M/g" bs=4K count=10000 status=none
	py <<-'END'
		import os, sys
		f = os.open(sys.argv[1] + "/f", os.O_RDWR)
		h = os.open(sys.argv[1] + "/h", os.O_RDWR | os.O_CREAT)
		size = os.fstat(f).st_size
		for mode in 0, 1:
		    for n in 1 << 20, 1 << 32, 1 << 44, (1 << 63) - 1:
		        assert said(h, mode, 0, n) == "ENOSPC", (mode, n)
		    assert said(f, mode, 0, size) is None
		    assert said(f, mode, 1 << 40, 1 << 20) == "ENOSPC"
		assert os.fstat(h).st_blocks == 0 and os.fstat(h).st_size == 0
		assert said(f, 3, 100, 5 << 20) is None
		assert said(h, 0, 0, 2 << 20) is None
		for off in range(0, 2 << 20, 1 << 16):
		    assert os.pwrite(h, os.urandom(1 << 16), off) == 1 << 16
		assert said(f, 3, 0, (1 << 63) - 1) is None
		assert os.fstat(f).st_blocks == 0
	END
}

@test "allocate: ENOSPC takes back what it gave to holes within the file" {
	zsfs_mount -o size=64M
	py <<-'END'
		import os, sys
		fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_CREAT)
		for off in range(0, 100 << 20, 1 << 20):
		    os.pwrite(fd, b"x", off)
		os.posix_fallocate(fd, 10 << 20, 1 << 20)
		before = os.fstat(fd)
		try:
		    os.posix_fallocate(fd, 0, 100 << 20)
		    raise SystemExit("succeeded")
		except OSError as e:
		    assert e.errno == 28, e
		after = os.fstat(fd)
		assert (before.st_size, before.st_blocks) == (after.st_size, after.st_blocks)
	END
}

@test "allocate: an ordinary user's takes set-uid and set-gid away" {
	zsfs_mount -o mode=1777
	local mode

	for mode in 0 1; do
		printf data >"$M/f$mode"
		chmod 6777 "$M/f$mode"
		expect ok fallocate "$M/f$mode" $mode 0 4096
		same "$(stat -c %a "$M/f$mode")" 6777
		[ "$(id -u)" = 0 ] || continue
		setpriv --reuid $NOBODY --regid $NOBODY --clear-groups \
			fallocate $([ $mode = 0 ] || echo -n) -o 0 -l 4096 "$M/f$mode"
		same "$(stat -c %a "$M/f$mode")" 777
	done
}

@test "allocate: others are served while much is reserved" {
	zsfs_only
	zsfs_mount
	local i

	(
		while [ -d "$M" ] && [ ! -e "$T/stop" ]; do
			fallocate -l 1G "$M/f"
			truncate -s 0 "$M/f"
		done
	) &
	pid=$!
	for i in $(seq 400); do
		expect ok mkdir "$M/d$i" 0755
	done
	touch "$T/stop"
	wait $pid
}

allocate_once() {
	fallocate -l 1G "$M/f"
	same "$(stat -c '%s %b' "$M/f")" "1073741824 2097152"
	fallocate -p -o 1 -l 1G "$M/f"
	same "$(stat -c '%s %b' "$M/f")" "1073741824 8"
	rm "$M/f"
}

@test "allocate: worker after worker dies of a kill meanwhile" {
	zsfs_only
	zsfs_mount
	under_kills allocate_once
	poll 10 same "$(json .content.reserved_blocks)" 0
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
