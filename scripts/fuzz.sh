#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuzz.sh: runs the fuzz targets on all processors, and tells what they found.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/fuzz.sh [--hours N] [--jobs N] [--work FOLDER] [--coverage]
	                       [--target NAME]...

	Builds the targets of tests/fuzz with clang and sanitizers and runs them:

	  request          whole requests, as /dev/fuse would give them
	  recover          an arena that was damaged is taken over
	  control, options what people write
	  zcomp_cluster, zcomp_decompress, zcomp_parse, zcomp_roundtrip
	                   compressed bytes

	--hours     how long, 1 by default; may be a fraction. All targets have the
	            same share of it
	--jobs      how many run at once: one for each processor by default
	--work      where what they learn is kept, and taken up the next time:
	            fuzz/ in the folder of the build
	--coverage  tells also which part of the lines that parse requests and
	            take over was executed (another build)
	--target    only this one; may be given again

	For each target: executions, edges of the program that were seen, what was
	found. Ends with an error when something was found; each is a file in
	FOLDER/found, told with the command that shows it again. A new input that
	is worth keeping belongs into tests/fuzz/corpus, where each build runs it.

	What an earlier run found is tried first: with what passes now its file is
	deleted, and that is told; the rest stays, and counts as found.
	EOF
}

ALL=(request recover control options zcomp_cluster zcomp_decompress zcomp_parse
	zcomp_roundtrip)
# Lines of these are told with --coverage.
COVERED='fs/serve/(request|request_check|ops.*|forget|takeover|notify|statx)\.c'
COVERED+='|fs/volume/.*\.c|pool/(arena_recover|arena_life|handle|zsmalloc)\.c'
COVERED+='|fs/state/tx\.c|fs/content/(cluster|dense|slot|block)\.c'
# A target is not started again when it has found so many.
MOST_FOUND=10

hours=1 jobs=$(nproc) work="" coverage="" targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--hours) hours=${2:?} && shift ;;
	--jobs) jobs=${2:?} && shift ;;
	--work) work=${2:?} && shift ;;
	--target) targets+=("${2:?}") && shift ;;
	--coverage) coverage=1 ;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 1
		;;
	esac
	shift
done
[ ${#targets[@]} -gt 0 ] || targets=("${ALL[@]}")
for target in "${targets[@]}"; do
	[ -e "$TOP/tests/fuzz/fuzz_$target.c" ] || die "there is no target $target"
done
[[ $hours =~ ^[0-9]*\.?[0-9]+$ && $jobs =~ ^[1-9][0-9]*$ ]] ||
	die "--hours and --jobs want numbers"

install_packages "${BUILD_PACKAGES[@]}" clang libclang-rt-dev llvm jq
choose_build
work=$(realpath -m -- "${work:-$BUILD-fuzz/fuzz}")
seeds=$TOP/tests/fuzz/corpus
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_leaks=0

build_targets() {
	local dir=$1

	shift
	[ -e "$dir/build.ninja" ] ||
		CC=clang quietly meson setup "$dir" "$TOP" "$@" ||
		die "$dir cannot be configured"
	quietly ninja -C "$dir" "${targets[@]/#/tests/fuzz/fuzz_}" ||
		die "the build in $dir failed"
}

# Seconds that each target has, of what all processors have.
share=$(awk -v h="$hours" -v j="$jobs" -v n="${#targets[@]}" 'BEGIN {
	s = h * 3600
	if (n > j) s = s * j / n
	print int(s < 1 ? 1 : s) }')

# How often it was told in LOG what was executed.
told_in() {
	grep -c '^stat::number_of_executed_units' "$1" || true
}

# What was found before, by targets that are built: what is mended goes, or it would
# be found for ever, and ten of them would end a target.
try_found() {
	local file name

	for file in "$work"/found/*; do
		name=$(basename "$file")
		name=${name%%-*}
		[[ -e $file && " ${targets[*]} " == *" $name "* ]] || continue
		! timeout 300 "$BUILD-fuzz/tests/fuzz/fuzz_$name" -runs=10 -timeout=25 \
			-rss_limit_mb=4096 "$file" >/dev/null 2>&1 || {
			say "passes now, and is deleted: $file"
			rm -- "$file"
		}
	done
}

# run_target NAME: again and again until its time is over. One that ends without
# a word of what it executed does not run here.
run_target() {
	local name=$1 end log before
	local exe=$BUILD-fuzz/tests/fuzz/fuzz_$name
	local words=$TOP/tests/fuzz/fuzz_$name.dict

	mkdir -p "$work/corpus/$name" "$work/found"
	[ -e "$words" ] || words=
	end=$((SECONDS + share))
	log=$work/$name.log
	: >"$log"
	while [ "$SECONDS" -lt "$end" ]; do
		before=$(told_in "$log")
		"$exe" -max_total_time=$((end - SECONDS)) -timeout=25 \
			-rss_limit_mb=4096 -print_final_stats=1 -verbosity=1 \
			-max_len=16384 -len_control=0 -entropic=0 \
			${words:+"-dict=$words"} -artifact_prefix="$work/found/$name-" \
			"$work/corpus/$name" "$seeds/fuzz_$name" \
			>>"$log" 2>&1 && break
		if [ "$(told_in "$log")" = "$before" ]; then
			echo "ended without a word" >>"$log"
			break
		fi
		[ "$(find "$work/found" -name "$name-*" | wc -l)" -lt "$MOST_FOUND" ] ||
			break
	done
}

# report NAME: fails when it did not run, or not to its end
report() {
	local name=$1 log=$work/$1.log

	awk -v name="$name" '
		/^ended without a word$/ { dead = 1 }
		/^stat::number_of_executed_units/ { runs += $2 }
		{ for (k = 1; k < NF; k++) if ($k == "cov:") cov = $(k + 1) }
		END { printf "%-17s %12d executions, %6d edges\n",
			name, runs, cov
			exit dead || !runs }' "$log" && return
	tail -n 20 "$log" >&2
	return 1
}

tell_found() {
	local file name rest

	for file in "$work"/found/*; do
		[ -e "$file" ] || continue
		rest=$(basename "$file")
		name=${rest%%-*}
		say "found by $name; to see it again:"
		say "  $BUILD-fuzz/tests/fuzz/fuzz_$name $file"
		nr_found=$((nr_found + 1))
	done
}

# Which lines all inputs reach, with the programs that only run them.
tell_coverage() {
	local dir=$BUILD-coverage name objects=() flags='-fprofile-instr-generate'

	[ -e "$dir/build.ninja" ] || CC=clang quietly meson setup "$dir" "$TOP" \
		--buildtype=debugoptimized \
		-Dc_args="$flags -fcoverage-mapping" -Dc_link_args="$flags" ||
		die "$dir cannot be configured"
	rm -f "$dir"/*.profraw
	for name in "${targets[@]}"; do
		quietly ninja -C "$dir" "tests/fuzz/fuzz_${name}_regress" ||
			die "the build in $dir failed"
		objects+=(-object "$dir/tests/fuzz/fuzz_${name}_regress")
		LLVM_PROFILE_FILE=$dir/$name.profraw \
			"$dir/tests/fuzz/fuzz_${name}_regress" -runs=0 \
			"$work/corpus/$name" "$seeds/fuzz_$name" >/dev/null ||
			say "$name died on what it has learned"
	done
	llvm-profdata merge -o "$dir/all.profdata" "$dir"/*.profraw
	llvm-cov export -summary-only -instr-profile="$dir/all.profdata" \
		"${objects[@]}" 2>/dev/null | lines_of "$COVERED"
}

# lines_of REGEX: of the files that it matches, from a summary of llvm-cov
lines_of() {
	jq -r --arg only "$1" '.data[0].files[] |
		select(.filename | test($only)) |
		[.filename, .summary.lines.covered, .summary.lines.count,
		 .summary.lines.percent] | @tsv' |
		sed "s|$TOP/||; s|^.*/\(fs\|pool\)/|\1/|" |
		awk '{ printf "%-32s %5d of %5d lines, %3d %%\n", $1, $2, $3, $4 }'
}

say "building in $BUILD-fuzz"
build_targets "$BUILD-fuzz" --buildtype=debugoptimized -Ddebug_level=2 \
	-Db_sanitize=address,undefined -Db_lundef=false -Dfuzzers=true
try_found
say "$share seconds for each of ${#targets[@]} targets, $jobs at once"
running=0
for target in "${targets[@]}"; do
	if [ "$running" -ge "$jobs" ]; then
		wait -n || true
		running=$((running - 1))
	fi
	run_target "$target" &
	running=$((running + 1))
done
wait
nr_dead=0
for target in "${targets[@]}"; do
	report "$target" || nr_dead=$((nr_dead + 1))
done
[ -z "$coverage" ] || tell_coverage
nr_found=0
tell_found
[ "$nr_dead" = 0 ] || say "$nr_dead targets did not run"
echo "$nr_found found"
[ "$nr_found$nr_dead" = 00 ]
