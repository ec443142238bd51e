# SPDX-License-Identifier: BSD-3-Clause
"""pg.py BINARIES MOUNT SOCKETS MORE: PostgreSQL on a full mount.

A table grows until there is no room. That has to be an error of the statement
and nothing else: not of a checkpoint, not of the log, and every row that was
committed is there. MORE is a mem_limit with room.
"""
import os
import subprocess
import sys

BIN, M, S, MORE = sys.argv[1:]
D, LOG = f"{M}/db", f"{S}/log"
CONFIG = f"""
listen_addresses = ''
unix_socket_directories = '{S}'
shared_buffers = 12MB
min_wal_size = 64MB
max_wal_size = 64MB
checkpoint_timeout = 30s
autovacuum = off
log_line_prefix = '%b '
"""
ROWS = 200
ROW = "(select string_agg(sha512((random()::text || g || h)::bytea), '') from generate_series(1, 16) h)"
INSERT = f"insert into t select g, {ROW} from generate_series(1, {ROWS}) g;"


def run(tool, *args, feed=None):
    return subprocess.run(
        [f"{BIN}/{tool}", *args], input=feed, capture_output=True, text=True, timeout=200
    )


def must(done):
    assert done.returncode == 0, (done.stdout, done.stderr, open(LOG).read())
    return done.stdout.strip()


def sql(text):
    return run("psql", "-h", S, "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", feed=text)


def server(*args):
    return must(run("pg_ctl", "-D", D, "-l", LOG, "-w", "-t", "100", *args))


def insert_until_full():
    """The rows that were committed."""
    rows = 0
    for _ in range(40):
        said = sql(f"{INSERT} \\echo done\n" * 100)
        rows += ROWS * said.stdout.split().count("done")
        if said.returncode:
            assert "could not extend file" in said.stderr, (said.stderr, open(LOG).read())
            return rows
    raise SystemExit("never full")


def is_whole(rows):
    want = f"{rows}|{rows * 1024}"
    got = must(sql("select count(*), sum(length(a)) from t"))
    assert got == want, (got, want)


def fill(rows):
    rows += insert_until_full()
    is_whole(rows)
    # What takes no more room goes on, and so does the log.
    for k in range(4):
        more = sql(INSERT)
        rows += ROWS * (not more.returncode)
        must(sql(f"delete from u where id % 4 = {k}; checkpoint"))
    is_whole(rows)
    return rows


must(run("initdb", "-D", D, "-A", "trust", "-N", "-E", "UTF8", "--wal-segsize=4", "--locale=C"))
with open(f"{D}/postgresql.conf", "a") as f:
    f.write(CONFIG)
server("start")
make = "create table t(id int, a bytea); alter table t alter a set storage plain;"
must(sql(f"{make} create table u as select g as id from generate_series(1, 20000) g"))
# At the limit: errors. Emptied: it goes on.
fill(0)
must(sql("truncate t"))
must(sql(INSERT * 20))
is_whole(ROWS * 20)
# The limit raised: deleting and packing give room back.
rows = fill(ROWS * 20)
with open(f"{M}/.zsctl/mem_limit", "w") as f:
    f.write(MORE)
must(sql("delete from t where id > 20"))
must(sql("vacuum full t; checkpoint"))
must(sql(INSERT * 20))
is_whole(rows // 10 + ROWS * 20)
server("stop")
server("start")
is_whole(rows // 10 + ROWS * 20)
server("stop")
said = open(LOG).read()
assert "PANIC" not in said, said
bad = [l for l in said.split("\n") if "ERROR" in l and "could not extend file" not in l]
assert not bad, bad
