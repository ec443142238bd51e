#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draw SVG pictures of what was measured.

usage: pictures.py ram BENCH_JSON >ram-per-byte.svg
       pictures.py takeover TAKEOVER_JSON >takeover.svg

BENCH_JSON is what bench.sh writes with the part "settled", TAKEOVER_JSON what
takeover.py writes. There is no background, and all colours are between light and
dark: a picture can be read on white and on black, whatever a browser prefers.
"""

import json
import math
import sys
from xml.sax.saxutils import escape

INK, FAINT = "#787e87", "#8d949e"
SETS = (("text", "sources"), ("programs", "programs"), ("tree", "tree of files"),
        ("libraries", "libraries"))
# name in the JSON, label, colour, how much of it
SYSTEMS = (("tmpfs", "tmpfs", "#8d949e", 1),
           ("zram", "zram (lz4) + ext4", "#c9761b", 1),
           ("btrfs", "btrfs, zstd:1", "#8f6bd1", 1),
           ("zsfs", "zsfs, just written", "#23945f", 0.5),
           ("settled", "zsfs, settled", "#23945f", 1))


def text(x, y, words, anchor="start", size=13, fill=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}" font-weight="{weight}" fill="{fill}">'
            f'{escape(words)}</text>')


def line(x1, y1, x2, y2, stroke=FAINT, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{stroke}" {more}/>')


def rect(x, y, width, height, fill, opacity=1):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" fill="{fill}" fill-opacity="{opacity}" '
            f'stroke="{fill}"/>')


def picture(width, height, title, desc, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" aria-labelledby="title desc">')
    names = (f'<title id="title">{escape(title)}</title>',
             f'<desc id="desc">{escape(desc)}</desc>')
    return "\n".join((head, *names, *parts, "</svg>"))


# ---- RAM per byte ----

def per_byte(ram, name, system):
    """None: not measured."""
    if system == "tmpfs":
        return 1.0
    row = ram.get(name, {}).get(system)
    return row["used_per_stored"] if row else None


def legend(systems, y):
    parts, x = [], 60
    for _, label, colour, opacity in systems:
        parts += [rect(x, y - 10, 12, 12, colour, opacity),
                  text(x + 17, y, label, size=12)]
        x += 36 + 6.6 * len(label)
    return parts


def axis_of_ram(left, right, top, bottom):
    parts = []
    for tenth in range(0, 11, 2):
        y = bottom - (bottom - top) * tenth / 10
        parts += [line(left, y, right, y, more='stroke-opacity="0.4"'),
                  text(left - 8, y + 4, f"{tenth / 10:.1f}", "end", 12)]
    return parts


def group_of_bars(ram, name, systems, x, width, top, bottom):
    parts, bar = [], width / len(systems)
    for number, (system, _, colour, opacity) in enumerate(systems):
        value = per_byte(ram, name, system)
        if value is None:
            continue
        height, at = (bottom - top) * value, x + number * bar
        parts += [rect(at + 2, bottom - height, bar - 4, height, colour, opacity),
                  text(at + bar / 2, bottom - height - 5, f"{value:.2f}",
                       "middle", 11, weight="bold")]
    return parts


def words_for_ram(ram, sets, systems):
    said = []
    for name, label in sets:
        values = ((s[1], per_byte(ram, name, s[0])) for s in systems)
        said.append(f"{label}: " + ", ".join(f"{who} {v:.2f}" for who, v in values
                                             if v is not None))
    return "; ".join(said) + "."


def draw_ram(report):
    ram = report["ram"]
    sets = [s for s in SETS if s[0] in ram]
    if not sets:
        sys.exit("pictures.py: no RAM in there: bench.sh --what settled")
    systems = [s for s in SYSTEMS
               if any(per_byte(ram, name, s[0]) is not None for name, _ in sets)]
    left, right, top, bottom = 60, 790, 84, 320
    parts = [text(60, 24, "RAM for each byte stored", size=17, weight="bold")]
    parts += legend(systems, 52) + axis_of_ram(left, right, top, bottom)
    step = (right - left) / len(sets)
    for number, (name, label) in enumerate(sets):
        x = left + number * step
        parts.append(text(x + step / 2, bottom + 22, label, "middle", 14))
        parts += group_of_bars(ram, name, systems, x + 12, step - 24, top, bottom)
    aside = max((ram[n]["zram"]["aside"] for n, _ in sets if "zram" in ram[n]),
                default=0)
    if aside:
        parts.append(text(60, bottom + 46, f"All metadata is counted, but not the "
                          f"{aside >> 20} MiB that zram takes for its table.",
                          size=12))
    return picture(800, 380, "RAM for each byte stored, beside tmpfs",
                   words_for_ram(ram, sets, systems), parts)


# ---- a takeover ----

# What is shown, in ms from the kill on.
WINDOW = -50, 100

def path_of(samples, x_of, y_of):
    """A long call lies where it was, of short ones a column has the range."""
    found, path = {}, []
    for begun, took in samples:
        left, right = x_of(begun), x_of(begun + took / 1000)
        if right - left >= 1:
            path.append(f"M{left:.1f} {y_of(took):.1f}H{right:.1f}")
            continue
        least, most = found.get(round(left), (took, took))
        found[round(left)] = (min(least, took), max(most, took))
    path += [f"M{x} {y_of(least) + 0.1:.1f}V{y_of(most) - 0.1:.1f}"
             for x, (least, most) in sorted(found.items())]
    return "".join(path)


def amount(usec):
    return f"{usec:g} us" if usec < 1000 else f"{usec / 1000:g} ms"


def axes_of_takeover(box, x_of, y_of, span, decades):
    left, right, top, bottom = box
    parts = []
    for power in range(*decades):
        y = y_of(10 ** power)
        parts += [line(left, y, right, y, more='stroke-opacity="0.4"'),
                  text(left - 8, y + 4, amount(10 ** power), "end", 12)]
    for msec in range(math.ceil(span[0] / 25) * 25, int(span[1]) + 1, 25):
        parts += [line(x_of(msec), bottom, x_of(msec), bottom + 5),
                  text(x_of(msec), bottom + 20, f"{msec:+d} ms" if msec else "0",
                       "middle", 12)]
    return parts


def draw_takeover(report):
    """Times in ms from the kill on, latencies in us."""
    samples = [s for s in report["samples"] if WINDOW[0] <= s[0] <= WINDOW[1]]
    pause = sorted(report["pauses"])[len(report["pauses"]) // 2]
    span = (samples[0][0], samples[-1][0] + samples[-1][1] / 1000)
    low = math.floor(math.log10(min(took for _, took in samples)))
    high = math.ceil(math.log10(max(took for _, took in samples)))
    box = left, right, top, bottom = 70, 790, 84, 320

    def x_of(msec):
        return left + (msec - span[0]) / (span[1] - span[0]) * (right - left)

    def y_of(usec):
        return bottom - (math.log10(usec) - low) / (high - low) * (bottom - top)

    said = f"{len(samples):,} writes of 4 KiB in a row, and how long each took."
    told = (f"Pause: {pause / 1000:.1f} ms, the median of {len(report['pauses'])} "
            f"kills. {report['errors'] or 'No'} write failed.")
    parts = [text(60, 24, "The worker is killed, and another takes over", size=17,
                  weight="bold"), text(60, 46, f"{said} {told}", size=12)]
    parts += axes_of_takeover(box, x_of, y_of, span, (low, high + 1))
    parts += [line(x_of(0), top - 8, x_of(0), bottom, "#d2453d",
                   'stroke-width="1.5" stroke-dasharray="5 3"'),
              text(x_of(0) - 6, top - 1, "kill -9", "end", 12, "#d2453d", "bold")]
    parts += [f'<path d="{path_of(samples, x_of, y_of)}" stroke="#23945f" '
              f'stroke-width="1.6" stroke-linecap="round" fill="none"/>',
              text((left + right) / 2, bottom + 44,
                   "when the write began, from the kill on", "middle", 12)]
    return picture(800, 380, "Writes while a worker is killed", f"{said} {told}",
                   parts)


def main():
    draw = {"ram": draw_ram, "takeover": draw_takeover}
    if len(sys.argv) != 3 or sys.argv[1] not in draw:
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8") as file:
        print(draw[sys.argv[1]](json.load(file)))


main()
