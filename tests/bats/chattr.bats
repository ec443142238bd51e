#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Flags of files (chattr): immutable, append-only, nodump, noatime.
load helpers

setup() {
	root_only
	need chattr lsattr
	zsfs_setup
	zsfs_mount -o mode=1777
	cd "$M"
	echo hello >f
	mkdir d
	echo x >d/in
}

teardown() {
	[ -z "${M:-}" ] || chattr -R -f -i -a "$M" || true
	cd /
	zsfs_teardown
}

# The letters that lsattr shows.
flags() { lsattr -d "$1" | cut -d' ' -f1 | tr -d -; }

# denied COMMAND...: it fails, and says that it is not permitted.
denied() {
	run "$@"
	[ "$status" != 0 ] && [[ $output == *"not permitted"* ]] ||
		{ echo "$*: $status $output"; return 1; }
}

@test "chattr: flags are set, shown, and taken away" {
	same "$(flags f)" ""
	chattr +iadA f
	same "$(flags f)" iadA
	chattr -ia f
	same "$(flags f)" dA
	chattr = f
	same "$(flags f)" ""
	chattr +d "$M"
	same "$(flags "$M")" d
}

@test "chattr: a change of flags is a change of status" {
	not_cached "the kernel has the time"
	before=$(stat -c %z f)
	chattr +d f
	[ "$(stat -c %z f)" != "$before" ]
}

@test "chattr: what tmpfs has no flag for is refused" {
	for flag in c S C j u; do
		run chattr +$flag f
		same "$status" 1
		[[ $output == *"not supported"* ]]
	done
	mkfifo p
	fails chattr +d p
	fails lsattr p
	same "$(flags f)" ""
}

@test "chattr: an immutable file stays as it is" {
	ln f g
	chattr +i f
	same "$(flags g)" i
	expect EPERM open f wt
	expect EPERM truncate f 0
	expect EPERM truncate f 100
	expect EPERM chmod f 600
	expect EPERM chown f 1 1
	expect EPERM utimens f 1 0 1 0
	denied touch f
	denied ln f h
	denied rm f
	denied mv f z
	denied mv d/in f
	denied fallocate -l 100 f
	fails sh -c 'echo more >>f'
	same "$(cat f)" hello
	chattr -i f
	echo more >>f
	rm f
}

@test "chattr: an append-only file grows and does nothing else" {
	chattr +a f
	echo more >>f
	same "$(cat f)" "$(printf 'hello\nmore')"
	expect EPERM open f wt
	expect EPERM write f w 0 1 1
	expect EPERM truncate f 0
	expect EPERM truncate f 100
	expect EPERM chmod f 600
	expect EPERM utimens f 1 0 1 0
	touch f
	denied ln f h
	denied rm f
	denied mv f z
	head -c 3000000 /dev/zero >>f
	same "$(stat -c %s f)" 3000011
}

@test "chattr: an immutable directory keeps its names" {
	chattr +i d
	denied touch d/new
	denied mkdir d/new
	denied ln f d/new
	denied ln -s f d/new
	denied mkfifo d/new
	denied rm d/in
	denied mv d/in out
	denied mv d/in d/other
	denied mv f d/
	denied mv d e
	denied rmdir d
	denied chmod 700 d
	echo y >d/in
	same "$(ls d)" in
}

@test "chattr: an append-only directory gets names and keeps them" {
	chattr +a d
	echo new >d/new
	mkdir d/sub
	mv f d/
	denied rm d/new
	denied rmdir d/sub
	denied mv d/new d/other
	denied mv d/new out
	denied mv -T d/new d/in
	same "$(ls d | xargs)" "f in new sub"
}

@test "chattr: nodump and noatime are inherited, as on tmpfs" {
	chattr +dA d
	touch d/file
	mkdir d/sub
	same "$(flags d/file) $(flags d/sub) $(flags d/in)" "dA dA "
	chattr = d
	chattr +a d
	touch d/other
	same "$(flags d/other)" ""
}

@test "chattr: noatime stops access times" {
	touch -a -d @5 f
	drop_cache
	chattr +A f
	cat f >/dev/null
	same "$(stat -c %X f)" 5
}

@test "chattr: who may not set immutable may set nodump of his own" {
	chown $NOBODY f
	run setpriv --reuid=$NOBODY --clear-groups chattr +d f
	same "$status" 0
	denied setpriv --reuid=$NOBODY --clear-groups chattr +i f
	denied setpriv --reuid=$NOBODY --clear-groups chattr +d d/in
	same "$(flags f)" d
}

@test "chattr: xflags, as xfs_io has them" {
	"$PYTHON" - <<-'P'
		import errno, fcntl, os, struct
		fd = os.open("f", os.O_RDONLY)
		def get():
		    b = bytearray(28)
		    fcntl.ioctl(fd, 0x801c581f, b)
		    return struct.unpack("IIIII8s", b)
		def set(x, projid=0):
		    try:
		        fcntl.ioctl(fd, 0x401c5820, struct.pack("IIIII8s", x, 0, 0, projid, 0, b""))
		        return 0
		    except OSError as e:
		        return e.errno
		assert get()[:5] == (0, 0, 0, 0, 0), get()
		assert set(0x80 | 0x40) == 0
		assert get()[0] == 0xc0, get()
		assert set(0x8 | 0x10) == 0
		assert get()[0] == 0x18, get()
		assert set(0) == 0
		assert set(0, 7) == errno.EOPNOTSUPP
		assert get()[:5] == (0, 0, 0, 0, 0), get()
	P
}

@test "chattr: what was stored through a mapping before stays, and nothing after" {
	zsfs_only
	not_cached "who has it open goes on"
	"$PYTHON" - <<-'P'
		import errno, mmap, os, subprocess, time
		with open("m", "w") as f:
		    f.write("A" * 8192)
		fd = os.open("m", os.O_RDWR)
		m = mmap.mmap(fd, 8192)
		m[0:4] = b"BBBB"
		subprocess.check_call(["chattr", "+i", "m"])
		m[4096:4100] = b"CCCC"
		try:
		    m.flush()
		    assert False, "flushed"
		except OSError as e:
		    assert e.errno == errno.EPERM, e
		for i in range(100):
		    if m[4096:4100] == b"AAAA":
		        break
		    time.sleep(0.01)
		want = b"BBBB" + b"A" * 8188
		assert m[:] == want
		assert open("m", "rb").read() == want
		m.close()
		os.close(fd)
		assert open("m", "rb").read() == want
	P
}

@test "chattr: flags survive the worker" {
	zsfs_only
	chattr +iA f
	chattr +a d
	kill -9 "$(worker)"
	denied rm f
	same "$(flags f) $(flags d)" "iA a"
}
