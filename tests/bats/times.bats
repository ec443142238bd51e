#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The clock that files are stamped with, beside that of the kernel's tmpfs.
load helpers

setup() {
	zsfs_setup
	zsfs_mount
	OTHER=$(mktemp -d /dev/shm/zsfs-bats.XXXXXX)
	on_teardown "rm -rf '$OTHER'"
	[ "$(stat -f -c %T "$OTHER")" = tmpfs ] || skip "/dev/shm is no tmpfs"
}

teardown() {
	cd /
	zsfs_teardown
}

@test "times: each operation changes those that it changes on tmpfs" {
	mkdir "$M/d"
	"$PYTHON" "$BATS_TEST_DIRNAME/time_changes.py" "$OTHER" >"$T/want"
	"$PYTHON" "$BATS_TEST_DIRNAME/time_changes.py" "$M/d" >"$T/got"
	# Who caches writes keeps the times, too, and Linux has no new ones for that.
	! all_have writeback ||
		sed -i -E '/^(truncate same|flags|flags same|allocate too much):/d' "$T/want" "$T/got"
	diff "$T/want" "$T/got"
}

# How many different times 200 changes have that are looked at one by one.
distinct() {
	"$PYTHON" - "$1" <<-'END'
		import os, sys
		top = sys.argv[1]
		fd = os.open(top + "/f", os.O_RDWR | os.O_CREAT)
		os.mkdir(top + "/dir")
		seen = set(), set(), set(), set()
		for k in range(200):
		    os.pwrite(fd, b"x", 0)
		    seen[0].add(os.fstat(fd).st_mtime_ns)
		    os.chmod(top + "/f", 0o600 + k % 2)
		    seen[1].add(os.fstat(fd).st_ctime_ns)
		    os.utime(top + "/f")
		    seen[2].add(os.fstat(fd).st_atime_ns)
		    os.mknod(f"{top}/dir/{k}")
		    seen[3].add(os.stat(top + "/dir").st_mtime_ns)
		print(*map(len, seen))
	END
}

@test "times: changes that are looked at differ, as on tmpfs" {
	mkdir "$M/d"
	want=$(distinct "$OTHER")
	if [ "$want" = "200 200 200 200" ]; then
		same "$(distinct "$M/d")" "$want"
	else # before Linux 6.13
		distinct "$M/d"
	fi
}

@test "times: files here and on tmpfs are as old as the order says" {
	"$PYTHON" - "$M" "$OTHER" <<-'END'
		import itertools, os, sys

		def put(name, look):
		    with open(name, "w") as f:
		        f.write("a")
		    if look:
		        os.stat(name)

		def rename(name, look):
		    os.rename(name, name + "2")
		    os.rename(name + "2", name)
		    if look:
		        os.stat(name)

		def touch(name, look):
		    os.utime(name)
		    if look:
		        os.stat(name)

		changes = put, rename, touch
		wrong = []
		for first, second in itertools.permutations(sys.argv[1:]):
		    for one, two in itertools.product(changes, changes):
		        for k in range(60):
		            a, b = first + "/a", second + "/b"
		            put(a, k & 4)
		            put(b, k & 4)
		            one(a, k & 1)
		            two(b, k & 2)
		            if os.stat(b).st_ctime_ns < os.stat(a).st_ctime_ns:
		                wrong.append((first, one.__name__, two.__name__, k & 7))
		print(len(wrong), wrong[:5])
		raise SystemExit(bool(wrong))
	END
}

@test "times: what many do at once has the order in which it was done" {
	not_cached "the kernel gives them the time of the last tick"
	"$PYTHON" - "$M" <<-'END'
		import multiprocessing, os, sys, time
		os.chdir(sys.argv[1])
		open("shared", "w").close()
		end = time.time() + 3

		def change(nr):
		    last = 0
		    fd = os.open("shared", os.O_RDWR)
		    for k in range(10 ** 9):
		        os.pwrite(fd, b"x", nr)
		        st = os.fstat(fd)
		        assert st.st_mtime_ns > last, (nr, k, st.st_mtime_ns, last)
		        last = st.st_mtime_ns
		        os.mknod(f"n{nr}.{k}")
		        new = os.stat(f"n{nr}.{k}").st_mtime_ns
		        assert last <= new <= os.stat(".").st_mtime_ns, (nr, k)
		        os.rename("shared", "shared")
		        if time.time() > end:
		            return

		workers = [multiprocessing.Process(target=change, args=(n,)) for n in range(4)]
		for w in workers:
		    w.start()
		for w in workers:
		    w.join()
		raise SystemExit(any(w.exitcode for w in workers))
	END
}

@test "times: reading that reaches zsfs changes atime as relatime says" {
	cd "$M"
	expect ok put f 10000
	ln -s f s
	mkdir d
	touch d/x
	touch -h -a -d @1000000000 f s d
	drop_cache
	cat f >/dev/null
	readlink s
	ls d
	for name in f s d; do
		between $(($(date +%s) - 5)) "$(stat -c %X $name)" $(($(date +%s) + 1))
	done
	# Later than the last change now: the next one changes nothing...
	a=$(stat -c %x f)
	drop_cache
	cat f >/dev/null
	same "$(stat -c %x f)" "$a"
	# ...but when there was another change.
	expect ok chmod f 600
	drop_cache
	cat f >/dev/null
	[ "$(stat -c %x f)" != "$a" ]
}

@test "times: what is set stays when what was mapped is written back" {
	"$PYTHON" - "$M" <<-'END'
		import mmap, os, sys, time
		os.chdir(sys.argv[1])

		def file(name):
		    fd = os.open(name, os.O_RDWR | os.O_CREAT)
		    os.pwrite(fd, b"x" * 8192, 0)
		    return fd

		def mapping(fd):
		    m = mmap.mmap(fd, 8192)
		    m[0] = 65
		    return m

		fd = file("synced")
		m = mapping(fd)
		m.flush()
		os.utime(fd, (5, 5))
		m.close()
		os.close(fd)

		fd = file("unmapped")
		m = mapping(fd) # has a descriptor of its own, which it closes
		os.close(fd)
		m.close()
		os.utime("unmapped", (5, 5))

		fd = file("closed")
		m = mapping(fd)
		os.close(os.dup(fd))
		os.utime("closed", (5, 5))

		if not os.fork():
		    mapping(file("ended"))
		    os._exit(0)
		os.wait()
		os.utime("ended", (5, 5))

		# What is stored later does count.
		fd = file("later")
		os.utime("later", (5, 5))
		mapping(fd).close()
		os.sync()
		for name in "synced", "unmapped", "closed", "ended", "later":
		    old = os.stat(name).st_mtime == 5
		    assert old == (name != "later"), name
	END
}

@test "times: with noatime nothing that is read changes" {
	zsfs_only
	zsfs_umount
	wait_daemon
	zsfs_mount -o noatime
	cd "$M"
	expect ok put f 10000
	ln -s f s
	mkdir d
	for name in f s d; do
		touch -h -a -d @1000000000 $name
	done
	drop_cache
	cat f >/dev/null
	readlink s
	ls d
	same "$(stat -c %X f s d | sort -u)" 1000000000
}

@test "times: with nodiratime reading changes all but folders, with strictatime all" {
	root_only
	zsfs_only
	for how in nodiratime strictatime; do
		zsfs_umount
		wait_daemon
		zsfs_mount -o $how
		cd "$M"
		expect ok put f 10000
		ln -s f s
		mkdir d
		# strictatime: also what is later than the last change.
		touch -h -a -d @2000000000 f s d
		[ $how = strictatime ] || touch -h -a -d @1000000000 f s d
		drop_cache
		cat f >/dev/null
		readlink s
		ls d
		for name in f s d; do
			a=$(stat -c %X $name)
			if [ $how$name = nodiratimed ]; then
				same "$a" 1000000000
			else
				between $(($(date +%s) - 5)) "$a" $(($(date +%s) + 1))
			fi
		done
		cd /
	done
}

@test "times: birth is told, and stays" {
	cd "$M"
	echo >f
	mkdir d
	ln -s f s
	mkfifo p
	for f in f d s p .; do
		between $(($(date +%s) - 60)) "$(stat -c %W $f)" $(($(date +%s) + 1))
	done
	born=$(stat -c %.9W f)
	touch -d @5 f
	echo more >>f
	chmod 600 f
	mv f g
	same "$(stat -c %.9W g)" "$born"
	[ "$(stat -c %.9W d)" != "$born" ]
	[ -n "${ZSFS_DRYRUN:-}" ] || kill -9 "$(worker)"
	same "$(stat -c %.9W g)" "$born"
}

@test "times: who does not ask for the birth asks as ever" {
	zsfs_only
	cd "$M"
	echo >f
	before=$(json '.requests.statx')
	stat -c '%s %Y' f
	ls -l >/dev/null
	same "$(json '.requests.statx')" "$before"
	stat -c %W f
	same "$(json '.requests.statx')" $((before + 1))
}
