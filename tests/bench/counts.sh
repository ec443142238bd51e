# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# What bench.sh counts instead of timing in turns: RAM, requests, profile, and
# the micro-benchmarks. Each part works on fresh mounts.
#
#   $OUT/facts.tsv       system, name, value
#   $OUT/ram-SET.json    stats.json with that set of data on the mount
#   $OUT/compact-STATE.{classes,json}  before and after compaction
#   $OUT/requests/NAME.{ops,before,after}  stats.json around operations
#   $OUT/profile-NAME.txt, $OUT/micro-NAME.txt
# Used by bench.sh only.

fact()
{
	printf '%s\t%s\t%s\n' "$@" >>"$OUT/facts.tsv"
}

mm_stat()
{
	case $1 in
	zsfs | today) cat "$WORK/$1/.zsstats/mm_stat" ;;
	zram) cat "$ZRAM/mm_stat" ;;
	tmpfs) du -sB1 "$WORK/tmpfs/" | awk '{ print 0, 0, $1 }' ;;
	# What it says is in use: the least that its device must keep.
	btrfs) df --output=used -B1 "$WORK/btrfs" | awk 'END { print 0, 0, $1 }' ;;
	esac
}

# RAM of what is on system $1 now, as set $2 of $3 plain bytes; $4: the system
# that the facts name.
take_ram()
{
	local orig compr used as=${4:-$1}

	sync -f "$WORK/$1"
	read -r orig compr used _ < <(mm_stat "$1")
	fact "$as" "ram_$2_orig" "$orig"
	fact "$as" "ram_$2_compr" "$compr"
	fact "$as" "ram_$2_used" "$used"
	fact "$as" "ram_$2_stored" "$3"
	fact "$as" "ram_$2_aside" "$(ram_aside "$1")"
	if [[ $as == zsfs ]]; then
		cat "$WORK/zsfs/.zsstats/stats.json" >"$OUT/ram-$2.json"
	fi
}

# RAM that mm_stat does not count: zram's table and handles, the daemon's
# private memory.
ram_aside()
{
	case $1 in
	zsfs | today) awk '/^RssAnon/ { printf "%.0f", $2 * 1024 }' \
		"/proc/${DAEMON[$1]}/status" ;;
	zram) awk -v n="$ZRAM_TABLE" '/^zs_handle-zram0/ { n += $3 * $4 }
		END { printf "%.0f", n }' /proc/slabinfo ;;
	tmpfs | btrfs) echo 0 ;;
	esac
}

# Each set on a mount of its own: what is left of another would count too.
count_ram()
{
	local sys

	for sys in $SYSTEMS; do
		"up_$sys"
		cp "$DATA_DIR/data" "$WORK/$sys/"
		take_ram "$sys" file "$DATA"
		"down_$sys"
		"up_$sys"
		tar -C "$WORK/$sys" -xf "$DATA_DIR/tree.tar"
		take_ram "$sys" tree "$NR_TREE_BYTES"
		"down_$sys"
	done
}

# Arena, private memory and object bytes of zsfs, as slope point $1.
take_slope()
{
	local used anon classes

	read -r _ _ used _ < <(mm_stat zsfs)
	anon=$(ram_aside zsfs)
	classes=$(awk '$1 ~ /^[0-9]+$/ { n += $2 * $6 }
		END { printf "%.0f", n }' "$WORK/zsfs/.zsstats/classes")
	fact zsfs "slope_$1_used" "$used"
	fact zsfs "slope_$1_private" "$anon"
	fact zsfs "slope_$1_classes" "$classes"
}

count_slope()
{
	up_zsfs
	"$FSBENCH" seqwrite --src "$DATA_DIR/data" --size "$SLOPE_UNIT" \
		"$WORK/zsfs/big" >/dev/null
	take_slope 1
	"$FSBENCH" seqwrite --src "$DATA_DIR/data" --size $((SLOPE_UNIT * 2)) \
		--offset "$SLOPE_UNIT" "$WORK/zsfs/big" >/dev/null
	take_slope 3
	fact zsfs slope_blocks $((SLOPE_UNIT * 2 / 4096))
	down_zsfs
}

# What zsfs holds, as state $1 of compaction.
take_compact()
{
	cat "$WORK/zsfs/.zsstats/classes" >"$OUT/compact-$1.classes"
	cat "$WORK/zsfs/.zsstats/stats.json" >"$OUT/compact-$1.json"
}

count_compact()
{
	local start

	up_zsfs
	cp "$DATA_DIR/data" "$WORK/zsfs/big"
	python3 "$BENCH/free_half.py" "$WORK/zsfs/big"
	take_compact before
	start=$EPOCHREALTIME
	echo 1 >"$WORK/zsfs/.zsctl/compact"
	fact zsfs compact_usec $((${EPOCHREALTIME/./} - ${start/./}))
	take_compact after
	down_zsfs
}

# requests NAME OPERATIONS COMMAND...: count what COMMAND makes the kernel ask.
requests()
{
	local name=$1 dir=$OUT/requests stats=$WORK/zsfs/.zsstats/stats.json

	echo "$2" >"$dir/$name.ops"
	shift 2
	cat "$stats" >"$dir/$name.before"
	"$@" >/dev/null
	cat "$stats" >"$dir/$name.after"
}

request_files()
{
	local dir=$WORK/zsfs/meta n=1000

	mkdir "$dir"
	requests create $n "$FSBENCH" create --size 4096 --count $n "$dir"
	"$FSBENCH" stat --count $n "$dir" >/dev/null
	requests stat $((2 * n)) "$FSBENCH" stat --count $n "$dir"
	"$FSBENCH" openread --size 4096 --count $n "$dir" >/dev/null
	requests openread $((2 * n)) \
		"$FSBENCH" openread --size 4096 --count $n "$dir"
	requests rename $n "$FSBENCH" rename --count $n "$dir"
	requests unlink $n "$FSBENCH" unlink --count $n "$dir"
}

request_stream()
{
	local file=$WORK/zsfs/big n=64

	requests write_1m $n "$FSBENCH" seqwrite --src "$DATA_DIR/data" \
		--size $((n << 20)) "$file"
	requests write_4k $n "$FSBENCH" seqwrite --src "$DATA_DIR/data" \
		--bs 4096 --size $((n << 12)) "$file"
	requests read_1m_cold $n "$FSBENCH" seqread --cold "$file"
}

# cold NAME COMMAND...: the requests of a program that finds nothing cached, per
# file of the tree.
cold()
{
	local name=$1

	shift
	drop_everything
	requests "$name" "$NR_TREE" "$@"
}

# In the way of those who list: names only, with a stat of each, with content.
request_readers()
{
	local dir=$WORK/zsfs

	cold walk_cold python3 -c 'import os, sys
for _ in os.walk(sys.argv[1]): pass' "$dir/tree"
	cold find_cold find "$dir/tree" -size +1073741824k
	cold ls_cold ls -lR "$dir/tree"
	cold tar_cold bash -c 'tar -C "$1" -cf - tree | cat' - "$dir"
	cold cp_cold cp -a "$dir/tree" "$dir/copy"
	rm -rf "$dir/copy"
	command -v rsync >/dev/null || return 0
	cold rsync_cold rsync -a "$dir/tree/" "$dir/copy"
	rm -rf "$dir/copy"
}

request_large_directory()
{
	local dir=$WORK/zsfs/large

	mkdir "$dir"
	"$FSBENCH" create --size 0 --count "$LARGE_DIR" "$dir" >/dev/null
	drop_everything
	requests large_ls_f "$LARGE_DIR" ls -f "$dir"
	drop_everything
	requests large_ls_l "$LARGE_DIR" ls -l "$dir"
	drop_everything
	requests large_find "$LARGE_DIR" find "$dir" -size +1073741824k
	rm -rf "$dir"
}

request_programs()
{
	local dir=$WORK/zsfs

	mkdir "$dir/tree"
	requests untar "$NR_TREE" untar "$dir/tree"
	! is_root || request_readers
	! is_root || request_large_directory
	requests rmtree "$NR_TREE" rm -rf "$dir/tree"
	mkdir "$dir/tree"
	tar -C "$dir/tree" -xf "$DATA_DIR/small.tar"
	! command -v git >/dev/null || requests git "$NR_SMALL" git_all "$dir"
	unpack_sources "$dir"
	! command -v make >/dev/null ||
		requests make2 "$NR_SOURCES" build_sources "$dir"
}

count_requests()
{
	mkdir -p "$OUT/requests"
	up_zsfs
	cat "$WORK/zsfs/.zsstats/stats.json" >/dev/null
	requests nothing 1 true
	request_files
	request_stream
	request_programs
	down_zsfs
}

# profile NAME COMMAND...: CPU time of the daemon while COMMAND runs. The
# cpu-clock event is in every machine, and its period is nanoseconds.
profile()
{
	local name=$1 file=$WORK/perf.data

	shift
	perf record -q -e cpu-clock -F 4000 -p "${DAEMON[zsfs]}" -o "$file" \
		-- "$@" >/dev/null 2>&1
	perf script -i "$file" -F period,ip,sym,dso 2>/dev/null |
		awk -v dso="/$(basename "$ZSFS"))" '
		{ who = index($NF, dso) ? "zsfs" : "other" }
		$0 ~ /LZ4|ZSTD|XXH|HUF_|FSE_|lib(lz4|zstd|xxhash)/ { who = "codec" }
		$NF ~ /kernel/ { who = "kernel" }
		{ ns[who " " $3] += $1 }
		END { for (s in ns) printf "%.0f %s\n", ns[s], s }' |
		sort -rn >"$OUT/profile-$name.txt"
	rm -f "$file"
	[[ -s $OUT/profile-$name.txt ]]
}

count_profile()
{
	if ! command -v perf >/dev/null; then
		note "no profile: perf is missing"
		return 0
	fi
	up_zsfs
	if profile write "$FSBENCH" seqwrite --src "$DATA_DIR/data" \
		"$WORK/zsfs/big"; then
		profile read "$FSBENCH" seqread --cold "$WORK/zsfs/big"
		fact zsfs profile_blocks $((DATA / 4096))
	else
		note "no profile: perf is not permitted"
	fi
	down_zsfs
}

# micro NAME ARGUMENTS...
micro()
{
	local name=$1 bin=$BUILD/tests/bench/bench_$1

	shift
	if [[ -x $bin ]]; then
		"$bin" "$@" >"$OUT/micro-$name.txt"
	else
		note "bench_$name is left out: not built"
	fi
}

count_micro()
{
	# shellcheck disable=SC2086
	micro pool -j $POOL_ARGS
	micro codec
}

# In a process of its own, so that the first command that fails ends this part
# but not the run. It is not waited for in the foreground: a signal to bench.sh
# must be able to end it.
start_part()
{
	(
		trap 'set +e; all_down' EXIT
		trap 'exit 143' TERM
		"count_$1"
	) &
	PART_PID=$!
}

count()
{
	note "counting: $1"
	start_part "$1"
	if ! wait "$PART_PID"; then
		note "$1 failed"
		FAILED=true
	fi
	PART_PID=
}

run_counts()
{
	local part

	for part in settled ram micro; do
		if wants $part; then
			count $part
		fi
	done
	has_system zsfs || return 0
	for part in slope compact requests profile; do
		if wants $part; then
			count $part
		fi
	done
}

# Where an idle CPU sleeps deeply, waking it is most of a small request.
cpuidle()
{
	cat "/sys/devices/system/cpu/cpuidle/$1" 2>/dev/null || echo unknown
}

write_settings()
{
	{
		echo "systems ${SYSTEMS% }"
		echo "rounds $ROUNDS"
		echo "data $DATA"
		echo "quick $QUICK"
		echo "opts $ZSFS_OPTS"
		echo "cpus $(nproc)"
		echo "kernel $(uname -r)"
		echo "cpuidle $(cpuidle current_driver)"
		echo "cpuidle_governor $(cpuidle current_governor)"
		echo "load_start $LOAD_START"
		echo "load_end $(cut -d' ' -f1 /proc/loadavg)"
		echo "date $(date -u +%Y-%m-%dT%H:%M:%SZ)"
		echo "slope_unit $SLOPE_UNIT"
	} >"$OUT/settings.txt"
}
