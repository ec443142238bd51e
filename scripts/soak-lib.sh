# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Shared by the soaks: a mount at $M with a client, and its end. Whoever includes
# this has included lib.sh.

# How it is mounted: -o and what follows.
options=()
M=
KEEPER=
CLIENT=

# start COMMAND...: the client, in a process group of its own. A signal to the script
# is served at once then, and ends what the client has started, too.
start() {
	set -m
	"$@" </dev/null &
	CLIENT=$!
	set +m
}

# run COMMAND...: the same, and waits for it.
run() {
	local status=0

	start "$@"
	wait "$CLIENT" || status=$?
	CLIENT=
	return $status
}

# client_lives: or anything that it has started
client_lives() {
	kill -0 -- "-$CLIENT" 2>/dev/null
}

# It may want to tidy up, and it may hang.
end_client() {
	local signal

	[ -n "$CLIENT" ] || return 0
	for signal in TERM KILL; do
		kill -s $signal -- "-$CLIENT" 2>/dev/null || break
		for _ in $(seq 50); do
			client_lives || break 2
			sleep 0.1
		done
	done
	CLIENT=
}

unmount() {
	for _ in $(seq 20); do
		! umount "$1" 2>/dev/null || return 0
		grep -qF " $1 " /proc/self/mounts || return 0
		sleep 0.1
	done
	umount -l "$1" 2>/dev/null || true
}

end_mount() {
	trap '' INT TERM HUP
	end_client
	[ -z "$M" ] || unmount "$M"
	[ -z "$M" ] || rmdir "$M" 2>/dev/null || true
	M=
	trap_signals
}

trap_signals() {
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
trap end_mount EXIT
trap_signals

# make_mount BUILD [ENVIRONMENT]: sets M and KEEPER
make_mount() {
	M=$(mktemp -d "${TMPDIR:-/tmp}/zsfs-soak.XXXXXX")
	env ${2:+"$2"} "$1/fs/zsfs" "${options[@]}" "$M"
	KEEPER=$(survival keeper)
}

survival() {
	jq -r ".survival.$1" "$M/.zsstats/stats.json"
}

# The worker by the keeper's children: the mount itself need not be asked.
kill_worker() {
	local pid

	for pid in $(cat "/proc/$KEEPER/task/$KEEPER/children"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = zsfs-worker ] || continue
		kill -9 "$pid" 2>/dev/null && return
	done
	return 1
}

verify_mount() {
	echo 1 >"$M/.zsctl/verify"
	[ "$(cat "$M/.zsctl/verify")" = clean ] || die "verify: $(cat "$M/.zsctl/verify")"
}

# What has to hold when the clients have gone.
check_end() {
	verify_mount
	for _ in $(seq 50); do
		left=$(jq -c '[.content.inodes, .content.blocks]' "$M/.zsstats/stats.json")
		[ "$left" != '[1,0]' ] || break
		sleep 0.1
	done
	[ "$left" = '[1,0]' ] || die "inodes and blocks left behind: $left"
	jq -r '.survival | "  \(.deaths) deaths, \(.takeovers) takeovers, worst \(.worst_takeover_us) us, verify clean, nothing left behind"' \
		"$M/.zsstats/stats.json"
	end_mount
}
