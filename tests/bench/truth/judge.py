"""Both tools' lines beside what the programs logged and the captures saw: recall, precision, owner."""
import collections

import programs as p
from wire import TCP, UDP

SLACK_NS = 20_000_000  # between two clocks' views of one moment
OUTCOMES = {None: ("established", None), "cancelled": ("cancelled", None), "ECONNREFUSED": ("refused", "ECONNREFUSED"),
            "ETIMEDOUT": ("timeout", "ETIMEDOUT"), "EHOSTUNREACH": ("unreachable", "EHOSTUNREACH")}
# Who closed, as the client sees it and as the server does, by mode.
CLOSED_BY = {"q": ("local", "remote"), "G": ("local", "remote"), "s": ("remote", "local"),
             "c": ("reset_local", "reset_remote"), "r": ("reset_remote", "reset_local")}
# What arrives at the servers' host and is lost there, each packet of it.
LOST_PORTS = {("udp", p.UDP_CLOSED): "udp to a closed port", ("udp", p.UDP_DROPPED): "udp, firewall",
              ("tcp", p.CLOSED): "tcp to a closed port", ("tcp", p.DROPPED): "tcp, firewall",
              ("tcp", p.REJECTED): "tcp, reject"}
# In a connection that loses segments: what arrives twice, or when the connection is over.
ALREADY_THERE = ("TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_RFC7323_PAWS", "TCP_OVERWINDOW", "TCP_OFOMERGE", "TCP_INVALID_SYN",
                 "NOT_SPECIFIED", "TCP_CLOSE", "TCP_FLAGS")


class Row:
    """One line of the table."""

    def __init__(self, tool, what, truth, lines, matched):
        self.tool, self.what, self.truth, self.lines, self.matched = tool, what, truth, lines, matched
        self.owners = collections.Counter()
        self.wrong = collections.Counter()

    def text(self):
        def share(part, whole):
            return f"{100 * part / whole:.2f} %" if whole else "-"

        owners = "/".join(str(self.owners[k]) for k in ("right", "null", "wrong")) if self.owners else "-"
        wrong = ", ".join(f"{k} {n}" for k, n in self.wrong.most_common()) or "-"
        truth = "-" if self.truth is None else self.truth
        recall = "-" if self.truth is None else share(self.matched, self.truth)
        return (f"{self.tool:11}{self.what:26}{truth:>8}{self.lines:>8}{recall:>10}{share(self.matched, self.lines):>10}"
                f"  {owners:24}{wrong}")


HEADING = f"{'tool':11}{'what':26}{'truth':>8}{'lines':>8}{'recall':>10}{'precise':>10}  {'owner right/null/wrong':24}wrong fields"


def ends_of(e):
    return e["src"], e["src_port"], e["dst"], e["dst_port"]


def connection_of(e):
    """As lines of tcpconnect name it."""
    return e["local_addr"], e["local_port"], e["remote_addr"], e["remote_port"]


def connection_of_fact(f):
    return f["laddr"], f["lport"], f["raddr"], f["rport"]


def common(a, b):
    """How many both have."""
    return (a & b).total()


class Judge:
    def __init__(self, facts, connects, drops, captures, hosts, counted):
        """facts: what the programs logged; captures and hosts (namespaces' numbers): (clients', servers');
        counted: how many packets the rules for random loss dropped."""
        self.facts, self.connects, self.drops = facts, connects, drops
        self.client, self.server = captures
        self.client_ns, self.server_ns = hosts
        self.counted = counted
        self.examples = collections.defaultdict(list)
        self.made = collections.defaultdict(list)  # ends: facts of their client's socket
        self.taken = collections.defaultdict(list)  # ends: facts of the accepted socket
        self.listeners = collections.defaultdict(set)
        for f in facts:
            if f["fact"] == "connect":
                self.made["tcp", *connection_of_fact(f)].append(f)
            elif f["fact"] == "udp":
                self.made["udp", f["lport"], f["raddr"], f["rport"]].append(f)
            elif f["fact"] == "accept":
                self.taken["tcp", *connection_of_fact(f)].append(f)
            elif f["fact"] == "listen":
                self.listeners[f["lport"]].add((f["pid"], f["comm"]))

    def of(self, fact):
        return [f for f in self.facts if f["fact"] == fact]

    def example(self, what, line, fact=None):
        self.examples[what].append((line, fact))

    # tcpconnect

    def paired(self, row, facts, lines, moment, check):
        """Matches lines with the nearest fact of the same ends, and checks owner and fields of each."""
        left = collections.defaultdict(list)
        for f in facts:
            left[connection_of_fact(f)].append(f)
        for line in lines:
            candidates = left[connection_of(line)]
            if not candidates:
                self.example(f"{row.what}: a line too many", line)
                continue
            fact = min(candidates, key=lambda f: abs(f[moment] - line["ns"]))
            candidates.remove(fact)
            row.matched += 1
            owner = "null" if line["pid"] is None else \
                "right" if (line["pid"], line["comm"], line["uid"]) == (fact["pid"], fact["comm"], 0) else "wrong"
            row.owners[owner] += 1
            bad = [k for k, right in check(line, fact).items() if not right]
            row.wrong.update(bad)
            if bad or owner != "right":
                self.example(f"{row.what}: {', '.join(bad) or 'owner'}", line, fact)
        for fact in (f for rest in left.values() for f in rest):
            self.example(f"{row.what}: no line", None, fact)
        return row

    def decided(self, line, fact):
        return {"outcome": (line["outcome"], line["error"]) == OUTCOMES.get(fact["error"], ("error", fact["error"])),
                "tid": line["tid"] == fact["tid"],
                "time": fact["t0"] - SLACK_NS <= line["ns"] <= fact["t1"] + SLACK_NS}

    def accepted(self, line, fact):
        return {"outcome": line["outcome"] == "established", "role": line["role"] == "server",
                "tid": line["tid"] == fact["tid"], "time": abs(line["ns"] - fact["t"]) < 1_000_000_000}

    def closed(self, side):
        def check(line, fact):
            told = {"closed_by": line["closed_by"] == CLOSED_BY[fact["mode"]][side]}
            if fact["mode"] in "qs" and "tx" in fact and "heard" not in fact:  # after a reset nobody knows what arrived
                told["bytes"] = (line["tx_bytes"], line["rx_bytes"]) == (fact["tx"], fact["rx"])
            return told
        return check

    def connect_rows(self):
        def row(what, facts, lines, moment, check):
            return self.paired(Row("tcpconnect", what, len(facts), len(lines), 0), facts, lines, moment, check)

        def told(kind, ns, role):
            return [e for e in self.connects if e["type"] == kind and e["netns"] == ns and e["role"] == role]

        made, taken = self.of("connect"), self.of("accept")
        open_ones = [f for f in made if not f["error"]]
        yield row("connect, logs", made, [e for e in self.connects if e["type"] == "connect"], "t1", self.decided)
        yield self.connects_on_the_wire()
        yield row("accept, logs", taken, [e for e in self.connects if e["type"] == "accept"], "t", self.accepted)
        yield row("close, clients' logs", open_ones, told("close", self.client_ns, "client"), "end", self.closed(0))
        yield row("close, servers' logs", taken, told("close", self.server_ns, "server"), "end", self.closed(1))

    def connects_on_the_wire(self):
        lines = collections.defaultdict(list)
        for e in self.connects:
            if e["type"] == "connect":
                lines[connection_of(e)].append(e)
        sent = self.client.syns
        row = Row("tcpconnect", "connect, capture", sum(map(len, sent.values())), sum(map(len, lines.values())), 0)
        for ends, attempts in sent.items():
            row.matched += min(len(attempts), len(lines[ends]))
            if len(attempts) == len(lines[ends]) == 1:
                if lines[ends][0]["syn_retries"] != sum(attempts.values()) - 1:
                    row.wrong["syn_retries"] += 1
                    self.example("connect, capture: syn_retries", lines[ends][0], sum(attempts.values()) - 1)
        return row

    # drops

    def allowed_owners(self, e):
        """The (pid, comm) that may own the socket that the line is about; none: there is no such socket."""
        outward = e["direction"] == "out"
        ends = ends_of(e) if outward else ends_of(e)[2:] + ends_of(e)[:2]  # as the socket sees them
        if e["netns"] == self.client_ns:
            found = self.made["tcp", *ends] if e["protocol"] == "tcp" else self.made["udp", *ends[1:]]
            return {(f["pid"], f["comm"]) for f in found}
        found = {(f["pid"], f["comm"]) for f in self.taken[e["protocol"], *ends]}
        return found | self.listeners[ends[1]]

    def judge_owner(self, row, e):
        allowed = self.allowed_owners(e)
        owner = (e["pid"], e["comm"])
        if not allowed:
            verdict = "right" if e["pid"] is None else "wrong"  # there is none
        else:
            verdict = "null" if e["pid"] is None else "right" if owner in allowed else "wrong"
        row.owners[verdict] += e["count"]
        if verdict == "wrong":
            self.example(f"{row.what}: owner", e, sorted(allowed))

    def counted_row(self, what, truth, lines, key, total=None):
        """A row about lines that can be told apart by key only, each of which must be in truth."""
        told = collections.Counter()
        for e in lines:
            told[key(e)] += e["count"]
        matched = common(told, truth)
        row = Row("drops", what, truth.total() if total is None else total, told.total(),
                  matched if total is None else min(matched, total))
        for e in lines:
            self.judge_owner(row, e)
        for k, n in (told - truth).items():
            self.example(f"{what}: a line too many", next(e for e in lines if key(e) == k), n)
        if total is None:
            for k, n in (truth - told).items():
                self.example(f"{what}: no line", None, (k, n))
        return row

    def bucket(self, e):
        """What a line of a drop is about; None: nothing that should be lost here."""
        if e["netns"] == self.server_ns and e["direction"] == "in":
            if (e["protocol"], e["dst_port"]) in LOST_PORTS:
                return LOST_PORTS[e["protocol"], e["dst_port"]]
            if (e["protocol"], e["dst_port"]) == ("udp", p.UDP_FULL):
                return "udp, full buffer"
        if p.LOSSY in (e["src_port"], e["dst_port"]) and e["reason"] == "NETFILTER_DROP":
            return "tcp, random loss"
        if p.LOSSY in (e["src_port"], e["dst_port"]) and e["reason"] in ALREADY_THERE:
            return "tcp, had it already"
        return None

    def lost_truth(self, what):
        (protocol, port), = [k for k, name in LOST_PORTS.items() if name == what]
        number = TCP if protocol == "tcp" else UDP
        return collections.Counter({ends: n for (proto, ends), n in self.server.received.items()
                                    if proto == number and ends[3] == port})

    def drop_rows(self):
        lines = collections.defaultdict(list)
        for e in self.drops:
            if e["type"] == "drop":
                lines[self.bucket(e)].append(e)
        for what in LOST_PORTS.values():
            yield self.counted_row(what, self.lost_truth(what), lines[what], ends_of)
        full = collections.Counter()
        for f in self.of("udp"):
            if f["rport"] == p.UDP_FULL:
                full[f["lport"]] += f["n"]
        lost = full.total() - sum(f["n"] for f in self.of("received"))
        yield self.counted_row("udp, full buffer", full, lines["udp, full buffer"], lambda e: e["src_port"], lost)
        arrived = collections.Counter()
        for capture in (self.client, self.server):
            arrived.update({ends: n for (_, ends), n in capture.received.items() if p.LOSSY in (ends[1], ends[3])})
        yield self.counted_row("tcp, random loss", arrived, lines["tcp, random loss"], ends_of, self.counted)
        again = collections.Counter()
        for (ends, _), n in (self.client.again + self.server.again).items():
            again[ends] += n
        old = self.counted_row("tcp, had it already", again, lines["tcp, had it already"], ends_of, 0)
        old.matched, old.truth = old.lines - sum(n for _, n in self.examples.get(
            "tcp, had it already: a line too many", [])), None
        yield old
        other = Row("drops", "any other drop", None, sum(e["count"] for e in lines[None]), 0)
        for e in lines[None]:
            self.example(other.what, e)
        yield other

    def retransmit_row(self):
        lines = [e for e in self.drops if e["type"] == "retransmit"]
        return self.counted_row("retransmit, captures", self.client.again + self.server.again, lines,
                                lambda e: (ends_of(e), e["sequence"]))

    def reset_rows(self):
        def told(direction):
            return [e for e in self.drops if e["type"] == "reset" and e["direction"] == direction]

        yield self.counted_row("reset sent, captures", self.client.resets_out + self.server.resets_out, told("out"),
                               ends_of)
        heard = collections.Counter()
        for f in self.facts:
            if f.get("heard") == "ECONNRESET" or f.get("error") == "ECONNREFUSED":
                heard[f["raddr"], f["rport"], f["laddr"], f["lport"]] += 1
        yield self.counted_row("reset received, logs", heard, told("in"), ends_of)

    def rows(self):
        return [*self.connect_rows(), *self.drop_rows(), self.retransmit_row(), *self.reset_rows()]
