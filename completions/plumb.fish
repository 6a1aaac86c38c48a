# fish completion for plumb(1), written from its option and field tables: do not edit.
# Belongs into share/fish/vendor_completions.d/ as `plumb.fish`; for a link to plumb that is named after a tool,
# link this file as TOOL.fish.

set -g __plumb_subcommands 'flame render' 'flame diff'

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

# $argv[1] with the names of the fields and what they mean.
function __plumb_tcpconnect_fields
    if contains -- --summary (commandline -opc)
        $argv[1] \
            type\t'summary' \
            pid\t'The process that owned the sockets; null when that is not known' \
            comm\t'The owner\'s command name' \
            role\t'client: it connected; server: it accepted; null: older than the trace' \
            remote_addr\t'client: the destination; null for a server' \
            port\t'client: the destination\'s port; server: the local port; of older connections the lower one' \
            attempts\t'Attempts decided, or connections accepted' \
            failed\t'Of these: not established' \
            established\t'Of these: established' \
            refused\t'Of these: refused by the peer' \
            timeout\t'Of these: no answer' \
            unreachable\t'Of these: no route, or ICMP unreachable' \
            reset\t'Of these: reset during the handshake' \
            no_ports\t'Of these: no local port was left' \
            cancelled\t'Of these: given up by the process before they were decided' \
            error\t'Of these: failed otherwise' \
            latency_p50_ms\t'Median handshake latency of the established, within 6.25 %' \
            latency_p90_ms\t'90th percentile, within 6.25 %' \
            latency_p99_ms\t'99th percentile, within 6.25 %' \
            latency_max_ms\t'The longest, exact' \
            closed\t'Connections that ended during the trace; null for saved lines without closes' \
            tx_bytes\t'Payload sent by connections that ended during the trace; null for saved lines without closes' \
            rx_bytes\t'Payload received by connections that ended during the trace; null for saved lines without closes' \
            retransmits\t'Segments sent again by connections that ended during the trace; null for saved lines without closes'
        return
    end
    $argv[1] \
        time\t'When the attempt was decided; of a close, when this side closed or the connection broke' \
        type\t'connect: an attempt was decided; accept: a server took a connection; close: a connection ended' \
        pid\t'The process that owns the socket; null when that is not known' \
        tid\t'The thread that called connect or accept' \
        comm\t'The owner\'s command name' \
        exe\t'The path of the owner\'s executable, in its own mount namespace; null when it ended at once and had started before the trace' \
        parent_pid\t'The owner\'s parent when the event happened' \
        parent_comm\t'The parent\'s command name' \
        uid\t'The owner\'s user id' \
        container\t'The owner\'s container: its name, or the start of its id; null outside containers' \
        pod\t'The owner\'s Kubernetes pod' \
        namespace\t'The pod\'s Kubernetes namespace' \
        netns\t'The network namespace\'s inode number, as lsns(8) shows it' \
        role\t'client: this side connected; server: it accepted; null: older than the trace' \
        local_addr\t'This side\'s address; IPv4 in IPv6 is shown as IPv4' \
        local_port\t'This side\'s port; null when none was bound' \
        remote_addr\t'The other side\'s address' \
        remote_port\t'The other side\'s port; 0 where a program connects to that' \
        port\t'The service\'s port: of a client the other side\'s, of a server its own; null: older than the trace' \
        remote_name\t'The name that led to the other side\'s address, from DNS answers seen during the trace; null when none was, or several names lead there' \
        outcome\t'How the attempt ended' \
        error\t'The name of a failed attempt\'s errno, such as ECONNREFUSED; null when there was none' \
        latency_ms\t'client: from the first SYN until decided; server: the round trip of the SYN-ACK' \
        syn_retries\t'SYNs (server: SYN-ACKs) that were sent again; null when that was before the trace' \
        duration_ms\t'From established until this side closed it, or it broke; null when it is older than the trace' \
        tx_bytes\t'Payload sent, each byte counted once' \
        rx_bytes\t'Payload received in order' \
        retransmits\t'Segments sent again in the connection\'s whole life, SYNs included, as ss(8) counts them' \
        srtt_ms\t'The smoothed round-trip time at the close; null when never measured' \
        closed_by\t'Who ended it: the side whose FIN or RST came first, or timeout when the peer stopped answering'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_tcpconnect
    complete -c $argv[1] -n $argv[2] -l role -fr -a '\'client\' \'server\' \'both\'' -d 'client (default): connections made from here; server: connections accepted here; both'
    complete -c $argv[1] -n $argv[2] -l accept -f -d 'The same as --role both'
    complete -c $argv[1] -n $argv[2] -l life -f -d 'A line at each close too: duration, bytes both ways, retransmits, round-trip time, who closed it and how'
    complete -c $argv[1] -n $argv[2] -s 4 -l ipv4 -f -d 'Only IPv4 (v4-mapped IPv6 included)'
    complete -c $argv[1] -n $argv[2] -s 6 -l ipv6 -f -d 'Only IPv6'
    complete -c $argv[1] -n $argv[2] -l port -fr -d 'Only these destination ports (server: local ports); with ! all but these'
    complete -c $argv[1] -n $argv[2] -l host -fr -d 'Only these remote addresses or prefixes; with ! all but these'
    complete -c $argv[1] -n $argv[2] -l failed -f -d 'Only attempts that were not established'
    complete -c $argv[1] -n $argv[2] -l no-names -f -d 'Leave remote_name out: DNS is not watched then'
    complete -c $argv[1] -n $argv[2] -l min-latency -fr -d 'Only attempts that took at least this long to be decided'
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -a '(__plumb_pids)' -d 'Only these processes'
    complete -c $argv[1] -n $argv[2] -l comm -fr -a '(__plumb_comms)' -d 'Only processes with these command names, as ps -o comm shows them (at most 15 bytes)'
    complete -c $argv[1] -n $argv[2] -s u -l uid -fr -a '(__plumb_users)' -d 'Only this user, by name or number'
    complete -c $argv[1] -n $argv[2] -l cgroup -fr -a '(__fish_complete_directories (__plumb_value))' -d 'Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount'
    complete -c $argv[1] -n $argv[2] -l container -fr -a '(__plumb_containers)' -d 'Only this container, by name or by the start of its id'
    complete -c $argv[1] -n $argv[2] -l pod -fr -d 'Only this Kubernetes pod: all of its containers that run now'
    complete -c $argv[1] -n $argv[2] -l netns -rF -d 'Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of ip-netns(8)'
    complete -c $argv[1] -n $argv[2] -l where -fr -a '(__plumb_tcpconnect_fields __plumb_expression)' -d 'Only events for which EXPR holds, such as \'latency > 20ms && remote_addr in 10.0.0.0/8\''
    complete -c $argv[1] -n $argv[2] -l from -rF -d 'The JSON lines of an earlier run (-: from standard input) instead of the kernel\'s events: every view, expression and verdict again, without privileges'
    complete -c $argv[1] -n $argv[2] -s d -l duration -fr -d 'Stop after this time: 500ms, 10s, 2m'
    complete -c $argv[1] -n $argv[2] -s n -l count -fr -d 'Stop after this many events'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'table\' \'json\' \'csv\' \'tsv\'' -d 'How it is written (default: by the ending of --output, else the first of these)'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'The same as --format json: one object a line'
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write there instead of standard output (-: there), to several files at once if given several times; the format follows the ending unless --format is given'
    complete -c $argv[1] -n $argv[2] -l columns -fr -a '(__plumb_tcpconnect_fields __plumb_list)' -d 'The table\'s columns, in this order (--list-fields names them); of JSON lines the keys, beside time and type'
    complete -c $argv[1] -n $argv[2] -l wide -f -d 'All columns'
    complete -c $argv[1] -n $argv[2] -l time -fr -a '\'local\' \'utc\' \'iso\' \'relative\' \'none\'' -d 'Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to the start, or none'
    complete -c $argv[1] -n $argv[2] -l names -fr -a '\'ports\'' -d 'ports: in tables, a service\'s port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb has one'
    complete -c $argv[1] -n $argv[2] -l color -fr -a '\'auto\' \'always\' \'never\'' -d 'auto (default: on a terminal, unless NO_COLOR is set), always or never'
    complete -c $argv[1] -n $argv[2] -l summary -f -d 'One aggregated table at the end instead of a line per event'
    complete -c $argv[1] -n $argv[2] -l by -fr -a '(__plumb_tcpconnect_fields __plumb_list)' -d 'The groups of --summary and --top; with --fail-if each group is judged by itself'
    complete -c $argv[1] -n $argv[2] -l sort -fr -a '(__plumb_tcpconnect_fields __plumb_expression)' -d 'The order of --summary: a field of its rows, such as failed; numbers the largest first'
    complete -c $argv[1] -n $argv[2] -l histogram -f -d 'Below --summary: how many rows have which latency, all groups together (--where narrows it)'
    complete -c $argv[1] -n $argv[2] -l top -f -d 'A live table, most important rows first'
    complete -c $argv[1] -n $argv[2] -l once -f -d 'With --top: one table, after one --interval or --duration, for a script'
    complete -c $argv[1] -n $argv[2] -l interval -fr -d 'How often --top is redrawn (1s unless given), and how often drops tells its counters (at the end unless given)'
    complete -c $argv[1] -n $argv[2] -l otlp -f -d 'Push each event as an OpenTelemetry span or log record as well, and metrics of them, over OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; http://localhost:4318 otherwise'
    complete -c $argv[1] -n $argv[2] -l otlp-signals -fr -d 'What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it)'
    complete -c $argv[1] -n $argv[2] -l otlp-spans -fr -d 'Spans that --otlp makes only when asked for: dns, of dnsx\'s lookups; connect, of tcpconnect\'s attempts'
    complete -c $argv[1] -n $argv[2] -l otlp-url-template -f -d 'Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like an id replaced, as path_template is'
    complete -c $argv[1] -n $argv[2] -l otlp-profiles -f -d 'Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development of its version 1.11, which is not stable)'
    complete -c $argv[1] -n $argv[2] -l otlp-dry-run -f -d 'Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values masked, body) on standard output, where the tool\'s lines are left out then'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -a '(__plumb_tcpconnect_fields __plumb_expression)' -d 'Exit with status 3 when EXPR over all events holds at the end, such as \'p99(latency) > 50ms\'; the measured value is shown'
    complete -c $argv[1] -n $argv[2] -l baseline -rF -d 'The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as \'p99(latency) > 1.2 * base(p99(latency))\''
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'What is inconclusive fails too'
    complete -c $argv[1] -n $argv[2] -l report -rF -d 'Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: .md Markdown, .xml JUnit, .json'
    complete -c $argv[1] -n $argv[2] -l list-fields -f -d 'Describe the tool\'s fields and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l json-schema -f -d 'Print a JSON Schema of the lines and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l ready-file -rF -d 'Create FILE once every probe is attached'
    complete -c $argv[1] -n $argv[2] -l stats -f -d 'At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, own CPU time and peak memory'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors, losses and --fail-if expressions that hold'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Say what was attached, which variant of each hook was chosen and why'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# $argv[1] with the names of the fields and what they mean.
function __plumb_httptrace_fields
    $argv[1] \
        time\t'When the response was complete, or the request failed' \
        type\t'request: one request, with its response if there was one' \
        pid\t'The process whose connection it is; null when that is not known' \
        tid\t'The thread that sent or received the request\'s beginning' \
        comm\t'The owner\'s command name' \
        exe\t'The path of the owner\'s executable, in its own mount namespace; null when it ended at once and had started before the trace' \
        parent_pid\t'The owner\'s parent when the event happened' \
        parent_comm\t'The parent\'s command name' \
        uid\t'The owner\'s user id' \
        container\t'The owner\'s container: its name, or the start of its id; null outside containers' \
        pod\t'The owner\'s Kubernetes pod' \
        namespace\t'The pod\'s Kubernetes namespace' \
        netns\t'The network namespace\'s inode number, as lsns(8) shows it' \
        role\t'client: the process sent the request; server: it received it' \
        protocol\t'The version of HTTP' \
        tls\t'The library that encrypted it; null: plain text, or TLS in the kernel' \
        method\t'The request\'s method; null when it was sent before the trace and HPACK refers to it' \
        scheme\t'As the request says it; otherwise http, or https over TLS' \
        host\t'The Host header, the :authority, or the target\'s own' \
        path\t'The path, without the query' \
        path_template\t'The path with numbers, UUIDs and hexadecimal folded to {id}, for grouping' \
        query\t'The query, known credentials in it replaced by REDACTED; null without one, or with --no-query' \
        status\t'The response\'s status; null when there was none, then `error` says why' \
        grpc_method\t'gRPC: service and method' \
        grpc_status\t'gRPC: the name of its status, such as OK; null when none came' \
        latency_ms\t'From the request\'s first byte to the response\'s last; without a response until it failed' \
        ttfb_ms\t'From the request\'s first byte to the response\'s first' \
        request_bytes\t'The request\'s body, as it was on the wire' \
        response_bytes\t'The response\'s body, as it was on the wire' \
        user_agent\t'The User-Agent header' \
        content_type\t'The response\'s Content-Type; the request\'s when the response has none' \
        stream\t'What runs over it for longer than a response takes' \
        messages\t'Messages of `stream`, in both directions; null when some of their framing was not captured' \
        max_gap_ms\t'The longest silence of the server within `stream`' \
        trace_id\t'Of the traceparent header (W3C Trace Context)' \
        parent_id\t'The parent span\'s id, of the traceparent header' \
        headers\t'Those that --header names, of the request and then of the response, each as "name: value"' \
        local_addr\t'This side\'s address; null when the socket behind a TLS library is not known' \
        local_port\t'This side\'s port' \
        remote_addr\t'The other side\'s address' \
        remote_port\t'The other side\'s port' \
        error\t'Why there is no whole response: reset, closed or timeout by the connection or stream; trace_ended: still under way; lost: plumb did not see its end' \
        incomplete\t'Something of the headers is missing here: they were cut at --snaplen, or older than the trace'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_httptrace
    complete -c $argv[1] -n $argv[2] -l role -fr -a '\'client\' \'server\' \'both\'' -d 'client: requests sent from here; server: requests answered here; both (default)'
    complete -c $argv[1] -n $argv[2] -l port -fr -d 'Only these ports of the server; with ! all but these'
    complete -c $argv[1] -n $argv[2] -l host -fr -d 'Only requests to these hosts (* and ? stand for any bytes or one), or with these remote addresses or prefixes; with ! all but those'
    complete -c $argv[1] -n $argv[2] -l method -fr -d 'Only these methods'
    complete -c $argv[1] -n $argv[2] -l path -fr -d 'Only paths that fit: * stands for any bytes, ? for one'
    complete -c $argv[1] -n $argv[2] -l status -fr -d 'Only these statuses: numbers, ranges, or classes such as 5xx'
    complete -c $argv[1] -n $argv[2] -l min-latency -fr -d 'Only requests that took at least this long'
    complete -c $argv[1] -n $argv[2] -l tls-only -f -d 'Only what a TLS library encrypted'
    complete -c $argv[1] -n $argv[2] -l header -fr -d 'Keep these headers too, in `headers`'
    complete -c $argv[1] -n $argv[2] -l no-query -f -d 'Keep nothing of the queries'
    complete -c $argv[1] -n $argv[2] -l snaplen -fr -d 'How much of a message\'s headers is captured (default and most: 16384)'
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -a '(__plumb_pids)' -d 'Only these processes'
    complete -c $argv[1] -n $argv[2] -l comm -fr -a '(__plumb_comms)' -d 'Only processes with these command names, as ps -o comm shows them (at most 15 bytes)'
    complete -c $argv[1] -n $argv[2] -s u -l uid -fr -a '(__plumb_users)' -d 'Only this user, by name or number'
    complete -c $argv[1] -n $argv[2] -l cgroup -fr -a '(__fish_complete_directories (__plumb_value))' -d 'Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount'
    complete -c $argv[1] -n $argv[2] -l container -fr -a '(__plumb_containers)' -d 'Only this container, by name or by the start of its id'
    complete -c $argv[1] -n $argv[2] -l pod -fr -d 'Only this Kubernetes pod: all of its containers that run now'
    complete -c $argv[1] -n $argv[2] -l netns -rF -d 'Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of ip-netns(8)'
    complete -c $argv[1] -n $argv[2] -l where -fr -a '(__plumb_httptrace_fields __plumb_expression)' -d 'Only events for which EXPR holds, such as \'latency > 20ms && remote_addr in 10.0.0.0/8\''
    complete -c $argv[1] -n $argv[2] -l from -rF -d 'The JSON lines of an earlier run (-: from standard input) instead of the kernel\'s events: every view, expression and verdict again, without privileges'
    complete -c $argv[1] -n $argv[2] -s d -l duration -fr -d 'Stop after this time: 500ms, 10s, 2m'
    complete -c $argv[1] -n $argv[2] -s n -l count -fr -d 'Stop after this many events'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'table\' \'json\' \'csv\' \'tsv\'' -d 'How it is written (default: by the ending of --output, else the first of these)'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'The same as --format json: one object a line'
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write there instead of standard output (-: there), to several files at once if given several times; the format follows the ending unless --format is given'
    complete -c $argv[1] -n $argv[2] -l columns -fr -a '(__plumb_httptrace_fields __plumb_list)' -d 'The table\'s columns, in this order (--list-fields names them); of JSON lines the keys, beside time and type'
    complete -c $argv[1] -n $argv[2] -l wide -f -d 'All columns'
    complete -c $argv[1] -n $argv[2] -l time -fr -a '\'local\' \'utc\' \'iso\' \'relative\' \'none\'' -d 'Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to the start, or none'
    complete -c $argv[1] -n $argv[2] -l names -fr -a '\'ports\'' -d 'ports: in tables, a service\'s port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb has one'
    complete -c $argv[1] -n $argv[2] -l color -fr -a '\'auto\' \'always\' \'never\'' -d 'auto (default: on a terminal, unless NO_COLOR is set), always or never'
    complete -c $argv[1] -n $argv[2] -l summary -f -d 'One aggregated table at the end instead of a line per event'
    complete -c $argv[1] -n $argv[2] -l by -fr -a '(__plumb_httptrace_fields __plumb_list)' -d 'The groups of --summary and --top; with --fail-if each group is judged by itself'
    complete -c $argv[1] -n $argv[2] -l sort -fr -a '(__plumb_httptrace_fields __plumb_expression)' -d 'The order of --summary: a field of its rows, such as failed; numbers the largest first'
    complete -c $argv[1] -n $argv[2] -l histogram -f -d 'Below --summary: how many rows have which latency, all groups together (--where narrows it)'
    complete -c $argv[1] -n $argv[2] -l top -f -d 'A live table, most important rows first'
    complete -c $argv[1] -n $argv[2] -l once -f -d 'With --top: one table, after one --interval or --duration, for a script'
    complete -c $argv[1] -n $argv[2] -l interval -fr -d 'How often --top is redrawn (1s unless given), and how often drops tells its counters (at the end unless given)'
    complete -c $argv[1] -n $argv[2] -l otlp -f -d 'Push each event as an OpenTelemetry span or log record as well, and metrics of them, over OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; http://localhost:4318 otherwise'
    complete -c $argv[1] -n $argv[2] -l otlp-signals -fr -d 'What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it)'
    complete -c $argv[1] -n $argv[2] -l otlp-spans -fr -d 'Spans that --otlp makes only when asked for: dns, of dnsx\'s lookups; connect, of tcpconnect\'s attempts'
    complete -c $argv[1] -n $argv[2] -l otlp-url-template -f -d 'Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like an id replaced, as path_template is'
    complete -c $argv[1] -n $argv[2] -l otlp-profiles -f -d 'Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development of its version 1.11, which is not stable)'
    complete -c $argv[1] -n $argv[2] -l otlp-dry-run -f -d 'Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values masked, body) on standard output, where the tool\'s lines are left out then'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -a '(__plumb_httptrace_fields __plumb_expression)' -d 'Exit with status 3 when EXPR over all events holds at the end, such as \'p99(latency) > 50ms\'; the measured value is shown'
    complete -c $argv[1] -n $argv[2] -l baseline -rF -d 'The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as \'p99(latency) > 1.2 * base(p99(latency))\''
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'What is inconclusive fails too'
    complete -c $argv[1] -n $argv[2] -l report -rF -d 'Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: .md Markdown, .xml JUnit, .json'
    complete -c $argv[1] -n $argv[2] -l list-fields -f -d 'Describe the tool\'s fields and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l json-schema -f -d 'Print a JSON Schema of the lines and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l ready-file -rF -d 'Create FILE once every probe is attached'
    complete -c $argv[1] -n $argv[2] -l stats -f -d 'At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, own CPU time and peak memory'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors, losses and --fail-if expressions that hold'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Say what was attached, which variant of each hook was chosen and why'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# $argv[1] with the names of the fields and what they mean.
function __plumb_drops_fields
    if contains -- --summary (commandline -opc)
        $argv[1] \
            type\t'summary' \
            event\t'drop, retransmit or reset' \
            reason\t'As in the lines; for retransmits their kind' \
            subsystem\t'The part of the kernel that the reason comes from' \
            count\t'How many, exactly' \
            total_bytes\t'The sum of the packets\' lengths; null for resets, which have nothing but headers' \
            location\t'The kernel function with the offset in it; null when not grouped by it' \
            dev\t'The device; null when not known or not grouped by it' \
            netns\t'The network namespace; null when not known or not grouped by device' \
            direction\t'in, out or forward, as in the lines' \
            protocol\t'What the IP header carries; null when not grouped by flow' \
            src\t'Source address; null when not grouped by flow' \
            src_port\t'Source port, where that is the service\'s (the lower of the two); clients\' are not told apart' \
            dst\t'Destination address; null when not grouped by flow' \
            dst_port\t'Destination port, where that is the service\'s (the lower of the two)' \
            hint\t'What the reason means'
        return
    end
    $argv[1] \
        time\t'When it happened; of a counter, when its growth was read' \
        type\t'drop: a packet was thrown away; retransmit: a TCP segment was sent again; reset: a TCP reset was sent or received; counter: a loss counter of the kernel grew' \
        pid\t'The process that owns the socket; null when that is not known or there is none' \
        tid\t'Always null: a socket belongs to a process, not to one of its threads' \
        comm\t'The owner\'s command name' \
        exe\t'The path of the owner\'s executable, in its own mount namespace; null when it ended at once and had started before the trace' \
        parent_pid\t'The owner\'s parent when the event happened' \
        parent_comm\t'The parent\'s command name' \
        uid\t'The owner\'s user id' \
        container\t'The owner\'s container: its name, or the start of its id; null outside containers' \
        pod\t'The owner\'s Kubernetes pod' \
        namespace\t'The pod\'s Kubernetes namespace' \
        netns\t'The network namespace\'s inode number, as lsns(8) shows it; null for counters of the whole machine' \
        reason\t'drop, reset: the running kernel\'s own name for why; null on kernels that give none (drops before 5.17, resets before 6.10), for retransmits and for received resets' \
        subsystem\t'The part of the kernel that the reason comes from: core, qdisc, openvswitch, mac80211_unusable, ..' \
        hint\t'What the reason or counter means and what to look at' \
        location\t'drop: the kernel function that threw it away, with the offset in it; a number where the kernel hides its symbols' \
        protocol\t'tcp, udp, icmp, icmpv6, arp, gre, ipip, vxlan, ...: what the outermost IP header carries' \
        src\t'The packet\'s source, from its headers; of ARP the sender' \
        src_port\t'Source port; null where the protocol has none' \
        dst\t'The packet\'s destination; of ARP the target' \
        dst_port\t'Destination port; null where the protocol has none' \
        tcp_flags\t'TCP flags of the packet, such as SYN or PSH|ACK; null when it is not TCP or its header is not there' \
        length_bytes\t'The packet\'s bytes from the header on that the kernel was looking at; of aggregates their sum' \
        dev\t'The device that the packet was on or came from; null when it is not known' \
        direction\t'out: made on this host, it was never received on a device; forward: received, with a route that leaves again; in: any other received packet; null when it is no network packet' \
        state\t'The state of the TCP socket; null when there is no socket or it is not TCP' \
        owner_source\t'How the owner was found: rx_sk, the receiving socket; skb_sk, the packet\'s socket; socket, the connection\'s own; table, the one that was at the packet\'s addresses before; null when it was not found' \
        stack\t'The kernel\'s stack, root first; null without --stack' \
        count\t'How many events this line stands for: 1, except where there were more than --max-rate allows; then one line a second and place has the exact number of the others' \
        inner_protocol\t'In a tunnel (IP in IP, GRE, VXLAN): the protocol of the packet in it' \
        inner_src\t'In a tunnel: the inner packet\'s source' \
        inner_src_port\t'In a tunnel: the inner source port' \
        inner_dst\t'In a tunnel: the inner packet\'s destination' \
        inner_dst_port\t'In a tunnel: the inner destination port' \
        kind\t'rto: the timer ran out; fast: duplicate acknowledgements; tlp: a tail loss probe; syn, syn_ack: of the handshake; null when the connection\'s state does not tell' \
        sequence\t'The sequence number of the segment\'s first byte, as on the wire; null for a SYN-ACK' \
        srtt_ms\t'The connection\'s smoothed round-trip time; null before the first measurement' \
        retransmits\t'Segments that the connection has sent again so far, this one included; of a SYN-ACK, how often it was before' \
        cause\t'The reason (or location) of a drop on this host that explains the retransmit; null when none was seen' \
        cause_location\t'Where that drop happened' \
        cause_certainty\t'segment: this very segment, or a part of it, was dropped; connection: one of the connection was, within its last retransmission timeouts, and it is not known which' \
        cause_age_ms\t'How long before the retransmit that drop was' \
        counter\t'The kernel\'s counter, as nstat(8) names it; softnet_*, rx_*, tx_*, qdisc_* for what is not in there' \
        delta\t'By how much it grew since the last line about it, or since the trace began'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_drops
    complete -c $argv[1] -n $argv[2] -l all -f -d 'Benign drops too: packets that had done their work, that nobody was meant to get, or that are no network packets'
    complete -c $argv[1] -n $argv[2] -l type -fr -a '(__plumb_list drop retransmit reset counter)' -d 'Only these kinds of lines: drop, retransmit, reset, counter'
    complete -c $argv[1] -n $argv[2] -l reason -fr -a '(__plumb_list NO_SOCKET NETFILTER_DROP TCP_CSUM UDP_CSUM SOCKET_RCVBUFF TCP_FLAGS NOT_SPECIFIED IP_INNOROUTES IP_RPFILTER QDISC_DROP TCP_LISTEN_OVERFLOW CPU_BACKLOG TCP_ZEROWINDOW TCP_OVERWINDOW NEIGH_FAILED PKT_TOO_BIG SKB_UCOPY_FAULT XDP)' -d 'Only drops and resets for these reasons, by the kernel\'s names (NO_SOCKET, NETFILTER_DROP, ...); with ! all but these'
    complete -c $argv[1] -n $argv[2] -l host -fr -d 'Only packets from or to these addresses or prefixes; with ! all but these'
    complete -c $argv[1] -n $argv[2] -l port -fr -d 'Only packets from or to these ports; with ! all but these'
    complete -c $argv[1] -n $argv[2] -l proto -fr -a '(__plumb_list tcp udp icmp icmpv6 arp gre sctp)' -d 'Only these protocols: tcp, udp, icmp, icmpv6, arp, gre, ..., or a number'
    complete -c $argv[1] -n $argv[2] -l dev -fr -a '(__plumb_devices)' -d 'Only packets on these devices'
    complete -c $argv[1] -n $argv[2] -l stack -f -d 'The kernel\'s stack with each drop'
    complete -c $argv[1] -n $argv[2] -l icicle -f -d 'Flame graph with the root at the top'
    complete -c $argv[1] -n $argv[2] -l max-rate -fr -d 'At most about N lines a second (default 2000; 0: no limit)'
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -a '(__plumb_pids)' -d 'Only these processes'
    complete -c $argv[1] -n $argv[2] -l comm -fr -a '(__plumb_comms)' -d 'Only processes with these command names, as ps -o comm shows them (at most 15 bytes)'
    complete -c $argv[1] -n $argv[2] -s u -l uid -fr -a '(__plumb_users)' -d 'Only this user, by name or number'
    complete -c $argv[1] -n $argv[2] -l cgroup -fr -a '(__fish_complete_directories (__plumb_value))' -d 'Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount'
    complete -c $argv[1] -n $argv[2] -l container -fr -a '(__plumb_containers)' -d 'Only this container, by name or by the start of its id'
    complete -c $argv[1] -n $argv[2] -l pod -fr -d 'Only this Kubernetes pod: all of its containers that run now'
    complete -c $argv[1] -n $argv[2] -l netns -rF -d 'Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of ip-netns(8)'
    complete -c $argv[1] -n $argv[2] -l where -fr -a '(__plumb_drops_fields __plumb_expression)' -d 'Only events for which EXPR holds, such as \'latency > 20ms && remote_addr in 10.0.0.0/8\''
    complete -c $argv[1] -n $argv[2] -l from -rF -d 'The JSON lines of an earlier run (-: from standard input) instead of the kernel\'s events: every view, expression and verdict again, without privileges'
    complete -c $argv[1] -n $argv[2] -s d -l duration -fr -d 'Stop after this time: 500ms, 10s, 2m'
    complete -c $argv[1] -n $argv[2] -s n -l count -fr -d 'Stop after this many events'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'table\' \'json\' \'csv\' \'tsv\' \'folded\' \'svg\' \'pprof\' \'speedscope\' \'firefox\'' -d 'How it is written (default: by the ending of --output, else the first of these)'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'The same as --format json: one object a line'
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write there instead of standard output (-: there), to several files at once if given several times; the format follows the ending unless --format is given'
    complete -c $argv[1] -n $argv[2] -l columns -fr -a '(__plumb_drops_fields __plumb_list)' -d 'The table\'s columns, in this order (--list-fields names them); of JSON lines the keys, beside time and type'
    complete -c $argv[1] -n $argv[2] -l wide -f -d 'All columns'
    complete -c $argv[1] -n $argv[2] -l time -fr -a '\'local\' \'utc\' \'iso\' \'relative\' \'none\'' -d 'Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to the start, or none'
    complete -c $argv[1] -n $argv[2] -l names -fr -a '\'ports\'' -d 'ports: in tables, a service\'s port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb has one'
    complete -c $argv[1] -n $argv[2] -l color -fr -a '\'auto\' \'always\' \'never\'' -d 'auto (default: on a terminal, unless NO_COLOR is set), always or never'
    complete -c $argv[1] -n $argv[2] -l summary -f -d 'One aggregated table at the end instead of a line per event'
    complete -c $argv[1] -n $argv[2] -l by -fr -a '(__plumb_drops_fields __plumb_list)' -d 'The groups of --summary and --top; with --fail-if each group is judged by itself'
    complete -c $argv[1] -n $argv[2] -l sort -fr -a '(__plumb_drops_fields __plumb_expression)' -d 'The order of --summary: a field of its rows, such as failed; numbers the largest first'
    complete -c $argv[1] -n $argv[2] -l histogram -f -d 'Below --summary: how many rows have which latency, all groups together (--where narrows it)'
    complete -c $argv[1] -n $argv[2] -l top -f -d 'A live table, most important rows first'
    complete -c $argv[1] -n $argv[2] -l once -f -d 'With --top: one table, after one --interval or --duration, for a script'
    complete -c $argv[1] -n $argv[2] -l interval -fr -d 'How often --top is redrawn (1s unless given), and how often drops tells its counters (at the end unless given)'
    complete -c $argv[1] -n $argv[2] -l otlp -f -d 'Push each event as an OpenTelemetry span or log record as well, and metrics of them, over OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; http://localhost:4318 otherwise'
    complete -c $argv[1] -n $argv[2] -l otlp-signals -fr -d 'What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it)'
    complete -c $argv[1] -n $argv[2] -l otlp-spans -fr -d 'Spans that --otlp makes only when asked for: dns, of dnsx\'s lookups; connect, of tcpconnect\'s attempts'
    complete -c $argv[1] -n $argv[2] -l otlp-url-template -f -d 'Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like an id replaced, as path_template is'
    complete -c $argv[1] -n $argv[2] -l otlp-profiles -f -d 'Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development of its version 1.11, which is not stable)'
    complete -c $argv[1] -n $argv[2] -l otlp-dry-run -f -d 'Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values masked, body) on standard output, where the tool\'s lines are left out then'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -a '(__plumb_drops_fields __plumb_expression)' -d 'Exit with status 3 when EXPR over all events holds at the end, such as \'p99(latency) > 50ms\'; the measured value is shown'
    complete -c $argv[1] -n $argv[2] -l baseline -rF -d 'The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as \'p99(latency) > 1.2 * base(p99(latency))\''
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'What is inconclusive fails too'
    complete -c $argv[1] -n $argv[2] -l report -rF -d 'Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: .md Markdown, .xml JUnit, .json'
    complete -c $argv[1] -n $argv[2] -l list-fields -f -d 'Describe the tool\'s fields and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l json-schema -f -d 'Print a JSON Schema of the lines and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l ready-file -rF -d 'Create FILE once every probe is attached'
    complete -c $argv[1] -n $argv[2] -l stats -f -d 'At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, own CPU time and peak memory'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors, losses and --fail-if expressions that hold'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Say what was attached, which variant of each hook was chosen and why'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# $argv[1] with the names of the fields and what they mean.
function __plumb_flame_fields
    $argv[1] \
        type\t'stack' \
        count\t'How many samples have this stack' \
        value\t'Their weight, in `unit`' \
        unit\t'What `value` counts: count, nanoseconds or bytes' \
        event\t'What took the samples' \
        pid\t'The process' \
        comm\t'Its command name; with --threads the thread\'s' \
        stack\t'Its functions, the root first'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_flame
    complete -c $argv[1] -n $argv[2] -l event -fr -d 'What takes a stack: cpu (default), a steady rate of running threads; offcpu, each wait, weighted by its time; runq, each wait for a CPU; faults, page faults; block, requests to block devices, weighted by their time, block:bytes by their bytes; tracepoint:CATEGORY:NAME; uprobe:PATH:SYMBOL, calls of a function'
    complete -c $argv[1] -n $argv[2] -s F -l frequency -fr -d 'Samples a second on each CPU (default 99)'
    complete -c $argv[1] -n $argv[2] -l tid -fr -d 'Only these threads'
    complete -c $argv[1] -n $argv[2] -l user -f -d 'Only the part of stacks that is in user space'
    complete -c $argv[1] -n $argv[2] -l kernel -f -d 'Only the part of stacks that is in the kernel'
    complete -c $argv[1] -n $argv[2] -l threads -f -d 'Each thread for itself, by its own name'
    complete -c $argv[1] -n $argv[2] -l per-cpu -f -d 'Each CPU for itself'
    complete -c $argv[1] -n $argv[2] -l idle -f -d 'CPUs that idle too'
    complete -c $argv[1] -n $argv[2] -l min-block -fr -d 'With --event offcpu or runq: only waits of at least this long (default: 1ms of offcpu, 0 of runq)'
    complete -c $argv[1] -n $argv[2] -l wakers -f -d 'With --event offcpu: above each stack that waited, who ended the wait, its innermost function first and its command\'s name last; [interrupt] where a timer or a device did'
    complete -c $argv[1] -n $argv[2] -l stack-size -fr -d 'How much of a thread\'s stack to copy at most (default 65536, up to 131072)'
    complete -c $argv[1] -n $argv[2] -l raw-names -f -d 'Names as they stand in the files, not demangled'
    complete -c $argv[1] -n $argv[2] -l inline -f -d 'Functions that the compiler inlined, and source lines, of binaries with debug information (DWARF)'
    complete -c $argv[1] -n $argv[2] -l no-python -f -d 'Leave Python alone: the interpreter\'s own functions are shown, not those of the program that it runs'
    complete -c $argv[1] -n $argv[2] -l icicle -f -d 'Flame graph with the root at the top'
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -a '(__plumb_pids)' -d 'Only these processes'
    complete -c $argv[1] -n $argv[2] -l comm -fr -a '(__plumb_comms)' -d 'Only processes with these command names, as ps -o comm shows them (at most 15 bytes)'
    complete -c $argv[1] -n $argv[2] -s u -l uid -fr -a '(__plumb_users)' -d 'Only this user, by name or number'
    complete -c $argv[1] -n $argv[2] -l cgroup -fr -a '(__fish_complete_directories (__plumb_value))' -d 'Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount'
    complete -c $argv[1] -n $argv[2] -l container -fr -a '(__plumb_containers)' -d 'Only this container, by name or by the start of its id'
    complete -c $argv[1] -n $argv[2] -l pod -fr -d 'Only this Kubernetes pod: all of its containers that run now'
    complete -c $argv[1] -n $argv[2] -l netns -rF -d 'Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of ip-netns(8)'
    complete -c $argv[1] -n $argv[2] -l where -fr -a '(__plumb_flame_fields __plumb_expression)' -d 'Only events for which EXPR holds, such as \'latency > 20ms && remote_addr in 10.0.0.0/8\''
    complete -c $argv[1] -n $argv[2] -l from -rF -d 'The JSON lines of an earlier run (-: from standard input) instead of the kernel\'s events: every view, expression and verdict again, without privileges'
    complete -c $argv[1] -n $argv[2] -s d -l duration -fr -d 'Stop after this time: 500ms, 10s, 2m'
    complete -c $argv[1] -n $argv[2] -s n -l count -fr -d 'Stop after this many events'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'folded\' \'svg\' \'pprof\' \'speedscope\' \'firefox\' \'table\' \'json\' \'csv\' \'tsv\'' -d 'How it is written (default: by the ending of --output, else the first of these)'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'The same as --format json: one object a line'
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write there instead of standard output (-: there), to several files at once if given several times; the format follows the ending unless --format is given'
    complete -c $argv[1] -n $argv[2] -l columns -fr -a '(__plumb_flame_fields __plumb_list)' -d 'The table\'s columns, in this order (--list-fields names them); of JSON lines the keys, beside time and type'
    complete -c $argv[1] -n $argv[2] -l wide -f -d 'All columns'
    complete -c $argv[1] -n $argv[2] -l time -fr -a '\'local\' \'utc\' \'iso\' \'relative\' \'none\'' -d 'Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to the start, or none'
    complete -c $argv[1] -n $argv[2] -l names -fr -a '\'ports\'' -d 'ports: in tables, a service\'s port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb has one'
    complete -c $argv[1] -n $argv[2] -l color -fr -a '\'auto\' \'always\' \'never\'' -d 'auto (default: on a terminal, unless NO_COLOR is set), always or never'
    complete -c $argv[1] -n $argv[2] -l summary -f -d 'One aggregated table at the end instead of a line per event'
    complete -c $argv[1] -n $argv[2] -l by -fr -a '(__plumb_flame_fields __plumb_list)' -d 'The groups of --summary and --top; with --fail-if each group is judged by itself'
    complete -c $argv[1] -n $argv[2] -l sort -fr -a '(__plumb_flame_fields __plumb_expression)' -d 'The order of --summary: a field of its rows, such as failed; numbers the largest first'
    complete -c $argv[1] -n $argv[2] -l histogram -f -d 'Below --summary: how many rows have which latency, all groups together (--where narrows it)'
    complete -c $argv[1] -n $argv[2] -l top -f -d 'A live table, most important rows first'
    complete -c $argv[1] -n $argv[2] -l once -f -d 'With --top: one table, after one --interval or --duration, for a script'
    complete -c $argv[1] -n $argv[2] -l interval -fr -d 'How often --top is redrawn (1s unless given), and how often drops tells its counters (at the end unless given)'
    complete -c $argv[1] -n $argv[2] -l otlp -f -d 'Push each event as an OpenTelemetry span or log record as well, and metrics of them, over OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; http://localhost:4318 otherwise'
    complete -c $argv[1] -n $argv[2] -l otlp-signals -fr -d 'What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it)'
    complete -c $argv[1] -n $argv[2] -l otlp-spans -fr -d 'Spans that --otlp makes only when asked for: dns, of dnsx\'s lookups; connect, of tcpconnect\'s attempts'
    complete -c $argv[1] -n $argv[2] -l otlp-url-template -f -d 'Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like an id replaced, as path_template is'
    complete -c $argv[1] -n $argv[2] -l otlp-profiles -f -d 'Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development of its version 1.11, which is not stable)'
    complete -c $argv[1] -n $argv[2] -l otlp-dry-run -f -d 'Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values masked, body) on standard output, where the tool\'s lines are left out then'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -a '(__plumb_flame_fields __plumb_expression)' -d 'Exit with status 3 when EXPR over all events holds at the end, such as \'p99(latency) > 50ms\'; the measured value is shown'
    complete -c $argv[1] -n $argv[2] -l baseline -rF -d 'The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as \'p99(latency) > 1.2 * base(p99(latency))\''
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'What is inconclusive fails too'
    complete -c $argv[1] -n $argv[2] -l report -rF -d 'Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: .md Markdown, .xml JUnit, .json'
    complete -c $argv[1] -n $argv[2] -l list-fields -f -d 'Describe the tool\'s fields and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l json-schema -f -d 'Print a JSON Schema of the lines and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l ready-file -rF -d 'Create FILE once every probe is attached'
    complete -c $argv[1] -n $argv[2] -l stats -f -d 'At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, own CPU time and peak memory'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors, losses and --fail-if expressions that hold'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Say what was attached, which variant of each hook was chosen and why'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_flame_render
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write to FILE instead of standard output; its ending chooses the format'
    complete -c $argv[1] -n $argv[2] -l title -fr -d 'The graph\'s title'
    complete -c $argv[1] -n $argv[2] -l icicle -f -d 'Draw the root at the top and leaves below'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'svg\' \'folded\' \'pprof\' \'speedscope\' \'firefox\' \'json\'' -d 'How stacks are written (default: by the ending of --output: .svg, .folded, .pb.gz, .speedscope.json, .firefox.json, .json; else svg)'
    complete -c $argv[1] -n $argv[2] -l threads -f -d 'A tree for each thread, where the file tells threads apart'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_flame_diff
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write to FILE instead of standard output; its ending chooses the format'
    complete -c $argv[1] -n $argv[2] -l title -fr -d 'The graph\'s title'
    complete -c $argv[1] -n $argv[2] -l icicle -f -d 'Draw the root at the top and leaves below'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'table\' \'json\' \'svg\'' -d 'table, json or svg (default: by the ending of --output: .svg, one flame graph of both, coloured by difference, .json; else table)'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -d 'Exit with 3 when EXPR surely holds: self("crc32") > +5%, total("parse") > 0%, or self > +10% for any function'
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'Exit with 3 when a --fail-if is inconclusive, too'
    complete -c $argv[1] -n $argv[2] -l rows -fr -d 'Rows of the table (default: 20)'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# $argv[1] with the names of the fields and what they mean.
function __plumb_dnsx_fields
    $argv[1] \
        time\t'When the first query was sent; with role server: when it came in' \
        type\t'query: a lookup ended' \
        pid\t'The process that owns the socket, or that called; null when that is not known' \
        tid\t'The thread that sent the query, or the answer, or that called; null when that is not known' \
        comm\t'The owner\'s command name' \
        exe\t'The path of the owner\'s executable, in its own mount namespace; null when it ended at once and had started before the trace' \
        parent_pid\t'The owner\'s parent when the event happened' \
        parent_comm\t'The parent\'s command name' \
        uid\t'The owner\'s user id' \
        container\t'The owner\'s container: its name, or the start of its id; null outside containers' \
        pod\t'The owner\'s Kubernetes pod' \
        namespace\t'The pod\'s Kubernetes namespace' \
        netns\t'The network namespace\'s inode number, as lsns(8) shows it' \
        role\t'client: this side asked; server: it answered' \
        name\t'The name, as it is on the wire, special bytes as RFC 4343 writes them; null without a question' \
        qtype\t'The type of record that was asked for, such as AAAA; TYPE4711 for one without a name; null for a call that takes any address' \
        outcome\t'answered; nodata: the name has no such record; timeout: no answer in time; late: one after that; unreachable: ICMP said that there is no server; malformed: the answer is no DNS message to its end; encrypted: a connection for lookups that are not decoded; failed: of a call, an error that says nothing about the name; pending: the trace ended first, or of a call its thread, or it was left by a jump' \
        cached\t'Of a call: whether it knew without a query on the wire, from a cache or the hosts file; null for lookups, and when it does not know' \
        function\t'What was called; gethostbyname stands for all of its kind' \
        error\t'Why it has no answer, as netdb.h names it: EAI_NONAME; null when it has one' \
        call_ms\t'How long it took the application; null when it did not return' \
        caller_pid\t'With --libc: the process whose call led to the lookup, also where another one, such as systemd-resolved, asked for it; null when that is not known, or there are several' \
        caller_comm\t'Its command name' \
        search_of\t'The name that was wanted, where a resolver tried a search list\'s suffixes on it; null otherwise' \
        rcode\t'The server\'s response code, such as NXDOMAIN; null without an answer' \
        latency_ms\t'On the wire, from the first query until the answer; null without one' \
        pickup_ms\t'From the answer\'s arrival until the application read it; null when that was not seen' \
        attempts\t'Queries sent: retransmissions, other servers and TCP after a truncated answer included' \
        transport\t'udp or tcp, of the answer or, without one, of the last query; tcp with the flag TC: after a truncated answer over UDP' \
        server\t'The server that answered or, without an answer, was asked last' \
        server_port\t'Its port' \
        client\t'The address that asked' \
        local_port\t'This side\'s port: with role server the server\'s, otherwise the one that asked' \
        txid\t'The transaction id of the query that was answered or, without an answer, was the last; null of an encrypted connection' \
        flags\t'Those of AA TC RD RA AD CD that are set in the answer or, without one, in the query' \
        edns_udp_bytes\t'The largest answer over UDP that the query allows by EDNS; null without EDNS' \
        request_bytes\t'Size of the first query\'s message; null of an encrypted connection' \
        response_bytes\t'Size of the answer\'s message; null without an answer' \
        misfits\t'Answers to its port from another server, or with another id or question: forged, or too late' \
        answer_count\t'How many records the answer section has; null without an answer' \
        ttls\t'The answers\' times to live in seconds, one for each, as text; null without an answer' \
        answers\t'The answer section in its order: addresses as they are, other records with their type in front; null without an answer'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_dnsx
    complete -c $argv[1] -n $argv[2] -l role -fr -a '\'client\' \'server\' \'both\'' -d 'client (default): lookups made from here; server: queries answered here; both'
    complete -c $argv[1] -n $argv[2] -l port -fr -d 'Ports that servers answer at, instead of 53; at most 8'
    complete -c $argv[1] -n $argv[2] -l libc -f -d 'Also what applications ask their C library for (getaddrinfo, gethostbyname): a line for each call, cached or not, and for each lookup whose call led to it'
    complete -c $argv[1] -n $argv[2] -l timeout -fr -d 'How long after its last query a lookup without an answer ends as a timeout; 5s without it'
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -a '(__plumb_pids)' -d 'Only these processes'
    complete -c $argv[1] -n $argv[2] -l comm -fr -a '(__plumb_comms)' -d 'Only processes with these command names, as ps -o comm shows them (at most 15 bytes)'
    complete -c $argv[1] -n $argv[2] -s u -l uid -fr -a '(__plumb_users)' -d 'Only this user, by name or number'
    complete -c $argv[1] -n $argv[2] -l cgroup -fr -a '(__fish_complete_directories (__plumb_value))' -d 'Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount'
    complete -c $argv[1] -n $argv[2] -l container -fr -a '(__plumb_containers)' -d 'Only this container, by name or by the start of its id'
    complete -c $argv[1] -n $argv[2] -l pod -fr -d 'Only this Kubernetes pod: all of its containers that run now'
    complete -c $argv[1] -n $argv[2] -l netns -rF -d 'Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of ip-netns(8)'
    complete -c $argv[1] -n $argv[2] -l where -fr -a '(__plumb_dnsx_fields __plumb_expression)' -d 'Only events for which EXPR holds, such as \'latency > 20ms && remote_addr in 10.0.0.0/8\''
    complete -c $argv[1] -n $argv[2] -l from -rF -d 'The JSON lines of an earlier run (-: from standard input) instead of the kernel\'s events: every view, expression and verdict again, without privileges'
    complete -c $argv[1] -n $argv[2] -s d -l duration -fr -d 'Stop after this time: 500ms, 10s, 2m'
    complete -c $argv[1] -n $argv[2] -s n -l count -fr -d 'Stop after this many events'
    complete -c $argv[1] -n $argv[2] -s f -l format -fr -a '\'table\' \'json\' \'csv\' \'tsv\'' -d 'How it is written (default: by the ending of --output, else the first of these)'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'The same as --format json: one object a line'
    complete -c $argv[1] -n $argv[2] -s o -l output -rF -d 'Write there instead of standard output (-: there), to several files at once if given several times; the format follows the ending unless --format is given'
    complete -c $argv[1] -n $argv[2] -l columns -fr -a '(__plumb_dnsx_fields __plumb_list)' -d 'The table\'s columns, in this order (--list-fields names them); of JSON lines the keys, beside time and type'
    complete -c $argv[1] -n $argv[2] -l wide -f -d 'All columns'
    complete -c $argv[1] -n $argv[2] -l time -fr -a '\'local\' \'utc\' \'iso\' \'relative\' \'none\'' -d 'Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to the start, or none'
    complete -c $argv[1] -n $argv[2] -l names -fr -a '\'ports\'' -d 'ports: in tables, a service\'s port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb has one'
    complete -c $argv[1] -n $argv[2] -l color -fr -a '\'auto\' \'always\' \'never\'' -d 'auto (default: on a terminal, unless NO_COLOR is set), always or never'
    complete -c $argv[1] -n $argv[2] -l summary -f -d 'One aggregated table at the end instead of a line per event'
    complete -c $argv[1] -n $argv[2] -l by -fr -a '(__plumb_dnsx_fields __plumb_list)' -d 'The groups of --summary and --top; with --fail-if each group is judged by itself'
    complete -c $argv[1] -n $argv[2] -l sort -fr -a '(__plumb_dnsx_fields __plumb_expression)' -d 'The order of --summary: a field of its rows, such as failed; numbers the largest first'
    complete -c $argv[1] -n $argv[2] -l histogram -f -d 'Below --summary: how many rows have which latency, all groups together (--where narrows it)'
    complete -c $argv[1] -n $argv[2] -l top -f -d 'A live table, most important rows first'
    complete -c $argv[1] -n $argv[2] -l once -f -d 'With --top: one table, after one --interval or --duration, for a script'
    complete -c $argv[1] -n $argv[2] -l interval -fr -d 'How often --top is redrawn (1s unless given), and how often drops tells its counters (at the end unless given)'
    complete -c $argv[1] -n $argv[2] -l otlp -f -d 'Push each event as an OpenTelemetry span or log record as well, and metrics of them, over OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; http://localhost:4318 otherwise'
    complete -c $argv[1] -n $argv[2] -l otlp-signals -fr -d 'What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it)'
    complete -c $argv[1] -n $argv[2] -l otlp-spans -fr -d 'Spans that --otlp makes only when asked for: dns, of dnsx\'s lookups; connect, of tcpconnect\'s attempts'
    complete -c $argv[1] -n $argv[2] -l otlp-url-template -f -d 'Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like an id replaced, as path_template is'
    complete -c $argv[1] -n $argv[2] -l otlp-profiles -f -d 'Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development of its version 1.11, which is not stable)'
    complete -c $argv[1] -n $argv[2] -l otlp-dry-run -f -d 'Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values masked, body) on standard output, where the tool\'s lines are left out then'
    complete -c $argv[1] -n $argv[2] -l fail-if -fr -a '(__plumb_dnsx_fields __plumb_expression)' -d 'Exit with status 3 when EXPR over all events holds at the end, such as \'p99(latency) > 50ms\'; the measured value is shown'
    complete -c $argv[1] -n $argv[2] -l baseline -rF -d 'The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as \'p99(latency) > 1.2 * base(p99(latency))\''
    complete -c $argv[1] -n $argv[2] -l strict -f -d 'What is inconclusive fails too'
    complete -c $argv[1] -n $argv[2] -l report -rF -d 'Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: .md Markdown, .xml JUnit, .json'
    complete -c $argv[1] -n $argv[2] -l list-fields -f -d 'Describe the tool\'s fields and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l json-schema -f -d 'Print a JSON Schema of the lines and exit; needs no privileges'
    complete -c $argv[1] -n $argv[2] -l ready-file -rF -d 'Create FILE once every probe is attached'
    complete -c $argv[1] -n $argv[2] -l stats -f -d 'At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, own CPU time and peak memory'
    complete -c $argv[1] -n $argv[2] -s q -l quiet -f -d 'Nothing on standard error but errors, losses and --fail-if expressions that hold'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Say what was attached, which variant of each hook was chosen and why'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_doctor
    complete -c $argv[1] -n $argv[2] -s p -l pid -fr -d 'What of this process can be probed: its TLS library'
    complete -c $argv[1] -n $argv[2] -s j -l json -f -d 'One JSON object instead of text'
    complete -c $argv[1] -n $argv[2] -s v -l verbose -f -d 'Each container too, and what every probe took'
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

# For the command $argv[1], where $argv[2] holds.
function __plumb_skill
    complete -c $argv[1] -n $argv[2] -s h -l help -f -d 'Show all options and exit'
    complete -c $argv[1] -n $argv[2] -l version -f -d 'Print the version and exit'
end

complete -c plumb -f
complete -c plumb -n __plumb_first -a tcpconnect -d 'who connects where over TCP, how it ends and how long it takes'
complete -c plumb -n __plumb_first -a httptrace -d 'every HTTP request, who sent or answered it, its status and latency'
complete -c plumb -n __plumb_first -a drops -d 'where packets die and why, what TCP resends, who resets'
complete -c plumb -n __plumb_first -a flame -d 'where CPU time and waiting time go, as flame graphs'
complete -c plumb -n __plumb_first -a dnsx -d 'every DNS lookup: whose, how long, how it ended'
complete -c plumb -n __plumb_first -a doctor -d 'what this machine and user can trace, and what is missing'
complete -c plumb -n __plumb_first -a skill -d 'what an assistant has to know to use plumb well, as Markdown'
complete -c plumb -n __plumb_first -s h -l help -d 'Show the tools and exit'
complete -c plumb -n __plumb_first -l version -d 'Print the version and exit'
__plumb_tcpconnect plumb '__plumb_in tcpconnect'
complete -c tcpconnect -f
__plumb_tcpconnect tcpconnect __plumb_before_command
complete -c tcpconnect -n __plumb_behind_dashes -a '(__plumb_command)'
__plumb_httptrace plumb '__plumb_in httptrace'
complete -c httptrace -f
__plumb_httptrace httptrace __plumb_before_command
complete -c httptrace -n __plumb_behind_dashes -a '(__plumb_command)'
__plumb_drops plumb '__plumb_in drops'
complete -c drops -f
__plumb_drops drops __plumb_before_command
complete -c drops -n __plumb_behind_dashes -a '(__plumb_command)'
__plumb_flame plumb '__plumb_in flame'
complete -c flame -f
__plumb_flame flame __plumb_before_command
complete -c flame -n __plumb_behind_dashes -a '(__plumb_command)'
complete -c plumb -n '__plumb_second flame' -a render -d 'flame graphs and other formats from saved stacks'
__plumb_flame_render plumb '__plumb_in flame render'
complete -c plumb -F -n '__plumb_in flame render'
complete -c plumb -n '__plumb_second flame' -a diff -d 'which functions take more than before, and how sure that is'
__plumb_flame_diff plumb '__plumb_in flame diff'
complete -c plumb -F -n '__plumb_in flame diff'
__plumb_dnsx plumb '__plumb_in dnsx'
complete -c dnsx -f
__plumb_dnsx dnsx __plumb_before_command
complete -c dnsx -n __plumb_behind_dashes -a '(__plumb_command)'
__plumb_doctor plumb '__plumb_in doctor'
__plumb_skill plumb '__plumb_in skill'
complete -c plumb -n __plumb_behind_dashes -a '(__plumb_command)'
