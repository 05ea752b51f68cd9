#!/usr/bin/env python3
"""Check what --json printed against docs/json.md.

    jsonl.py FILE...

Every line must be an object in printable ASCII, of a type that the document
has, with all members that it promises, none that it lacks, and values of their
kind.  Prints the types, one per line, in the order of the objects."""
import base64
import json
import pathlib
import re
import sys
from datetime import datetime

DOC = pathlib.Path(__file__).resolve().parents[2] / "docs" / "json.md"


def document():
    types, members = {}, None
    for line in DOC.read_text().splitlines():
        if m := re.fullmatch(r"### `(\w+)`", line):
            members = types.setdefault(m.group(1), {})
        elif line.startswith("## "):
            members = None
        elif members is not None and (
                m := re.match(r"\| `(\w+)` \| (\w+)(\?)? \|", line)):
            members[m.group(1)] = (m.group(2), m.group(3) is not None)
    return types


def check_value(o, name, kind):
    v = o[name]
    if kind == "number":
        assert type(v) is int and 0 <= v < 2**63, (name, v)
    elif kind == "bool":
        assert type(v) is bool, (name, v)
    elif kind == "texts":
        assert type(v) is list and all(type(t) is str for t in v), (name, v)
    elif kind == "hex":
        assert re.fullmatch("(?:[0-9a-f]{2})+", v), (name, v)
    elif kind == "time":
        m = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z", v)
        assert m, (name, v)
        t = datetime.fromisoformat(m.group(1) + "+00:00")
        assert int(t.timestamp()) * 10**9 + int(m.group(2)) == \
            o[name + "_ns"], (name, v)
    else:
        assert kind in ("text", "name") and type(v) is str, (name, v)
        v.encode()  # no lone surrogates
        raw = o.get(name + "_b64")
        assert raw is None or kind == "name", (name, v)
        if raw is not None:
            raw = base64.b64decode(raw, validate=True)
            assert raw.decode(errors="replace") != raw, name
            try:
                raw.decode()
                raise SystemExit(f"{name}_b64 is needless")
            except UnicodeDecodeError:
                pass


def check(line, types):
    assert re.fullmatch(rb"[ -~]*\n", line), line
    o = json.loads(line)
    members = types[o["type"]]
    for name, (kind, optional) in members.items():
        if name in o:
            check_value(o, name, kind)
        else:
            assert optional, f"{o['type']} lacks {name}"
    known = {"type"} | set(members)
    known |= {n + "_ns" for n, (k, _) in members.items() if k == "time"}
    known |= {n + "_b64" for n, (k, _) in members.items() if k == "name"}
    assert not set(o) - known, f"not documented: {set(o) - known}"
    return o["type"]


def main():
    types = document()
    assert len(types) > 10
    for path in sys.argv[1:]:
        with open(path, "rb") as f:
            for line in f:
                print(check(line, types))


main()
