"""Asks for message names and changes them, with the RPC client of Samba, which
finds the port at the endpoint mapper: names.py SMB.CONF SERVER [BINDING OPTION]"""
import struct
import sys

from samba import NTSTATUSError
from samba.dcerpc import base
from samba.param import LoadParm

conf, server, *options = sys.argv[1:]
o = ">" if "bigendian" in options else "<"
ADD, ENUM, INFO, DEL = 0, 1, 2, 3
ALL = 0xFFFFFFFF
MSGSVC = ("17fdd703-1827-4e34-79d4-24a55c53bb37", 1)


def connect():
    binding = "ncacn_ip_tcp:" + server + ("[,%s]" % ",".join(options) if options else "")
    return base.ClientConnection(binding, MSGSVC, LoadParm(filename_for_non_global_lp=conf))


def u32(*numbers):
    return struct.pack("%s%dI" % (o, len(numbers)), *numbers)


def wide(s):
    """[string] wchar_t*"""
    units = s.encode("utf-16-le" if o == "<" else "utf-16-be") + bytes(2)
    n = len(units) // 2
    return u32(n, 0, n) + units


def stub(*parts):
    b = b""
    for part in parts:
        b += bytes(-len(b) % 4) + part
    return b


def handle(s):
    """[string, unique] MSGSVC_HANDLE"""
    return u32(0) if s is None else u32(0x20000) + wide(s)


class Reader:
    def __init__(self, b):
        self.b, self.at = b, 0

    def u32(self):
        self.at += -self.at % 4
        self.at += 4
        return struct.unpack(o + "I", self.b[self.at - 4:self.at])[0]

    def wide(self):
        most, offset, n = self.u32(), self.u32(), self.u32()
        assert most == n and offset == 0
        s = self.b[self.at:self.at + 2 * n].decode("utf-16-le" if o == "<" else "utf-16-be")
        self.at += 2 * n
        assert s[-1] == "\0"
        return s[:-1]

    def infos(self, level, n):
        """MSG_INFO_0 or MSG_INFO_1, and then what their pointers point to."""
        for _ in range(n):
            assert self.u32() != 0
            if level == 1:
                assert (self.u32(), self.u32()) == (0, 0)  # forward_flag, forward
        return [self.wide() for _ in range(n)]

    def end(self):
        status = self.u32()
        assert self.at == len(self.b), "%d bytes too many" % (len(self.b) - self.at)
        return status


def call(op, stub):
    try:
        return Reader(service.request(op, stub))
    except NTSTATUSError as e:
        return "%08x" % (e.args[0] & 0xFFFFFFFF)


def say(what, *results):
    print(what + ":", *results, flush=True)


def change(op, name, server_name=None):
    r = call(op, stub(handle(server_name), wide(name)))
    return r if isinstance(r, str) else r.end()


def enum(level, most=ALL, resume=None):
    r = call(ENUM, stub(handle("\\\\HOST2"), u32(level, level, 0x20004, 0, 0, most), u32(0) if resume is None else u32(0x20008, resume)))
    if isinstance(r, str):
        return r
    assert (r.u32(), r.u32()) == (level, level) and r.u32() != 0
    n, names = r.u32(), []
    if r.u32() != 0:
        assert r.u32() == n
        names = r.infos(level, n)
    total = r.u32()
    following = r.u32() and r.u32()
    return names, total, following, r.end()


def info(name, level):
    r = call(INFO, stub(handle(None), wide(name), u32(level)))
    if isinstance(r, str):
        return r
    assert r.u32() == level
    names = r.infos(level, 1) if r.u32() else []
    return names, r.end()


service = connect()
say("enum 0", enum(0))
say("add", change(ADD, "Alice"))
say("add, to a server by name", change(ADD, "BOB", "\\\\HOST2"))
say("add again", change(ADD, "ALICE"))
say("add again, the stub rounded up", call(ADD, stub(handle(None), wide("BOB")) + bytes(2)).end())
say("add the computer's", change(ADD, "HOST2"))
say("add one that another host has", change(ADD, "TAKEN"))
say("add nothing", change(ADD, ""))
say("add what is too long", change(ADD, "ABCDEFGHIJKLMNOPQRS"))
say("enum 0", enum(0))
say("enum 1", enum(1))
say("enum 2", enum(2))
say("enum 0, room for little", enum(0, 40, 0))
say("enum 1, room for nothing", enum(1, 10))
say("enum 0, more room than there may be", enum(0, 11777))
say("enum 1, the same", enum(1, 11777))
say("enum 0, resumed", enum(0, ALL, 2))
say("enum 0, resumed past the end", enum(0, ALL, 99))
say("info 0", info("alice", 0))
say("info 1", info("HOST2", 1))
say("info 2", info("HOST2", 2))
say("info of nobody's", info("NOBODY", 0))
say("info of nothing", info("", 0))
say("delete", change(DEL, "bob"))
say("delete again", change(DEL, "BOB"))
say("delete the computer's", change(DEL, "HOST2"))
say("delete what was too long", change(DEL, "ABCDEFGHIJKLMNO"))
say("delete nothing", change(DEL, ""))
say("an operation out of range", call(4, b""))
service = connect()
say("no arguments", call(ADD, b""))
service = connect()
say("a count that lies", call(ADD, handle(None) + u32(0x7FFFFFFF, 0, 0x7FFFFFFF) + bytes(8)))
service = connect()
say("enum 0, at last", enum(0))
