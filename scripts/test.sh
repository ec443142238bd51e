#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test.sh: install what tests need, build, run all tests, count them.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/test.sh [--quick] [SUITE...]

	Runs all tests and ends with the line "N passed, N failed".
	Suites (all of them unless some are named):

	  check    layers, sizes of files and functions, option lists, format,
	           spelling, shell scripts
	  release  release build: unit, model, recovery, stress, fuzz regression
	  bats     release build: real mounts and real programs
	  cached   release build: some of these again, mounted with -o writeback
	  asan     AddressSanitizer and UBSan: the same as release, a short mount
	           test, and workers that crash by themselves
	  tsan     ThreadSanitizer: likewise
	  clang    builds with clang, warnings are errors, and the fuzzers of fuzz.sh

	--quick    check, release and bats only

	Two files of bats run at once, and beside them builds for the suites after
	them; files that measure the machine or change it run alone.

	ZSFS_TEST_OPTS=OPTIONS has all mounts of bats made with these options.
	bats/NAME stands for the one file tests/bats/NAME.bats. Builds go where those
	of run.sh go ("scripts/run.sh --help"). Everything runs by itself as well:
	"meson test -C build", "bats tests/bats/smoke.bats".
	EOF
}

TEST_PACKAGES=("${BUILD_PACKAGES[@]}" bats jq python3 fio stress-ng sqlite3 rsync
	git make tar attr acl xxd e2fsprogs xfsprogs procps util-linux libasan8
	libubsan1 libtsan2 clang libclang-rt-dev codespell shellcheck
	python3-prometheus-client podman uidmap busybox-static systemd-container)
# The version that all is formatted with; newer systems have others.
FORMATTER=clang-format-14
# Before commands that must not have their addresses at random.
NO_ASLR=(env)
# Seconds that one bats file may take before it is ended.
BATS_SECONDS=900
# How many bats files run at once.
LANES=2
# bats files that run alone: they measure time, processors' work and wake-ups, fill
# memory, or drop the caches of the whole machine, which others count on.
ALONE=" compact full handles hot limits overlay readers requests settle xattr "

passed=0 failed=0 skipped=0
# What failed, told again at the end: a long log is often kept in part only.
failures=()

add() {
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

result() {
	say "== $1: $2 passed, $3 failed, $4 skipped"
	[ "$3" = 0 ] || failures+=("$1: $3 failed")
	add "$2" "$3" "$4"
}

# one NAME COMMAND...: a step that is itself one test; 77 skips it, as in meson
one() {
	local name=$1 log rc

	shift
	log=$("$@" 2>&1)
	rc=$?
	[ "$rc" = 0 ] || say "$log"
	case $rc in
	0) result "$name" 1 0 0 ;;
	77) result "$name" 0 0 1 ;;
	*) result "$name" 0 1 0 ;;
	esac
	return "$rc"
}

# meson_suite NAME DIR SUITE_OPTION...
meson_suite() {
	local name=$1 dir=$2 log counts

	shift 2
	log=$dir/meson-logs/testlog.json
	rm -f "$log"
	say "== $name: running"
	"${NO_ASLR[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs "$@" >&2
	[ -s "$log" ] || { result "$name" 0 1 0; return; }
	read -ra counts < <("$TOP/scripts/count-tests.py" "$log") ||
		counts=(0 1 0)
	result "$name" "${counts[@]}"
}

# bats_suite NAME BUILD_DIR FILE...: side by side, and then those that run alone
bats_suite() {
	local name=$1 dir=$2 file alone=()

	shift 2
	for file; do
		case $ALONE in
		*" $(basename "$file" .bats) "*) alone+=("$file") ;;
		*) bats_file "$name" "$dir" "$file" "$LANES" ;;
		esac
	done
	drain_lanes "$name"
	finish_builds
	for file in ${alone[@]+"${alone[@]}"}; do
		bats_file "$name" "$dir" "$file" 1
	done
	drain_lanes "$name"
}

# Files that run in lanes by the process they run in, and when they were begun.
declare -A lanes=() begun=()

# bats_file NAME BUILD_DIR FILE LANES: begun when one of so many lanes is free
bats_file() {
	while [ ${#lanes[@]} -ge "$4" ]; do
		end_of_lane "$1"
	done
	ZSFS=$2/fs/zsfs ZSFS_TOOLS=$2/tests/bats/tools \
		"${NO_ASLR[@]}" timeout -k 10 "$BATS_SECONDS" bats --tap "$3" \
		</dev/null >"$LOGS/$(basename "$3")" 2>&1 &
	lanes[$!]=$(basename "$3")
	begun[$!]=$SECONDS
}

# end_of_lane NAME: waits for a file to end, and tells how it did.
end_of_lane() {
	local pid file

	wait -n -p pid "${!lanes[@]}"
	file=${lanes[$pid]}
	say "== $1: $file ended after $((SECONDS - begun[$pid])) s"
	count_tap "$1 $file" "$LOGS/$file"
	unset "lanes[$pid]" "begun[$pid]"
}

drain_lanes() {
	while [ ${#lanes[@]} -gt 0 ]; do
		end_of_lane "$1"
	done
}

# A file that ends before its last test has failed in what is missing.
count_tap() {
	local planned ok bad skips

	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$2" | head -n 1)
	bad=$(grep -c '^not ok ' "$2")
	skips=$(grep -cE '^ok .* # skip' "$2")
	ok=$(($(grep -c '^ok ' "$2") - skips))
	bad=$((bad + ${planned:-0} - ok - skips - bad))
	[ "${planned:-0}" -gt 0 ] || bad=1
	[ "$bad" = 0 ] || grep -vE '^ok ' "$2" >&2
	[ "$skips" = 0 ] || grep -E '^ok .* # skip' "$2" >&2
	result "$1" "$ok" "$bad" "$skips"
	mapfile -t -O ${#failures[@]} failures < <(grep '^not ok ' "$2")
}

# ---- builds ----------------------------------------------------------------

build_asan() {
	build_in "$BUILD-asan" --buildtype=debugoptimized \
		-Db_sanitize=address,undefined -Ddebug_level=3
}

build_tsan() {
	build_in "$BUILD-tsan" --buildtype=debugoptimized \
		-Db_sanitize=thread -Ddebug_level=1
}

build_clang() {
	CC=clang build_in "$BUILD-clang" --buildtype=release --werror \
		-Dfuzzers=true
}

# The process that builds beside the tests, if there is one.
builder=

# What suites that come later need, one by one, with the time that no test wants.
build_beside() {
	local name

	renice -n 19 -p "$BASHPID" >/dev/null
	for name in clang asan tsan; do
		[[ " ${suites[*]} " == *" $name "* ]] || continue
		"build_$name" >"$LOGS/$name.build" 2>&1
		echo $? >"$LOGS/$name.built"
	done
}

finish_builds() {
	[ -z "$builder" ] || wait "$builder"
	builder=
}

# build NAME: what has been built beside the tests is told now.
build() {
	finish_builds
	one "$1: build" told_build "$1"
}

told_build() {
	if [ -s "$LOGS/$1.built" ]; then
		cat "$LOGS/$1.build"
		return "$(cat "$LOGS/$1.built")"
	fi
	"build_$1"
}

# ---- suites ----------------------------------------------------------------

suite_check() {
	local script

	for script in "$TOP"/scripts/check-*.sh; do
		one "$(basename "$script")" env ZSFS="$BUILD/fs/zsfs" "$script"
	done
}

suite_release() {
	meson_suite release "$BUILD"
}

suite_bats() {
	build_beside &
	builder=$!
	bats_suite bats "$BUILD" "$TOP"/tests/bats/*.bats
}

suite_cached() {
	local files=("$TOP"/tests/bats/{smoke,mmap,sparse,attrs,ctl,unlinked}.bats)

	ZSFS_TEST_OPTS=writeback bats_suite cached "$BUILD" \
		"${files[@]}"
}

suite_asan() {
	local dir=$BUILD-asan

	build asan || return
	export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	meson_suite asan "$dir"
	ZSFS_HOOKS=1 bats_suite asan "$dir" "$TOP"/tests/bats/{smoke,crash}.bats
}

suite_tsan() {
	local dir=$BUILD-tsan

	build tsan || return
	export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
	# Older ThreadSanitizers refuse where the kernel spreads mappings wide.
	! setarch -R true 2>/dev/null || NO_ASLR=(setarch -R)
	meson_suite tsan "$dir"
	bats_suite tsan "$dir" "$TOP/tests/bats/smoke.bats"
	NO_ASLR=(env)
}

suite_clang() {
	build clang || return
	meson_suite clang "$BUILD-clang" --suite fuzzers
}

# Not a lane nor a build outlives the script.
clean_up() {
	local pids

	mapfile -t pids < <(jobs -p)
	[ -z "$builder" ] || mapfile -t -O ${#pids[@]} pids < <(pgrep -P "$builder")
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	rm -rf "$LOGS"
}

suites=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--quick) suites+=(check release bats) ;;
	check | release | bats | cached | asan | tsan | clang) suites+=("$1") ;;
	bats/*)
		[ -e "$TOP/tests/$1.bats" ] || die "there is no tests/$1.bats"
		suites+=("$1")
		;;
	*)
		usage >&2
		exit 1
		;;
	esac
	shift
done
[ ${#suites[@]} -gt 0 ] || suites=(check release bats cached clang asan tsan)

install_packages "${TEST_PACKAGES[@]}"
# Only now: a new machine has no package lists before its first installation.
! apt-cache show "$FORMATTER" >/dev/null 2>&1 || install_packages "$FORMATTER"
choose_build
LOGS=$(mktemp -d) || exit
trap clean_up EXIT
trap 'exit 1' INT TERM
one "release: build" build_in "$BUILD" --buildtype=release --werror -Dtests=true
release_failed=$failed
for suite in "${suites[@]}"; do
	case $suite in
	release | bats* | cached)
		if [ "$release_failed" != 0 ]; then
			result "$suite (not built)" 0 1 0
			continue
		fi
		;;
	esac
	case $suite in
	bats/*) bats_suite bats "$BUILD" "$TOP/tests/$suite.bats" ;;
	*) "suite_$suite" ;;
	esac
done

for failure in ${failures[@]+"${failures[@]}"}; do
	say "== $failure"
done
line="$passed passed, $failed failed"
[ "$skipped" = 0 ] || line+=", $skipped skipped"
echo "$line"
[ "$failed" = 0 ]
