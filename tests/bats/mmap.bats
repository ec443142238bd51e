#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Memory mappings, shared and private.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

# A Python program with the path of a file as sys.argv[1].
py() { timeout 60 "$PYTHON" - "$M/f"; }

@test "mmap: a shared mapping and read(2) see each other" {
	py <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 100000)
		m = mmap.mmap(fd, 100000)
		m[5000:5005] = b"hello"
		assert os.pread(fd, 5, 5000) == b"hello"
		os.pwrite(fd, b"world", 70000)
		assert m[70000:70005] == b"world"
		m.flush()
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 5, 5000) == b"hello"
		assert os.pread(fd, 5, 70000) == b"world"
	END
}

@test "mmap: what was stored is there after unmapping and dropping caches" {
	py <<-'END'
		import mmap, os, sys
		size = 8 << 20
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, size)
		m = mmap.mmap(fd, size)
		for i in range(0, size, 4096):
		    m[i:i + 8] = i.to_bytes(8, "little")
		m.close()
		os.fsync(fd)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		data = os.pread(fd, size, 0)
		while len(data) < size:
		    data += os.pread(fd, size, len(data))
		for i in range(0, size, 4096):
		    assert data[i:i + 8] == i.to_bytes(8, "little"), i
		    assert data[i + 8:i + 4096] == bytes(4088), i
		assert os.fstat(fd).st_size == size
	END
}

@test "mmap: the last page's tail behind the end is not stored" {
	"$PYTHON" - "$M/g" <<-'END'
		import ctypes, mmap, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		libc.mmap.restype = ctypes.c_void_p
		libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
		                      ctypes.c_int, ctypes.c_int, ctypes.c_long]
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.write(fd, b"x" * 5000)
		p = libc.mmap(None, 8192, mmap.PROT_READ | mmap.PROT_WRITE,
		              mmap.MAP_SHARED, fd, 0)
		ctypes.memset(p + 4096, ord("y"), 4096)  # 904 bytes inside, the rest not
		os.fsync(fd)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.fstat(fd).st_size == 5000
		assert os.pread(fd, 9000, 0) == b"x" * 4096 + b"y" * 904
		if os.environ.get("ZSFS_DRYRUN"):
		    sys.exit(0)  # tmpfs shows the bytes after growing
		os.ftruncate(fd, 8192)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		tail = os.pread(fd, 9000, 5000)
		assert tail == bytes(3192), tail[:16]
	END
}

@test "mmap: a private mapping keeps its stores to itself" {
	py <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.write(fd, b"original" * 1000)
		m = mmap.mmap(fd, 8000, access=mmap.ACCESS_COPY)
		m[0:8] = b"modified"
		assert os.pread(fd, 8, 0) == b"original"
		m.close()
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 8000, 0) == b"original" * 1000
	END
}

@test "mmap: two processes share a mapping" {
	py <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 65536)
		pid = os.fork()
		m = mmap.mmap(fd, 65536)
		half = 0 if pid else 32768
		for i in range(32768):
		    m[half + i] = (i * 7 + half) & 255
		if pid == 0:
		    os._exit(0)
		assert os.waitpid(pid, 0)[1] == 0
		for half in (0, 32768):
		    for i in range(32768):
		        assert m[half + i] == (i * 7 + half) & 255
		m.flush()
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		data = os.pread(fd, 65536, 0)
		assert data == bytes(m[:])
	END
}

@test "mmap: truncating a mapped file gives SIGBUS, then works again" {
	cat >"$T/prog.py" <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 16384)
		m = mmap.mmap(fd, 16384)
		m[12288] = 1
		os.ftruncate(fd, 4096)
		if sys.argv[2] == "touch":
		    print(m[12288])
		os.ftruncate(fd, 16384)
		assert m[12288] == 0
	END
	run "$PYTHON" "$T/prog.py" "$M/f" touch
	same "$status" 135 # 128 + SIGBUS
	"$PYTHON" "$T/prog.py" "$M/f" grow
}

@test "mmap: stores move mtime" {
	py <<-'END'
		import mmap, os, sys, time
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 4096)
		os.utime(fd, (100, 100))
		m = mmap.mmap(fd, 4096)
		m[0] = 1
		m.flush()
		os.fsync(fd)
		assert abs(os.fstat(fd).st_mtime - time.time()) < 10, os.fstat(fd).st_mtime
	END
}

@test "mmap: shared mapping of a read-only descriptor cannot write" {
	py <<-'END'
		import mmap, os, sys
		with open(sys.argv[1], "wb") as f:
		    f.write(b"text" * 100)
		fd = os.open(sys.argv[1], os.O_RDONLY)
		try:
		    mmap.mmap(fd, 400)
		    raise SystemExit("mapped for writing")
		except PermissionError:
		    pass
		m = mmap.mmap(fd, 400, access=mmap.ACCESS_READ)
		assert m[:] == b"text" * 100
	END
}

@test "mmap: programs and libraries run from the mount" {
	cp "$(command -v bash)" "$M/prog"
	"$M/prog" -c 'echo from the mount' >"$T/out"
	same "$(cat "$T/out")" "from the mount"
}
