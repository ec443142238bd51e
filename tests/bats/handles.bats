#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# File handles: what file servers and overlayfs keep instead of a name.
load helpers

setup() {
	root_only
	zsfs_setup
	zsfs_mount
	cd "$M"
}

teardown() {
	cd /
	zsfs_teardown
}

# In Python: handle(NAME), reopen(HANDLE) and drop() of all cached inodes.
handles() {
	"$PYTHON" -c '
import ctypes, errno, os, signal, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
ROOT = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
def handle(name, dir=-100):
    buf = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128), 136)
    mount = ctypes.c_int()
    if libc.name_to_handle_at(dir, name.encode(), buf, ctypes.byref(mount), 0x1000):
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return buf
def reopen(buf, flags=os.O_RDONLY):
    fd = libc.open_by_handle_at(ROOT, buf, flags)
    if fd < 0:
        return errno.errorcode[ctypes.get_errno()]
    return fd
def drop():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
def same(got, want):
    assert got == want, (got, want)
def put(name, text):
    with open(name, "w") as f:
        f.write(text)
'"$1" "${@:2}"
}

@test "handles: of a file, a folder and a symlink, when nothing is cached" {
	handles '
os.makedirs("a/b/c")
put("a/b/f", "content")
os.symlink("target", "a/s")
want = {name: os.lstat(name) for name in ("a/b/f", "a/b/c", "a", ".")}
hs = {name: handle(name) for name in want}
for round in range(2):
    for name, h in hs.items():
        drop()
        fd = reopen(h)
        same(os.fstat(fd).st_ino, want[name].st_ino)
        os.close(fd)
drop()
fd = reopen(hs["a/b/f"], os.O_RDWR)
same(os.read(fd, 100), b"content")
os.write(fd, b"more")
same(open("a/b/f").read(), "contentmore")
drop()
fd = reopen(hs["a/b/c"])
same(os.readlink("/proc/self/fd/%d" % fd), os.getcwd() + "/a/b/c")
same(os.stat("..", dir_fd=fd).st_ino, os.stat("a/b").st_ino)
'
}

@test "handles: a folder that was moved is found where it is" {
	handles '
os.makedirs("a/b/c")
os.mkdir("z")
h = handle("a/b/c")
os.rename("a/b", "z/b")
drop()
fd = reopen(h)
same(os.readlink("/proc/self/fd/%d" % fd), os.getcwd() + "/z/b/c")
'
}

@test "handles: what was deleted is ESTALE" {
	handles '
put("f", "x")
os.mkdir("d")
hs = [handle("f"), handle("d")]
os.unlink("f")
os.rmdir("d")
for h in hs:
    same(reopen(h), "ESTALE")
drop()
for h in hs:
    same(reopen(h), "ESTALE")
'
}

@test "handles: a file that is still open is found, and not when it is closed" {
	handles '
put("f", "x")
h = handle("f")
fd = os.open("f", os.O_RDONLY)
os.unlink("f")
again = reopen(h)
same(os.read(again, 9), b"x")
os.close(again)
os.close(fd)
drop()
same(reopen(h), "ESTALE")
'
}

@test "handles: an old one does not open what has its place now" {
	zsfs_only
	handles '
old = []
for n in range(300):
    put("f%d" % n, "old")
    old.append(handle("f%d" % n))
for n in range(300):
    os.unlink("f%d" % n)
drop()
for n in range(300):
    put("g%d" % n, "new")
places = {h.raw[8:16] for h in old} & {handle("g%d" % n).raw[8:16] for n in range(300)}
assert places, "no place was used again"
for h in old:
    same(reopen(h), "ESTALE")
drop()
for h in old:
    same(reopen(h), "ESTALE")
'
}

@test "handles: those of another mount at the same place are ESTALE" {
	zsfs_only
	fill='
os.makedirs("d")
for n in range(100):
    put("f%d" % n, sys.argv[1])
hs = [handle(name) for name in ["d"] + ["f%d" % n for n in range(100)]]
'
	handles "$fill"'open(sys.argv[2], "wb").write(b"".join(h.raw for h in hs))' old "$T/handles"
	cd /
	zsfs_umount
	zsfs_mount
	cd "$M"
	handles "$fill"'
raw = open(sys.argv[2], "rb").read()
old = [ctypes.create_string_buffer(raw[i:i + 136], 136) for i in range(0, len(raw), 136)]
same(len(old), len(hs))
for again in range(2):
    for h in old:
        same(reopen(h), "ESTALE")
    drop()
' new "$T/handles"
}

@test "handles: made up ones are ESTALE" {
	zsfs_only
	handles '
put("f", "x")
h = handle("f")
size, kind = struct.unpack("Ii", h.raw[:8])
import random
random.seed(5)
for n in range(3000):
    body = bytearray(h.raw[8:8 + size])
    for k in range(random.randrange(1, 5)):
        body[random.randrange(len(body))] = random.randrange(256)
    if bytes(body) == h.raw[8:8 + size]:
        continue
    fake = ctypes.create_string_buffer(h.raw[:8] + bytes(body), 136)
    got = reopen(fake)
    if isinstance(got, int):
        same(os.fstat(got).st_ino in (os.stat("f").st_ino, os.stat(".").st_ino), True)
        os.close(got)
    else:
        same(got, "ESTALE")
'
}

@test "handles: they are good after a worker's death" {
	zsfs_only
	handles '
os.makedirs("a/b")
put("a/b/f", "content")
hs = [handle("a/b/f"), handle("a/b")]
def worker():
    import json
    return json.load(open(".zsstats/stats.json"))["survival"]["worker"]
for round in range(3):
    was = worker()
    os.kill(was, signal.SIGKILL)
    while worker() in (0, was):
        time.sleep(0.01)
    drop()
    same(os.read(reopen(hs[0]), 99), b"content")
    same(os.listdir(reopen(hs[1])), ["f"])
'
}

@test "handles: a file without a name has one, too" {
	handles '
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(fd, b"hidden")
h = handle("", fd)
again = reopen(h)
same(os.pread(again, 9, 0), b"hidden")
os.close(again)
os.close(fd)
drop()
same(reopen(h), "ESTALE")
'
}

# share: nfs-ganesha exports $M, and nothing of the machine is asked; at $URL
share() {
	need ganesha.nfsd nfs-cat nfs-cp nfs-ls
	PORT=$((20000 + $$ % 20000))
	OPEN="?version=4&nfsport=$PORT"
	URL=nfs://127.0.0.1/x
	mkdir -p "$T/rec"
	cat >"$T/conf" <<-END
		NFS_CORE_PARAM { Protocols = 4; NFS_Port = $PORT; Bind_addr = 127.0.0.1;
			Enable_NLM = false; Enable_RQUOTA = false; }
		NFSV4 { Graceless = true; Minor_Versions = 0; RecoveryRoot = $T/rec; }
		EXPORT { Export_Id = 77; Path = $M; Pseudo = /x; Access_Type = RW;
			Squash = No_Root_Squash; SecType = sys; Transports = TCP;
			FSAL { Name = VFS; } }
	END
	timeout 200 ganesha.nfsd -F -f "$T/conf" -L "$T/ganesha" -p "$T/pid" 3>&- &
	GANESHA=$!
	on_teardown "kill $GANESHA 2>/dev/null; tail --pid=$GANESHA -f /dev/null"
	poll 60 nfs-ls "$URL/$OPEN"
}

end_share() {
	kill "$GANESHA"
	wait "$GANESHA" || true
}

@test "handles: nfs-ganesha exports a mount, whose workers may die" {
	zsfs_only
	echo first >first
	mkdir d
	share
	head -c 3000 /dev/urandom >"$T/data"
	for i in 1 2 3 4 5; do
		nfs-cp "$T/data" "$URL/d/f$i$OPEN"
		kill -9 "$(worker)"
		echo 2 >/proc/sys/vm/drop_caches
		cmp "$T/data" "d/f$i"
		nfs-cat "$URL/d/f$i$OPEN" | cmp - "$T/data"
		poll 30 has_standby
	done
	same "$(nfs-cat "$URL/first$OPEN")" first
	same "$(nfs-ls "$URL/d$OPEN" | awk '{ print $NF }' | sort | xargs)" "f1 f2 f3 f4 f5"
	end_share
}

# client LINE...: what a client that keeps handles only answers (nfs4.py)
client() {
	printf '%s\n' "$@" | "$PYTHON" "$BATS_TEST_DIRNAME/nfs4.py" "$PORT" | xargs
}

@test "handles: NFS clients keep theirs over a worker's death, and get no other file" {
	zsfs_only
	mkdir d
	echo kept >d/kept
	for i in $(seq 50); do
		echo old >"d/old$i"
	done
	share
	lines=("get kept x/d/kept")
	asks=()
	for i in $(seq 50); do
		lines+=("get old$i x/d/old$i")
		asks+=("read old$i")
	done
	same "$(client "${lines[@]}" "put $T/kept" "read kept" "get none x/d/none" |
		sed 's/\(ok \)*//')" "kept 2"
	rm d/old*
	for i in $(seq 50); do
		echo new >"d/new$i"
	done
	stale=$(printf '70 %.0s' $(seq 50))
	for round in 1 2; do
		same "$(client "load $T/kept" "read kept" "${asks[@]}")" "ok kept ${stale% }"
		kill -9 "$(worker)"
		echo 2 >/proc/sys/vm/drop_caches
		poll 30 has_standby
	done
	end_share
	# All of it anew at the same place: a server that was started again.
	cd /
	zsfs_umount
	zsfs_mount
	cd "$M"
	mkdir d
	for i in $(seq 51); do
		echo new >"d/new$i"
	done
	share
	same "$(client "load $T/kept" "read kept" "${asks[@]}")" "ok 70 ${stale% }"
	end_share
}
