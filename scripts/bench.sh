#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench.sh: zsfs beside tmpfs and zram + ext4, in one interleaved run.
#
# The parts are in tests/bench/*.sh, which use the variables set here.
# shellcheck disable=SC2034 source-path=SCRIPTDIR/..
set -euo pipefail

TOP=$(cd "$(dirname "$0")/.." && pwd)
BENCH=$TOP/tests/bench

usage()
{
	cat <<'END'
usage: scripts/bench.sh [options]

Runs the same work on zsfs, tmpfs, zram (lz4) + ext4 and btrfs, in turns, and prints
a table of medians with their range, the ratios, and how the figures stand to
the targets. Everything also goes into a JSON file.

  --quick        little data, one round: does everything work? (the figures
                 mean nothing)
  --rounds N     rounds (5)
  --data SIZE    size of the data file, K/M/G (512M)
  --only LIST    systems: tmpfs,zram,btrfs,zsfs (all); btrfs with
                 compress-force=zstd:1 on a loop device in RAM
  --today BUILD  another build of zsfs, as one more system: its program, or
                 its build directory
  --today-opts LIST  mount options of that one (comp=lz4)
  --what LIST    parts: stream,random,append,meta,sqlite,tree,git,make,settled,
                 ram,slope,compact,requests,micro (all)
  --profile      also profile the daemon with perf while it streams
  --opts LIST    mount options of zsfs (comp=lz4)
  --build DIR    build directory (build-bench, made as a release build)
  --no-build     measure what is in the build directory as it is
  --json FILE    where the JSON goes (bench.json in the build directory)
  --help

The work
  stream    one thread writes the data file in 1 MiB writes and calls fsync;
            reads it after the caches were dropped (cold; tmpfs has nothing to
            drop and is left out); reads it again (warm)
  random    4 KiB O_DIRECT reads by 1 and 4 threads, writes by 1 thread, for a
            fixed time, anywhere in the data file; the same writes through
            the page cache
  append    a log that grows by 100 bytes at a time; cp of the data file
  meta      in a directory of files of 4 KiB: create + write + close, stat of
            what was written last, stat of what was looked up before, statx
            that may not be answered from the cache, open + read + close of
            what was read before, rename, unlink; operations per second
  sqlite    inserts per second, 1000 rows per transaction and 1 (autocommit),
            with journal and synchronous left at sqlite's defaults; and 1 per
            transaction with journal_mode=WAL and synchronous=FULL
  tree      tar -x of a source tree, alone and with the sync after it; after
            all caches were dropped find with -size, and tar -c to a pipe;
            rm -rf; two tar -x side by side; tar -x beside a CPU hog on every
            CPU; files per second
  git       git add, commit and fsck of that tree's small files; files per
            second
  make      make -j2 of zsfs's own sources, unoptimised; files per second
  settled   text (the kernel's sources, where Debian's linux-source is installed)
            and programs, each as one file, the source tree and libraries:
            RAM for the stored bytes, zsfs also settled (of btrfs what its
            df says is in use); .zsctl/settle of the text, and how long a statx takes
            meanwhile; cold streaming read and random direct reads of the
            settled text
  ram       the data file, and the source tree, on a fresh mount: RAM used for
            the compressed bytes and for the stored bytes, from mm_stat
  slope     RAM per block between 1 and 3 GiB stored in one file, without the
            bytes of the size classes: what zsfs needs to keep its books
  compact   half of the blocks of the data file freed at random (by zeros
            written over them), then compaction: pages beyond the least
            possible, and what the arena keeps beyond pages and metadata
  requests  FUSE requests per operation, counted by the daemon, and those of
            programs per file: tar -x of the tree; os.walk, find, ls -lR,
            tar -c, cp -a and rsync of it with nothing cached; rm -rf; git and
            make as above; ls -f, ls -l and find of a directory of 20000
  micro     bench_pool and bench_codec, without any mount
  --profile CPU time of zsfs's own functions per 4 KiB block, without the
            compression libraries, libc and the kernel

The data are this machine's own files (libraries, programs, text of
/usr/include and /usr/share), put together once in RAM before the clock
starts, so that no writer waits for a disk.

Before each turn as much RAM as the data file has is used and given back: a
virtual machine's free memory may have gone to the host, and to get it back
can take longer than to compress what is put there.

How to read it
  Each system gets its turn in each round, and the order of the turns rotates,
  so that a slow minute of the machine hits all of them. Single numbers can
  still be far off on a virtual or busy machine: read the medians and ratios,
  and look at the range before believing a difference. A ratio is always one
  of speed: above 1, zsfs is the faster one.

Dropping caches, zram and own tmpfs mounts need root. Without it, cold reads
drop only the pages of the file itself, zram is left out, and tmpfs is a
directory in /dev/shm.

The exit code is 1 if anything failed to run; missed targets do not count.
END
}

die()
{
	echo "bench.sh: $*" >&2
	exit 1
}

note()
{
	echo "bench.sh: $*" >&2
}

# 512M -> 536870912
to_bytes()
{
	numfmt --from=iec "${1%[bB]}" 2>/dev/null ||
		die "bad size '$1': a number with K, M or G is wanted"
}

QUICK=false
ROUNDS=5
DATA=512M
ONLY=tmpfs,zram,btrfs,zsfs
ALL_PARTS=stream,random,append,meta,sqlite,tree,git,make
ALL_PARTS+=,settled,ram,slope,compact,requests,micro
WHAT=$ALL_PARTS
ZSFS_OPTS=comp=lz4
TODAY=
TODAY_OPTS=comp=lz4
BUILD=$TOP/build-bench
MAKE=true
JSON=
# Sizes of the workloads; parse_options makes them small for --quick.
RANDOM_MSECS=2000
APPENDS=100000
FILES=10000
PASSES=10
ROWS=100000
AUTO_ROWS=1000
DURABLE_ROWS=5000
TREE_FILES=12000
SMALL_FILES=3000
LARGE_DIR=20000
SOURCES="pool codec fs"
SLOPE_UNIT=1073741824
POOL_ARGS=

check_list()
{
	local name=$1 list=$2 allowed=$3 item

	for item in ${list//,/ }; do
		[[ ,$allowed, == *,$item,* ]] ||
			die "--$name: '$item' is none of $allowed"
	done
}

make_small()
{
	ROUNDS=1
	DATA=64M
	RANDOM_MSECS=200
	APPENDS=1000
	FILES=1000
	PASSES=2
	ROWS=5000
	AUTO_ROWS=50
	DURABLE_ROWS=200
	TREE_FILES=1000
	SMALL_FILES=300
	LARGE_DIR=10000
	SOURCES=pool
	SLOPE_UNIT=67108864
	POOL_ARGS="-g 0.05 -n 100000 -r 1"
}

parse_options()
{
	local opts

	opts=$(getopt -n bench.sh -o h -l help,quick,rounds:,data:,only:,what: \
		-l profile,opts:,today:,today-opts:,build:,no-build,json: \
		-- "$@") ||
		die "see --help"
	eval set -- "$opts"
	# --quick first: whatever else is given goes before it.
	[[ " $* " == *" --quick "* ]] && QUICK=true && make_small
	while [[ $1 != -- ]]; do
		case $1 in
		-h | --help) usage && exit 0 ;;
		--quick) ;;
		--rounds) ROUNDS=$2 && shift ;;
		--data) DATA=$2 && shift ;;
		--only) ONLY=$2 && shift ;;
		--what) WHAT=$2 && shift ;;
		--profile) WHAT+=,profile ;;
		--opts) ZSFS_OPTS=$2 && shift ;;
		--today) TODAY=$(realpath -m "$2") && shift ;;
		--today-opts) TODAY_OPTS=$2 && shift ;;
		--build) BUILD=$(realpath -m "$2") && shift ;;
		--no-build) MAKE=false ;;
		--json) JSON=$(realpath -m "$2") && shift ;;
		esac
		shift
	done
	[[ $# == 1 ]] || die "'$2' is no option; see --help"
	[[ $ROUNDS =~ ^[1-9][0-9]{0,2}$ ]] ||
		die "--rounds: '$ROUNDS' is no number from 1 to 999"
	check_list only "$ONLY" tmpfs,zram,btrfs,zsfs
	add_today
	check_list what "$WHAT" $ALL_PARTS,profile
	DATA=$(to_bytes "$DATA")
	JSON=${JSON:-$BUILD/bench.json}
}

# --today names a program or a build directory.
add_today()
{
	[[ $TODAY ]] || return 0
	[[ ! -d $TODAY ]] || TODAY+=/fs/zsfs
	[[ -x $TODAY ]] || die "--today: $TODAY is no program"
	ONLY+=,today
}

wants()
{
	[[ ,$WHAT, == *,$1,* ]]
}

is_root()
{
	[[ $EUID == 0 ]]
}

# Not the build directory of run.sh: that one need not have the tests, nor be a
# release build.
build_all()
{
	$MAKE || return 0
	if [[ -r $TOP/scripts/lib.sh ]]; then
		# shellcheck source=/dev/null
		. "$TOP/scripts/lib.sh"
	fi
	if [[ ! -e $BUILD/build.ninja ]]; then
		meson setup --buildtype=release "$BUILD" "$TOP" >&2
	fi
	bench_targets | xargs ninja -C "$BUILD" fs/zsfs >&2
}

bench_targets()
{
	ninja -C "$BUILD" -t targets all 2>/dev/null |
		sed -n 's|^\(tests/bench/[a-z_]*\): .*|\1|p'
}

# Figures of a build with checks or sanitizers would be misleading.
check_build()
{
	local opts

	[[ -e $BUILD/build.ninja ]] || return 0
	opts=$(meson introspect --buildoptions "$BUILD" 2>/dev/null |
		python3 -c 'import json, sys
o = {x["name"]: x["value"] for x in json.load(sys.stdin)}
print(o["buildtype"], o["debug_level"], o["b_sanitize"])') || return 0
	[[ $opts == "release 0 none" ]] ||
		note "warning: $BUILD is no plain release build ($opts)"
}

check_tools()
{
	local tool

	for tool in python3 tar find numfmt getopt mountpoint; do
		command -v $tool >/dev/null || die "$tool is missing"
	done
	drop_part git git
	drop_part make make cc ar pkg-config
	FSBENCH=$BUILD/tests/bench/fsbench
	ZSFS=$BUILD/fs/zsfs
	[[ -x $FSBENCH ]] || die "$FSBENCH is missing; build with -Dtests=true"
}

# drop_part PART TOOLS...: leave it out where one of the tools is missing.
drop_part()
{
	local part=$1 tool

	wants "$part" || return 0
	shift
	for tool; do
		command -v "$tool" >/dev/null && continue
		note "$part is left out: $tool is missing"
		WHAT=,$WHAT,
		WHAT=${WHAT//,$part,/,}
		return 0
	done
}

# --data on a small machine: the file is kept plain twice (the source, tmpfs)
# and compressed two or three times, beside the page cache of ext4 and zsfs.
check_memory()
{
	local avail

	avail=$(awk '/^MemAvailable/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
	if ((DATA * 6 > avail)); then
		DATA=$((avail / 6 / 1048576 * 1048576))
		note "little memory: --data is $((DATA >> 20))M instead"
	fi
	if wants slope && ((SLOPE_UNIT * 4 > avail)); then
		SLOPE_UNIT=$((avail / 4 / 1048576 * 1048576))
		note "little memory: slope from $((SLOPE_UNIT >> 20)) MiB on"
	fi
}

parse_options "$@"
build_all
check_tools
check_build
check_memory

# shellcheck source=tests/bench/systems.sh
. "$BENCH/systems.sh"
# shellcheck source=tests/bench/data.sh
. "$BENCH/data.sh"
# shellcheck source=tests/bench/workloads.sh
. "$BENCH/workloads.sh"
# shellcheck source=tests/bench/programs.sh
. "$BENCH/programs.sh"
# shellcheck source=tests/bench/counts.sh
. "$BENCH/counts.sh"
# shellcheck source=tests/bench/settled.sh
. "$BENCH/settled.sh"

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

WORK=$(mktemp -d /tmp/zsfs-bench.XXXXXX)
OUT=$WORK/out
mkdir "$OUT"
FAILED=false
PART_PID=

LOAD_START=$(cut -d' ' -f1 /proc/loadavg)
find_systems
prepare_data
run_rounds
run_counts
write_settings
mkdir -p "$(dirname "$JSON")"
python3 "$BENCH/report.py" "$OUT" "$JSON"
! $FAILED || die "something failed, see above"
