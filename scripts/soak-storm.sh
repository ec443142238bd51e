#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# soak-storm.sh: ten million random operations through the kernel, each compared
# with a model. What is measured goes to the standard output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$TOP/scripts/soak-lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/soak-storm.sh [--short] [-n OPERATIONS] [-s SEED] [PART...]

	  tmpfs      on a tmpfs: the model itself, 1,000,000 operations
	  default    3,000,000
	  writeback  mounted with -o writeback, 2,000,000
	  options    with -o nofollow_cpu,comp=zstd,chain_size=16, 1,000,000
	  clients    four at once, each with a folder and a seed of its own, on a
	             mount that is compacted all the time, 2,000,000
	  full       on a mount of 2.4 MiB and 100 inodes, 500,000
	  readers    others list and stat everything meanwhile, 1,000,000
	  kills      workers are killed all the time, 1,000,000
	  debug      a build that checks all that each transaction touches (address
	             sanitizer, -Ddebug_level=3), 100,000

	All parts unless some are named; they take about 20 minutes. --short: a
	twentieth of each. -n: so many in each part. A seed is drawn and shown
	unless one is given; tests/storm/storm.c says how to repeat a run.
	After each part the file system is verified, and nothing may be left of
	what was made.
	EOF
}

share=1
seed=$(date +%s)
number=
parts=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--short) share=20 ;;
	-n | -s)
		[ $# -gt 1 ] || die "$1 needs a number"
		[ "$1" = -n ] && number=$2 || seed=$2
		shift
		;;
	tmpfs | default | writeback | options | clients | full | readers | kills | debug)
		parts+=("$1")
		;;
	*)
		usage >&2
		exit 1
		;;
	esac
	shift
done
[ ${#parts[@]} -gt 0 ] || parts=(tmpfs default writeback options clients full readers kills debug)
[ "$(id -u)" = 0 ] || die "only root can do all that is compared"

install_packages "${BUILD_PACKAGES[@]}" jq libasan8 libubsan1
choose_build
RELEASE=$BUILD CHECKING=$BUILD-asan

# How many operations of a part, whose usual number is $1.
share_of() {
	echo $((${number:-$1} / share))
}

start_storm() {
	mkdir "$M/storm"
	start "$1/tests/storm/storm" -s "$seed" "${@:2}" "$M/storm"
}

end_storm() {
	wait "$CLIENT" || { CLIENT= ; die "there was a difference"; }
	CLIENT=
	[ ! -e "$M/.zsctl" ] || verify_mount
	rm -rf "$M/storm"
}

# storm BUILD MOUNT_OPTIONS STORM_ARGUMENTS...
storm() {
	options=(${2:+-o "$2"})
	make_mount "$1"
	start_storm "$1" "${@:3}"
	end_storm
	check_end
}

on_tmpfs() {
	M=$(mktemp -d "${TMPDIR:-/tmp}/zsfs-soak.XXXXXX")
	mount -t tmpfs -o size=1g none "$M"
	start_storm "$RELEASE" -n "$1"
	end_storm
	end_mount
}

clients() {
	options=()
	make_mount "$RELEASE"
	start_storm "$RELEASE" -n $(($1 / 4)) -j 4
	while kill -0 "$CLIENT" 2>/dev/null; do
		echo 1 >"$M/.zsctl/compact" 2>/dev/null || true
		sleep 0.1
	done
	end_storm
	check_end
}

kills() {
	options=()
	make_mount "$RELEASE"
	start_storm "$RELEASE" -n "$1"
	while kill -0 "$CLIENT" 2>/dev/null; do
		sleep "0.0$((RANDOM % 7 + 1))$((RANDOM % 10))"
		kill_worker || true
	done
	end_storm
	check_end
}

debug() {
	build_in "$CHECKING" --buildtype=debugoptimized \
		-Db_sanitize=address,undefined -Ddebug_level=3
	storm "$CHECKING" "" -n "$1" -c 5000
}

build_release

for part in "${parts[@]}"; do
	echo "$part"
	case $part in
	tmpfs) on_tmpfs "$(share_of 1000000)" ;;
	default) storm "$RELEASE" "" -n "$(share_of 3000000)" ;;
	writeback) storm "$RELEASE" writeback -n "$(share_of 2000000)" -w ;;
	options) storm "$RELEASE" nofollow_cpu,comp=zstd,chain_size=16 -n "$(share_of 1000000)" ;;
	clients) clients "$(share_of 2000000)" ;;
	full) storm "$RELEASE" nr_blocks=600,nr_inodes=100 -n "$(share_of 500000)" -b 600 -i 100 ;;
	readers) storm "$RELEASE" "" -n "$(share_of 1000000)" -r 2 ;;
	kills) kills "$(share_of 1000000)" ;;
	debug) debug "$(share_of 100000)" ;;
	esac
done
echo "all of it passed"
