"""Taking an import back that nothing was matched to. Its row stays, and what other files told alike counts again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport
from dashboard.treasury.statements.services import importing, standing
from dashboard.treasury.statements.services.staging import locked
from dashboard.treasury.vocabulary import ImportState

LONGEST_REASON = 500
#: gives how many lines of an import are matched, or otherwise in use
Use = Callable[[UUID], int]
_uses: dict[str, Use] = {}
#: is told before the rows of an import go, in the same transaction
Leave = Callable[..., None]
_leaves: dict[str, tuple[Callable[[UUID], None], Leave]] = {}


def learn_use(count: Use, *, name: str = "matching") -> None:
    """Called by app.py: what stands above says which lines it uses. The same name again replaces it."""
    _uses[name] = count


def learn_leaving(hold: Callable[[UUID], None], leave: Leave, *, name: str = "matching") -> None:
    """Called by app.py: `hold(import_id)` keeps others from using its lines from now on, `leave(import_id, by=)` ends
    what goes on about them. The same name again replaces both."""
    _leaves[name] = (hold, leave)


def in_use(import_id: UUID) -> int:
    """Lines of an import that something was matched to."""
    return sum(count(import_id) for count in _uses.values())


def delete(import_id: UUID, *, because: str, by: Actor) -> StatementImport:
    """Raises NotFound, Conflict `notImported`, Refused `linesMatched`, Invalid, Forbidden."""
    by.require(Permission.TREASURY_WRITE)
    why = " ".join(because.split())
    if not why:
        raise Invalid.one("reason", "Say why it is deleted.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    row = locked(import_id)
    if row.state != ImportState.IMPORTED:
        raise Conflict("Only what was imported is deleted.", code="notImported", details={"state": row.state})
    accounts = list(
        session().scalars(sa.select(Statement.bank_account_id).where(Statement.import_id == import_id).distinct())
    )
    standing.hold(accounts)
    for held, _ in _leaves.values():
        held(import_id)
    used = in_use(import_id)
    if used:
        raise Refused(
            f"{used:,} of its lines are matched, accepted as a break, or wait to be booked. Undo the matches, reopen"
            " the breaks and take the requests back first; then it can be deleted.", code="linesMatched",
            details={"lines": used},
        )  # fmt: skip
    importing.reopen_days(
        import_id, because=f"The import of {row.file_name} was deleted: {why}"[:LONGEST_REASON], by=by
    )
    for _, leave in _leaves.values():
        leave(import_id, by=by)
    since = session().scalar(
        sa.select(sa.func.min(sa.func.coalesce(Statement.first_day, Statement.last_day))).where(
            Statement.import_id == import_id
        )
    )
    entries = (
        sa.select(StatementEntry.fingerprint)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .where(Statement.import_id == import_id, StatementEntry.standing)
        .distinct()
    )
    fingerprints = list(session().scalars(entries))
    keys = list(session().scalars(sa.select(Statement.key).where(Statement.import_id == import_id)))
    row.state, row.finished_at = ImportState.DELETED.value, clock.now()
    session().flush()
    try:
        with savepoint():
            importing.remove_rows(import_id)
    except sa.exc.IntegrityError as error:
        used_now = constraint_of(error) in _IN_USE
        if not used_now and getattr(error.orig, "sqlstate", None) != _STILL_REFERRED_TO:
            raise
        raise Refused(
            "Lines of it have been matched meanwhile. Undo the matches first; then it can be deleted."
            if used_now
            else "Lines of it were matched once, and the record of that stays. It can no longer be deleted.",
            code="linesMatched",
        ) from None
    standing.promote(accounts, fingerprints, keys)
    for account_id in accounts:
        if since is not None:
            standing.judge(account_id, since=since)
    row = locked(import_id)
    audit.record("statement_import.deleted", by=by, object_type="statement_import", object_id=row.id, reason=why)
    return row


#: guards of lines that something stands on
_IN_USE = ("matched_line_stays", "line_of_break_stays", "proposed_line_stays")
#: SQLSTATE foreign_key_violation
_STILL_REFERRED_TO = "23503"
