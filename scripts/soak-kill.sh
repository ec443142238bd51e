#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# soak-kill.sh: kill workers thousands of times under clients that check
# everything. What is measured goes to the standard output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$TOP/scripts/soak-lib.sh"

usage() {
	cat <<-EOF
	usage: scripts/soak-kill.sh [--short] [-o OPTIONS] [PART...]

	  external     SIGKILL from outside at random times, 2000 times
	  injected     the worker kills itself at random points of every step that
	               changes the arena, 5000 times (a build with crash points)
	  interrupted  external kills, clients get signals all the time, 500 times
	  killed       external kills, clients are killed, too, 500 times
	  takeover     kill to first reply with 4 GiB stored, 200 times, on huge
	               pages where the machine gives them, and again in pages of
	               4 KiB, which is what an ordinary user's mount has
	  replace      the program is replaced under load, 100 times
	  aborted      the connection is aborted, by root's umount -f and by the
	               kernel's control file, and workers are killed, 500 times

	All parts unless some are named. --short: a twentieth of each. -o: mount
	with these options, such as "-o writeback".
	After each part the file system is verified, and nothing may be left of
	what clients made.
	EOF
}

share=1
cached=()
direct=()
parts=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--short) share=20 ;;
	-o)
		[ $# -gt 1 ] || die "-o needs options"
		options=(-o "$2")
		[[ ,$2, != *,writeback,* ]] || cached=(-c) direct=(-d)
		shift
		;;
	external | injected | interrupted | killed | takeover | replace | aborted)
		parts+=("$1")
		;;
	*)
		usage >&2
		exit 1
		;;
	esac
	shift
done
[ ${#parts[@]} -gt 0 ] || parts=(external injected interrupted killed takeover replace aborted)

install_packages "${BUILD_PACKAGES[@]}" jq python3
choose_build
RELEASE=$BUILD CRASHING=$BUILD-debug

start_client() {
	start "$1/tests/kill/killclient" -q -t 0 "${cached[@]}" "${@:2}" "$M"
}

stop_client() {
	kill -TERM "$CLIENT"
	wait "$CLIENT" || { CLIENT= ; die "the client found something wrong"; }
	CLIENT=
}

external() {
	local kills=$1

	make_mount "$RELEASE"
	start_client "$RELEASE" "${@:2}"
	while [ "$kills" -gt 0 ]; do
		sleep "0.0$((RANDOM % 7 + 1))$((RANDOM % 10))"
		kill -0 "$CLIENT" 2>/dev/null || die "the client has ended"
		! kill_worker || kills=$((kills - 1))
	done
	stop_client
	check_end
}

injected() {
	make_mount "$CRASHING" ZSFS_TEST_KILL=20000
	start_client "$CRASHING" -v "$M"
	until [ "$(survival deaths)" -ge "$1" ]; do
		kill -0 "$CLIENT" 2>/dev/null || die "the client has ended"
		sleep 1
	done
	stop_client
	check_end
}

# Real content, four GiB of it, and one reader that asks without a pause.
takeover() {
	make_mount "$RELEASE"
	echo 0 >"$M/.zsctl/mem_limit"
	run python3 "$TOP/tests/kill/takeover_times.py" "$M" "$1" "$KEEPER"
	end_mount
}

end_small_pages() {
	rm -rf --one-file-system "$SMALL"
	trap end_mount EXIT
}

# In a mount namespace with a /dev/fuse that everybody may open, as distributions
# set it up, and with all that is needed where everybody may read it.
takeover_small_pages() {
	SMALL=$(mktemp -d "${TMPDIR:-/tmp}/zsfs-soak.XXXXXX")
	trap 'end_mount; end_small_pages' EXIT
	mkdir "$SMALL/m"
	cp "$RELEASE/fs/zsfs" "$TOP/tests/kill/takeover_times.py" "$SMALL"
	chmod 755 "$SMALL"
	chown 65534:65534 "$SMALL/m"
	run unshare -m bash -c '
		set -e
		cp -a /dev/fuse "$0/fuse"
		chmod 666 "$0/fuse"
		mount --bind "$0/fuse" /dev/fuse
		cd "$0"
		exec setpriv --reuid=65534 --regid=65534 --clear-groups bash -c "
			set -e
			./zsfs $2 m
			trap \"fusermount3 -u m || fusermount3 -uz m\" EXIT
			echo 0 >m/.zsctl/mem_limit
			set -- \$(jq \".survival.keeper, .memory.huge_pages\" m/.zsstats/stats.json)
			[ \$2 = false ]
			python3 takeover_times.py m $1 \$1"' "$SMALL" "$1" "${options[*]}"
	end_small_pages
}

replace() {
	make_mount "$RELEASE"
	start_client "$RELEASE"
	for _ in $(seq "$1"); do
		"$RELEASE/fs/zsfs" --replace "$M" >/dev/null
	done
	echo "  $(survival replacements) replacements"
	stop_client
	check_end
}

end_connections() {
	umount "$CONNECTIONS" && rmdir "$CONNECTIONS"
	trap end_mount EXIT
}

# umount -f of a mount in use, or what the kernel offers beside it.
abort_connection() {
	local device

	if [ $((RANDOM % 2)) = 0 ]; then
		(cd "$M" 2>/dev/null && exec umount -f "$M" 2>/dev/null) || true
		return
	fi
	device=$(awk -v at="$M" '$5 == at { print $3 }' /proc/self/mountinfo)
	echo 1 2>/dev/null >"$CONNECTIONS/${device#*:}/abort" || true
}

aborted() {
	[ "$(id -u)" = 0 ] || { echo "  only root can"; return 0; }
	CONNECTIONS=$(mktemp -d "${TMPDIR:-/tmp}/zsfs-soak.XXXXXX")
	mount -t fusectl none "$CONNECTIONS"
	trap 'end_mount; end_connections' EXIT
	make_mount "$RELEASE"
	start python3 "$TOP/tests/kill/abort_client.py" "${direct[@]}" "$M"
	until [ "$(survival reconnects 2>/dev/null || echo 0)" -ge "$1" ]; do
		sleep "0.0$((RANDOM % 9 + 1))"
		kill -0 "$CLIENT" 2>/dev/null || die "the client has ended"
		[ $((RANDOM % 4)) != 0 ] || kill_worker || true
		abort_connection
	done
	sleep 1
	stop_client
	end_connections
	echo "  $(survival reconnects) reconnects"
	check_end
}

build_release
[ -e "$CRASHING/build.ninja" ] ||
	meson setup "$CRASHING" "$TOP" --buildtype=debugoptimized -Ddebug_level=1 >/dev/null
ninja -C "$CRASHING" fs/zsfs tests/kill/killclient >/dev/null

for part in "${parts[@]}"; do
	echo "$part"
	case $part in
	external) external $((2000 / share)) ;;
	injected) injected $((5000 / share)) ;;
	interrupted) external $((500 / share)) -i 500 ;;
	killed) external $((500 / share)) -k ;;
	takeover)
		takeover $((200 / share))
		# An ordinary user has just measured that.
		[ "$(id -u)" = 0 ] || continue
		echo "  4 KiB pages:"
		takeover_small_pages $((200 / share))
		;;
	replace) replace $((100 / share)) ;;
	aborted) aborted $((500 / share)) ;;
	esac
done
echo "all of it passed"
