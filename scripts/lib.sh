# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Shared by the scripts: installing what is missing, and the release build.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "$(basename "$0"): $*"
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root for: $*" \
			"(install sudo, or run this once as root)"
	fi
}

has_package() {
	dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null |
		grep -q '^install ok installed$'
}

# install_packages PACKAGE...: with apt, only those that are missing.
install_packages() {
	local missing=() p

	if ! command -v dpkg-query >/dev/null; then
		say "this is no Debian or Ubuntu: if something is missing," \
			"install the equivalents of: $*"
		return 0
	fi
	for p; do
		has_package "$p" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing: ${missing[*]}"
	apt_install "${missing[@]}" && return 0
	# The package lists may be missing or old.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 ||
		die "apt-get update failed"
	apt_install "${missing[@]}" || die "could not install: ${missing[*]}"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >&2
}

# shellcheck disable=SC2034 # for those who include this file
BUILD_PACKAGES=(gcc libc6-dev linux-libc-dev meson ninja-build pkg-config
	libfuse3-dev fuse3 liblz4-dev libzstd-dev libxxhash-dev)

# build_release [TARGET...]: into build/, quietly when nothing is wrong.
build_release() {
	local log

	# root's build serves ordinary users, too.
	if [ -e "$TOP/build" ] && [ ! -w "$TOP/build" ]; then
		[ -x "$TOP/build/fs/zsfs" ] ||
			die "you may not write to $TOP/build: remove it, or run this as its owner"
		say "$TOP/build is not yours: using what is built there"
		return 0
	fi
	if [ ! -e "$TOP/build/build.ninja" ]; then
		log=$(meson setup "$TOP/build" "$TOP" --buildtype=release 2>&1) ||
			{ say "$log"; die "configuring the build failed"; }
	fi
	log=$(ninja -C "$TOP/build" "$@" 2>&1) ||
		{ say "$log"; die "the build failed"; }
}
