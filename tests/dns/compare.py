#!/usr/bin/env python3
"""Whether plumb's decoder of DNS messages and dnspython's say the same: of the fuzzer's corpus and of COUNT messages made
here, of all types that are decoded and some that are not, compressed as real ones are, a third of them damaged.

    compare.py DECODER [COUNT]

What dnspython takes, plumb must take whole, with the same content. What only plumb takes is counted: dnspython looks into
records of types that plumb shows as bytes, and finds fault with some of them."""
import glob
import os
import random
import struct
import subprocess
import sys

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus/dns")
RECORDS = {
    "A": ["192.0.2.1", "255.255.255.255"], "AAAA": ["2001:db8::1", "::", "::ffff:192.0.2.1", "fe80::1:0:0:1"],
    "CNAME": ["www.example.com."], "NS": ["ns1.example.com."], "PTR": ["host.example.com."], "DNAME": ["example.net."],
    "MX": ["10 mail.example.com.", "65535 ."], "SRV": ["1 2 5060 sip.example.com."],
    "SOA": ["ns1.example.com. admin.example.com. 2026112801 7200 3600 1209600 4294967295"],
    "TXT": ['"v=spf1 -all"', '"a" "" "b\\"\\\\c\\009\\255"'], "CAA": ['0 issue "ca.example.net"', '128 iodef "mailto:a@b"'],
    "HTTPS": ["1 . alpn=h2,h3 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1", "0 svc.example.net."],
    "SVCB": ["16 foo.example.org. alpn=h2 mandatory=alpn,port port=8443"],
    "TYPE4711": ["\\# 4 00ff10ab", "\\# 0"], "SSHFP": ["2 1 123456789abcdef67890123456789abcdef67890"],
}
OWNERS = ["example.com.", "www.example.com.", "a.b.c.example.com.", ".", "xn--bcher-kva.example.", "\\000\\.x\\255.example.",
          "L" * 63 + ".example.", ".".join(["l" * 61] * 4) + "."]


def made(rng):
    """One message as it is on the wire."""
    m = dns.message.Message(id=rng.randrange(65536))
    m.flags = rng.choice([0x0100, 0x8180, 0x8580, 0x81a0, 0x8380, 0x8190]) | rng.choice([0, 0, 0, 2, 3, 5, 9])
    owner = dns.name.from_text(rng.choice(OWNERS))
    kind = rng.choice(list(RECORDS))
    m.question.append(dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind)))
    for section in (m.answer, m.authority, m.additional):
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            of = rng.choice([kind, kind, *RECORDS])
            name = rng.choice([owner, dns.name.from_text(rng.choice(OWNERS))])
            section.append(dns.rrset.from_text(name, rng.choice([0, 1, 300, 2147483647]), "IN", of,
                                               rng.choice(RECORDS[of])))
    if rng.random() < 0.5:
        m.use_edns(0, payload=rng.choice([512, 1232, 4096, 65535]))
        m.set_rcode(rng.choice([0, 3, 16, 23]))
    wire = bytearray(m.to_wire(max_size=65535))
    if rng.random() < 0.33:
        for _ in range(rng.choice([1, 1, 2, 8])):
            wire[rng.randrange(len(wire))] = rng.randrange(256)
        if rng.random() < 0.3:
            del wire[rng.randrange(len(wire)):]
    return bytes(wire)


def escaped(data, special):
    return "".join("\\" + chr(b) if b in special else chr(b) if 0x20 < b < 0x7f else f"\\{b:03}" for b in data)


def name_text(name):
    return ".".join(escaped(label, b".\\") for label in name.labels if label) or "."


def quoted(data):
    return '"' + " ".join(escaped(part, b'"\\') for part in data.split(b" ")) + '"'


def generic(rdata):
    wire = rdata.to_wire()
    return f"\\# {len(wire)}" + (f" {wire.hex()}" if wire else "")


def rdata_text(kind, r):
    """As plumb writes it; None: a form that is not compared."""
    if isinstance(r, dns.rdata.GenericRdata) and kind != 4711:
        return None  # of another class than IN
    t = dns.rdatatype
    if kind == t.A:
        return r.address
    if kind == t.AAAA:
        return r.address
    if kind in (t.CNAME, t.NS, t.PTR, t.DNAME):
        return name_text(r.target)
    if kind == t.MX:
        return f"{r.preference} {name_text(r.exchange)}"
    if kind == t.SRV:
        return f"{r.priority} {r.weight} {r.port} {name_text(r.target)}"
    if kind == t.SOA:
        return (f"{name_text(r.mname)} {name_text(r.rname)} {r.serial} {r.refresh} {r.retry} {r.expire} {r.minimum}")
    if kind == t.TXT:
        return " ".join(quoted(s) for s in r.strings)
    if kind == t.CAA:
        return f"{r.flags} {escaped(r.tag, b'')} {quoted(r.value)}"
    if kind in (t.SVCB, t.HTTPS):
        return None
    return generic(r) if kind == 4711 else None


def truth(wire):
    """What dnspython makes of it, as decode prints it; None: it does not take it."""
    try:
        m = dns.message.from_wire(wire, one_rr_per_rrset=True, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError, OverflowError):
        return None
    ident, flags, questions, answers, _, _ = struct.unpack_from("!6H", wire)
    if len(m.question) != questions or not questions or len(m.answer) != answers:
        return None  # an update, or a record of a kind that dnspython leaves out (OPT, TSIG)
    q = m.question[0]
    fields = ["whole", str(ident), str(flags), str(int(m.rcode())), name_text(q.name), str(int(q.rdtype)),
              str(int(q.rdclass)), str(m.payload) if m.edns >= 0 else "-", str(answers)]
    for rrset in m.answer:
        if len(rrset) != 1:
            return None
        kind = rrset.rdtype
        text = rdata_text(kind, rrset[0])
        name = "" if kind in (dns.rdatatype.A, dns.rdatatype.AAAA) else dns.rdatatype.to_text(kind) + " "
        fields += [str(rrset.ttl), None if text is None else name + text]
    return fields


def same(ours, theirs):
    """dnspython takes a TTL with the highest bit for 0 (RFC 2181, section 8); plumb shows what is on the wire."""
    ttls = range(9, len(ours), 2)
    ours = ["0" if i in ttls and int(text) >= 1 << 31 else text for i, text in enumerate(ours)]
    return len(ours) == len(theirs) and all(b is None or a == b for a, b in zip(ours, theirs))


def main():
    decoder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    rng = random.Random(1)
    wires = []
    for path in sorted(glob.glob(CORPUS + "/*")):
        with open(path, "rb") as f:
            data = f.read()
        if data and data[0] % 4 == 0:  # how dns_fuzz.cc chooses what the rest is
            wires.append(data[1:])
    from_corpus = len(wires)
    wires += [made(rng) for _ in range(count)]
    said = subprocess.run([decoder], input="\n".join(w.hex() for w in wires) + "\n", check=True, capture_output=True,
                          text=True).stdout.splitlines()
    assert len(said) == len(wires), (len(said), len(wires))
    agreed = only_ours = neither = wrong = 0
    for wire, line in zip(wires, said):
        ours, theirs = line.split("\t"), truth(wire)
        if theirs is None:
            only_ours += ours[0] == "whole"
            neither += ours[0] != "whole"
        elif same(ours, theirs):
            agreed += 1
        else:
            wrong += 1
            if wrong <= 5:
                print(f"DIFFERS {wire.hex()}\n  plumb     {ours}\n  dnspython {theirs}")
    print(f"{from_corpus} messages of the corpus, {count} made: {agreed} the same, {neither} taken by neither, "
          f"{only_ours} only by plumb, {wrong} different")
    return 1 if wrong or agreed < count // 2 else 0


if __name__ == "__main__":
    sys.exit(main())
