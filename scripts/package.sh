#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# package.sh [OUTDIR]: build the Debian packages zsfs and libzsmalloc-dev.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/package.sh [OUTDIR]

	Installs what is missing, builds the packages zsfs and libzsmalloc-dev for
	this system from scripts/debian/, puts them into OUTDIR (build-packages/
	unless another one is named), and has lintian look at them. Then, as root:

	  apt install OUTDIR/zsfs_*.deb
	EOF
}

# What git knows or would add; without git, all but builds.
list_sources() {
	git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
		find . -type f -not -path './build*' -not -path './.git/*' -print0
}

copy_sources() {
	mkdir "$work/zsfs"
	(cd "$TOP" && list_sources | while IFS= read -rd '' file; do
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done | tar -c --null -T -) | tar -xC "$work/zsfs"
	cp -a "$work/zsfs/scripts/debian" "$work/zsfs/debian"
}

# The version is that of the sources.
check_version() {
	local source package

	source=$(sed -nE "s/^  version : '(.*)',/\1/p" "$TOP/meson.build")
	package=$(sed -nE '1s/.*\((.*)\).*/\1/p' "$TOP/scripts/debian/changelog")
	[ "$source" = "$package" ] ||
		die "meson.build has version $source, scripts/debian/changelog $package"
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2; exit 2; }

out=$(realpath -m -- "${1:-$TOP/build-packages}")
mkdir -p -- "$out"
check_version
install_packages "${BUILD_PACKAGES[@]}" dpkg-dev debhelper lintian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy_sources
(cd "$work/zsfs" && quietly dpkg-buildpackage -b -us -uc) ||
	die "the packages could not be built"
quietly lintian --allow-root --fail-on error,warning "$work"/*.changes ||
	die "lintian complains"
cp -- "$work"/*.deb "$out"
(cd "$out" && ls -- zsfs_*.deb libzsmalloc-dev_*.deb)
