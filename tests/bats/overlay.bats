#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# As the upper layer of overlayfs, which wants xattrs, whiteouts, O_TMPFILE and
# file handles of it, and falls back to less, with a warning, without.
load helpers

setup() {
	root_only
	zsfs_setup
	zsfs_mount
	mkdir "$T/low" "$M/up" "$M/scratch" "$T/all"
	mount -t overlay try -o "lowerdir=$T/low,upperdir=$M/up,workdir=$M/scratch" "$T/all" ||
		skip "overlayfs takes nothing here"
	umount "$T/all"
	rm -rf "$M/scratch/work"
	mkdir -p "$T/low/d/sub" "$T/low/e"
	echo one >"$T/low/f"
	echo two >"$T/low/d/g"
	echo three >"$T/low/d/sub/h"
	ln "$T/low/f" "$T/low/twin"
	ln -s f "$T/low/soft"
}

teardown() {
	cd /
	zsfs_teardown
}

# What overlayfs said so far, but for what is no warning.
said() {
	dmesg | grep 'overlayfs:' | grep -v 'feature enabled using' | tail -n 1
}

# layer OPTIONS: what overlayfs says of it must be nothing.
layer() {
	local before

	before=$(said)
	mount -t overlay "zsfs-$$" \
		-o "lowerdir=$T/low,upperdir=$M/up,workdir=$M/scratch${1:+,$1}" "$T/all"
	same "$(said)" "$before"
	cd "$T/all"
}

# The same once more, with nothing cached.
again() {
	cd /
	umount "$T/all"
	echo 2 >/proc/sys/vm/drop_caches
	layer "${1:-}"
}

up() {
	(cd "$M/up" && stat -c '%n %F' "$@")
}

xattr() {
	"$PYTHON" -c 'import os, sys; print(os.getxattr(sys.argv[2], sys.argv[1], follow_symlinks=False).decode("latin1"))' "$@"
}

@test "overlay: mounts without a warning, with every feature" {
	layer
	for opts in index=on,nfs_export=on redirect_dir=on,metacopy=on,index=on \
		xino=on,redirect_dir=on volatile; do
		cd /
		umount "$T/all"
		rm -rf "$M/scratch" "$M/up"
		mkdir "$M/scratch" "$M/up"
		layer "$opts"
		same "$(cat f d/sub/h | xargs)" "one three"
	done
}

@test "overlay: what is written is copied up, with all its attributes" {
	chown 5:6 "$T/low/f"
	chmod 640 "$T/low/f"
	touch -d 2001-02-03 "$T/low/f" "$T/low/d/g"
	layer
	echo more >>f
	touch d/new
	chmod 700 d/g
	again
	same "$(cat f | xargs)" "one more"
	same "$(stat -c '%u %g %a' f)" "5 6 640"
	same "$(stat -c '%a %y' d/g)" "700 $(stat -c %y "$T/low/d/g")"
	same "$(cat "$T/low/f")" one
	same "$(ls d | xargs)" "g new sub"
}

@test "overlay: what is deleted leaves a whiteout, what is made anew hides all" {
	layer
	rm f
	rm -r d
	same "$(up f d)" "f character special file
d character special file"
	again
	same "$(ls | xargs)" "e soft twin"
	mkdir d
	touch f
	same "$(ls d)" ""
	same "$(xattr trusted.overlay.opaque "$M/up/d")" y
	again
	same "$(ls -A d)" ""
	same "$(stat -c %s f)" 0
	rm -r d f e soft twin
	again
	same "$(ls -A)" ""
	same "$(ls "$T/low" | xargs)" "d e f soft twin"
}

@test "overlay: renames leave whiteouts, folders are redirected" {
	layer redirect_dir=on
	mv f d/f
	mv d moved
	mv moved/sub e/sub
	same "$(up f d)" "f character special file
d character special file"
	same "$(xattr trusted.overlay.redirect "$M/up/moved")" d
	again redirect_dir=on
	same "$(find . | sort | xargs)" ". ./e ./e/sub ./e/sub/h ./moved ./moved/f ./moved/g ./soft ./twin"
	same "$(cat moved/f moved/g e/sub/h | xargs)" "one two three"
}

@test "overlay: metacopy copies attributes alone" {
	zsfs_only
	head -c 5000000 /dev/urandom >"$T/low/large"
	layer metacopy=on,redirect_dir=on
	before=$(json .content.blocks)
	chmod 600 large
	chown 7 large
	between 0 $(($(json .content.blocks) - before)) 10
	mv large renamed
	again metacopy=on,redirect_dir=on
	same "$(stat -c '%u %a %s' renamed)" "7 600 5000000"
	cmp renamed "$T/low/large"
	echo x >>renamed
	again metacopy=on,redirect_dir=on
	same "$(stat -c %s renamed)" 5000002
}

@test "overlay: hard links stay links with an index" {
	layer index=on
	echo more >>f
	same "$(cat twin | xargs)" "one more"
	same "$(stat -c %i f)" "$(stat -c %i twin)"
	again index=on
	same "$(cat twin | xargs)" "one more"
	same "$(stat -c '%i %h' f)" "$(stat -c '%i %h' twin)"
	rm f
	again index=on
	same "$(cat twin | xargs)" "one more"
}

@test "overlay: handles of an exported one" {
	layer index=on,nfs_export=on
	"$PYTHON" - <<-'END'
		import ctypes, os, struct
		libc = ctypes.CDLL(None, use_errno=True)
		root = os.open(".", os.O_RDONLY)
		def handle(name):
		    buf = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128), 136)
		    res = libc.name_to_handle_at(-100, name.encode(), buf, ctypes.byref(ctypes.c_int()), 0)
		    assert res == 0, os.strerror(ctypes.get_errno())
		    return buf
		with open("d/g", "a") as f:
		    f.write("more")
		os.mkdir("d/fresh")
		hs = {name: handle(name) for name in ("d/g", "f", "d/fresh", "d")}
		with open("/proc/sys/vm/drop_caches", "w") as f:
		    f.write("2")
		def reopen(name):
		    fd = libc.open_by_handle_at(root, hs[name], os.O_RDONLY)
		    assert fd >= 0, (name, os.strerror(ctypes.get_errno()))
		    return fd
		assert os.read(reopen("d/g"), 99) == b"two\nmore"
		assert os.read(reopen("f"), 99) == b"one\n"
		assert os.listdir(reopen("d/fresh")) == []
		assert sorted(os.listdir(reopen("d"))) == ["fresh", "g", "sub"]
	END
}

@test "overlay: a tree of programs, changed while workers die" {
	zsfs_only
	find /usr/bin -maxdepth 1 -type f -links 1 -size -300k -name '[a-f]*' -exec cp -at "$T/low/d/sub" {} +
	layer redirect_dir=on,index=on
	(
		trap 'exit 0' TERM
		while :; do
			sleep 0.3
			kill -9 "$(worker)" 2>/dev/null
		done
	) 3>&- &
	killer=$!
	on_teardown "kill $killer 2>/dev/null; true"
	for round in 1 2 3; do
		cp -a d "copy$round"
		mv d/sub "d/sub$round"
		mv "d/sub$round" d/sub
		(cd d/sub && for f in *; do mv "$f" "$f.new"; done)
		(cd d/sub && for f in *.new; do mv "$f" "${f%.new}"; done)
		diff -r d/sub "copy$round/sub"
		chmod -R u+w d
		rm -r "copy$round"
	done
	kill "$killer"
	wait "$killer" || true
	diff -r d/sub "$T/low/d/sub"
	again redirect_dir=on,index=on
	diff -r d/sub "$T/low/d/sub"
	same "$(ls | xargs)" "d e f soft twin"
	between 3 "$(json .survival.takeovers)" 1000
}

@test "overlay: root of a user namespace has one, too" {
	zsfs_only
	by_user_root <<-END
		set -eu
		cd /
		$T/daemon "$T/mine"
		cd "$T/mine"
		mkdir -p low/d up work all
		echo one >low/f
		echo two >low/d/g
		mount -t overlay try -o userxattr,lowerdir=low,upperdir=up,workdir=work all
		rm -r all/d
		mkdir all/d
		echo more >>all/f
		[ "\$(ls all/d)" = "" ]
		[ "\$(cat all/f | xargs)" = "one more" ]
		rm all/f
		[ "\$(stat -c %F up/f)" = "character special file" ]
		umount all
		cd /
		umount "$T/mine"
		echo done
	END
}
