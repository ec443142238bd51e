#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Extended attributes: names, values, who may, what takes them away.
load helpers

setup() {
	zsfs_setup
	zsfs_mount -o mode=1777
	cd "$M"
	echo content >f
	mkdir d
	ln -s f s
}

teardown() {
	cd /
	zsfs_teardown
}

# xattr CALL PATH [NAME [VALUE [FLAGS]]]: what it returned, or its error. VALUE
# is Python: b"x" * 10. Symlinks are not followed.
xattr() {
	"$PYTHON" - "$@" <<-'E'
		import errno, os, sys
		call, args = sys.argv[1], sys.argv[2:]
		if len(args) > 2:
		    args[2] = eval(args[2])
		if len(args) > 3:
		    args[3] = getattr(os, "XATTR_" + args[3])
		try:
		    got = getattr(os, call)(*args, follow_symlinks=False)
		except OSError as e:
		    got = errno.errorcode[e.errno]
		if isinstance(got, list):
		    got = " ".join(sorted(got))
		print("ok" if got is None else got.decode() if isinstance(got, bytes) else got)
	E
}

# xattr_by UID CALL...: by somebody else.
xattr_by() {
	local uid=$1

	shift
	"$PYTHON" - "$uid" "$@" <<-'E'
		import errno, os, sys
		os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
		call, args = sys.argv[2], sys.argv[3:]
		if len(args) > 2:
		    args[2] = args[2].encode()
		try:
		    got = getattr(os, call)(*args, follow_symlinks=False)
		except OSError as e:
		    got = errno.errorcode[e.errno]
		print("ok" if got is None else " ".join(sorted(got)) if isinstance(got, list) else got)
	E
}

@test "xattr: set, read, list, replace, remove" {
	for p in f d; do
		same "$(xattr setxattr $p user.a 'b"one"')" ok
		same "$(xattr setxattr $p user.b 'b""')" ok
		same "$(xattr getxattr $p user.a)" one
		same "$(xattr getxattr $p user.b)" ""
		same "$(xattr listxattr $p)" "user.a user.b"
		same "$(xattr setxattr $p user.a 'b"two" * 300')" ok
		same "$(xattr getxattr $p user.a | wc -c)" 901
		same "$(xattr removexattr $p user.b)" ok
		same "$(xattr listxattr $p)" user.a
	done
	same "$(cat f)" content
}

@test "xattr: XATTR_CREATE, XATTR_REPLACE and names that are not there" {
	same "$(xattr setxattr f user.a 'b"x"' REPLACE)" ENODATA
	same "$(xattr setxattr f user.a 'b"x"' CREATE)" ok
	same "$(xattr setxattr f user.a 'b"y"' CREATE)" EEXIST
	same "$(xattr setxattr f user.a 'b"z"' REPLACE)" ok
	same "$(xattr getxattr f user.a)" z
	same "$(xattr getxattr f user.none)" ENODATA
	same "$(xattr removexattr f user.none)" ENODATA
	same "$(xattr removexattr none user.none)" ENOENT
}

@test "xattr: spaces of names" {
	same "$(xattr setxattr f user. 'b"x"')" EINVAL
	same "$(xattr setxattr f other.x 'b"x"')" ENOTSUP
	same "$(xattr setxattr f system.x 'b"x"')" ENOTSUP
	same "$(xattr setxattr f plain 'b"x"')" ENOTSUP
	same "$(xattr setxattr f user.abcdef 'b"x"')" ok
	same "$(xattr listxattr f)" user.abcdef
}

@test "xattr: names of 255 and 256 bytes, values of 65,536 and 65,537" {
	local n

	n=user.$(printf '%0250d' 0)
	same "$(xattr setxattr f "$n" 'b"x"')" ok
	same "$(xattr getxattr f "$n")" x
	same "$(xattr setxattr f "${n}0" 'b"x"')" ERANGE
	same "$(xattr getxattr f "${n}0")" ERANGE
	same "$(xattr removexattr f "$n")" ok
	same "$(xattr setxattr f user.v 'b"v" * 65536')" ok
	same "$(xattr getxattr f user.v | tr -d '\n' | wc -c)" 65536
	same "$(xattr setxattr f user.v 'b"v" * 65537')" E2BIG
	same "$(xattr getxattr f user.v | tr -d '\n' | wc -c)" 65536
}

@test "xattr: a thousand on one file, and buffers that are too small" {
	"$PYTHON" - f <<-'E'
		import ctypes, os, sys
		p = sys.argv[1]
		libc = ctypes.CDLL(None, use_errno=True)
		name = lambda k: "user.attribute_%d" % k
		for k in range(1000):
		    os.setxattr(p, name(k), b"value_%d" % k)
		assert sorted(os.listxattr(p)) == sorted(map(name, range(1000)))
		size = libc.listxattr(p.encode(), None, 0)
		assert size == sum(len(name(k)) + 1 for k in range(1000)), size
		buf = ctypes.create_string_buffer(size)
		assert libc.listxattr(p.encode(), buf, size) == size
		assert libc.listxattr(p.encode(), buf, size - 1) == -1
		assert ctypes.get_errno() == 34, ctypes.get_errno()
		assert libc.getxattr(p.encode(), b"user.attribute_7", buf, 6) == -1
		assert ctypes.get_errno() == 34, ctypes.get_errno()
		for k in range(1000):
		    assert os.getxattr(p, name(k)) == b"value_%d" % k
		for k in range(0, 1000, 2):
		    os.removexattr(p, name(k))
		assert sorted(os.listxattr(p)) == sorted(map(name, range(1, 1000, 2)))
	E
}

@test "xattr: on symlinks and special files as on tmpfs" {
	mkfifo p
	for x in s p; do
		same "$(xattr setxattr $x user.a 'b"x"')" EPERM
		same "$(xattr setxattr $x trusted.a 'b"x"')" ok
		same "$(xattr getxattr $x trusted.a)" x
		same "$(xattr listxattr $x)" trusted.a
	done
	same "$(xattr listxattr f)" ""
}

@test "xattr: trusted. is for root's eyes, security. for root to set" {
	root_only
	chmod 666 f
	same "$(xattr setxattr f trusted.t 'b"x"')" ok
	same "$(xattr setxattr f security.s 'b"x"')" ok
	same "$(xattr_by $NOBODY listxattr f)" security.s
	same "$(xattr_by $NOBODY getxattr f trusted.t)" ENODATA
	same "$(xattr_by $NOBODY setxattr f trusted.u x)" EPERM
	same "$(xattr_by $NOBODY setxattr f security.u x)" EPERM
	same "$(xattr_by $NOBODY setxattr f user.u x)" ok
	chmod 600 f
	same "$(xattr_by $NOBODY setxattr f user.v x)" EACCES
	same "$(xattr_by $NOBODY getxattr f user.u)" EACCES
	chmod 1777 d
	same "$(xattr_by $NOBODY setxattr d user.u x)" EPERM
	same "$(xattr listxattr f)" "security.s trusted.t user.u"
}

@test "xattr: SELinux's labels can be set and read" {
	root_only
	for x in f d s; do
		same "$(xattr setxattr $x security.selinux 'b"system_u:object_r:etc_t:s0\0"')" ok
		same "$(xattr getxattr $x security.selinux | tr -d '\0')" system_u:object_r:etc_t:s0
	done
}

@test "xattr: the ctime changes, nothing else" {
	local before after

	for change in "setxattr f user.a b\"x\"" "setxattr f user.a b\"y\"" "removexattr f user.a"; do
		before=$(stat -c '%n %a %h %u %g %s %b %X %.Y' f)
		local ctime
		ctime=$(stat -c %.Z f)
		sleep 0.02
		# shellcheck disable=SC2086
		same "$(xattr $change)" ok
		after=$(stat -c '%n %a %h %u %g %s %b %X %.Y' f)
		same "$after" "$before"
		[ "$(stat -c %.Z f)" != "$ctime" ]
	done
}

@test "xattr: they stay with rename and links, and go with the file" {
	same "$(xattr setxattr f user.a 'b"x" * 20000')" ok
	ln f g
	mv f h
	same "$(xattr getxattr g user.a | wc -c)" 20001
	same "$(xattr getxattr h user.a | wc -c)" 20001
	exec 7<h
	rm g h
	same "$("$PYTHON" -c 'import os; print(len(os.getxattr(7, "user.a")))' 7<&7)" 20000
	exec 7<&-
	echo new >f
	same "$(xattr listxattr f)" ""
}

@test "xattr: cached names and values do not go stale" {
	for k in 1 2 3; do
		xattr setxattr f user.a "b\"$k\""
		same "$(xattr getxattr f user.a)" $k
	done
	echo 2 >/proc/sys/vm/drop_caches || true
	same "$(xattr getxattr f user.a)" 3
}

# Sets capability cap_net_raw=ep on a file.
CAPS='b"\x01\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"'

@test "xattr: capabilities of files: write, truncate and chown take them" {
	root_only
	for change in "echo x >>f" "echo x | dd of=f conv=notrunc" "truncate -s 2 f" \
		": >f" "fallocate -l 9000 f" "chgrp 1 f" "chown 1 f"; do
		same "$(xattr setxattr f security.capability "$CAPS")" ok
		same "$(xattr listxattr f)" security.capability
		cat f >/dev/null
		chmod 755 f
		touch f
		same "$(xattr listxattr f)" security.capability
		bash -c "$change"
		same "$(xattr listxattr f)" "" || { echo "after: $change"; return 1; }
	done
}

@test "xattr: a program with capabilities has them, until it is written to" {
	root_only
	cp /usr/bin/cat cap
	xattr setxattr cap security.capability "$CAPS"
	same "$(setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups ./cap /proc/self/status | awk '/^CapEff/ { print $2 }')" 0000000000002000
	printf x | dd of=cap conv=notrunc bs=1 seek=100000 2>/dev/null
	same "$(setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups ./cap /proc/self/status | awk '/^CapEff/ { print $2 }')" 0000000000000000
}

@test "xattr: what was stored through a mapping before capabilities were set keeps them" {
	root_only
	"$PYTHON" - <<-EOF
	import mmap, os
	fd = os.open("f", os.O_RDWR)
	os.ftruncate(fd, 4096)
	m = mmap.mmap(fd, 4096)
	m[:5] = b"hello"
	os.setxattr("f", "security.capability", $CAPS)
	m.flush()
	os.fsync(fd)
	EOF
	same "$(xattr listxattr f)" security.capability
	same "$(head -c 5 f)" hello
}

@test "xattr: cp -a, rsync -X, tar --xattrs and mv keep them" {
	need setfattr getfattr
	mkdir src
	cp f src/f
	setfattr -n user.mime_type -v text/plain src/f
	setfattr -n user.dir -v yes src
	cp -a src copy
	same "$(getfattr --only-values -n user.mime_type copy/f)" text/plain
	same "$(getfattr --only-values -n user.dir copy)" yes
	tar --xattrs --xattrs-include='*' -cf t.tar src
	mkdir out
	tar -C out --xattrs --xattrs-include='*' -xf t.tar
	same "$(getfattr --only-values -n user.mime_type out/src/f)" text/plain
	if command -v rsync >/dev/null; then
		rsync -aX src/ synced/
		same "$(getfattr --only-values -n user.mime_type synced/f)" text/plain
	fi
	mv src/f "$T/away"
	mv "$T/away" back
	same "$(getfattr --only-values -n user.mime_type back)" text/plain
}

@test "xattr: on a full mount they are ENOSPC, and can be removed" {
	zsfs_only
	cd /
	zsfs_umount
	zsfs_mount -o mem_limit=16M
	cd "$M"
	echo >f
	"$PYTHON" - f <<-'E'
		import errno, os, sys
		p = sys.argv[1]
		os.setxattr(p, "user.mine", b"x" * 100)
		os.setxattr(p, "user.large", b"x" * 60000)
		k = 0
		files = [p]
		try:
		    while k < 100000:
		        if k % 500 == 499:
		            files.append("g%d" % k)
		            open(files[-1], "w").close()
		        os.setxattr(files[-1], "user.n%d" % k, b"y" * 2000)
		        k += 1
		except OSError as e:
		    assert e.errno == errno.ENOSPC, e
		assert 0 < k < 100000, k
		os.setxattr(p, "user.mine", b"z" * 100)
		os.setxattr(p, "user.large", b"z" * 60000)
		assert os.getxattr(p, "user.large") == b"z" * 60000
		for q in files:
		    for name in os.listxattr(q):
		        os.removexattr(q, name)
		os.setxattr(p, "user.large", b"x" * 60000)
	E
	read -r _ _ used limit _ <.zsstats/mm_stat
	between 1 "$used" "$limit"
}

@test "xattr: virtual files have none" {
	zsfs_only
	same "$(xattr listxattr .zsstats/mm_stat)" ""
	same "$(xattr getxattr .zsstats/mm_stat user.a)" ENODATA
	same "$(xattr setxattr .zsctl/verify user.a 'b"x"')" EPERM
	same "$(xattr listxattr .zsstats)" ""
}

@test "xattr: they survive the worker" {
	zsfs_only
	same "$(xattr setxattr f user.a 'b"x" * 5000')" ok
	same "$(xattr setxattr f user.b 'b"small"')" ok
	kill -9 "$(worker)"
	same "$(xattr getxattr f user.a | wc -c)" 5001
	same "$(xattr getxattr f user.b)" small
	same "$(xattr removexattr f user.a)" ok
}

# usage FILE FORM: blocks and bytes of RAM
usage() {
	xattr getxattr "$1" zsfs.usage | awk -v form="$2" '$1 == form { print $2, $3 }'
}

# Bytes of RAM of all files here: what the forms of the whole mount add up to.
usage_of_all() {
	local f

	for f in *; do
		[ ! -f "$f" ] || [ -L "$f" ] || xattr getxattr "$f" zsfs.usage
	done | awk '{ blocks += $2; ram += $3 } END { print blocks, ram }'
}

tiers_of_all() {
	json '[.tiers[] | objects] | "\(map(.blocks) | add) \(map(.ram) | add)"'
}

@test "xattr: how a file is stored" {
	zsfs_only
	all_have noxattr && skip "there are none"
	text_file text 3000000
	random_file random 409600
	head -c 1000000 /dev/zero >zeros
	fallocate -l 1M room
	same "$(usage random raw)" "100 409600"
	same "$(usage zeros same)" "245 0"
	same "$(usage room room)" "256 0"
	same "$(usage text lz4 | cut -d ' ' -f 1)" 733
	same "$(usage text dense)" "0 0"
	# The room of what was reserved is no block that is stored.
	rm room
	same "$(usage_of_all)" "$(tiers_of_all)"
	echo 1 >.zsctl/settle
	[ "$(usage text dense | cut -d ' ' -f 1)" -gt 700 ]
	same "$(usage_of_all)" "$(tiers_of_all)"
	# Half of the blocks of a cluster leave it, which stays as it is.
	before=$(usage text dense | cut -d ' ' -f 2)
	dd if=random of=text bs=4096 count=8 seek=16 conv=notrunc status=none
	same "$(usage text raw | cut -d ' ' -f 1)" 8
	same "$(usage text dense | cut -d ' ' -f 2)" "$before"
	# Nobody can set it, no list has it, and what is no file has none.
	same "$(xattr listxattr text)" ""
	same "$(xattr setxattr text zsfs.usage 'b"x"')" ENOTSUP
	same "$(xattr removexattr text zsfs.usage)" ENOTSUP
	ln -s text symlink
	mkfifo fifo
	same "$(xattr getxattr symlink zsfs.usage)" ENODATA
	same "$(xattr getxattr fifo zsfs.usage)" ENODATA
	same "$(xattr getxattr .zsctl zsfs.usage)" ENODATA
	same "$(xattr getxattr .zsctl/size zsfs.usage)" ENODATA
	chmod 600 text
	[ "$(id -u)" != 0 ] || same "$(xattr_by 1000 getxattr text zsfs.usage)" EACCES
	# A sparse file of a terabyte takes no time.
	truncate -s 1T sparse
	echo x >>sparse
	same "$(usage sparse lz4 | cut -d ' ' -f 1) $(usage sparse raw | cut -d ' ' -f 1)" "1 0"
}

# said FOLDER NAME: the number that its line has
said() {
	xattr getxattr "$1" zsfs.usage | awk -v name="$2" '$1 == name { print $2 }'
}

# The lines of forms of a folder, or of files together.
forms() {
	local f

	for f; do
		xattr getxattr "$f" zsfs.usage
	done | awk 'NF == 3 { blocks[$1] += $2; ram[$1] += $3 }
		END { for (form in blocks) print form, blocks[form], ram[form] }' | sort
}

@test "xattr: how the files of a folder are stored" {
	zsfs_only
	all_have noxattr && skip "there are none"
	mkdir u u/sub u/empty
	text_file u/dense 3000000
	echo 1 >.zsctl/settle
	text_file u/lz4 100000
	random_file u/raw 409600
	head -c 1000000 /dev/zero >u/zeros
	fallocate -l 1M u/room
	truncate -s 1G u/sparse
	random_file u/linked 40960
	ln u/linked u/again
	ln u/linked u/sub/again
	ln -s raw u/symlink
	mkfifo u/fifo
	text_file u/sub/below 100000
	same "$(forms u)" "$(forms u/dense u/lz4 u/raw u/zeros u/room u/sparse)"
	[ "$(usage u dense | cut -d ' ' -f 1)" -gt 700 ]
	same "$(usage u raw)" "100 409600"
	same "$(said u files) $(said u links) $(said u folders)" "6 2 2"
	same "$(said u size)" "$((3000000 + 100000 + 409600 + 1000000 + (1 << 20) + (1 << 30)))"
	same "$(forms u/empty)" "$(forms u/sparse)"
	same "$(said u/empty files) $(said u/empty folders)" "0 0"
	same "$(xattr listxattr u)" ""
	same "$(xattr setxattr u zsfs.usage 'b"x"')" ENOTSUP
	# Nobody learns of a file that is closed to him, nor of a closed folder.
	[ "$(id -u)" != 0 ] || {
		[[ $(xattr_by 1000 getxattr u zsfs.usage) == *"files 6"* ]]
		chmod 600 u/lz4
		same "$(xattr_by 1000 getxattr u zsfs.usage)" EACCES
		chmod 644 u/lz4
		chmod 744 u
		same "$(xattr_by 1000 getxattr u zsfs.usage)" EACCES
		chmod 700 u
		same "$(xattr_by 1000 getxattr u zsfs.usage)" EACCES
	}
}

# What takes longer than some milliseconds is answered by the background.
@test "xattr: several ask how a large file is stored, and the worker dies" {
	zsfs_only
	all_have noxattr && skip "there are none"
	local gib=$(($(df --output=avail -B1G . | tail -n 1) / 2))
	[ "$gib" -gt 0 ] || skip "there is no room"
	fallocate -l "$((gib < 8 ? gib : 8))G" large
	worker >worker
	timeout 100 "$PYTHON" - <<-'E'
		import os, subprocess, sys, threading, time
		begun = time.monotonic()
		first = os.getxattr("large", "zsfs.usage")
		took = time.monotonic() - begun
		assert b"room %d 0\n" % (os.stat("large").st_size >> 12) in first, first
		print("# one takes", took, "s", file=sys.stderr)
		said = []
		def ask():
		    for n in range(20):
		        said.append(os.getxattr("large", "zsfs.usage"))
		threads = [threading.Thread(target=ask) for n in range(6)]
		for t in threads:
		    t.start()
		subprocess.run(["bash", "-c", "kill -9 $(< worker)"], check=True)
		for n in range(6):
		    more = [sys.executable, "-c", "import os\nwhile True: os.getxattr('large', 'zsfs.usage')"]
		    with subprocess.Popen(more) as p:
		        try:
		            p.wait(0.2)
		        except subprocess.TimeoutExpired:
		            p.kill()
		            p.wait(20)
		for t in threads:
		    t.join()
		assert len(said) == 120 and set(said) == {first}, said
	E
}
