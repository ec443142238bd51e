# SPDX-License-Identifier: BSD-3-Clause
"""nfs4.py PORT: an NFS client that keeps nothing but file handles.

For tests: on stdin lines "get NAME PATH" (the handle of a path below the root
of the server, kept as NAME), "put FILE" and "load FILE" (all kept handles to and
from a file), "read NAME" (what is read with the handle alone). Each is answered by
one line: "ok", the content, or the error's number in NFSv4 (2: no such file, 70:
stale).
"""
import json
import os
import socket
import struct
import sys

PUTROOTFH, PUTFH, LOOKUP, GETFH, READ = 24, 22, 15, 10, 25


def number(value):
    return struct.pack(">I", value)


def opaque(data):
    return number(len(data)) + data + bytes(-len(data) % 4)


class Reply:
    def __init__(self, data):
        self.data = data

    def number(self):
        value, self.data = struct.unpack(">I", self.data[:4])[0], self.data[4:]
        return value

    def opaque(self):
        size = self.number()
        value, self.data = self.data[:size], self.data[size + -size % 4:]
        return value


class Refused(Exception):
    pass


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.xid = 0

    def receive(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the server has ended")
            data += more
        return data

    def message(self, data):
        """One message there, one back, each a single fragment."""
        self.socket.sendall(number(1 << 31 | len(data)) + data)
        size = struct.unpack(">I", self.receive(4))[0] & ~(1 << 31)
        return Reply(self.receive(size))

    def compound(self, *operations):
        """The reply behind the results that are a status only."""
        self.xid += 1
        user = number(0) + opaque(b"bats") + number(0) * 3
        reply = self.message(
            b"".join(map(number, (self.xid, 0, 2, 100003, 4, 1, 1))) + opaque(user)
            + number(0) * 2 + number(0) * 2 + number(len(operations))
            + b"".join(operations))
        assert (reply.number(), reply.number(), reply.number()) == (self.xid, 1, 0)
        reply.number()
        reply.opaque()
        assert reply.number() == 0
        status = reply.number()
        reply.opaque()
        reply.number()
        if status:
            raise Refused(status)
        for _ in operations:
            reply.number()
            reply.number()
        return reply

    def handle(self, path):
        names = [number(LOOKUP) + opaque(os.fsencode(n)) for n in path.split("/")]
        return self.compound(number(PUTROOTFH), *names, number(GETFH)).opaque()

    def read(self, handle):
        reply = self.compound(number(PUTFH) + opaque(handle),
                              number(READ) + bytes(16) + bytes(8) + number(4096))
        reply.number()
        return reply.opaque()


def answer(client, handles, words):
    if words[0] == "get":
        handles[words[1]] = client.handle(words[2])
    elif words[0] == "put":
        with open(words[1], "w", encoding="ascii") as file:
            json.dump({k: v.hex() for k, v in handles.items()}, file)
    elif words[0] == "load":
        with open(words[1], encoding="ascii") as file:
            handles.update((k, bytes.fromhex(v)) for k, v in json.load(file).items())
    else:
        return client.read(handles[words[1]]).decode()
    return "ok"


def main():
    client, handles = Client(int(sys.argv[1])), {}
    for line in sys.stdin:
        try:
            print(answer(client, handles, line.split()), flush=True)
        except Refused as why:
            print(why, flush=True)


main()
