#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The same options everywhere: what the parser takes (fs/start/option_list.c), the
# help text (fs/start/help.c), man/zsfs.1 and README.md. Says which is missing where.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

# Taken, but only other words for what is documented, or for mount(8) alone.
SILENT='nostrictatime'

# One option a line, without its value.
names() {
	sed 's/=.*//' | grep -xE '[a-z_]+' | sort -u
}

parser() {
	sed -nE 's/^\t(FLAG\(|SWITCH\(|\{)"([a-z_]+)",.*/\2/p' fs/start/option_list.c |
		grep -vxE "$SILENT" | names
}

help_text() {
	sed -nE 's/^"(.*)\\n";?$/\1/p' fs/start/help.c
}

# First column of the indented lines below "Limits".
in_help() {
	help_text | sed -n '/^Limits/,/^  Options for/p' |
		grep -E '^  [a-z]' | sed -E 's/^  //; s/  .*//; s/noallow_other .*/noallow_other/' |
		tr ', ' '\n\n' | names
}

# The line behind each .TP of the OPTIONS section.
in_man() {
	sed -n '/^\.SH OPTIONS/,/^\.SH [^O]/p' man/zsfs.1 |
		awk '/^\.TP/ { getline; print }' |
		sed -E 's/^\.[A-Z]+ //; s/\\f.//g; s/["(),]/ /g; s/= [A-Z]+/=/g' |
		tr ' ' '\n' | names
}

in_readme() {
	sed -n '/^| option/,/^$/p' README.md | cut -d '|' -f 2 |
		grep -oE '`[^`]+`' | tr -d '`' | names
}

# same NAME LIST: compared with the parser's
same() {
	local diff

	diff=$(diff <(parser) <(printf '%s\n' "$2")) && return
	sed -nE "s|^< (.*)|$1 lacks the option \1|p; s|^> (.*)|$1 has \1, which is no option|p" <<<"$diff"
	rc=1
}

same 'the help text' "$(in_help)"
same 'man/zsfs.1' "$(in_man)"
same 'README.md' "$(in_readme)"
[ "$(parser | wc -l)" -ge 20 ] || { echo "no options found in fs/start/option_list.c"; rc=1; }

# The flags of the command line itself.
for flag in -o -f -d -h -V --help --version --replace; do
	help_text | grep -qE -- "(^| |,)$flag( |,)" ||
		{ echo "the help text lacks $flag"; rc=1; }
	sed 's/\\-/-/g' man/zsfs.1 | grep -qE -- "(^| |\")$flag( |\"|$)" ||
		{ echo "man/zsfs.1 lacks $flag"; rc=1; }
done
exit $rc
