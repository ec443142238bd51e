#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Listing folders, also while they change.
load helpers

setup() {
	zsfs_setup
	zsfs_mount
	mkdir "$M/d"
}

teardown() { zsfs_teardown; }

dirscan() { "$ZSFS_TOOLS/dirscan" "$@"; }

@test "readdir: an empty folder, and the root" {
	same "$(ls -a "$M/d" | xargs)" ". .."
	same "$(ls -a "$M" | xargs)" ". .. d"
	same "$(stat -c %i "$M/d/..")" "$(stat -c %i "$M")"
}

# inode_listed NAME FOLDER: what readdir says, not stat
inode_listed() {
	"$PYTHON" - "$@" <<-'END'
		import ctypes, sys
		libc = ctypes.CDLL(None)
		libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
		stream = ctypes.c_void_p(libc.opendir(sys.argv[2].encode()))
		while True:
		    e = libc.readdir(stream)
		    if ctypes.string_at(e + 19) == sys.argv[1].encode():
		        print(ctypes.c_uint64.from_address(e).value)
		        break
	END
}

@test "readdir: .. is the new parent after a move, also from the cache" {
	local d

	mkdir -p "$M/d/a/s" "$M/d/b/t" "$M/d/a/u"
	for d in a/s b/t a/u a/s b/t a/u; do
		ls "$M/d/$d"
	done
	mv "$M/d/a/s" "$M/d/b/s"
	same "$(inode_listed .. "$M/d/b/s")" "$(stat -c %i "$M/d/b")"
	"$PYTHON" - "$M/d/a/u" "$M/d/b/t" <<-'END'
		import ctypes, sys
		at, exchange = -100, 2
		assert ctypes.CDLL(None).renameat2(at, sys.argv[1].encode(), at,
		    sys.argv[2].encode(), exchange) == 0
	END
	same "$(inode_listed .. "$M/d/b/t")" "$(stat -c %i "$M/d/b")"
	same "$(inode_listed .. "$M/d/a/u")" "$(stat -c %i "$M/d/a")"
}

@test "readdir: types and inode numbers agree with stat" {
	cd "$M/d"
	mkdir dir
	touch file
	ln -s file soft
	mkfifo fifo
	"$PYTHON" - <<-'END'
		import os, stat
		kinds = {"dir": stat.S_ISDIR, "file": stat.S_ISREG,
		         "soft": stat.S_ISLNK, "fifo": stat.S_ISFIFO}
		with os.scandir(".") as it:
		    entries = list(it)
		assert {e.name for e in entries} == set(kinds)
		for e in entries:
		    st = os.lstat(e.name)
		    assert e.inode() == st.st_ino, e.name
		    assert kinds[e.name](st.st_mode), e.name
		    assert e.is_dir(follow_symlinks=False) == (e.name == "dir")
		    assert e.is_symlink() == (e.name == "soft")
	END
	cd /
}

@test "readdir: 10,000 files, each once" {
	expect ok -n 10000 create "$M/d/f%d" 644
	dirscan list "$M/d" | sort >"$T/got"
	seq 0 9999 | sed s/^/f/ | sort >"$T/want"
	cmp "$T/want" "$T/got"
	# A cached listing, and one after the cache became stale.
	same "$(ls "$M/d" | wc -l)" 10000
	rm "$M/d/f77"
	same "$(ls "$M/d" | wc -l)" 9999
	same "$(ls -l "$M/d" | wc -l)" 10000
}

@test "readdir: 100,000 files, listed, found and removed" {
	expect ok -n 100000 create "$M/d/f%d" 644
	same "$(dirscan list "$M/d" | sort -u | wc -l)" 100000
	expect ok -n 100000 stat "$M/d/f%d"
	expect ENOENT stat "$M/d/f100000"
	same "$(stat -c %h "$M/d")" 2
	same "$(dirscan unlink "$M/d")" 100000
	same "$(ls -A "$M/d")" ""
	expect ok rmdir "$M/d"
}

@test "readdir: unlinking every name as it is read misses none" {
	expect ok -n 5000 create "$M/d/f%d" 644
	same "$(dirscan unlink "$M/d")" 5000
	same "$(ls -A "$M/d")" ""
}

@test "readdir: unlinking others meanwhile keeps the rest, each once" {
	expect ok -n 6000 create "$M/d/f%d" 644
	dirscan unlink-odd "$M/d" | sort >"$T/got"
	same "$(uniq -d "$T/got" | wc -l)" 0
	same "$(grep -c '[02468]$' "$T/got")" 3000
}

@test "readdir: creating meanwhile shows every old name once" {
	expect ok -n 5000 create "$M/d/f%d" 644
	timeout 60 "$ZSFS_TOOLS/dirscan" create "$M/d" | sort >"$T/got"
	same "$(uniq -d "$T/got" | wc -l)" 0
	same "$(grep -c ^f "$T/got")" 5000
}

@test "readdir: seeking back to any name" {
	expect ok -n 2000 create "$M/d/f%d" 644
	dirscan seek "$M/d"
}

@test "readdir: seeking works after the names before were removed" {
	expect ok -n 1000 create "$M/d/f%d" 644
	"$PYTHON" - "$M/d" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		seen = set()
		with os.scandir(".") as it:
		    for n, e in enumerate(it):
		        assert e.name not in seen
		        seen.add(e.name)
		        if n % 3 == 0:
		            os.unlink(e.name)
		        if n % 50 == 0:
		            open("g%d" % n, "w").close()
		assert {"f%d" % i for i in range(1000)} <= seen
	END
}

@test "readdir: a rename meanwhile loses nobody else" {
	expect ok -n 3000 create "$M/d/f%d" 644
	"$PYTHON" - "$M/d" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		seen = []
		with os.scandir(".") as it:
		    for n, e in enumerate(it):
		        seen.append(e.name)
		        if n == 1500:
		            os.rename("f0", "renamed")
		old = [s for s in seen if s not in ("f0", "renamed")]
		assert len(old) == len(set(old)) == 2999, len(old)
	END
}

# What is made while a folder is read is not read: everything comes to an end.

@test "readdir: renaming, linking, making at every name ends" {
	local how

	for how in rename link make nfs-rename; do
		mkdir "$M/$how"
		expect ok -n 1000 create "$M/$how/f%d" 644
		same "$how $(timeout 60 "$ZSFS_TOOLS/dirscan" $how "$M/$how")" "$how 1000"
	done
	same "$(ls "$M/rename" | wc -l)" 1000
	same "$(ls "$M/link" | wc -l)" 2000
	same "$(ls "$M/make" | wc -l)" 2000
	# In a folder that was listed, so that the names come from the cache.
	ls -l "$M/rename" >/dev/null
	ls -l "$M/rename" >/dev/null
	same "$(timeout 60 "$ZSFS_TOOLS/dirscan" rename "$M/rename")" 1000
}

@test "readdir: renaming at every name ends in other languages too" {
	need perl
	expect ok -n 1000 create "$M/d/f%d" 644
	same "$(perl -e 'chdir shift; opendir D, "."; my $n = 0;
		while (defined($_ = readdir D)) {
			next if /^\./;
			last if ++$n > 5000;
			rename $_, "v$n";
		}
		print $n' "$M/d")" 1000
	same "$("$PYTHON" - "$M/d" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		n = 0
		for e in os.scandir("."):
		    n += 1
		    if n > 5000:
		        break
		    os.rename(e.name, "w%d" % n)
		print(n)
	END
	)" 1000
	same "$(ls "$M/d" | wc -l)" 1000
}

@test "readdir: rewinding shows what was made since, seeking back does not" {
	need perl
	expect ok -n 1000 create "$M/d/f%d" 644
	perl -e 'chdir shift; opendir D, ".";
		sub rest { my @n = grep { !/^\./ } readdir D; scalar @n }
		readdir D for 1 .. 300;
		my $at = telldir D;
		my $next = readdir D;
		my $left = rest();
		for (1 .. 50) { open F, ">", "new$_" or die; close F }
		seekdir D, $at;
		readdir D eq $next or die "another name after seekdir";
		rest() == $left or die "seekdir shows other names";
		rewinddir D;
		rest() == 1050 or die "rewinddir does not show the new names";
		unlink "new$_" for 1 .. 50;
		seekdir D, $at;
		rest() == $left + 1 or die "seekdir after rewinddir"' "$M/d"
}

@test "readdir: offsets a program made up do no harm" {
	expect ok -n 300 create "$M/d/f%d" 644
	"$PYTHON" - "$M/d" <<-'END'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		buf = ctypes.create_string_buffer(1 << 20)
		def getdents(fd):
		    n = libc.syscall(217 if os.uname().machine == "x86_64" else 61,
		                     fd, buf, ctypes.c_ulong(len(buf)))
		    assert n >= 0, os.strerror(ctypes.get_errno())
		    return n
		fd = os.open(sys.argv[1], os.O_RDONLY)
		for off in [1, 2, 3, 5, 299, 4096, 2**31 - 1, 2**31, 2**32, 2**33 + 7,
		            2**36, 2**45 + 3, 2**61, 2**62 - 1, 2**62, 2**63 - 1]:
		    os.lseek(fd, off, os.SEEK_SET)
		    calls = 0
		    while getdents(fd):
		        calls += 1
		        assert calls < 100, off
		        assert os.lseek(fd, 0, os.SEEK_CUR) > 2
	END
}

@test "readdir: a worker that dies meanwhile changes nothing" {
	zsfs_only
	poll 30 has_standby
	expect ok -n 1000 create "$M/d/f%d" 644
	"$PYTHON" - "$M" "$(worker)" <<-'END'
		import os, signal, sys
		os.chdir(sys.argv[1] + "/d")
		seen = []
		for n, e in enumerate(os.scandir(".")):
		    seen.append(e.name)
		    assert n < 5000
		    os.rename(e.name, "%s-%d" % ("v" * 200, n))
		    if n == 300:
		        os.kill(int(sys.argv[2]), signal.SIGKILL)
		assert sorted(seen) == sorted("f%d" % i for i in range(1000))
	END
}

# The kernel keeps a listing while somebody reads it to the end; who opened the
# folder later must not be given what was gone by then.
@test "readdir: a fresh listing beside a slow reader has no old names" {
	"$PYTHON" - "$M/d" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		long = "x" * 200
		def check(change):
		    want = {long + "f%d" % i for i in range(1000)}
		    for n in os.listdir("."):
		        os.unlink(n)
		    for n in want:
		        os.close(os.open(n, os.O_CREAT))
		    slow = os.scandir(".")
		    gone = [next(slow).name for i in range(600)][-300:]
		    for n in gone:
		        want.remove(n)
		        if change == "rename":
		            os.rename(n, n + "r")
		            want.add(n + "r")
		        elif change == "replace":
		            os.rename(n, gone[0])
		            want.add(gone[0])
		        else:
		            os.unlink(n)
		    fresh = os.scandir(".")
		    got = [next(fresh).name]
		    for e in slow:
		        pass
		    got += [e.name for e in fresh]
		    assert sorted(got) == sorted(want), change
		    assert sorted(os.listdir(".")) == sorted(want), change
		check("rename")
		check("unlink")
		check("replace")
	END
}

# 40 letters are 64 bytes in the kernel's cache, and so many fill its pages.
@test "readdir: a listing that fills its last page cuts no other short" {
	"$PYTHON" - "$M/d" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		want = {"x" * 35 + "%05d" % i for i in range(63 + 64 * 30)}
		for n in want:
		    os.close(os.open(n, os.O_CREAT))
		os.listdir(".")
		reader = os.scandir(".")
		got = [next(reader).name for i in range(100)]
		os.rename(got[5], "y" * 40)
		for i in range(3):
		    assert len(os.listdir(".")) == len(want)
		got += [e.name for e in reader]
		assert sorted(got) == sorted(want), len(got)
	END
}

@test "readdir: fresh listings are right while others list and names change" {
	mkdir "$M/e"
	timeout 100 "$ZSFS_TOOLS/freshlist" "$M/e" 20 2000 2
	timeout 100 "$ZSFS_TOOLS/freshlist" "$M/d" 2000 50 2
}

@test "readdir: rmdir of a folder with entries, hidden ones too" {
	touch "$M/d/.hidden"
	expect ENOTEMPTY rmdir "$M/d"
	rm "$M/d/.hidden"
	expect ok rmdir "$M/d"
	expect ENOENT stat "$M/d"
}

@test "readdir: many threads in one folder" {
	for t in 1 2 3 4; do
		fsop -n 2000 put "$M/d/t$t-%d" 10 >"$T/out$t" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "$(cat "$T"/out? | xargs)" "ok ok ok ok"
	pids=()
	same "$(dirscan list "$M/d" | sort -u | wc -l)" 8000
	for t in 1 2 3 4; do
		fsop -n 2000 unlink "$M/d/t$t-%d" >"$T/out$t" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "$(cat "$T"/out? | xargs)" "ok ok ok ok"
	expect ok rmdir "$M/d"
}
