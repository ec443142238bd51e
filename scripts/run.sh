#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# run.sh MOUNTPOINT [zsfs options]: install what is missing, build, and mount a
# compressed RAM disk. For example
#
#	scripts/run.sh /mnt/z -o size=8G,nosuid,nodev
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/run.sh MOUNTPOINT [zsfs options]

	Installs what is missing, builds zsfs and mounts an empty compressed RAM
	disk on MOUNTPOINT, which is made if it does not exist. The options are
	those of zsfs ("man -l man/zsfs.1").

	It is built in build/, or where you may not write there in a folder below
	~/.cache. ZSFS_BUILD=FOLDER names another one.
	EOF
}

# What zsfs would say in the end, before anything is installed and built.
check_mountpoint() {
	local why

	# Only of the file system itself the kernel knows nothing when it has died.
	why=$(LC_ALL=C stat -L -f -- "$mountpoint" 2>&1 >/dev/null) || case $why in
	*'not connected'* | *'connection abort'*)
		die "mountpoint $mountpoint holds a FUSE mount whose daemon has died;" \
			"remove it with: umount -l $mountpoint" \
			"(or fusermount3 -uz $mountpoint)"
		;;
	*'No such file'*)
		mkdir -p -- "$mountpoint" 2>/dev/null ||
			die "cannot make $mountpoint: make it yourself," \
				"or choose one you may write to"
		;;
	*) die "mountpoint $mountpoint: ${why##*: }" ;;
	esac
	[ -d "$mountpoint" ] || die "mountpoint $mountpoint is not a directory"
	[ "$(id -u)" = 0 ] || user_may_mount ||
		die "mountpoint $mountpoint: you may only mount on a directory that" \
			"you may write to and, if it is sticky, own"
}

user_may_mount() {
	[ -w "$mountpoint" ] && { [ ! -k "$mountpoint" ] || [ -O "$mountpoint" ]; }
}

check_device() {
	[ -e /dev/fuse ] ||
		die "/dev/fuse is missing: load the kernel's FUSE module with" \
			"\"modprobe fuse\"; in a container, pass the device to it" \
			"with --device /dev/fuse --cap-add SYS_ADMIN"
}

# root's build serves ordinary users, too, unless the sources are newer.
built_by_another() {
	local theirs=$TOP/build/fs/zsfs

	[ -z "${ZSFS_BUILD:-}" ] && [ -x "$theirs" ] && [ ! -w "$TOP/build" ] &&
		[ -z "$(find "$TOP"/{fs,pool,codec,meson.build,meson_options.txt} \
			-newer "$theirs" -print -quit)" ]
}

build() {
	if built_by_another; then
		BUILD=$TOP/build
		say "using what is built in $BUILD"
		return
	fi
	install_packages "${BUILD_PACKAGES[@]}"
	choose_build
	say "building in $BUILD"
	quietly build_program ||
		die "the build failed (without that folder it starts anew)"
}

# zsctl, too, where its libraries are.
build_program() {
	local programs=(fs/zsfs)

	[ -e "$BUILD/build.ninja" ] ||
		meson setup "$BUILD" "$TOP" --buildtype=release -Dtests=false || return
	if grep -q '^build fs/zsctl:' "$BUILD/build.ninja"; then
		programs+=(fs/zsctl)
	fi
	ninja -C "$BUILD" "${programs[@]}"
}

case ${1:-} in
-h | --help)
	usage
	exit 0
	;;
'' | -*)
	usage >&2
	exit 1
	;;
esac
mountpoint=$1
shift

check_mountpoint
check_device
build

for option; do
	case $option in
	-f | -d | -h | --help | -V | --version)
		exec "$BUILD/fs/zsfs" "$@" "$mountpoint"
		;;
	esac
done
"$BUILD/fs/zsfs" "$@" "$mountpoint"
umount=umount
[ "$(id -u)" = 0 ] || umount='fusermount3 -u'
printf 'zsfs is mounted on %s; unmount with: %s %q\n' "$mountpoint" "$umount" "$mountpoint"
