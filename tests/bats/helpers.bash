# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Helpers of the bats tests. A test file says:
#
#	load helpers
#	setup() { zsfs_setup; zsfs_mount; }
#	teardown() { zsfs_teardown; }
#
# and finds a fresh mount at $M. zsfs_teardown() has the file system verify
# itself, unmounts, waits for the daemon and reads its log: a test also fails
# when any of that does.
#
# Environment
#	ZSFS		the daemon (build/fs/zsfs)
#	ZSFS_TOOLS	folder of the programs made from tools/
#	ZSFS_TEST_OPTS	options for every mount that a test does not make by
#			hand, such as "writeback"; the test's own come later
#	ZSFS_DRYRUN=1	mount tmpfs instead, to try the tests themselves; what
#			only zsfs can do is skipped

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ZSFS=${ZSFS:-$TOP/build/fs/zsfs}
ZSFS_TOOLS=${ZSFS_TOOLS:-$(dirname "$(dirname "$ZSFS")")/tests/bats/tools}
PYTHON=/usr/bin/python3
NOBODY=65534
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-240}
export ZSFS ZSFS_TOOLS
umask 022

# ---- set up and tear down -------------------------------------------------

zsfs_setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/zsfs-bats.XXXXXX")
	chmod 755 "$T"
	M=$T/m
	LOG=$T/log
	DAEMON=
	mkdir "$M"
	: >"$LOG"
	: >"$T/expected"
	: >"$T/cleanup"
	export T M LOG
	start_watchdog
}

# A daemon that hangs leaves its clients unkillable: end its connection when
# the test is out of time, so that the test ends too.
start_watchdog() {
	(
		sleep $((BATS_TEST_TIMEOUT + 5)) &
		trap 'kill '$!'; exit' TERM
		wait
		abort_mounts
	) >/dev/null 2>&1 3>&- 4>&- &
	WATCHDOG=$!
	disown
}

# Run a command at teardown (in reverse order), whatever happened.
on_teardown() {
	echo "$*" >>"$T/cleanup"
}

# The log may hold what matches this extended regular expression.
expect_log() {
	echo "$1" >>"$T/expected"
}

# With a cache of writes what finds no room is said in the log.
expect_late_losses() {
	! all_have writeback || expect_log 'no room for a cached write'
}

zsfs_teardown() {
	local rc=0

	[ -n "${T:-}" ] || return 0 # skipped before there was anything
	clean_up
	if [ -n "${BATS_TEST_COMPLETED:-}" ] && [ -z "${BATS_TEST_SKIPPED:-}" ]
	then
		check_verify || rc=1
		unmount_all || rc=1
		wait_daemon || rc=1
		check_log || rc=1
	else
		tell_state || true
		unmount_all || true
		wait_daemon || true
		[ ! -s "$LOG" ] || { echo "--- the daemon's log:"; tail -n 40 "$LOG"; }
	fi
	kill "$WATCHDOG" 2>/dev/null || true
	rm -rf --one-file-system "$T" || true
	return $rc
}

clean_up() {
	[ -s "$T/cleanup" ] || return 0
	tac "$T/cleanup" >"$T/cleanup.sh"
	bash "$T/cleanup.sh" || true
}

check_verify() {
	is_mounted "$M" && [ -w "$M/.zsctl/verify" ] || return 0
	verify_clean
}

# The file system finds nothing wrong with itself.
verify_clean() {
	local said

	echo 1 >"$M/.zsctl/verify" || return 1
	said=$(cat "$M/.zsctl/verify")
	[ "$said" = clean ] || { echo "verify says: $said"; return 1; }
}

# What a test that failed leaves behind, before it is gone.
tell_state() {
	is_mounted "$M" || return 0
	echo "--- verify: $(timeout 5 cat "$M/.zsctl/verify")"
	echo "--- last_cmd_status: $(timeout 5 cat "$M/.zsctl/last_cmd_status")"
	timeout 5 jq -c .survival "$M/.zsstats/stats.json"
}

check_log() {
	local bad

	[ -s "$LOG" ] || return 0
	bad=$(grep -Ei 'error|assert|sanitizer|invariant|warning' "$LOG" |
		{ if [ -s "$T/expected" ]; then grep -Evf "$T/expected"; else cat; fi; })
	[ -z "$bad" ] || { echo "the daemon's log has:"; echo "$bad" | head -n 60; return 1; }
}

# ---- mounting -------------------------------------------------------------

# Lines "mountpoint device options type source superoptions" below a folder.
mounts_below() {
	awk -v below="$1/" 'index($5 "/", below) == 1 {
		for (i = 7; $i != "-"; i++)
			;
		print $5, $3, $6, $(i + 1), $(i + 2), $(i + 3)
	}' /proc/self/mountinfo
}

is_mounted() {
	local at

	while read -r at _; do
		[ "$at" != "$1" ] || return 0
	done < <(mounts_below "$1")
	return 1
}

# Column of the top mount at a folder: device, options, type, source, super.
mount_field() {
	local column

	case $2 in
	device) column=2 ;;
	options) column=3 ;;
	type) column=4 ;;
	source) column=5 ;;
	super) column=6 ;;
	esac
	mounts_below "$1" | tail -n 1 | awk "{ print \$$column }"
}

# Where connections can be aborted, in $FUSECTL; only root can make it.
find_fusectl() {
	FUSECTL=/sys/fs/fuse/connections
	mountpoint -q "$FUSECTL" || {
		FUSECTL=$T/fusectl
		mkdir -p "$FUSECTL"
		mountpoint -q "$FUSECTL" || mount -t fusectl none "$FUSECTL"
	}
}

abort_mounts() {
	local device minor type

	find_fusectl || return 0

	while read -r _ device _ type _; do
		minor=${device#*:}
		case $type in
		fuse | fuse.*) echo 1 >"$FUSECTL/$minor/abort" || true ;;
		esac
	done < <(mounts_below "$T")
}

# Wait for a command to succeed: up to SECONDS, and four times as long because the
# machine may have other work.
poll() {
	local end=$((SECONDS + 4 * $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "in vain: $*"; return 1; }
		sleep 0.03
	done
}

started() {
	is_mounted "$1" || ! kill -0 "$DAEMON" 2>/dev/null
}

# zsfs_start MOUNTPOINT OPTIONS...: a daemon in the foreground, log in $LOG.
zsfs_start() {
	local mnt=$1

	shift
	if [ -n "${ZSFS_DRYRUN:-}" ]; then
		tmpfs_start "$mnt" "$@"
		return
	fi
	"$ZSFS" -f ${ZSFS_TEST_OPTS:+-o "$ZSFS_TEST_OPTS"} "$@" "$mnt" </dev/null >>"$LOG" 2>&1 3>&- 4>&- &
	DAEMON=$!
	poll 60 started "$mnt"
	is_mounted "$mnt" || { echo "no mount; it said:"; cat "$LOG"; return 1; }
	stat "$mnt" >/dev/null # the mount answers
}

zsfs_mount() {
	zsfs_start "$M" "$@"
}

tmpfs_start() {
	local mnt=$1 opts='' word

	shift
	for word in ${*//,/ }; do
		case $word in
		size=* | nr_inodes=* | mode=* | uid=* | gid=* | ro | noexec | nosuid | nodev)
			opts+=,$word
			;;
		esac
	done
	mount -t tmpfs -o "rw,size=4g$opts" zsfs-dryrun "$mnt"
}

# Is this option among those that all mounts have (ZSFS_TEST_OPTS)?
all_have() {
	case ,${ZSFS_TEST_OPTS:-}, in
	*",$1,"*) return 0 ;;
	*) return 1 ;;
	esac
}

# not_cached REASON: what does not hold where writes are cached.
not_cached() {
	! all_have writeback || skip "writes are cached: $1"
}

zsfs_only() {
	[ -z "${ZSFS_DRYRUN:-}" ] || skip "only zsfs does this"
}

root_only() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

need() {
	local tool

	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# by_user_root: what stdin says, by root of a user namespace, who may mount
# "$T/daemon" on "$T/mine". It ends with "echo done".
by_user_root() {
	need unshare setpriv
	mkdir "$T/mine"
	cp "$ZSFS" "$T/daemon"
	cp "$ZSFS_TOOLS/fsop" "$T/fsop"
	chown $NOBODY "$T/mine"
	cp -a /dev/fuse "$T/fuse"
	chmod 666 "$T/fuse"
	cat >"$T/script"
	run -0 timeout 240 unshare -m bash -c "
		mount --bind $T/fuse /dev/fuse
		exec setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups \
			unshare -rm bash $T/script" 3>&-
	same "${lines[-1]}" "done"
}

# under_kills COMMAND: again and again, while twenty workers die.
under_kills() {
	local i pid

	(
		until [ -e "$T/stop" ] || ! [ -d "$T" ]; do
			"$@"
		done
	) &
	pid=$!
	for i in $(seq 20); do
		sleep 0.1
		kill -9 "$(worker)" 2>/dev/null || true
	done
	touch "$T/stop"
	wait $pid
}

# A line "not unmounted" and status 1 when it stayed busy.
zsfs_umount() {
	local mnt=${1:-$M} umount=umount

	[ "$(id -u)" = 0 ] || umount='fusermount3 -u'
	poll 5 quiet $umount "$mnt" || { echo "not unmounted: $mnt"; return 1; }
}

quiet() {
	"$@" >/dev/null 2>&1
}

# A name of mountinfo, where a blank is \040; the next character may be a digit.
unescaped() {
	printf %b "${1//\\/\\0}"
}

# alone SCRIPT: in a mount namespace of its own, where of all mounts only those
# below $T are seen.
alone() {
	root_only
	timeout 60 unshare -m bash -c '
		awk "\$3 == \"fuse.zsfs\" { print \$2 }" /proc/self/mounts |
			grep -v "^$T/" | while read -r at; do
				umount -il "$(printf %b "${at//\\/\\0}")"
			done
		eval "$0"' "$1" 3>&- 4>&-
}

unmount_all() {
	local at rc=0 round

	for round in 1 2 3; do
		while read -r at _; do
			at=$(unescaped "$at")
			zsfs_umount "$at" && continue
			rc=1
			umount -l "$at" || { abort_mounts; umount -l "$at" || true; }
		done < <(mounts_below "$T" | tac)
		mountpoint -q "$M" || return $rc
		echo "round $round: $M is still mounted"
	done
	return 1
}

daemon_gone() {
	! kill -0 "$DAEMON" 2>/dev/null
}

# Where a daemon that hangs is.
show_threads() {
	if command -v gdb >/dev/null; then
		timeout 30 gdb -p "$1" -batch -ex 'thread apply all bt 12' 2>/dev/null |
			grep -E '^(Thread|#)' | head -n 80
	else
		grep -H . "/proc/$1/task"/*/{comm,wchan,syscall} 2>/dev/null || true
	fi
}

# The daemon ends by itself after the unmount, with exit code 0.
wait_daemon() {
	local rc=0

	[ -n "$DAEMON" ] || return 0
	if ! poll 30 daemon_gone; then
		echo "the daemon stays after the unmount"
		show_threads "$DAEMON"
		kill -9 "$DAEMON" $(processes_of "$M") 2>/dev/null
		rc=1
	fi
	wait "$DAEMON" 2>/dev/null || { echo "the daemon's exit code: $?"; rc=1; }
	DAEMON=
	return $rc
}

# Process ids of what serves this mountpoint: keepers, workers, standbys. They
# have it in their titles, a single process as its last argument.
processes_of() {
	local exe arg

	while read -r exe; do
		mapfile -d '' -t arg <"${exe%exe}cmdline" 2>/dev/null || continue
		[ ${#arg[@]} -gt 0 ] || continue
		exe=${exe#/proc/}
		case ${arg[-1]} in
		"$1" | "zsfs: "[a-z]*" $1") echo "${exe%/exe}" ;;
		esac
	done < <(find /proc/[0-9]*/exe -maxdepth 0 -lname "$(realpath "$ZSFS")" 2>/dev/null)
}

# The same without workers and standbys.
daemons_of() {
	local pid

	for pid in $(processes_of "$1"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != zsfs ] || echo "$pid"
	done
}

# The worker that serves $M, and the standby (0: none is ready).
worker() {
	json .survival.worker
}

# Pids below a mountpoint's keeper by name: zsfs-worker, zsfs-standby.
processes_named() {
	local pid

	for pid in $(processes_of "$2"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
	done
}

standby() {
	json .survival.standby
}

has_standby() {
	[ "$(standby)" != 0 ]
}

# ---- memory control groups ------------------------------------------------

# make_group BYTES: a control group with this limit in $GROUP.
make_group() {
	local top

	root_only
	if [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		GROUP=/sys/fs/cgroup/memory/zsfs-bats-$$
		mkdir "$GROUP" 2>/dev/null || skip "no control groups may be made"
		echo "$1" >"$GROUP/memory.limit_in_bytes"
	elif [ -f /sys/fs/cgroup/cgroup.controllers ]; then
		top=/sys/fs/cgroup
		grep -qw memory $top/cgroup.subtree_control ||
			echo +memory >$top/cgroup.subtree_control 2>/dev/null ||
			skip "no memory control group may be made"
		GROUP=$top/zsfs-bats-$$
		mkdir "$GROUP" 2>/dev/null || skip "no control groups may be made"
		[ -f "$GROUP/memory.max" ] || { rmdir "$GROUP"; skip "no memory controller"; }
		echo "$1" >"$GROUP/memory.max"
		echo 0 >"$GROUP/memory.swap.max" 2>/dev/null || true
	else
		skip "no memory control groups"
	fi
	on_teardown "for i in \$(seq 100); do rmdir $GROUP && break; sleep 0.1; done"
}

oom_kills() {
	cat "$GROUP/memory.events" "$GROUP/memory.oom_control" 2>/dev/null |
		awk '$1 == "oom_kill" { print $2 }'
}

in_group() {
	bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$GROUP" "$@"
}

start_in_group() {
	local real=$ZSFS

	printf '#!/bin/bash\necho $$ >%s/cgroup.procs\nexec %s "$@"\n' "$1" "$ZSFS" >"$T/zsfs"
	chmod +x "$T/zsfs"
	ZSFS=$T/zsfs
	zsfs_mount
	ZSFS=$real
}

# as UID[:GID] COMMAND...: without other groups
as() {
	setpriv --reuid="${1%:*}" --regid="${1#*:}" --clear-groups "${@:2}"
}

# as_nobody SCRIPT: in a mount namespace with a /dev/fuse that everybody may
# open and with /etc/mtab, which fusermount3 wants (as distributions set it up),
# with the daemon where nobody may run it.
as_nobody() {
	root_only
	need unshare setpriv fusermount3
	cp "$ZSFS" "$T/daemon"
	chown $NOBODY "$M"
	: >"$T/fails.out"
	chmod 666 "$T/fails.out"
	timeout 240 unshare -m bash -c '
		set -e
		cp -a /dev/fuse "$T/fuse"
		chmod 666 "$T/fuse"
		mount --bind "$T/fuse" /dev/fuse
		[ -e /etc/mtab ] || {
			mkdir -p "$T/etc"
			ln -sf /proc/self/mounts "$T/etc/mtab"
			mount -t overlay overlay -o "lowerdir=$T/etc:/etc" /etc
		}
		cd /
		exec setpriv --reuid=65534 --regid=65534 --clear-groups bash -c "$0"' \
		"set -eu; PATH=/usr/bin:/bin; ZSFS=$T/daemon; $1" 3>&- 4>&-
}

# ---- looking at files -----------------------------------------------------

fsop() {
	"$ZSFS_TOOLS/fsop" "$@"
}

# expect RESULT OPERATION...: one system call ends like this (tools/fsop.c).
expect() {
	local want=$1 got

	shift
	got=$(fsop "$@")
	[ "$got" = "$want" ] || { echo "$* gives $got, not $want"; return 1; }
}

# Have the next reads below a folder come from the daemon, not from the cache.
drop_cache() {
	find "${1:-$M}" -xdev -type f -print0 |
		xargs -0 -r -n 1000 "$PYTHON" -c '
import os, sys
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)'
}

same() {
	[ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }
}

# between LOW VALUE HIGH, the borders included
between() {
	[ "$1" -le "$2" ] && [ "$2" -le "$3" ] ||
		{ echo "$2 is not in $1..$3"; return 1; }
}

# fails COMMAND...: it must, unlike "!", whose failure neither bats nor "set -e"
# notices; and not because there is no such command, because it hangs, or because
# grep cannot read its file. What it says is in $T/fails.out. Scripts for another
# bash have this, too.
fails() {
	local rc=0

	"$@" >"$T/fails.out" 2>&1 || rc=$?
	case $rc,$1 in
	0,*) echo "succeeded: $*" ;;
	127,* | 124,timeout | 2,grep)
		echo "fails for another reason, $rc: $*"
		cat "$T/fails.out"
		;;
	*) return 0 ;;
	esac
	return 1
}
export -f fails

# refused WORDS... -- COMMAND...: exit code 1, a message with all the words, and no
# mount at $M.
refused() {
	local words=() word

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	run timeout 20 "$@" 3>&- 4>&-
	same "$status" 1
	for word in "${words[@]}"; do
		[[ $output == *"$word"* ]] || { echo "no '$word' in: $output"; return 1; }
	done
	fails is_mounted "$M"
}

random_file() {
	head -c "$2" /dev/urandom >"$1"
}

# About this many bytes of the machine's own text, the same at every call.
text_file() {
	find /usr/include /usr/share/common-licenses -type f -size +2k 2>/dev/null |
		sort | xargs -d '\n' cat 2>/dev/null | head -c "$2" >"$1" || true
	while [ "$(stat -c %s "$1")" -lt "$2" ]; do
		head -c $(($2 - $(stat -c %s "$1"))) "$1" >"$T/text.more"
		cat "$T/text.more" >>"$1"
	done
}

# ---- virtual files --------------------------------------------------------

# fill_by_map FILE MIB: a shared mapping of a sparse file written with random
# bytes; whatever msync(2) says.
fill_by_map() {
	"$PYTHON" - "$1" "$2" <<-'END'
		import mmap, os, sys
		size = int(sys.argv[2]) << 20
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(fd, size)
		m = mmap.mmap(fd, size)
		for off in range(0, size, 1 << 20):
		    m[off:off + (1 << 20)] = os.urandom(1 << 20)
		try:
		    m.flush()
		except OSError:
		    pass
	END
}

# mm_stat COLUMN (1..9) as a plain number
mm_stat() {
	awk "{ print \$$1 }" "$M/.zsstats/mm_stat"
}

# Column of the Total line of classes.
class_total() {
	local column

	case $1 in
	obj_allocated) column=4 ;;
	obj_used) column=5 ;;
	pages_used) column=6 ;;
	esac
	awk "\$1 == \"Total\" { print \$$column }" "$M/.zsstats/classes"
}

json() {
	jq -r "$1" "$M/.zsstats/stats.json"
}

# Bytes that statfs promises (f_bavail).
available() {
	stat -f -c '%a * %S' "${1:-$M}" | { read -r a _ b; echo $((a * b)); }
}

control() {
	cat "$M/.zsctl/$1"
}
