#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Access control lists: who gets in, what they have to do with modes, and what
# new files inherit.
load helpers

setup() {
	zsfs_setup
	root_only
	need setfacl getfacl setpriv
	zsfs_mount -o mode=1777
	cd "$M"
	umask 022
	echo content >f
	mkdir d
}

teardown() {
	cd /
	zsfs_teardown
}

# Without a header, numeric, on one line.
acl() {
	getfacl -cnpE "$@" | grep -v '^$' | paste -sd' '
}

mode() { stat -c %a "$1"; }

# raw PATH NAME VALUE: set one in Python's words, "ok" or the error.
raw() {
	"$PYTHON" - "$@" <<-'E'
		import errno, os, struct, sys
		def acl(*lines):
		    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *x) for x in lines)
		try:
		    os.setxattr(sys.argv[1], "system.posix_acl_" + sys.argv[2], eval(sys.argv[3]))
		    print("ok")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	E
}

@test "acl: a list of one user more" {
	setfacl -m u:1:rw f
	same "$(acl f)" "user::rw- user:1:rw- group::r-- mask::rw- other::r--"
	same "$(mode f)" 664
	same "$(ls -l f | cut -c 11)" +
	setfacl -x u:1 f
	setfacl -b f
	same "$(acl f)" "user::rw- group::r-- other::r--"
	same "$(mode f)" 644
	same "$(ls -l f | cut -c 11)" " "
}

@test "acl: it lets in and keeps out" {
	chmod 600 f
	fails as 5 cat f
	setfacl -m u:5:r f
	as 5 cat f
	fails as 5 sh -c 'echo x >>f'
	fails as 6 cat f
	setfacl -m g:7:rw f
	as 6:7 sh -c 'echo x >>f'
	setfacl -m m::r f
	fails as 6:7 sh -c 'echo x >>f'
	as 6:7 cat f
	setfacl -m u:8:- f
	chmod o+r f
	fails as 8 cat f
	as 9 cat f
}

@test "acl: permissions that were asked for before do not stay" {
	chmod 600 f
	for k in 1 2 3; do
		fails as 5 cat f
		setfacl -m u:5:r f
		as 5 cat f
		chmod 600 f
		fails as 5 cat f
		chmod 640 f
		as 5 cat f
		setfacl -b f
		fails as 5 cat f
		chmod 600 f
	done
}

@test "acl: chmod changes the mask, and setfacl the mode" {
	setfacl -m u:1:rwx,g::rx f
	same "$(mode f)" 674
	chmod 640 f
	same "$(acl f)" "user::rw- user:1:rwx group::r-x mask::r-- other::---"
	chmod 701 f
	same "$(acl f)" "user::rwx user:1:rwx group::r-x mask::--- other::--x"
	setfacl -m m::rw f
	same "$(mode f)" 761
	setfacl -m u::r,o::- f
	same "$(acl f)" "user::r-- user:1:rwx group::r-x mask::rwx other::---"
	same "$(mode f)" 470
}

@test "acl: a list that says what the mode says is not kept" {
	same "$(raw f access 'acl((1, 6, 0), (4, 0, 0), (32, 4, 0))')" ok
	same "$(mode f)" 604
	same "$("$PYTHON" -c 'import os; print(os.listxattr("f"))')" "[]"
	same "$(raw f access 'acl((1, 6, 0), (4, 4, 0), (16, 4, 0), (32, 4, 0))')" ok
	same "$("$PYTHON" -c 'import os; print(os.listxattr("f"))')" "['system.posix_acl_access']"
	same "$(raw f access 'acl((1, 6, 0), (4, 0, 0), (32, 0, 0))')" ok
	same "$(mode f)" 600
	same "$("$PYTHON" -c 'import os; print(os.listxattr("f"))')" "[]"
}

@test "acl: new files and directories inherit the default list, not the umask" {
	setfacl -d -m u:1:rwx,g::rx,o::- d
	same "$(acl d)" "user::rwx group::r-x other::r-x default:user::rwx default:user:1:rwx default:group::r-x default:mask::rwx default:other::---"
	umask 077
	touch d/f
	same "$(acl d/f)" "user::rw- user:1:rwx group::r-x mask::rw- other::---"
	same "$(mode d/f)" 660
	mkdir d/s
	same "$(acl d/s)" "user::rwx user:1:rwx group::r-x mask::rwx other::--- default:user::rwx default:user:1:rwx default:group::r-x default:mask::rwx default:other::---"
	mkfifo -m 640 d/p
	same "$(acl d/p | cut -d' ' -f1-3)" "user::rw- user:1:rwx group::r-x"
	ln -s f d/l
	same "$("$PYTHON" -c 'import os; print(os.listxattr("d/l", follow_symlinks=False))')" "[]"
	expect ok create d/c 640
	same "$(mode d/c)" 640
	mkdir -p d/s/t/u
	touch d/s/t/u/f
	same "$(acl d/s/t/u/f)" "user::rw- user:1:rwx group::r-x mask::rw- other::---"
	setfacl -k d
	touch d/g
	same "$(mode d/g)" 600
}

@test "acl: a default list that is only a mode takes the umask's place" {
	setfacl -d -m u::rwx,g::rwx,o::rx d
	umask 077
	touch d/f
	mkdir d/s
	same "$(mode d/f)" 664
	same "$(mode d/s)" 775
	same "$("$PYTHON" -c 'import os; print(os.listxattr("d/f"))')" "[]"
}

@test "acl: without a list the umask applies, to whatever is made" {
	(umask 027; touch a; mkdir b; mkfifo c)
	same "$(mode a)" 640
	same "$(mode b)" 750
	same "$(mode c)" 640
}

@test "acl: garbage is refused" {
	for value in 'b"x"' 'b"\2\0\0\0x"' 'acl((1, 7, 0))' 'acl((1, 6, 0), (4, 4, 0))' \
		'acl((1, 9, 0), (4, 4, 0), (32, 4, 0))' 'acl((4, 4, 0), (1, 6, 0), (32, 4, 0))' \
		'acl((1, 6, 0), (2, 6, 5), (4, 4, 0), (32, 4, 0))' \
		'acl((1, 6, 0), (1, 6, 0), (4, 4, 0), (32, 4, 0))' \
		'acl((1, 6, 0), (4, 4, 0), (64, 4, 0), (32, 4, 0))' 'b"\2\0\0\0" + b"\xff" * 80'; do
		for kind in access default; do
			same "$(raw d $kind "$value")" EINVAL || { echo "$value"; return 1; }
		done
	done
	same "$(raw f access 'b"\3\0\0\0" + acl((1, 6, 0), (4, 4, 0), (32, 4, 0))[4:]')" ENOTSUP
	same "$(raw f default 'acl((1, 6, 0), (4, 4, 0), (32, 4, 0))')" EACCES
	same "$(acl f)" "user::rw- group::r-- other::r--"
	same "$(mode d)" 755
}

# 4096 bytes are what FUSE passes of a list: 511 lines.
@test "acl: a list of 511 lines, and one of 1,000" {
	local long='acl((1, 6, 0), *((2, 4, 1000 + k) for k in range(N)), (4, 4, 0), (16, 6, 0), (32, 4, 0))'

	same "$(raw f access "${long/N/507}")" ok
	same "$(acl f | wc -w)" 511
	chmod 600 f
	fails as 1300 cat f
	chmod 640 f
	as 1300 cat f
	fails as 1507 cat f
	if [ -n "${ZSFS_DRYRUN:-}" ]; then
		same "$(raw f access "${long/N/996}")" ok
	else
		same "$(raw f access "${long/N/996}")" E2BIG
		same "$(acl f | wc -w)" 511
	fi
}

@test "acl: they go along with cp -a, rsync -A and tar --acls" {
	setfacl -m u:1:rw f
	setfacl -d -m g:2:rx d
	setfacl -m u:1:rw d
	cp -a f g
	cp -a d e
	same "$(acl g)" "$(acl f)"
	same "$(acl e)" "$(acl d)"
	tar --acls -cf "$T/t.tar" f d
	mkdir x
	tar -C x --acls -xf "$T/t.tar"
	same "$(acl x/f)" "$(acl f)"
	same "$(acl x/d)" "$(acl d)"
	command -v rsync >/dev/null || return 0
	rsync -aA d/ y/
	same "$(acl y)" "$(acl d)"
}

@test "acl: set-group-ID goes when one sets a list who is not of the group" {
	install -o 5 -g 6 -m 2755 /dev/null s
	as 5:5 setfacl -m u:1:rx s
	same "$(mode s)" 755
	install -o 5 -g 6 -m 2755 /dev/null t
	as 5:6 setfacl -m u:1:rx t
	same "$(mode t)" 2755
	install -o 5 -g 6 -m 2755 /dev/null u
	setfacl -m u:1:rx u
	same "$(mode u)" 2755
}

@test "acl: the owner's and root's to set" {
	fails as 5 setfacl -m u:5:rw f
	chown 5 f
	as 5 setfacl -m u:6:rw f
	same "$(acl f)" "user::rw- user:6:rw- group::r-- mask::rw- other::r--"
	fails as 6 setfacl -b f
}

@test "acl: they survive the worker" {
	zsfs_only
	setfacl -m u:5:r f
	setfacl -d -m u:5:rwx d
	chmod o-r f
	kill -9 "$(worker)"
	as 5 cat f
	touch d/g
	same "$(acl d/g)" "user::rw- user:5:rwx group::r-x mask::rw- other::r--"
}

# But for the root directory: the kernel makes its inode before it knows that
# there are lists here, and then keeps none of it.
@test "acl: permission checks ask once, then the kernel knows" {
	zsfs_only
	not_cached "close(2) forgets how many blocks there are, and stat(2) the lists"
	local before

	cd d
	echo >g
	as 5 cat g
	before=$(json .requests.getxattr)
	for k in 1 2 3 4 5 6 7 8 9; do
		as 5 cat g
	done
	between 0 $(($(json .requests.getxattr) - before)) 3
	before=$(json .requests.getxattr)
	for k in 1 2 3 4 5 6 7 8 9; do
		as 5 cat "$M/d/g"
	done
	between 9 $(($(json .requests.getxattr) - before)) 12
}
