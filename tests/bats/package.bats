#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# scripts/package.sh, and its packages in a fresh system: installed, upgraded
# under live mounts, removed. ZSFS_PACKAGES=FOLDER has packages that were built.
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-600}
load helpers

setup() { zsfs_setup; zsfs_only; root_only; }
teardown() { zsfs_teardown; }

# The packages, in $DEBS; built once.
build_packages() {
	need dpkg-buildpackage dh lintian
	DEBS=${ZSFS_PACKAGES:-$BATS_FILE_TMPDIR/debs}
	compgen -G "$DEBS/zsfs_*.deb" >/dev/null ||
		DEB_BUILD_OPTIONS=noautodbgsym timeout 400 \
			"$TOP/scripts/package.sh" "$DEBS" 3>&- 4>&-
}

# A system without zsfs, in $T/root.
make_root() {
	need debootstrap unshare
	timeout 200 debootstrap --variant=minbase \
		"$(. /etc/os-release && echo "$VERSION_CODENAME")" "$T/root" \
		>"$T/debootstrap" 2>&1 3>&- 4>&- || skip "debootstrap fails"
	mkdir "$T/root/debs"
	cp "$DEBS"/*.deb "$T/root/debs"
	rm -f "$T/root"/debs/*dbgsym*
}

# The same with a later version, as new.deb.
make_upgrade() {
	dpkg-deb -R "$T/root"/debs/zsfs_*.deb "$T/new"
	sed -i '/^Version:/s/$/+1/' "$T/new/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$T/new" "$T/root/debs/new.deb" >/dev/null
}

@test "package: installs, mounts, is upgraded under live mounts and removed" {
	build_packages
	make_root
	make_upgrade
	cat >"$T/root/steps" <<-'END'
		set -eux
		export DEBIAN_FRONTEND=noninteractive LC_ALL=C
		mount -t proc proc /proc
		apt-get update -q
		apt-get install -qy --no-install-recommends /debs/zsfs_*.deb
		getent passwd zsfs | grep :/nonexistent:
		mkdir -p "/m 1/z" /m2
		mount -t zsfs -o size=1G none "/m 1/z"
		zsfs -o nosurvive /m2
		grep "\"uid\":$(id -u zsfs)," "/m 1/z/.zsstats/stats.json"
		exec 5>"/m 1/z/open"
		echo before >&5
		keeper() { sed -n 's/.*"keeper": *\([0-9]*\).*/\1/p' "/m 1/z/.zsstats/stats.json"; }
		inode=$(stat -Lc %i /proc/self/fd/5)
		apt-get install -qy /debs/new.deb >/upgrade 2>&1
		cat /upgrade
		grep "/m 1/z: the new version takes over" /upgrade
		grep "/m 1/z is now served by zsfs" /upgrade
		grep "/m2: goes on with the old version" /upgrade
		echo after >&5
		exec 5>&-
		[ "$(cat "/m 1/z/open")" = "$(printf 'before\nafter')" ]
		[ "$(stat -c %i "/m 1/z/open")" = "$inode" ]
		dpkg-query -W zsfs | grep '+1$'
		ls -l "/proc/$(keeper)/exe" | grep -v deleted
		apt-get remove -qy zsfs >/removal 2>&1
		cat /removal
		grep "/m 1/z stays mounted" /removal
		grep "/m2 stays mounted" /removal
		[ "$(head -n 1 "/m 1/z/open")" = before ]
		[ ! -e /usr/bin/zsfs ]
		umount "/m 1/z" /m2
	END
	timeout 200 unshare -m bash -c '
		mount --make-rprivate /
		mount -t tmpfs dev "$T/root/dev" && cp -a /dev/null /dev/zero \
			/dev/urandom /dev/fuse "$T/root/dev" &&
		chown root:root "$T/root/dev"/* &&
		exec chroot "$T/root" bash /steps' 3>&- 4>&-
}

@test "package: its scripts say names without commands for the terminal" {
	mkdir -p "$T/stubs" "$T/b 1"$'\033[31m\302\233\nx'
	printf '#!/bin/sh\nprintf "%%s\\n" "$2" >>"%s/asked"\nexit 1\n' "$T" >"$T/stubs/zsfs"
	printf '#!/bin/sh\n' >"$T/stubs/getent"
	chmod +x "$T/stubs"/*
	"$ZSFS" "$T"/b* 3>&- 4>&-
	for script in "postinst configure 0.0" "prerm remove"; do
		# shellcheck disable=SC2086 # its arguments
		PATH=$T/stubs:$PATH sh "$TOP/scripts/debian/zsfs."$script >"$T/said"
		grep -qF "zsfs: $T/b 1?[31m??x" "$T/said"
		fails grep -q $'\033' "$T/said"
	done
	# The mount is asked by its own name.
	grep -qxF "$T/b 1"$'\033[31m\302\233' "$T/asked"
}

@test "package: the pool by itself builds its example" {
	build_packages
	need pkg-config gcc
	dpkg-deb -x "$DEBS"/libzsmalloc-dev_*.deb "$T/dev"
	example=$T/dev/usr/share/doc/libzsmalloc-dev/examples/pool_example.c
	export PKG_CONFIG_SYSROOT_DIR=$T/dev
	PKG_CONFIG_PATH=$(dirname "$(find "$T/dev" -name zsmalloc.pc)")
	export PKG_CONFIG_PATH
	gcc -D_GNU_SOURCE -o "$T/example" "$example" \
		$(pkg-config --static --cflags --libs zsmalloc)
	timeout 60 "$T/example" "$example" >"$T/out"
	[ -s "$T/out" ]
}

@test "package: systemd finds nothing wrong with the units" {
	need systemd-analyze
	mkdir -p "$T/units/tmp.mount.d"
	sed "s,@bindir@/zsfs,$ZSFS," "$TOP/scripts/systemd/zsfs@.service.in" \
		>"$T/units/zsfs@.service"
	cp "$TOP/scripts/systemd/tmp.mount.conf" "$T/units/tmp.mount.d/zsfs.conf"
	printf '%s\n' '[Mount]' What=tmpfs Where=/tmp Type=tmpfs >"$T/units/tmp.mount"
	cd "$T/units"
	run timeout 60 systemd-analyze verify --man=no ./zsfs@mnt-z.service ./tmp.mount
	same "$status" 0
	same "$output" ""
}
