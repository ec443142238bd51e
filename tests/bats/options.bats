#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The command line: what each option does, and what bad values are told.
load helpers

setup() {
	zsfs_setup
	zsfs_only
}

teardown() { zsfs_teardown; }

# bad WORD... -- ARGUMENTS: exit code 1, a message with all the words, no mount.
bad() {
	local words=() word

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	if timeout 20 "$ZSFS" "$@" "$M" >"$T/out" 2>"$T/err" 3>&- 4>&-; then
		echo "accepted: $*"
		return 1
	else
		same $? 1
	fi
	fails is_mounted "$M"
	same "$(cat "$T/out")" ""
	for word in "${words[@]}"; do
		grep -qF -- "$word" "$T/err" ||
			{ echo "no '$word' in: $(cat "$T/err")"; return 1; }
	done
}

# bad_values OPTION VALUES...: the message names the option, the value, and
# what is allowed.
bad_values() {
	local option=$1 value

	shift
	for value; do
		bad "$option" "${value:0:50}" allowed -- -o "$option=$value"
	done
}

# good ARGUMENTS: mounts; the test looks; then again() unmounts.
good() {
	zsfs_mount "$@"
}

again() {
	zsfs_umount
	wait_daemon
}

HUGE=99999999999999999999999999
LONG=$(printf '7%.0s' {1..3000})

@test "options: --help and --version" {
	for o in -h --help; do
		run -0 "$ZSFS" $o
		[[ $output == Usage:*zsfs* ]]
		[[ $output == *mem_limit=* && $output == *--version* ]]
	done
	for o in -V --version; do
		run -0 "$ZSFS" $o
		[[ $output =~ ^zsfs\ [0-9]+\.[0-9]+ ]]
	done
}

@test "options: size" {
	bad_values size '' -1 -1M 1x M 1MM '1 2' abc 1.5G % -5% 5%% $HUGE "$LONG" 0x10
	good -o size=64M
	same "$(cat "$M/.zsctl/size")" 67108864
	same "$(stat -f -c %b "$M")" 16384
	again
	good -o size=10%
	ram=$(awk '/MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
	between $((ram / 10 - 8192)) "$(control size)" $((ram / 10 + 8192))
	again
	good -o size=0
	same "$(control size)" 0
	again
	good
	same "$(control size)" 0
}

@test "options: mem_limit" {
	bad_values mem_limit '' -1 1x G abc 1.5G % 101% -5% $HUGE "$LONG"
	bad mem_limit allowed -- -o mem_limit=1
	good -o mem_limit=256M
	same "$(control mem_limit)" 268435456
	same "$(mm_stat 4)" 268435456
	again
	good -o mem_limit=0
	same "$(control mem_limit)" 0
	expect ok put "$M/f" 100000
	again
	good -o mem_limit=5%
	ram=$(awk '/MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
	between $((ram / 20 - 8192)) "$(control mem_limit)" $((ram / 20 + 8192))
}

@test "options: mem_limit's default is half of the RAM at most" {
	good
	ram=$(awk '/MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
	between 1048576 "$(control mem_limit)" $((ram / 2))
	[ "$(available)" -le $((ram / 2)) ]
}

@test "options: nr_inodes" {
	bad_values nr_inodes '' -1 1x K abc 1.5K 50% $HUGE "$LONG"
	good -o nr_inodes=1K
	same "$(control nr_inodes)" 1024
	expect ok -n 1023 create "$M/f%d" 644 # the root is one
	expect ENOSPC create "$M/g" 644
}

@test "options: mode, uid, gid" {
	bad_values mode '' -1 8 9 789 10000 77777 rwx 0x1ff u+x $HUGE
	bad_values uid '' -1 1x nosuchuser 4294967295 4294967296 $HUGE
	bad_values gid '' -1 1x nosuchgroup 4294967295 4294967296 $HUGE
	root_only
	good -o mode=0751,uid=1000,gid=2000
	same "$(stat -c %a:%u:%g "$M")" 751:1000:2000
	# The owner has the control files, the group has not, and no help says so.
	same "$(as 1000 cat "$M/.zsctl/size")" 0
	fails as 1001:2000 cat "$M/.zsctl/size"
	fails grep likewise <<<"$("$ZSFS" --help | grep gid=)"
	again
	good -o mode=3777,uid=nobody
	same "$(stat -c %a:%u "$M")" "3777:$(id -u nobody)"
	again
	good
	same "$(stat -c %a:%u:%g "$M")" 1777:0:0
}

@test "options: comp" {
	bad_values comp '' gzip LZ4 lz4: lz4:0 lz4:-1 lz4:65538 lz4:1x zstd:0 \
		zstd:20 zstd:-1 zstd: zstd:3x none:1 $HUGE zstd:$HUGE
	text_file "$T/text" 1000000
	for v in lz4 lz4:65537 zstd zstd:1 zstd:19 none; do
		good -o comp=$v
		[[ $(control comp_algorithm) == *"[${v%%:*}"* ]]
		cp "$T/text" "$M/f"
		drop_cache
		cmp "$T/text" "$M/f"
		again
	done
}

@test "options: comp=lz4:N with a large N saves nothing, and that is said" {
	for text in "$("$ZSFS" -h)" "$(cat "$TOP/man/zsfs.1")"; do
		[[ $text == *lz4:8*lz4:64* ]]
	done
	text_file "$T/text" 4000000
	sizes=()
	for v in lz4 lz4:8 lz4:64 zstd; do
		good -o comp=$v
		cp "$T/text" "$M/f"
		sizes+=("$(mm_stat 2)")
		again
	done
	[ "${sizes[3]}" -lt "${sizes[0]}" ]
	[ "${sizes[0]}" -lt "${sizes[1]}" ]
	[ "${sizes[1]}" -lt "${sizes[2]}" ]
}

@test "options: chain_size" {
	bad_values chain_size '' 0 3 17 -4 8x abc 4.5 $HUGE
	for n in 4 7 16; do
		good -o chain_size=$n
		same "$(json .chain_size)" $n
		expect ok -n 50 put "$M/f%d" 9000
		again
	done
}

@test "options: unknown ones are named" {
	bad nosuchthing -- -o nosuchthing
	bad nosuchthing -- -o size=1G,nosuchthing=5
	bad Size -- -o Size=1G
	bad "size" -- -o size
	bad noexec -- -o noexec=1
	bad -z -- -z
	bad --nosuch -- --nosuch
	bad user_id -- -o user_id=5
	bad '"fd"' -- -o fd=5
}

@test "options: lists, repeats, the last one wins" {
	good -o size=1M,size=2M -o size=3M,,nr_inodes=7
	same "$(control size) $(control nr_inodes)" "3145728 7"
	again
	good -osize=4M -o ro,rw
	same "$(control size)" 4194304
	touch "$M/f"
}

@test "options: no mountpoint, or too many words" {
	run "$ZSFS"
	same "$status" 1
	[[ $output == *"no mountpoint"*"zsfs -o size=8G,nosuid,nodev /mnt/z"* ]]
	run "$ZSFS" a b "$M"
	same "$status" 1
	[ -n "$output" ]
	run "$ZSFS" -o
	same "$status" 1
	[ -n "$output" ]
	fails is_mounted "$M"
}

# told WORDS... -- ARGUMENTS: refused, with the arguments as they are.
told() {
	local words=()

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	refused "${words[@]}" -- "$ZSFS" "$@"
}

@test "options: an option that is not behind -o is no SOURCE" {
	for o in nosuid size=8G mem_limit=1G size=8GB ro noatime,size=1G comp=zstd nr_inodes=1k; do
		told "did you mean -o $o?" -- "$o" "$M"
		told "did you mean -o $o?" -- "$M" "$o"
		told "did you mean -o $o?" -- --"$o" "$M"
		told "did you mean -o $o?" -- -"$o" "$M"
	done
	told "did you mean -o nr_inodes=9?" -- -o size=8G, nr_inodes=9 "$M"
	told "-o fsname=dev" -- dev "$M"
	ln -s "$ZSFS" "$T/mount.zsfs"
	ZSFS=$T/mount.zsfs told "did you mean -o size=8G?" -- size=8G "$M"
	# mount(8) names what has no source by what it is for.
	"$T/mount.zsfs" dev "$M" -o rw 3>&- 4>&-
	same "$(mount_field "$M" source)" dev
	again_daemon=$(daemons_of "$M")
	zsfs_umount
	gone() { ! kill -0 $again_daemon 2>/dev/null; }
	poll 10 gone
	good -o fsname=size=8G
	same "$(control size)" 0
}

@test "options: a command is no SOURCE and no mountpoint" {
	told "no command" "to unmount: umount" -- umount "$M"
	told "no command" "to unmount: umount" -- unmount
	told "to unmount: umount" -- -u "$M"
	told "no command" .zsstats -- status
	told "no command" .zsstats -- status "$M"
	told "no command" -o -- mount "$M"
	told "no command" remount -- remount "$M" size=9%
	told "no command" --replace -- upgrade "$M"
	told "no command" --help -- help
	mkdir "$T/status"
	(cd "$T" && "$ZSFS" ./status 3>&- 4>&-)
	is_mounted "$T/status"
	umount "$T/status"
}

@test "options: a path is no SOURCE" {
	touch "$T/image"
	told "only a name" "$T/image" -- "$T/image" "$M"
	told "only a name" / -- / "$M"
	[ ! -b /dev/loop0 ] || told "only a name" -- /dev/loop0 "$M"
	good -o fsname="$T/image"
	again
	good /no/such/thing
	same "$(mount_field "$M" source)" /no/such/thing
}

@test "options: ro" {
	good -o ro
	[[ $(mount_field "$M" options) == ro* ]]
	expect EROFS create "$M/f" 644
	expect EROFS mkdir "$M/d" 755
	same "$(control size)" 0
	ls -A "$M"
}

@test "options: noexec, nosuid, nodev, and their opposites" {
	root_only
	good -o noexec,nosuid,nodev
	[[ ,$(mount_field "$M" options), == *,nosuid,nodev,noexec,* ]]
	cp /bin/true "$M/p"
	expect ok mknod "$M/null" c 666 1 3
	run "$M/p"
	same "$status" 126
	expect EACCES open "$M/null" r
	again
	good -o noexec,nosuid,nodev,exec,suid,dev
	[[ ,$(mount_field "$M" options), != *,no[esd]* ]]
	again
	good
	[[ ,$(mount_field "$M" options), != *,no[esd]* ]]
	expect ok mknod "$M/null" c 666 1 3
	expect ok open "$M/null" r
	cp "$ZSFS_TOOLS/fsop" "$M/p"
	"$M/p" stat "$M" >/dev/null
}

@test "options: a suid program of the mount gets its owner's rights" {
	root_only
	good
	cp "$(command -v id)" "$M/id"
	chown 1234 "$M/id"
	chmod 4755 "$M/id"
	same "$("$M/id" -u)" 1234
	again
	good -o nosuid
	cp "$(command -v id)" "$M/id"
	chown 1234 "$M/id"
	chmod 4755 "$M/id"
	same "$("$M/id" -u)" 0
}

@test "options: noatime and sync" {
	good -o noatime,sync
	[[ ,$(mount_field "$M" options), == *,noatime,* ]]
	[[ ,$(mount_field "$M" options),$(mount_field "$M" super), == *,sync,* ]]
	expect ok put "$M/f" 10000
}

@test "options: allow_other is root's default, noallow_other ends it" {
	root_only
	good
	[[ ,$(mount_field "$M" super), == *,default_permissions,allow_other* ]]
	expect ok -u 1000:1000 stat "$M"
	expect ok -u 1000:1000 create "$M/f" 644
	again
	good -o noallow_other
	expect EACCES -u 1000:1000 stat "$M/f"
	again
	good -o noallow_other,allow_other
	expect ok -u 1000:1000 stat "$M"
}

@test "options: fsname, subtype and SOURCE" {
	good
	same "$(mount_field "$M" type)" fuse.zsfs
	same "$(mount_field "$M" source)" zsfs
	again
	good -o fsname=disk,subtype=other
	same "$(mount_field "$M" type) $(mount_field "$M" source)" "fuse.other disk"
	again
	good -o subtype=
	same "$(mount_field "$M" type)" fuse
	again
	good source
	same "$(mount_field "$M" source)" source
	same "$(df --output=source "$M" | tail -n 1)" source
	again
	bad_values fsname "$LONG"
	bad_values subtype "$LONG"
}

@test "options: what mount(8) and fstab add is accepted" {
	good -o defaults,noauto,user,nofail,_netdev,x-systemd.automount,relatime
	expect ok create "$M/f" 644
}

# The options of a mount in mountinfo, between commas.
flags() { echo ",$(mount_field "$M" options),"; }

@test "options: the words of tmpfs and mount(8)" {
	root_only
	for o in noatime,nodiratime mode=1777,strictatime,nosuid,nodev,size=50%,nr_inodes=1m \
		nosymfollow symfollow comment=x comment iversion noiversion mand nomand \
		lazytime nolazytime diratime norelatime nostrictatime,relatime \
		size=10m size=1g,nr_inodes=10k size=100k nr_blocks=10k nr_blocks=0 \
		inode32 inode64 huge=never huge=always huge=within_size huge=advise \
		mpol=default mpol=local mpol=prefer:0 mpol=bind:0,0 mpol=interleave=static:0,size=1m \
		"mpol=prefer (many):0" seclabel \
		context=system_u:object_r:tmp_t:s0 'rootcontext="a:b:c0,c1",noexec' \
		loud silent _netdev nofail auto noauto user=joe users,owner,group noquota \
		x-systemd.requires=a.mount X-mount.mkdir=0755 x-gvfs-hide uhelper=u nonempty; do
		good -o "$o"
		expect ok put "$M/f" 10000
		again
	done
	for o in usrquota grpquota quota usrquota_block_hardlimit=1g; do
		bad "${o%=*}" size= nr_inodes= -- -o "$o"
	done
	bad casefold -- -o casefold
	bad huge never -- -o huge=maybe
	bad mpol -- -o mpol=nonsense
	bad mpol -- -o mpol=bind:9999
}

@test "options: what the kernel can do for a mount is done" {
	root_only
	good -o nosymfollow,nodiratime,noexec
	[[ $(flags) == *,noexec,*nodiratime,*nosymfollow,* ]]
	echo text >"$M/f"
	ln -s f "$M/l"
	expect ELOOP open "$M/l" r
	same "$(readlink "$M/l")" f
	again
	good -o strictatime,ro,nosuid
	[[ $(flags) == ,ro,nosuid, ]]
	same "$(json .mount.atime)" strictatime
	again
	good -o noswap,huge=never,mpol=local
	same "$(json .mount.memory_options)" noswap,huge=never,mpol=local
	same "$(json .memory.huge_pages)" false
	expect ok -n 20 put "$M/f%d" 100000
	again
	good -o mand,iversion,lazytime,inode32
	same "$(json '.mount.without_effect | join(" ")')" "mand iversion lazytime inode32"
	[[ $(flags),$(mount_field "$M" super) != *mand* ]]
	again
	good
	same "$(json '.mount | [.atime, .memory_options, (.without_effect | length)] | join(" ")')" \
		"relatime  0"
}

@test "options: strictatime stamps what the kernel asks for" {
	good -o strictatime
	echo text >"$M/f"
	for _ in 1 2 3; do
		touch -a -d '2 hours' "$M/f"
		before=$(stat -c %X "$M/f")
		drop_cache
		cat "$M/f" >"$T/out"
		[ "$(stat -c %X "$M/f")" != "$before" ]
	done
	again
	good
	echo text >"$M/f"
	touch -a -d '2 hours' "$M/f"
	before=$(stat -c %X "$M/f")
	drop_cache
	cat "$M/f" >"$T/out"
	same "$(stat -c %X "$M/f")" "$before"
}

@test "options: systemd's tmp.mount with Type=zsfs" {
	root_only
	ln -s "$ZSFS" "$T/mount.zsfs"
	timeout 30 "$T/mount.zsfs" tmpfs "$M" -o \
		rw,nosuid,nodev,strictatime,mode=1777,size=50%,nr_inodes=1m 3>&- 4>&-
	same "$(stat -c %a "$M") $(mount_field "$M" source)" "1777 tmpfs"
	[[ $(flags) == ,rw,nosuid,nodev, ]]
	same "$(control nr_inodes)" 1048576
	umount "$M"
	no_daemon() { [ -z "$(daemons_of "$M")" ]; }
	poll 10 no_daemon
}

@test "options: words of tmpfs that only root may use" {
	as_nobody '
		for o in noswap mpol=local nosymfollow; do
			said=$($ZSFS -o $o $M 2>&1) && exit 1
			[[ $said == *${o%=*}*"only root"* ]]
		done
		$ZSFS -o strictatime,nodiratime,huge=never,inode64,mand $M
		echo text >$M/f
		touch -a -d "2 hours" $M/f
		before=$(stat -c %X $M/f)
		grep -q "\"atime\":\"strictatime\"" $M/.zsstats/stats.json
		dd if=$M/f iflag=direct of=/dev/null status=none
		[ $(stat -c %X $M/f) != $before ]
		fusermount3 -u $M'
}

@test "options: -d shows requests" {
	zsfs_start "$M" -d
	expect ok create "$M/a-name" 644
	zsfs_umount
	grep -qi create "$LOG"
	expect_log . # a debug log may hold any word
}
