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
