#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# A short walk through everything: also run on the sanitizer builds.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

@test "smoke: files hold what was written" {
	expect ok put "$M/empty" 0
	expect ok put "$M/small" 10
	expect ok put "$M/block" 4096
	expect ok put "$M/big" 3000001
	drop_cache
	expect ok check "$M/small" 0 10 1
	expect ok check "$M/block" 0 4096 1
	expect ok check "$M/big" 0 3000001 1
	same "$(stat -c %s "$M"/{empty,small,block,big} | xargs)" "0 10 4096 3000001"
}

@test "smoke: real text comes back" {
	text_file "$T/text" 3000000
	cp "$T/text" "$M/text"
	drop_cache
	cmp "$T/text" "$M/text"
	cp "$M/text" "$M/copy"
	rm "$M/text"
	cmp "$T/text" "$M/copy"
}

@test "smoke: a small tree goes in and out" {
	mkdir "$T/tree"
	cp -a "$TOP"/{pool,codec,scripts,tests} "$T/tree/" 2>/dev/null || true
	tar -C "$T" -cf - tree | tar -C "$M" -xf -
	drop_cache
	diff -r "$T/tree" "$M/tree"
	mv "$M/tree" "$M/moved"
	diff -r "$T/tree" "$M/moved"
	rm -rf "${M:?}/moved"
	same "$(ls -A "$M")" ""
}

@test "smoke: names of every kind" {
	expect ok mkdir "$M/dir" 755
	expect ok put "$M/dir/file" 100
	expect ok link "$M/dir/file" "$M/hard"
	expect ok symlink dir/file "$M/soft"
	expect ok mknod "$M/fifo" p 644 0 0
	expect ok rename "$M/dir/file" "$M/file"
	expect ENOENT stat "$M/soft"
	expect ENOENT stat "$M/dir/file"
	expect ok check "$M/hard" 0 100 1
	expect ok rmdir "$M/dir"
	same "$(ls "$M" | xargs)" "fifo file hard soft"
}

@test "smoke: a file against a model" {
	timeout 120 "$ZSFS_TOOLS/filemodel" "$M/f" 1500 11
}

@test "smoke: threads that share blocks" {
	timeout 120 "$ZSFS_TOOLS/writers" "$M/f" 4 4 12
}

@test "smoke: a thousand files, listed and removed" {
	mkdir "$M/d"
	expect ok -n 1000 put "$M/d/f%d" 300
	same "$(ls "$M/d" | wc -l)" 1000
	same "$("$ZSFS_TOOLS/dirscan" unlink "$M/d")" 1000
	rmdir "$M/d"
}

@test "smoke: metadata changes stick" {
	expect ok create "$M/f" 600
	expect ok chmod "$M/f" 4711
	expect ok utimens "$M/f" 1 2 3 4
	same "$(stat -c %a "$M/f")" 4711
	same "$(fsop times "$M/f")" "1.000000002 3.000000004"
	expect ok truncate "$M/f" 100000
	expect ok zeros "$M/f" 0 100000
	expect ok truncate "$M/f" 5
	same "$(stat -c %s "$M/f")" 5
}

@test "smoke: the virtual files can be read" {
	zsfs_only
	expect ok put "$M/f" 1000000
	for f in classes fullness mm_stat io_stat tiers stats.json metrics; do
		[ "$(wc -c <"$M/.zsstats/$f")" -gt 10 ]
	done
	jq . "$M/.zsstats/stats.json" >/dev/null
	echo 1 >"$M/.zsctl/compact"
	cat "$M/.zsctl/compact"
}

@test "smoke: compaction while files are written" {
	zsfs_only
	(while [ -e "$M/go" ]; do echo 1 >"$M/.zsctl/compact" || true; done) 3>&- &
	touch "$M/go"
	for i in 1 2 3; do
		expect ok -n 200 put "$M/r$i-%d" 9000
		rm "$M"/r$i-*[13579]
	done
	rm "$M/go"
	wait $!
	drop_cache
	expect ok -n 99 check "$M/r2-%d0" 0 9000 1 || expect ENOENT stat "$M/r2-990"
}
