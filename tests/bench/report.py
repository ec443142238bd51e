#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turn what bench.sh wrote into tables and a JSON file.

usage: report.py DIRECTORY JSON_FILE
"""

import glob
import json
import os
import sys
from collections import defaultdict
from statistics import median

from targets import check_targets

# figure, title, unit: MB/s counts bytes, everything else operations.
FIGURES = (
    ("seqwrite", "streaming write + fsync", "MB/s"),
    ("seqread_cold", "streaming read, cold", "MB/s"),
    ("seqread_warm", "streaming read, warm", "MB/s"),
    ("randread1", "random 4K read, 1 thread", "op/s"),
    ("randread4", "random 4K read, 4 threads", "op/s"),
    ("randwrite", "random 4K write", "op/s"),
    ("pwrite", "random 4K write, buffered", "op/s"),
    ("append", "appends of 100 bytes", "op/s"),
    ("cp", "cp of the data file + sync", "MB/s"),
    ("create", "create+write+close", "op/s"),
    ("statnew", "stat of what was just written", "op/s"),
    ("stat", "stat, warm", "op/s"),
    ("getattr", "statx with AT_STATX_FORCE_SYNC", "op/s"),
    ("openread", "open+read+close, cached", "op/s"),
    ("rename", "rename", "op/s"),
    ("unlink", "unlink", "op/s"),
    ("sqlite_batch", "sqlite, 1000 rows a commit", "rows/s"),
    ("sqlite_auto", "sqlite, autocommit", "rows/s"),
    ("sqlite_durable", "sqlite, autocommit, WAL, synced", "rows/s"),
    ("untar", "untar", "files/s"),
    ("untar_sync", "untar + sync", "files/s"),
    ("find_cold", "find -size, cold", "files/s"),
    ("tar_cold", "tar -c, cold", "files/s"),
    ("rmtree", "rm -rf", "files/s"),
    ("untar2", "two untars side by side", "files/s"),
    ("untar_hog", "untar, a hog on every CPU", "files/s"),
    ("git", "git add+commit+fsck", "files/s"),
    ("make2", "C build, make -j2", "files/s"),
    ("settle", "settling of text", "MB/s"),
    ("seqread_settled", "streaming read of settled text, cold", "MB/s"),
    ("randread_settled", "random 4K read of settled text", "op/s"),
)
RAM_SETS = {"file": "data file", "tree": "source tree", "text": "text",
            "programs": "programs", "libraries": "libraries"}
LABELS = {"tmpfs": "tmpfs", "zram": "zram + ext4", "zsfs": "zsfs",
          "today": "today", "settled": "zsfs, settled", "btrfs": "btrfs"}
OTHERS = ("tmpfs", "zram", "btrfs", "today")


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def read_settings(path):
    return dict(line.split(" ", 1) for line in read_lines(path))


def read_results(path):
    """{figure: {system: [(operations, bytes, seconds) by round]}}"""
    results = defaultdict(lambda: defaultdict(list))
    for line in read_lines(path):
        _, figure, system, ops, size, seconds = line.split("\t")
        results[figure][system].append((int(ops), int(size), float(seconds)))
    return results


def read_facts(path):
    """{system: {name: number}}"""
    facts = defaultdict(dict)
    for line in read_lines(path):
        system, name, value = line.split("\t")
        facts[system][name] = int(value)
    return facts


def speed(sample, unit):
    ops, size, seconds = sample
    amount = size / 1e6 if unit == "MB/s" else ops
    return amount / max(seconds, 1e-9)


def summarize(results):
    """{figure: {"unit", "title", systems: {system: {median, min, max, all}}}}"""
    summary = {}
    for figure, title, unit in FIGURES:
        systems = {}
        for system, samples in results.get(figure, {}).items():
            speeds = [speed(s, unit) for s in samples]
            systems[system] = {"median": median(speeds), "min": min(speeds),
                               "max": max(speeds), "all": speeds}
        if systems:
            summary[figure] = {"title": title, "unit": unit,
                               "systems": systems}
    add_ratios(summary)
    return summary


def add_ratios(summary):
    for entry in summary.values():
        systems = entry["systems"]
        if "zsfs" not in systems:
            continue
        ours = systems["zsfs"]["median"]
        entry["ratio"] = {other: ours / systems[other]["median"]
                          for other in OTHERS if other in systems}


def read_requests(directory):
    """{name: {opcode: requests per operation}} of the snapshots taken."""
    counts = {}
    for path in glob.glob(os.path.join(directory, "*.ops")):
        base = path[:-len(".ops")]
        with open(path, encoding="ascii") as file:
            ops = int(file.read())
        before, after = (load_requests(base + end)
                         for end in (".before", ".after"))
        diff = {op: after[op] - before.get(op, 0) for op in after}
        counts[os.path.basename(base)] = (ops, diff)
    # Reading the counters is a few requests too: what "nothing" cost.
    reading = counts.pop("nothing", (1, {}))[1]
    return {name: {op: (n - reading.get(op, 0)) / ops
                   for op, n in diff.items() if n > reading.get(op, 0)}
            for name, (ops, diff) in counts.items()}


def load_requests(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        counts = json.load(file)["requests"]
    return {op.upper(): n for op, n in counts.items()}


def read_profile(directory, facts):
    """{phase: microseconds per block by owner, and the largest functions}"""
    blocks = facts["zsfs"].get("profile_blocks")
    profile = {}
    for phase in ("write", "read"):
        lines = read_lines(os.path.join(directory, f"profile-{phase}.txt"))
        if not lines or not blocks:
            continue
        owners = defaultdict(float)
        top = []
        for line in lines:
            nsec, owner, symbol = (line.split(" ", 2) + [""])[:3]
            cost = float(nsec) / 1000 / blocks
            owners[owner] += cost
            if owner == "zsfs" and len(top) < 15:
                top.append([symbol, round(cost, 4)])
        profile[phase] = {"us_per_block": dict(owners), "top": top}
    return profile


def parse_micro_line(line):
    try:
        return json.loads(line)
    except ValueError:
        return line


def read_micro(directory):
    return {name: [parse_micro_line(line) for line in lines]
            for name in ("pool", "codec")
            if (lines := read_lines(os.path.join(directory,
                                                 f"micro-{name}.txt")))}


def ram_table(facts):
    """{set: {system: per compressed and per stored byte}}"""
    table = {}
    for name in RAM_SETS:
        rows = {}
        for system, values in facts.items():
            used = values.get(f"ram_{name}_used")
            if used is None:
                continue
            compr = values[f"ram_{name}_compr"]
            rows[system] = {
                "used": used, "compr": compr,
                "orig": values[f"ram_{name}_orig"],
                "stored": values[f"ram_{name}_stored"],
                "aside": values[f"ram_{name}_aside"],
                "used_per_compr": used / compr if compr else None,
                "used_per_stored": used / values[f"ram_{name}_stored"]}
        if rows:
            table[name] = rows
    return table


def read_breakdown(directory):
    """{set: {what: bytes}}, what zsfs's RAM consists of"""
    table = {}
    for name in RAM_SETS:
        text = "\n".join(read_lines(os.path.join(directory,
                                                 f"ram-{name}.json")))
        if not text:
            continue
        memory = json.loads(text)["memory"]
        parts = {"zspages": memory["zspage_pages"] * 4096,
                 "slabs": memory["slab_pages"] * 4096,
                 "other pages": memory["data_pages"] * 4096,
                 "free pages": memory["free_pages"] * 4096,
                 "descriptors, handles": memory["window_bytes"],
                 "header, slots": memory["root_bytes"]}
        parts["rest"] = memory["used"] - sum(parts.values())
        table[name] = parts
    return table


def least_pages(classes):
    """Pages that the objects of a classes table need when packed."""
    pages = 0
    for line in classes:
        fields = line.split()
        if len(fields) != 8 or not fields[0].isdigit():
            continue
        allocated, used, held, chain = (int(f) for f in fields[4:])
        if allocated:
            objs = allocated * chain // held
            pages += -(-used // objs) * chain
    return pages


def read_compact(directory, facts):
    path = os.path.join(directory, "compact-")
    if not os.path.exists(path + "after.json"):
        return None
    with open(path + "before.json", encoding="utf-8") as file:
        before = json.load(file)
    with open(path + "after.json", encoding="utf-8") as file:
        after = json.load(file)
    least = least_pages(read_lines(path + "after.classes"))
    pages = after["pool"]["pages_used"]
    return {"pages_before": before["pool"]["pages_used"],
            "pages_after": pages, "pages_least": least,
            "excess_percent": (pages / least - 1) * 100,
            "used_before": before["memory"]["used"],
            "used_after": after["memory"]["used"],
            "free_after": after["memory"]["free_pages"] * 4096,
            "seconds": facts["zsfs"]["compact_usec"] / 1e6}


def slope_figures(facts):
    values = facts["zsfs"]
    if "slope_blocks" not in values:
        return None
    diff = {name: values[f"slope_3_{name}"] - values[f"slope_1_{name}"]
            for name in ("used", "private", "classes")}
    blocks = values["slope_blocks"]
    over = diff["used"] + diff["private"] - diff["classes"]
    return {"blocks": blocks, "bytes_per_block": over / blocks,
            "allowed": 24 + 0.01 * diff["used"] / blocks, **diff}


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    if value >= 1e4:
        return f"{value / 1e3:.1f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_table(rows):
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def print_speeds(summary, settings):
    systems = settings["systems"].split()
    others = [s for s in OTHERS if s in systems and "zsfs" in systems]
    rows = [["work", "unit"] + [LABELS[s] for s in systems] +
            [f"zsfs / {s}" for s in others]]
    for entry in summary.values():
        row = [entry["title"], entry["unit"]]
        for system in systems:
            s = entry["systems"].get(system)
            row.append(f"{short(s['median'])} [{short(s['min'])}-"
                       f"{short(s['max'])}]" if s else "-")
        for other in others:
            ratio = entry.get("ratio", {}).get(other)
            row.append(f"{ratio:.2f}" if ratio else "-")
        rows.append(row)
    if summary:
        print(f"\nSpeed, median of {settings['rounds']} rounds [min-max]; "
              "ratios above 1: zsfs is faster")
        print_table(rows)


def print_ram(table):
    rows = [["RAM", "stored", "compressed", "used", "used/compressed",
             "used/stored", "beside it"]]
    for name, systems in table.items():
        for system, r in systems.items():
            per = r["used_per_compr"]
            rows.append([f"{RAM_SETS[name]} on {LABELS[system]}",
                         f"{r['stored'] / 1048576:.1f} MiB",
                         f"{r['compr'] / 1048576:.1f} MiB",
                         f"{r['used'] / 1048576:.1f} MiB",
                         f"{per:.4f}" if per else "-",
                         f"{r['used_per_stored']:.4f}",
                         f"{r['aside'] / 1048576:.1f} MiB"])
    if table:
        print("\nRAM as mm_stat tells it (zram stores ext4's metadata too). "
              "Beside it, not\nin mm_stat: zram's table of pages and "
              "handles, the daemon's private memory")
        print_table(rows)


def print_breakdown(table):
    for name, parts in table.items():
        print(f"  zsfs, {RAM_SETS[name]}: " +
              ", ".join(f"{what} {size / 1048576:.1f} MiB"
                        for what, size in parts.items()))


def print_latency(usec):
    if usec is not None:
        print(f"\nWhile it settles 99.9 % of statx calls are answered within "
              f"{usec / 1000:.1f} ms")


def print_slope(slope):
    if slope:
        print(f"\nRAM of zsfs's books: {slope['bytes_per_block']:.1f} bytes "
              f"per block; allowed 24 + 1 % of the RAM = "
              f"{slope['allowed']:.1f}")


def print_compact(c):
    if c:
        print(f"\nHalf of the blocks freed at random: {c['pages_before']} "
              f"pages, RAM {c['used_before'] / 1048576:.1f} MiB; compacted in "
              f"{c['seconds']:.2f} s:\n{c['pages_after']} pages, least "
              f"possible {c['pages_least']}, RAM "
              f"{c['used_after'] / 1048576:.1f} MiB, of it free pages "
              f"{c['free_after'] / 1048576:.1f} MiB")


def print_requests(requests):
    if requests:
        print("\nRequests per operation, and of programs per file")
    for name, counts in sorted(requests.items()):
        text = ", ".join(f"{op} {n:.3g}" for op, n in sorted(counts.items()))
        print(f"  {name:<14}{text or 'none'}")


def print_profile(profile):
    for phase, p in profile.items():
        costs = ", ".join(f"{owner} {us:.2f}" for owner, us in
                          sorted(p["us_per_block"].items()))
        print(f"\nDaemon's CPU time per 4 KiB block, streaming {phase}, "
              f"µs: {costs}")
        for symbol, us in p["top"]:
            print(f"  {us:8.3f}  {symbol}")


def print_micro(micro):
    for name, lines in micro.items():
        print(f"\nbench_{name}")
        for line in lines:
            if isinstance(line, dict):
                line = ", ".join(f"{k} {v}" for k, v in line.items())
            print("  " + line)


def print_targets(targets):
    if not targets:
        return
    print("\nTargets")
    print_table([["", "wanted", "found", ""]] +
                [[t["what"], t["wanted"], t["found"],
                  "reached" if t["reached"] else "MISSED"] for t in targets])


def main():
    directory, json_path = sys.argv[1:]
    settings = read_settings(os.path.join(directory, "settings.txt"))
    facts = read_facts(os.path.join(directory, "facts.tsv"))
    report = {
        "settings": settings,
        "speed": summarize(
            read_results(os.path.join(directory, "results.tsv"))),
        "ram": ram_table(facts),
        "ram_parts": read_breakdown(directory),
        "slope": slope_figures(facts),
        "compact": read_compact(directory, facts),
        "requests": read_requests(os.path.join(directory, "requests")),
        "profile": read_profile(directory, facts),
        "micro": read_micro(directory),
        "settle_p999_usec": facts["zsfs"].get("settle_p999_usec"),
    }
    report["targets"] = check_targets(report)
    print(f"zsfs benchmark: {settings['cpus']} CPUs, Linux "
          f"{settings['kernel']}, {int(settings['data']) >> 20} MiB of data, "
          f"load {settings['load_start']} before")
    print(f"Idle CPUs: driver {settings['cpuidle']}, governor "
          f"{settings['cpuidle_governor']}")
    if settings["quick"] == "true":
        print("A quick run: the figures mean nothing.")
    print_speeds(report["speed"], settings)
    print_ram(report["ram"])
    print_breakdown(report["ram_parts"])
    print_latency(report["settle_p999_usec"])
    print_slope(report["slope"])
    print_compact(report["compact"])
    print_requests(report["requests"])
    print_profile(report["profile"])
    print_micro(report["micro"])
    print_targets(report["targets"])
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print(f"\nwritten to {json_path}")


if __name__ == "__main__":
    main()
