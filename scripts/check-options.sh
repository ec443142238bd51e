#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The same options and control files everywhere: what "zsfs --help" says, which
# comes from the knobs and is compared with them by a unit test, and man/zsfs.1.
# README.md names some, and none that the help has not. It stays short enough to be
# read. The manual has the options of meson_options.txt, too. Says which is missing
# where. The program is $ZSFS, or the one in build/.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

# What a newcomer reads before going on to the manual.
README_WORDS=1300

HELP=$("${ZSFS:-build/fs/zsfs}" --help) || {
	echo "no program to ask: build it, or name it by ZSFS="
	exit 1
}

# One name a line, without its value.
names() {
	sed 's/=.*//' | grep -xE '[a-z_]+' | sort -u
}

# help_names FROM TO: first column of the indented lines between these.
help_names() {
	sed -n "/^$1/,/^$2/p" <<<"$HELP" | grep -E '^  [a-z]' |
		sed -E 's/^  //; s/  .*//' | tr ', ' '\n\n' | names
}

# The lines behind each .TP of a part of the manual.
man_names() {
	sed -n "/^$1/,/^$2/p" man/zsfs.1 | awk '/^\.TP/ { getline; print }' |
		sed -E 's/^\.[A-Z]+ //; s/\\f.//g; s/["(),]/ /g; s/= [A-Z]+/=/g' |
		tr ' ' '\n' | names
}

# Options in README: the table's, those called NAME=VALUE in the text, and those in
# commands and lines for fstab.
readme_options() {
	{
		sed -n '/^| option/,/^$/p' README.md | cut -d '|' -f 2 | grep -oE '`[^`]+`'
		grep -oE '`[a-z_]+=[^` ]*`' README.md
		grep -oE -- ' -o [^ `]+' README.md | sed 's/^ -o //'
		awk '$2 ~ "^/" && $3 == "zsfs" { print $4 }' README.md
	} | tr -d '` ' | tr ',' '\n' | names
}

readme_controls() {
	grep -oE '\.zsctl/[a-z_]+' README.md | sed 's|^\.zsctl/||' | names
}

# same NAME LIST LIST [OWNER]: the first is the help's, or another OWNER's
same() {
	local diff owner=${4:-the help}

	diff=$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3")) && return
	sed -nE "s|^< (.*)|$1 lacks \1|p; s|^> (.*)|$1 has \1, which $owner has not|p" <<<"$diff"
	rc=1
}

options=$(help_names 'Limits' '  Options for')
same 'OPTIONS of man/zsfs.1' "$options" "$(man_names '\.SH OPTIONS' '\.SH [^O]')"
[ "$(wc -l <<<"$options")" -ge 20 ] || { echo "no options found in the help"; rc=1; }

controls=$(help_names 'Controls' '$')
same 'Control files of man/zsfs.1' "$controls" "$(man_names '\.SS "Control files' '\.SH')"
[ "$(wc -l <<<"$controls")" -ge 5 ] || { echo "no controls found in the help"; rc=1; }

# known LABEL LIST LIST: the first is the help's and has all of the second
known() {
	local unknown

	unknown=$(comm -13 <(printf '%s\n' "$2") <(printf '%s\n' "$3"))
	[ -n "$3" ] || { echo "no $1 found"; rc=1; }
	[ -z "$unknown" ] && return
	sed "s/.*/$1 have &, which the help has not/" <<<"$unknown"
	rc=1
}

known 'options in README.md' "$options" "$(readme_options)"
known 'controls in README.md' "$controls" "$(readme_controls)"
words=$(wc -w <README.md)
[ "$words" -le $README_WORDS ] ||
	{ echo "README.md has $words words, more than $README_WORDS"; rc=1; }

# texts FILE...: lines that go on are one, without the manual's signs before dashes.
texts() {
	local file

	for file; do
		sed -E -e ':a' -e '/\\e?$/{ N; s/\\e?\n *//; ba' -e '}' -e 's/\\-/-/g' \
			-e "s|^|$file: |" "$file"
	done
}

# Root's mounts are for everybody, so no example lets programs get rights or devices
# work: commands that mount, lines of fstab and units.
open=$(texts README.md man/*.1 fs/start/*.c scripts/run.sh scripts/systemd/* |
	grep -E 'mode=1777|: none +/.* zsfs |: Options=size|ZSFS_OPTIONS=|(zsfs|run\.sh) ([^`]* )?/(mnt|srv|tmp)' |
	grep -vE 'nosuid,nodev|remount|--replace')
[ -z "$open" ] || { echo "without nosuid,nodev: $open"; rc=1; }

# Options of the build, for packagers.
built=$(sed -n '/^\.SS "Options of the build"/,/^\.SH/p' man/zsfs.1 | grep -oE '^[a-z_]+  ' |
	tr -d ' ' | sort -u)
same 'Options of the build in man/zsfs.1' \
	"$(sed -nE "s/^option\('([^']+)'.*/\1/p" meson_options.txt | sort -u)" \
	"$built" meson_options.txt

# The flags of the command line itself.
for flag in -o -f -d -h -V --help --version --replace; do
	grep -qE -- "(^| |,)$flag( |,)" <<<"$HELP" ||
		{ echo "the help text lacks $flag"; rc=1; }
	sed 's/\\-/-/g' man/zsfs.1 | grep -qE -- "(^| |\")$flag( |\"|$)" ||
		{ echo "man/zsfs.1 lacks $flag"; rc=1; }
done
exit $rc
