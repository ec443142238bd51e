#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The pictures that scripts/pictures.sh draws are what they should be.
load helpers

setup() { zsfs_setup; }
teardown() { zsfs_teardown; }

draw() {
	"$PYTHON" "$TOP/tests/bench/pictures.py" "$@"
}

# drawn FILE WORDS...: an SVG with a title, a description, all in its frame, and
# texts with these words in them
drawn() {
	"$PYTHON" - "$@" <<-'END'
		import sys
		import xml.etree.ElementTree as tree
		SVG = "{http://www.w3.org/2000/svg}"
		root = tree.parse(sys.argv[1]).getroot()
		assert root.tag == SVG + "svg", root.tag
		width, height = (float(root.get(k)) for k in ("width", "height"))
		names = {e.get("id") for e in root.iter() if e.tag in (SVG + "title", SVG + "desc")}
		assert names == set(root.get("aria-labelledby").split()), names
		assert all(len(root.find(SVG + k).text) > 10 for k in ("title", "desc"))
		for e in root.iter(SVG + "rect"):
		    x, y, w, h = (float(e.get(k)) for k in ("x", "y", "width", "height"))
		    assert 0 <= x <= x + w <= width and 0 <= y <= y + h <= height, e.attrib
		texts = [e.text for e in root.iter(SVG + "text")]
		for words in sys.argv[2:]:
		    assert any(words in t for t in texts), (words, texts)
		# Nothing between is as light as paper or as dark as a night.
		for e in root.iter():
		    for key in ("fill", "stroke"):
		        c = e.get(key, "none")
		        if c != "none":
		            light = sum(int(c[i:i + 2], 16) for i in (1, 3, 5)) / 3
		            assert 80 < light < 170, (c, light)
	END
}

# sample: what bench.sh would have written, of two sets of data
sample() {
	"$PYTHON" -c '
import json
def row(share, aside=0):
    return {"used_per_stored": share, "aside": aside}
print(json.dumps({"ram": {
    "text": {"zram": row(0.42, 33 << 20), "zsfs": row(0.46), "settled": row(0.26)},
    "tree": {"zram": row(0.49, 33 << 20), "zsfs": row(0.5), "settled": row(0.3),
             "btrfs": row(0.43)}}}))'
}

@test "pictures: RAM per byte, with what was measured" {
	sample >"$T/bench.json"
	draw ram "$T/bench.json" >"$T/ram.svg"
	drawn "$T/ram.svg" 1.00 0.42 0.46 0.26 0.43 sources "tree of files" "33 MiB" settled
}

@test "pictures: without figures there is no picture" {
	echo '{"ram": {}}' >"$T/bench.json"
	fails draw ram "$T/bench.json"
	grep -q 'bench.sh --what settled' "$T/fails.out"
	fails draw nothing "$T/bench.json"
	fails draw ram "$T/missing"
	# What is there stays.
	mkdir "$T/p"
	echo old >"$T/p/ram-per-byte.svg"
	fails "$TOP/scripts/pictures.sh" -o "$T/p" "$T/bench.json"
	same "$(cat "$T/p/ram-per-byte.svg")" old
	same "$(ls -A "$T/p")" ram-per-byte.svg
}

@test "pictures: those in the manual's folder are drawn by this script" {
	drawn "$TOP/man/pictures/ram-per-byte.svg" tmpfs zram btrfs "zsfs, settled" libraries
	drawn "$TOP/man/pictures/takeover.svg" "kill -9" "No write failed"
}

@test "pictures: a takeover is measured and drawn" {
	zsfs_only
	root_only
	need jq python3
	mkdir "$T/tmp"
	TMPDIR=$T/tmp timeout 100 "$TOP/scripts/pictures.sh" -o "$T/p" 3>&- 4>&-
	drawn "$T/p/takeover.svg" "kill -9" "No write failed"
	same "$(ls -A "$T/p")" takeover.svg
	same "$(ls -A "$T/tmp")" ""
}
