#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What one who has a mount, or only files in it, cannot do to others.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	root_only
}
teardown() { zsfs_teardown; }

# by_owner RESULT KNOB VALUE: user 1000 writes it
by_owner() {
	expect "$1" -u 1000:1000 puts "$M/.zsctl/$2" "$3"
}

@test "neighbours: the owner that uid= makes stays within what root gave" {
	zsfs_mount -o uid=1000,size=64M,mem_limit=64M,nr_inodes=1000,hot=1M,comp=zstd:3,dense=zstd:5,settle=20
	expect_log 'is more than the mount was given'
	for set in size=65M size=0 mem_limit=65M mem_limit=0 mem_limit=100% \
		nr_inodes=1001 nr_inodes=0 hot=2M comp_algorithm=zstd:4 dense=zstd:6 \
		settle_after=19; do
		by_owner EPERM "${set%=*}" "${set#*=}"
		run -0 control last_cmd_status
		[[ $output == "${set%=*}: "*"only who mounted"* ]]
	done
	same "$(control size) $(control mem_limit) $(control nr_inodes)" "67108864 67108864 1000"
	same "$(control hot) $(control dense) $(control settle_after)" "1048576 zstd:5 20"
	grep -q 'size: "65M" is more than the mount was given' "$LOG"
	# Down and up again.
	by_owner 3 size 32M
	by_owner 3 size 64M
	by_owner 3 settle_after off
	by_owner 2 settle_after 20
	by_owner 4 comp_algorithm none
	by_owner 6 comp_algorithm zstd:3
	by_owner EPERM comp_algorithm zstd:19
	# Work can be asked for.
	by_owner 1 compact 1
}

@test "neighbours: the owner does not take a slower lz4 than root gave" {
	zsfs_mount -o uid=1000,comp=lz4:64
	expect_log 'is more than the mount was given'
	for set in lz4 lz4:1 lz4:63 zstd; do
		by_owner EPERM comp_algorithm $set
	done
	same "$(control comp_algorithm)" "[lz4:64] zstd none"
	by_owner 9 comp_algorithm lz4:65537
	by_owner 6 comp_algorithm lz4:64
}

@test "neighbours: where root has settling off the owner cannot have it done" {
	zsfs_mount -o uid=$NOBODY,settle=off
	text_file "$M/f" 2000000
	expect EPERM -u $NOBODY:$NOBODY puts "$M/.zsctl/settle" 1
	same "$(json .content.dense_blocks)" 0
	# zsctl says why.
	cp "$(dirname "$ZSFS")/zsctl" "$T/zsctl" || skip "zsctl is not built"
	run -1 as $NOBODY "$T/zsctl" settle "$M"
	[[ $output == *"given settle=off"* ]]
	echo 1 >"$M/.zsctl/settle"
	[ "$(json .content.dense_blocks)" -gt 300 ]
	"$ZSFS" -o remount,settle=1000 "$M"
	expect 1 -u $NOBODY:$NOBODY puts "$M/.zsctl/settle" 1
}

@test "neighbours: the owner does not keep all waiting by verifying again and again" {
	zsfs_mount -o uid=1000
	mkdir "$M/d"
	seq -f "$M/d/%g" 20000 | xargs touch
	by_owner 1 verify 1
	by_owner EAGAIN verify 1
	[[ $(control last_cmd_status) == "verify: "*"again in "*" s"* ]]
	# Who mounted may, and what the last one said is there.
	verify_clean
	by_owner EAGAIN verify 1
	# A takeover does not forget it.
	verify_clean
	kill -9 "$(worker)"
	by_owner EAGAIN verify 1
	# No other work waits, and it is allowed again.
	by_owner 1 compact 1
	poll 10 by_owner 1 verify 1
}

@test "neighbours: what root sets is what the owner may have" {
	zsfs_mount -o uid=1000,size=64M
	expect_log 'is more than the mount was given'
	echo 128M >"$M/.zsctl/size"
	by_owner 4 size 100M
	by_owner EPERM size 129M
	"$ZSFS" -o remount,size=256M "$M"
	by_owner 4 size 200M
	echo 16M >"$M/.zsctl/size"
	by_owner EPERM size 17M
	by_owner 3 size 16M
	# A takeover changes nothing.
	kill -9 "$(worker)"
	by_owner EPERM size 17M
	same "$(control size)" 16777216
}

@test "neighbours: a remount by the owner tells why it is refused, and does nothing" {
	zsfs_mount -o uid=$NOBODY,size=64M,settle=20
	expect_log 'is more than the mount was given'
	cp "$ZSFS" "$T/daemon"
	run -0 as $NOBODY "$T/daemon" -o remount,size=32M "$M"
	run -1 as $NOBODY "$T/daemon" -o remount,settle=30,size=65M "$M"
	[[ $output == *"more than the mount was given"* ]]
	same "$(control size) $(control settle_after)" "33554432 20"
}

# The shell opens it as the owner, and what writes is root.
@test "neighbours: root does not lift the limit by a descriptor of the owner" {
	zsfs_mount -o uid=1000,size=64M
	expect_log 'is more than the mount was given'
	cat >"$T/lend.py" <<-'END'
		import os, sys
		os.seteuid(1000)
		fd = os.open(sys.argv[1], os.O_WRONLY)
		os.seteuid(0)
		try:
		    os.write(fd, b"1G")
		except PermissionError:
		    print("refused")
	END
	same "$("$PYTHON" "$T/lend.py" "$M/.zsctl/size")" refused
	same "$(control size)" 67108864
}

# not_permitted COMMAND...: by the owner, who is told so
not_permitted() {
	LC_ALL=C run as $NOBODY "$@" 3>&- 4>&-
	[ "$status" != 0 ] || { echo "succeeded: $*"; return 1; }
	[[ $output == *"not permitted"* || $output == *"must be superuser"* ||
		$output == *"not found in /etc/mtab"* ]] || { echo "$*: $output"; return 1; }
}

@test "neighbours: the owner neither ends nor replaces what root has mounted" {
	need setpriv fusermount3
	zsfs_mount -o uid=$NOBODY
	poll 10 has_standby
	before=$(json .survival)
	processes_of "$M" >"$T/pids"
	same "$(wc -l <"$T/pids")" 3
	while read -r pid; do
		for signal in HUP INT TERM USR1 USR2 STOP KILL; do
			not_permitted bash -c "kill -s $signal $pid"
		done
	done <"$T/pids"
	cp "$ZSFS" "$T/daemon"
	not_permitted "$T/daemon" --replace "$M"
	for unmount in 'fusermount3 -u' 'fusermount3 -uz' umount 'umount -l'; do
		not_permitted $unmount "$M"
	done
	is_mounted "$M"
	same "$(json .survival)" "$before"
}

@test "neighbours: without uid= whoever may write raises limits" {
	zsfs_mount -o size=64M
	echo 1G >"$M/.zsctl/size"
	echo zstd:19 >"$M/.zsctl/comp_algorithm"
	same "$(control size)" 1073741824
}

usage_by() {
	as "$1" getfattr --absolute-names --only-values -n zsfs.usage "$2" 2>&1
}

@test "neighbours: hidestats closes statistics and usage to all but owners" {
	need setpriv getfattr
	zsfs_mount -o hidestats,uid=1000
	mkdir "$M/d"
	text_file "$M/d/f" 300000
	chown 1001 "$M/d" "$M/d/f"
	same "$(stat -c %a "$M/.zsstats" "$M/.zsstats/stats.json" "$M/.zsstats/metrics" | xargs)" "500 400 400"
	same "$(json .hidestats)" true
	for file in stats.json mm_stat classes tiers io_stat fullness metrics; do
		fails as 1001 cat "$M/.zsstats/$file"
		as 1000 cat "$M/.zsstats/$file" >/dev/null
	done
	for who in 0 1000 1001; do
		[[ $(usage_by $who "$M/d/f") == *lz4* ]]
	done
	[[ $(usage_by 1002 "$M/d/f") == *"ermission denied"* ]]
	[[ $(usage_by 1002 "$M/d") == *"ermission denied"* ]]
	for who in 0 1000 1001; do
		[[ $(usage_by $who "$M/d") == *"files 1"* ]]
	done
	# The owner of a folder learns nothing of what another has in it.
	text_file "$M/d/of_root" 300000
	[[ $(usage_by 1001 "$M/d") == *"ermission denied"* ]]
	[[ $(usage_by 1000 "$M/d") == *"files 2"* ]]
	# What others may know stays: it can be read and counted.
	same "$(as 1002 wc -c <"$M/d/f")" 300000
	fails "$ZSFS" -o remount,nohidestats "$M"
	grep 'hidestats: fixed' "$T/fails.out"
}

# What user $1 is told of the length of all control files.
control_sizes() {
	as "$1" stat -c '%n %s' "$M"/.zsctl/* | sed 's,.*/,,'
}

@test "neighbours: hidestats does not tell others how long control files are" {
	need setpriv
	zsfs_mount -o hidestats,uid=1000,mem_limit=64M
	for who in 1000 1001 0 1001 1000; do
		control_sizes $who >"$T/sizes.$who"
		same "$(wc -l <"$T/sizes.$who")" 12
	done
	same "$(awk '$2 > 0' "$T/sizes.1001")" ''
	for who in 0 1000; do
		same "$(awk '$2 == 0' "$T/sizes.$who")" ''
		same "$(as $who cat "$M/.zsctl/mem_limit")" 67108864
		[ "$(as $who head -c 3 "$M/.zsctl/mem_used_max" | wc -c)" = 3 ]
	done
	# At the same time, too: each has what he has looked up.
	for i in $(seq 100); do
		control_sizes 1000
	done >"$T/sizes.1000" &
	for i in $(seq 100); do
		control_sizes 1001
	done >"$T/sizes.1001"
	wait $!
	same "$(awk '$2 > 0' "$T/sizes.1001")" ''
	same "$(awk '$2 == 0' "$T/sizes.1000")" ''
}

@test "neighbours: without hidestats control files have their size" {
	need setpriv
	zsfs_mount -o uid=1000
	same "$(as 1001 stat -c %s "$M/.zsctl/settle_after")" 3
}

# 150 files are written, 9.4 MiB of noise. A line for each after which df has other
# blocks left than before: how many fewer.
steps_of_df() {
	local before now n

	before=$(stat -f -c %a "$M")
	for ((n = 0; n < 150; n++)); do
		dd if=/dev/urandom of="$M/small$n" bs=64k count=1 conv=fsync status=none
		now=$(stat -f -c %a "$M")
		[ "$now" = "$before" ] || echo $((before - now))
		before=$now
	done
}

@test "neighbours: with hidestats what df has left changes by steps of 4 MiB only" {
	zsfs_mount -o hidestats,uid=1000,size=0,nr_inodes=0,mem_limit=64M,settle=off
	steps_of_df >"$T/steps"
	cat "$T/steps"
	# Each is of as many blocks as 4 MiB of memory hold.
	between 2 "$(wc -l <"$T/steps")" 3
	while read -r step; do
		between 970 "$step" 971
	done <"$T/steps"
	# Inodes take 512 bytes.
	same $(($(stat -f -c %d "$M") % 8192)) 0
}

# reserves RESULT BLOCKS: so ends fallocate(2) of user 1001, who gives all of it back
reserves() {
	expect "$1" -u 1001:1001 fallocate "$M/mine/f" 0 0 $(($2 * 4096))
	expect ok -u 1001:1001 truncate "$M/mine/f" 0
}

@test "neighbours: with hidestats fallocate finds room as df tells, by the same steps" {
	zsfs_mount -o hidestats,uid=1000,size=0,nr_inodes=0,mem_limit=64M,settle=off
	install -d -o 1001 "$M/mine"
	install -o 1001 /dev/null "$M/mine/f"
	for i in $(seq 10); do
		random_file "$M/f$i" 700000
		sync "$M/f$i"
		left=$(stat -f -c %a "$M")
		echo "$left"
		reserves ok "$left"
		reserves ENOSPC $((left + 1))
	done >"$T/left"
	between 2 "$(uniq "$T/left" | wc -l)" 4
}

@test "neighbours: without hidestats df is exact" {
	zsfs_mount -o uid=1000,size=0,nr_inodes=0,mem_limit=64M,settle=off
	steps_of_df >"$T/steps"
	same "$(wc -l <"$T/steps")" 150
}

@test "neighbours: without hidestats statistics are for all" {
	need setpriv getfattr
	zsfs_mount
	text_file "$M/f" 300000
	same "$(json .hidestats)" false
	as 1002 cat "$M/.zsstats/stats.json" >/dev/null
	[[ $(usage_by 1002 "$M/f") == *lz4* ]]
}
