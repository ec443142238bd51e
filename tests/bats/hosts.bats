#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What manages other people's files: packages, trees of a system, a file server.
load helpers

BATS_TEST_TIMEOUT=400

setup() {
	root_only
	zsfs_setup
	zsfs_mount
	cd "$M"
}

teardown() {
	cd /
	zsfs_teardown
}

# Workers die from now on, until nobody() is called.
somebody() {
	(
		trap 'exit 0' TERM
		while :; do
			sleep 0.3
			kill -9 "$(worker)" 2>/dev/null
		done
	) 3>&- 4>&- &
	KILLER=$!
	on_teardown "kill $KILLER 2>/dev/null; true"
}

nobody() {
	kill "$KILLER"
	wait "$KILLER" || true
}

# make_deb NAME: with a folder, files, a link and a script, in $T/NAME.deb. No hard
# links: see findings/overlay-on-fuse-loses-the-other-names.sh.
make_deb() {
	local root=$T/deb/$1

	mkdir -p "$root/DEBIAN" "$root/usr/share/zsfs-test/$1"
	seq 3000 >"$root/usr/share/zsfs-test/$1/numbers"
	head -c 30000 /dev/urandom >"$root/usr/share/zsfs-test/$1/noise"
	ln -s numbers "$root/usr/share/zsfs-test/$1/soft"
	(cd "$root" && find usr -type f -exec md5sum {} +) >"$root/DEBIAN/md5sums"
	printf '#!/bin/sh\ntouch "/usr/share/zsfs-test/$1/set-up"\n' >"$root/DEBIAN/postinst"
	sed -i "s/\$1/$1/" "$root/DEBIAN/postinst"
	chmod 755 "$root/DEBIAN/postinst"
	cat >"$root/DEBIAN/control" <<-END
		Package: $1
		Version: 1
		Architecture: all
		Maintainer: Nobody <nobody@example.org>
		Description: of a test
	END
	dpkg-deb -b "$root" "$T/$1.deb" >"$T/out"
}

@test "hosts: dpkg installs into this system under an overlay while workers die" {
	zsfs_only
	need dpkg dpkg-deb
	mkdir up scratch "$T/all"
	mount -t overlay try -o "lowerdir=/,upperdir=$M/up,workdir=$M/scratch" "$T/all" ||
		skip "overlayfs takes nothing here"
	for n in 1 2 3 4 5; do
		make_deb "zsfs-test-$n"
	done
	mkdir "$T/all/zsfs-debs"
	cp "$T"/*.deb "$T/all/zsfs-debs"
	somebody
	chroot "$T/all" sh -c 'dpkg -i zsfs-debs/*.deb' >"$T/out" 2>&1 || { cat "$T/out"; false; }
	chroot "$T/all" dpkg -r zsfs-test-2 >"$T/out"
	chroot "$T/all" dpkg -i zsfs-debs/zsfs-test-4.deb >"$T/out"
	nobody
	for n in 1 3 4 5; do
		same "$(chroot "$T/all" dpkg-query -W -f '${Status}' "zsfs-test-$n")" \
			"install ok installed"
	done
	run -0 chroot "$T/all" dpkg -V zsfs-test-1 zsfs-test-3 zsfs-test-4 zsfs-test-5
	same "$output" ""
	for n in 1 3 4 5; do
		same "$(ls "$T/all/usr/share/zsfs-test/zsfs-test-$n" | xargs)" \
			"noise numbers set-up soft"
	done
	fails dpkg -s zsfs-test-1
	same "$(json '.survival.takeovers > 0')" true
}

make_rpm() {
	cat >"$T/$1.spec" <<-END
		Name: zsfs-test
		Version: $1
		Release: 1
		Summary: of a test
		License: none
		BuildArch: noarch
		%description
		%install
		mkdir -p %{buildroot}/opt/zsfs-test/empty %{buildroot}/etc
		seq $1 9000 >%{buildroot}/opt/zsfs-test/numbers
		ln %{buildroot}/opt/zsfs-test/numbers %{buildroot}/opt/zsfs-test/twin
		ln -s numbers %{buildroot}/opt/zsfs-test/soft
		cp %{buildroot}/opt/zsfs-test/numbers %{buildroot}/opt/zsfs-test/raw
		echo of $1 >%{buildroot}/etc/zsfs-test.conf
		%files
		%config(noreplace) /etc/zsfs-test.conf
		/opt/zsfs-test/numbers
		/opt/zsfs-test/twin
		/opt/zsfs-test/soft
		%attr(4750,root,root) %caps(cap_net_raw,cap_chown=ep) /opt/zsfs-test/raw
		%dir %attr(2775,root,root) /opt/zsfs-test/empty
	END
	rpmbuild -bb --quiet --define "_topdir $T/rpm" "$T/$1.spec" >"$T/out" 2>&1 ||
		{ cat "$T/out"; return 1; }
}

@test "hosts: rpm installs, verifies, upgrades and erases, with capabilities" {
	zsfs_only
	need rpm rpmbuild getcap
	make_rpm 1
	make_rpm 2
	cp "$T"/rpm/RPMS/noarch/*.rpm .
	mkdir root
	somebody
	rpm --root "$M/root" --nodeps -i "$M/zsfs-test-1-1.noarch.rpm"
	[[ $(getcap root/opt/zsfs-test/raw) == *cap_chown,cap_net_raw=ep ]]
	same "$(stat -c '%a' root/opt/zsfs-test/raw root/opt/zsfs-test/empty | xargs)" "4750 2775"
	same "$(stat -c %h root/opt/zsfs-test/numbers)" 2
	run -0 rpm --root "$M/root" --nodeps -V zsfs-test
	same "$output" ""
	echo mine >root/etc/zsfs-test.conf
	rpm --root "$M/root" --nodeps -U "$M/zsfs-test-2-1.noarch.rpm" 2>"$T/out"
	same "$(cat root/etc/zsfs-test.conf root/etc/zsfs-test.conf.rpmnew | xargs)" "mine of 2"
	same "$(head -n 1 root/opt/zsfs-test/twin)" 2
	[[ $(getcap root/opt/zsfs-test/raw) == *cap_chown,cap_net_raw=ep ]]
	# A capability that is gone is noticed.
	setcap -r root/opt/zsfs-test/raw
	[[ $(rpm --root "$M/root" --nodeps -V zsfs-test) == *P*raw* ]]
	rpm --root "$M/root" --verifydb
	rpm --root "$M/root" --nodeps -e zsfs-test 2>"$T/out"
	nobody
	# The folder is in no list of the package.
	same "$(ls -A root/opt/zsfs-test)" ""
}

@test "hosts: ostree keeps owners, modes and attributes of a system's tree" {
	zsfs_only
	need ostree setcap getcap setfattr
	mkdir tree tree/d
	cp /bin/ls /bin/cat tree
	ln -s ls tree/soft
	chown 5:6 tree/d
	chmod 4755 tree/cat
	setcap cap_net_raw+ep tree/ls
	setfattr -n user.a -v one tree/ls
	setfattr -n trusted.b -v two tree/d
	somebody
	for mode in bare bare-user archive; do
		ostree --repo="repo-$mode" init --mode=$mode
		ostree --repo="repo-$mode" commit -b x --tree=dir=tree >"$T/out"
		ostree --repo="repo-$mode" fsck >"$T/out"
		ostree --repo="repo-$mode" checkout ${mode/bare*/} x "out-$mode" 2>"$T/out" ||
			ostree --repo="repo-$mode" checkout -U x "out-$mode"
		cmp tree/ls "out-$mode/ls"
		same "$(readlink "out-$mode/soft")" ls
	done
	nobody
	same "$(stat -c '%u %g' out-bare/d)" "5 6"
	same "$(stat -c %a out-bare/cat)" 4755
	same "$(getfattr -d -m- out-bare/ls)" "$(getfattr -d -m- tree/ls | sed s/tree/out-bare/)"
	same "$(getfattr -d -m- out-bare/d)" "$(getfattr -d -m- tree/d | sed s/tree/out-bare/)"
	# The repository's own file, not a copy.
	between 2 "$(stat -c %h out-bare/ls)" 2
	ostree --repo=repo-bare refs --delete x
	ostree --repo=repo-bare prune --refs-only >"$T/out"
	ostree --repo=repo-bare fsck >"$T/out"
}

# In a network of its own, where smbd has its usual port.
smb() {
	nsenter --net="$T/net" "$@"
}

start_smbd() {
	need smbd smbclient smbcacls smbpasswd ip nsenter
	mkdir "$T/samba"
	cat >"$T/samba/conf" <<-END
		[global]
			server role = standalone server
			interfaces = lo
			bind interfaces only = yes
			disable netbios = yes
			smb ports = 445
			private dir = $T/samba
			lock directory = $T/samba
			state directory = $T/samba
			cache directory = $T/samba
			pid directory = $T/samba
			ncalrpc dir = $T/samba/rpc
			log file = $T/samba/log
			passdb backend = tdbsam:$T/samba/passdb.tdb
			load printers = no
			disable spoolss = yes
		[x]
			path = $M
			read only = no
			vfs objects = acl_xattr streams_xattr
			store dos attributes = yes
	END
	touch "$T/net"
	unshare --net="$T/net" ip link set lo up || skip "no network of its own"
	on_teardown "umount '$T/net'"
	printf 'secret\nsecret\n' | smbpasswd -c "$T/samba/conf" -a -s root
	setsid nsenter --net="$T/net" smbd -F --no-process-group -s "$T/samba/conf" >"$T/samba/out" 2>&1 3>&- 4>&- &
	# It has children, which stand in the mount, and such as left its session.
	on_teardown "while p=\$(pgrep -f '$T/samba/conf'); do kill \$p; sleep 0.1; done"
	poll 60 quiet client ls
}

client() {
	smb smbclient -s "$T/samba/conf" -U root%secret //127.0.0.1/x -c "$*"
}

acls() {
	smb smbcacls -s "$T/samba/conf" -U root%secret //127.0.0.1/x "$@"
}

@test "hosts: samba keeps attributes, lists and streams, and workers may die" {
	zsfs_only
	start_smbd
	head -c 3000000 /dev/urandom >"$T/data"
	head -c 50000 /dev/urandom >"$T/small"
	somebody
	client "put $T/data f; setmode f +hs; mkdir d; put $T/small d/g; put $T/small d/g:part" \
		>"$T/out"
	acls d/g -a 'ACL:Everyone:ALLOWED/0x0/READ' >"$T/out"
	client "rename f d/h; get d/h $T/back; get d/g:part $T/part" >"$T/out"
	nobody
	cmp "$T/data" "$T/back"
	cmp "$T/small" "$T/part"
	cmp "$T/data" d/h
	echo 2 >/proc/sys/vm/drop_caches
	client 'allinfo d/h' | grep -q 'attributes: HSA'
	client 'allinfo d/g' | grep -q 'stream: \[:part:$DATA\], 50000 bytes'
	acls d/g | grep -q 'ACL:Everyone:ALLOWED/0x0/READ'
	for name in user.DOSATTRIB security.NTACL; do
		getfattr -n $name d/h >"$T/out"
	done
	client 'deltree d' >"$T/out"
	same "$(ls -A)" ""
}
