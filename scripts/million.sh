#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# million.sh: a million small files come and go, and their memory is back.
# What is measured goes to the standard output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$TOP/scripts/soak-lib.sh"

options=(-o 'mem_limit=0,nr_inodes=0')

usage() {
	cat <<-EOF
	usage: scripts/million.sh [-n FILES] [SIZE...]

	Makes a million files (or FILES) of each SIZE in bytes, lists and removes
	them. Fails when a file takes more memory than it may, or when what is taken
	afterwards is more than 1 % above what was taken before. The sizes are 0, 10
	and 4096 unless some are named; a million of the last take 4.3 GB.
	EOF
}

files=1000000
sizes=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	-n)
		[ $# -gt 1 ] || die "-n needs a number"
		files=$2
		shift
		;;
	*[!0-9]*)
		usage >&2
		exit 1
		;;
	*) sizes+=("$1") ;;
	esac
	shift
done
[ ${#sizes[@]} -gt 0 ] || sizes=(0 10 4096)

install_packages "${BUILD_PACKAGES[@]}" python3 jq
choose_build
build_release
for size in "${sizes[@]}"; do
	make_mount "$BUILD"
	run python3 "$TOP/tests/bats/many.py" "$M" "$files" "$size"
	verify_mount
	end_mount
done
echo "all of it is back"
