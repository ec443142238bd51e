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

end_mount() {
	[ -z "$CLIENT" ] || kill "$CLIENT" 2>/dev/null || true
	[ -z "$M" ] || umount "$M" 2>/dev/null || umount -l "$M" 2>/dev/null || true
	[ -z "$M" ] || rmdir "$M" 2>/dev/null || true
	M=
}
trap end_mount EXIT

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
