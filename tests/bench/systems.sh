# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# The systems bench.sh compares: mounting them afresh and taking them down.
#
# SYSTEMS is the list of those that can run here; $WORK/NAME is where NAME is
# mounted, and DAEMON[NAME] the process that serves it, if one does. "today" is
# another build of zsfs. Used by bench.sh only.

ZRAM=/sys/block/zram0
ZRAM_SIZE=8G
ZRAM_TABLE=0
ZRAM_OURS=false
declare -A DAEMON=()
SYSTEMS=
DATA_DIR=

is_mounted()
{
	mountpoint -q "$1" 2>/dev/null
}

why_no_zram()
{
	is_root || { echo "needs root" && return; }
	[[ -b /dev/zram0 ]] || modprobe zram num_devices=1 2>/dev/null || true
	[[ -b /dev/zram0 && -d $ZRAM ]] ||
		{ echo "there is no /dev/zram0" && return; }
	[[ $(<$ZRAM/initstate) == 0 ]] ||
		{ echo "/dev/zram0 is in use" && return; }
	grep -qw lz4 $ZRAM/comp_algorithm ||
		{ echo "this kernel's zram has no lz4" && return; }
	command -v mkfs.ext4 >/dev/null || echo "mkfs.ext4 is missing"
}

why_no_program()
{
	[[ -x $1 ]] || { echo "$1 is missing" && return; }
	[[ -r /dev/fuse && -w /dev/fuse ]] || echo "/dev/fuse cannot be opened"
}

why_no_zsfs()
{
	why_no_program "$ZSFS"
}

why_no_today()
{
	why_no_program "$TODAY"
}

why_no_tmpfs()
{
	is_root || [[ -w /dev/shm ]] || echo "needs root or /dev/shm"
}

find_systems()
{
	local sys why

	for sys in ${ONLY//,/ }; do
		why=$("why_no_$sys")
		if [[ $why ]]; then
			note "$sys is left out: $why"
		else
			SYSTEMS+="$sys "
		fi
	done
	[[ $SYSTEMS ]] || die "no system is left to measure"
	is_root || note "not root: cold reads drop only the file's own pages"
}

has_system()
{
	[[ " $SYSTEMS " == *" $1 "* ]]
}

# A tmpfs at $1, or without root a directory in /dev/shm that $1 points to.
mount_ram()
{
	if is_root; then
		mkdir -p "$1"
		mount -t tmpfs -o size=90% zsfs-bench "$1"
	else
		ln -sfn "$(mktemp -d /dev/shm/zsfs-bench.XXXXXX)" "$1"
	fi
}

umount_ram()
{
	if [[ -L $1 ]]; then
		rm -rf "$(readlink "$1")" "$1"
	elif is_mounted "$1"; then
		umount "$1" 2>/dev/null || umount -l "$1"
	fi
}

up_tmpfs()
{
	mount_ram "$WORK/tmpfs"
}

down_tmpfs()
{
	umount_ram "$WORK/tmpfs"
}

vmalloc_bytes()
{
	awk '/^VmallocUsed/ { printf "%.0f", $2 * 1024 }' /proc/meminfo
}

# mm_stat does not tell of zram's table of pages, so it is weighed here.
up_zram()
{
	mkdir -p "$WORK/zram"
	ZRAM_OURS=true
	echo lz4 >$ZRAM/comp_algorithm
	ZRAM_TABLE=$(vmalloc_bytes)
	echo $ZRAM_SIZE >$ZRAM/disksize
	ZRAM_TABLE=$(($(vmalloc_bytes) - ZRAM_TABLE))
	mkfs.ext4 -q /dev/zram0
	mount -o discard,noatime /dev/zram0 "$WORK/zram"
}

down_zram()
{
	local i

	$ZRAM_OURS || return 0
	! is_mounted "$WORK/zram" || umount "$WORK/zram"
	# Something may look at a device that has just been released.
	for i in 1 2 3 4 5 6 7 8 9 10; do
		if echo 1 2>/dev/null >$ZRAM/reset; then
			ZRAM_OURS=false
			return 0
		fi
		sleep 0.5
	done
	note "/dev/zram0 is busy and could not be reset"
	return 1
}

# ---- btrfs on a loop device in RAM ----

why_no_btrfs()
{
	is_root || { echo "needs root" && return; }
	command -v mkfs.btrfs >/dev/null || { echo "mkfs.btrfs is missing" && return; }
	grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null ||
		echo "this kernel has no btrfs"
}

up_btrfs()
{
	mkdir -p "$WORK/btrfs"
	truncate -s $((DATA * 2 + (1 << 30))) "$DATA_DIR/btrfs.img"
	mkfs.btrfs -q -m single -d single "$DATA_DIR/btrfs.img"
	mount -o loop,noatime,compress-force=zstd:1 "$DATA_DIR/btrfs.img" \
		"$WORK/btrfs"
}

down_btrfs()
{
	! is_mounted "$WORK/btrfs" || umount "$WORK/btrfs"
	rm -f "$DATA_DIR/btrfs.img"
}

# ---- what a daemon serves ----

# up_daemon SYSTEM PROGRAM OPTIONS
up_daemon()
{
	local i dir=$WORK/$1 log=$WORK/$1.log

	mkdir -p "$dir"
	"$2" -f -o "$3" "$dir" >>"$log" 2>&1 &
	DAEMON[$1]=$!
	for ((i = 0; i < 100; i++)); do
		! is_mounted "$dir" || return 0
		kill -0 "${DAEMON[$1]}" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 5 "$log" >&2
	note "$1 did not mount"
	return 1
}

umount_daemon()
{
	is_mounted "$1" || return 0
	if is_root; then
		umount "$1"
	else
		fusermount3 -u "$1"
	fi
}

down_daemon()
{
	local i pid=${DAEMON[$1]:-}

	[[ $pid ]] || return 0
	umount_daemon "$WORK/$1" || kill "$pid" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	if kill -9 "$pid" 2>/dev/null; then
		note "$1 did not end and was killed"
		umount -l "$WORK/$1" 2>/dev/null || true
	fi
	wait "$pid" 2>/dev/null || true
	unset "DAEMON[$1]"
}

up_zsfs()
{
	up_daemon zsfs "$ZSFS" "$ZSFS_OPTS"
}

down_zsfs()
{
	down_daemon zsfs
}

up_today()
{
	up_daemon today "$TODAY" "$TODAY_OPTS"
}

down_today()
{
	down_daemon today
}

all_up()
{
	local sys

	for sys in $SYSTEMS; do
		"up_$sys" || die "$sys cannot be mounted"
	done
}

all_down()
{
	down_zsfs
	down_today
	down_zram
	down_btrfs
	down_tmpfs
}

cleanup()
{
	trap '' INT TERM HUP
	set +e
	cd /
	if [[ $PART_PID ]]; then
		kill "$PART_PID" 2>/dev/null
		wait "$PART_PID" 2>/dev/null
	fi
	all_down
	[[ ! $DATA_DIR ]] || umount_ram "$DATA_DIR"
	rm -rf --one-file-system "$WORK"
}
