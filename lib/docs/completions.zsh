#@ head
#compdef plumb@TOOLS@
# zsh completion for plumb(1), written from its option and field tables: do not edit.
# Belongs into a directory of $fpath, as `_plumb`.

# Behind the last comma of a list: offers the specifications NAME:DESCRIPTION (in the name, `\:` stands for a colon)
# whose names the list does not hold yet.
_plumb_list() {
    local tag=$1 spec name
    local -a left held
    shift
    [[ $PREFIX == *,* ]] && held=("${(@s:,:)${(Q)PREFIX%,*}}")
    compset -P '*,'
    for spec; do
        name=${spec//\\:/$'\0'}
        name=${${${name%%:*}//$'\0'/:}//\\\\/\\}
        (( ${held[(Ie)$name]} )) || left+=("$spec")
    done
    _describe -t $tag $tag left -q -S ,
}

_plumb_pids() {
    local dir name
    local -a list
    for dir in /proc/<1->(N); do
        name=
        { IFS= read -r name < $dir/comm } 2>/dev/null
        list+=("${dir:t}:${name//[^[:print:]]/?}")
    done
    _plumb_list process "${list[@]}"
}

_plumb_comms() {
    local file name
    local -aU list
    for file in /proc/<1->/comm(N); do
        { IFS= read -r name < $file } 2>/dev/null || continue
        [[ -z $name || $name == *[^[:print:]]* || $name == *,* ]] || list+=("${${name//\\/\\\\}//:/\\:}")
    done
    _plumb_list command "${list[@]}"
}

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
_plumb_containers() {
    local path id
    local -aU list
    for path in /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice{,/*.slice{,/*.slice}},kubepods{,/*}/pod*}/*(N/); do
        id=${${path:t}%.scope}
        id=${id##*-}
        [[ $id =~ '^[0-9a-f]{64}$' ]] && list+=(${id[1,12]})
    done
    (( $#list )) && _describe -t container container list
}

# Network devices of this namespace.
_plumb_devices() {
    local -a list
    list=(/sys/class/net/*(N-/:t))
    _plumb_list device "${(@)list//:/\\:}"
}

_plumb_expression() {
    local tag=$1
    local -a names
    shift
    names=("$@")
    compset -P '*[^a-z0-9_]'
    _describe -t $tag $tag names -S ''
}
#@ fields

# $1 with the names of the fields and what they mean.
_plumb_@COMMAND@_fields() {
    local -a names
    names=(
@FIELDS@    )
    $1 field "${names[@]}"
}
#@ fields with summary

# $1 with the names of the fields and what they mean.
_plumb_@COMMAND@_fields() {
    local -a names
    if (( ${words[(I)--summary]} )); then
        names=(
@SUMMARY@        )
    else
        names=(
@FIELDS@        )
    fi
    $1 field "${names[@]}"
}
#@ field
            @FIELD@
#@ arguments

_plumb_@COMMAND@() {
    _arguments -s@OPTIONS@
}
#@ option
 \
        @OPTION@
#@ main

_plumb() {
    local tool=$service end
    local -a commands
    if [[ $tool == plumb ]]; then
        if (( CURRENT == 2 )); then
            commands=(
@COMMANDS@            )
            _describe -t commands tool commands
            _arguments '(-h --help)'{-h,--help}'[Show the tools and exit]' '--version[Print the version and exit]'
            return
        fi
        tool=$words[2]
        shift words
        (( CURRENT-- ))
    fi
@SUBCOMMANDS@    (( $+functions[_plumb_$tool] )) || return 1
    # Behind `--` stands a command with its own completion.
    end=${words[(ie)--]}
    if (( end < CURRENT )); then
        shift $end words
        (( CURRENT -= end ))
        _normal
        return
    fi
    _plumb_$tool
}

_plumb "$@"
#@ command
                @COMMAND@
#@ subcommand
    if [[ $tool == @FIRST@ && CURRENT -eq 2 ]]; then
        commands=(@DESCRIBED@)
        _describe -t subcommands subcommand commands
    elif [[ $tool == @FIRST@ && $words[2] == @SECOND@ ]]; then
        tool=@COMMAND@
        shift words
        (( CURRENT-- ))
    fi
