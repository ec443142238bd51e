# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# The timed work of bench.sh that real programs do: tar, find, rm, git, make.
# Each do_* is as in workloads.sh. Used by bench.sh only.

TREE="untar untar_sync find_cold tar_cold rmtree untar2 untar_hog"
GIT="git"
MAKE_BUILD="make2"

# print_figure START OPS BYTES: what is done since START (from $EPOCHREALTIME),
# as fsbench would.
print_figure()
{
	awk -v start="$1" -v end="$EPOCHREALTIME" -v ops="$2" -v bytes="$3" \
		'BEGIN {
		printf "{\"cmd\": \"x\", \"ops\": %d, \"bytes\": %.0f, ", ops, bytes
		printf "\"seconds\": %.6f}\n", end - start
	}'
}

# print_tree_figure START [TREES]
print_tree_figure()
{
	print_figure "$1" $((NR_TREE * ${2:-1})) $((NR_TREE_BYTES * ${2:-1}))
}

# An empty directory tree in $1, with nothing left to write.
clear_tree()
{
	rm -rf "$1/tree" && mkdir "$1/tree" && sync -f "$1"
}

untar()
{
	tar -C "$1" -xf "$DATA_DIR/tree.tar"
}

do_untar()
{
	local start

	clear_tree "$1" || return 1
	start=$EPOCHREALTIME
	untar "$1/tree" && print_tree_figure "$start"
}

do_untar_sync()
{
	local start

	clear_tree "$1" || return 1
	start=$EPOCHREALTIME
	untar "$1/tree" && sync -f "$1" && print_tree_figure "$start"
}

# For --what without what unpacks it.
need_tree()
{
	[[ -d $1/tree ]] || { clear_tree "$1" && untar "$1/tree"; }
}

# The programs themselves are read again, before the clock starts.
drop_everything()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches || return 1
	find /dev/null -size +1k
	tar -cf - -C / dev/null | cat >/dev/null
	sleep 0.3
}

# A size has to be asked for: without it find does not stat.
do_find_cold()
{
	local start

	need_tree "$1" && drop_everything || return 1
	start=$EPOCHREALTIME
	find "$1/tree" -size +1073741824k && print_tree_figure "$start"
}

# To a pipe: tar reads nothing when it writes to /dev/null.
do_tar_cold()
{
	local start

	need_tree "$1" && drop_everything || return 1
	start=$EPOCHREALTIME
	tar -C "$1" -cf - tree | cat >/dev/null && print_tree_figure "$start"
}

do_rmtree()
{
	local start

	need_tree "$1" || return 1
	start=$EPOCHREALTIME
	rm -rf "$1/tree" && print_tree_figure "$start"
}

do_untar2()
{
	local start other rc=0

	clear_tree "$1" && mkdir "$1/tree/1" "$1/tree/2" || return 1
	start=$EPOCHREALTIME
	untar "$1/tree/1" &
	other=$!
	untar "$1/tree/2" || rc=1
	wait $other && ((rc == 0)) && print_tree_figure "$start" 2
	rm -rf "$1/tree"
}

do_untar_hog()
{
	local start hogs

	clear_tree "$1" || return 1
	python3 "$BENCH/hogs.py" >/dev/null &
	hogs=$!
	sleep 0.2
	start=$EPOCHREALTIME
	untar "$1/tree" && print_tree_figure "$start"
	kill $hogs
	wait $hogs 2>/dev/null
	rm -rf "$1/tree"
}

git_in()
{
	local dir=$1

	shift
	GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null \
		git -c user.name=bench -c user.email=bench@localhost \
		-c gc.auto=0 -c maintenance.auto=false \
		-C "$dir/tree" --git-dir="$dir/repo" --work-tree="$dir/tree" "$@"
}

git_all()
{
	git_in "$1" init -q -b main && git_in "$1" add -Af &&
		git_in "$1" commit -q -m tree && git_in "$1" fsck --no-progress
}

do_git()
{
	local start rc=0

	clear_tree "$1" && tar -C "$1/tree" -xf "$DATA_DIR/small.tar" &&
		sync -f "$1" || return 1
	start=$EPOCHREALTIME
	git_all "$1" >&2 || rc=1
	((rc)) || print_figure "$start" "$NR_SMALL" 0
	rm -rf "$1/tree" "$1/repo"
}

# All that a build writes goes to the mount, temporary files too.
build_sources()
{
	CCACHE_DISABLE=1 TMPDIR=$1/make make -s -j2 -C "$1/make"
}

unpack_sources()
{
	rm -rf "$1/make" && mkdir "$1/make" &&
		tar -C "$1/make" -xf "$DATA_DIR/make.tar"
}

do_make2()
{
	local start rc=0

	unpack_sources "$1" && sync -f "$1" || return 1
	start=$EPOCHREALTIME
	build_sources "$1" >&2 || rc=1
	((rc)) || print_figure "$start" "$NR_SOURCES" 0
	rm -rf "$1/make"
}
