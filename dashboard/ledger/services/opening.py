"""Opening balances: what accounts held before this ledger began. Read from a file by one person, posted when a second
one approves.

All is posted in one transaction through the currency's `opening` account, which is back where it was afterwards,
because a file is accepted only when its amounts sum to zero in every currency.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger import moving, numbers
from dashboard.ledger.models import Account, OpeningImport, OpeningRow
from dashboard.ledger.moving import LONGEST_PAYMENT, Leg, Order
from dashboard.ledger.queries import opening as queries
from dashboard.ledger.services import days, opening_file
from dashboard.ledger.services import orders as checking
from dashboard.ledger.services.accounts import standard_account
from dashboard.ledger.services.opening_file import FileRow, RowError
from dashboard.ledger.vocabulary import AccountStatus, AccountType, ParentType, PaymentState
from dashboard.money import Money

KIND = "ledger.opening-balances"
DESCRIPTION = "Opening balance"
#: payments of one call: as many transactions as a batch has
PAYMENTS_AT_ONCE = 10
LONGEST_FILE_NAME = 120
#: rows that are named in one refusal; the others are counted
MOST_NAMED = 200
#: rows that the second person reads on the request itself; longer files are read on their own page
MOST_READ_BACK = 10


@dataclass(frozen=True)
class CurrencySum:
    """Minor units of one currency of a file. `owed` is the sum of positive amounts, `covered` of the negative ones."""

    currency: str
    accounts: int
    owed: int
    covered: int

    @property
    def difference(self) -> int:
        """Zero in a file that ties out."""
        return self.owed + self.covered


class FileRefused(Invalid):
    """Nothing of the file was taken. `rows` are the bad rows that are named, `bad` is how many there are. `sums`: what
    the file adds up to, where that is not zero; `uncounted` rows could not be read and are in no sum."""

    code = "fileRefused"

    def __init__(
        self,
        message: str,
        *,
        rows: Sequence[RowError] = (),
        bad: int = 0,
        sums: Sequence[CurrencySum] = (),
        uncounted: int = 0,
    ) -> None:
        named = [FieldError(f"line {row.line}, {row.column}", row.said, row.rule) for row in rows]
        without = " without the rows that cannot be read" if uncounted else ""
        wrong = [
            FieldError(
                s.currency,
                f"{s.currency.upper()} adds up to {Money(s.difference, s.currency)}{without}, not to zero"
                f" (positive {Money(s.owed, s.currency)}, negative {Money(s.covered, s.currency)}).",
                "tiesOut",
            )
            for s in sums
            if s.difference
        ]
        super().__init__([*named, *wrong] or [FieldError("file", message, "invalid")], message)
        self.rows, self.bad, self.sums, self.uncounted = rows, bad, sums, uncounted


@dataclass(frozen=True)
class _Standing:
    """What an account of the file is now."""

    id: UUID
    type: str
    currency: str
    status: str
    limit_minor: int
    debits_frozen: bool
    credits_frozen: bool
    has_postings: bool
    elsewhere: str | None


_STANDING = sa.text(
    "SELECT a.number, a.id, a.type, a.currency, a.status, b.limit_minor, b.debits_frozen, b.credits_frozen,"
    " debited.found IS NOT NULL OR credited.found IS NOT NULL AS has_postings,"
    " (SELECT i.file_name FROM opening_import i JOIN approval_request r ON r.id = i.approval_id"
    "   JOIN opening_row o ON o.import_id = i.id AND o.account_id = a.id"
    "   WHERE i.state = 'read' AND i.id <> :own AND r.state = 'requested' AND r.expires_at > now() LIMIT 1)"
    "   AS elsewhere"
    " FROM account a JOIN account_balance b ON b.account_id = a.id AND b.slot = 0"
    # one look at an index for each account, however many there are
    " LEFT JOIN LATERAL (SELECT 1 AS found FROM ledger_transaction t WHERE t.debtor_account_id = a.id"
    "   AND t.state = 'posted' LIMIT 1) AS debited ON true"
    " LEFT JOIN LATERAL (SELECT 1 AS found FROM ledger_transaction t WHERE t.creditor_account_id = a.id"
    "   AND t.state = 'posted' LIMIT 1) AS credited ON true"
    " WHERE a.number = ANY (:numbers)"
)


def _standing(account_numbers: Iterable[str], own: UUID) -> dict[str, _Standing]:
    rows = session().execute(_STANDING, {"numbers": list(account_numbers), "own": own})
    return {row.number: _Standing(*row[1:]) for row in rows}


def _wrong(row: FileRow, account: _Standing | None) -> RowError | None:
    """Why this row cannot be posted; None when it can."""

    values = {
        "accountNumber": numbers.in_groups(row.number),
        "currency": row.currency.upper(),
        "amount": str(Money(row.amount_minor, row.currency)),
    }

    def error(column: str, rule: str, message: str) -> RowError:
        return RowError(row.line, column, rule, message, values[column])

    if account is None:
        return error("accountNumber", "unknown", "There is no account of this number.")
    if account.currency != row.currency:
        return error("currency", "currencyMismatch", f"The account is in {account.currency.upper()}.")
    if account.status == AccountStatus.CLOSED:
        return error("accountNumber", "closed", "The account is closed.")
    if account.type == AccountType.OPENING:
        return error("accountNumber", "notAllowed", "This is the account that opening balances pass through.")
    if account.has_postings:
        return error(
            "accountNumber",
            "hasPostings",
            "The account has postings already. Opening balances go only to accounts without postings."
            " Use an adjusting payment.",
        )
    if account.elsewhere is not None:
        return error("accountNumber", "waiting", "Another file with this account waits for approval.")
    if account.type == AccountType.CLIENT and row.amount_minor < -account.limit_minor:
        limit = Money(-account.limit_minor, row.currency)
        return error("amount", "belowLimit", f"A client account does not start below its limit of {limit}.")
    if account.credits_frozen if row.amount_minor > 0 else account.debits_frozen:
        side = "credits" if row.amount_minor > 0 else "debits"
        return error("accountNumber", "frozen", f"The account is frozen for {side}. Post it once the freeze is lifted.")
    return None


def _errors(rows: Sequence[FileRow], standing: dict[str, _Standing]) -> list[RowError]:
    found = (_wrong(row, standing.get(row.number)) for row in rows)
    return [error for error in found if error is not None]


def sums_of(rows: Iterable[FileRow]) -> list[CurrencySum]:
    """What the rows add up to, by currency."""
    accounts: dict[str, int] = defaultdict(int)
    owed: dict[str, int] = defaultdict(int)
    covered: dict[str, int] = defaultdict(int)
    for row in rows:
        accounts[row.currency] += 1
        (owed if row.amount_minor > 0 else covered)[row.currency] += row.amount_minor
    return [CurrencySum(code, accounts[code], owed[code], covered[code]) for code in sorted(accounts)]


def totals_of(imported: OpeningImport) -> list[CurrencySum]:
    """What a stored file adds up to."""
    return [
        CurrencySum(code, int(said["accounts"]), int(said["credits"]), int(said["debits"]))
        for code, said in sorted(imported.totals.items())
    ]


def _refuse(errors: Sequence[RowError], sums: Sequence[CurrencySum], uncounted: int) -> None:
    """Bad rows and sums that are not zero are told at once. `uncounted` rows could not be read and are in no sum."""
    untied = sums if any(s.difference for s in sums) else ()
    if errors:
        ordered = sorted(errors, key=lambda error: (error.line, error.column))
        count = len({error.line for error in errors})
        words = "1 row needs correction" if count == 1 else f"{count:,} rows need correction"
        if untied:
            words += f", and {'the rows that can be read do' if uncounted else 'the file does'} not tie out"
        raise FileRefused(
            f"{words}. Nothing was taken.", rows=ordered[:MOST_NAMED], bad=count, sums=untied, uncounted=uncounted
        )
    if untied:
        raise FileRefused("The file does not tie out. Nothing was taken.", sums=untied)


def _known_file(digest: str) -> None:
    """Raises Conflict naming the first, unless that one was dropped or will never be posted; then it is dropped."""
    first = session().scalar(
        sa.select(OpeningImport)
        .where(OpeningImport.sha256 == digest, OpeningImport.state != "dropped")
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if first is None:
        return
    asked = session().get(ApprovalRequest, first.approval_id, populate_existing=True) if first.approval_id else None
    waits = asked is not None and asked.state == "requested" and asked.expires_at > clock.now()
    if first.state == "posted" or waits:
        what = "was posted" if first.state == "posted" else "waits for approval"
        raise Conflict(
            f"This file was uploaded before, as {first.file_name} by {first.created_by}, and {what}.",
            code="fileKnown",
            details={"importId": str(first.id)},
        )
    first.state, first.closed_at = "dropped", clock.now()
    session().flush()


def shown_name(name: str) -> str:
    """A file's name without its folders, printable, not too long."""
    plain = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in plain if letter.isprintable()).strip()
    return kept[:LONGEST_FILE_NAME] or "without a name"


def ask(content: bytes, *, file_name: str, reason: str, by: Actor) -> OpeningImport:
    """Read a file and ask for a second person. Nothing is posted yet.

    Raises FileRefused (every bad row; sums that are not zero), Conflict `fileKnown`, Refused `noSystemAccount`,
    Invalid (no reason), Forbidden.
    """
    by.require(Permission.LEDGER_OPERATE)
    if not reason.strip():
        raise Invalid.one("reason", "Say why.", "required")
    digest = hashlib.sha256(content).hexdigest()
    _known_file(digest)
    read = opening_file.read(content)
    if read.refusal is not None:
        raise FileRefused(read.refusal)
    import_id = new_id()
    sums = sums_of(read.rows)
    standing = _standing((row.number for row in read.rows), import_id)
    _refuse([*read.errors, *_errors(read.rows, standing)], sums, len({error.line for error in read.errors}))
    for each in sums:
        standard_account(AccountType.OPENING, each.currency)
    imported = OpeningImport(
        id=import_id,
        file_name=shown_name(file_name),
        sha256=digest,
        rows=len(read.rows),
        totals={s.currency: {"accounts": s.accounts, "credits": s.owed, "debits": s.covered} for s in sums},
        state="read",
        created_at=clock.now(),
        created_by=by.name,
    )
    try:
        with savepoint():
            session().add(imported)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_opening_import_file":
            raise
        raise Conflict("This file was uploaded by somebody else at the same moment.", code="fileKnown") from None
    session().execute(
        sa.insert(OpeningRow),
        [
            {
                "import_id": import_id, "line": row.line, "account_id": standing[row.number].id,
                "currency": row.currency, "amount_minor": row.amount_minor,
            }
            for row in read.rows
        ],
    )  # fmt: skip
    request = approvals.request(
        KIND,
        object_type="opening_import",
        object_id=import_id,
        client_id=None,
        subject=f"{len(read.rows):,} {'account' if len(read.rows) == 1 else 'accounts'}",
        payload={"sha256": digest, "fileName": imported.file_name},
        before={"status": "not posted"},
        after={"status": "posted"},
        reason=reason,
        restricted=False,
        by=by,
    )
    imported.approval_id = request.id
    session().flush()
    audit.record("opening_import.read", by=by, object_type="opening_import", object_id=import_id,
                 after={"file": imported.file_name, "sha256": digest, "accounts": len(read.rows)})  # fmt: skip
    return imported


def _locked(import_id: UUID) -> OpeningImport:
    found = session().get(OpeningImport, import_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("There is no such file of opening balances.", code="importNotFound")
    return found


def drop(import_id: UUID, *, by: Actor) -> OpeningImport:
    """The maker takes the file back before anybody has decided. Raises NotFound, Conflict, Forbidden."""
    imported = _locked(import_id)
    asked = session().get(ApprovalRequest, imported.approval_id, populate_existing=True)
    if asked is None or by.id is None or by.id not in {asked.maker_id, asked.maker_owner_id}:
        raise Forbidden("Only the person who uploaded the file drops it.", code="notTheMaker")
    if imported.state != "read":
        raise Conflict(f"This file is {imported.state} already.", code="importClosed")
    if asked.state == "requested":
        approvals.withdraw(asked.id, by=by)
    imported.state, imported.closed_at = "dropped", clock.now()
    session().flush()
    audit.record("opening_import.dropped", by=by, object_type="opening_import", object_id=import_id)
    return imported


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the file. What it holds never changes; its state does."""
    imported = _locked(request.object_id)
    return {"sha256": imported.sha256, "state": imported.state, "rows": imported.rows}


def details(requests: Sequence[ApprovalRequest], reader: Actor) -> dict[UUID, Detail]:
    """File, checksum and sums by currency, for those who decide; for readers of the ledger also the rows of a short
    file, and where all of them are to be seen."""
    imports = {
        one.id: one
        for one in session().scalars(
            sa.select(OpeningImport).where(OpeningImport.id.in_([request.object_id for request in requests]))
        )
    }
    may_read = reader.may(Permission.LEDGER_READ)
    rows = queries.rows_of([one.id for one in imports.values() if may_read and one.rows <= MOST_READ_BACK])
    found = {}
    for request in requests:
        one = imports.get(request.object_id)
        if one is None:
            continue
        sums = totals_of(one)
        lines = [
            Line("File", (one.file_name,)),
            Line("SHA-256", (one.sha256,)),
            *(
                Line(
                    s.currency.upper(),
                    (
                        f"{s.accounts:,} {'account' if s.accounts == 1 else 'accounts'}: positive"
                        f" {Money(s.owed, s.currency)}, negative {Money(s.covered, s.currency)}, together"
                        f" {Money(s.difference, s.currency)}",
                    ),
                )
                for s in sums
            ),
            *(
                Line(f"Line {row.line}", (f"{row.name} · {numbers.in_groups(row.number)} · {row.money}",))
                for row in rows.get(one.id, ())
            ),
        ]
        page = Link(f"The file and its {one.rows:,} rows", f"/ledger/opening-balances/{one.id}")
        short = ", ".join(f"{Money(s.owed, s.currency)}" for s in sums)
        found[request.id] = Detail(short, tuple(lines), (page,) if may_read else ())
    return found


def _orders(imported: OpeningImport, rows: Sequence[FileRow], ids: dict[str, UUID]) -> list[Order]:
    """Payments of at most a thousand transactions each, one currency after the other."""
    legs = []
    for currency in sorted({row.currency for row in rows}):
        opening = standard_account(AccountType.OPENING, currency)
        for row in rows:
            if row.currency == currency:
                account = ids[row.number]
                sides = (opening, account) if row.amount_minor > 0 else (account, opening)
                legs.append(Leg(*sides, abs(row.amount_minor), currency, DESCRIPTION))
    return [
        Order(
            parent_type=ParentType.ADJUSTING_PAYMENT,
            parent_id=imported.id,
            purpose=f"opening-{start // LONGEST_PAYMENT + 1}",
            legs=legs[start : start + LONGEST_PAYMENT],
        )
        for start in range(0, len(legs), LONGEST_PAYMENT)
    ]


#: in the order in which payments lock them
_HOLD = sa.text(
    "SELECT account_id FROM account_balance WHERE account_id = ANY (:ids) ORDER BY account_id, slot FOR NO KEY UPDATE"
)


def _hold_still(account_ids: Sequence[UUID]) -> None:
    """Nothing moves on these accounts until the transaction ends, and none of them waits for the end of the day."""
    days.moment_within_day()
    session().execute(_HOLD, {"ids": list(account_ids)}).all()


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved file: all of it, or nothing. Raises Refused `noLongerFits`, and what payments
    raise."""
    imported = _locked(request.object_id)
    stored = (
        session()
        .execute(
            sa.select(OpeningRow.line, Account.number, OpeningRow.currency, OpeningRow.amount_minor, Account.id)
            .join(Account, Account.id == OpeningRow.account_id)
            .where(OpeningRow.import_id == imported.id)
            .order_by(OpeningRow.line)
        )
        .all()
    )
    rows = [FileRow(*row[:4]) for row in stored]
    ids = {row.number: row.id for row in stored}
    # the opening accounts too, so that all are locked in one order
    opening = [standard_account(AccountType.OPENING, code) for code in {row.currency for row in rows}]
    _hold_still([*ids.values(), *opening])
    errors = _errors(rows, _standing(ids, imported.id))
    if errors:
        first = errors[0]
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise Refused(
            f"The file no longer fits: line {first.line}{more}. {first.message} Reject it, and have it uploaded anew.",
            code="noLongerFits",
            details={"lines": [error.line for error in errors[:MOST_NAMED]]},
        )
    orders = _orders(imported, rows, ids)
    for start in range(0, len(orders), PAYMENTS_AT_ONCE):
        part = orders[start : start + PAYMENTS_AT_ONCE]
        moved = moving.create(part, PaymentState.POSTED, by=by, all_or_none=True)
        checking.raise_refusals(moved.outcomes, {order.id: order for order in part})
    imported.state, imported.closed_at, imported.approval_id = "posted", clock.now(), request.id
    session().flush()
    audit.record("opening_import.posted", by=by, object_type="opening_import", object_id=imported.id,
                 after={"accounts": imported.rows, "payments": len(orders)})  # fmt: skip
