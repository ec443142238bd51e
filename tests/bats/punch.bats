#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Holes punched into files, also by what discards blocks of an image.
load helpers

setup() {
	zsfs_setup
	expect_late_losses
}
teardown() { zsfs_teardown; }

# A Python program with the mountpoint as its argument, and punch(fd, off, len),
# which returns the name of an errno or None.
py() {
	{ cat <<-'END'; cat; } | timeout 100 "$PYTHON" - "$M" "$@"
		import ctypes, errno, mmap, os, random, sys, threading, time
		libc = ctypes.CDLL(None, use_errno=True)
		libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
		def punch(fd, off, n):
		    if libc.fallocate(fd, 3, off, n):
		        return errno.errorcode[ctypes.get_errno()]
		top = sys.argv[1]
	END
}

@test "punch: bytes are zeros, whole blocks are holes, the size stays" {
	zsfs_mount
	py <<-'END'
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		want = bytearray(os.urandom(1 << 20))
		os.pwrite(fd, want, 0)
		random.seed(3)
		for k in range(200):
		    a = random.randrange(1 << 20)
		    n = random.choice([1, 100, 4096, 8192, 100000])
		    if k % 2:
		        a -= a % 4096
		    assert punch(fd, a, n) is None
		    want[a:a + n] = bytes(len(want[a:a + n]))
		    if k % 5 == 0:
		        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		    assert os.pread(fd, 1 << 20, 0) == want
		    assert os.fstat(fd).st_size == 1 << 20
		for a in range(0, 1 << 20, 8192):
		    assert punch(fd, a, 4096) is None
		assert os.fstat(fd).st_blocks <= 128 * 8
		off = 0
		while off < 1 << 20:
		    try:
		        off = os.lseek(fd, off, os.SEEK_DATA)
		    except OSError:
		        break
		    assert off % 8192 == 4096, off
		    off = os.lseek(fd, off, os.SEEK_HOLE)
		    assert off % 8192 == 0, off
	END
}

@test "punch: what it takes is given back at once" {
	zsfs_mount
	head -c 64M /dev/urandom >"$M/f"
	before=$(available)
	fallocate -p -o 1M -l 62M "$M/f"
	same "$(stat -c '%s %b' "$M/f")" "67108864 4096"
	# 62 MiB, less what df allows for an inode with each block.
	[ "$(available)" -ge $((before + 58 * 1048576)) ]
	[ -n "${ZSFS_DRYRUN:-}" ] || between 512 "$(json .content.blocks)" 512
	head -c 62M /dev/zero | cmp -i 0:1048576 -n 65011712 - "$M/f"
}

@test "punch: times, set-uid, and what is refused" {
	zsfs_mount -o mode=1777
	py <<-'END'
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b"x" * 10000, 0)
		os.utime(fd, (1, 1))
		old = os.fstat(fd)
		time.sleep(0.02) # the kernel's own clock, with writeback
		assert punch(fd, 0, 5000) is None
		new = os.fstat(fd)
		assert new.st_mtime > 1 and new.st_ctime_ns > old.st_ctime_ns, new
		os.fchmod(fd, 0o6777)
		assert punch(fd, 0, 1) is None
		assert os.fstat(fd).st_mode & 0o7777 == 0o6777
		if os.fork() == 0:
		    os.setgid(65534)
		    os.setuid(65534)
		    assert punch(fd, 0, 1) is None
		    os._exit(os.fstat(fd).st_mode & 0o6000 != 0)
		assert os.wait()[1] == 0
		assert os.fstat(fd).st_mode & 0o7777 == 0o777
		top63 = (1 << 63) - 1
		assert punch(fd, 0, top63) is None
		assert punch(fd, top63 - 1, 1) is None
		assert punch(fd, 1 << 62, 1 << 62) == "EFBIG"
		assert punch(fd, 0, 0) == "EINVAL"
		assert punch(fd, -1, 1) == "EINVAL"
		assert punch(os.open(top, os.O_RDONLY), 0, 1) == "EBADF"
		assert punch(os.open(top + "/f", os.O_RDONLY), 0, 1) == "EBADF"
		assert os.fstat(fd).st_blocks == 0
	END
}

@test "punch: under a mapping, dirty or not, and while it is read" {
	zsfs_mount
	py <<-'END'
		size = 8 << 20
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b"a" * size, 0)
		m = mmap.mmap(fd, size)
		for k in range(64):
		    off = k * 131072
		    m[off:off + 100] = b"b" * 100
		    assert punch(fd, off + 50, 65536) is None
		    assert m[off:off + 50] == b"b" * 50
		    assert m[off + 50:off + 50 + 65536] == bytes(65536)
		    m[off + 60] = 99
		stop = False
		def read():
		    while not stop:
		        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		        got = os.pread(fd, size, 0)
		        assert len(got) == size and set(got) <= set(b"abc\0")
		t = threading.Thread(target=read)
		t.start()
		for k in range(40):
		    os.pwrite(fd, b"a" * (1 << 20), 3 << 20)
		    assert punch(fd, 3 << 20, 1 << 20) is None
		stop = True
		t.join()
		m.flush()
		assert m[60] == 99 and m[61:65536] == bytes(65536 - 61)
	END
}

@test "punch: on a full mount it makes room" {
	not_cached "what finds no room is stored first"
	zsfs_mount -o mem_limit=48M,size=40M
	fails dd if=/dev/urandom of="$M/f" bs=1M count=100 status=none
	# What was lost of a cached write is told first.
	sync "$M/f" || true
	fallocate -p -o 100 -l 10M "$M/f"
	head -c 9M /dev/urandom >"$M/g"
}

# discards TYPE [OPTION]: in an image with a file system of this type
discards() {
	root_only
	need "mkfs.$1" fstrim losetup
	zsfs_mount
	truncate -s 400M "$M/img"
	"mkfs.$1" -q ${2:+"$2"} "$M/img"
	mkdir "$T/mnt"
	loop=$(losetup -f --show "$M/img") || skip "no loop device"
	on_teardown "umount $T/mnt; losetup -d $loop"
	mount -o discard -t "$1" "$loop" "$T/mnt" || skip "no $1 in this kernel"
	before=$(du -m "$M/img" | cut -f 1)
	head -c 100M /dev/urandom >"$T/mnt/r"
	sync -f "$T/mnt/r"
	sync "$M/img"
	[ "$(du -m "$M/img" | cut -f 1)" -ge $((before + 100)) ]
	rm "$T/mnt/r"
	sync -f "$T/mnt"
	fstrim "$T/mnt"
	sync -f "$T/mnt"
	between 0 "$(du -m "$M/img" | cut -f 1)" $((before + 50))
}

@test "punch: an image of ext4 gives back what is discarded in it" {
	discards ext4 -F
}

@test "punch: an image of xfs gives back what is discarded in it" {
	discards xfs
}

@test "punch: an image of btrfs gives back what is discarded in it" {
	discards btrfs
}

@test "punch: an image of qemu gives back what is discarded in it" {
	need qemu-img qemu-io
	zsfs_mount
	for format in raw qcow2; do
		qemu-img create -q -f $format "$M/img" 400M
		qemu-io -f $format -d unmap -c "write -q -P 7 0 64M" "$M/img"
		[ "$(du -m "$M/img" | cut -f 1)" -ge 64 ]
		qemu-io -f $format -d unmap -c "discard -q 0 63M" "$M/img"
		between 1 "$(du -m "$M/img" | cut -f 1)" 3
		qemu-io -f $format -c "read -q -P 7 63M 1M" "$M/img"
		rm "$M/img"
	done
}
