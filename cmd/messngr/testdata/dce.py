"""What a caller and a server of datagram RPC share, on top of scapy's classes."""
import socket
import struct
from uuid import UUID

from scapy.layers.dcerpc import DceRpc4, DceRpc4Payload
from scapy.packet import Raw


class Stub(Raw):
    """What follows a header: scapy prints a line when it knows no class for it."""

    @classmethod
    def can_handle(cls, *_):
        return True


DceRpc4Payload.register_possible_payload(Stub)

SEND = UUID("5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc")
MAPPER = UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa")
CONV = UUID("333a2276-0000-0000-0d00-00809c000000")
NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")
NONE = UUID(int=0)
REQUEST, PING, RESPONSE, FAULT, WORKING, NOCALL, REJECT, ACK, FACK = 0, 1, 2, 3, 4, 5, 6, 7, 9
LAST, FRAG, NOFACK, MAYBE, IDEMPOTENT, BROADCAST = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
BIG, LITTLE = 0, 1


def order(endian):
    return "<" if endian == LITTLE else ">"


def string(s, endian, most=None, offset=0, actual=None):
    s += b"\0"
    counts = (len(s) if most is None else most, offset, len(s) if actual is None else actual)
    return struct.pack(order(endian) + "III", *counts) + s + bytes(-len(s) % 4)


def uuid(u, endian):
    return u.bytes_le if endian == LITTLE else u.bytes


def floor(left, right):
    return struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right


def tower(interface, major, port=0, address="0.0.0.0"):
    """The octets of a tower of ncadg_ip_udp."""
    return struct.pack("<H", 5) + floor(b"\x0d" + interface.bytes_le + struct.pack("<H", major), bytes(2)) \
        + floor(b"\x0d" + NDR.bytes_le + struct.pack("<H", 2), bytes(2)) \
        + floor(b"\x0a", bytes(2)) + floor(b"\x08", struct.pack(">H", port)) + floor(b"\x09", socket.inet_aton(address))
