#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# A booted systemd, in a container that has this system's files and its own changes
# to them: how mounts start, what they outlive, and when they end at shutdown.
load helpers

setup() { zsfs_setup; zsfs_only; root_only; }
teardown() { zsfs_teardown; }

# file NAME: of the container, from stdin. Anything may be in the root of this system
# already, so what has no place there is in the folder zsfs-test.
file() {
	mkdir -p "$(dirname "$T/files/$1")"
	cat >"$T/files/$1"
}

make_files() {
	mkdir -p "$T/files/usr/bin" "$T/files/usr/sbin" "$T/out"
	cp "$ZSFS" "$T/files/usr/bin/zsfs"
	ln -s ../bin/zsfs "$T/files/usr/sbin/mount.zsfs"
	sed "s,@bindir@,/usr/bin," "$TOP/scripts/systemd/zsfs@.service.in" |
		file etc/systemd/system/zsfs@.service
	# Who uses a mount writes to an open file a while after it was told to end.
	file zsfs-test/hold <<-'END'
		exec 5>>"$1/open"
		end() {
			sleep 0.5
			[ "$2" != mnt-a ] || sleep 1 # it waits for nobody else
			echo end >&5 && cp "$1/open" "/zsfs-test/out/$2"
			echo "user of $1" >>/zsfs-test/out/order
			exit
		}
		trap 'end "$@"' TERM
		echo begin >&5
		systemd-notify --ready
		while :; do sleep 0.05; done
	END
	file etc/systemd/system/hold@.service <<-'END'
		[Unit]
		RequiresMountsFor=/zsfs-test/out
		[Service]
		Type=notify
		NotifyAccess=all
		ExecStart=bash /zsfs-test/hold %f %i
		KillMode=mixed
	END
	file etc/systemd/system/check.service <<-'END'
		[Unit]
		After=hold@mnt-e.service hold@mnt-f.service hold@tmp.service
		[Service]
		Type=oneshot
		ExecStart=-timeout 60 bash -eux /zsfs-test/check
		ExecStart=systemctl --no-block poweroff
		StandardOutput=append:/zsfs-test/out/log
		StandardError=inherit
	END
	file etc/systemd/system/check.target <<-'END'
		[Unit]
		Requires=check.service
		Wants=booted.service
	END
	file etc/systemd/system/booted.service <<-'END'
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=touch /zsfs-test/out/booted
	END
	file etc/fstab </dev/null
}

# Control groups for the container, in $PLACES: one, or of both versions.
make_places() {
	local top

	PLACES=
	for top in /sys/fs/cgroup{,/systemd,/unified}; do
		[ -e $top/cgroup.procs ] || continue
		on_teardown "for i in \$(seq 50); do find $top/zsfs-bats-$$ -depth -type d -delete; [ -d $top/zsfs-bats-$$ ] || break; sleep 0.1; done"
		mkdir $top/zsfs-bats-$$ 2>/dev/null || skip "no control group may be made"
		PLACES+=" $top/zsfs-bats-$$"
	done
	export PLACES
}

# booted: what is in "check" runs in it, and it is shut down.
booted() {
	need systemd-nspawn systemctl unshare
	[ -x /lib/systemd/systemd ] || skip "no systemd"
	echo 'touch /zsfs-test/out/done' >>"$T/files/zsfs-test/check"
	make_places
	run timeout -k 5 120 unshare -m bash -c '
		for place in $PLACES; do
			echo $$ >"$place/cgroup.procs" || exit 77
		done
		mkdir "$T/root" "$T/changes"
		mount -t tmpfs changes "$T/changes" || exit 77
		mkdir "$T/changes/upper" "$T/changes/work"
		mount -t overlay overlay "$T/root" \
			-o "lowerdir=/,upperdir=$T/changes/upper,workdir=$T/changes/work" || exit 77
		cp -a "$T/files/." "$T/root"
		SYSTEMD_NSPAWN_TMPFS_TMP=0 exec systemd-nspawn -q -b -D "$T/root" \
			--machine="zsfs-bats-$$" --register=no --keep-unit --private-network \
			--resolv-conf=off --timezone=off --link-journal=no --console=pipe \
			--bind="$T/out:/zsfs-test/out" --bind=/dev/fuse \
			systemd.unit=check.target systemd.log_target=console' \
		</dev/null 3>&- 4>&-
	echo "$output" | tail -n 40
	[ -e "$T/out/booted" ] || skip "systemd does not boot here: ${lines[*]:0:1}"
	cat "$T/out/log"
	[ -e "$T/out/done" ]
}

@test "systemd: units started twice, mistakes, and what ends with whom" {
	make_files
	file etc/systemd/system/mnt-b.mount <<-'END'
		[Mount]
		What=none
		Where=/mnt/b
		Type=zsfs
		Options=size=1G,nosuid,nodev
	END
	file etc/fstab <<-'END'
		none /mnt/f zsfs size=1G,nosuid,nodev 0 0
		none /mnt/w zsfs sized=1G,nofail 0 0
	END
	file etc/default/zsfs@mnt-o <<-'END'
		ZSFS_OPTIONS=size=8Q
	END
	file etc/systemd/system/once@.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=bash -eux /zsfs-test/once %i
	END
	file zsfs-test/once <<-'END'
		case $1 in
		c) systemctl start zsfs@mnt-c ;;
		s) systemd-run --scope zsfs /mnt/s ;;
		t) zsfs /mnt/t && echo text >/mnt/t/f ;;
		esac
	END
	file zsfs-test/check <<-'END'
		mounts() { grep -c " /mnt/$1 .* - fuse.zsfs" /proc/self/mountinfo || true; }
		state() { systemctl show -p "$2" --value "$1"; }
		said() { journalctl --sync; journalctl -o cat -u "$1" | grep -F "$2"; }
		# The unit twice, and the mount unit that systemd has for it.
		systemctl start zsfs@mnt-a
		echo text >/mnt/a/f
		systemctl start zsfs@mnt-a
		for i in $(seq 300); do # systemd looks at mounts only so many times a second
			[ "$(state mnt-a.mount ActiveState)" != active ] || break
			sleep 0.03
		done
		systemctl start mnt-a.mount
		[ "$(mounts a)" = 1 ]
		[ "$(cat /mnt/a/f)" = text ]
		# By hand, what the unit does; and the unit where another has mounted.
		rc=0
		zsfs -o nosuid,nodev /mnt/a 2>/zsfs-test/out/twice || rc=$?
		[ $rc = 1 ]
		grep "/mnt/a" /zsfs-test/out/twice
		systemctl start mnt-b.mount
		! systemctl start zsfs@mnt-b || exit 1
		[ "$(state zsfs@mnt-b Result)" = exit-code ]
		said zsfs@mnt-b "$(sed "s,/mnt/a,/mnt/b,g" /zsfs-test/out/twice)"
		[ "$(mounts b)" = 1 ]
		systemctl is-active mnt-b.mount
		# Lines of fstab, and options of a unit.
		[ "$(mounts f) $(mounts w)" = "1 0" ]
		systemctl is-failed mnt-w.mount
		said mnt-w.mount 'unknown option "sized=1G"'
		! systemctl start zsfs@mnt-o || exit 1
		said zsfs@mnt-o 'option size: bad value "8Q"'
		[ "$(mounts o)" = 0 ]
		# Units that end after they have had something mounted.
		mkdir -p /mnt/s /mnt/t
		systemctl start once@c once@s once@t
		echo text >/mnt/c/f
		echo text >/mnt/s/f
		# Only the one that is a process of its unit ends with that, as the manual says.
		for i in $(seq 300); do
			[ "$(mounts t)" = 1 ] || break
			sleep 0.03
		done
		[ "$(mounts c) $(mounts s) $(mounts t)" = "1 1 0" ]
		# A unit ends when somebody unmounts.
		umount /mnt/c
		for i in $(seq 300); do
			[ "$(state zsfs@mnt-c ActiveState)" = active ] || break
			sleep 0.03
		done
		[ "$(state zsfs@mnt-c ActiveState) $(state zsfs@mnt-c Result)" = "inactive success" ]
		systemctl stop zsfs@mnt-a
		[ "$(mounts a)" = 0 ]
	END
	booted
}

@test "systemd: shutdown ends the users first, then the mounts" {
	make_files
	# Debian 12 has no tmp.mount in place.
	[ ! -e /usr/share/systemd/tmp.mount ] ||
		file etc/systemd/system/tmp.mount </usr/share/systemd/tmp.mount
	file etc/systemd/system/tmp.mount.d/zsfs.conf <"$TOP/scripts/systemd/tmp.mount.conf"
	file etc/fstab <<-'END'
		none /mnt/f zsfs size=1G,nosuid,nodev 0 0
	END
	# Users that know nothing of the mount, at boot; one that starts later and has
	# no order but that; and one that starts a mount with itself.
	mkdir -p "$T/files/etc/systemd/system"/{local-fs,check}.target.wants
	for at in mnt-a mnt-e; do
		ln -s ../zsfs@.service \
			"$T/files/etc/systemd/system/local-fs.target.wants/zsfs@$at.service"
	done
	for user in mnt-e mnt-f tmp; do
		ln -s ../hold@.service \
			"$T/files/etc/systemd/system/check.target.wants/hold@$user.service"
	done
	ln -s ../tmp.mount "$T/files/etc/systemd/system/local-fs.target.wants"
	file etc/systemd/system/hold@mnt-a.service.d/order.conf <<-'END'
		[Unit]
		DefaultDependencies=no
		Conflicts=shutdown.target
		Before=shutdown.target
		RequiresMountsFor=/mnt/a
	END
	file etc/systemd/system/hold@mnt-d.service.d/after.conf <<-'END'
		[Unit]
		Requires=zsfs@mnt-d.service
		After=zsfs@mnt-d.service
	END
	# The end of what serves a mount, and whether it was unmounted by then.
	file etc/systemd/system/zsfs@.service.d/tell.conf <<-'END'
		[Unit]
		RequiresMountsFor=/zsfs-test/out
		[Service]
		ExecStopPost=sh -c 'mountpoint -q %f && echo "left %f" >>/zsfs-test/out/order; echo "server of %f" >>/zsfs-test/out/order'
	END
	file zsfs-test/check <<-'END'
		systemctl start hold@mnt-a hold@mnt-d
		for at in /mnt/a /mnt/d /mnt/e /mnt/f /tmp; do
			findmnt -no FSTYPE "$at" | grep -x fuse.zsfs
			[ "$(cat "$at/open")" = begin ]
		done
	END
	booted
	for user in mnt-a mnt-d mnt-e mnt-f tmp; do
		same "$(cat "$T/out/$user")" $'begin\nend'
	done
	cat "$T/out/order"
	fails grep left "$T/out/order"
	for at in /mnt/a /mnt/d /mnt/e; do
		same "$(grep $at "$T/out/order")" "user of $at"$'\n'"server of $at"
	done
	same "$(grep -c user "$T/out/order")" 5
}
