"""Calls a Messenger Service over datagrams as no program of ours would, with the
packet classes of scapy, and prints what came of each call: calls.py SERVER"""
import socket
import struct
import sys
import time
from uuid import UUID, uuid4

sys.dont_write_bytecode = True
from dce import *  # noqa: beside this file

server = sys.argv[1]


def stub(text, endian=LITTLE, sender=b"SCAPY", to=b"HOST2", **lies):
    return string(sender, endian) + string(to, endian) + string(text.encode("cp850"), endian, **lies)


class Activity:
    """A caller: a socket, an activity and its sequence."""

    def __init__(self, endian=LITTLE, port=135, patience=5):
        self.endian, self.port, self.seq, self.boot = endian, port, 0, 0
        self.id, self.asked, self.facks, self.reply = uuid4(), [], 0, None
        # How conv_who_are_you and conv_who_are_you2 are answered.
        self.two, self.lie = True, 0
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.settimeout(patience)

    def packet(self, kind, body=b"", flags=0, **fields):
        head = dict(ptype=kind, flags1=flags, endian=self.endian, object=NONE, if_id=SEND, act_id=self.id,
                    server_boot=self.boot, if_vers=1, seqnum=self.seq)
        return bytes(DceRpc4(**{**head, **fields}) / body)

    def send(self, packet):
        self.s.sendto(packet, (server, self.port))

    def who(self, p, peer):
        """Answers the server's question whether we are there."""
        self.asked.append(p.opnum)
        o = order(self.endian)
        answer = dict(if_id=CONV, if_vers=3, act_id=p.act_id, seqnum=p.seqnum, opnum=p.opnum, server_boot=p.server_boot, endian=self.endian)
        assert bytes(p.payload)[:16] == uuid(self.id, p.endian), "asks about another activity"
        if p.opnum == 1 and not self.two:  # such as a client of 1993
            out = self.packet(REJECT, struct.pack(o + "I", 0x1C010002), **answer)
        else:
            cas = uuid(uuid4(), self.endian) if p.opnum == 1 else b""
            out = self.packet(RESPONSE, struct.pack(o + "I", self.seq + self.lie) + cas + struct.pack(o + "I", 0), NOFACK, **answer)
        self.s.sendto(out, peer)

    def result(self):
        """Returns what the server says, after its questions have been answered."""
        while True:
            try:
                raw, peer = self.s.recvfrom(65536)
            except socket.timeout:
                return "nothing"
            p = DceRpc4(raw)
            assert peer[0] == server and len(raw) == 80 + p.len, "from %s, %d bytes" % (peer, len(raw))
            if p.ptype == REQUEST and p.if_id == CONV:
                if self.two is not None:
                    self.who(p, peer)
                continue
            assert p.act_id == self.id, "an answer to another activity"
            if p.seqnum != self.seq:  # an answer that waits for its acknowledgement
                continue
            if p.ptype == FACK:
                self.facks += 1
                continue
            if p.ptype == WORKING:
                continue
            if p.server_boot:
                self.boot = p.server_boot
            o, body = order(p.endian), bytes(p.payload)
            if p.ptype == RESPONSE:
                self.reply, self.reply_order = body, o
                return "response %d" % struct.unpack(o + "I", body[-4:])
            if p.ptype in (FAULT, REJECT):
                return "%s %08x" % ("fault" if p.ptype == FAULT else "reject", struct.unpack(o + "I", body[:4])[0])
            return {NOCALL: "nocall"}.get(p.ptype, "type %d" % p.ptype)

    def call(self, body, flags=0, **fields):
        self.send(self.packet(REQUEST, body, flags, **fields))
        return self.result()

    def ack(self):
        self.send(self.packet(ACK))
        time.sleep(0.05)

    def fragments(self, body, size):
        parts = [body[i:i + size] for i in range(0, len(body), size)]
        return [self.packet(REQUEST, part, FRAG | (LAST if i == len(parts) - 1 else 0), fragnum=i, serial_lo=i)
                for i, part in enumerate(parts)]


def mapped(endian, interface=SEND, major=1):
    """Asks the endpoint mapper for a port."""
    octets = tower(interface, major)
    o = order(endian)
    body = struct.pack(o + "I", 1) + bytes(16) + struct.pack(o + "III", 2, len(octets), len(octets)) + octets
    body += bytes(-len(body) % 4) + bytes(20) + struct.pack(o + "I", 4)
    a = Activity(endian)
    said = a.call(body, IDEMPOTENT, if_id=MAPPER, if_vers=3, opnum=3)
    if said != "response 0":
        return said
    o, reply = a.reply_order, a.reply
    n, most, offset, count = struct.unpack(o + "IIII", reply[20:36])
    assert (n, most, offset, count) == (1, 4, 0, 1), "counts of towers: %s" % ((n, most, offset, count),)
    size, length = struct.unpack(o + "II", reply[40:48])
    assert size == length and a.asked == []
    octets = reply[48:48 + length]
    found = struct.unpack(">H", octets[-11:-9])[0]
    assert octets == tower(interface, major, found, server), octets.hex()
    return found


def say(name, *results):
    print(name + ":", *results, flush=True)


# How a caller finds the service.
ports = [mapped(e) for e in (LITTLE, BIG)]
say("mapped", ports[0] == ports[1] and ports[0] > 0 and ports[0] != 135)
say("mapped for an interface that is not there", mapped(LITTLE, UUID(int=7)))
port = ports[0]

# At most once: the server asks whether we are there.
for name, endian in ("little", LITTLE), ("big", BIG):
    a = Activity(endian, port)
    say(name, a.call(stub(name + " endian", endian)), a.asked)
    a.ack()
    a.seq += 1
    say(name + ", the next call", a.call(stub(name + " endian, the next", endian)), len(a.asked))
    a.ack()
a = Activity()
say("to 135", a.call(stub("to port 135")), a.asked)
a.ack()
a = Activity(port=port)
a.two = False
say("a caller that knows no who_are_you2", a.call(stub("from an old caller")), a.asked)
a.ack()

# Again, and out of sequence.
a = Activity(port=port)
a.seq = 7
request = a.packet(REQUEST, stub("sent twice"))
a.send(request)
first, reply = a.result(), a.reply
a.send(request)
say("replayed", first, a.result(), a.reply == reply, len(a.asked))
a.s.settimeout(0.5)
a.seq = 3
say("an old sequence", a.call(stub("of an old sequence")))
a.seq = 0x7FFFFFFF
say("a new sequence acknowledges", a.call(stub("of a later sequence")))
a.ack()

# Who does not answer, or not the truth, is not heard.
a = Activity(port=port, patience=0.5)
a.two = None
say("a caller that is not there", a.call(stub("of nobody")))
a = Activity(port=port, patience=0.5)
a.lie = 5
say("a caller that answers of another call", a.call(stub("of a liar")))
a, b = Activity(port=port), Activity(port=port)
first = a.call(stub("of an activity"))
a.ack()
b.id, b.seq = a.id, 1
say("the same activity from elsewhere", first, b.call(stub("of its double")), b.asked)

# What is refused, and how.
a = Activity(port=port, patience=0.5)
a.boot = 0x01020304
say("another boot time", a.call(stub("of another boot time")))
say("an unknown interface", Activity(port=port).call(bytes(4), if_id=UUID(int=9)))
say("another major version", Activity(port=port).call(bytes(4), if_vers=2))
say("an operation out of range", Activity(port=port).call(bytes(4), opnum=1))
say("authenticated", Activity(port=port, patience=0.5).call(stub("authenticated"), auth_proto=1))
say("a ping of nothing", (lambda a: (a.send(a.packet(PING)), a.result())[1])(Activity(port=port)))
say("another name", Activity(port=port).call(stub("to another", to=b"NOBODY")))

# Whose sender cannot be asked.
one_way = [("idempotent", IDEMPOTENT), ("maybe", MAYBE), ("broadcast", BROADCAST | IDEMPOTENT),
           ("all of them", 0x78)]
for name, flags in one_way:
    say(name, Activity(port=port, patience=0.5).call(stub(name, sender=b"ANYBODY"), flags))
# As one was seen in 2003: exploitdb, exploits/windows/dos/111.c.
head = bytes.fromhex("0400280010000000" + "00" * 16 + "f8917b5a00ffd011a9b200c04fb6e6fc") + uuid4().bytes \
    + bytes.fromhex("00000000" "01000000" "00000000" "0000" "ffff" "ffff")
body = stub("as in 2003", sender=b"ANYBODY")
a = Activity(port=135, patience=0.5)
a.id = UUID(bytes_le=head[40:56])
a.send(head + struct.pack("<H", len(body)) + bytes(4) + body)
say("as in 2003", a.result())

# Fragments.
long = "fragments " + "0123456789" * 380
for name, arrange in ("in order", lambda f: f), ("from the end", lambda f: f[::-1]), \
        ("doubled", lambda f: [x for x in f for _ in range(3)]), ("odd ones first", lambda f: f[1::2] + f[::2]):
    a = Activity(port=port)
    for f in arrange(a.fragments(stub(name + ": " + long), 500)):
        a.send(f)
    say("fragments " + name, a.result(), a.asked, a.facks > 0)
    a.ack()
a = Activity(port=port, patience=0.5)
parts = a.fragments(stub("one is lost: " + long), 500)
for f in parts[:3] + parts[4:]:
    a.send(f)
lost = a.result()
a.send(parts[3])
say("one fragment late", lost, a.result())
a.ack()
a = Activity(port=port, patience=0.5)
for f in parts[:-1]:
    a.send(f.replace(uuid(UUID(bytes_le=f[40:56]), LITTLE), uuid(a.id, LITTLE)))
say("the last fragment never", a.result())

# Counts that lie, in a stub of which nothing else is wrong.
for name, lies in ("more than there is", dict(actual=400)), ("4 GiB", dict(most=0xFFFFFFFF, actual=0xFFFFFFFF)), \
        ("an offset", dict(offset=1)), ("more than the most", dict(most=2)), ("nothing, not even a NUL", dict(actual=0)):
    a = Activity(port=port)
    say("counts: " + name, a.call(stub("lies", **lies)))
    a.ack()
say("no arguments", Activity(port=port, patience=0.5).call(b""))
say("14 bytes", Activity(port=port, patience=0.5).call(stub("x")[:14]))
say("36 bytes", Activity(port=port).call(stub("x")[:36]))

# What overran the buffer of Windows: MS03-043.
a = Activity(port=port)
for f in a.fragments(stub("\x14" * 3992, sender=b"MS03-043"), 1000):
    a.send(f)
say("3992 line ends", a.result())
a.ack()

# No call at all.
a = Activity(port=port, patience=0.5)
whole = a.packet(REQUEST, stub("cut"))
for n in 0, 1, 79, 81, len(whole) - 1:
    a.send(whole[:n])
a.send(b"\x05" + whole[1:])
a.send(a.packet(REQUEST, stub("of length"), len=0xFFFF))
for kind in range(10, 256, 49):
    a.send(a.packet(kind, b"x"))
say("no calls", a.result())
a = Activity(port=port)
say("after all that", a.call(stub("after all that")), a.asked)
a.ack()
