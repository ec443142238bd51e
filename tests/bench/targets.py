# SPDX-License-Identifier: BSD-3-Clause
"""The figures zsfs has to reach, and how a report stands to them."""

# what, figure, compared with, at least
RATIOS = (
    ("streaming write", "seqwrite", "zram", 2.0),
    ("cold streaming read", "seqread_cold", "zram", 0.8),
    ("warm stat", "stat", "tmpfs", 0.6),
    ("cached open+read+close", "openread", "tmpfs", 0.6),
    ("random 4K read, 1 thread", "randread1", "zram", 0.2),
    ("random 4K read, 4 threads", "randread4", "zram", 0.2),
    ("untar", "untar", "zram", 0.45),
    # "today" is the build before requests came to a thread on their client's
    # CPU: one client gains, several lose nothing.
    ("untar", "untar", "today", 2.2),
    ("create+write+close", "create", "today", 2.2),
    ("rename", "rename", "today", 1.9),
    ("unlink", "unlink", "today", 2.1),
    ("stat of what was just written", "statnew", "today", 2.0),
    ("rm -rf", "rmtree", "today", 1.9),
    ("find -size, cold", "find_cold", "today", 1.6),
    ("tar -c, cold", "tar_cold", "today", 1.6),
    ("sqlite, autocommit, WAL, synced", "sqlite_durable", "today", 2.0),
    ("git add+commit+fsck", "git", "today", 1.5),
    ("random 4K write, buffered", "pwrite", "today", 1.8),
    ("random 4K read, 1 thread", "randread1", "today", 1.8),
    ("random 4K read, 4 threads", "randread4", "today", 0.97),
    ("C build, make -j2", "make2", "today", 0.97),
    ("two untars side by side", "untar2", "today", 0.97),
    ("streaming write", "seqwrite", "today", 0.97),
    ("cold streaming read", "seqread_cold", "today", 0.97),
    ("untar, a hog on every CPU", "untar_hog", "today", 0.97),
)

# RAM of a set, settled: at most so much of another system's.
SETTLED = (
    ("text", "zram", 0.52), ("programs", "zram", 0.66),
    ("tree", "zram", 0.76), ("libraries", "zram", 0.66),
    ("text", "btrfs", 0.97), ("programs", "btrfs", 0.99),
    ("tree", "btrfs", 0.93), ("libraries", "btrfs", 0.99),
)

# Most requests of each kind per operation; other kinds are not allowed. What
# the daemon is told without being asked (forget, release) is free.
FREE = ("FORGET", "BATCH_FORGET", "RELEASE", "INTERRUPT")
REQUESTS = {
    "create": {"LOOKUP": 1, "CREATE": 1, "WRITE": 1, "GETATTR": 1},
    "rename": {"RENAME": 1, "LOOKUP": 2, "GETATTR": 2},
    "unlink": {"UNLINK": 1, "LOOKUP": 1, "GETATTR": 1},
    "write_1m": {"WRITE": 1},
    "stat": {},
    "openread": {},
}
# A few requests belong to the program, not to its operations: the directory
# it enters, the file it opens.
REQUEST_SLACK = {"write_1m": 0.1}
DEFAULT_SLACK = 0.02


def target(what, wanted, found, reached):
    return {"what": what, "wanted": wanted, "found": found,
            "reached": bool(reached)}


def ratio_targets(speed):
    for what, figure, other, least in RATIOS:
        ratio = speed.get(figure, {}).get("ratio", {}).get(other)
        if ratio is not None:
            yield target(f"{what} / {other}", f">= {least:.3g}",
                         f"{ratio:.2f}", ratio >= least)


def request_targets(requests):
    for name, allowed in REQUESTS.items():
        if name not in requests:
            continue
        slack = REQUEST_SLACK.get(name, DEFAULT_SLACK)
        counts = {op: n for op, n in requests[name].items()
                  if op not in FREE}
        reached = all(n <= allowed.get(op, 0) + slack
                      for op, n in counts.items())
        wanted = " ".join(f"{op}:{n}" for op, n in allowed.items()) or "none"
        found = " ".join(f"{op}:{n:.2f}" for op, n in sorted(counts.items())
                         if n > slack) or "none"
        yield target(f"requests per {name}", wanted, found, reached)


def ram_targets(ram):
    for name, systems in ram.items():
        if "zsfs" not in systems or "zram" not in systems:
            continue
        ours = systems["zsfs"]["used_per_compr"]
        theirs = systems["zram"]["used_per_compr"]
        yield target(f"RAM used / compressed, {name}", f"<= {theirs:.4f}",
                     f"{ours:.4f}", ours <= theirs)
        ours, theirs = (systems[s]["used"] + systems[s]["aside"]
                        for s in ("zsfs", "zram"))
        yield target(f"the same with what is beside it, {name}",
                     f"<= {theirs / 1048576:.1f} MiB",
                     f"{ours / 1048576:.1f} MiB", ours <= theirs)


def with_aside(row):
    return row["used"] + row["aside"]


def settled_targets(ram):
    for name, other, most in SETTLED:
        systems = ram.get(name, {})
        if "settled" not in systems or other not in systems:
            continue
        found = with_aside(systems["settled"]) / with_aside(systems[other])
        yield target(f"RAM settled / {other}, {name}", f"<= {most:.2f}",
                     f"{found:.2f}", found <= most)


def latency_targets(usec):
    if usec is not None:
        yield target("statx while it settles, 99.9 %", "<= 2 ms",
                     f"{usec / 1000:.1f} ms", usec <= 2000)


def slope_targets(slope):
    if slope:
        found = slope["bytes_per_block"]
        yield target("memory slope, bytes per block",
                     f"<= {slope['allowed']:.1f}", f"{found:.1f}",
                     found <= slope["allowed"])


def compact_targets(compact):
    if compact:
        yield target("pages beyond the least after compaction", "<= 3 %",
                     f"{compact['excess_percent']:.2f} %",
                     compact["excess_percent"] <= 3)
        kept = max(32 << 20, 0.03 * compact["used_after"])
        yield target("RAM kept beyond pages and metadata then",
                     f"<= {kept / 1048576:.0f} MiB",
                     f"{compact['free_after'] / 1048576:.1f} MiB",
                     compact["free_after"] <= kept)


POOL = (
    ("zs_malloc + zs_free, LIFO order", "lifo_ns", 100, "ns"),
    ("zs_malloc + zs_free, random order", "random_ns", 300, "ns"),
    ("pages beyond the least, bench_pool", "excess_percent", 3, "%"),
)


def pool_targets(micro):
    for line in micro.get("pool", []):
        for what, key, most, unit in POOL:
            if isinstance(line, dict) and key in line:
                yield target(what, f"<= {most} {unit}",
                             f"{line[key]:.1f} {unit}", line[key] <= most)


def profile_targets(profile):
    for phase, p in profile.items():
        found = p["us_per_block"].get("zsfs", 0)
        yield target(f"own CPU time per block, {phase}", "< 1 µs",
                     f"{found:.2f} µs", found < 1)


def check_targets(report):
    return [*ratio_targets(report["speed"]),
            *request_targets(report["requests"]),
            *ram_targets(report["ram"]),
            *settled_targets(report["ram"]),
            *latency_targets(report["settle_p999_usec"]),
            *slope_targets(report["slope"]),
            *compact_targets(report["compact"]),
            *pool_targets(report["micro"]),
            *profile_targets(report["profile"])]
