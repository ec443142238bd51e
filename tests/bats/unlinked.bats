#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Files that are open and have no name any more.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

@test "unlinked: an open file goes on working" {
	"$PYTHON" - "$M/f" <<-'END'
		import os, sys
		name = sys.argv[1]
		fd = os.open(name, os.O_RDWR | os.O_CREAT)
		os.write(fd, b"before" * 2000)
		os.unlink(name)
		assert not os.path.exists(name)
		assert os.fstat(fd).st_nlink == 0
		assert os.fstat(fd).st_size == 12000
		os.pwrite(fd, b"after", 100000)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 12000, 0) == b"before" * 2000
		assert os.pread(fd, 5, 100000) == b"after"
		assert os.pread(fd, 88000, 12000) == bytes(88000)
		os.ftruncate(fd, 7)
		assert os.pread(fd, 100, 0) == b"beforeb"
		os.fchmod(fd, 0o640)
		assert os.fstat(fd).st_mode & 0o7777 == 0o640
		os.close(fd)
	END
}

@test "unlinked: a new file of the same name is another one" {
	"$PYTHON" - "$M/f" <<-'END'
		import os, sys
		name = sys.argv[1]
		old = os.open(name, os.O_RDWR | os.O_CREAT)
		os.write(old, b"old")
		os.unlink(name)
		new = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
		os.write(new, b"newer")
		assert os.fstat(old).st_ino != os.fstat(new).st_ino
		assert os.pread(old, 10, 0) == b"old"
		assert os.pread(new, 10, 0) == b"newer"
	END
}

@test "unlinked: renamed over while open" {
	"$PYTHON" - "$M" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		with open("a", "w") as f: f.write("aaa")
		with open("b", "w") as f: f.write("bbbb")
		fd = os.open("b", os.O_RDWR)
		os.rename("a", "b")
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		assert os.pread(fd, 10, 0) == b"bbbb"
		assert open("b").read() == "aaa"
		assert os.fstat(fd).st_nlink == 0
	END
}

@test "unlinked: the space comes back after close, not before" {
	zsfs_only
	before=$(mm_stat 1)
	random_file "$T/data" 20000000
	exec 7<>"$M/f"
	cat "$T/data" >&7
	rm "$M/f"
	[ "$(mm_stat 1)" -ge $((before + 19000000)) ]
	"$PYTHON" -c 'import os; os.posix_fadvise(7, 0, 0, os.POSIX_FADV_DONTNEED)'
	"$PYTHON" -c 'import os,sys; os.lseek(7, 0, 0); sys.stdout.buffer.write(open(7, "rb").read())' |
		cmp - "$T/data"
	exec 7>&-
	back() { [ "$(mm_stat 1)" -le $((before + 100000)) ]; }
	poll 10 back
}

@test "unlinked: the space of an open file truncated to nothing" {
	zsfs_only
	exec 7<>"$M/f"
	head -c 8000000 /dev/urandom >&7
	rm "$M/f"
	"$PYTHON" -c 'import os; os.ftruncate(7, 0)'
	back() { [ "$(mm_stat 1)" -le 100000 ]; }
	poll 10 back
	exec 7>&-
}

@test "unlinked: a mapping outlives its file's name and descriptor" {
	"$PYTHON" - "$M/f" <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 1 << 20)
		m = mmap.mmap(fd, 1 << 20)
		os.close(fd)
		os.unlink(sys.argv[1])
		for i in range(0, 1 << 20, 4096):
		    m[i:i + 4] = i.to_bytes(4, "little")
		m.flush()
		for i in range(0, 1 << 20, 4096):
		    assert m[i:i + 4] == i.to_bytes(4, "little")
	END
}

@test "unlinked: a removed folder that is someone's working directory" {
	mkdir "$M/d"
	cd "$M/d"
	expect ok rmdir "$M/d"
	same "$(ls -A . 2>/dev/null)" ""
	expect ENOENT create file 644
	expect ENOENT mkdir sub 755
	cd /
}

@test "unlinked: a program that runs can be replaced" {
	cp /bin/sleep "$M/prog"
	"$M/prog" 30 3>&- &
	pid=$!
	running() { [ "$(readlink /proc/$pid/exe)" = "$M/prog" ]; }
	poll 5 running
	expect ETXTBSY open "$M/prog" w
	cp /bin/true "$M/new"
	mv "$M/new" "$M/prog"
	"$M/prog"
	kill -0 $pid
	kill $pid
	wait $pid || true
}

@test "unlinked: fifos, sockets, devices, symlinks and folders go on, too" {
	mkdir "$M/d"
	cd "$M/d"
	"$PYTHON" - <<-'END'
		import os, socket
		def gone(fd):
		    st = os.fstat(fd)
		    assert st.st_nlink == 0, st
		    return st
		os.mkfifo("fifo")
		fd = os.open("fifo", os.O_RDWR | os.O_NONBLOCK)
		os.unlink("fifo")
		os.write(fd, b"through")
		os.fchmod(fd, 0o600)
		assert os.read(fd, 99) == b"through"
		assert gone(fd).st_mode == 0o10600
		os.symlink("target", "soft")
		fd = os.open("soft", os.O_PATH | os.O_NOFOLLOW)
		os.unlink("soft")
		assert os.readlink("", dir_fd=fd) == "target"
		gone(fd)
		server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
		server.bind("socket")
		server.listen()
		client.connect("socket")
		fd = os.open("socket", os.O_PATH)
		os.unlink("socket")
		server.accept()[0].send(b"hello")
		assert client.recv(99) == b"hello"
		gone(fd)
		os.mkdir("folder")
		fd = os.open("folder", os.O_RDONLY)
		os.rmdir("folder")
		os.fchmod(fd, 0o711)
		os.utime(fd, (5, 6))
		os.setxattr(fd, "user.a", b"x")
		assert os.listdir(fd) == [] and os.getxattr(fd, "user.a") == b"x"
		st = gone(fd)
		assert st.st_mode == 0o40711 and (st.st_atime, st.st_mtime) == (5, 6), st
		if os.geteuid() == 0:
		    os.mknod("null", 0o20666, os.makedev(1, 3))
		    fd = os.open("null", os.O_RDWR)
		    os.unlink("null")
		    assert os.write(fd, b"nothing") == 7 and os.read(fd, 9) == b""
		    os.fchown(fd, 3, 4)
		    assert gone(fd).st_rdev == os.makedev(1, 3) and os.fstat(fd).st_uid == 3
		assert os.listdir(".") == []
	END
	cd /
	rmdir "$M/d"
}
