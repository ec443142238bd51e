#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Fifos, sockets, device nodes.
load helpers

setup() { zsfs_setup; zsfs_mount; cd "$M"; }
teardown() { cd /; zsfs_teardown; }

@test "special: a fifo carries data" {
	mkfifo p
	(timeout 20 cat p >"$T/got") 3>&- &
	echo through >p
	wait $!
	same "$(cat "$T/got")" through
	same "$(stat -c %F p)" fifo
	same "$(stat -c %s p)" 0
	expect ENXIO open p wN
}

@test "special: a unix socket connects" {
	"$PYTHON" - <<-'END'
		import os, socket, stat
		server = socket.socket(socket.AF_UNIX)
		server.bind("sock")
		server.listen()
		client = socket.socket(socket.AF_UNIX)
		client.connect("sock")
		peer, _ = server.accept()
		client.send(b"hello")
		assert peer.recv(10) == b"hello"
		assert stat.S_ISSOCK(os.stat("sock").st_mode)
		server.close()
		try:
		    socket.socket(socket.AF_UNIX).connect("sock")
		    raise SystemExit("connected to a closed socket")
		except ConnectionRefusedError:
		    pass
	END
	expect EADDRINUSE socket sock
	expect ENXIO open sock r
	rm sock
}

@test "special: device nodes work for root" {
	root_only
	expect ok mknod null c 666 1 3
	expect ok mknod zero c 666 1 5
	expect ok mknod blk b 600 7 200
	same "$(stat -c '%F %t:%T' null)" "character special file 1:3"
	same "$(stat -c '%F %t:%T' blk)" "block special file 7:c8"
	echo gone >null
	same "$(head -c 5 zero | od -An -tx1 | tr -d ' ')" 0000000000
	expect ok mknod big c 600 511 65536
	same "$(stat -c '%t:%T' big)" 1ff:10000
}

@test "special: mknod needs privilege for devices, not for fifos" {
	root_only
	chmod 777 .
	expect EPERM -u 1000:1000 mknod n c 666 1 3
	expect ok -u 1000:1000 mknod p p 644 0 0
	expect ok -u 1000:1000 mknod s s 644 0 0
	expect ok -u 1000:1000 mknod f f 644 0 0
	same "$(stat -c %F f)" "regular empty file"
	expect 5 write f w 0 5 1
}

@test "special: they can be renamed, linked and removed" {
	mkfifo p
	expect ok rename p q
	expect ok link q r
	same "$(stat -c %h r)" 2
	expect ok unlink q
	expect ok unlink r
	same "$(ls -A)" ""
}

@test "special: O_TMPFILE leaves no name" {
	expect ok tmpfile .
	same "$(ls -A)" ""
}
