"""The evidence pack of a day: its figures, the rows behind them, and a digest of each file, in one archive.

The same facts give the same bytes: moments are those of the version, never of the packing, and rows are in order.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import NotFound, Refused
from dashboard.ledger.models import BankAccount
from dashboard.money import Money
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.positions.models import EvidencePack
from dashboard.treasury.positions.queries import rows, standing
from dashboard.treasury.positions.queries.rows import BehindRow
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.services import acting
from dashboard.treasury.positions.vocabulary import (
    ABOUT_LABELS,
    ACTION_LABELS,
    CHECK_LABELS,
    FIGURE_LABELS,
    ActionAbout,
    ActionKind,
    Check,
    Figure,
)
from dashboard.treasury.vocabulary import POOL_LABELS, DayState, Pool
from dashboard.web import json
from dashboard.web.exports.csv_file import chunks
from dashboard.web.exports.listing import About, Column, Kind, Listing, Row

#: balances of more client accounts stay out of the archive, which says so
MOST_ACCOUNTS = 200_000
#: the earliest that an archive can hold
_DATE = (1980, 1, 1, 0, 0, 0)
_PART = 1_000

FIGURES = (
    Figure.CLIENTS, Figure.UNRECOGNIZED, Figure.RECEIVED, Figure.SENT, Figure.REQUIREMENT, Figure.AT_BANK,
    Figure.OTHER, Figure.RESOURCE, Figure.EXCESS, Figure.FEES, Figure.INCOME, Figure.OWN, Figure.FX, Figure.RECEIVABLE,
    Figure.EXPLAINED, Figure.REST, Figure.NEGATIVE, Figure.FROZEN, Figure.LEDGER, Figure.DIFFERENCE, Figure.UNEXPLAINED,
    Figure.UNMATCHED, Figure.LYING, Figure.LATE,
)  # fmt: skip
#: figures whose rows are files of their own
_FILES = (
    Figure.CLIENTS, Figure.NEGATIVE, Figure.FROZEN, Figure.UNRECOGNIZED, Figure.RECEIVED, Figure.SENT, Figure.RESOURCE,
    Figure.OTHER, Figure.UNMATCHED,
)  # fmt: skip

_FIGURE_COLUMNS = (
    Column("figure", "Figure", share=2),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("said", "Said", share=1),
    Column("currency", "Currency", share=0.4),
)
ROW_COLUMNS = (
    Column("name", "What", share=2),
    Column("reference", "Reference", share=2),
    Column("day", "Day", Kind.DATE),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("id", "Identifier", share=1.4),
)
_ACCOUNT_COLUMNS = (
    Column("name", "Bank account", share=1.5),
    Column("number", "Number", share=1.5),
    Column("purpose", "Purpose"),
    Column("designated", "Designated"),
    Column("ledger", "Ledger", Kind.AMOUNT),
    Column("statement", "Statement", Kind.AMOUNT),
    Column("statement_day", "Statement of", Kind.DATE),
    Column("statement_at", "Came", Kind.MOMENT),
    Column("tie_out", "Tie-out"),
    Column("difference", "Bank - ledger", Kind.AMOUNT),
    Column("timing", "Timing", Kind.AMOUNT),
    Column("breaks", "Breaks", Kind.AMOUNT),
    Column("unexplained", "Unexplained", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("statement_id", "Statement id", share=1.4),
)
_BREAK_COLUMNS = (
    Column("id", "Break", share=1.4),
    Column("kind", "Kind"),
    Column("cause", "Likely cause"),
    Column("since", "Since", Kind.DATE),
    Column("bank", "Bank", Kind.AMOUNT),
    Column("ledger", "Ledger", Kind.AMOUNT),
    Column("difference", "Bank - ledger", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("line", "Bank line", share=1.4),
    Column("transaction", "Ledger transaction", share=1.4),
)
_ACTION_COLUMNS = (
    Column("about", "About"),
    Column("kind", "What"),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("says", "In words", share=3),
    Column("at", "At", Kind.MOMENT),
    Column("by", "By"),
)


def figure_rows(position: Position) -> list[Row]:
    """The figures of a position, and how its checks ended, as lines of a file."""
    figures = position.figures
    found: list[Row] = []
    for figure in FIGURES:
        value = rows.total(figure, figures)
        found.append(
            {
                "figure": FIGURE_LABELS[figure],
                "amount": None if value is None else Money(value, figures.currency),
                "said": "no data" if value is None else None,
                "currency": figures.currency.upper(),
            }
        )
    results = {
        Check.INTERNAL: figures.internal,
        Check.SEGREGATION: figures.segregation,
        Check.EXTERNAL: figures.external,
    }
    for check, result in results.items():
        said = {"passed": "passed", "failed": "failed", "noData": "no data"}[result]
        found.append({"figure": CHECK_LABELS[check], "amount": None, "said": said, "currency": None})
    breaks = "no data" if figures.breaks is None else str(figures.breaks)
    found.append({"figure": "Breaks", "amount": None, "said": breaks, "currency": None})
    lines = "no data" if figures.unmatched is None else str(figures.unmatched)
    found.append({"figure": "Unmatched lines, number", "amount": None, "said": lines, "currency": None})
    percent = figures.excess_percent
    said = f"{percent:+f} %" if percent is not None else "no data"
    found.append({"figure": "Excess or shortfall, of the requirement", "amount": None, "said": said, "currency": None})
    return found


def row_of(row: BehindRow) -> Row:
    """A row behind a figure as a line of a file."""
    return {
        "name": row.name, "reference": row.reference, "day": row.day, "amount": row.amount,
        "currency": row.currency.upper(), "id": row.id,
    }  # fmt: skip


def behind(figure: Figure, position: Position) -> Iterator[BehindRow]:
    """Every row behind a figure, read in parts."""
    after: str | None = None
    while True:
        part = rows.behind(figure, position.figures, after=after, limit=_PART)
        yield from part
        if len(part) < _PART or not rows.paged(figure):
            return
        after = part[-1].key


def _account_rows(position: Position) -> Iterator[Row]:
    figures = position.figures
    accounts = {
        one.id: one
        for one in session().scalars(
            sa.select(BankAccount).where(BankAccount.id.in_([one.bank_account_id for one in figures.accounts]))
        )
    }

    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, figures.currency)

    for one in figures.accounts:
        account = accounts[one.bank_account_id]
        yield {
            "name": account.name, "number": account.number, "purpose": one.purpose, "designated": one.designated,
            "ledger": money(one.ledger), "statement": money(one.statement), "statement_day": one.statement_day,
            "statement_at": one.statement_at, "tie_out": one.tie_out, "difference": money(one.difference),
            "timing": money(one.timing), "breaks": money(one.breaks), "unexplained": money(one.unexplained),
            "currency": figures.currency.upper(), "statement_id": one.statement_id,
        }  # fmt: skip


def _break_rows(position: Position) -> Iterator[Row]:
    """Breaks of the pool's accounts that stood at the end of the day."""
    figures, table = position.figures, ReconBreak
    ids = [one.bank_account_id for one in figures.accounts]
    found = session().scalars(
        sa.select(table)
        .where(
            table.bank_account_id.in_(ids), table.since <= figures.day, table.found_at <= position.computed_at,
            sa.or_(table.resolved_at.is_(None), table.resolved_at > position.computed_at),
        )
        .order_by(table.id)
    )  # fmt: skip
    for one in found:
        bank, ledger = one.bank_minor, one.ledger_minor
        yield {
            "id": one.id, "kind": one.kind, "cause": one.cause, "since": one.since,
            "bank": None if bank is None else Money(bank, figures.currency),
            "ledger": None if ledger is None else Money(ledger, figures.currency),
            "difference": Money((bank or 0) - (ledger or 0), figures.currency),
            "currency": figures.currency.upper(), "line": one.line_id, "transaction": one.transaction_id,
        }  # fmt: skip


def _action_rows(position: Position) -> Iterator[Row]:
    figures = position.figures
    for one in acting.actions(figures.pool, figures.currency, figures.day):
        yield {
            "about": ABOUT_LABELS[ActionAbout(one.about)], "kind": ACTION_LABELS[ActionKind(one.kind)],
            "amount": None if one.amount_minor is None else Money(one.amount_minor, figures.currency),
            "currency": figures.currency.upper(), "says": one.says, "at": one.at, "by": one.by_name,
        }  # fmt: skip


def _in_words(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def _facts(version: TreasuryDay) -> list[tuple[str, str]]:
    def signed(at: object, by: str | None) -> str:
        return f"{by}, {json.iso_utc(at)}" if at is not None and by else "not yet"  # type: ignore[arg-type]

    facts = [
        ("Pool", POOL_LABELS[Pool(version.pool)]),
        ("Currency", version.currency.upper()),
        ("Business day", _in_words(version.day)),
        ("Version", str(version.version)),
        ("Prepared by", signed(version.prepared_at, version.prepared_by)),
        ("Signed by", signed(version.signed_at, version.signed_by)),
    ]
    if version.reopened_at is not None:
        facts.append(("Reopened", f"{signed(version.reopened_at, version.reopened_by)}: {version.reopened_because}"))
    return facts


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed(files: Mapping[str, bytes]) -> bytes:
    """An archive of the files, in order, whose bytes depend on nothing else."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
    return target.getvalue()


def _as_prepared(version: TreasuryDay) -> EvidencePack | None:
    """The pack that was made when the version was prepared."""
    table = EvidencePack
    return session().scalar(
        sa.select(table)
        .where(table.treasury_day_id == version.id, table.state == DayState.PREPARED.value)
        .order_by(table.made_at, table.id)
        .limit(1)
    )


def _unpacked(pack: EvidencePack) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _files(position: Position, version: TreasuryDay, institution: str) -> dict[str, bytes]:
    from dashboard.web.exports import pdf_file

    facts = _facts(version)

    def listing(title: str, columns: Sequence[Column]) -> Listing:
        return Listing(
            About(title, institution, position.computed_at, clock.calendar().zone, facts=facts), columns
        )  # fmt: skip

    def csv(title: str, columns: Sequence[Column], found: Callable[[], Iterable[Row]]) -> bytes:
        return b"".join(chunks(listing(title, columns), found, bom=False))

    figures = position.figures
    title = f"Safeguarding {POOL_LABELS[Pool(figures.pool)]} {figures.currency.upper()} {figures.day.isoformat()}"
    # rows as they were when the day was prepared: items are matched and accounts change their pool afterwards
    first = _as_prepared(version)
    kept = _unpacked(first) if first is not None else {}
    files = {
        "position.pdf": pdf_file.document(listing(title, _FIGURE_COLUMNS), figure_rows(position)),
        "position.csv": csv(title, _FIGURE_COLUMNS, lambda: figure_rows(position)),
        "bank-accounts.csv": kept.get("bank-accounts.csv")
        or csv("Bank accounts", _ACCOUNT_COLUMNS, lambda: _account_rows(position)),
        "breaks.csv": kept.get("breaks.csv") or csv("Breaks", _BREAK_COLUMNS, lambda: _break_rows(position)),
        "actions.csv": csv("What was done", _ACTION_COLUMNS, lambda: _action_rows(position)),
    }
    left_out = []
    for figure in _FILES:
        if f"{figure.value}.csv" in kept:
            files[f"{figure.value}.csv"] = kept[f"{figure.value}.csv"]
            continue
        if figure is Figure.CLIENTS and rows.count_clients(figures) > MOST_ACCOUNTS:
            left_out.append(f"{figure.value}.csv: more than {MOST_ACCOUNTS} accounts; export the rows of the figure")
            continue
        files[f"{figure.value}.csv"] = csv(
            FIGURE_LABELS[figure], ROW_COLUMNS,
            lambda figure=figure: (row_of(row) for row in behind(figure, position)),  # type: ignore[misc]
        )  # fmt: skip
    manifest = {
        "institution": institution,
        **dict(facts),
        "asOf": json.iso_utc(position.computed_at),
        "files": [
            {"name": name, "bytes": len(content), "sha256": _digest(content)} for name, content in sorted(files.items())
        ],
        "leftOut": left_out,
        # whose rows these are
        "rowsOfPack": first.sha256 if first is not None and version.state != DayState.PREPARED else None,
    }
    return {"manifest.json": json.dumps(manifest, indent=1).encode(), **dict(sorted(files.items()))}


def make(treasury_day_id: UUID, *, institution: str, by: Actor) -> EvidencePack:
    """Pack a version that is prepared or signed, or was; what is packed already is given, as long as nothing changed.

    Raises Forbidden, NotFound `dayNotFound`, Refused `notPrepared`.
    """
    by.require(Permission.TREASURY_WRITE)
    version = session().get(TreasuryDay, treasury_day_id, populate_existing=True)
    if version is None:
        raise NotFound("There is no such treasury day.", code="dayNotFound")
    return _kept(version, institution=institution, by=by)


#: `institution`: its name on packs that are made by preparing and signing
_installed: dict[str, str] = {}


def install(institution: str) -> None:
    """Called by app.py."""
    _installed["institution"] = institution


def pack(version: TreasuryDay, by: Actor) -> None:
    """What preparing and signing a day make, whoever asks for it and wherever."""
    _kept(version, institution=_installed.get("institution", ""), by=by)


def _kept(version: TreasuryDay, *, institution: str, by: Actor) -> EvidencePack:
    position = standing.of_version(version)
    if version.state == DayState.OPEN or position is None or not position.frozen:
        raise Refused("Prepare the day first: a pack holds figures that no longer change.", code="notPrepared")
    content = packed(_files(position, version, institution))
    digest = _digest(content)
    table = EvidencePack
    known = session().scalar(sa.select(table).where(table.treasury_day_id == version.id, table.sha256 == digest))
    if known is not None:
        return known
    made = EvidencePack(
        id=new_id(), treasury_day_id=version.id, state=version.state, sha256=digest, size=len(content),
        content=content, made_at=clock.now(), made_by_kind=by.kind, made_by_id=by.id, made_by=by.name,
    )  # fmt: skip
    session().add(made)
    session().flush()
    audit.record(
        "evidencePack.made", by=by, object_type="evidence_pack", object_id=made.id,
        after={"sha256": digest, "size": len(content), "treasuryDay": version.id},
    )  # fmt: skip
    return made


def get(pack_id: UUID) -> tuple[EvidencePack, TreasuryDay, bytes]:
    """A pack with its version and its bytes, whose digest is looked at again.

    Raises NotFound `packNotFound`, Refused `digestDiffers`.
    """
    pack = session().get(EvidencePack, pack_id)
    if pack is None:
        raise NotFound("There is no such evidence pack.", code="packNotFound")
    version = session().get(TreasuryDay, pack.treasury_day_id)
    assert version is not None  # a pack is of a version
    content = pack.content
    if _digest(content) != pack.sha256:
        raise Refused("The pack differs from its digest. Do not rely on it, and tell the administrator.",
                      code="digestDiffers")  # fmt: skip
    return pack, version, content


def of_days(first: date, last: date) -> dict[UUID, list[EvidencePack]]:
    """Packs by version, of days within the period, oldest first; without their bytes."""
    found: dict[UUID, list[EvidencePack]] = {}
    for pack in session().scalars(
        sa.select(EvidencePack)
        .join(TreasuryDay, TreasuryDay.id == EvidencePack.treasury_day_id)
        .where(TreasuryDay.day.between(first, last))
        .order_by(EvidencePack.id)
    ):
        found.setdefault(pack.treasury_day_id, []).append(pack)
    return found
