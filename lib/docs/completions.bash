#@ head
# bash completion for plumb(1), written from its option and field tables: do not edit.
# Belongs into share/bash-completion/completions/ as `plumb`; for a link to plumb that is named after a tool, link
# this file by the same name.
#@ fields

# $1 with the names of the fields.
_plumb_@COMMAND@_fields() {
    case $fields in
@SUMMARY@        *) "$1"@FIELDS@ ;;
    esac
}
#@ fields of summary
        summary) "$1"@FIELDS@ ;;
#@ values

# Completes the value of option $1; fails when it takes none.
_plumb_@COMMAND@_value() {
    case $1 in
@CASES@        *) return 1 ;;
    esac
    return 0
}
#@ no values

# Completes the value of option $1; fails when it takes none.
_plumb_@COMMAND@_value() {
    return 1
}
#@ value
        @OPTION@) @COMPLETER@ ;;
#@ value that nothing completes
        @OPTION@) ;;
#@ optional value that nothing completes
        @OPTION@) [[ -n $whole ]] || return 1 ;;
#@ optional value
        @OPTION@) [[ -n $whole ]] || return 1; @COMPLETER@ ;;
#@ options

_plumb_@COMMAND@_options() {
@FILES@    _plumb_values@OPTIONS@
}
#@ options of files
    [[ $item == -* ]] || { _plumb_files; return; }
#@ helpers

# Sets `words` to the words up to the cursor, as the shell will see them, and `cut` to whether readline cut the last.
_plumb_words() {
    local line=${COMP_LINE:0:COMP_POINT} word blank
    words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        blank=${line%%[![:space:]]*}
        line=${line#"$blank"}
        [[ $line == "$word"* ]] || word=$line
        line=${line#"$word"}
        if [[ ${#words[@]} -gt 0 && -z $blank ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
}

# Offers $1 behind `before`, when it begins with `item`; quoted for the line.
_plumb_offer() {
    [[ $1 == "$item"* && $1 != *[![:print:]]* ]] || return 0
    local text=$before$1
    case $open in
        \") [[ $text != *[\"\$\`\\!]* ]] || return 0 ;;
        \') [[ $text != *\'* ]] || return 0 ;;
        *)
            [[ $text != *[!A-Za-z0-9_.,:=/@%+-]* ]] || printf -v text %q "$text"
            text=$whole$text
            # Readline replaces what stands behind the last of its word breaks.
            local typed=$whole$value breaks=''
            [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
            [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
            if [[ -n $breaks && $typed == *["$breaks"]* ]]; then
                typed=${typed%"${typed##*["$breaks"]}"}
                text=${text#"$typed"}
            fi
            ;;
    esac
    COMPREPLY+=("$text")
}

_plumb_values() {
    local candidate
    for candidate; do _plumb_offer "$candidate"; done
}

# A list with commas: offers behind the last comma what the list does not hold yet.
_plumb_list() {
    local candidate
    if [[ $value == *,* ]]; then
        before=${value%,*},
        item=${value##*,}
    fi
    for candidate; do
        [[ ,$before == *,"$candidate",* ]] || _plumb_offer "$candidate"
    done
    compopt -o nospace 2>/dev/null
}

# An expression: offers names where a word begins.
_plumb_expression() {
    item=${value##*[!a-z0-9_]}
    before=${value%"$item"}
    _plumb_values "$@"
    compopt -o nospace 2>/dev/null
}

_plumb_pids() {
    local -a dirs=(/proc/[0-9]*)
    _plumb_list "${dirs[@]##*/}"
}

_plumb_comms() {
    local file name
    local -A found=()
    for file in /proc/[0-9]*/comm; do
        { IFS= read -r name < "$file"; } 2>/dev/null && [[ -n $name && $name != *,* ]] && found[$name]=1
    done
    _plumb_list "${!found[@]}"
}

_plumb_users() {
    local name rest
    while IFS=: read -r name rest; do _plumb_offer "$name"; done < /etc/passwd
}

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
_plumb_containers() {
    local path id
    local -A found=()
    for path in /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice{,/*.slice{,/*.slice}},kubepods{,/*}/pod*}/*; do
        id=${path##*/}
        id=${id%.scope}
        id=${id##*-}
        [[ $id =~ ^[0-9a-f]{64}$ ]] && found[${id:0:12}]=1
    done
    _plumb_values "${!found[@]}"
}

# Network devices of this namespace: the directories are links.
_plumb_devices() {
    local -a paths=(/sys/class/net/*/)
    paths=("${paths[@]%/}")
    _plumb_list "${paths[@]##*/}"
}

# Files, or with -d directories. Readline quotes them and adds slashes.
_plumb_files() {
    local path typed=$value
    [[ $typed == \~/* ]] && typed=$HOME${typed:1}
    while IFS= read -r path; do
        [[ $value == \~/* ]] && path=\~${path#"$HOME"}
        COMPREPLY+=("$path")
    done < <(compgen "${1:--f}" -- "$typed")
    compopt -o filenames 2>/dev/null
}

# The command behind `--`, whose place in COMP_WORDS is $1.
_plumb_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$value")
    else
        _plumb_files
    fi
}

_plumb() {
    local -a words
    local i tool first=1 fields=lines open='' option='' value before='' item whole=''
    COMPREPLY=()
    _plumb_words
    local count=${#words[@]}
    value=${words[count-1]}
    tool=${words[0]##*/}
    case $tool in
        @LINKS@) ;;
        *)
            item=$value
            if ((count == 2)); then
                _plumb_values@COMMANDS@ --help --version
                return
            fi
            tool=${words[1]} first=2
            ;;
    esac
@SUBCOMMANDS@    declare -F "_plumb_${tool}_options" >/dev/null || return 0

    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        _plumb_command $((i + 1))
        return
    done
    for ((i = first; i < count - 1; i++)); do
        [[ ${words[i]} == --summary ]] && fields=summary
    done

    if [[ $value == --*=* ]]; then
        option=${value%%=*}
        whole=$option=
        value=${value#*=}
    elif ((count - 2 >= first)); then
        option=${words[count-2]}
    fi
    # What the user typed, without the shell's quoting.
    case $value in
        [\"\']*) open=${value:0:1} value=${value:1} ;;
        *) value=${value//\\/} ;;
    esac
    item=$value
    [[ -n $option ]] && "_plumb_${tool}_value" "$option" && return
    [[ -z $whole && -z $open ]] && "_plumb_${tool}_options"
}

complete -F _plumb plumb@TOOLS@
#@ subcommand
    if [[ $tool == @FIRST@ ]]; then
        item=$value
        if ((count == first + 1)); then
            _plumb_values @SECOND@
        elif [[ ${words[first]} == @SECOND@ ]]; then
            tool=@COMMAND@
            ((first += 1))
        fi
    fi
