#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Holes: where SEEK_DATA, SEEK_HOLE and st_blocks see them, and copies of files
# whose pages the kernel has not written back.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

# dirty_mapping FILE SIZE OFFSET...: a process that has stored a page at each
# offset through a shared mapping, and holds the file open. It writes what the
# file has to hold to $T/want. Ends at teardown, or by dirty_end.
dirty_mapping() {
	rm -f "$T/ready" "$T/in"
	mkfifo "$T/in"
	"$PYTHON" - "$T" "$@" 3>&- 4>&- <<-'END' &
		import mmap, os, sys
		where, name, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
		fd = os.open(name, os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, size)
		m, want = mmap.mmap(fd, size), bytearray(size)
		for off in map(int, sys.argv[4:]):
		    m[off:off + 4096] = want[off:off + 4096] = os.urandom(4096)
		with open(where + "/want", "wb") as f:
		    f.write(want)
		open(where + "/ready", "w").close()
		open(where + "/in").read()
	END
	MAPPER=$!
	exec 7<>"$T/in"
	poll 20 test -e "$T/ready"
}

dirty_end() {
	exec 7>&-
	kill "$MAPPER" 2>/dev/null || true
	wait "$MAPPER" 2>/dev/null || true
	rm -f "$M/f"
}

# copied_by COMMAND...: makes $T/out/f or $T/out.tar of $M/f.
copied_by() {
	dirty_mapping "$M/f" 1048576 409600 413696 1044480
	rm -rf "$T/out" && mkdir "$T/out"
	(cd "$M" && "$@")
	cmp "$T/out/f" "$T/want"
	dirty_end
}

@test "sparse: copies of a file with a dirty mapping hold what was stored" {
	copied_by cp f "$T/out/f"
	copied_by cp --sparse=always f "$T/out/f"
	copied_by cp --sparse=never f "$T/out/f"
	copied_by mv f "$T/out/f"
	copied_by install f "$T/out/f"
	copied_by dd if=f of="$T/out/f" bs=64k conv=sparse status=none
	copied_by "$PYTHON" -c 'import shutil, sys; shutil.copyfile("f", sys.argv[1])' "$T/out/f"
	copied_by bash -c "tar cSf - f | tar xf - -C $T/out"
	copied_by bash -c "tar cf - f | tar xf - -C $T/out"
}

@test "sparse: other people's copying programs, too" {
	need rsync
	copied_by rsync -S f "$T/out/f"
	need bsdtar
	copied_by bash -c "bsdtar cf - f | bsdtar xf - -C $T/out"
}

@test "sparse: copies within the mount, which stay sparse" {
	dirty_mapping "$M/f" 67108864 0 33554432 33558528
	cp "$M/f" "$M/g"
	cmp "$M/g" "$T/want"
	between 8 "$(stat -c %b "$M/g")" 24
	dirty_end
}

@test "sparse: SEEK_DATA and SEEK_HOLE see pages that were not written back" {
	"$PYTHON" - "$M/f" <<-'END'
		import mmap, os, random, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		size = 300 * 4096 + 100
		os.ftruncate(fd, size)
		m = mmap.mmap(fd, size)
		have = set()

		def extents():
		    found, off = set(), 0
		    while off < size:
		        try:
		            a = os.lseek(fd, off, os.SEEK_DATA)
		        except OSError:
		            break
		        b = os.lseek(fd, a, os.SEEK_HOLE)
		        assert a < b <= size and a % 4096 == 0, (a, b)
		        found |= set(range(a // 4096, -(-b // 4096)))
		        off = b
		    return found

		random.seed(5)
		for how in range(60):
		    for _ in range(1 + how % 7):
		        b = random.randrange(301)
		        if how % 3:
		            m[b * 4096] = 65
		        else:
		            os.pwrite(fd, b"x" * min(4096, size - b * 4096), b * 4096)
		        have.add(b)
		    assert extents() == have, (extents() ^ have, how)
		    assert os.lseek(fd, 0, os.SEEK_HOLE) == \
		        min(min(set(range(302)) - have) * 4096, size)
	END
}

@test "sparse: the blocks of a file are known as soon as the first is stored" {
	"$PYTHON" - "$M/f" <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 1 << 30)
		assert os.fstat(fd).st_blocks == 0
		m = mmap.mmap(fd, 1 << 30)
		m[123456789] = 1
		assert os.fstat(fd).st_blocks > 0
		assert os.stat(sys.argv[1]).st_size == 1 << 30
	END
	truncate -s 1G "$M/g"
	same "$(du -k "$M/g" | cut -f 1)" 0
}

@test "sparse: looking for holes leaves data in the page cache" {
	zsfs_only
	"$PYTHON" - "$M/f" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, 64 << 20)
		for i in range(16):
		    os.pwrite(fd, os.urandom(65536), i << 22)
	END
	cat "$M/f" >"$T/a"
	before=$(json .requests.READ)
	cp "$M/f" "$T/b"
	cmp "$T/a" "$T/b"
	same "$(($(json .requests.READ) - before))" 0
}

# Clients that store through mappings, copy by SEEK_DATA and SEEK_HOLE, compare.
storm() {
	timeout 100 "$PYTHON" - "$M" "$1" "$2" 3>&- 4>&- <<-'END'
		import mmap, os, random, sys, time
		where, clients, end = sys.argv[1], int(sys.argv[2]), time.time() + float(sys.argv[3])

		def copy(fd, size):
		    out, off = bytearray(size), 0
		    while off < size:
		        try:
		            a = os.lseek(fd, off, os.SEEK_DATA)
		        except OSError:
		            break
		        off = os.lseek(fd, a, os.SEEK_HOLE)
		        out[a:off] = os.pread(fd, off - a, a)
		    return out

		def client(k):
		    r = random.Random(k)
		    while time.time() < end:
		        size = r.choice([1, 4]) << 20
		        fd = os.open(f"{where}/s{k}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
		        os.ftruncate(fd, size)
		        m = mmap.mmap(fd, size)
		        for _ in range(3):
		            for _ in range(r.choice([1, 10, 100])):
		                m[r.randrange(size)] = 1 + r.randrange(255)
		            if copy(fd, size) != m[:]:
		                return 1
		        os.close(fd)
		    return 0

		pids = []
		for k in range(clients):
		    pids.append(os.fork())
		    if pids[-1] == 0:
		        code = 2
		        try:
		            code = client(k)
		        finally:
		            os._exit(code)
		sys.exit(any([os.waitpid(p, 0)[1] for p in pids]))
	END
}

@test "sparse: many copies at once wait for each other, not for ever" {
	storm 12 3
}

@test "sparse: copies while workers are killed" {
	zsfs_only
	local i dead=0

	storm 4 5 &
	pid=$!
	for i in $(seq 30); do
		sleep 0.12
		kill -9 "$(worker)" 2>/dev/null && dead=$((dead + 1))
	done
	wait $pid
	between 20 $dead 30
}

@test "sparse: copies while the program is replaced" {
	zsfs_only
	local i

	storm 4 5 &
	pid=$!
	for i in 1 2 3; do
		sleep 0.5
		"$ZSFS" --replace "$M"
	done
	wait $pid
	same "$(json .survival.replacements)" 3
}
