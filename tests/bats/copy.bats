#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# copy_file_range(2): from file to file within the mount, without a WRITE.
load helpers

setup() { zsfs_setup; }
teardown() { zsfs_teardown; }

# A Python program with the mountpoint as its argument.
py() { timeout 100 "$PYTHON" - "$M" "$@"; }

@test "copy: any range to any place holds the same bytes" {
	zsfs_mount
	py <<-'END'
		import os, random, sys
		top = sys.argv[1]
		random.seed(7)
		a = os.open(top + "/a", os.O_RDWR | os.O_CREAT)
		b = os.open(top + "/b", os.O_RDWR | os.O_CREAT)
		src = bytearray(3 << 20)
		for off in range(0, 3 << 20, 65536):
		    if random.random() < .6:
		        src[off:off + 65536] = random.choice([os.urandom(65536), b"text " * 13107 + b"x"])
		        os.pwrite(a, src[off:off + 65536], off)
		os.ftruncate(a, 3 << 20)
		want = bytearray(b"old" * 1000000)
		os.pwrite(b, want, 0)
		for k in range(150):
		    n = random.choice([1, 100, 4096, 8192, 70000, 1 << 20])
		    at, out = random.randrange(3 << 20), random.randrange(3 << 20)
		    if k % 3:
		        out += at % 4096 - out % 4096
		    out = max(out, 0)
		    got = os.copy_file_range(a, b, n, at, out)
		    assert 0 < got <= n, got
		    if out > len(want):
		        want += bytes(out - len(want))
		    want[out:out + got] = src[at:at + got]
		    assert os.pread(b, 70000 + n, max(out - 5000, 0)) == \
		        want[max(out - 5000, 0):max(out - 5000, 0) + 70000 + n]
		os.posix_fadvise(b, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(b, 8 << 20, 0) == want
		assert os.copy_file_range(a, b, 100, 3 << 20, 0) == 0
	END
}

@test "copy: cp sends no content through the kernel, and holes stay holes" {
	zsfs_only
	zsfs_mount
	head -c 8M /dev/urandom >"$M/a"
	truncate -s 1G "$M/s"
	echo end >>"$M/s"
	writes=$(json .requests.write)
	cp "$M/a" "$M/b"
	cp "$M/s" "$M/t"
	between "$writes" "$(json .requests.write)" $((writes + 2))
	cmp "$M/a" "$M/b"
	cmp "$M/s" "$M/t"
	same "$(stat -c '%s %b' "$M/t")" "1073741828 8"
	# A hole is copied at once, however long.
	py <<-'END'
		import os, sys
		a = os.open(sys.argv[1] + "/s", os.O_RDONLY)
		b = os.open(sys.argv[1] + "/u", os.O_RDWR | os.O_CREAT)
		assert os.copy_file_range(a, b, 1 << 30) == 1 << 30
		assert os.fstat(b).st_size == 1 << 30 and os.fstat(b).st_blocks == 0
		# More than 32 bits can tell: a short answer, and never none.
		end = (6 << 30) + 1000
		os.truncate(sys.argv[1] + "/s", end)
		c = os.open(sys.argv[1] + "/v", os.O_RDWR | os.O_CREAT)
		for step in 1 << 32, 8 << 30:
		    os.truncate(c, 0)
		    os.lseek(a, 0, os.SEEK_SET)
		    os.lseek(c, 0, os.SEEK_SET)
		    n = 0
		    while n < end:
		        did = os.copy_file_range(a, c, step)
		        assert 0 < did <= step, did
		        n += did
		    assert n == end == os.fstat(c).st_size
		    assert os.pread(c, 4, 1 << 30) == b"end\n"
	END
}

@test "copy: what is refused, and how" {
	zsfs_mount -o size=8M
	py <<-'END'
		import errno, os, sys
		top = sys.argv[1]
		def said(*args):
		    try:
		        return os.copy_file_range(*args)
		    except OSError as e:
		        return errno.errorcode[e.errno]
		a = os.open(top + "/a", os.O_RDWR | os.O_CREAT)
		os.pwrite(a, os.urandom(5 << 20), 0)
		b = os.open(top + "/b", os.O_RDWR | os.O_CREAT)
		assert said(a, a, 8192, 0, 4096) == "EINVAL"
		assert said(a, a, 4096, 0, 4096) == 4096
		assert said(a, os.open(top + "/b", os.O_RDONLY), 100) == "EBADF"
		assert said(a, os.open(top, os.O_RDONLY), 100) in ("EBADF", "EISDIR")
		assert said(os.open(top, os.O_RDONLY), b, 100) == "EISDIR"
		assert said(a, b, 4096, 0, (1 << 63) - 1) in ("EFBIG", "EOVERFLOW")
		done = 0
		while True:
		    n = said(a, b, 5 << 20, done, done)
		    if n in ("ENOSPC", 0):
		        break
		    done += n
		assert n == "ENOSPC" and 2 << 20 < done <= 3 << 20, (n, done)
		assert os.pread(b, 5 << 20, 0) == os.pread(a, done, 0)
	END
}

@test "copy: times and set-uid" {
	zsfs_mount -o mode=1777
	py <<-'END'
		import os, sys
		top = sys.argv[1]
		a = os.open(top + "/a", os.O_RDWR | os.O_CREAT)
		os.pwrite(a, b"x" * 10000, 0)
		b = os.open(top + "/b", os.O_RDWR | os.O_CREAT)
		os.utime(b, (1, 1))
		assert os.copy_file_range(a, b, 5000) == 5000
		assert os.fstat(b).st_mtime > 1
		os.fchmod(b, 0o6777)
		if os.getuid() == 0:
		    if os.fork() == 0:
		        os.setgid(65534)
		        os.setuid(65534)
		        assert os.copy_file_range(a, b, 100) == 100
		        os._exit(os.fstat(b).st_mode & 0o6000 != 0)
		    assert os.wait()[1] == 0
		    assert os.fstat(b).st_mode & 0o7777 == 0o777
	END
}

@test "copy: the source was read, as its access time says at once" {
	zsfs_mount
	py <<-'END'
		import os, sys
		top = sys.argv[1]
		a = os.open(top + "/a", os.O_RDWR | os.O_CREAT)
		b = os.open(top + "/b", os.O_RDWR | os.O_CREAT)
		os.pwrite(a, b"x" * 10000, 0)
		os.utime(a, (1, 1))
		assert os.fstat(a).st_atime == 1
		assert os.copy_file_range(a, b, 10000) == 10000
		assert os.fstat(a).st_atime > 1
	END
}

@test "copy: of what a program stored through a mapping, or over it" {
	zsfs_mount
	py <<-'END'
		import mmap, os, sys
		top, size = sys.argv[1], 1 << 20
		a = os.open(top + "/a", os.O_RDWR | os.O_CREAT)
		b = os.open(top + "/b", os.O_RDWR | os.O_CREAT)
		os.ftruncate(a, size)
		os.ftruncate(b, size)
		ma, mb = mmap.mmap(a, size), mmap.mmap(b, size)
		for k in range(32):
		    ma[k * 8192] = k + 1
		    mb[k * 8192 + 5] = 200
		    done = k * 4096
		    end = done + 400000
		    while done < end:
		        done += os.copy_file_range(a, b, end - done, done, done)
		    assert mb[k * 4096:end] == ma[k * 4096:end], k
	END
}

copy_once() {
	cp "$M/a" "$M/b"
	cmp "$M/a" "$M/b"
	rm "$M/b"
}

@test "copy: worker after worker dies of a kill meanwhile" {
	zsfs_only
	zsfs_mount
	head -c 32M /dev/urandom >"$M/a"
	under_kills copy_once
}
