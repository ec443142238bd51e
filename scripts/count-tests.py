#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts the tests in meson's testlog.json: passed, failed, skipped.

A program that speaks TAP counts as many as it plans; one that ends before its
last has failed in what is missing. Another one counts once.
"""
import json
import re
import sys

GOOD = {"OK": (1, 0, 0), "EXPECTEDFAIL": (1, 0, 0), "SKIP": (0, 0, 1)}


def count(test):
    text = test.get("stdout") or ""
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    if not plan:
        return GOOD.get(test["result"], (0, 1, 0))
    passed = len(re.findall(r"^ok \d+", text, re.M))
    failed = int(plan[1]) - passed
    if test["result"] not in GOOD and not failed:
        failed = 1
    return passed, failed, 0


totals = [count(json.loads(line)) for line in open(sys.argv[1])]
print(*(sum(column) for column in zip(*totals)))
