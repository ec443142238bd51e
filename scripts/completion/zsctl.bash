# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of zsctl(1) for bash. scripts/check-zsctl.sh compares it with --help.

_zsctl_commands='list show top du settle compact verify get set classes run
	wait-ready replace report'
_zsctl_knobs='size mem_limit nr_inodes comp dense settle hot mem_used_max'
_zsctl_fixed='chain_size follow_cpu writeback xattr hidestats'
_zsctl_table='--json --noheadings --output --raw'

# _zsctl_options COMMAND
_zsctl_options() {
	case $1 in
	list) echo "$_zsctl_table --bytes" ;;
	get) echo "$_zsctl_table" ;;
	classes) echo "$_zsctl_table --bytes --plot" ;;
	du) echo "$_zsctl_table --bytes --all --depth --worst" ;;
	show) echo '--bytes' ;;
	top) echo '--delay --iterations' ;;
	settle | compact | verify) echo '--progress' ;;
	run) echo '--chdir --mountpoint --options' ;;
	wait-ready) echo '--standby --timeout' ;;
	esac
	echo '--help --version'
}

# Blanks in them come as \x20, and go as the shell takes them, which may be how
# they were typed.
_zsctl_mounts() {
	local at quoted

	while read -r at; do
		at=$(printf '%b' "$at")
		quoted=$(printf '%q' "$at")
		[[ $at != "$1"* && $quoted != "$1"* ]] || COMPREPLY+=("$quoted")
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

# _zsctl_first COMMAND: which word is the first operand, or COMP_CWORD if there is
# none before that.
_zsctl_first() {
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		if _zsctl_has_argument "$1" "${COMP_WORDS[i]}"; then
			# --delay=2 comes as three words.
			[ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
			i=$((i + 1))
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			break
		fi
	done
	echo $((i < COMP_CWORD ? i : COMP_CWORD))
}

# The words of $1 that begin with $2.
_zsctl_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# The values of knob $1, as far as there are words for them.
_zsctl_values() {
	case $1 in
	comp | comp_algorithm) _zsctl_words 'lz4 zstd none' "$2" ;;
	dense) _zsctl_words zstd "$2" ;;
	settle | settle_after) _zsctl_words off "$2" ;;
	mem_used_max) _zsctl_words 0 "$2" ;;
	esac
}

# _zsctl_command AT: what "run" runs begins with this word.
_zsctl_command() {
	if [ "$1" = "$COMP_CWORD" ]; then
		compopt -o filenames -o default
		mapfile -t COMPREPLY < <(compgen -c -- "$2")
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	else
		compopt -o default
	fi
}

# What goes into the place of the word $3 of command $1, after $2; the first
# operand is the word $4. Files are left to the shell, which knows how they are
# quoted.
_zsctl_operand() {
	local command=$1 before=$2 word=$3 first=$4

	if [ "$command" = run ] && ((first < COMP_CWORD)); then
		_zsctl_command "$first" "$word"
		return
	fi
	case $command:$before in
	list:-o | get:-o | classes:-o | du:-o | *:--output)
		_zsctl_columns "$command" "$word"
		return
		;;
	run:-m | run:--mountpoint)
		compopt -o filenames -o dirnames
		return
		;;
	classes:--plot)
		compopt -o default
		return
		;;
	esac
	! _zsctl_has_argument "$command" "$before" || return
	if [[ $word == -* ]]; then
		_zsctl_words "$(_zsctl_options "$command")" "$word"
	elif [ "$command" = du ]; then
		compopt -o default
	elif [ "$command" = run ]; then
		_zsctl_command "$first" "$word"
	elif [ "$first" = "$COMP_CWORD" ] || [ "$command" = list ]; then
		_zsctl_mounts "$word"
	elif [ "$command" = get ]; then
		_zsctl_words "$_zsctl_knobs $_zsctl_fixed" "$word"
	elif [ "$command" = set ]; then
		mapfile -t COMPREPLY < <(compgen -S = -W "$_zsctl_knobs" -- "$word")
		compopt -o nospace
	fi
}

# What is typed of "knob=value" and "--option=value" comes in words: "=" and
# ":" are some, too.
_zsctl() {
	local at=$COMP_CWORD word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
	local before first

	COMPREPLY=()
	if [ "$at" = 1 ] && [[ $word != -* ]]; then
		_zsctl_words "$_zsctl_commands" "$word"
		return
	fi
	[[ $command != -* ]] || command=list
	first=$(_zsctl_first "$command")
	if [ "$word" = = ]; then
		word=
		at=$((at + 1))
	fi
	before=${COMP_WORDS[at - 1]}
	[ "$before" != = ] || before=${COMP_WORDS[at - 2]}
	if [ "$command" != set ] || [ "${COMP_WORDS[at - 1]}" != = ]; then
		_zsctl_operand "$command" "$before" "$word" "$first"
	elif ((first < at - 2)); then
		_zsctl_values "$before" "$word"
	fi
}

complete -F _zsctl zsctl
