#@ head
# fish completion for plumb(1), written from its option and field tables: do not edit.
# Belongs into share/fish/vendor_completions.d/ as `plumb.fish`; for a link to plumb that is named after a tool,
# link this file as TOOL.fish.

set -g __plumb_subcommands@SUBCOMMANDS@

# Whether the cursor stands behind the tool $argv[1] and before `--`.
function __plumb_in
    set -l words (commandline -opc)
    contains -- -- $words; and return 1
    test "$words[2]" = "$argv[1]"; or return 1
    if test (count $argv) -eq 2
        test "$words[3]" = "$argv[2]"
    else  # a second word that is a command of its own has its own options
        not contains -- "$argv[1] $words[3]" $__plumb_subcommands
    end
end

# Whether the second word of a command is still to come.
function __plumb_second
    set -l words (commandline -opc)
    test (count $words) -eq 2 -a "$words[2]" = "$argv[1]"
end

# Whether plumb's own first word is still to come.
function __plumb_first
    set -l words (commandline -opc)
    test (count $words) -eq 1
end

# For a link that is named after a tool: whether the cursor stands before `--`.
function __plumb_before_command
    not contains -- -- (commandline -opc)
end

# Whether the cursor stands in the command behind `--`.
function __plumb_behind_dashes
    contains -- -- (commandline -opc)
end

# The value under the cursor, without an opening quote and without `--option=`.
function __plumb_value
    string replace -r '^--[^=]*=' '' -- (commandline -ct) | string trim -l -c '\'"'
end

# A list with commas: offers behind the last comma what the list does not hold yet.
function __plumb_list
    set -l value (__plumb_value)
    set -l before (string match -r -- '^.*,' $value)
    set -l held (string split , -- $before)
    for candidate in $argv
        set -l name (string split -m 1 \t -- $candidate)
        contains -- $name[1] $held; or printf '%s%s\n' "$before" $candidate
    end
end

# An expression: offers names where a word begins.
function __plumb_expression
    set -l before (string match -r -- '^.*[^a-z0-9_]' (__plumb_value))
    for candidate in $argv
        printf '%s%s\n' "$before" $candidate
    end
end

# The processes' files with their command names.
function __plumb_processes
    string match -r '^/proc/\d+/comm$' -- /proc/*/comm
end

function __plumb_pids
    set -l list
    for file in (__plumb_processes)
        set -l name ''
        test -r $file; and read -l line <$file 2>/dev/null; and set name (string replace -ra '[^[:print:]]' '?' -- "$line")
        set -a list (string split / -- $file)[3]\t"$name"
    end
    __plumb_list $list
end

function __plumb_comms
    set -l list
    for file in (__plumb_processes)
        test -r $file; and read -l name <$file 2>/dev/null; or continue
        string match -qr '^[[:print:]]+$' -- "$name"; or continue
        string match -q '*,*' -- $name; or contains -- $name $list; or set -a list $name
    end
    __plumb_list $list
end

function __plumb_users
    while read -l line
        set -l name (string split -m 1 : -- $line)
        test -n "$name[1]"; and echo $name[1]
    end </etc/passwd
end

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
function __plumb_containers
    set -l paths /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice,kubepods.slice/*.slice,kubepods.slice/*.slice/*.slice,kubepods/pod*,kubepods/*/pod*}/*
    string match -rg '([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?$' -- $paths | sort -u
end

# Network devices of this namespace.
function __plumb_devices
    set -l paths /sys/class/net/*/
    __plumb_list (string split / -- $paths | string match -rv '^(|sys|class|net)$')
end

# What follows `--` is a command with its own completion.
function __plumb_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..]) (commandline -ct))
end
#@ fields

# $argv[1] with the names of the fields and what they mean.
function __plumb_@COMMAND@_fields
@SUMMARY@    $argv[1]@FIELDS@
end
#@ fields of summary
    if contains -- --summary (commandline -opc)
        $argv[1]@FIELDS@
        return
    end
#@ options

# For the command $argv[1], where $argv[2] holds.
function __plumb_@COMMAND@
@OPTIONS@end
#@ option
    complete -c $argv[1] -n $argv[2]@SHORT@ -l @OPTION@@VALUE@ -d @HELP@
#@ first

complete -c plumb -f
@COMMANDS@complete -c plumb -n __plumb_first -s h -l help -d 'Show the tools and exit'
complete -c plumb -n __plumb_first -l version -d 'Print the version and exit'
@USES@complete -c plumb -n __plumb_behind_dashes -a '(__plumb_command)'
#@ command
complete -c plumb -n __plumb_first -a @COMMAND@ -d @HELP@
#@ use
__plumb_@COMMAND@ plumb '__plumb_in @COMMAND@'
#@ tool
complete -c @COMMAND@ -f
__plumb_@COMMAND@ @COMMAND@ __plumb_before_command
complete -c @COMMAND@ -n __plumb_behind_dashes -a '(__plumb_command)'
#@ subcommand
complete -c plumb -n '__plumb_second @FIRST@' -a @SECOND@ -d @HELP@
__plumb_@COMMAND@ plumb '__plumb_in @NAME@'
#@ subcommand with files
complete -c plumb -F -n '__plumb_in @NAME@'
