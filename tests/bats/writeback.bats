#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# What is special where the kernel caches writes (-o writeback). All other tests
# run so, too, with ZSFS_TEST_OPTS=writeback.
load helpers

setup() {
	zsfs_setup
	zsfs_only
}
teardown() { zsfs_teardown; }

zsfs_cached() {
	zsfs_mount -o "writeback${1:+,$1}"
	poll 10 has_standby
}

# A server that has just been connected knows only what it was told.
connect_anew() {
	root_only
	expect_log 'was aborted'
	local n
	n=$(json .survival.reconnects)
	(cd "$M" && exec umount -f "$M" 2>/dev/null) || true
	poll 10 has_reconnected "$n"
}

has_reconnected() {
	[ "$(json .survival.reconnects 2>/dev/null || echo "$1")" -gt "$1" ]
}

# Run Python with $M as its directory, $PIDS as a function that kills the worker
# and waits for the next, and a line for each thing found wrong.
python_there() {
	(cd "$M" && T=$T "$PYTHON" -c "
import errno, json, mmap, os, random, signal, subprocess, sys, threading, time

def stats():
    return json.load(open('.zsstats/stats.json'))

def kill_worker():
    s = stats()['survival']
    os.kill(s['worker'], signal.SIGKILL)
    while stats()['survival']['takeovers'] == s['takeovers']:
        time.sleep(0.01)
    while not stats()['survival']['standby']:
        time.sleep(0.01)

def error_of(call, *args):
    try:
        call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return 'ok'

def drop(fd):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

def same(a, b, what=''):
    if a != b:
        sys.exit(f'{what}: {str(a)[:80]} is not {str(b)[:80]}')
$1" 3>&- 4>&-)
}

late_errors_expected() {
	expect_log 'no room for a cached write'
}

@test "writeback: the option is shown, tuned for, and fixed by the mount" {
	zsfs_cached
	same "$(json .writeback)" true
	if [ "$(id -u)" = 0 ]; then
		same "$(json .environment.max_ratio)" 5
		same "$(cat "/sys/class/bdi/$(mount_field "$M" device)/max_ratio")" 5
	fi
	run "$ZSFS" -o remount,nowriteback "$M"
	same "$status" 1
	[[ $output == *"option writeback: fixed by the mount"* ]]
	"$ZSFS" -o remount,writeback,size=1G "$M"
	mkdir "$T/n"
	"$ZSFS" -o writeback,nowriteback "$T/n"
	same "$(jq .writeback "$T/n/.zsstats/stats.json")" false
	same "$(jq .environment.max_ratio "$T/n/.zsstats/stats.json")" 0
	umount "$T/n"
}

@test "writeback: small writes become few requests, and stat needs none" {
	zsfs_cached
	python_there "
fd = os.open('f', os.O_CREAT | os.O_RDWR)
before = stats()['requests']
for k in range(2000):
    os.write(fd, b'%099d\n' % k)
    same(os.fstat(fd).st_size, 100 * (k + 1), 'size')
after = stats()['requests']
for name, most in ('write', 200), ('getattr', 100):
    if after[name] - before[name] > most:
        sys.exit(f'{after[name] - before[name]} {name}')
os.close(fd)
same(open('f').read(), ''.join('%099d\n' % k for k in range(2000)), 'content')"
}

@test "writeback: what finds no room is an error of close, fsync and msync" {
	zsfs_cached size=8M
	late_errors_expected
	random_file "$T/old" 3000000
	cp "$T/old" "$M/old"
	python_there "
def write(name):
    fd = os.open(name, os.O_CREAT | os.O_RDWR)
    same(os.write(fd, os.urandom(8 << 20)), 8 << 20, 'write')
    return fd

same(error_of(os.close, write('by_close')), 'ENOSPC', 'close')
os.unlink('by_close')
fd = write('by_fsync')
same(error_of(os.fsync, fd), 'ENOSPC', 'fsync')
os.close(fd)
os.unlink('by_fsync')
fd = os.open('by_msync', os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 8 << 20)
m = mmap.mmap(fd, 8 << 20)
m[:] = os.urandom(8 << 20)
same(error_of(m.flush), 'ENOSPC', 'msync')
m.close()
error_of(os.close, fd)
os.unlink('by_msync')
assert stats()['content']['late_writes_lost'] > 0
fd = os.open('fits', os.O_CREAT | os.O_RDWR)
os.write(fd, bytes(1000))
os.fsync(fd)
os.close(fd)"
	drop_cache
	cmp "$T/old" "$M/old"
}

@test "writeback: who never asks is told by a later write" {
	zsfs_cached mem_limit=48M
	late_errors_expected
	python_there "
fd, n = os.open('f', os.O_CREAT | os.O_WRONLY), 0
piece = os.urandom(1 << 20)
try:
    while n < 16 << 30:
        n += os.write(fd, piece)
    sys.exit('no end')
except OSError as e:
    same(e.errno, errno.ENOSPC, 'write')
# stat is no write, and what there is can be read.
size = os.stat('f').st_size
same(os.fstat(fd).st_size, size, 'size')
open('f', 'rb').read()
error_of(os.close, fd)
os.unlink('f')
os.close(os.open('g', os.O_CREAT | os.O_WRONLY))"
	poll 10 quiet fsop put "$M/again" 20000000
	drop_cache
	expect ok check "$M/again" 0 20000000 1
}

@test "writeback: an overwrite beyond mem_limit leaves each block old or new" {
	zsfs_cached mem_limit=64M
	late_errors_expected
	python_there "
SIZE = 100 << 20
fd = os.open('f', os.O_CREAT | os.O_RDWR)
old = b'old text, ' * 409 + b'123456'
for k in range(SIZE // 4096):
    os.write(fd, old)
os.fsync(fd)
new = {}
for k in range(SIZE // 4096):
    new[k] = os.urandom(4096)
    e = error_of(os.pwrite, fd, new[k], k * 4096)
    if e != 'ok':
        same(e, 'ENOSPC', 'pwrite')
        del new[k]
        break
same(error_of(os.fsync, fd), 'ENOSPC', 'fsync')
assert error_of(os.fsync, fd) == 'ok'
st = os.statvfs('.')
same(st.f_bavail, 0, 'available')
assert st.f_blocks >= st.f_bfree
drop(fd)
lost = 0
for k in range(SIZE // 4096):
    is_ = os.pread(fd, 4096, k * 4096)
    if is_ == old:
        lost += k in new
    else:
        same(is_, new.get(k), f'block {k}')
assert lost > 0, 'all of it fitted'
error_of(os.close, fd)
m = open('.zsstats/mm_stat').read().split()
assert int(m[2]) <= 64 << 20, m"
}

@test "writeback: dirty pages outlive kill -9, and a replacement" {
	zsfs_cached
	python_there "
size = 4 << 20
fd = os.open('f', os.O_CREAT | os.O_RDWR)
want = bytearray(os.urandom(size))
os.write(fd, want)
for k in range(6):
    kill_worker()
    off = random.randrange(size - 100000)
    want[off:off + 100000] = os.urandom(100000)
    os.pwrite(fd, want[off:off + 100000], off)
    same(os.fstat(fd).st_size, size, 'size')
kill_worker()
os.fsync(fd)
drop(fd)
same(os.pread(fd, size, 0), want, 'content')
want[0:5] = b'dirty'
os.pwrite(fd, b'dirty', 0)
mtime = os.fstat(fd).st_mtime_ns
subprocess.run([os.environ['ZSFS'], '--replace', '.'], check=True)
os.pwrite(fd, b'again', 10)
want[10:15] = b'again'
os.fsync(fd)
drop(fd)
same(os.pread(fd, size, 0), want, 'content')
assert os.fstat(fd).st_mtime_ns >= mtime"
	same "$(json .survival.replacements)" 1
	same "$(json .writeback)" true
}

@test "writeback: sizes and times are what they were on a new connection" {
	zsfs_cached
	mkdir "$T/tree"
	for i in 1 2 3; do
		text_file "$T/tree/f$i" $((i * 70000))
		touch -d "2001-02-0$i 03:04:05.123456789" "$T/tree/f$i"
	done
	cp -a "$T/tree" "$M/cp"
	tar cf - --format=pax -C "$T" tree | tar xf - -C "$M"
	rsync -a "$T/tree/" "$M/rsync" || cp -a "$T/tree" "$M/rsync"
	python_there "
with open('written', 'wb') as f:
    f.write(b'a' * 5000)
with open('grown', 'wb') as f:
    f.truncate(100)
    f.write(b'b' * 6000)
    f.truncate(70000)
with open('cut', 'wb') as f:
    f.write(b'c' * 70000)
os.truncate('cut', 4097)
os.mkdir('d')
open('d/1', 'w').write('x')
os.link('d/1', 'd/2')
os.rename('d/1', 'd/3')
open('d/4', 'w').write('x')
os.chmod('d/4', 0o600)
os.utime('d/4', ns=(1, 2))
kill_worker()"
	find "$M" -type f -printf '%P %s %T@ %C@ %n %m\n' | sort >"$T/before"
	connect_anew
	find "$M" -type f -printf '%P %s %T@ %C@ %n %m\n' | sort >"$T/after"
	diff "$T/before" "$T/after"
	for i in cp tree rsync; do
		diff <(cd "$M/$i" && find . -type f -printf '%P %s %T@\n' | sort) \
			<(cd "$T/tree" && find . -type f -printf '%P %s %T@\n' | sort)
		diff -r "$T/tree" "$M/$i"
	done
}

@test "writeback: writing back late does not change the times" {
	zsfs_cached
	python_there "
fd = os.open('f', os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 1 << 20)
m = mmap.mmap(fd, 1 << 20)
m[0:5] = b'store'
os.pwrite(fd, b'write', 5000)
st = os.fstat(fd)
time.sleep(0.05)
os.sync()
os.fsync(fd)
kill_worker()
now = os.fstat(fd)
same((now.st_mtime_ns, now.st_ctime_ns), (st.st_mtime_ns, st.st_ctime_ns), 'times')
os.utime('f', ns=(10**18, 10**18))
os.fsync(fd)
m.close()
os.close(fd)"
	same "$(stat -c %.9Y "$M/f")" 1000000000.000000000
	connect_anew
	same "$(stat -c %.9Y "$M/f")" 1000000000.000000000
	same "$(head -c 5 "$M/f")" store
}

@test "writeback: controls are written at once" {
	zsfs_cached
	fails bash -c "echo nonsense >'$M/.zsctl/size'"
	[[ $(control last_cmd_status) == *nonsense* ]]
	echo 64M >"$M/.zsctl/size"
	same "$(control size)" $((64 << 20))
	printf 32M | tee "$M/.zsctl/size" >/dev/null
	same "$(control size)" $((32 << 20))
	printf 1G | dd of="$M/.zsctl/mem_limit" conv=notrunc status=none
	same "$(control mem_limit)" $((1 << 30))
	python_there "
fd = os.open('.zsctl/size', os.O_RDWR)
same(error_of(os.write, fd, b'bad'), 'EINVAL', 'write')
same(os.write(fd, b'0'), 1, 'write')
os.close(fd)
same(open('.zsctl/size').read(), '0\n', 'size')
kill_worker()
fd = os.open('.zsctl/size', os.O_WRONLY | os.O_TRUNC)
same(error_of(os.write, fd, b'worse'), 'EINVAL', 'write')"
	same "$(cat "$M/.zsstats/mm_stat" | wc -w)" 9
}

@test "writeback: two processes append, with and without kills" {
	zsfs_cached
	python_there "
def appender(tag):
    fd = os.open('log', os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for k in range(3000):
        os.write(fd, b'%s %090d\n' % (tag, k))
    os.close(fd)

pids = []
for tag in b'a', b'b':
    pid = os.fork()
    if not pid:
        appender(tag)
        os._exit(0)
    pids.append(pid)
for k in range(3):
    kill_worker()
for pid in pids:
    same(os.waitpid(pid, 0)[1], 0, 'appender')
lines = open('log', 'rb').read().splitlines()
same(len(lines), 6000, 'lines')
for tag in b'a', b'b':
    same([l for l in lines if l[:1] == tag], [b'%s %090d' % (tag, k) for k in range(3000)], 'lines')"
}

@test "writeback: mappings, read(2) and write(2) see each other" {
	zsfs_cached
	python_there "
fd = os.open('f', os.O_CREAT | os.O_RDWR)
os.write(fd, bytes(20000))
m = mmap.mmap(fd, 20000)
m[100:105] = b'store'
same(os.pread(fd, 5, 100), b'store', 'read')
os.pwrite(fd, b'write', 9000)
same(m[9000:9005], b'write', 'map')
kill_worker()
m[15000:15005] = b'later'
m.flush()
drop(fd)
same(os.pread(fd, 5, 15000), b'later', 'read')
same(os.pread(fd, 5, 100), b'store', 'read')
same(m[9000:9005], b'write', 'map')"
}

@test "writeback: a file being written is copied as it is" {
	zsfs_cached
	need tar
	mkdir "$T/out"
	python_there "
out = os.environ['T'] + '/out'
want = os.urandom(3 << 20)
for name, hole in ('new', 0), ('sparse', 30 << 20):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    if hole:
        os.lseek(fd, hole, os.SEEK_SET)
    os.write(fd, want)
    # As soon as the kernel asks for attributes again, so that nobody takes it
    # for a hole.
    time.sleep(0.03)
    st = os.stat(name)
    same(st.st_size, hole + len(want), 'size')
    assert st.st_blocks * 512 >= len(want), st.st_blocks
    whole = bytes(hole) + want
    for how in (f'cp {name} {out}/f', f'cp --sparse=always {name} {out}/f',
                f'tar cSf - {name} | tar xOf - >{out}/f',
                f'tar cf - {name} | tar xOf - >{out}/f'):
        os.write(fd, b'more')
        whole += b'more'
        subprocess.run(how, shell=True, check=True)
        same(open(out + '/f', 'rb').read(), whole, how)
    r = os.open(name, os.O_RDONLY)
    os.write(fd, b'more')
    same(os.lseek(r, 0, os.SEEK_END), len(whole) + 4, 'end')
    same(os.lseek(r, len(whole), os.SEEK_DATA), len(whole), 'data')
    same(os.lseek(r, len(whole), os.SEEK_HOLE), len(whole) + 4, 'hole')
    same(error_of(os.lseek, r, len(whole) + 4, os.SEEK_DATA), 'ENXIO', 'data')
    if hole:
        same(os.lseek(r, 0, os.SEEK_DATA), hole, 'data')
    os.close(fd)"
}

@test "writeback: du of a file that stays open follows" {
	zsfs_cached
	python_there "
fd = os.open('f', os.O_CREAT | os.O_RDWR)
for k in range(1, 4):
    os.write(fd, os.urandom(2 << 20))
    os.fsync(fd)
    time.sleep(1.1)
    os.pwrite(fd, b'x', 0)
    os.fsync(fd)
    same(os.stat('f').st_blocks * 512, k * (2 << 20), 'blocks')"
}

@test "writeback: cutting and growing under writers and kills" {
	zsfs_cached
	python_there "
def run(name, seed):
    rng = random.Random(seed)
    fd, want = os.open(name, os.O_CREAT | os.O_RDWR), bytearray()
    for k in range(400):
        what = rng.randrange(5)
        if what < 3:
            off, data = rng.randrange(200000), rng.randbytes(rng.randrange(1, 30000))
            if off > len(want):
                want.extend(bytes(off - len(want)))
            want[off:off + len(data)] = data
            os.pwrite(fd, data, off)
        elif what == 3:
            size = rng.randrange(250000)
            want = want[:size] + bytes(max(0, size - len(want)))
            os.ftruncate(fd, size)
        else:
            drop(fd)
        if rng.randrange(20) == 0:
            same(os.pread(fd, 300000, 0), want, f'{name} at {k}')
    os.fsync(fd)
    drop(fd)
    same(os.pread(fd, 300000, 0), want, name)
    same(os.fstat(fd).st_size, len(want), name)

pids = []
for k in range(4):
    pid = os.fork()
    if not pid:
        run(f'f{k}', k)
        os._exit(0)
    pids.append(pid)
for k in range(5):
    kill_worker()
for pid in pids:
    same(os.waitpid(pid, 0)[1], 0, 'writer')"
	timeout 120 "$ZSFS_TOOLS/filemodel" "$M/model" 1500 11
}

@test "writeback: an aborted connection costs only what was not stored yet" {
	zsfs_cached
	root_only
	expect_log 'was aborted|Transport endpoint'
	python_there "
open('closed', 'wb').write(b'a' * 100000)
fd = os.open('synced', os.O_CREAT | os.O_WRONLY)
os.write(fd, b'b' * 100000)
os.fsync(fd)
os.write(fd, b'late')
import ctypes
ctypes.CDLL(None).umount2(os.getcwd().encode(), 1)
error_of(os.fsync, fd)"
	poll 10 quiet stat "$M/closed"
	same "$(stat -c %s "$M/closed")" 100000
	between 100000 "$(stat -c %s "$M/synced")" 100004
	same "$(head -c 100000 "$M/synced" | tr -cd b | wc -c)" 100000
}

@test "writeback: with nosurvive, and by an ordinary user" {
	zsfs_mount -o writeback,nosurvive
	random_file "$T/f" 3000000
	cp "$T/f" "$M/f"
	fails bash -c "echo nonsense >'$M/.zsctl/size'"
	drop_cache
	cmp "$T/f" "$M/f"
	zsfs_umount
	wait_daemon
	as_nobody '
		$ZSFS -o writeback "$M"
		trap "fusermount3 -u $M" EXIT
		head -c 1000000 /dev/zero >"$M/f"
		[ "$(stat -c %s "$M/f")" = 1000000 ]
		grep -q "\"writeback\":true" "$M/.zsstats/stats.json"
		grep -q "\"max_ratio\":0" "$M/.zsstats/stats.json"'
}
