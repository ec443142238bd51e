#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# At mem_limit: what statfs promised fits, no more is taken, what works works.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	expect_late_losses
}
teardown() { zsfs_teardown; }

# fill_mount LIMIT SIZE [threads]: see full.py
fill_mount() {
	local how=("${@:3}")

	! all_have writeback || how+=(cached)
	zsfs_mount -o "mem_limit=$1"
	"$PYTHON" "$BATS_TEST_DIRNAME/full.py" "$M" "$(worker)" "$2" "${how[@]}"
	verify_clean
	zsfs_umount
	wait_daemon
}

# What fitted, if it was $1 of the $2 that statfs promised.
kept() {
	echo "$1 of $2"
	[ $(($1 * 100)) -ge $(($2 * 98)) ]
}

@test "full: files of 1 MiB at 16 MiB and at 64 MiB" {
	fill_mount 16M 1048576
	fill_mount 64M 1048576
}

@test "full: a file of 64 MiB and more at 256 MiB" {
	fill_mount 256M 67108864
}

@test "full: files of 64 KiB in many directories" {
	fill_mount 96M 65536
}

@test "full: an ordinary user, and with writes that are cached" {
	cp "$BATS_TEST_DIRNAME/full.py" "$T/full.py"
	expect_log 'no room for a cached write'
	as_nobody '
		$ZSFS -o mem_limit=64M $M
		'"$PYTHON"' $T/full.py $M 0 1048576
		fusermount3 -u $M
		$ZSFS -o mem_limit=64M,writeback $M
		'"$PYTHON"' $T/full.py $M 0 1048576 cached
		fusermount3 -u $M'
}

@test "full: files of one block" {
	fill_mount 48M 4096
}

@test "full: many threads" {
	fill_mount 32M 4096 threads
	fill_mount 48M 1048576 threads
}

@test "full: one file" {
	fill_mount 64M 1073741824
}

@test "full: empty and tiny files" {
	not_cached "they are late writes"
	for size in 0 10; do
		zsfs_mount -o mem_limit=16M
		mkdir "$M/d"
		read -r inodes blocks < <(stat -f -c '%d %a' "$M")
		if [ $size = 0 ]; then
			expect ENOSPC -n 1000000 create "$M/d/file%d" 644
		else
			expect ENOSPC -n 1000000 put "$M/d/file%d" 10
			kept "$(find "$M/d" -size 10c | wc -l)" "$blocks"
		fi
		kept "$(ls "$M/d" | wc -l)" "$inodes"
		[ "$(mm_stat 5)" -le "$(mm_stat 4)" ]
		# What was left of the last one goes, and everything else.
		rm -r "$M/d"
		zsfs_umount
		wait_daemon
	done
}

# always OPTIONS FILL...: at a limit set by OPTIONS and reached by FILL.
always() {
	local options=$1

	shift
	zsfs_mount -o "$options"
	"$PYTHON" "$BATS_TEST_DIRNAME/always.py" "$M" make
	"$@"
	"$PYTHON" "$BATS_TEST_DIRNAME/always.py" "$M" use
	[ -z "${ZSFS_DRYRUN:-}" ] || return 0
	[ "$(mm_stat 5)" -le "$(mm_stat 4)" ]
}

# raised NAME VALUE COMMAND...: a limit is raised, and then that works.
raised() {
	echo "$2" >"$M/.zsctl/$1"
	"${@:3}"
	zsfs_umount
	wait_daemon
}

# Random bytes until there is no room, and then files without any.
fill_with_content() {
	for n in 1000 100 4; do
		dd if=/dev/urandom of="$M/fill$n" bs=${n}k status=none 2>/dev/null || true
	done
	expect ENOSPC put "$M/one more" 4096
}

fill_with_everything() {
	fill_with_content
	expect ENOSPC -n 1000000 create "$M/e%d" 644
}

fill_with_late_writes() { fill_by_map "$M/fill" 128; }

@test "full: at mem_limit what makes nothing more works" {
	not_cached "what is overwritten is written later"
	always mem_limit=32M fill_with_everything
	raised mem_limit 64M expect ok put "$M/new2" 10000000
}

@test "full: so it does when late writes have filled it" {
	not_cached "all of them may have the part of late ones"
	expect_log 'no room for a write to its shared mapping'
	always mem_limit=48M fill_with_late_writes
	raised mem_limit 256M expect ok put "$M/new" 10000000
}

@test "full: at size what makes nothing more works" {
	not_cached "what is overwritten is written later"
	always size=16M fill_with_content
	raised size 32M expect ok put "$M/new" 10000000
}

@test "full: at nr_inodes what makes nothing more works" {
	always nr_inodes=1000 fsop -n 2000 create "$M/f%d" 644
	raised nr_inodes 3000 expect ok create "$M/new" 644
}

# What looks for room takes no thread for long: it did for up to a second.
@test "full: users who fill it hold up another's small calls for little" {
	root_only
	zsfs_mount -o mode=1777,mem_limit=512M,size=1G
	timeout 60 "$PYTHON" "$TOP/tests/bench/neighbours.py" "$M" 10 64 >"$T/said"
	cat "$T/said"
	[ "$(jq '.all.calls' "$T/said")" -gt 50 ]
	[ "$(jq '.all.p99 < 200' "$T/said")" = true ]
	rm -rf "$M"/user*
	verify_clean
}
