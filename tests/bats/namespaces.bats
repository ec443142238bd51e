#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Mounts of mounts, idmapped and bound, and mounts in user namespaces.
load helpers

setup() {
	zsfs_setup
}

teardown() {
	cd /
	zsfs_teardown
}

# The mount once more at $T/id, with 10000 added to all owners below 10000.
idmap() {
	root_only
	zsfs_mount
	mkdir "$T/id"
	"$PYTHON" "$BATS_TEST_DIRNAME/idmap.py" "$M" "$T/id" >"$T/said" 2>&1 || {
		grep -q "Invalid argument" "$T/said" && skip "no idmapped mounts here"
		cat "$T/said"
		return 1
	}
}

owner() { stat -c %u:%g "$1"; }

@test "namespaces: an idmapped mount shows other owners, and makes files of them" {
	idmap
	chmod 777 "$M"
	echo text >"$M/old"
	chown 5:6 "$M/old"
	same "$(owner "$T/id/old")" 10005:10006
	same "$(as 10005:10006 cat "$T/id/old")" text
	cd "$T/id"
	as 10007:10008 "$ZSFS_TOOLS/fsop" create file 644
	as 10007:10008 mkdir dir
	as 10007:10008 "$ZSFS_TOOLS/fsop" symlink x soft
	as 10007:10008 "$ZSFS_TOOLS/fsop" mknod fifo p 644 0 0
	as 10007:10008 "$ZSFS_TOOLS/fsop" rename2 file moved 4
	for name in file moved dir soft fifo; do
		same "$(owner "$M/$name")" 7:8
		same "$(owner "$T/id/$name")" 10007:10008
	done
	cmp <(ls -ln "$M" | awk '{ print $3, $4 }') <(ls -ln . | awk '{ print $3 ? $3 - 10000 : $3, $4 ? $4 - 10000 : $4 }')
	as 10007:10008 "$PYTHON" -c '
import ctypes, os
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
st = os.fstat(fd)
assert (st.st_uid, st.st_gid) == (10007, 10008), st
assert ctypes.CDLL(None).linkat(-100, b"/proc/self/fd/%d" % fd, -100, b"linked", 0x400) == 0
'
	same "$(owner "$M/linked")" 7:8
}

@test "namespaces: an idmapped mount refuses whom it does not map" {
	idmap
	chmod 777 "$M"
	cd "$T/id"
	same "$(as 5:6 "$ZSFS_TOOLS/fsop" create file 644)" EOVERFLOW
	same "$(as 5:6 "$ZSFS_TOOLS/fsop" mkdir dir 755)" EOVERFLOW
	same "$(as 5:6 "$ZSFS_TOOLS/fsop" tmpfile .)" EOVERFLOW
	same "$(ls -A "$M")" ""
	as 10001:10001 touch mine
	same "$(as 5:6 "$ZSFS_TOOLS/fsop" unlink mine)" ok
}

@test "namespaces: an idmapped mount sets owners and checks permissions" {
	idmap
	cd "$T/id"
	echo text >"$M/file"
	chown 10003:10004 file
	same "$(owner "$M/file")" 3:4
	chmod 600 file
	same "$(as 10003:10004 cat file)" text
	fails as 3:4 cat file
	fails as 10005:10004 cat file
	chown 10003 file
	chmod 4755 file
	as 10003:10004 "$ZSFS_TOOLS/fsop" write file w 0 10 1
	same "$(stat -c %a "$M/file")" 755
	expect EOVERFLOW chown file 5 5
}

@test "namespaces: a bind mount is the same file system" {
	root_only
	zsfs_mount
	mkdir -p "$M/a/b" "$T/bind"
	mount --bind "$M/a" "$T/bind"
	echo one >"$T/bind/b/f"
	same "$(cat "$M/a/b/f")" one
	same "$(stat -c %d:%i "$M/a/b/f")" "$(stat -c %d:%i "$T/bind/b/f")"
	expect EXDEV rename "$M/a/b/f" "$T/bind/g"
	expect ok rename "$T/bind/b/f" "$T/bind/g"
	mount -o remount,ro,bind "$T/bind"
	expect EROFS unlink "$T/bind/g"
	expect ok unlink "$M/a/g"
	expect ENOENT stat "$T/bind/g"
	# A file, too.
	echo two >"$M/f"
	touch "$T/file"
	mount --bind "$M/f" "$T/file"
	echo three >>"$M/f"
	same "$(cat "$T/file" | xargs)" "two three"
	expect EBUSY unlink "$T/file"
}

@test "namespaces: root of a user namespace mounts and uses it" {
	root_only
	zsfs_only
	by_user_root <<-END
		set -eu
		cd /
		"$T/daemon" "$T/mine" 2>&1
		mountpoint -q "$T/mine"
		cd "$T/mine"
		echo text >file
		mkdir -p a/b
		mv file a/b/file
		[ "\$(cat a/b/file)" = text ]
		[ "\$(stat -c %u:%g a/b/file)" = 0:0 ]
		[ "\$(stat -c %u:%g .)" = 0:0 ]
		chmod 4755 a/b/file
		[ "\$("$T/fsop" chown a/b/file 77 -1)" = EINVAL ]
		[ "\$("$T/fsop" tmpfile a)" = ok ]
		[ "\$("$T/fsop" rename2 a/b/file a/moved 4)" = ok ]
		kill -9 "\$("$PYTHON" -c 'import json; print(json.load(open(".zsstats/stats.json"))["survival"]["worker"])')"
		[ "\$(cat a/moved)" = text ]
		# The file is somebody's whom nobody here knows.
		"$T/daemon" --replace .
		[ "\$(cat a/moved)" = text ]
		echo 1 >.zsctl/verify
		[ "\$(cat .zsctl/verify)" = clean ]
		cd /
		umount "$T/mine"
		echo done
	END
}
