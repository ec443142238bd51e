# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# The timed work of bench.sh, and the turns the systems take.
#
# do_FIGURE DIR does one piece of work in a system's mount and prints a line of
# JSON as fsbench does. Results go to
# $OUT/results.tsv: round, figure, system, operations, bytes, seconds.
# Used by bench.sh only. do_* run where a failed command does not end the
# shell: the last one's exit code has to tell.

STREAM="seqwrite seqread_cold seqread_warm"
RANDOM_IO="randread1 randread4 randwrite pwrite"
APPEND="append cp"
META="create statnew stat getattr openread rename unlink"
SQLITE="sqlite_batch sqlite_auto sqlite_durable"

do_seqwrite()
{
	rm -f "$1/big"
	sync -f "$1"
	"$FSBENCH" seqwrite --src "$DATA_DIR/data" "$1/big"
}

do_seqread_cold()
{
	"$FSBENCH" seqread --cold "$1/big"
}

do_seqread_warm()
{
	"$FSBENCH" seqread "$1/big"
}

do_randread1()
{
	"$FSBENCH" randread --msecs "$RANDOM_MSECS" "$(big_file "$1")"
}

do_randread4()
{
	"$FSBENCH" randread --msecs "$RANDOM_MSECS" --threads 4 "$(big_file "$1")"
}

do_randwrite()
{
	"$FSBENCH" randwrite --msecs "$RANDOM_MSECS" --src "$DATA_DIR/data" \
		"$(big_file "$1")"
}

do_pwrite()
{
	"$FSBENCH" randwrite --buffered --msecs "$RANDOM_MSECS" \
		--src "$DATA_DIR/data" "$(big_file "$1")"
}

do_append()
{
	"$FSBENCH" append --src "$DATA_DIR/data" --size 100 \
		--count "$APPENDS" "$1/log"
}

do_cp()
{
	local start

	rm -f "$1/copy" && sync -f "$1" || return 1
	start=$EPOCHREALTIME
	cp "$DATA_DIR/data" "$1/copy" && sync -f "$1" &&
		print_figure "$start" 1 "$DATA"
	rm -f "$1/copy"
}

# For --what without stream.
big_file()
{
	[[ -e $1/big ]] ||
		"$FSBENCH" seqwrite --src "$DATA_DIR/data" "$1/big" >/dev/null
	echo "$1/big"
}

do_create()
{
	rm -rf "$1/meta"
	mkdir "$1/meta"
	"$FSBENCH" create --size 4096 --count "$FILES" "$1/meta"
}

do_stat()
{
	"$FSBENCH" stat --count "$FILES" --passes $((PASSES * 4)) "$1/meta"
}

do_statnew()
{
	"$FSBENCH" statnew --size 4096 --count "$FILES" "$1/meta"
}

do_getattr()
{
	"$FSBENCH" getattr --count "$FILES" --passes "$PASSES" "$1/meta"
}

do_openread()
{
	"$FSBENCH" openread --size 4096 --count "$FILES" --passes "$PASSES" "$1/meta"
}

do_rename()
{
	"$FSBENCH" rename --count "$FILES" "$1/meta"
}

do_unlink()
{
	"$FSBENCH" unlink --count "$FILES" "$1/meta"
}

do_sqlite_batch()
{
	python3 "$BENCH/sqlite_insert.py" "$1/db" "$ROWS" 1000
}

do_sqlite_auto()
{
	python3 "$BENCH/sqlite_insert.py" "$1/db" "$AUTO_ROWS" 1
}

do_sqlite_durable()
{
	python3 "$BENCH/sqlite_insert.py" --durable "$1/db" "$DURABLE_ROWS" 1
}

# record ROUND FIGURE SYSTEM: put the line of JSON on stdin into the results.
record()
{
	local line re

	re='"ops": ([0-9]+), "bytes": ([0-9]+), "seconds": ([0-9.]+)'
	while read -r line; do
		[[ $line =~ $re ]] || return 1
		printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" "${BASH_REMATCH[@]:1}" \
			>>"$OUT/results.tsv"
	done
}

# Figures that mean nothing on a system, or cannot be had by this user.
leaves_out()
{
	case $1:$2 in
	seqread_cold:tmpfs | *_settled:tmpfs) ;;
	settle:zsfs) false ;;
	settle:today) [[ ! -e $WORK/today/.zsctl/settle ]] ;;
	settle:*) ;;
	find_cold:* | tar_cold:*) ! is_root ;;
	*) false ;;
	esac
}

run_one()
{
	local round=$1 figure=$2 sys=$3 line

	! leaves_out "$figure" "$sys" || return 0
	"$FSBENCH" touch --size "$DATA" ram >/dev/null
	if ! line=$("do_$figure" "$WORK/$sys") ||
		! record "$round" "$figure" "$sys" <<<"$line"; then
		note "$figure failed on $sys"
		FAILED=true
	fi
	# What is left to write must not take the next one's time.
	sync -f "$WORK/$sys" || true
}

figures()
{
	! wants stream || echo "$STREAM"
	! wants random || echo "$RANDOM_IO"
	! wants append || echo "$APPEND"
	! wants meta || echo "$META"
	! wants sqlite || echo "$SQLITE"
	! wants tree || echo "$TREE"
	! wants git || echo "$GIT"
	! wants make || echo "$MAKE_BUILD"
	! wants settled || echo "$SETTLED"
}

run_rounds()
{
	local round figure sys order=$SYSTEMS todo

	todo=$(figures)
	[[ $todo ]] || return 0
	all_up
	for ((round = 1; round <= ROUNDS; round++)); do
		note "round $round of $ROUNDS: $order"
		for figure in $todo; do
			for sys in $order; do
				run_one "$round" "$figure" "$sys"
			done
		done
		order="${order#* }${order%% *} "
	done
	all_down
}
