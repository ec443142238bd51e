#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Changing a live mount: by mount -o remount and by zsfs -o remount.
load helpers

setup() {
	zsfs_setup
	zsfs_only
}

teardown() { zsfs_teardown; }

limits() { echo "$(control size) $(control mem_limit) $(control nr_inodes)"; }
flags() { echo ",$(mount_field "$M" options),"; }

# with_helper SCRIPT: where mount(8) finds this build as its helper.
with_helper() {
	root_only
	need unshare mount
	timeout 100 unshare -m --propagation private bash -c '
		set -e
		mkdir "$1/sbin"
		mount -t tmpfs none "$1/sbin"
		mkdir "$1/sbin/upper" "$1/sbin/work"
		mount -t overlay none -o "lowerdir=/usr/sbin,upperdir=$1/sbin/upper,workdir=$1/sbin/work" /usr/sbin
		rm -f /usr/sbin/mount.fuse*
		ln -sf "$ZSFS" /usr/sbin/mount.zsfs
		ln -sf "$ZSFS" /usr/sbin/mount.fuse.zsfs
		fstab=$1/fstab
		opts() { awk -v m="$M" "\$2 == m { print \",\" \$4 \",\" }" /proc/mounts; }
		refused() { local said; said=$("${@:2}" 2>&1) && exit 9; [[ $said == *"$1"* ]] || { echo "$said"; exit 9; }; }
		'"$1" bash "$T" 3>&- 4>&-
}

# told WORDS -- OPTIONS: the remount is refused with the words.
told() {
	run timeout 20 "$ZSFS" -o "remount,$2" "$M"
	same "$status" 1
	[[ $output == *"$1"* ]] || { echo "no '$1' in: $output"; return 1; }
}

@test "remount: mount(8) makes it read-only and writable again" {
	with_helper '
		mount -t zsfs -o size=64M,noexec none "$M"
		echo text >"$M/f"
		mount -o remount,ro "$M"
		[[ $(opts) == ,ro,*noexec* ]]
		! echo x >"$M/g" || exit 9
		[ "$(cat "$M/f")" = text ]
		mount -o remount,rw "$M"
		[[ $(opts) == ,rw,*noexec* ]]
		echo x >"$M/g"
		[ "$(cat "$M/.zsctl/size")" = 67108864 ]
		mount -o remount,exec,nosuid,nodev "$M"
		[[ $(opts) == ,rw,nosuid,nodev,relatime,* ]]
		exec 7>"$M/open"
		refused "open for writing" mount -o remount,ro,size=1G "$M"
		[ "$(cat "$M/.zsctl/size")" = 67108864 ]
		exec 7>&-
		umount "$M"'
}

@test "remount: mount(8) sets limits, also of a read-only mount" {
	with_helper '
		mount -t zsfs -o size=64M,ro none "$M"
		mount -o remount,size=1g,mem_limit=300M,nr_inodes=2k,comp=zstd:3 "$M"
		[[ $(opts) == ,ro,* ]]
		[ "$(cat "$M"/.zsctl/{size,mem_limit,nr_inodes} | xargs)" = "1073741824 314572800 2048" ]
		[[ $(cat "$M/.zsctl/comp_algorithm") == *"[zstd:3]"* ]]
		mount -o remount,nr_blocks=1k "$M"
		[ "$(cat "$M/.zsctl/size")" = 4194304 ]
		# What there is already is no change.
		mount -o remount,chain_size=8,survive,allow_other,mode=700,uid=5 "$M"
		[ "$(stat -c %a:%u "$M")" = 1777:0 ]
		refused "chain_size: fixed by the mount; a remount can change size" mount -o remount,chain_size=9 "$M"
		refused bogus mount -o remount,rw,bogus "$M"
		[[ $(opts) == ,ro,* ]]
		umount "$M"'
}

@test "remount: mount(8) does not shrink a limit below its use, but mem_limit" {
	with_helper '
		mount -t zsfs -o size=64M,mem_limit=100M,nr_inodes=1k none "$M"
		head -c 30M /dev/urandom >"$M/f"
		cp "$M/f" "$1/want"
		was=$(cat "$M"/.zsctl/{size,mem_limit,nr_inodes} | xargs)
		refused "is too little" mount -o remount,size=29M "$M"
		refused "is too little" mount -o remount,nr_inodes=1 "$M"
		refused "is too little" mount -o remount,mem_limit=200M,size=1M "$M"
		[ "$(cat "$M"/.zsctl/{size,mem_limit,nr_inodes} | xargs)" = "$was" ]
		mount -o remount,size=30M,nr_inodes=2 "$M"
		# Less memory than is in use: deletions only.
		mount -o remount,size=64M,nr_inodes=100,mem_limit=20M "$M"
		[ "$(cat "$M/.zsctl/mem_limit")" = 20971520 ]
		! head -c 1M /dev/urandom >"$M/g" || exit 9
		cmp "$M/f" "$1/want"
		truncate -s 10M "$M/f"
		cmp -n 10485760 "$M/f" "$1/want"
		mount -o remount,mem_limit=100M "$M"
		head -c 30M /dev/urandom >"$M/g"
		umount "$M"'
}

@test "remount: with a line in fstab" {
	with_helper '
		echo "disk $M zsfs size=64M,noexec,chain_size=9,huge=never,noswap,mpol=bind:0,0,nosurvive,comp=zstd 0 0" >"$fstab"
		mount -T "$fstab" "$M"
		mount -T "$fstab" -o remount,ro "$M"
		[[ $(opts) == ,ro,*noexec* ]]
		mount -T "$fstab" -o remount,size=1G "$M"
		[[ $(opts) == ,rw,*noexec* ]]
		[ "$(cat "$M/.zsctl/size")" = 1073741824 ]
		refused "huge: fixed" mount -T "$fstab" -o remount,huge=always "$M"
		umount "$M"'
}

@test "remount: by hand nothing else is changed" {
	root_only
	zsfs_mount -o noexec,nodev,size=1M,mem_limit=100M,nr_inodes=5
	"$ZSFS" -o remount,nosuid,size=2M "$M"
	[[ $(flags) == ,rw,nosuid,nodev,noexec,relatime, ]]
	same "$(limits)" "2097152 104857600 5"
	"$ZSFS" -o remount,exec,noatime,nodiratime none "$M"
	[[ $(flags) == ,rw,nosuid,nodev,noatime,nodiratime, ]]
	"$ZSFS" -o remount,strictatime,ro "$M"
	[[ $(flags) == ,ro,nosuid,nodev,nodiratime, ]]
	"$ZSFS" -o remount,relatime,diratime,rw,suid,dev,nosymfollow "$M"
	[[ $(flags) == ,rw,relatime,nosymfollow, ]]
}

@test "remount: all or nothing, with the reason" {
	zsfs_mount -o size=10M,nr_inodes=50
	expect ok put "$M/f" 2000000
	was=$(limits)
	told "too little" size=20M,nr_inodes=99,mem_limit=1M
	same "$(limits)" "$was"
	told "too little" nr_inodes=60,size=1M
	same "$(limits)" "$was"
	told "bad value" size=20M,mem_limit=x
	told fsname fsname=other
	told subtype subtype=other
	told noswap noswap
	told survive nosurvive
	told allow_other "$([ $EUID = 0 ] && echo noallow_other || echo allow_other)"
	told dirsync dirsync
	told user_idx user_idx=0
	same "$(limits)" "$was"
	zsfs_umount
	wait_daemon
	told "no zsfs is mounted" size=1G
}

@test "remount: access times follow the flags of the mount" {
	root_only
	zsfs_mount
	# stamped: does reading a file that was just written stamp it?
	stamped() {
		echo text >"$M/f"
		touch -a -d '2 hours ago' "$M/f"
		before=$(stat -c %X "$M/f")
		drop_cache
		cat "$M/f" >"$T/out"
		[ "$(stat -c %X "$M/f")" != "$before" ]
	}
	stamped
	# Later versions than 2.38 call fsconfig(2), which FUSE refuses.
	export LIBMOUNT_FORCE_MOUNT2=always
	for way in "$ZSFS -o remount,noatime" "mount -i -o remount,noatime" \
		"mount -o remount,bind,noatime"; do
		$way "$M"
		fails stamped
		same "$(json .mount.atime)" noatime
		"$ZSFS" -o remount,relatime "$M"
		stamped
	done
	# A mount somewhere else is none of its business.
	mkdir "$T/other"
	mount --bind "$M" "$T/other"
	mount -o remount,bind,noatime "$T/other"
	same "$(json .mount.atime)" relatime
	stamped
	umount "$T/other"
	kill -9 $(jq -r .survival.worker "$M/.zsstats/stats.json") 2>/dev/null || true
	"$ZSFS" -o remount,strictatime "$M"
	same "$(json .mount.atime)" strictatime
}

@test "remount: an ordinary user" {
	as_nobody '
		$ZSFS -o size=1M $M
		$ZSFS -o remount,size=2M,comp=zstd,nosuid,rw $M
		[ "$(cat $M/.zsctl/size)" = 2097152 ]
		for o in ro noatime noexec; do
			said=$($ZSFS -o remount,size=5M,$o $M 2>&1) && exit 9
			[[ $said == *"only root"* ]]
		done
		[ "$(cat $M/.zsctl/size)" = 2097152 ]
		fusermount3 -u $M'
}
