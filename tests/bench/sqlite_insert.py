#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Insert rows into a new sqlite database and print the time as fsbench does.

usage: sqlite_insert.py [--durable] DATABASE ROWS ROWS_PER_TRANSACTION

--durable: a write-ahead log that is synced at every commit; else sqlite's
defaults.
"""

import json
import os
import sqlite3
import sys
import time


def make_rows(first, count):
    """Rows as a small log has them: a number, a time, a name, a text."""
    return [(n, 1700000000 + n * 7, f"user{n * 7919 % 1000}",
             f"GET /item/{n * 104729 % 100000} from cache, {n % 13} hits")
            for n in range(first, first + count)]


def remove_database(path):
    for name in (path, path + "-journal", path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.unlink(name)


def insert(path, batches, durable):
    db = sqlite3.connect(path, isolation_level=None)
    if durable:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, at INTEGER,"
               " name TEXT, text TEXT)")
    db.execute("CREATE INDEX log_name ON log (name)")
    start = time.perf_counter()
    for rows in batches:
        db.execute("BEGIN")
        db.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    seconds = time.perf_counter() - start
    db.close()
    return seconds


def main():
    durable = sys.argv[1] == "--durable"
    path, rows, step = sys.argv[1 + durable:]
    rows, step = int(rows), int(step)
    batches = [make_rows(n, step) for n in range(0, rows, step)]
    remove_database(path)
    seconds = insert(path, batches, durable)
    size = os.path.getsize(path)
    remove_database(path)
    print(json.dumps({"cmd": "sqlite", "ops": len(batches) * step,
                      "bytes": size, "seconds": round(seconds, 6)}))


main()
