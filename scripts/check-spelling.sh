#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Words that are often spelled wrong, in all that people read.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Names of variables that look like typing errors.
IGNORED='nin,siz,upto'

codespell -L "$IGNORED" --skip '*/corpus/*' README.md CHANGELOG.md man findings \
	scripts tests fs pool codec meson.build meson_options.txt
