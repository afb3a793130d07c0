#!/usr/bin/env python3
"""Verify an exported audit file on any machine: Python 3.9 or newer, its standard library, and this file.

    python3 verify_audit.py audit.json [--heads heads.jsonl]

Each record is spelled in one canonical way and hashed; the hash of each position covers the one before. The file holds
the digests of all records from its first to the head, so that every exported record is tied to the head. Compare the
head that is printed with one you were given another way; `--heads` does it with the file in which heads were kept
outside the database. Exit code 0: everything fits. 1: something does not, and the first broken record is named. 2: the
file could not be read as such an export, or nothing of it could be compared with the kept heads. 3: what is sealed
fits, and the file also holds records without a seal, which nothing can verify.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = "countinghouse audit 1"
#: what the first position has instead of a hash before it
GENESIS = "0" * 64
#: what a purge leaves of the name of an app that acted for one client
ERASED_NAME = "front office"
PARTS = ("before", "after", "reason", "restricted")
#: of these the file is made, in this order; `waiting` only where somebody asked for it
SECTIONS = ("format", "about", "events", "start", "chain", "waiting", "end")
#: sections of many entries
LISTS = ("events", "chain", "waiting")
#: characters of one line, digits of one number: no export has more, and no reader is kept busy by them
LONGEST_LINE = 64 * 1024 * 1024
LONGEST_NUMBER = 4_000
#: bytes of a file in another layout: it is read as a whole
LARGEST_DOCUMENT = 512 * 1024 * 1024

# --- how a record is spelled and hashed ---------------------------------------------------------------------------


def field(value: str | None) -> bytes:
    """A netstring: the length in bytes, a colon, the text, a comma; `-,` for nothing. No two lists spell alike."""
    if value is None:
        return b"-,"
    said = value.encode("utf-8", "surrogatepass")
    return b"%d:%b," % (len(said), said)


def _hashed(*values: str | None) -> str:
    return hashlib.sha256(b"".join(field(value) for value in values)).hexdigest()


def number(value: object) -> str:
    """A number with decimals never stands in a payload (they are text): it must not spell as that text does."""
    return f"number {value}"


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, UTF-8."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=number)
    return text.encode("utf-8", "surrogatepass")


def payload_digest(salt: str, payload: Mapping[str, Any]) -> str:
    """SHA-256 in hex over salt and canonical payload."""
    return hashlib.sha256(salt.encode("utf-8", "surrogatepass") + canonical(payload)).hexdigest()


def actor_digest(salt: str, name: str | None, address: str | None) -> str:
    """Over name and address of an app that acted for one client: they may be erased one day, so they lie apart."""
    return hashlib.sha256(salt.encode("utf-8", "surrogatepass") + field(name) + field(address)).hexdigest()


def apart(event: Mapping[str, Any]) -> bool:
    """Whether name and address are covered by a salted digest of their own."""
    return event["actor_kind"] == "token" and event["client_id"] is not None


def record_digest(event: Mapping[str, Any], *, sealed_at: str, actor: str | None) -> str:
    """SHA-256 in hex over everything an event says, with the digest of its payload. `actor`: the digest of name and
    address where they lie apart. Times are `2026-03-13T06:42:00.000000Z`, identifiers in small letters."""
    own = None if apart(event) else event
    return _hashed(
        event["id"],
        event["occurred_at"],
        event["actor_kind"],
        event["actor_id"],
        event["actor_role"],
        own["actor_name"] if own else None,
        own["address"] if own else None,
        actor,
        event["request_id"],
        event["action"],
        event["object_type"],
        event["object_id"],
        event["client_id"],
        event["payload_digest"],
        sealed_at,
    )


def chain_hash(previous: str, position: int, digest: str) -> str:
    """The hash of one position: over the one before, the position, and the digest of its record."""
    return _hashed(FORMAT, previous, str(position), digest)


def wrong_with_record(event: Mapping[str, Any], *, digest: str | None, sealed_at: str, actor: str | None) -> str | None:
    """What an event and its seal do not agree in. A name that is not shown (None with a digest) cannot be compared."""
    if apart(event):
        if actor is None:
            return "the digest of the actor's name is missing"
        salt = event["actor_salt"]
        if salt is None and (event["actor_name"], event["address"]) != (None, None):
            return "the actor's name has lost the salt of its digest"
        if salt == "" and (event["actor_name"], event["address"]) != (ERASED_NAME, None):
            return "the actor's name was changed: it does not fit its digest"
        if salt and actor_digest(salt, event["actor_name"], event["address"]) != actor:
            return "the actor's name or address was changed: it does not fit its digest"
    elif actor is not None:
        return "the digest of the actor's name does not belong there"
    if digest is not None and record_digest(event, sealed_at=sealed_at, actor=actor) != digest:
        return "the record was changed: it does not fit its digest"
    return None


def wrong_with_payload(digest: str | None, salt: str | None, parts: Mapping[str, Any] | None) -> str | None:
    """What is wrong with a payload that is here in full. An empty salt without content is an erased one."""
    if digest is None:
        return None if parts is None else "the record has a payload that it never had"
    if parts is None or salt is None:
        return "the payload is missing"
    if salt == "":
        return None if all(value is None for value in parts.values()) else "the payload was changed: its salt is gone"
    if set(parts) != set(PARTS):
        return "the payload has a part that no record has"
    if payload_digest(salt, {part: parts[part] for part in PARTS}) != digest:
        return "the payload was changed: it does not fit its digest"
    return None


# --- reading an export --------------------------------------------------------------------------------------------


class Unreadable(Exception):
    """The file is no export of this kind."""


class Damaged(Unreadable):
    """The file is one, and was damaged or cut off."""


class _Begins:
    """Stands for the beginning of a list."""


BEGINS = _Begins()


class Head(NamedTuple):
    """The last position at some moment, with its hash."""

    position: int
    hash: str
    at: str = ""


class Broken(NamedTuple):
    """One thing that does not fit. `position` is None where it has none."""

    position: int | None
    what: str
    event: str | None = None

    def sentence(self) -> str:
        """Position 12 (event …): what is wrong."""
        place = "No position" if self.position is None else f"Position {self.position}"
        return f"{place}{f' (event {self.event})' if self.event else ''}: {self.what}."


#: what can be said of a payload: there is none, it was emptied, the reader may not see it, it is here
STATES = frozenset({"none", "erased", "withheld", "whole"})
#: everything that an exported record says; more would be covered by nothing
KEYS = frozenset({
    "number", "id", "occurred_at", "actor_kind", "actor_id", "actor_name", "actor_role", "address", "actor_salt",
    "request_id", "action", "object_type", "object_id", "client_id", "payload_digest", "payload_state", "salt",
    "payload", "seal",
})  # fmt: skip


class Twice(ValueError):
    """A name stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice says one thing to this program and another to the next."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Twice(f'"{_short(name)}" stands twice')
        found[name] = value
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError("a number has too many digits")
    return int(text)


def _loads(text: str) -> Any:
    """Raises ValueError, also for what is nested too deeply for a reader."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _whole_number(value: object) -> int:
    """Raises TypeError for what is none, and for what is none that a position can be."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise TypeError("a position is no whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("something that must be text is none")
    return value


def _digest(value: object) -> str:
    """64 hexadecimal digits."""
    said = _text(value)
    if len(said) != len(GENESIS) or not set(said) <= set("0123456789abcdef"):
        raise ValueError("a hash is none")
    return said


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers. Raises Damaged for one that is longer than any export has."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        number = 0
        while True:
            line = file.readline(LONGEST_LINE + 1)
            number += 1
            if not line:
                return
            if len(line) > LONGEST_LINE:
                raise Damaged(f"line {number} of the file is longer than any line of an export")
            yield number, line.strip()


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Sections of a file in the layout in which it was exported, one entry a line: any size in little memory."""
    section, told = None, set()
    for number, line in _numbered(path):
        try:
            if line in {"", "{", "}"}:
                continue
            if section is None:
                opens = line.endswith(": [")
                named = {_text(_loads(line[:-3])): None} if opens else _loads("{" + line.rstrip(",") + "}")
                for name in named:
                    if name in told:
                        raise Damaged(f'line {number} of the file says "{_short(name)}" again: a section stands twice')
                    told.add(name)
                if opens:
                    (section,) = named
                    yield section, BEGINS
                else:
                    yield from named.items()
            elif line in {"],", "]"}:
                section = None
            else:
                yield section, _loads(line.rstrip(","))
        except Twice as problem:
            raise Damaged(f"{problem} in line {number} of the file") from None
        except (ValueError, TypeError):
            raise Damaged(f"line {number} of the file cannot be read") from None


def _document(path: Path) -> Iterator[tuple[str, Any]]:
    """The same of a file in any other layout, read as a whole."""
    if path.stat().st_size > LARGEST_DOCUMENT:
        raise Unreadable("this is not in the layout of an export, and too large to be read as a whole")
    try:
        whole = _loads(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except Twice as problem:
        raise Damaged(f"{problem} in the file") from None
    except ValueError:
        raise Unreadable("this is no JSON") from None
    if not isinstance(whole, dict):
        raise Unreadable("this is no audit export")
    for name in sorted(whole, key=lambda one: SECTIONS.index(one) if one in SECTIONS else -1):
        value = whole[name]
        if name in LISTS:
            if not isinstance(value, list):
                raise Unreadable(f'"{name}" is no list')
            yield name, BEGINS
            yield from ((name, entry) for entry in value)
        else:
            yield name, value


def _short(name: str) -> str:
    """A name from a file as every terminal can show it."""
    return "".join(character if " " <= character <= "~" else "?" for character in name[:40])


def sections(path: Path) -> Iterator[tuple[str, Any]]:
    """Pairs of section and entry; of a list first its beginning. Raises Unreadable."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            # universal newlines: a copy that was sent as text is the same file
            opening = file.readline(100), file.readline(100)
        known = opening == ("{\n", f'"format": "{FORMAT}",\n')
        for name, entry in _lines(path) if known else _document(path):
            if name not in SECTIONS:
                raise Damaged(f'the file has a section "{_short(name)}", which no export has')
            yield name, entry
    except OSError as error:
        raise Unreadable(error.strerror or "the file cannot be read") from None


class Result(NamedTuple):
    """What came of it. `first` is the broken record that stands first in the chain. `waiting`: records without a seal,
    of which nothing is verified; `left`: how many more waited, and are not in the file."""

    events: int
    sealed: int
    waiting: int
    erased: int
    withheld: int
    head: Head | None
    first: Broken | None
    findings: int
    #: nothing was filtered or withheld
    complete: bool
    #: heads from outside that this part of the chain was compared with
    heads: int
    left: int = 0


class _Chain:
    """The digests of the file, from which every hash is worked out again."""

    def __init__(self) -> None:
        self.start = Head(0, GENESIS)
        self.digests: list[str] = []
        self.hashes: list[str] = []
        self.wrong: list[Broken] = []

    def add(self, entry: Mapping[str, Any]) -> None:
        following = self.start.position + len(self.digests) + 1
        if _whole_number(entry["from"]) != following:
            self.wrong.append(Broken(following, "the digest of this position is missing"))
            return
        if set(entry) != {"from", "digests"} or not isinstance(entry["digests"], list):
            raise TypeError("a part of the chain says more or less than one does")
        for digest in map(_text, entry["digests"]):
            previous = self.hashes[-1] if self.hashes else self.start.hash
            self.hashes.append(chain_hash(previous, self.start.position + len(self.digests) + 1, digest))
            self.digests.append(digest)

    @property
    def last(self) -> int:
        return self.start.position + len(self.digests)

    def at(self, position: int) -> tuple[str, str] | None:
        """Digest and hash of a position, None outside."""
        place = position - self.start.position - 1
        return (self.digests[place], self.hashes[place]) if 0 <= place < len(self.digests) else None


def _head(entry: Mapping[str, Any]) -> Head:
    if set(entry) != {"position", "hash"}:
        raise TypeError("a head says more or less than one does")
    return Head(_whole_number(entry["position"]), _digest(entry["hash"]))


def _read_chain(path: Path) -> tuple[_Chain, dict[str, Any], dict[str, Any] | None]:
    chain, about, end, known, chained = _Chain(), {}, None, False, False
    for section, entry in sections(path):
        if section == "format":
            known = entry == FORMAT
        elif section == "about":
            about = _object(entry)
        elif section == "start":
            if chained:
                raise Damaged("the beginning of the chain stands after it")
            chain.start = _head(_object(entry))
            if chain.start.position == 0 and chain.start.hash != GENESIS:
                chain.wrong.append(Broken(1, "the chain does not begin at its beginning"))
        elif section == "chain":
            chained = True
            if entry is not BEGINS:
                chain.add(_object(entry))
        elif section == "end":
            end = _object(entry)
    if not known:
        raise Unreadable("this is no audit export in a format that this program knows")
    return chain, about, end


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an entry is no object")
    return value


def _event_wrong(event: Mapping[str, Any], chain: _Chain) -> str | None:
    """The first thing wrong with one exported record."""
    if set(event) != KEYS:
        return "the record says more or less than a record does"
    if any(
        value is not None and not isinstance(value, str)
        for value in (event[key] for key in KEYS - {"number", "payload", "seal"})
    ):
        return "the record was changed: something in it is no text"
    seal = event["seal"]
    said = None
    if seal is not None:
        if set(seal) != {"position", "hash", "sealed_at", "actor_digest"}:
            return "the seal says more or less than a seal does"
        place = chain.at(_whole_number(seal["position"]))
        if place is None:
            return "the chain of the file does not reach this position"
        said = wrong_with_record(event, digest=place[0], sealed_at=seal["sealed_at"], actor=seal["actor_digest"])
        if said is None and seal["hash"] != place[1]:
            said = "the hash does not follow from the records before it"
    state = event["payload_state"]
    if said is None and state not in STATES:
        said = "the payload is in a state that none is in"
    if said is None and (state == "erased") != (event["salt"] == ""):
        said = "the payload's state does not fit its salt"
    if said is None and state == "erased" and event["client_id"] is None:
        said = "the payload was emptied, and belongs to no client whose data could be deleted"
    if said is None and state != "withheld":
        said = wrong_with_payload(event["payload_digest"], event["salt"], event["payload"])
    return said


def verify(path: Path, heads: Sequence[Head] = ()) -> Result:
    """Verify an export. Raises Unreadable."""
    try:
        return _verify(path, heads)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unreadable(f"an entry has not the form of an export ({type(error).__name__})") from None


class _Records:
    """The records of a file, one after the other."""

    def __init__(self, chain: _Chain) -> None:
        self.chain = chain
        self.numbers = {"events": 0, "waiting": 0}
        self.sealed = self.erased = self.withheld = 0
        self.seen: set[int] = set()
        self.wrong: list[Broken] = []

    def _say(self, position: int | None, what: str, event: Mapping[str, Any]) -> None:
        self.wrong.append(Broken(position, what, _short(event["id"])))

    def add(self, section: str, event: dict[str, Any]) -> None:
        """Look at the next record of a section."""
        self.numbers[section] += 1
        if _text(event["payload_state"]) and _text(event["id"]) and event["seal"] is not None:
            _object(event["seal"])
        position = None if event["seal"] is None else _whole_number(event["seal"]["position"])
        if _whole_number(event["number"]) != self.numbers[section]:
            self._say(position, f"record number {self.numbers[section]} of the export is missing before it", event)
            self.numbers[section] = event["number"]
        if position is not None:
            self.sealed += 1
            if position in self.seen:
                self._say(position, "the position is there twice", event)
            self.seen.add(position)
        said = _event_wrong(event, self.chain)
        if said is None and section == "waiting" and position is not None:
            said = "a sealed record stands among those that wait for a seal"
        if said is not None:
            self._say(position, said, event)
        self.erased += event["payload_state"] == "erased"
        self.withheld += event["payload_state"] == "withheld"


def _verify(path: Path, heads: Sequence[Head]) -> Result:
    chain, about, end = _read_chain(path)
    records = _Records(chain)
    for section, entry in sections(path):
        if section in records.numbers and entry is not BEGINS:
            records.add(section, _object(entry))
    wrong = [*chain.wrong, *records.wrong]
    events = records.numbers["events"]
    head = None
    if end is None:
        wrong.append(Broken(None, f"the file was cut off after {events} records"))
    else:
        for section, here in records.numbers.items():
            # files of former releases count no waiting ones
            had = _whole_number(end["events" if section == "events" else "waiting"]) if section in end else 0
            if had != here:
                wrong.append(Broken(None, f'the export had {had} records in "{section}", {here} are here'))
        if end["head"] is not None:
            head = _head(_object(end["head"]))
        if (head.position if head else 0) != chain.last:
            wrong.append(Broken(chain.last, "the head of the file is not the end of its chain"))
        wrong += _wrong_heads([*([head] if head else []), *heads], chain)
    if about.get("complete") is True and chain.start.position:
        wrong.append(Broken(1, "the record of this position is missing"))
    if about.get("complete") is True and records.withheld:
        wrong.append(Broken(None, "a complete export withholds nothing"))
    if about.get("complete") is True:
        missing = next((at for at in range(chain.start.position + 1, chain.last + 1) if at not in records.seen), None)
        if missing is not None:
            wrong.append(Broken(missing, "the record of this position is missing"))
    compared = sum(one.position >= chain.start.position for one in heads)
    unsealed = sum(records.numbers.values()) - records.sealed
    left = about.get("waiting")
    return Result(
        sum(records.numbers.values()), records.sealed, unsealed, records.erased, records.withheld, head,
        first_of(wrong), len(wrong), about.get("complete") is True, compared,
        max(0, left - unsealed) if isinstance(left, int) else 0,
    )  # fmt: skip


def _wrong_heads(heads: Iterable[Head], chain: _Chain) -> Iterator[Broken]:
    for head in heads:
        place = chain.at(head.position)
        if head.position == chain.start.position:
            fits = head.hash == chain.start.hash
        elif place is None:
            if head.position > chain.last:
                when = f" on {head.at}" if head.at else ""
                yield Broken(chain.last + 1, f"missing: the chain had reached position {head.position}{when}")
            continue
        else:
            fits = place[1] == head.hash
        if not fits:
            when = f" of {head.at}" if head.at else ""
            yield Broken(head.position, f"the chain leads to another hash than the head{when}")


def first_of(wrong: Iterable[Broken]) -> Broken | None:
    """The one that stands first in the chain; those without a position come last."""
    return min(wrong, key=lambda one: (one.position is None, one.position or 0), default=None)


def read_heads(path: Path) -> list[Head]:
    """Heads as they were kept, one JSON object a line. Raises Unreadable."""
    found = []
    try:
        for number, line in _numbered(path):
            if line:
                try:
                    entry = _object(_loads(line))
                    found.append(
                        Head(_whole_number(entry["position"]), _digest(entry["hash"]), _short(_text(entry["at"])))
                    )
                except (ValueError, KeyError, TypeError):
                    raise Unreadable(f"line {number} of {_short(path.name)} is no head") from None
    except OSError as error:
        raise Unreadable(error.strerror or "the file of heads cannot be read") from None
    return found


def moment(value: datetime) -> str:
    """2026-03-13T06:42:00.000000Z"""
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: UP017 (older Pythons)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Gives the exit code."""
    parser = argparse.ArgumentParser(description="Verify an exported audit file.")
    parser.add_argument("file", type=Path, help="the JSON export")
    parser.add_argument("--heads", type=Path, help="heads.jsonl: heads kept outside the database")
    asked = parser.parse_args(arguments)
    say = sys.stdout.write
    try:
        heads = read_heads(asked.heads) if asked.heads else []
        result = verify(asked.file, heads)
    except Damaged as problem:
        say(f"BROKEN: {problem}. It was damaged or cut off there.\n")
        return 1
    except Unreadable as problem:
        say(f"NOT VERIFIED: {problem}.\n")
        return 2
    say(f"{result.events} records, {result.sealed} of them sealed, {result.waiting} without a seal.\n")
    if result.left:
        say(f"{result.left} newer records waited for their seal when the file was made: they are not in it.\n")
    if result.erased:
        say(f"{result.erased} payloads erased under retention: who, what and when are verified, the content is gone.\n")
    if result.withheld:
        say(f"{result.withheld} payloads not shown to the reader who exported: their content is not verified.\n")
    if result.head:
        say(f"Head: position {result.head.position}, hash {result.head.hash}\n")
    if result.first is not None:
        more = f" ({result.findings} findings in all)" if result.findings > 1 else ""
        say(f"BROKEN. First broken record{more}: {result.first.sentence()}\n")
        return 1
    if asked.heads:
        say(f"{result.heads} of {len(heads)} kept heads compared.\n")
        if not result.heads:
            why = "no kept head lies in this part of the chain" if heads else "the file of heads is empty"
            say(f"NOT VERIFIED: {why}, so that nothing outside ties it.\n")
            return 2
    if not result.complete:
        say("A filtered file: what was taken out of it afterwards cannot be told from what its filters left out.\n")
    if result.waiting:
        say(f"SEALED RECORDS VERIFIED: {result.sealed} fit their digests and the chain that leads to this head.\n")
        say(f"NOT VERIFIED: {result.waiting} records without a seal. Nothing ties them; export again once sealed.\n")
        return 3
    say("VERIFIED. Every sealed record fits its digest and the chain that leads to this head.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
