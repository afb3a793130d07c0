"""The JSON export: exactly the filtered events with what `verify_audit.py` needs to verify them elsewhere.

One entry a line, so that a file of any size is written and read in little memory. The events are those that are sealed
up to the head; after them come the digests of every position from the first exported one to the head: they tie each
record to the head, and tell nothing alone. What waits for its seal is counted, and stands in a section of its own for
who asked for it: nothing ties it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dashboard.audit import searching
from dashboard.audit.searching import EventFilter, Found, Reach, Reader
from dashboard.audit.verify_audit import FORMAT, GENESIS, Head, moment, number
from dashboard.audit.verifying import parts_of, spelled


def _spelled(value: object) -> str:
    """What JSON has no word for. A number with decimals stands in no payload: it is told as what it is."""
    return number(value) if isinstance(value, Decimal) else str(value)


_ENCODE = json.JSONEncoder(ensure_ascii=False, default=_spelled).encode


def payload_state(found: Found, reader: Reader) -> str:
    """none, erased, withheld (from this reader, in part or in full) or whole."""
    if found.payload is None:
        return "none"
    if found.erased:
        return "erased"
    hidden = not reader.sees_payload(found.event) or (found.payload.restricted is not None and not reader.restricted)
    return "withheld" if hidden else "whole"


def _record(number: int, found: Found, reader: Reader, *, sealed: bool) -> dict[str, Any]:
    event, state = found.event, payload_state(found, reader)
    said = spelled(event, found.actor_salt)
    if not reader.sees_name(event):
        said |= {"actor_name": None, "address": None, "actor_salt": None}
    # what was sealed while the file is written lies beyond its head
    seal = found.seal if sealed else None
    shown = found.payload if state in {"whole", "erased"} else None
    parts = parts_of(shown)
    if state == "withheld" and found.payload is not None and reader.sees_payload(event):
        parts = {**(parts_of(found.payload) or {}), "restricted": None}
    return {
        "number": number,
        **said,
        "payload_state": state,
        "salt": shown.salt if shown else None,
        "payload": parts,
        "seal": {
            "position": seal.position,
            "hash": seal.hash,
            "sealed_at": moment(seal.sealed_at),
            "actor_digest": seal.actor_digest,
        }
        if seal is not None
        else None,
    }


def _entry(record: Mapping[str, Any], *, first: bool) -> bytes:
    return (("" if first else ",\n") + _ENCODE(record)).encode("utf-8", "surrogatepass")


def chunks(
    about: Mapping[str, Any], chosen: EventFilter, *, reader: Reader, reach: Reach | None = None, waiting: bool = False
) -> Iterator[bytes]:
    """The file in parts. `about` says what was filtered, by whom, as of when; JSON-ready. `reach`: how far the chain
    reached; asked now by default. `waiting`: also what waits for its seal, apart."""
    reach = reach or searching.reach(chosen, reader=reader)
    head, last = reach.head, reach.last
    complete = chosen == EventFilter() and reader.restricted and reader.of_clients
    up_to = {"position": head.position, "at": head.at} if head else None
    said = {**about, "sealed_up_to": up_to, "waiting": reach.waiting, "complete": complete}
    yield f'{{\n"format": "{FORMAT}",\n"about": {_ENCODE(said)},\n"events": [\n'.encode()
    count, first = 0, last + 1
    for found in searching.every(chosen, reader=reader, last=last):
        count += 1
        record = _record(count, found, reader, sealed=True)
        first = min(first, record["seal"]["position"])
        yield _entry(record, first=count == 1)
    start = Head(first - 1, searching.hash_at(first - 1) or GENESIS)
    yield f'\n],\n"start": {{"position": {start.position}, "hash": "{start.hash}"}},\n"chain": [\n'.encode()
    position = start.position
    for part in searching.digests(start.position, last):
        yield _entry({"from": position + 1, "digests": part}, first=position == start.position)
        position += len(part)
    unsealed = 0
    if waiting:
        yield b'\n],\n"waiting": [\n'
        for found in searching.every(chosen, reader=reader, last=last, sealed=False):
            unsealed += 1
            yield _entry(_record(unsealed, found, reader, sealed=False), first=unsealed == 1)
    end = {
        "events": count,
        "waiting": unsealed,
        "head": {"position": head.position, "hash": head.hash} if head else None,
    }
    yield f'\n],\n"end": {_ENCODE(end)}\n}}\n'.encode()
