"""Serves NetrSendMessage as no program of ours would, with the packet classes of
scapy. Each message says how it wants to be treated, such as "as plain"; what came
of it is printed: callee.py ADDRESS OTHER-ADDRESS"""
import re
import select
import socket
import struct
import sys
from uuid import uuid4

sys.dont_write_bytecode = True
from dce import *  # noqa: beside this file

address, other = sys.argv[1:]
BOOT = 0x44332211


def bound(a, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((a, port))
    return s


mapper, own, stranger = bound(address, 135), bound(address, 1026), bound(other, 1026)


class Call:
    """A call that is under way, of which this was the first packet."""

    def __init__(self, p, peer):
        self.p, self.peer, self.endian, self.boot, self.seen = p, peer, LITTLE, BOOT, []

    def packet(self, kind, body=b"", flags=0, **fields):
        head = dict(ptype=kind, flags1=flags, endian=self.endian, object=NONE, if_id=SEND, act_id=self.p.act_id,
                    server_boot=self.boot, if_vers=1, seqnum=self.p.seqnum, opnum=0)
        return bytes(DceRpc4(**{**head, **fields}) / body)

    def say(self, kind, body=b"", flags=0, socket=own, **fields):
        socket.sendto(self.packet(kind, body, flags, **fields), self.peer)

    def number(self, n):
        return struct.pack(order(self.endian) + "I", n)

    def next(self, kind, patience=6):
        """Returns the next packet of a kind; others are remembered."""
        while select.select([own], [], [], patience)[0]:
            raw, peer = own.recvfrom(65536)
            assert peer == self.peer, "from %s" % (peer,)
            p = DceRpc4(raw)
            assert len(raw) == 80 + p.len
            if p.ptype == kind:
                return p
            self.seen.append(p.ptype)
        return None

    def ask(self, op=1, actuid=None, patience=6, kind=RESPONSE):
        """Asks who the caller is, and returns its sequence number and status."""
        question = dict(if_id=CONV, if_vers=3, opnum=op, act_id=uuid4(), server_boot=0, seqnum=0)
        actuid = uuid(actuid or self.p.act_id, self.endian)
        self.say(REQUEST, actuid + self.number(self.boot), IDEMPOTENT, **question)
        a = self.next(kind, patience)
        if a is None:
            return "nothing"
        assert a.act_id == question["act_id"] and a.if_id == CONV and a.opnum == op
        o, body = order(a.endian), bytes(a.payload)
        if kind == REJECT:
            return "%08x" % struct.unpack(o + "I", body)
        assert len(body) == {0: 8, 1: 24}[op], body.hex()
        return "%d %x" % (struct.unpack(o + "I", body[:4])[0] - self.p.seqnum, struct.unpack(o + "I", body[-4:])[0])

    def answer(self, status=0, **fields):
        """Answers the call, and returns whether that is acknowledged."""
        self.say(RESPONSE, self.number(status), **fields)
        return self.next(ACK) is not None


def plain(c):
    return c.ask(), c.answer()


def old(c):
    return c.ask(op=0), c.answer()


def newer(c):
    """With authentication, which it is to refuse."""
    return c.ask(op=3, kind=REJECT), c.ask(), c.answer()


def big(c):
    c.endian = BIG
    return c.ask(), c.answer()


def trusting(c):
    return c.answer()


def twice(c):
    first = c.ask(), c.ask()
    c.say(RESPONSE, c.number(0))
    return first, c.answer(), c.next(ACK, 0.3) is not None


def lost(c):
    again = c.next(REQUEST)
    return bytes(again.payload) == bytes(c.p.payload) and again.seqnum == c.p.seqnum, c.ask(), c.answer()


def working(c):
    asked = c.ask()
    c.say(WORKING)
    pings = 0
    for _ in range(2):
        pings += c.next(PING) is not None
        c.say(WORKING)
    return asked, pings, c.seen.count(REQUEST), c.answer()


def nocall(c):
    """It has forgotten the call: it is to be sent again."""
    asked = c.ask()
    c.say(WORKING)
    c.next(PING)
    c.say(NOCALL)
    return asked, c.next(REQUEST) is not None, c.answer()


def foreign(c):
    """Others who answer are not heard."""
    asked = c.ask()
    c.say(RESPONSE, c.number(2282), socket=stranger)
    c.say(REJECT, c.number(0x1C010014), socket=stranger)
    c.say(RESPONSE, c.number(2282), seqnum=c.p.seqnum + 1)
    c.say(RESPONSE, c.number(2282), act_id=uuid4())
    for junk in b"", b"\x04", b"\x05" + bytes(79), c.packet(RESPONSE, c.number(2282))[:82], c.packet(77), c.packet(FAULT):
        own.sendto(junk, c.peer)
    return asked, c.next(ACK, 0.3) is not None, c.answer()


def another(c):
    """It does not speak of calls that it has not made."""
    return c.ask(actuid=uuid4(), patience=0.5), c.ask(), c.answer()


def crashed(c):
    """A server that is another now than before is told so."""
    first = c.ask()
    c.boot += 1
    second = c.ask()
    c.boot -= 1
    return first, second, c.answer()


def restarted(c):
    """The server before it has asked and may have executed the call: it is not to be
    made again."""
    first = c.ask()
    c.boot += 1
    c.say(REJECT, c.number(0x1C010006))
    return first, c.next(REQUEST, 1.5) is not None


def half(c):
    """An answer in two fragments."""
    asked, body = c.ask(), c.number(0)
    c.say(RESPONSE, body[:3], FRAG, fragnum=0, serial_lo=1)
    fack = c.next(FACK)
    c.say(RESPONSE, body[3:], FRAG | LAST | NOFACK, fragnum=1, serial_lo=2)
    return asked, fack.fragnum, c.next(ACK) is not None


def fragments(c):
    """A call in fragments, of which one is lost."""
    parts, p = {0: bytes(c.p.payload)}, c.p
    while not p.flags1 & LAST:
        p = c.next(REQUEST)
        parts[p.fragnum] = bytes(p.payload)
    # A fack with vers, pad, window_size, max_tsdu, max_frag_size, serial_num,
    # selack_len, selack: fragment 0 has come, and then fragment 2.
    c.say(FACK, struct.pack("<BBHIIHHI", 0, 0, 8, 4096, 4096, p.serial_hi << 8 | p.serial_lo, 1, 2), fragnum=0)
    again = c.next(REQUEST)
    whole = text_of(b"".join(parts[i] for i in sorted(parts)))
    return sorted(parts), again.fragnum, bytes(again.payload) == parts[1], whole.count("0123456789"), c.ask(), c.answer()


def status(c, n):
    return c.ask(), c.answer(n)


def fault(c):
    asked = c.ask()
    c.say(FAULT, c.number(0x1C000012))
    return asked, c.next(ACK) is not None


def busy(c):
    c.say(REJECT, c.number(0x1C010014))


def paused(c):
    return status(c, 2281)


def denied(c):
    return status(c, 5)


def truncated(c):
    return status(c, 2289)


def strange(c):
    return status(c, 0x12345678)


def text_of(body):
    """Returns the text of a message from HOST3 to us."""
    for want in (b"HOST3", address.encode(), None):
        most, offset, n = struct.unpack("<III", body[:12])
        s = body[12:12 + n]
        assert (most, offset) == (n, 0) and (want is None or s == want + b"\0"), s
        body = body[12 + n + -n % 4:]
    return s.decode("cp850").rstrip("\0")


def ept_map(p, peer):
    octets = tower(SEND, 1, 1026, address)
    stub = bytes(20) + struct.pack("<IIIII", 1, 4, 0, 1, 3) + struct.pack("<II", len(octets), len(octets)) + octets
    stub += bytes(-len(stub) % 4) + bytes(4)
    mapper.sendto(bytes(DceRpc4(ptype=RESPONSE, endian=LITTLE, object=NONE, if_id=MAPPER, act_id=p.act_id, server_boot=BOOT,
                                if_vers=3, seqnum=p.seqnum, opnum=3) / stub), peer)


CASES = {f.__name__: f for f in (
    plain, old, newer, big, trusting, twice, lost, working, nocall, foreign, another, crashed, restarted, half, fragments,
    fault, busy, paused, denied, truncated, strange)}
print("ready", flush=True)
while True:
    for s in select.select([mapper, own, stranger], [], [])[0]:
        raw, peer = s.recvfrom(65536)
        p = DceRpc4(raw)
        if p.ptype != REQUEST:
            continue
        if s == mapper:
            assert p.if_id == MAPPER and p.opnum == 3 and p.flags1 == IDEMPOTENT
            ept_map(p, peer)
        elif p.if_id == SEND and s == own:
            assert not p.flags1 & (MAYBE | IDEMPOTENT | BROADCAST)
            how = re.search(rb"as (\w+)", bytes(p.payload))[1].decode()
            print(how + ":", CASES[how](Call(p, peer)), flush=True)
