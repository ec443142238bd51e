#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# zsctl: its commands on a live mount, and what it says where there is none.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	ZSCTL=${ZSCTL:-$(dirname "$ZSFS")/zsctl}
	[ -x "$ZSCTL" ] || skip "zsctl is not built"
	export ZSCTL LC_ALL=C NO_COLOR=1
}

teardown() { zsfs_teardown; }

zsctl() {
	timeout 60 "$ZSCTL" "$@"
}

# ends STATUS WORDS... -- COMMAND...: ends so, and says all of these.
ends() {
	local want=$1 words=() word

	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	run "$@" 3>&- 4>&-
	[ "$status" = "$want" ] || { echo "status $status of $*: $output"; return 1; }
	for word in "${words[@]}"; do
		[[ $output == *"$word"* ]] || { echo "no '$word' in: $output"; return 1; }
	done
}

# Columns of the row of a mount, in bytes.
row() {
	zsctl list -nrb -o "$2" "$1"
}

# In a terminal of ROWSxCOLUMNS; what is drawn goes to $T/screen.
in_terminal() {
	local size=$1

	shift
	need script
	TERM=xterm timeout 60 script -qefc "stty rows ${size%x*} cols ${size#*x}; $*" \
		"$T/screen" </dev/null >/dev/null 3>&- 4>&-
}

# What was drawn, with a blank for whatever moves the cursor.
drawn() {
	sed -E 's/\x1b(\[[0-9;?]*[a-zA-Z]|\(B)/ /g' "$T/screen"
}

settled() {
	zsctl settle "$M" >/dev/null
	[ "$(row "$M" SETTLED)" != 0% ]
}

@test "zsctl: list tells what the virtual files tell" {
	zsfs_mount -o mem_limit=256M,comp=zstd
	text_file "$M/text" 4000000
	read -r at algorithm data compr ram limit < <(row "$M" MOUNTPOINT,ALGORITHM,DATA,COMPR,RAM,LIMIT)
	same "$at $algorithm $limit" "$M zstd 268435456"
	same "$data $compr" "$(mm_stat 1) $(mm_stat 2)"
	same "$ram" "$(mm_stat 3)"
	poll 10 has_standby
	same "$(row "$M" STATE)" ready
	# Without a name it is one of the rows, also by no command at all.
	zsctl | grep -q "^$M "
	same "$(zsctl list "$M" | head -n 1 | xargs)" \
		"MOUNTPOINT ALGORITHM DATA COMPR RAM SAVED LIMIT USE% SETTLED STATE"
	same "$(zsctl list -nr -o +FILES "$M" | wc -w)" 11
	same "$(zsctl list -J -b "$M" | jq -r ".mounts[0].data")" "$data"
	same "$(zsctl --json "$M" | jq -r '.mounts[0].state')" ready
	ends 1 'no column "NONE"' -- zsctl list -o NONE
	# A column that is named twice is one.
	same "$(zsctl list -nr -o RAM,ram,MOUNTPOINT,RAM "$M" | wc -w)" 2
	same "$(zsctl list -J -o +DATA "$M" | grep -c '"data"')" 1
	ends 1 exclude -- zsctl list --raw --json
	# All columns there are.
	all=$(zsctl list --help | sed -nE '/^Columns/,/^$/s/^  [* ] ([^ ]+) .*/\1/p' | paste -sd,)
	same "$(zsctl list -nr -o "$all" "$M" | wc -l)" 1
}

# Requests that reading stats.json says were served.
served() {
	json '[.requests | .lookup, .open, .read, .getattr, .getxattr] | @tsv'
}

@test "zsctl: list asks a mount once, and loads what it needs" {
	local a b c i

	zsfs_mount
	served
	read -ra a < <(served)
	read -ra b < <(served)
	zsctl list "$M"
	read -ra c < <(served)
	for i in 0 1 2 3; do
		same "$((c[i] - b[i]))" "$((b[i] - a[i]))"
	done
	same "$((c[4] - b[4]))" 1
	# Where there is no attribute, it reads the file.
	zsfs_umount
	wait_daemon
	zsfs_mount -o noxattr
	poll 20 has_standby
	same "$(row "$M" STATE)" ready
	# With a cache of writes the end of the file is asked for, too.
	all_have writeback || same "$(json .requests.read)" 2
	need ldd
	fails grep -E 'curses|tinfo|libm\.so' <<<"$(ldd "$ZSCTL")"
}

@test "zsctl: a name cannot command the terminal" {
	at=$T/a$'\033[31m\nb'
	mkdir "$at"
	"$ZSFS" "$at" >>"$LOG" 2>&1 3>&- 4>&-
	text_file "$at/text" 100000
	for command in show settle compact verify list; do
		zsctl $command "$at" >"$T/said" 2>&1
		fails grep -q $'\033' "$T/said"
	done
	zsctl show "$at" | grep -qF "$T/a?[31m?b   zsfs"
	ends 4 "a?[31m?b/none: No such" -- zsctl show "$at/none"
	ends 1 'a?[31mb" is too much' -- zsctl show "$at" $'a\033[31mb'
	# Scripts get it as it is.
	zsctl list -J | jq -r '.mounts[].mountpoint' | grep -qxF "$T/a"$'\033[31m'
}

@test "zsctl: a mount is found by what is in it, by links and with blanks" {
	export LC_ALL=C.UTF-8
	mkdir -p "$T/a b/ü"
	"$ZSFS" "$T/a b/ü" >>"$LOG" 2>&1 3>&- 4>&-
	mkdir -p "$T/a b/ü/deep/er"
	ln -s "$T/a b/ü" "$T/link"
	ln -s "$T/a b/ü/deep" "$T/inside"
	for path in "$T/a b/ü" "$T/a b/ü/" "$T/link" "$T/link/deep/er" "$T/inside"; do
		same "$(zsctl get "$path" chain_size)" 8
	done
	(cd "$T/link/deep" && same "$(zsctl get . chain_size)" 8)
	zsctl show "$T/link" | grep -qF "$T/a b/ü   zsfs"
	zsctl list -nr | grep -qF 'a\x20b'
	# Where only a part of it is seen, the rest is still found.
	root_only
	mkdir "$T/part"
	mount --bind "$T/link/deep" "$T/part"
	same "$(zsctl get "$T/part" chain_size)" 8
	same "$(zsctl list -nr -o SOURCE,MOUNTPOINT | grep -c "$T")" 1
	umount "$T/part"
}

@test "zsctl: what is no mount, or none any more" {
	ends 4 "$T: no zsfs is mounted there" -- zsctl show "$T"
	ends 4 'no zsfs is mounted there' -- zsctl list "$T"
	ends 4 'no zsfs is mounted there' -- zsctl show /proc
	ends 4 'No such file' -- zsctl settle "$T/none"
	ends 4 '' -- zsctl get ''
	ends 4 '' -- zsctl replace "$T"
	ends 3 'not ready after 0.1' -- zsctl wait-ready -t 0.1 "$T"
	ends 0 -- zsctl list
	root_only
	# The others are still listed.
	zsfs_mount
	ends 4 'no zsfs is mounted there' "$M " -- zsctl list "$T" "$M"
	# Another file system of this kind, and what looks like ours.
	mkdir -p "$T/other/.zsstats"
	mount -t tmpfs none "$T/other"
	mkdir "$T/other/.zsstats"
	echo '{}' >"$T/other/.zsstats/stats.json"
	ends 4 'no zsfs is mounted there' -- zsctl show "$T/other"
	umount "$T/other"
	# One that lies under another one.
	mount -t tmpfs none "$M"
	zsctl list -nr -o MOUNTPOINT,STATE | grep -qxF "$M covered"
	ends 4 'no zsfs is mounted there' -- zsctl show "$M"
	umount "$M"
}

@test "zsctl: a dead mount" {
	expect_log .
	zsfs_mount -o nosurvive
	same "$(row "$M" STATE,WORKER)" "single $DAEMON"
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	zsctl list -nr -o MOUNTPOINT,DATA,RAM,STATE | grep -qxF "$M - - dead"
	zsctl list -J | jq -e ".mounts[] | select(.mountpoint == \"$M\") | .data == null and .saved == null"
	ends 4 "$M: its daemon has died" 'umount -l' -- zsctl show "$M"
	ends 4 'has died' -- zsctl show "$M/"
	ends 4 'has died' -- zsctl set "$M" size=0
	ends 4 "$M: its daemon has died" -- zsctl du "$M"
	[[ $output != *DATA* ]]
	ends 3 'not ready' -- zsctl wait-ready -t 0 "$M"
	umount -l "$M"
}

@test "zsctl: a mount that does not answer holds up nobody for long" {
	zsfs_mount -o nosurvive
	mkdir "$M/sub"
	kill -STOP "$DAEMON"
	on_teardown "kill -CONT $DAEMON 2>/dev/null"
	ends 0 'no answer' -- zsctl list "$M"
	# Nobody is asked for what is known.
	ends 0 "$M " -- timeout 2 "$ZSCTL" list -nr -o MOUNTPOINT,OPTIONS,source
	ends 1 'no column ""' -- timeout 2 "$ZSCTL" list -o MOUNTPOINT,
	ends 1 'does not answer' -- zsctl show "$M"
	ends 1 "$M: it does not answer" -- zsctl du "$M" "$M"
	for command in show du; do
		ends 1 "$M/sub: it does not answer" -- timeout 20 "$ZSCTL" $command "$M/sub"
		ends 1 'm/sub: it does not answer' -- timeout 20 bash -c "cd '$T' && '$ZSCTL' $command m/sub"
	done
	kill -CONT "$DAEMON"
	same "$(row "$M" STATE)" single
}

@test "zsctl: who may look and who may change" {
	root_only
	need setpriv
	zsfs_mount
	cp "$ZSCTL" "$T/zsctl"
	ends 0 "$M" -- as $NOBODY "$T/zsctl" show "$M"
	ends 0 size -- as $NOBODY "$T/zsctl" get "$M"
	ends 1 'only root and the owner' -- as $NOBODY "$T/zsctl" set "$M" size=1G
	ends 1 'only root and the owner' -- as $NOBODY "$T/zsctl" compact "$M"
	ends 0 'stats.json' -- as $NOBODY "$T/zsctl" report "$M"
	same "$(control size)" 0
	# A user's own mount is closed to others, root too.
	zsfs_umount
	wait_daemon
	zsfs_start "$M" -o noallow_other
	ends 1 'only its owner or who mounted it' -- as $NOBODY "$T/zsctl" show "$M"
	as $NOBODY "$T/zsctl" list -nr -o MOUNTPOINT,RAM,STATE | grep -qxF "$M - no\x20access"
	# One with hidestats is its owner's, who need not have mounted it.
	zsfs_umount
	wait_daemon
	zsfs_start "$M" -o hidestats,uid=1000
	cp "$ZSFS" "$T/zsfs"
	ends 0 "$M" -- as 1000 "$T/zsctl" show "$M"
	ends 1 'only its owner or' -- as $NOBODY "$T/zsctl" show "$M"
	ends 1 'only its owner or' -- as $NOBODY "$T/zsfs" --replace "$M"
	ends 1 'only its owner or' -- as $NOBODY "$T/zsfs" -o remount,size=1G "$M"
}

@test "zsctl: show says what is odd" {
	expect_late_losses
	zsfs_mount -o mem_limit=64M,nosurvive,settle=off
	text_file "$M/text" 3000000
	ends 0 '' -- zsctl show "$M"
	grep '^!   one process serves it' <<<"$output"
	fails grep '^!!' <<<"$output"
	same "$(zsctl show -b "$M" | awk '/^Holds/ { print $2 }')" "$(mm_stat 1)"
	[ "$(zsctl show "$M" | wc -L)" -le 80 ]
	head -c 64000000 /dev/urandom >"$M/random" 2>/dev/null || true
	zsctl show "$M" | grep -qE '^!!  mem_limit is (near|reached)'
	zsctl show "$M" | grep -q 'does not compress'
}

# shown PATTERN: by "show".
shown() {
	grep -q "$1" <<<"$(zsctl show "$M")"
}

@test "zsctl: one of a kind has no s, and a limit that is reached is not near" {
	zsfs_mount -o size=1M,nr_inodes=2,settle=off
	ends 0 'in 1 folder' -- zsctl show "$M"
	fails grep -qE 'nr_inodes is|size is' <<<"$output"
	head -c 1000000 /dev/urandom >"$M/f"
	zsctl show "$M" | grep -q '^!!  size is near, '
	zsctl show "$M" | grep -q '^!!  nr_inodes is reached; '
	head -c 1048576 /dev/urandom >"$M/f"
	zsctl show "$M" | grep -q '^!!  size is reached, '
	ends 3 'after 1 second' -- zsctl wait-ready -t 1 "$T"
	[[ $output != *seconds* ]]
	rm "$M/f"
	poll 20 has_standby
	kill -9 "$(worker)"
	poll 20 shown ' 1 takeover$'
	shown 'has died 1 time ('
}

@test "zsctl: settle, compact and verify say what came of it" {
	zsfs_mount
	text_file "$M/text" 4000000
	settled
	ends 0 "$M: settled" 'RAM' -- zsctl settle --progress "$M"
	ends 0 'compacted' -- zsctl compact "$M"
	ends 0 "$M: clean" -- zsctl verify --progress "$M"
	in_terminal 24x80 "'$ZSCTL' verify --progress '$M'"
	grep -q clean "$T/screen"
}

@test "zsctl: long work does not complain of a mount that is at work" {
	root_only
	need script
	zsfs_mount -o nosurvive
	mkdir "$T/other"
	daemon=$DAEMON
	zsfs_start "$T/other" -o nosurvive
	other=$DAEMON
	DAEMON=$daemon
	on_teardown "kill -CONT $daemon $other 2>/dev/null"
	# The work hangs in the other mount, and the mount itself soon, too.
	mount --bind "$T/other/.zsctl" "$M/.zsctl"
	kill -STOP "$other"
	in_terminal 24x80 "echo \$\$ >'$T/pid'; exec '$ZSCTL' verify --progress '$M'" &
	poll 10 grep -aqs verify "$T/screen"
	kill -STOP "$daemon"
	sleep 3.5
	# Who works, who looks, who asks, and the bar.
	between 2 "$(ls "/proc/$(cat "$T/pid")/task" | wc -l)" 4
	before=$(stat -c %s "$T/screen")
	sleep 0.5
	[ "$(stat -c %s "$T/screen")" -gt "$before" ]
	kill -CONT "$daemon" "$other"
	wait $!
	fails grep -aq 'does not answer' "$T/screen"
	grep -aq clean "$T/screen"
	umount "$M/.zsctl"
	zsfs_umount "$T/other"
	wait "$other"
}

@test "zsctl: what an older mount cannot do is said" {
	root_only
	zsfs_mount
	mount -t tmpfs none "$M/.zsctl"
	for command in settle compact verify; do
		ends 1 "$M: this mount is older and cannot $command" -- zsctl $command "$M"
	done
	ends 1 "$M: this mount is older and has no size" -- zsctl set "$M" size=1G
	umount "$M/.zsctl"
	ends 0 'compacted' -- zsctl compact "$M"
}

@test "zsctl: what a read-only mount cannot do is said" {
	zsfs_mount
	"$ZSFS" -o remount,ro "$M"
	ends 1 "\"zsfs -o remount,size=1G $M\" changes it" -- zsctl set "$M" size=1G
	ends 1 "remount,comp=zstd $M" -- zsctl set "$M" comp_algorithm=zstd
	ends 1 "$M: the mount is read-only" -- zsctl set "$M" mem_used_max=0
	for command in settle compact verify; do
		ends 1 "\"zsfs -o remount,rw $M\" comes before $command" -- zsctl $command "$M"
	done
	# What was said holds.
	"$ZSFS" -o remount,size=1G "$M"
	same "$(zsctl get "$M" size)" 1073741824
	"$ZSFS" -o remount,rw "$M"
	ends 0 compacted -- zsctl compact "$M"
}

@test "zsctl: verify names what is damaged, and show warns of it" {
	root_only
	zsfs_mount -o nosurvive,comp=none
	random_file "$M/f" 40960
	bytes=$(dd if="$M/f" bs=4096 skip=3 count=1 status=none |
		tail -c +1001 | head -c 48 | xxd -p | tr -d '\n')
	head -c 2097152 /dev/zero >"$M/other"
	drop_cache
	"$PYTHON" "$BATS_TEST_DIRNAME/flip_bit.py" "$DAEMON" "$bytes"
	expect_log 'content does not verify'
	ends 2 "$M: 1 damaged block" "inode $(stat -c %i "$M/f") block 3" \
		"find $M -xdev -inum" -- zsctl verify "$M"
	zsctl show "$M" | grep -q '^!!  the last check found 1 damaged'
	fails cat "$M/f"
	zsctl show "$M" | grep -qE '^!!  (1 damaged block was|[0-9]+ damaged blocks were) read'
	[ "$(row "$M" CORRUPT)" -ge 1 ]
	rm "$M/f"
}

@test "zsctl: du tells what files take, and which compress badly" {
	zsfs_mount
	mkdir -p "$M/a/b" "$M/c d"
	text_file "$M/a/b/text" 3000000
	random_file "$M/c d/random" 409600
	ln "$M/c d/random" "$M/a/again"
	head -c 100000 /dev/zero >"$M/zeros"
	truncate -s 1G "$M/sparse"
	ln -s /etc "$M/a/link"
	same "$(zsctl du -nrb -o DATA,RAW,SAME,FILES "$M" | xargs)" \
		"$((733 * 4096 + 409600 + 25 * 4096)) 409600 102400 4"
	# All of it is what the mount says of its tiers.
	same "$(zsctl du -nrb -o DATA,RAM "$M" | xargs)" \
		"$(json '[.tiers[] | objects] | "\(map(.bytes) | add) \(map(.ram) | add)"')"
	same "$(zsctl du -nr -o PATH -d 1 "$M" | sort | paste -sd ' ')" "$M $M/a $M/c\x20d"
	same "$(zsctl du -nr -o PATH -a "$M" | wc -l)" 8
	[[ $(basename "$(zsctl du -nr -o PATH -w 1 "$M")") =~ ^(random|again)$ ]]
	same "$(zsctl du -nr -o RAW% "$M/c d")" 100%
	same "$(cd "$M/a" && zsctl du -nr -o PATH)" .
	settled
	same "$(zsctl du -nrb -o DENSE "$M")" "$(json .tiers.dense.bytes)"
	# What is no mount, and no file.
	ends 4 'no zsfs is mounted there' "$M/a" -- zsctl du "$T" "$M/a"
	ends 4 'No such file' -- zsctl du "$M/none"
	ends 1 'is no number' -- zsctl du -d x "$M"
	ends 1 '"0" is no number from 1 to' -- zsctl du -w 0 "$M"
}

# Rows of folders below $M, from those of folders and from those of files.
by_folder() {
	zsctl du -nrb -d 9 -o DATA,RAM,SIZE,FILES,LZ4,RAW,DENSE,SAME,RESERVED,PATH "$M" | sort
}

by_file() {
	zsctl du -nrb -a -o DATA,RAM,SIZE,FILES,LZ4,RAW,DENSE,SAME,RESERVED,PATH "$M" |
		while read -r line; do
			[ ! -d "${line##* }" ] || [ -L "${line##* }" ] || echo "$line"
		done | sort
}

@test "zsctl: du of folders is the sum of their files" {
	zsfs_mount
	mkdir -p "$M"/{a,b/c/d,empty,links,many}
	text_file "$M/a/dense" 3000000
	settled
	text_file "$M/a/lz4" 100000
	random_file "$M/a/raw" 409600
	head -c 100000 /dev/zero >"$M/b/c/same"
	fallocate -l 1M "$M/b/c/room"
	truncate -s 1G "$M/b/sparse"
	random_file "$M/b/linked" 40960
	ln "$M/b/linked" "$M/b/again"
	ln "$M/b/linked" "$M/links/again"
	text_file "$M/links/two" 50000
	ln "$M/links/two" "$M/b/c/d/two"
	text_file "$M/links/alone" 60000
	ln -s /etc "$M/links/folder"
	ln -s "$M/a/raw" "$M/links/file"
	ln -s "$M/a" "$M/links/a"
	mkfifo "$M/many/fifo"
	"$PYTHON" -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$M/many/socket"
	for ((i = 0; i < 300; i++)); do
		echo "$i" >"$M/many/$i"
	done
	same "$(by_folder)" "$(by_file)"
	same "$(by_folder | wc -l)" 8
	same "$(zsctl du -nr -o FILES "$M")" 309
	# One file of a folder that folders tell nothing of, and all by themselves.
	same "$(zsctl du -nrb -o RAW "$M/b" "$M/links" | xargs)" "40960 0"
	same "$(zsctl du -nrb -o RAW,PATH "$M/links/file" | xargs)" "409600 $M/links/file"
	same "$(zsctl du -nrb -o RAW,PATH "$M/links/a" | xargs)" "409600 $M/links/a"
	same "$(zsctl du -nrb -o DATA,FILES "$M/empty" | xargs)" "0 0"
}

@test "zsctl: du asks once for a folder, and no files" {
	zsfs_mount
	mkdir -p "$M/a/b" "$M/links"
	for ((i = 0; i < 200; i++)); do
		echo "$i" | tee "$M/a/$i" "$M/a/b/$i" >"$M/links/$i"
	done
	mkdir "$M/a"/{1..9}d
	ln "$M/links/1" "$M/again"
	ln "$M/links/1" "$M/a/b/again"
	before=$(json .requests.getxattr)
	zsctl du "$M"
	# The mount, its root, a, b, links, nine empty ones, and the file with
	# several names.
	same "$(($(json .requests.getxattr) - before))" 15
}

@test "zsctl: du of what comes and goes, and not of mounts below" {
	zsfs_mount -o settle=off
	mkdir "$M/many" "$M/below"
	"$PYTHON" -c 'import sys
for i in range(20000):
    open(f"{sys.argv[1]}/{i}", "w").write(f"{i} " * (i % 9))' "$M/many"
	want=$(zsctl du -nrb -o DATA,RAM,SIZE "$M")
	writers=
	for who in a b; do
		timeout 60 "$PYTHON" -c 'import os, sys
for i in range(10**9):
    open(f"{sys.argv[1]}{i}", "w").close()
    if i > 50:
        os.unlink(f"{sys.argv[1]}{i - 50}")' "$M/many/$who" 3>&- 4>&- &
		writers+=" $!"
	done
	for ((i = 0; i < 10; i++)); do
		same "$(zsctl du -nrb -o DATA,RAM,SIZE "$M" 2>&1)" "$want"
	done
	# shellcheck disable=SC2086 # several
	kill $writers
	# shellcheck disable=SC2086
	wait $writers || :
	[ "$(id -u)" = 0 ] || return 0
	mount -t tmpfs none "$M/below"
	echo elsewhere >"$M/below/file"
	ends 0 "0 $M/below" -- zsctl du -nrb -d 1 -o DATA,PATH "$M"
	umount "$M/below"
}

@test "zsctl: du where it may not look, and where files do not tell" {
	root_only
	need setpriv
	zsfs_mount -o noxattr
	random_file "$M/f" 4096
	random_file "$M/g" 4096
	# Once for all files, and no numbers that are wrong.
	ends 1 "$M: files do not tell" noxattr -- zsctl du "$M"
	same "$(zsctl du -a "$M" "$M/f" 2>&1 >"$T/rows" | wc -l)" 1
	same "$(zsctl du -nr -o DATA,RAM,SAVED,RAW%,RATIO,FILES "$M" 2>/dev/null)" "- - - - - 2"
	zsctl du -J "$M" 2>/dev/null | jq -e '.usage[0] | .data == null and .saved == null'
	zsfs_umount
	wait_daemon
	zsfs_mount
	mkdir "$M/closed"
	mkdir -m 744 "$M/half"
	random_file "$M/half/f" 4096
	random_file "$M/open" 4096
	random_file "$M/private" 4096
	chmod 700 "$M/closed"
	chmod 600 "$M/private"
	cp "$ZSCTL" "$T/zsctl"
	ends 1 "$M/closed: Permission denied" "$M/private: Permission denied" \
		"$M/half: Permission denied" '4.0K' -- \
		setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups "$T/zsctl" du "$M"
}

@test "zsctl: du that has lost its way says so" {
	need strace
	zsfs_mount
	mkdir -p "$M/a/b"
	random_file "$M/a/b/f" 4096
	# Three steps down, and none comes up again.
	ends 1 "$M: Permission denied" "$M/a/b/f" -- \
		env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -qq -o "$T/calls" \
		-e trace=fchdir -e inject=fchdir:error=EACCES:when=5+ "$ZSCTL" du -a "$M"
}

@test "zsctl: get and set" {
	zsfs_mount
	ends 0 -- zsctl set "$M" size=100M comp=zstd:3 settle=7 hot=1M nr_inodes=500
	same "$(control size) $(control settle_after) $(control hot) $(control nr_inodes)" \
		"104857600 7 1048576 500"
	same "$(zsctl get "$M" size comp settle | xargs)" "104857600 zstd:3 7"
	same "$(zsctl get "$M" comp_algorithm)" zstd:3
	same "$(zsctl get --json "$M" comp size | jq -c '[.knobs[] | .knob, .value]')" \
		'["comp","zstd:3","size","104857600"]'
	same "$(zsctl get -nr -o KNOB,VALUE "$M" settle)" "settle 7"
	ends 1 'no knob "nothing"' -- zsctl get --json "$M" size nothing
	# Refused: why, and what is allowed.
	ends 1 'bad value "5x"' 'allowed: bytes' -- zsctl set "$M" size=5x
	ends 1 'too little' 'or 0 for no limit' -- zsctl set "$M" mem_limit=1
	ends 1 'allowed' zstd -- zsctl set "$M" dense=lz4
	ends 1 'no knob "sice"' 'mem_limit' -- zsctl set "$M" size=1G sice=1G
	ends 1 'fixed when' -- zsctl set "$M" xattr=1
	ends 1 'KNOB=VALUE' -- zsctl set "$M" size
	ends 1 '"size=" has no value' -- zsctl set "$M" comp=lz4 size=
	same "$(zsctl get "$M" comp)" zstd:3
	ends 1 'missing' -- zsctl set "$M"
	ends 1 'no knob "nothing"; there are: size' chain_size hidestats -- zsctl get "$M" nothing
	# Each help has what the command takes; values are as they are set.
	ends 0 'chain_size ' -- zsctl get --help
	ends 0 'size ' -- zsctl set --help
	fails grep fixed <<<"$output"
	ends 1 'invalid option' -- zsctl get -b "$M"
	# Nothing of a line with an unknown name was done.
	same "$(control size)" 104857600
	ends 1 '' -- zsctl set "$M" "size=$(printf '1%.0s' {1..5000})"
	same "$(zsctl get -J "$M" | jq -r '.knobs[] | select(.knob == "size") | .value')" 104857600
}

@test "zsctl: classes, as a table and as a picture" {
	zsfs_mount
	ends 0 '' -- zsctl classes "$M"
	same "$output" ""
	zsctl classes --plot "$T/empty.svg" "$M"
	grep -q 'the pool is empty' "$T/empty.svg"
	text_file "$M/text" 3000000
	same "$(zsctl classes -nr -o OBJECTS "$M" | awk "{ n += \$1 } END { print n }")" "$(class_total obj_used)"
	zsctl classes --plot - "$M" >"$T/plot.svg"
	"$PYTHON" -c 'import sys, xml.dom.minidom as m
assert m.parse(sys.argv[1]).documentElement.tagName == "svg"' "$T/plot.svg"
	grep -q 'class="cell"' "$T/plot.svg"
	ends 1 'No such file' -- zsctl classes --plot "$T/no/where.svg" "$M"
	ends 1 'No space' -- zsctl classes --plot /dev/full "$M"
}

@test "zsctl: top in terminals of many sizes, and without one" {
	zsfs_mount
	text_file "$M/text" 1000000
	ends 1 'needs a terminal' -- zsctl top "$M"
	ends 1 'no delay' -- zsctl top -d 0 "$M"
	ends 1 'no number' -- zsctl top -n x "$M"
	ends 4 'no zsfs' -- zsctl top "$T"
	for size in 24x80 5x20 1x1 3x200 200x10 60x300; do
		in_terminal $size "'$ZSCTL' top -d 0.1 -n 3 '$M'"
		in_terminal $size "'$ZSCTL' top -d 0.1 -n 2"
	done
	in_terminal 24x80 "'$ZSCTL' top -d 0.1 -n 3 '$M'"
	grep -aq 'Requests' "$T/screen"
	grep -aq "$M" "$T/screen"
	fails in_terminal 24x80 "TERM=none-such '$ZSCTL' top"
	fails in_terminal 24x80 "'$ZSCTL' top -d 0.1 -n 2 '$M' </dev/null"
	grep -aq 'needs a terminal' "$T/screen"
	# Without the library the rest still works.
	mkdir "$T/lib"
	: >"$T/lib/libncursesw.so.6"
	fails in_terminal 24x80 "LD_LIBRARY_PATH='$T/lib' '$ZSCTL' top"
	grep -aq 'needs the library ncurses' "$T/screen"
	LD_LIBRARY_PATH=$T/lib zsctl list "$M"
}

@test "zsctl: top shows what matters most where there is little room" {
	zsfs_mount -o mem_limit=64M,settle=off
	random_file "$M/f" 30000000
	in_terminal 5x20 "'$ZSCTL' top -d 0.1 -n 1 '$M'"
	drawn | grep -aqE 'RAM +[0-9.]+M +[0-9]+%'
	drawn | grep -aqE 'Requests +[0-9]+/s'
	fails grep -aqE '#|Content' "$T/screen"
	in_terminal 24x60 "'$ZSCTL' top -d 0.1 -n 1 '$M'"
	drawn | grep -aqE 'RAM +#[#. ]+[0-9]+% +[0-9.]+M +of 64.0M, peak'
	drawn | grep -aq Content
	in_terminal 24x20 "'$ZSCTL' show '$M'"
	grep -aq '^Holds' "$T/screen"
	fails grep -aqE '[#.]{4}' <(tail -n +2 "$T/screen" | grep -av /)
	in_terminal 24x60 "'$ZSCTL' show '$M'"
	grep -aqE '^mem_limit  [#.]{10} +[0-9]+%' "$T/screen"
	# Names of mounts take what is there, and lose their beginning.
	mkdir -p "$T/a-name-that-is-much-too-long/for-twenty-columns"
	"$ZSFS" "$T/a-name-that-is-much-too-long/for-twenty-columns" >>"$LOG" 2>&1 3>&- 4>&-
	in_terminal 24x160 "'$ZSCTL' top -d 0.1 -n 1"
	drawn | grep -aqF "$T/a-name-that-is-much-too-long/for-twenty-columns "
	in_terminal 24x80 "'$ZSCTL' top -d 0.1 -n 1"
	drawn | grep -aq ' \.\.\.or-twenty-columns '
}

@test "zsctl: top shows names of any characters" {
	need script
	zsfs_mount
	mkdir "$T/other"
	"$ZSFS" "$T/other" >>"$LOG" 2>&1 3>&- 4>&-
	export LC_ALL=C.UTF-8
	# Twenty-three columns, and more bytes, where there is room for less.
	alone 'mount -t tmpfs none /mnt
		mkdir /mnt/ääääääääääääääääää
		mount --move "$M" /mnt/ä* 2>/dev/null ||
			{ mount --bind "$M" /mnt/ä* && umount -il "$M"; }
		TERM=xterm script -qefc "stty rows 24 cols 80; $ZSCTL top -d 0.1 -n 2" "$T/screen" \
			</dev/null >/dev/null'
	# The end of a name tells more than the beginning.
	grep -aq '…/ä\{18\} ' "$T/screen"
}

@test "zsctl: top goes on beside a mount that does not answer" {
	need script
	zsfs_mount -o nosurvive
	mkdir "$T/other"
	"$ZSFS" "$T/other" >>"$LOG" 2>&1 3>&- 4>&-
	kill -STOP "$DAEMON"
	on_teardown "kill -CONT $DAEMON 2>/dev/null"
	asked() { jq .requests.getxattr "$T/other/.zsstats/stats.json"; }
	before=$(asked)
	alone "export TERM=xterm
		script -qefc 'stty rows 24 cols 80; $ZSCTL top -d 0.1 -n 6' \$T/screen \
			</dev/null >/dev/null"
	kill -CONT "$DAEMON"
	# Six times, unless it was late once: it is left alone for a while then.
	[ "$(($(asked) - before))" -gt 2 ]
	grep -aq 'no answer' "$T/screen"
}

@test "zsctl: top keeps to the mount that was selected" {
	need script
	zsfs_mount
	for name in a b c; do
		mkdir "$T/$name"
		"$ZSFS" "$T/$name" >>"$LOG" 2>&1 3>&- 4>&-
	done
	# Down to b, and what is before it goes.
	alone 'export TERM=xterm
		{
			until grep -aqs "4 mounts" "$T/screen"; do sleep 0.05; done
			printf "\033OB"
			sleep 0.1
			printf "\033OB"
			sleep 1
			umount -l "$M"
			umount -l "$T/a"
			sleep 0.5
			printf "\r"
			sleep 0.3
			printf q
		} | script -qefc "stty rows 24 cols 80; $ZSCTL top -d 0.1 -n 100" "$T/screen" >/dev/null'
	grep -aq "$T/b[^/]*mounted" "$T/screen"
	fails grep -aq "$T/c[^/]*mounted" "$T/screen"
}

@test "zsctl: top leaves the terminal as it was, whatever ends it" {
	need script
	zsfs_mount
	for signal in INT QUIT TERM HUP; do
		rm -f "$T/pid" "$T/screen"
		in_terminal 24x80 "stty -g >'$T/before'
			sh -c 'echo \$\$ >\"$T/pid\"; ulimit -c 0; exec \"$ZSCTL\" top \"$M\"'
			stty -g >'$T/after'" &
		poll 10 grep -aqs Requests "$T/screen"
		kill -$signal "$(cat "$T/pid")"
		wait $! || :
		same "$(cat "$T/after")" "$(cat "$T/before")"
	done
}

@test "zsctl: output that goes nowhere" {
	zsfs_mount
	for command in list "show $M" "get $M" "classes $M --plot -" "report $M" "list -J" --help; do
		ends 1 'cannot write' -- bash -c "'$ZSCTL' $command >&-"
		ends 1 'cannot write: No space' -- bash -c "'$ZSCTL' $command >/dev/full"
		bash -c "'$ZSCTL' $command | true"
	done
	# What is closed does not become a file of the mount.
	ends 0 -- bash -c "'$ZSCTL' set '$M' size=1G <&- >&- 2>&-"
	same "$(control size)" 1073741824
	ends 1 -- bash -c "'$ZSCTL' set '$M' size=x <&- >&- 2>&-"
	same "$(control size)" 1073741824
}

# completed WORDS...: what bash offers for the last one; "-o default": files.
completed() {
	PATH=$(dirname "$ZSCTL"):$PATH bash -c '
		. "$0/scripts/completion/zsctl.bash"
		compopt() { [ "$2" = nospace ] || echo "$@"; }
		COMP_WORDS=(zsctl "$@") COMP_CWORD=$#
		_zsctl
		printf "%s\n" "${COMPREPLY[@]}"' "$TOP" "$@"
}

@test "zsctl: completion in bash knows what is an argument of an option" {
	zsfs_mount
	for words in "show" "top -d 2" "top --delay = 2" "wait-ready -t 5" \
		"wait-ready --standby" "get -o NAME" "get -n" "classes --plot f" "list -n"; do
		# shellcheck disable=SC2086 # several
		completed $words "$M" | grep -qxF "$M"
	done
	for words in "top -d" "top -n" "wait-ready -t" "top --delay" "top --delay =" "top $M" "du -w"; do
		# shellcheck disable=SC2086
		same "$(completed $words '')" ""
	done
	completed get -o KNOB "$M" si | grep -qx size
	completed set "$M" size=1 se | grep -qx settle=
	completed get -o KN | grep -qx KNOB
}

@test "zsctl: completion in bash offers values of knobs" {
	# As bash cuts "comp=n" and "comp=".
	same "$(completed set "$M" comp = n)" none
	same "$(completed set "$M" comp = | sort | xargs)" "lz4 none zstd"
	same "$(completed set "$M" size = 1 dense = z)" zstd
	same "$(completed set "$M" settle =)" off
	same "$(completed set "$M" size = '')" ""
	same "$(completed set "$M" size = n)" ""
	same "$(completed set "$M" comp = zstd :)" ""
}

@test "zsctl: completion in bash leaves files to the shell" {
	for words in "du" "du -a" "classes --plot" "classes --plot =" "run ls" "run -c -- ls -o"; do
		# shellcheck disable=SC2086 # several
		completed $words "$T/a" | grep -qx -- '-o default'
	done
	completed run -m "$T/a" | grep -q -- '-o dirnames'
	completed run mkfif | grep -qx mkfifo
	# A mount as it is typed when it has blanks.
	mkdir "$T/a b"
	"$ZSFS" "$T/a b" >>"$LOG" 2>&1 3>&- 4>&-
	completed show "$T/a\\ " | grep -qxF "$T/a\\ b"
	completed show "$T/a" | grep -qxF "$T/a\\ b"
}

@test "zsctl: completion in fish knows it, too" {
	need fish
	zsfs_mount
	in_fish() {
		PATH=$(dirname "$ZSCTL"):$PATH HOME=$T fish --no-config -c "
			source '$TOP/scripts/completion/zsctl.fish'
			complete -C 'zsctl $1 '"
	}
	for words in "top" "top -d 2" "wait-ready -t 5" "get -o NAME" "get -n"; do
		in_fish "$words" | grep -qxF "$M"
	done
	same "$(in_fish "top -d 2 $M")" ""
	in_fish "get -o NAME $M" | grep -q ^size
	# Names as they are.
	mkdir "$T/a ü\\b"
	"$ZSFS" "$T/a ü\\b" >>"$LOG" 2>&1 3>&- 4>&-
	LC_ALL=C.UTF-8 in_fish show | grep -qxF "$T/a ü\\b"
}

@test "zsctl: bad usage" {
	ends 1 'no command "lists"' -- zsctl lists
	ends 1 'zsctl list --help' -- zsctl list --none
	ends 1 'something is missing: MOUNT' -- zsctl show
	ends 1 'too much' -- zsctl show a b
	ends 1 'requires an argument' -- zsctl list -o
	ends 0 'Usage: zsctl' wait-ready -- zsctl --help
	ends 0 'Usage: zsctl run' -- zsctl run --help
	ends 0 'zsctl ' -- zsctl --version
	ends 0 'zsctl ' -- zsctl top --version
}

no_temps() {
	same "$(find "$T/tmp" -mindepth 1)" ""
}

@test "zsctl: run ends as its command does, and leaves nothing" {
	root_only
	mkdir "$T/tmp"
	zsctl() { TMPDIR=$T/tmp timeout 60 "$ZSCTL" "$@"; }
	ends 0 zsfs -- zsctl run -c -o fsname=zsfs,size=10M -- sh -c 'df . | tail -n 1; [ "$PWD" = "$TMPDIR" ]'
	ends 7 '' -- zsctl run sh -c 'exit 7'
	ends 137 '' -- zsctl run -- sh -c 'kill -9 $$'
	# 127 is no business of "run" here: bats takes it for a mistake.
	rc=0
	zsctl run -- "$T/none" 2>"$T/said" || rc=$?
	same "$rc" 127
	grep -q 'No such file' "$T/said"
	touch "$T/file"
	ends 126 'Permission denied' -- zsctl run -- "$T/file"
	ends 125 'bad value' -- zsctl run -o size=x -- touch "$T/ran"
	ends 125 '' -- zsctl run -m "$T/none" -- touch "$T/ran"
	[ ! -e "$T/ran" ]
	TMPDIR=$T/none ends 125 "run: $T/none: No such file" -- timeout 60 "$ZSCTL" run true
	ends 1 'something is missing' -- zsctl run -c
	# The folder has its whole name, wherever the command begins.
	cd "$T"
	TMPDIR=tmp ends 0 "$T/tmp/" -- timeout 60 "$ZSCTL" run -c -- \
		sh -c 'touch "$TMPDIR/f" && ls f && echo "$ZSFS_MOUNT"'
	# Options of the command are its own.
	ends 0 'a --help' -- zsctl run echo a --help
	no_temps
	# On a folder of one's own, which only the command sees.
	mkdir "$T/here"
	touch "$T/here/below"
	ends 0 '' -- zsctl run -m "$T/here" -- sh -c "[ ! -e '$T/here/below' ] && touch '$T/here/above'"
	[ -e "$T/here/below" ]
	[ ! -e "$T/here/above" ]
}

nothing_left() {
	[ -z "$(find "$T/tmp" -mindepth 1)" ] && ! pgrep -f "zsfs.*$T/tmp" >/dev/null
}

@test "zsctl: run cleans up however it ends" {
	root_only
	mkdir "$T/tmp"
	for signal in TERM HUP KILL; do
		TMPDIR=$T/tmp "$ZSCTL" run -- sh -c "echo \$\$ >'$T/pid'; exec sleep 50" 3>&- 4>&- &
		pid=$!
		poll 10 test -s "$T/pid"
		kill -$signal $pid
		wait $pid || rc=$?
		case $signal in
		TERM) same "$rc" 143 ;;
		HUP) same "$rc" 129 ;;
		esac
		kill "$(cat "$T/pid")" 2>/dev/null || true
		poll 10 nothing_left
		rm "$T/pid"
	done
}

@test "zsctl: run cleans up when it is ended while it mounts" {
	root_only
	mkdir "$T/tmp"
	printf '#!/bin/sh\ntouch "$T/mounting"\nsleep 0.3\nexec "%s" "$@"\n' "$ZSFS" >"$T/slow"
	chmod +x "$T/slow"
	for signal in TERM HUP KILL; do
		TMPDIR=$T/tmp ZSFS=$T/slow "$ZSCTL" run -- touch "$T/ran" 3>&- 4>&- &
		pid=$!
		poll 10 test -e "$T/mounting"
		kill -$signal $pid
		rc=0
		wait $pid || rc=$?
		same "$rc" $((128 + $(kill -l $signal)))
		poll 10 nothing_left
		[ ! -e "$T/ran" ]
		rm "$T/mounting"
	done
}

# ignored: signals that this process ignores, as the kernel shows them
ignored() {
	awk '/^SigIgn/ { print $2 }' /proc/self/status
}

@test "zsctl: run leaves ignored signals as they are" {
	root_only
	mkdir "$T/tmp"
	for signals in HUP 'INT QUIT' 'HUP INT QUIT TERM' ''; do
		# shellcheck disable=SC2086 # several
		(
			[ -z "$signals" ] || trap '' $signals
			same "$(TMPDIR=$T/tmp "$ZSCTL" run -- awk '/^SigIgn/ { print $2 }' \
				/proc/self/status)" "$(ignored)"
		)
	done
	# So what is ignored ends nothing.
	(
		trap '' HUP
		TMPDIR=$T/tmp exec "$ZSCTL" run -- sh -c "echo \$\$ >'$T/pid'; sleep 0.5; exit 7"
	) 3>&- 4>&- &
	pid=$!
	poll 10 test -s "$T/pid"
	kill -HUP $pid
	rc=0
	wait $pid || rc=$?
	same "$rc" 7
}

@test "zsctl: run by an ordinary user" {
	root_only
	mkdir "$T/home"
	chown $NOBODY "$T/home"
	cp "$ZSCTL" "$T/zsctl"
	as_nobody "export TMPDIR=$T/home ZSFS
		rc=0
		$T/zsctl run -c -- sh -c 'echo x >f; df . | grep -q ^zsfs && exit 9' || rc=\$?
		[ \$rc = 9 ]
		[ -z \"\$(ls -A $T/home)\" ]"
}

@test "zsctl: wait-ready waits for the mount and for its standby" {
	(
		sleep 0.5
		exec "$ZSFS" "$M" >>"$LOG" 2>&1
	) 3>&- 4>&- &
	ends 0 '' -- zsctl wait-ready --standby -t 30 "$M"
	has_standby
	wait $!
	poll 10 zsctl wait-ready --standby "$M"
	keeper=$(json .survival.keeper)
	ends 0 "$M is now served by zsfs" -- zsctl replace "$M"
	same "$(json .survival.replacements)" 1
	same "$(json .survival.keeper)" "$keeper"
}

@test "zsctl: a report has no names in it" {
	zsfs_mount -o size=1G
	mkdir "$M/secret-folder"
	echo x >"$M/secret-folder/secret-file"
	zsctl report "$M" >"$T/report"
	for part in machine odd .zsstats/tiers .zsstats/classes .zsstats/stats.json .zsctl/verify; do
		grep -qxF "## $part" "$T/report"
	done
	fails grep -qE "secret|$M" "$T/report"
	grep -q '"size":1073741824' "$T/report"
}

@test "zsctl: what is reserved counts once" {
	zsfs_mount -o size=1G
	fallocate -l 100M "$M/f"
	zsctl show "$M" >"$T/page"
	grep -Eq '^size .* 100M of 1\.0G$' "$T/page"
}
