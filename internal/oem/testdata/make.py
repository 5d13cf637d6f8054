#!/usr/bin/env python3
"""Writes single.txt and double.txt beside itself, from CPython's codecs and
glibc's iconv. Only upper.go was made from CPython too; of its pages iconv
confirms all but 720. Made with CPython 3.11.7 and glibc 2.36; takes minutes."""

import os
import subprocess

SINGLE = [437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864,
          865, 866, 869, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257,
          1258, 28591]

# Where Microsoft's published tables (unicode.org, MICSFT/WindowsBestFit) know
# better: Python's cp1255 is older; its cp950 has characters where the page's
# users define theirs, and writes four characters by their other code.
PATCH_1255 = {0xCA: 0x05BA}
USER_950 = range(0xC6A1, 0xC8FF)
WRITE_950 = {"═": 0xF9F9, "╞": 0xF9E9, "╪": 0xF9EA, "╡": 0xF9EB}


def iconv(source, target, data):
    return subprocess.run(["iconv", "-f", source, "-t", target], input=data,
                          capture_output=True, check=False)


def decode(data, codec):
    """The one character that data stands for, or None."""
    try:
        s = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return s if len(s) == 1 else None


def single(out):
    out.write("# page, first byte, the characters of 16 bytes; ---- where there is none.\n"
              "# Made by make.py from CPython's codecs; glibc's iconv agrees where it has the page.\n")
    for page in SINGLE:
        codec = "latin-1" if page == 28591 else "cp%d" % page
        chars = [decode(bytes([b]), codec) for b in range(256)]
        for b in range(256):
            name = {858: "IBM858", 28591: "ISO-8859-1"}.get(page, "CP%d" % page)
            got = iconv(name, "UTF-8", bytes([b]))
            if page != 720 and (got.stdout.decode() if got.returncode == 0 else None) != chars[b]:
                raise SystemExit("iconv and Python differ: page %d, byte %#x" % (page, b))
        if page == 1255:
            for b, r in PATCH_1255.items():
                chars[b] = chr(r)
        for row in range(0, 256, 16):
            cells = ["%04X" % ord(c) if c else "----" for c in chars[row:row + 16]]
            out.write("%d %02X %s\n" % (page, row, " ".join(cells)))


def double(out):
    out.write("# page, first code, characters of it and the codes that follow.\n"
              "# page, code > the other code by which its character is written.\n"
              "# User-defined characters are left out. Made by make.py: 932, 936 and 949 from\n"
              "# glibc's iconv, with what GB 18030 adds to 936 from CPython's gb18030; 950 from\n"
              "# CPython's cp950.\n")
    for page in (932, 936, 949, 950):
        table = {}
        for code in list(range(0x80, 0x100)) + list(range(0x8100, 0x10000)):
            data = bytes([code]) if code < 0x100 else bytes([code >> 8, code & 0xFF])
            if len(data) == 2 and data[0] in table:
                continue
            if page == 950:
                c = decode(data, "cp950") if code not in USER_950 else None
            else:
                got = iconv("CP%d" % page, "UTF-8", data)
                c = got.stdout.decode() if got.returncode == 0 else None
                if page == 936 and c is None:
                    c = decode(data, "gb18030")
            if c is None or len(c) != 1 or 0x80 <= ord(c) < 0xA0 or 0xE000 <= ord(c) < 0xF900:
                continue
            table[code] = c
        rows = []
        for code, c in table.items():
            if rows and rows[-1][0] + len(rows[-1][1]) == code and code & 0xFF:
                rows[-1][1].append(c)
            else:
                rows.append((code, [c]))
        for code, chars in rows:
            out.write("%d %02X %s\n" % (page, code, "".join(chars)))
        codes = {}
        for code, c in table.items():
            codes.setdefault(c, []).append(code)
        for c, all_codes in codes.items():
            if len(all_codes) > 1:
                if page == 950:
                    written = WRITE_950.get(c) or int.from_bytes(c.encode("cp950"), "big")
                else:
                    written = int.from_bytes(iconv("UTF-8", "CP%d" % page, c.encode()).stdout, "big")
                for code in all_codes:
                    if code != written:
                        out.write("%d %X > %X\n" % (page, code, written))


os.chdir(os.path.dirname(os.path.abspath(__file__)))
for name, write in (("single.txt", single), ("double.txt", double)):
    with open(name, "w", encoding="utf-8") as f:
        write(f)
