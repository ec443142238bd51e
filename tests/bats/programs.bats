#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Real programs at their ordinary work.
load helpers

BATS_TEST_TIMEOUT=400

setup() {
	zsfs_setup
	zsfs_mount
	cd "$M"
	export HOME=$T GIT_CONFIG_NOSYSTEM=1
}

teardown() {
	cd /
	zsfs_teardown
}

# A repository with some history in folder $1.
make_repo() {
	git init -q -b main "$1"
	git -C "$1" config user.email test@example.org
	git -C "$1" config user.name Test
	for i in 1 2 3 4 5; do
		mkdir -p "$1/src/$i"
		for j in 1 2 3 4 5 6 7 8; do
			seq "$i" $((i * j * 20)) >"$1/src/$i/f$j"
		done
		git -C "$1" add -A
		git -C "$1" commit -q -m "change $i"
	done
}

@test "programs: git init, commit, clone, gc, fsck" {
	need git
	make_repo repo
	git clone -q repo copy
	git clone -q --no-local repo remote
	diff -r --exclude=.git repo copy
	diff -r --exclude=.git repo remote
	git -C copy checkout -q -b side HEAD~2
	git -C copy checkout -q main
	git -C copy status --porcelain >"$T/status"
	same "$(cat "$T/status")" ""
	git -C copy gc -q --prune=now
	drop_cache
	git -C copy fsck --full --strict
	git -C remote fsck --full --strict
	git -C copy worktree add -q "$M/tree" HEAD~1
	git -C tree status --porcelain
}

@test "programs: make and gcc build a project, and it runs" {
	need gcc make
	mkdir -p project/src
	cd project
	for i in $(seq 30); do
		cat >"src/part$i.c" <<-END
			#include <stdio.h>
			#include <stdlib.h>
			#include <string.h>
			int part$i(int x) { return x + $i; }
		END
	done
	{
		echo '#include <stdio.h>'
		for i in $(seq 30); do echo "int part$i(int);"; done
		echo 'int main(void) { int x = 0;'
		for i in $(seq 30); do echo "x = part$i(x);"; done
		echo 'printf("%d\n", x); return 0; }'
	} >src/main.c
	cat >Makefile <<-'END'
		.RECIPEPREFIX = >
		SRC = $(wildcard src/*.c)
		OBJ = $(SRC:.c=.o)
		prog: libparts.a src/main.o
		> $(CC) -o $@ src/main.o -L. -lparts
		libparts.a: $(filter-out src/main.o,$(OBJ))
		> ar rcs $@ $^
		clean:
		> rm -f prog libparts.a $(OBJ)
	END
	make -s -j2 CFLAGS=-O1
	same "$(./prog)" 465
	same "$(make -j2)" "make: 'prog' is up to date."
	touch src/part7.c
	make -j2 CFLAGS=-O1 | grep -q part7
	make -s clean
	same "$(ls)" "$(printf 'Makefile\nsrc')"
}

@test "programs: this project builds inside the mount" {
	need meson ninja
	mkdir self
	tar -C "$TOP" --exclude=./.git --exclude='./build*' -cf - . | tar -C self -xf -
	meson setup -Dtests=false self/build self >"$T/out" || { cat "$T/out"; false; }
	ninja -C self/build >"$T/out" || { tail "$T/out"; false; }
	self/build/fs/zsfs --version
	same "$(ninja -C self/build | tail -n 1)" "ninja: no work to do."
}

@test "programs: sqlite3 with a write-ahead log" {
	need sqlite3
	same "$(sqlite3 db 'PRAGMA journal_mode=WAL;')" wal
	sqlite3 db 'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB);'
	for i in 1 2 3 4 5; do
		sqlite3 db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
			SELECT i + 1 FROM n WHERE i < 2000)
			INSERT INTO t(a, b) SELECT 'row ' || i, randomblob(200) FROM n;"
	done
	sqlite3 db 'CREATE INDEX ta ON t(a); DELETE FROM t WHERE id % 3 = 0; VACUUM;'
	drop_cache
	same "$(sqlite3 db 'PRAGMA integrity_check;')" ok
	same "$(sqlite3 db 'SELECT count(*) FROM t;')" 6667
}

@test "programs: sqlite3 from several processes at once" {
	need sqlite3
	sqlite3 db 'PRAGMA journal_mode=WAL; CREATE TABLE t(who, n);' >"$T/out"
	for p in 1 2 3 4; do
		(for n in $(seq 40); do
			sqlite3 -cmd '.timeout 30000' db "INSERT INTO t VALUES($p, $n);"
		done) 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "$(sqlite3 db 'PRAGMA integrity_check;')" ok
	same "$(sqlite3 db 'SELECT count(*), count(DISTINCT who) FROM t;')" "160|4"
}

@test "programs: sqlite3 with a rollback journal" {
	need sqlite3
	sqlite3 db 'CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1); ROLLBACK;
		INSERT INTO t VALUES(2);'
	same "$(sqlite3 db 'SELECT a FROM t; PRAGMA integrity_check;' | xargs)" "2 ok"
	same "$(ls)" db
}

fio_verify() {
	need fio
	timeout 200 fio --name=v --directory="$M" --size=32m --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --end_fsync=1 --randseed=7 \
		--output="$T/fio" "$@" || { cat "$T/fio"; return 1; }
	grep -q 'err= 0' "$T/fio"
}

@test "programs: fio verifies sequential and random writes" {
	fio_verify --rw=write --bs=128k --ioengine=psync
	fio_verify --rw=randwrite --bs=4k --ioengine=psync
	fio_verify --rw=randrw --bsrange=512-64k --bs_unaligned=1 --ioengine=psync
}

@test "programs: fio verifies direct and mapped access" {
	fio_verify --rw=randwrite --bs=4k --ioengine=psync --direct=1
	fio_verify --rw=randwrite --bs=4k --ioengine=mmap
	fio_verify --rw=randrw --bs=16k --ioengine=libaio --iodepth=8 --direct=1
}

@test "programs: fio with several jobs and compressible data" {
	fio_verify --rw=randwrite --bs=8k --numjobs=4 --size=16m --ioengine=psync \
		--buffer_compress_percentage=50 --refill_buffers
}

stress() {
	need stress-ng
	timeout 200 stress-ng --temp-path "$M" --verify --timeout 4 --oomable \
		"$@" >"$T/stress" 2>&1 || { cat "$T/stress"; return 1; }
	fails grep -E 'fail:|unsuccessful' "$T/stress"
}

@test "programs: stress-ng on data" {
	stress --hdd 2 --hdd-bytes 32m
	stress --iomix 1 --iomix-bytes 32m --seek 1 --seek-size 16m
	stress --readahead 1 --readahead-bytes 16m --sync-file 1 --sync-file-bytes 16m
	stress --copy-file 1 --copy-file-bytes 128m --sendfile 1 --splice 1
}

@test "programs: stress-ng on names" {
	stress --dentry 2 --dentries 500
	stress --dir 2 --dir-dirs 300 --dirdeep 1 --dirdeep-inodes 2000
	stress --rename 2 --link 1 --symlink 1
	stress --filename 1
	stress --open 1 --touch 1
}

@test "programs: stress-ng on attributes and locks" {
	stress --chmod 2 --chown 1 --utime 1
	stress --flock 2 --lockf 2 --fcntl 1
	stress --fstat 1 --getdent 1 --dup 1
	stress --inotify 1 --locka 1 --lockofd 1
}

@test "programs: stress-ng on file mappings" {
	stress --mmap 2 --mmap-file --mmap-bytes 16m
	stress --msync 1 --msync-bytes 8m
}

@test "programs: python's zipfile, tarfile, shelve and compileall" {
	"$PYTHON" - <<-'END'
		import compileall, os, shelve, tarfile, zipfile
		os.mkdir("pkg")
		for i in range(50):
		    with open(f"pkg/m{i}.py", "w") as f:
		        f.write(f"x = {i}\n" * 200)
		with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as z:
		    for name in sorted(os.listdir("pkg")):
		        z.write("pkg/" + name)
		with zipfile.ZipFile("a.zip") as z:
		    assert z.testzip() is None
		    z.extractall("unzipped")
		with tarfile.open("a.tgz", "w:gz") as t:
		    t.add("pkg")
		with tarfile.open("a.tgz") as t:
		    assert len(t.getnames()) == 51
		assert compileall.compile_dir("pkg", quiet=1)
		with shelve.open("db") as s:
		    for i in range(500):
		        s[str(i)] = list(range(i))
		with shelve.open("db") as s:
		    assert len(s) == 500 and s["77"] == list(range(77))
	END
	diff -r --exclude=__pycache__ pkg unzipped/pkg
}

@test "programs: sed -i, sort, xz, patch-like edits, find -delete" {
	seq 200000 >numbers
	sed -i s/7/seven/ numbers
	same "$(grep -c seven numbers)" "$(seq 200000 | grep -c 7)"
	sort -T "$M" -S 1M -R numbers | sort -T "$M" -S 1M >sorted
	sort numbers | cmp - sorted
	gzip -k numbers
	gzip -t numbers.gz
	gzip -dc numbers.gz | cmp - numbers
	find . -type f -delete
	same "$(ls -A)" ""
}

@test "programs: ext4 on a loop device on a file of the mount" {
	root_only
	need mkfs.ext4 losetup
	truncate -s 64M image
	mkfs.ext4 -q image
	mkdir "$T/loop"
	loop=$(losetup --show -f image) || skip "no loop device"
	on_teardown "umount '$T/loop'; losetup -d $loop"
	mount "$loop" "$T/loop"
	cp -r "$TOP/pool" "$T/loop/"
	sync -f "$T/loop"
	diff -r "$TOP/pool" "$T/loop/pool"
	umount "$T/loop"
	losetup -d "$loop"
	drop_cache
	fsck.ext4 -f -n image
}

@test "programs: inotify reports what happens" {
	"$PYTHON" - <<-'END'
		import ctypes, os, struct
		libc = ctypes.CDLL(None, use_errno=True)
		fd = libc.inotify_init1(os.O_NONBLOCK)
		assert libc.inotify_add_watch(fd, b".", 0xfff) > 0
		with open("a", "w") as f:
		    f.write("x")
		os.rename("a", "b")
		os.unlink("b")
		data, at, seen = os.read(fd, 65536), 0, 0
		while at < len(data):
		    _, mask, _, n = struct.unpack_from("iIII", data, at)
		    seen |= mask
		    at += 16 + n
		# create, modify, moved from and to, delete
		assert seen & 0x100 and seen & 2 and seen & 0x40 and seen & 0x80 and seen & 0x200
	END
}

# watch INIT-FLAGS MARK-FLAGS MASK: the masks of what fanotify reports of this
# folder, or of its whole mount, while a file is made, written, renamed, deleted.
watch() {
	"$PYTHON" - "$@" <<-'END'
		import ctypes, os, struct, sys
		init, flags, mask = (int(word, 0) for word in sys.argv[1:])
		libc = ctypes.CDLL(None, use_errno=True)
		fd = libc.fanotify_init(init | 2, os.O_RDONLY)
		assert fd >= 0, os.strerror(ctypes.get_errno())
		err = libc.fanotify_mark(fd, 1 | flags, ctypes.c_uint64(mask), -100, b".")
		assert err == 0, os.strerror(ctypes.get_errno())
		with open("watched", "w") as f:
		    f.write("x")
		os.rename("watched", "renamed")
		os.unlink("renamed")
		data, at, seen = os.read(fd, 65536), 0, 0
		while at < len(data):
		    size, _, _, _, bits, event_fd, _ = struct.unpack_from("IBBHQii", data, at)
		    seen |= bits
		    if event_fd >= 0:
		        os.close(event_fd)
		    at += size
		names = [n for n in ("watched", "renamed") if n.encode() in data]
		print(hex(seen), *names)
	END
}

@test "programs: fanotify reports of a mount by descriptor, of a folder by name" {
	root_only
	same "$(watch 0 0x10 0x2a)" 0x2a
	same "$(watch 0 0x100 0x2a)" 0x2a
	same "$(watch 0xe00 0 0x080003ca)" "0x3ca watched renamed"
}

# With a commit in each; what fails ends under_kills.
work_on_both() {
	local mode

	for mode in wal delete; do
		sqlite3 -bail db/$mode <"$T/round" >"$T/said"
	done
	seq $RANDOM >>repo/src/1/f1
	git -C repo commit -q -a -m more
	git -C repo repack -q -a -d
}

@test "programs: sqlite3 and git while workers die" {
	zsfs_only
	need sqlite3 git
	mkdir db
	cat >"$T/round" <<-'END'
		PRAGMA busy_timeout=30000;
		CREATE TABLE IF NOT EXISTS t(a, b);
		BEGIN; INSERT INTO t SELECT value, randomblob(500) FROM generate_series(1, 300);
		DELETE FROM t WHERE rowid % 3 = 1; COMMIT;
		BEGIN; UPDATE t SET b = randomblob(900); ROLLBACK;
	END
	sqlite3 db/wal 'PRAGMA journal_mode=WAL;'
	make_repo repo
	under_kills work_on_both
	for mode in wal delete; do
		same "$(sqlite3 db/$mode 'PRAGMA integrity_check;')" ok
	done
	git -C repo fsck --full --strict
}
