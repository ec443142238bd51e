#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# run.sh MOUNTPOINT [zsfs options]: install what is missing, build, and mount a
# compressed RAM disk. For example
#
#	scripts/run.sh /mnt/z -o size=8G,comp=zstd
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/run.sh MOUNTPOINT [zsfs options]

	Installs what is missing, builds zsfs in build/ and mounts an empty
	compressed RAM disk on MOUNTPOINT, which is made if it does not exist.
	The options are those of zsfs ("build/fs/zsfs --help", man/zsfs.1).
	EOF
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

install_packages "${BUILD_PACKAGES[@]}"
build_release fs/zsfs
[ -e "$mountpoint" ] || mkdir -p "$mountpoint" 2>/dev/null ||
	die "cannot make $mountpoint: make it yourself, or choose one you may write to"

for option; do
	case $option in
	-f | -d | -h | --help | -V | --version)
		exec "$TOP/build/fs/zsfs" "$@" "$mountpoint"
		;;
	esac
done
"$TOP/build/fs/zsfs" "$@" "$mountpoint"
umount=umount
[ "$(id -u)" = 0 ] || umount='fusermount3 -u'
echo "zsfs is mounted on $mountpoint; unmount with: $umount $mountpoint"
