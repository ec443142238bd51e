# SPDX-License-Identifier: BSD-3-Clause
# Completion of zsctl(1) for fish. scripts/check-zsctl.sh compares it with --help.

# What is no plain ASCII in them comes as \xNN.
function __zsctl_mounts
    for at in (zsctl list --noheadings --raw --output MOUNTPOINT 2>/dev/null)
        printf '%b\n' $at
    end
end

function __zsctl_columns
    set -l command (commandline -opc)[2]
    string match -q -- '-*' "$command"; and set command list
    zsctl $command --help 2>/dev/null | string replace -rf '^  [* ] ([A-Z%]+) +(.*)' '$1\t$2'
end

function __zsctl_in
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
end

# __zsctl_has_argument COMMAND OPTION: is the next word its argument?
function __zsctl_has_argument
    contains -- "$argv" 'list -o' 'get -o' 'classes -o' 'du -o' 'run -o' \
        'du -d' 'du -w' 'top -d' 'top -n' 'run -m' 'wait-ready -t'
    or contains -- "$argv[2]" --output --plot --depth --worst --delay \
        --iterations --mountpoint --options --timeout
end

# Is the word that is typed the first operand, the mount?
function __zsctl_at_mount
    set -l words (commandline -opc)
    set -l before ''
    for i in (seq 3 (count $words))
        if __zsctl_has_argument "$words[2]" "$before"
            set before ''
        else if string match -q -- '-*' "$words[$i]"
            set before "$words[$i]"
        else
            return 1
        end
    end
    true
end

complete -c zsctl -f
complete -c zsctl -s h -l help -d 'show a summary'
complete -c zsctl -s V -l version -d 'show the version'

set -l none 'test (count (commandline -opc)) -eq 1'
complete -c zsctl -n $none -a list -d 'one row for each mount'
complete -c zsctl -n $none -a show -d 'a page about one mount, and what is odd about it'
complete -c zsctl -n $none -a top -d 'live: requests, bytes, settling and RAM'
complete -c zsctl -n $none -a du -d 'what files and folders take, and what compresses badly'
complete -c zsctl -n $none -a settle -d 'compress what is stored more densely, now'
complete -c zsctl -n $none -a compact -d 'pack the pool and give memory back, now'
complete -c zsctl -n $none -a verify -d 'check every structure and all content'
complete -c zsctl -n $none -a get -d 'all knobs, or only the values of those named'
complete -c zsctl -n $none -a set -d 'change a live mount'
complete -c zsctl -n $none -a classes -d "the pool's size classes and how full they are"
complete -c zsctl -n $none -a run -d 'a mount for one command, gone with it'
complete -c zsctl -n $none -a wait-ready -d 'wait until a zsfs is mounted there and answers'
complete -c zsctl -n $none -a replace -d 'put the installed program under a live mount'
complete -c zsctl -n $none -a report -d 'what a bug report needs'

complete -c zsctl -n '__zsctl_in list' -a '(__zsctl_mounts)'
complete -c zsctl -n '__zsctl_in show top settle compact verify get set classes wait-ready replace report; and __zsctl_at_mount' -a '(__zsctl_mounts)'
complete -c zsctl -n '__zsctl_in run' -a '(__fish_complete_subcommand)'

complete -c zsctl -n '__zsctl_in list classes du show' -s b -l bytes -d 'sizes in bytes'
complete -c zsctl -n '__zsctl_in list get classes du' -s J -l json -d 'as JSON'
complete -c zsctl -n '__zsctl_in list get classes du' -s n -l noheadings -d 'no names of columns'
complete -c zsctl -n '__zsctl_in list get classes du' -s o -l output -xa '(__fish_append , (__zsctl_columns))' -d 'these columns'
complete -c zsctl -n '__zsctl_in list get classes du' -s r -l raw -d 'no alignment'
complete -c zsctl -n '__zsctl_in classes' -l plot -rF -d 'draw them as an SVG'
complete -c zsctl -n '__zsctl_in du' -F
complete -c zsctl -n '__zsctl_in du' -s a -l all -d 'a row for each file'
complete -c zsctl -n '__zsctl_in du' -s d -l depth -x -d 'rows for folders so far below'
complete -c zsctl -n '__zsctl_in du' -s w -l worst -x -d 'only the worst files'
complete -c zsctl -n '__zsctl_in top' -s d -l delay -x -d 'seconds between looks'
complete -c zsctl -n '__zsctl_in top' -s n -l iterations -x -d 'end after as many looks'
complete -c zsctl -n '__zsctl_in settle compact verify' -l progress -d 'show how far it is'
complete -c zsctl -n '__zsctl_in run' -s c -l chdir -d 'start the command in the mount'
complete -c zsctl -n '__zsctl_in run' -s m -l mountpoint -xa '(__fish_complete_directories)' -d 'mount here'
complete -c zsctl -n '__zsctl_in run' -s o -l options -x -d 'options of zsfs'
complete -c zsctl -n '__zsctl_in wait-ready' -l standby -d 'until another process could take over'
complete -c zsctl -n '__zsctl_in wait-ready' -s t -l timeout -x -d 'give up after seconds'

set -l setting '__zsctl_in set; and not __zsctl_at_mount'
complete -c zsctl -n $setting -a size= -d 'most content of files before compression'
complete -c zsctl -n $setting -a mem_limit= -d 'most RAM, processes aside'
complete -c zsctl -n $setting -a nr_inodes= -d 'most files and directories'
complete -c zsctl -n $setting -a comp= -d 'how what is written from now on is compressed'
complete -c zsctl -n $setting -a dense= -d 'how what settles is compressed'
complete -c zsctl -n $setting -a settle= -d 'seconds until a block that nobody writes is compressed densely, or off'
complete -c zsctl -n $setting -a hot= -d 'most bytes that are compressed only later'
complete -c zsctl -n $setting -a mem_used_max= -d 'the most RAM in use so far'

set -l getting '__zsctl_in get; and not __zsctl_at_mount'
complete -c zsctl -n $getting -a size -d 'most content of files before compression'
complete -c zsctl -n $getting -a mem_limit -d 'most RAM, processes aside'
complete -c zsctl -n $getting -a nr_inodes -d 'most files and directories'
complete -c zsctl -n $getting -a comp -d 'how what is written from now on is compressed'
complete -c zsctl -n $getting -a dense -d 'how what settles is compressed'
complete -c zsctl -n $getting -a settle -d 'seconds until a block that nobody writes is compressed densely, or off'
complete -c zsctl -n $getting -a hot -d 'most bytes that are compressed only later'
complete -c zsctl -n $getting -a mem_used_max -d 'the most RAM in use so far'
complete -c zsctl -n $getting -a chain_size -d 'most pages put together for objects of one size'
complete -c zsctl -n $getting -a follow_cpu -d 'requests are served where they come from'
complete -c zsctl -n $getting -a writeback -d 'the kernel holds what is written for a while'
complete -c zsctl -n $getting -a xattr -d 'there are extended attributes'
complete -c zsctl -n $getting -a hidestats -d 'statistics are for owners only'
