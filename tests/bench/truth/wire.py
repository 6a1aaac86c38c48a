"""What a capture says: attempts, segments that were sent again, resets, and which packets arrived."""
import collections
import mmap
import socket
import struct

FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP, UDP = 6, 17
Frame = collections.namedtuple("Frame", "t protocol ends flags sequence length")  # ends: src, src_port, dst, dst_port


def frames(path):
    """The TCP and UDP packets of a pcap file with Ethernet frames, in order; fragments and options before TCP are none."""
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic, = struct.unpack_from("<I", data)
        assert magic in (0xa1b2c3d4, 0xa1b23c4d), f"{path} is no capture of this machine"
        unit = 1 if magic == 0xa1b23c4d else 1000
        at = 24
        while at + 16 <= len(data):
            seconds, fraction, captured, _ = struct.unpack_from("<IIII", data, at)
            packet = data[at + 16:at + 16 + captured]
            at += 16 + captured
            frame = parsed(seconds * 10**9 + fraction * unit, packet)
            if frame:
                yield frame


def parsed(t, packet):
    ethertype = packet[12:14]
    if ethertype == b"\x08\x00":
        header, protocol = 14 + 4 * (packet[14] & 15), packet[23]
        end = 14 + struct.unpack_from("!H", packet, 16)[0]
        source, target = (socket.inet_ntop(socket.AF_INET, packet[i:i + 4]) for i in (26, 30))
    elif ethertype == b"\x86\xdd":
        header, protocol = 54, packet[20]
        end = 54 + struct.unpack_from("!H", packet, 18)[0]
        source, target = (socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (22, 38))
    else:
        return None
    if protocol not in (TCP, UDP):
        return None
    source_port, target_port = struct.unpack_from("!HH", packet, header)
    ends = source, source_port, target, target_port
    if protocol == UDP:
        return Frame(t, UDP, ends, 0, 0, end - header - 8)
    sequence, = struct.unpack_from("!I", packet, header + 4)
    return Frame(t, TCP, ends, packet[header + 13], sequence, end - header - 4 * (packet[header + 12] >> 4))


class Capture:
    """One host's view of its wire."""

    def __init__(self, path, own_addresses):
        self.syns = collections.defaultdict(collections.Counter)  # ends: first sequence number: how often it was sent
        self.again = collections.Counter()  # (ends, sequence number; None: SYN-ACK) of what was sent again
        self.resets_out, self.resets_in, self.received = (collections.Counter() for _ in range(3))
        self.next = {}  # ends: what follows the last byte that was sent, and the SYN's number
        self.count = 0
        for frame in frames(path):
            self.count += 1
            if frame.ends[0] in own_addresses:
                self.sent(frame)
            else:
                self.received[frame.protocol, frame.ends] += 1
                if frame.flags & RST:
                    self.resets_in[frame.ends] += 1

    def sent(self, frame):
        if frame.flags & RST:
            self.resets_out[frame.ends] += 1
        elif frame.protocol == TCP:
            self.sent_segment(frame)

    def sent_segment(self, frame):
        if frame.flags & (SYN | ACK) == SYN:
            self.syns[frame.ends][frame.sequence] += 1
        length = frame.length + bool(frame.flags & SYN) + bool(frame.flags & FIN)
        if not length:
            return
        follows, syn = self.next.get(frame.ends, (None, None))
        if frame.flags & SYN and syn != frame.sequence:  # a connection begins, maybe on ports that had another
            self.next[frame.ends] = (frame.sequence + 1) & 0xffffffff, frame.sequence
        elif follows is not None and (frame.sequence - follows) & 0x80000000:
            self.again[frame.ends, None if frame.flags & (SYN | ACK) == SYN | ACK else frame.sequence] += 1
            self.advance(frame, length, follows, syn)
        else:
            self.advance(frame, length, follows, syn)

    def advance(self, frame, length, follows, syn):
        end = (frame.sequence + length) & 0xffffffff
        if follows is None or not (end - follows) & 0x80000000:
            self.next[frame.ends] = end, syn
