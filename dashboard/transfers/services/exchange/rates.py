"""Loading reference rates: from a file that somebody gives, or from the folder where a job looks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import new_ids, session, transaction
from dashboard.errors import Conflict, DomainError, Invalid
from dashboard.transfers.models import FxRate
from dashboard.transfers.services.exchange import ecb

FOLDER, DONE, FAILED = "rates", "done", "failed"
#: a file that was changed this short a while ago may still be written
SETTLES = timedelta(seconds=3)
#: rates of one insert
_AT_ONCE = 5_000


@dataclass(frozen=True)
class LoadedRates:
    """`fresh` of `rates` were not known before; `newest` is the last day of the file."""

    rates: int
    fresh: int
    newest: datetime


def load(content: bytes, *, name: str, by: Actor) -> LoadedRates:
    """Take the reference rates of a file. The same file twice is the same as once.

    Raises Invalid (field `file`), Conflict `differentRate` where a rate is known otherwise, Forbidden.
    """
    by.require(Permission.RATES_WRITE)
    fixings = ecb.read(content)
    newest = max(fixing.as_of for fixing in fixings)
    today = clock.calendar().today()
    if newest.date() > today:
        raise Invalid.one("file", f"The file is of {newest:%Y-%m-%d}, which has not come yet.", "future")
    moment = clock.now()
    rows = [
        {"id": id, "base": ecb.BASE, "quote": one.currency, "rate": one.rate, "source": ecb.SOURCE,
         "as_of": one.as_of, "loaded_at": moment}
        for id, one in zip(new_ids(len(fixings)), fixings, strict=True)
    ]  # fmt: skip
    fresh = 0
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        fresh += len(
            session().execute(insert(FxRate).on_conflict_do_nothing().returning(FxRate.id), part).scalars().all()
        )
    if fresh < len(rows):
        _require_same({(one.currency, one.as_of): one.rate for one in fixings})
    if fresh:
        audit.record(
            "fx.rates_loaded", by=by, object_type="fx_rate", object_id=None,
            after={"file": name[:200], "sha256": hashlib.sha256(content).hexdigest(), "rates": fresh,
                   "newest": newest.date()},
        )  # fmt: skip
    return LoadedRates(len(rows), fresh, newest)


def _require_same(told: dict[tuple[str, datetime], Decimal]) -> None:
    """A rate that once counted is never another one afterwards: quotes were made of it."""
    known = session().execute(
        sa.select(FxRate.quote, FxRate.as_of, FxRate.rate).where(
            FxRate.base == ecb.BASE,
            FxRate.source == ecb.SOURCE,
            FxRate.as_of.between(min(at for _, at in told), max(at for _, at in told)),
        )
    )
    for currency, as_of, rate in known:
        if told.get((currency, as_of), rate) != rate:
            raise Conflict(
                f"The rate of {currency.upper()} on {as_of:%Y-%m-%d} is known as {rate.normalize():f}. Nothing of the"
                " file was taken.",
                code="differentRate",
                details={"currency": currency, "day": as_of.date().isoformat()},
            )


@dataclass(frozen=True)
class Looked:
    done: int
    failed: int


def look(folder: Path, *, by: Actor) -> Looked:
    """Load every file of the folder, each in a transaction of its own; then it lies in `done`, or in `failed` with its
    reason beside it. A file that is still written waits for the next look."""
    done = failed = 0
    if not folder.is_dir():
        return Looked(0, 0)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        seen = path.stat()
        if clock.now().timestamp() - seen.st_mtime < SETTLES.total_seconds():
            continue
        try:
            if seen.st_size > ecb.LARGEST_FILE:
                raise Invalid.one("file", f"The file is larger than {ecb.LARGEST_FILE // 1024**2} MB.", "size")
            with transaction():
                load(path.read_bytes(), name=path.name, by=by)
        except DomainError as error:
            _put_away(path, folder / FAILED, in_words(error))
            failed += 1
        else:
            _put_away(path, folder / DONE)
            done += 1
    return Looked(done, failed)


def in_words(error: DomainError) -> str:
    """Why a file was not taken."""
    return " ".join(one.message for one in error.errors) if isinstance(error, Invalid) else error.message


def _put_away(path: Path, folder: Path, reason: str | None = None) -> None:
    """A name that is taken gets the moment before its end: no file is ever written over."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if target.exists():
        target = folder / f"{path.stem}.{clock.now():%Y%m%dT%H%M%S%f}{path.suffix}"
    path.rename(target)
    if reason is not None:
        (folder / f"{target.name}.reason.txt").write_text(f"{reason}\n")


def is_stale(as_of: datetime, today: date, allowed: int) -> bool:
    """Whether a rate is older than so many business days."""
    return clock.calendar().days_between(clock.calendar().today(as_of), today) > allowed
