"""Writes mailslot datagrams in the forms in which senders have been seen to write
them, with the packet classes of scapy: datagrams.py BROADCAST OWN UNICAST"""
import socket
import struct
import sys

from scapy.layers.netbios import NBTDatagram
from scapy.layers.smb import SMB_Header

broadcast, own, unicast = sys.argv[1:]
MESSNGR = b"\\MAILSLOT\\MESSNGR"


def suffix(n):
    return (0x41 + (n >> 4)) << 8 | 0x41 + (n & 15)


def body(text, end=b"\0"):
    return b"SCAPY\0HOST2\0" + text.encode("cp850") + end


def transaction(data, name=MESSNGR, pad=None, pad_byte=b"\0", cls=2, priority=0, count=None, flags=0, timeout=0):
    begin = 32 + 1 + 34 + 2 + len(name) + 1
    pad = -begin % 4 if pad is None else pad
    words = struct.pack("<HHHHBBHIHHHHHBBHHH", 0, len(data), 0, 0, 0, 0, flags, timeout, 0, 0, 0,
                        len(data), begin + pad, 3, 0, 1, priority, cls)
    if count is None:
        count = len(name) + 1 + pad + len(data)
    return bytes([len(words) // 2]) + words + struct.pack("<H", count) + name + b"\0" + pad_byte * pad + data


ID = 100


def datagram(payload, kind=0x11, dst=("WORKGROUP", 0x00), flags=0x02, offset=0, same=False, **header):
    global ID
    if not same:
        ID += 1
    return bytes(NBTDatagram(
        Type=kind, Flags=flags, ID=ID, SourceIP=own, SourcePort=138, Length=68 + len(payload), Offset=offset,
        SourceName="SCAPY", SUFFIX1=suffix(0), DestinationName=dst[0], SUFFIX2=suffix(dst[1])) / payload)


def smb(payload, **fields):
    fields = {"Flags": 0, "PIDLow": 0, **fields}
    return bytes(SMB_Header(Command=0x25, **fields) / payload)


s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind((own, 138))
s.settimeout(5)


def send(text, to=broadcast, header={}, frame={}, end=b"\0", **form):
    s.sendto(datagram(smb(transaction(body(text, end), **form), **header), **frame), (to, 138))


# What must be taken: the text says in which form it came.
send("as [MS-MAIL] has it")
send("offset 87", pad=0)
send("offset 88, pad 42", pad_byte=b"\x42")
send("offset 91", pad=4)
send("lower case", name=b"\\mailslot\\messngr")
send("class 1", cls=1, priority=9)
send("flags 2, timeout 1000", flags=2, timeout=1000)
send("TID and UID FFFF", header={"TID": 0xFFFF, "UID": 0xFFFF})
send("PID FEFF", header={"Flags": 0x18, "Flags2": 0x04, "PIDLow": 0xFEFF})
send("PID and MID of Samba", header={"PIDLow": 4711, "MID": 12})
send("byte count of the data alone", count=40)
send("no last NUL", end=b"")
send("one NUL too many", end=b"\0\0")
send("to HOST2<00>", to=unicast, frame={"kind": 0x10, "dst": ("HOST2", 0)})
send("to HOST2<03>", to=unicast, frame={"kind": 0x10, "dst": ("HOST2", 3)})
send("to HOST2<01>", to=unicast, frame={"kind": 0x10, "dst": ("HOST2", 1)})
send("to everybody", frame={"kind": 0x12, "dst": ("*" + "\0" * 14, 0)})
send("to WORKGROUP<1e>", frame={"dst": ("WORKGROUP", 0x1E)})
send("to WORKGROUP<1d>", frame={"dst": ("WORKGROUP", 0x1D)})
send("of an H node", frame={"flags": 0x0E})
send("caf\u00e9 \x14two lines")
whole = smb(transaction(body("in fragments")))
s.sendto(datagram(whole[:60], flags=0x03), (broadcast, 138))
s.sendto(datagram(whole[60:], flags=0x00, offset=60, same=True), (broadcast, 138))

# What must not.
send("to another workgroup", frame={"dst": ("OTHER", 0)})
send("to another mailslot", name=b"\\MAILSLOT\\OTHER")
send("not a datagram", frame={"kind": 0x99})
s.sendto(b"", (broadcast, 138))
s.sendto(bytes(65507), (unicast, 138))
s.sendto(datagram(smb(transaction(body("data past the end"))[:-30])), (broadcast, 138))
s.sendto(datagram(smb(transaction(b"SCAPY\0" + b"a name without end" * 20))), (broadcast, 138))
s.sendto(datagram(smb(transaction(b"\x01 half of an announcement", name=b"\\MAILSLOT\\BROWSE"))), (broadcast, 138))
s.sendto(bytes([0x13, 0x02, 0, 1]) + socket.inet_aton(own) + b"\0\x8a\x82", (broadcast, 138))  # DATAGRAM ERROR
whole = smb(transaction(body("never shown")))
s.sendto(datagram(whole[:60], flags=0x03), (broadcast, 138))
s.sendto(datagram(whole[50:], flags=0x00, offset=50, same=True), (broadcast, 138))  # over the first
s.sendto(datagram(whole[60:], flags=0x00, offset=60, same=True), (broadcast, 138))  # without a first
s.sendto(datagram(whole[:60], flags=0x03), (broadcast, 138))  # never ends
send("to nobody, by broadcast", frame={"kind": 0x10, "dst": ("NOBODY", 3)})  # must not be answered
send("to a name that is nobody's", to=unicast, frame={"kind": 0x10, "dst": ("NOBODY", 3)})
while True:  # our own broadcasts come back
    answer, peer = s.recvfrom(2000)
    if peer[0] == unicast:
        print(answer[:1].hex(), answer[-1:].hex(), NBTDatagram(answer[:10] + bytes(72)).ID == ID)
        break
