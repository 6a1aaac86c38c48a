# bash completion for plumb(1), written from its option and field tables: do not edit.
# Belongs into share/bash-completion/completions/ as `plumb`; for a link to plumb that is named after a tool, link
# this file by the same name.

# $1 with the names of the fields.
_plumb_tcpconnect_fields() {
    case $fields in
        summary) "$1" 'type' 'pid' 'comm' 'role' 'remote_addr' 'port' 'attempts' 'failed' 'established' 'refused' 'timeout' 'unreachable' 'reset' 'no_ports' 'cancelled' 'error' 'latency_p50_ms' 'latency_p90_ms' 'latency_p99_ms' 'latency_max_ms' 'closed' 'tx_bytes' 'rx_bytes' 'retransmits' ;;
        *) "$1" 'time' 'type' 'pid' 'tid' 'comm' 'exe' 'parent_pid' 'parent_comm' 'uid' 'container' 'pod' 'namespace' 'netns' 'role' 'local_addr' 'local_port' 'remote_addr' 'remote_port' 'port' 'remote_name' 'outcome' 'error' 'latency_ms' 'syn_retries' 'duration_ms' 'tx_bytes' 'rx_bytes' 'retransmits' 'srtt_ms' 'closed_by' ;;
    esac
}

# Completes the value of option $1; fails when it takes none.
_plumb_tcpconnect_value() {
    case $1 in
        --role) _plumb_values 'client' 'server' 'both' ;;
        --port) ;;
        --host) ;;
        --min-latency) ;;
        -p | --pid) _plumb_pids ;;
        --comm) _plumb_comms ;;
        -u | --uid) _plumb_users ;;
        --cgroup) _plumb_files -d ;;
        --container) _plumb_containers ;;
        --pod) ;;
        --netns) _plumb_files ;;
        --where) _plumb_tcpconnect_fields _plumb_expression ;;
        --from) _plumb_files ;;
        -d | --duration) ;;
        -n | --count) ;;
        -f | --format) _plumb_values 'table' 'json' 'csv' 'tsv' ;;
        -o | --output) _plumb_files ;;
        --columns) _plumb_tcpconnect_fields _plumb_list ;;
        --time) _plumb_values 'local' 'utc' 'iso' 'relative' 'none' ;;
        --names) _plumb_values 'ports' ;;
        --color) _plumb_values 'auto' 'always' 'never' ;;
        --by) _plumb_tcpconnect_fields _plumb_list ;;
        --sort) _plumb_tcpconnect_fields _plumb_expression ;;
        --interval) ;;
        --otlp) [[ -n $whole ]] || return 1 ;;
        --otlp-signals) ;;
        --otlp-spans) ;;
        --fail-if) _plumb_tcpconnect_fields _plumb_expression ;;
        --baseline) _plumb_files ;;
        --report) _plumb_files ;;
        --ready-file) _plumb_files ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_tcpconnect_options() {
    _plumb_values --role --accept --life --ipv4 -4 --ipv6 -6 --port --host --failed --no-names \
        --min-latency --pid -p --comm --uid -u --cgroup --container --pod --netns --where --from \
        --duration -d --count -n --format -f --json -j --output -o --columns --wide --time --names \
        --color --summary --by --sort --histogram --top --once --interval --otlp --otlp-signals \
        --otlp-spans --otlp-url-template --otlp-profiles --otlp-dry-run --fail-if --baseline \
        --strict --report --list-fields --json-schema --ready-file --stats --quiet -q --verbose -v \
        --help -h --version --
}

# $1 with the names of the fields.
_plumb_httptrace_fields() {
    case $fields in
        *) "$1" 'time' 'type' 'pid' 'tid' 'comm' 'exe' 'parent_pid' 'parent_comm' 'uid' 'container' 'pod' 'namespace' 'netns' 'role' 'protocol' 'tls' 'method' 'scheme' 'host' 'path' 'path_template' 'query' 'status' 'grpc_method' 'grpc_status' 'latency_ms' 'ttfb_ms' 'request_bytes' 'response_bytes' 'user_agent' 'content_type' 'stream' 'messages' 'max_gap_ms' 'trace_id' 'parent_id' 'headers' 'local_addr' 'local_port' 'remote_addr' 'remote_port' 'error' 'incomplete' ;;
    esac
}

# Completes the value of option $1; fails when it takes none.
_plumb_httptrace_value() {
    case $1 in
        --role) _plumb_values 'client' 'server' 'both' ;;
        --port) ;;
        --host) ;;
        --method) ;;
        --path) ;;
        --status) ;;
        --min-latency) ;;
        --header) ;;
        --snaplen) ;;
        -p | --pid) _plumb_pids ;;
        --comm) _plumb_comms ;;
        -u | --uid) _plumb_users ;;
        --cgroup) _plumb_files -d ;;
        --container) _plumb_containers ;;
        --pod) ;;
        --netns) _plumb_files ;;
        --where) _plumb_httptrace_fields _plumb_expression ;;
        --from) _plumb_files ;;
        -d | --duration) ;;
        -n | --count) ;;
        -f | --format) _plumb_values 'table' 'json' 'csv' 'tsv' ;;
        -o | --output) _plumb_files ;;
        --columns) _plumb_httptrace_fields _plumb_list ;;
        --time) _plumb_values 'local' 'utc' 'iso' 'relative' 'none' ;;
        --names) _plumb_values 'ports' ;;
        --color) _plumb_values 'auto' 'always' 'never' ;;
        --by) _plumb_httptrace_fields _plumb_list ;;
        --sort) _plumb_httptrace_fields _plumb_expression ;;
        --interval) ;;
        --otlp) [[ -n $whole ]] || return 1 ;;
        --otlp-signals) ;;
        --otlp-spans) ;;
        --fail-if) _plumb_httptrace_fields _plumb_expression ;;
        --baseline) _plumb_files ;;
        --report) _plumb_files ;;
        --ready-file) _plumb_files ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_httptrace_options() {
    _plumb_values --role --port --host --method --path --status --min-latency --tls-only --header \
        --no-query --snaplen --pid -p --comm --uid -u --cgroup --container --pod --netns --where \
        --from --duration -d --count -n --format -f --json -j --output -o --columns --wide --time \
        --names --color --summary --by --sort --histogram --top --once --interval --otlp \
        --otlp-signals --otlp-spans --otlp-url-template --otlp-profiles --otlp-dry-run --fail-if \
        --baseline --strict --report --list-fields --json-schema --ready-file --stats --quiet -q \
        --verbose -v --help -h --version --
}

# $1 with the names of the fields.
_plumb_drops_fields() {
    case $fields in
        summary) "$1" 'type' 'event' 'reason' 'subsystem' 'count' 'total_bytes' 'location' 'dev' 'netns' 'direction' 'protocol' 'src' 'src_port' 'dst' 'dst_port' 'hint' ;;
        *) "$1" 'time' 'type' 'pid' 'tid' 'comm' 'exe' 'parent_pid' 'parent_comm' 'uid' 'container' 'pod' 'namespace' 'netns' 'reason' 'subsystem' 'hint' 'location' 'protocol' 'src' 'src_port' 'dst' 'dst_port' 'tcp_flags' 'length_bytes' 'dev' 'direction' 'state' 'owner_source' 'stack' 'count' 'inner_protocol' 'inner_src' 'inner_src_port' 'inner_dst' 'inner_dst_port' 'kind' 'sequence' 'srtt_ms' 'retransmits' 'cause' 'cause_location' 'cause_certainty' 'cause_age_ms' 'counter' 'delta' ;;
    esac
}

# Completes the value of option $1; fails when it takes none.
_plumb_drops_value() {
    case $1 in
        --type) _plumb_list 'drop' 'retransmit' 'reset' 'counter' ;;
        --reason) _plumb_list 'NO_SOCKET' 'NETFILTER_DROP' 'TCP_CSUM' 'UDP_CSUM' 'SOCKET_RCVBUFF' 'TCP_FLAGS' 'NOT_SPECIFIED' 'IP_INNOROUTES' 'IP_RPFILTER' 'QDISC_DROP' 'TCP_LISTEN_OVERFLOW' 'CPU_BACKLOG' 'TCP_ZEROWINDOW' 'TCP_OVERWINDOW' 'NEIGH_FAILED' 'PKT_TOO_BIG' 'SKB_UCOPY_FAULT' 'XDP' ;;
        --host) ;;
        --port) ;;
        --proto) _plumb_list 'tcp' 'udp' 'icmp' 'icmpv6' 'arp' 'gre' 'sctp' ;;
        --dev) _plumb_devices ;;
        --max-rate) ;;
        -p | --pid) _plumb_pids ;;
        --comm) _plumb_comms ;;
        -u | --uid) _plumb_users ;;
        --cgroup) _plumb_files -d ;;
        --container) _plumb_containers ;;
        --pod) ;;
        --netns) _plumb_files ;;
        --where) _plumb_drops_fields _plumb_expression ;;
        --from) _plumb_files ;;
        -d | --duration) ;;
        -n | --count) ;;
        -f | --format) _plumb_values 'table' 'json' 'csv' 'tsv' 'folded' 'svg' 'pprof' 'speedscope' 'firefox' ;;
        -o | --output) _plumb_files ;;
        --columns) _plumb_drops_fields _plumb_list ;;
        --time) _plumb_values 'local' 'utc' 'iso' 'relative' 'none' ;;
        --names) _plumb_values 'ports' ;;
        --color) _plumb_values 'auto' 'always' 'never' ;;
        --by) _plumb_drops_fields _plumb_list ;;
        --sort) _plumb_drops_fields _plumb_expression ;;
        --interval) ;;
        --otlp) [[ -n $whole ]] || return 1 ;;
        --otlp-signals) ;;
        --otlp-spans) ;;
        --fail-if) _plumb_drops_fields _plumb_expression ;;
        --baseline) _plumb_files ;;
        --report) _plumb_files ;;
        --ready-file) _plumb_files ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_drops_options() {
    _plumb_values --all --type --reason --host --port --proto --dev --stack --icicle --max-rate \
        --pid -p --comm --uid -u --cgroup --container --pod --netns --where --from --duration -d \
        --count -n --format -f --json -j --output -o --columns --wide --time --names --color \
        --summary --by --sort --histogram --top --once --interval --otlp --otlp-signals \
        --otlp-spans --otlp-url-template --otlp-profiles --otlp-dry-run --fail-if --baseline \
        --strict --report --list-fields --json-schema --ready-file --stats --quiet -q --verbose -v \
        --help -h --version --
}

# $1 with the names of the fields.
_plumb_flame_fields() {
    case $fields in
        *) "$1" 'type' 'count' 'value' 'unit' 'event' 'pid' 'comm' 'stack' ;;
    esac
}

# Completes the value of option $1; fails when it takes none.
_plumb_flame_value() {
    case $1 in
        --event) ;;
        -F | --frequency) ;;
        --tid) ;;
        --min-block) ;;
        --stack-size) ;;
        -p | --pid) _plumb_pids ;;
        --comm) _plumb_comms ;;
        -u | --uid) _plumb_users ;;
        --cgroup) _plumb_files -d ;;
        --container) _plumb_containers ;;
        --pod) ;;
        --netns) _plumb_files ;;
        --where) _plumb_flame_fields _plumb_expression ;;
        --from) _plumb_files ;;
        -d | --duration) ;;
        -n | --count) ;;
        -f | --format) _plumb_values 'folded' 'svg' 'pprof' 'speedscope' 'firefox' 'table' 'json' 'csv' 'tsv' ;;
        -o | --output) _plumb_files ;;
        --columns) _plumb_flame_fields _plumb_list ;;
        --time) _plumb_values 'local' 'utc' 'iso' 'relative' 'none' ;;
        --names) _plumb_values 'ports' ;;
        --color) _plumb_values 'auto' 'always' 'never' ;;
        --by) _plumb_flame_fields _plumb_list ;;
        --sort) _plumb_flame_fields _plumb_expression ;;
        --interval) ;;
        --otlp) [[ -n $whole ]] || return 1 ;;
        --otlp-signals) ;;
        --otlp-spans) ;;
        --fail-if) _plumb_flame_fields _plumb_expression ;;
        --baseline) _plumb_files ;;
        --report) _plumb_files ;;
        --ready-file) _plumb_files ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_flame_options() {
    _plumb_values --event --frequency -F --tid --user --kernel --threads --per-cpu --idle \
        --min-block --wakers --stack-size --raw-names --inline --no-python --icicle --pid -p --comm \
        --uid -u --cgroup --container --pod --netns --where --from --duration -d --count -n \
        --format -f --json -j --output -o --columns --wide --time --names --color --summary --by \
        --sort --histogram --top --once --interval --otlp --otlp-signals --otlp-spans \
        --otlp-url-template --otlp-profiles --otlp-dry-run --fail-if --baseline --strict --report \
        --list-fields --json-schema --ready-file --stats --quiet -q --verbose -v --help -h \
        --version --
}

# Completes the value of option $1; fails when it takes none.
_plumb_flame_render_value() {
    case $1 in
        -o | --output) _plumb_files ;;
        --title) ;;
        -f | --format) _plumb_values 'svg' 'folded' 'pprof' 'speedscope' 'firefox' 'json' ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_flame_render_options() {
    [[ $item == -* ]] || { _plumb_files; return; }
    _plumb_values --output -o --title --icicle --format -f --threads --quiet -q --help -h --version
}

# Completes the value of option $1; fails when it takes none.
_plumb_flame_diff_value() {
    case $1 in
        -o | --output) _plumb_files ;;
        --title) ;;
        -f | --format) _plumb_values 'table' 'json' 'svg' ;;
        --fail-if) ;;
        --rows) ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_flame_diff_options() {
    [[ $item == -* ]] || { _plumb_files; return; }
    _plumb_values --output -o --title --icicle --format -f --fail-if --strict --rows --help -h \
        --version
}

# $1 with the names of the fields.
_plumb_dnsx_fields() {
    case $fields in
        *) "$1" 'time' 'type' 'pid' 'tid' 'comm' 'exe' 'parent_pid' 'parent_comm' 'uid' 'container' 'pod' 'namespace' 'netns' 'role' 'name' 'qtype' 'outcome' 'cached' 'function' 'error' 'call_ms' 'caller_pid' 'caller_comm' 'search_of' 'rcode' 'latency_ms' 'pickup_ms' 'attempts' 'transport' 'server' 'server_port' 'client' 'local_port' 'txid' 'flags' 'edns_udp_bytes' 'request_bytes' 'response_bytes' 'misfits' 'answer_count' 'ttls' 'answers' ;;
    esac
}

# Completes the value of option $1; fails when it takes none.
_plumb_dnsx_value() {
    case $1 in
        --role) _plumb_values 'client' 'server' 'both' ;;
        --port) ;;
        --timeout) ;;
        -p | --pid) _plumb_pids ;;
        --comm) _plumb_comms ;;
        -u | --uid) _plumb_users ;;
        --cgroup) _plumb_files -d ;;
        --container) _plumb_containers ;;
        --pod) ;;
        --netns) _plumb_files ;;
        --where) _plumb_dnsx_fields _plumb_expression ;;
        --from) _plumb_files ;;
        -d | --duration) ;;
        -n | --count) ;;
        -f | --format) _plumb_values 'table' 'json' 'csv' 'tsv' ;;
        -o | --output) _plumb_files ;;
        --columns) _plumb_dnsx_fields _plumb_list ;;
        --time) _plumb_values 'local' 'utc' 'iso' 'relative' 'none' ;;
        --names) _plumb_values 'ports' ;;
        --color) _plumb_values 'auto' 'always' 'never' ;;
        --by) _plumb_dnsx_fields _plumb_list ;;
        --sort) _plumb_dnsx_fields _plumb_expression ;;
        --interval) ;;
        --otlp) [[ -n $whole ]] || return 1 ;;
        --otlp-signals) ;;
        --otlp-spans) ;;
        --fail-if) _plumb_dnsx_fields _plumb_expression ;;
        --baseline) _plumb_files ;;
        --report) _plumb_files ;;
        --ready-file) _plumb_files ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_dnsx_options() {
    _plumb_values --role --port --libc --timeout --pid -p --comm --uid -u --cgroup --container --pod \
        --netns --where --from --duration -d --count -n --format -f --json -j --output -o --columns \
        --wide --time --names --color --summary --by --sort --histogram --top --once --interval \
        --otlp --otlp-signals --otlp-spans --otlp-url-template --otlp-profiles --otlp-dry-run \
        --fail-if --baseline --strict --report --list-fields --json-schema --ready-file --stats \
        --quiet -q --verbose -v --help -h --version --
}

# Completes the value of option $1; fails when it takes none.
_plumb_doctor_value() {
    case $1 in
        -p | --pid) ;;
        *) return 1 ;;
    esac
    return 0
}

_plumb_doctor_options() {
    _plumb_values --pid -p --json -j --verbose -v --help -h --version
}

# Completes the value of option $1; fails when it takes none.
_plumb_skill_value() {
    return 1
}

_plumb_skill_options() {
    _plumb_values --help -h --version
}

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
        tcpconnect | httptrace | drops | flame | dnsx) ;;
        *)
            item=$value
            if ((count == 2)); then
                _plumb_values tcpconnect httptrace drops flame dnsx doctor skill --help --version
                return
            fi
            tool=${words[1]} first=2
            ;;
    esac
    if [[ $tool == flame ]]; then
        item=$value
        if ((count == first + 1)); then
            _plumb_values render
        elif [[ ${words[first]} == render ]]; then
            tool=flame_render
            ((first += 1))
        fi
    fi
    if [[ $tool == flame ]]; then
        item=$value
        if ((count == first + 1)); then
            _plumb_values diff
        elif [[ ${words[first]} == diff ]]; then
            tool=flame_diff
            ((first += 1))
        fi
    fi
    declare -F "_plumb_${tool}_options" >/dev/null || return 0

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

complete -F _plumb plumb tcpconnect httptrace drops flame dnsx
