#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The same commands, options, knobs and columns everywhere: what zsctl's --help
# says, which comes from the tables that it works with, man/zsctl.1, and the
# completions for bash, zsh and fish. What zsctl can set is what .zsctl has, by
# the help of zsfs. The programs are $ZSFS, or those in build/; without zsctl,
# which needs some libraries, this is skipped (77).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0
ZSFS=${ZSFS:-build/fs/zsfs}
ZSCTL=${ZSCTL:-$(dirname "$ZSFS")/zsctl}
COMPLETION=scripts/completion

[ -x "$ZSCTL" ] || {
	echo "zsctl is not built: it is compared with nothing"
	exit 77
}

# same WHAT LIST LIST: the first is the help's; order does not matter
same() {
	local diff

	diff=$(diff <(tr ' ' '\n' <<<"$2" | sort -u) <(tr ' ' '\n' <<<"$3" | sort -u)) && return
	sed -nE "s|^< (.*)|$1 lacks \1|p; s|^> (.*)|$1 has \1, which the help has not|p" <<<"$diff"
	rc=1
}

words() {
	sort -u | xargs
}

# options COMMAND: --names of its help
options() {
	"$ZSCTL" "$1" --help | sed -nE '/^Options/,/^$/s/^  .{4}(--[a-z]+).*/\1/p' | words
}

# knobs all|live
knobs() {
	"$ZSCTL" "$(if [ "$1" = live ]; then echo set; else echo get; fi)" --help |
		sed -n '/^Knobs/,/^$/p' | sed -nE 's/^  ([a-z_]+) .*/\1/p' | words
}

commands=$("$ZSCTL" --help | sed -nE '/^Commands/,/^$/s/^  ([a-z-]+) .*/\1/p' | words)
[ "$(wc -w <<<"$commands")" -ge 10 ] || { echo "no commands found in the help"; rc=1; }
TABLE='bytes json noheadings output raw'
COMMON='help version'

# ---- the manual ----

MAN=$(sed 's/\\-/-/g' man/zsctl.1)

# man_part FROM TO: without the commands of roff
man_part() {
	sed -nE "/$1/,/$2/p" <<<"$MAN" | sed '1d'
}

man_options() {
	local part

	part=$(man_part "^\.SS \"$1( |\")" '^\.S[SH]')
	# One text for three commands.
	case $1 in settle | compact) part=$(man_part '^\.SS "verify' '^\.S[SH]') ;; esac
	! grep -q '^\.BR TABLES' <<<"$part" || part+=$'\n'$(man_part '^\.SH TABLES' '^\.SH [^T]')
	# It says which of them it has not.
	! grep -A1 -x without <<<"$part" | grep -q bytes || part=$(sed '/bytes/d' <<<"$part")
	grep -A1 -E '^\.TP' <<<"$part" | grep -oE -- '--[a-z]+' | words
}

same 'COMMANDS of man/zsctl.1' "$commands" \
	"$(sed -nE 's/^\.SS "([a-z-]+).*/\1/p' <<<"$MAN" | words)"
for command in $commands; do
	same "man/zsctl.1 of $command" \
		"$(options "$command" | sed -E 's/--(help|version)//g' | words)" \
		"$(man_options "$command")"
done
same 'the knobs in man/zsctl.1' "$(knobs live)" \
	"$(man_part '^\.SS "set' '^\.SS "classes' |
		sed -nE '/^\.TP/{n;s/^\.BR? ([a-z_]+)$/\1/p}' | words)"

# ---- completions ----

same 'bash' "$commands" "$(bash -c '. '$COMPLETION'/zsctl.bash; echo $_zsctl_commands')"
same 'bash: set' "$(knobs live)" "$(bash -c '. '$COMPLETION'/zsctl.bash; echo $_zsctl_knobs')"
same 'bash: get' "$(knobs all)" \
	"$(bash -c '. '$COMPLETION'/zsctl.bash; echo $_zsctl_knobs $_zsctl_fixed')"

zsh_commands=$(sed -nE "/commands=\(/,/\)/s/^[[:space:]]+['\"]([a-z-]+):.*/\1/p" $COMPLETION/_zsctl)
same 'zsh' "$commands" "$(words <<<"$zsh_commands")"
same 'zsh: get' "$(knobs all)" \
	"$(sed -nE "/knobs\+?=\(/,/\)/s/^[[:space:]]+'([a-z_]+):.*/\1/p" $COMPLETION/_zsctl | words)"

# The branch of a command, with what $table stands for.
zsh_options() {
	local branch

	branch=$(awk -v at="^\t$1\\\\)" '$0 ~ at { on = 1 } on { print } /;;/ { on = 0 }' \
		$COMPLETION/_zsctl)
	[[ $branch != *\$table* ]] || printf -- '--%s\n' $TABLE
	[[ $branch != *\$form* ]] || printf -- '--%s\n' ${TABLE#bytes }
	[[ $branch != *\$common* ]] || printf -- '--%s\n' $COMMON
	grep -oE -- '--[a-z]+' <<<"$branch"
}

fish_options() {
	printf -- '--%s\n' $COMMON
	grep -E "__zsctl_in [a-z -]*\b$1\b[^;]*'.* -l " $COMPLETION/zsctl.fish |
		sed -E 's/.* -l ([a-z]+).*/--\1/'
}

same 'fish' "$commands" "$(sed -nE 's/^complete -c zsctl -n \$none -a ([a-z-]+) .*/\1/p' $COMPLETION/zsctl.fish | words)"
same 'fish: set' "$(knobs live)" \
	"$(sed -nE 's/^complete .* \$setting -a ([a-z_]+)= .*/\1/p' $COMPLETION/zsctl.fish | words)"
same 'fish: get' "$(knobs all)" \
	"$(sed -nE 's/^complete .* \$getting -a ([a-z_]+) .*/\1/p' $COMPLETION/zsctl.fish | words)"

for command in $commands; do
	same "bash: $command" "$(options "$command")" \
		"$(bash -c '. '$COMPLETION'/zsctl.bash; _zsctl_options '"$command" | words)"
	same "zsh: $command" "$(options "$command")" "$(zsh_options "$command" | words)"
	same "fish: $command" "$(options "$command")" "$(fish_options "$command" | words)"
done
for shell in bash:zsctl.bash zsh:_zsctl fish:zsctl.fish; do
	! command -v "${shell%%:*}" >/dev/null ||
		"${shell%%:*}" -n "$COMPLETION/${shell#*:}" || rc=1
done

# ---- what there is to set ----

# Those that do work or tell of it are commands here.
files=$("$ZSFS" --help | sed -n '/^Controls/,$p' | sed -nE 's/^  ([a-z_]+) .*/\1/p' |
	grep -vxE 'compact|settle|verify|last_cmd_status' | words)
mine=$(knobs live | sed -E 's/\bcomp\b/comp_algorithm/; s/\bsettle\b/settle_after/')
same 'zsctl set, against .zsctl,' "$files" "$mine"
exit $rc
