#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Hard and symbolic links.
load helpers

setup() { zsfs_setup; zsfs_mount; }
teardown() { zsfs_teardown; }

nlink() { stat -c %h "$1"; }
ino() { stat -c %i "$1"; }

@test "links: two names, one file" {
	expect ok put "$M/a" 5000
	mkdir "$M/d"
	expect ok link "$M/a" "$M/d/b"
	same "$(ino "$M/a")" "$(ino "$M/d/b")"
	same "$(nlink "$M/a")" 2
	expect 100 write "$M/d/b" w 0 100 7
	expect ok check "$M/a" 0 100 7
	expect ok chmod "$M/a" 600
	same "$(stat -c %a "$M/d/b")" 600
	expect ok unlink "$M/a"
	same "$(nlink "$M/d/b")" 1
	drop_cache
	expect ok check "$M/d/b" 0 100 7
	expect ok check "$M/d/b" 100 4900 1
}

@test "links: a thousand names" {
	expect ok create "$M/f" 644
	expect ok -n 1000 link "$M/f" "$M/l%d"
	same "$(nlink "$M/f")" 1001
	expect ok -n 1000 unlink "$M/l%d"
	same "$(nlink "$M/f")" 1
}

@test "links: what cannot be linked" {
	mkdir "$M/d"
	expect ok create "$M/f" 644
	expect ok create "$M/g" 644
	expect EPERM link "$M/d" "$M/e"
	expect EEXIST link "$M/f" "$M/g"
	expect EEXIST link "$M/f" "$M/f"
	expect ENOENT link "$M/none" "$M/x"
	expect ENOENT link "$M/f" "$M/none/x"
	expect ENOTDIR link "$M/f" "$M/g/x"
	same "$(nlink "$M/f")" 1
	if [ -z "${ZSFS_DRYRUN:-}" ]; then expect EXDEV link "$M/f" "$T/x"; fi
}

@test "links: link moves ctime, unlink of one name too" {
	expect ok create "$M/f" 644
	before=$(stat -c %z "$M/f")
	sleep 0.05
	expect ok link "$M/f" "$M/g"
	after=$(stat -c %z "$M/f")
	[ "$before" != "$after" ]
	sleep 0.05
	expect ok unlink "$M/g"
	[ "$after" != "$(stat -c %z "$M/f")" ]
}

@test "links: symlinks, dangling and in loops" {
	expect ok symlink none "$M/dangling"
	expect ENOENT stat "$M/dangling"
	expect ok symlink loop2 "$M/loop1"
	expect ok symlink loop1 "$M/loop2"
	expect ELOOP stat "$M/loop1"
	expect ELOOP open "$M/dangling" rn
	expect ok unlink "$M/dangling"
	mkdir "$M/d"
	echo text >"$M/d/f"
	expect ok symlink d "$M/s"
	same "$(cat "$M/s/f")" text
	same "$(readlink "$M/s")" d
	same "$(stat -c '%F %s %a' "$M/s")" "symbolic link 1 777"
	expect EINVAL readlink "$M/d"
	expect ENOTDIR rmdir "$M/s"
	expect EEXIST create "$M/s" 644
}

@test "links: a symlink can be linked and renamed" {
	expect ok symlink target "$M/s"
	expect ok link "$M/s" "$M/t"
	same "$(readlink "$M/t")" target
	same "$(nlink "$M/t")" 2
	expect ok rename "$M/s" "$M/u"
	same "$(readlink "$M/u")" target
}

@test "links: a folder's link count is its subfolders' number plus 2" {
	mkdir "$M/d"
	same "$(nlink "$M/d")" 2
	mkdir "$M/d/1" "$M/d/2" "$M/d/3"
	touch "$M/d/file"
	same "$(nlink "$M/d")" 5
	rmdir "$M/d/2"
	same "$(nlink "$M/d")" 4
	mkdir "$M/e"
	mv "$M/d/3" "$M/e/"
	same "$(nlink "$M/d")" 3
	same "$(nlink "$M/e")" 3
}
