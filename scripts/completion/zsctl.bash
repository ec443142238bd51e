# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of zsctl(1) for bash. scripts/check-zsctl.sh compares it with --help.

_zsctl_commands='list show top du settle compact verify get set classes run
	wait-ready replace report'
_zsctl_knobs='size mem_limit nr_inodes comp dense settle hot mem_used_max'
_zsctl_fixed='chain_size follow_cpu writeback xattr hidestats'
_zsctl_table='--bytes --json --noheadings --output --raw'

# _zsctl_options COMMAND
_zsctl_options() {
	case $1 in
	list | get) echo "$_zsctl_table" ;;
	classes) echo "$_zsctl_table --plot" ;;
	du) echo "$_zsctl_table --all --depth --worst" ;;
	show) echo '--bytes' ;;
	top) echo '--delay --iterations' ;;
	settle | compact | verify) echo '--progress' ;;
	run) echo '--chdir --mountpoint --options' ;;
	wait-ready) echo '--standby --timeout' ;;
	esac
	echo '--help --version'
}

# Blanks in them come as \x20, and go as the shell takes them.
_zsctl_mounts() {
	local at

	while read -r at; do
		at=$(printf '%b' "$at")
		[[ $at != "$1"* ]] || COMPREPLY+=("$(printf '%q' "$at")")
	done < <(zsctl list --noheadings --raw --output MOUNTPOINT 2>/dev/null)
}

_zsctl_columns() {
	local done=${2%"${2##*,}"} all

	all=$(zsctl "$1" --help 2>/dev/null |
		sed -nE '/^Columns/,/^$/s/^  [* ] ([^ ]+) .*/\1/p')
	mapfile -t COMPREPLY < <(compgen -P "$done" -W "$all" -- "${2##*,}")
	compopt -o nospace
}

# _zsctl_has_argument COMMAND OPTION: is the next word its argument?
_zsctl_has_argument() {
	case $1:$2 in
	list:-o | get:-o | classes:-o | du:-o | run:-o) ;;
	du:-d | du:-w | top:-d | top:-n | run:-m | wait-ready:-t) ;;
	*:--output | *:--plot | *:--depth | *:--worst) ;;
	*:--delay | *:--iterations | *:--mountpoint | *:--options | *:--timeout) ;;
	*) return 1 ;;
	esac
}

# _zsctl_operands COMMAND: how many there are before the word that is typed.
_zsctl_operands() {
	local operands=0 i

	for ((i = 2; i < COMP_CWORD; i++)); do
		if _zsctl_has_argument "$1" "${COMP_WORDS[i]}"; then
			# --delay=2 comes as three words.
			i=$((i + 1))
			[ "${COMP_WORDS[i]}" != = ] || i=$((i + 1))
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			operands=$((operands + 1))
		fi
	done
	echo $operands
}

# What goes into the place of the word $3 of command $1, after option $2.
_zsctl_operand() {
	local command=$1 before=$2 word=$3

	case $command:$before in
	list:-o | get:-o | classes:-o | du:-o | *:--output)
		_zsctl_columns "$command" "$word"
		return
		;;
	run:-m | run:--mountpoint)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	classes:--plot)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	! _zsctl_has_argument "$command" "$before" || return
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_zsctl_options "$command")" -- "$word")
	elif [ "$command" = du ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [ "$command" = run ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
	elif [ "$4" = 0 ] || [ "$command" = list ]; then
		_zsctl_mounts "$word"
	elif [ "$command" = get ]; then
		mapfile -t COMPREPLY < <(compgen -W "$_zsctl_knobs $_zsctl_fixed" -- "$word")
	elif [ "$command" = set ]; then
		mapfile -t COMPREPLY < <(compgen -S = -W "$_zsctl_knobs" -- "$word")
		compopt -o nospace
	fi
}

_zsctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} before

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ] && [[ $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$_zsctl_commands" -- "$word")
		return
	fi
	[[ $command != -* ]] || command=list
	# Of set and get only the first one is a mount.
	before=${COMP_WORDS[COMP_CWORD - 1]}
	[ "$before" != = ] || before=${COMP_WORDS[COMP_CWORD - 2]}
	_zsctl_operand "$command" "$before" "$word" \
		"$(_zsctl_operands "$command")"
}

complete -F _zsctl zsctl
