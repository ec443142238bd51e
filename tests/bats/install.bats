#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What "meson install" makes, and what mount(8) and fstab(5) make of that.
load helpers

setup() { zsfs_setup; zsfs_only; root_only; }
teardown() { zsfs_teardown; }

# Install into $T/root; what the build folder knows of other installs stays.
install_all() {
	need meson
	BUILD=$(dirname "$(dirname "$(realpath "$ZSFS")")")
	log=$BUILD/meson-logs/install-log.txt
	if [ ! -d "$T/root" ]; then
		mkdir "$T/root"
		on_teardown "rm -f '$log'"
		[ ! -e "$log" ] || {
			cp -p "$log" "$T/install-log"
			on_teardown "cp -p '$T/install-log' '$log'"
		}
	fi
	DESTDIR=$T/root meson install --no-rebuild --quiet -C "$BUILD" >/dev/null
}

# installed SCRIPT: in a mount namespace where what was installed is in its place
# and /etc/fstab is $T/etc/fstab.
installed() {
	need unshare jq
	install_all
	mkdir -p "$T/root/etc"
	touch "$T/fstab"
	cp "$T/fstab" "$T/root/etc"
	timeout 100 unshare -m bash -c '
		set -eu
		for dir in etc $(cd "$T/root" && find . ! -type d -name "*zsfs" -printf "%h\n" | sort -u); do
			mount -t overlay overlay -o "lowerdir=$T/root/$dir:/$dir" "/$dir" ||
				exit 77
		done
		keeper() { jq .survival.keeper "$M/.zsstats/stats.json"; }
		gone() {
			for i in $(seq 300); do
				kill -0 $1 2>/dev/null || return 0
				sleep 0.03
			done
			echo "the daemon stays"
			return 1
		}
		'"$1" 3>&- 4>&- || {
		[ $? != 77 ] || skip "no overlay file system can be mounted"
		return 1
	}
}

@test "install: the helper is where mount(8) looks, and can be uninstalled" {
	install_all
	helper=$T/root/sbin/mount.zsfs
	[ ! -L /sbin ] || helper=$T/root/usr/sbin/mount.zsfs
	[ -x "$T/root/$(readlink "$helper")" ]
	find "$T/root" -name zsfs.1 | grep -q .
	# With the manual, and completions for three shells.
	[ ! -x "$BUILD/fs/zsctl" ] ||
		same "$(find "$T/root" -name '*zsctl*' | wc -l)" 5
	DESTDIR=$T/root ninja -C "$BUILD" uninstall
	[ -z "$(find "$T/root" -name '*zsfs*' -o -name '*zsctl*')" ]
}

@test "install: a prefix of one's own stays by itself, and a packager's wish counts" {
	need meson jq
	paths() {
		meson introspect --installed "$T/b" | jq -r '.[]'
	}
	meson setup "$T/b" "$TOP" --prefix="$T/own" -Dtests=false >/dev/null
	paths >"$T/paths"
	[ -s "$T/paths" ]
	fails grep -v "^$T/own/" "$T/paths"
	meson setup --reconfigure "$T/b" "$TOP" -Dmount_helper_dir=/somewhere >/dev/null
	paths | grep -qx /somewhere/mount.zsfs
}

@test "install: mount -t zsfs, options and all" {
	installed '
		mount -t zsfs none "$M" -o size=1G,mode=0700,noatime,nosuid,comp=zstd:3
		daemon=$(keeper)
		[ "$(cat "$M/.zsctl/size")" = 1073741824 ]
		[ "$(stat -c %a "$M")" = 700 ]
		grep -q "zstd:3" "$M/.zsctl/comp_algorithm"
		findmnt -no OPTIONS,FSTYPE,SOURCE "$M" | grep "nosuid.*noatime.* fuse.zsfs *none$"
		echo text >"$M/f"
		umount "$M"
		gone $daemon
		fails mount -t zsfs none "$M" -o size=wrong
		grep size "$T/fails.out"'
}

@test "install: lines of fstab" {
	for type in zsfs fuse.zsfs; do
		echo "zsfs $M $type size=8G,mode=1777 0 0" >"$T/fstab"
		installed '
			mount "$M"
			daemon=$(keeper)
			[ "$(cat "$M/.zsctl/size")" = 8589934592 ]
			[ "$(stat -c %a "$M")" = 1777 ]
			mount -a # is mounted already
			[ "$(grep -c " $M " /proc/self/mountinfo)" = 1 ]
			umount "$M"
			gone $daemon
			mount -a
			daemon=$(keeper)
			umount "$M"
			gone $daemon'
	done
}

@test "install: mistakes in lines of fstab are named, and nothing is mounted" {
	mkdir "$T/f"
	touch "$T/file"
	# What the message has, and the line.
	while IFS='|' read -r word line; do
		printf '%s|%s\n' "$word" "${line//DIR/$M}"
	done >"$T/wrong" <<-'END'
		sized=8G|zsfs DIR zsfs sized=8G 0 0
		nosiud|zsfs DIR zsfs size=8G,nosiud,nodev 0 0
		Size=1G|zsfs DIR zsfs defaults,x-systemd.automount,Size=1G 0 0
		bad value "8Q"|zsfs DIR zsfs size=8Q 0 0
		bad value "-1"|zsfs DIR zsfs size=-1 0 0
		bad value ""|zsfs DIR zsfs size=,nosuid 0 0
		size needs a value|zsfs DIR zsfs size,nosuid 0 0
		"8G;nosuid"|zsfs DIR zsfs size=8G;nosuid 0 0
		"8G.nosuid"|zsfs DIR zsfs size=8G.nosuid 0 0
		" nosuid"|zsfs DIR zsfs size=8G,\040nosuid 0 0
		bad value "250%"|zsfs DIR zsfs mem_limit=250% 0 0
		1048576 bytes are too little|zsfs DIR zsfs mem_limit=1M 0 0
		bad value "888"|zsfs DIR zsfs mode=888 0 0
		"nosuchuser"|zsfs DIR zsfs uid=nosuchuser 0 0
		bad value "zstd:99"|zsfs DIR zsfs size=8G,comp=zstd:99 0 0
		DIR-typo|zsfs DIR-typo zsfs size=8G 0 0
		file is not a directory|zsfs DIR/../file zsfs size=8G 0 0
		zsf|zsfs DIR zsf size=8G 0 0
	END
	installed '
		mount --bind "$T/fstab" /etc/fstab
		n=0
		while IFS="|" read -r word line; do
			n=$((n + 1))
			word=${word//DIR/$M}
			echo "$line" >"$T/fstab"
			for command in "mount $(echo "$line" | cut -d " " -f 2)" "mount -a"; do
				rc=0
				said=$(LC_ALL=C timeout 10 $command 2>&1) || rc=$?
				[ $rc != 0 ] && [ $rc -lt 124 ] && [[ $said == *"$word"* ]] || {
					echo "$command, $line: status $rc, said: $said"
					exit 1
				}
				! grep " $T/.* - fuse" /proc/self/mountinfo || exit 1
			done
		done <"$T/wrong"
		[ $n = 18 ]
		# One wrong line does not keep others from being mounted.
		printf "%s\n" "zsfs $M zsfs sized=1G 0 0" "zsfs $T/f zsfs size=1G 0 0" >"$T/fstab"
		fails mount -a
		grep sized=1G "$T/fails.out"
		fails mountpoint -q "$M"
		[ "$(cat "$T/f/.zsctl/size")" = 1073741824 ]
		daemon=$(jq .survival.keeper "$T/f/.zsstats/stats.json")
		umount "$T/f"
		gone $daemon'
}

@test "install: mount -t fuse.zsfs" {
	installed '
		mount -t fuse.zsfs none "$M" -o size=1G,mode=0700,noatime
		daemon=$(keeper)
		[ "$(cat "$M/.zsctl/size")" = 1073741824 ]
		[ "$(stat -c %a "$M")" = 700 ]
		findmnt -no OPTIONS,FSTYPE "$M" | grep "noatime.* fuse.zsfs$"
		umount "$M"
		gone $daemon'
}

@test "install: a line of fstab for users" {
	need setpriv fusermount3
	echo "zsfs $M zsfs size=1G,noauto,user 0 0" >"$T/fstab"
	chown $NOBODY "$M"
	installed '
		cp -a /dev/fuse "$T/fuse"
		chmod 666 "$T/fuse"
		mount --bind "$T/fuse" /dev/fuse
		as_user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
		as_user mount "$M"
		[ "$(as_user cat "$M/.zsctl/size")" = 1073741824 ]
		as_user touch "$M/f"
		as_user umount "$M"
		fails grep " $M " /proc/self/mountinfo'
}
