#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pictures.sh: SVG pictures of what zsfs takes and does, for README and manual.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$TOP/scripts/soak-lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/pictures.sh [-o FOLDER] [BENCH_JSON]

	Draws into FOLDER (man/pictures):

	  ram-per-byte.svg  from BENCH_JSON, which "scripts/bench.sh --what settled"
	                    has written; not drawn without it
	  takeover.svg      what a client of a fresh mount notices when its worker is
	                    killed: measured now

	ZSFS names the program to measure, which is built unless it is given.
	EOF
}

folder=$TOP/man/pictures
bench=
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	-o)
		[ $# -gt 1 ] || die "-o needs a folder"
		folder=$2
		shift
		;;
	-*)
		usage >&2
		exit 1
		;;
	*) bench=$1 ;;
	esac
	shift
done
[ -z "$bench" ] || [ -r "$bench" ] || die "$bench cannot be read"

# draw KIND JSON FILE: what was there stays unless the new one is complete.
draw() {
	python3 "$TOP/tests/bench/pictures.py" "$1" "$2" >"$folder/.$3.new" &&
		mv "$folder/.$3.new" "$folder/$3" ||
		{ rm -f "$folder/.$3.new"; die "$3 could not be drawn"; }
	echo "$folder/$3"
}

takeover() {
	local json=$folder/.takeover.json

	run python3 "$TOP/tests/bench/takeover.py" "$M" >"$json"
	verify_mount
	draw takeover "$json" takeover.svg
	rm -f "$json"
}

mkdir -p "$folder"
[ -z "$bench" ] || draw ram "$bench" ram-per-byte.svg
if [ -z "${ZSFS:-}" ]; then
	install_packages "${BUILD_PACKAGES[@]}" python3 jq
	choose_build
	build_release
	ZSFS=$BUILD/fs/zsfs
fi
make_mount "$(dirname "$(dirname "$(realpath "$ZSFS")")")"
takeover
end_mount
