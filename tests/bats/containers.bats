#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What the section CONTAINERS of the manual shows, with podman: a mount as /tmp of a
# container, as a volume, as the storage of images and containers.
load helpers

setup() { zsfs_setup; zsfs_only; root_only; zsfs_mount -o size=1G,nosuid,nodev; }
teardown() { zsfs_teardown; }

# A root directory with busybox and what it is linked to.
make_root() {
	local lib name

	mkdir -p "$T/root"/{bin,dev,etc,proc,sys,tmp}
	cp "$(command -v busybox)" "$T/root/bin/busybox"
	for name in sh cat df echo id ls mkdir rm stat touch; do
		ln -s busybox "$T/root/bin/$name"
	done
	ldd "$T/root/bin/busybox" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$T/root${lib%/*}"
		cp "$lib" "$T/root$lib"
	done
}

# storage FOLDER DRIVER: where images and containers are.
storage() {
	printf '%s\n' '[storage]' "driver = \"$2\"" "graphroot = \"$1\"" \
		"runroot = \"$T/run\"" >"$T/storage.conf"
}

# podman that leaves the machine's own storage, locks and control groups alone.
set_up_podman() {
	need podman busybox unshare
	make_root
	storage "$T/store" vfs
	cat >"$T/containers.conf" <<-END
		[containers]
		cgroups = "disabled"
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		log_driver = "k8s-file"
		netns = "none"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "none"
		lock_type = "file"
		tmp_dir = "$T/libpod"
	END
	export CONTAINERS_CONF=$T/containers.conf CONTAINERS_STORAGE_CONF=$T/storage.conf
	apart 'podman run --rm --rootfs "$T/root" sh -c true' >"$T/probe" 2>&1 ||
		skip "no container can be run: $(tail -n 1 "$T/probe")"
	rm -rf "$T/store" "$T/run" "$T/libpod"
}

# apart SCRIPT: where its mounts and processes end with it. crun 1.8 does not like
# both versions of control groups at once, and gives /dev/null to a container's user.
apart() {
	[ -e "$T/null" ] || cp -a /dev/null "$T/null"
	timeout 100 unshare -m --pid --fork --kill-child --mount-proc bash -c '
		set -eu
		mount --bind "$T/null" /dev/null
		! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
		eval "$0"' "$1" </dev/null 3>&- 4>&-
}

# The image "busy" is made, changed in a container and stored as another, with less
# and more in it: a script.
make_layers() {
	cat >"$T/layers" <<-'END'
		cd "$T"
		tar -C "$T/root" -c . | podman import -q - busy
		podman run --rm busy sh -c "echo text >/tmp/new; cat /tmp/new" | grep -x text
		podman run --name c busy sh -c "rm /bin/id; mkdir /etc/d; echo text >/etc/d/f"
		podman commit -q c changed
		podman rm c
		said=$(podman run --rm changed sh -c "ls /bin/id 2>&1; cat /etc/d/f")
		echo "$said"
		[[ $said == *"No such file"*text ]]
	END
}

@test "containers: /tmp of a container" {
	set_up_podman
	run -0 apart 'podman run --rm -v "$M:/tmp" --rootfs "$T/root" \
		sh -c "df /tmp; echo text >/tmp/f"
		podman run --rm --user 5:6 -v "$M:/tmp" --rootfs "$T/root" \
			sh -c "cat /tmp/f; touch /tmp/mine; ! rm -f /tmp/f || exit 1"'
	[[ $output == *"zsfs "*"% /tmp"*text* ]]
	same "$(cat "$M/f")" text
	same "$(stat -c '%u %g' "$M/mine")" "5 6"
}

@test "containers: a folder as a volume of two containers" {
	set_up_podman
	mkdir "$M/data"
	run -0 apart 'podman run --rm -v "$M/data:/data" --rootfs "$T/root" \
		sh -c "echo text >/data/f"
		podman run --rm -v "$M/data:/data:ro" --rootfs "$T/root" \
			sh -c "cat /data/f; touch /data/g || echo refused"'
	[[ $output == *text*refused* ]]
	same "$(ls "$M/data")" f
}

@test "containers: a volume that is a mount of its own" {
	set_up_podman
	mkdir "$T/sbin"
	ln -s "$ZSFS" "$T/sbin/mount.zsfs"
	run apart 'mount -t overlay overlay -o "lowerdir=$T/sbin:/sbin" /sbin || exit 77
		make() {
			podman volume create --opt type=zsfs --opt device=none --opt "o=$1" v
		}
		into() { podman run --rm -v v:/data --rootfs "$T/root" "$@"; }
		make nr_blocks=16k,mode=0700,mem_limit=64M,nosuid,nodev
		into sh -c "cat /data/.zsctl/size; stat -c %a /data; echo text >/data/f"
		podman volume rm v
		make nr_blokcs=16k
		fails into true
		cat "$T/fails.out"
		podman volume rm v
		for i in $(seq 300); do
			pgrep -x zsfs >/dev/null || exit 0
			sleep 0.03
		done
		exit 1'
	[ "$status" != 77 ] || skip "no overlay file system can be mounted"
	same "$status" 0
	[[ $output == *67108864$'\n'700* ]]
	[[ $output == *'unknown option "nr_blokcs=16k"'* ]]
}

@test "containers: their storage" {
	set_up_podman
	make_layers
	for driver in overlay vfs; do
		storage "$M/$driver" $driver
		run -0 apart '. "$T/layers"'
		[ "$(find "$M/$driver" -name busybox -size +100k | wc -l)" -ge 1 ]
		[ ! -e "$T/store" ]
		rm -rf "$T/run" "$T/libpod"
	done
}

# as_user SCRIPT: nobody, who has other users' numbers and may mount.
as_user() {
	echo "$1" >"$T/steps"
	apart '
		mount --bind "$T/fuse" /dev/fuse
		mount --bind "$T/ids" /etc/subuid
		mount --bind "$T/ids" /etc/subgid
		export HOME=$T/user/home XDG_RUNTIME_DIR=$T/user
		unset CONTAINERS_STORAGE_CONF
		exec setpriv --reuid=65534 --regid=65534 --clear-groups bash -eu "$T/steps"'
}

@test "containers: those of a user, on a mount for or by the user" {
	need newuidmap newgidmap setpriv fusermount3
	[ -f /etc/subuid ] && [ -f /etc/subgid ] || skip "no /etc/subuid"
	set_up_podman
	make_layers
	config=$T/user/home/.config/containers
	mkdir -p "$M/user" "$T/user/own" "$config"
	cp "$ZSFS" "$T/user/zsfs"
	chown -R $NOBODY "$T/user" "$M/user"
	sed -i "s,$T/libpod,$T/user/libpod," "$T/containers.conf"
	echo "$NOBODY:100000:65536" >"$T/ids"
	cp -a /dev/fuse "$T/fuse"
	chmod 666 "$T/fuse"
	run as_user 'podman unshare true'
	[ "$status" = 0 ] || skip "no user can have containers: ${lines[-1]}"
	for place in "$M/user" "$T/user/own"; do
		for driver in overlay vfs; do
			storage "$place/$driver" $driver
			sed "s,$T/run,$T/user/run," "$T/storage.conf" >"$config/storage.conf"
			run -0 as_user "
				[ $place = $M/user ] || $T/user/zsfs -o size=1G $place
				. $T/layers
				find $place/$driver -name busybox -size +100k | grep .
				[ $place = $M/user ] || grep '^zsfs $place ' /proc/mounts"
			rm -rf "$T/user/run" "$T/user/libpod"
		done
	done
}
