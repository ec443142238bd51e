# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Shared by the scripts: installing what is missing, and building.

TOP=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "$(basename "$0"): $*"
	exit 1
}

# quietly COMMAND...: what it says is shown when it fails, and only then.
quietly() {
	local log

	log=$("$@" 2>&1) && return
	say "$log"
	return 1
}

# ---- packages -------------------------------------------------------------

# shellcheck disable=SC2034 # for those who include this file
BUILD_PACKAGES=(gcc libc6-dev linux-libc-dev meson ninja-build pkg-config
	libfuse3-dev fuse3 liblz4-dev libzstd-dev libxxhash-dev
	libseccomp-dev libsmartcols-dev libncurses-dev libjson-c-dev)

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
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "not installed: ${missing[*]}. Have root do it:" \
			"apt-get install ${missing[*]}"
	say "installing: ${missing[*]}"
	quietly apt_install "${missing[@]}" || die "these could not be installed"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# The package lists may be missing or old: then once more with new ones.
apt_install() {
	apt_get install -y --no-install-recommends "$@" && return
	apt_get update && apt_get install -y --no-install-recommends "$@"
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# ---- building -------------------------------------------------------------

# Sets BUILD, the folder of the release build; others have its name and more.
# That is build/ in the checkout, for who may write there.
choose_build() {
	local home=~

	# Without a folder for its cache, ccache compiles nothing.
	[ -w "$home" ] || export CCACHE_DISABLE=1
	BUILD=$(realpath -m -- "${ZSFS_BUILD:-$TOP/build}")
	! is_writable "$BUILD" || return 0
	[ -z "${ZSFS_BUILD:-}" ] || die "you may not write to $BUILD (ZSFS_BUILD)"
	BUILD=${XDG_CACHE_HOME:-$home/.cache}/zsfs$TOP/build
	mkdir -p "$BUILD" 2>/dev/null ||
		die "you may write neither to $TOP/build nor to $BUILD:" \
			"set ZSFS_BUILD to a folder to build in"
}

is_writable() {
	if [ -e "$1" ]; then
		[ -w "$1" ]
	else
		mkdir -p "$1" 2>/dev/null
	fi
}

# build_in DIR OPTION...: everything, configured with these options of meson.
build_in() {
	local dir=$1

	shift
	if [ -e "$dir/build.ninja" ]; then
		meson configure "$dir" "$@"
	else
		meson setup "$dir" "$TOP" "$@"
	fi && ninja -C "$dir"
}

# The release build, tests and all.
build_release() {
	quietly build_in "$BUILD" --buildtype=release -Dtests=true ||
		die "the build in $BUILD failed (without that folder it starts anew)"
}
