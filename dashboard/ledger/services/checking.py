"""Stored balances against the transactions: the check, its findings, and letting a rebuilt balance stand.

A check never writes a balance. A difference opens a finding; only a second person lets the rebuilt value stand.
Locks are taken in one order: accounts by identifier, then findings and requests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger import numbers
from dashboard.ledger.models import Account, BalanceCheck, BalanceFinding
from dashboard.ledger.owners import directory
from dashboard.ledger.queries import checks as queries
from dashboard.ledger.queries.checks import Compared
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType, CheckScope

#: kind of the background work, and of the request to a second person
CHECK = "ledger.balance-check"
ACCEPT = "ledger.accept-rebuilt"
#: accounts that one call looks at while the caller waits
MOST_CHOSEN = 1_000


@dataclass(frozen=True)
class Difference:
    """One account whose stored balance is not what its transactions say, with its open finding."""

    compared: Compared
    finding_id: UUID


def _change_of(found: Compared) -> tuple[int, int]:
    return found.rebuilt.posted - found.stored.posted, found.rebuilt.held - found.stored.held


def _found_change(finding: BalanceFinding) -> tuple[int, int]:
    return finding.rebuilt_posted - finding.stored_posted, finding.rebuilt_held - finding.stored_held


def _in_words(found: Compared) -> dict[str, int | str]:
    return {
        "account": found.number, "currency": found.currency,
        "storedPosted": found.stored.posted, "storedHeld": found.stored.held,
        "rebuiltPosted": found.rebuilt.posted, "rebuiltHeld": found.rebuilt.held,
    }  # fmt: skip


def _lock_accounts(account_ids: Collection[UUID]) -> None:
    """Keeps checks and acceptances of an account apart; payments do not notice."""
    session().execute(
        sa.select(Account.id).where(Account.id.in_(account_ids)).order_by(Account.id).with_for_update(key_share=True)
    )


def _gone(finding: BalanceFinding, *, by: Actor) -> None:
    approvals.close_as_stale(ACCEPT, finding.id)
    finding.state, finding.closed_at = "gone", clock.now()
    session().flush()
    audit.record("balance_finding.gone", by=by, object_type="balance_finding", object_id=finding.id)


def _open(check_id: UUID, found: Compared, *, by: Actor) -> BalanceFinding:
    finding = BalanceFinding(
        id=new_id(),
        check_id=check_id,
        account_id=found.account_id,
        found_at=clock.now(),
        stored_posted=found.stored.posted,
        stored_held=found.stored.held,
        rebuilt_posted=found.rebuilt.posted,
        rebuilt_held=found.rebuilt.held,
        state="open",
    )
    session().add(finding)
    session().flush()
    audit.record("balance_finding.opened", by=by, object_type="balance_finding", object_id=finding.id,
                 after=_in_words(found))  # fmt: skip
    return finding


def _settle(check_id: UUID, suspects: Collection[UUID], *, by: Actor) -> tuple[list[Compared], list[Difference]]:
    """Look again at accounts that differed or have a finding, now that nobody else decides about them: a balance that
    was accepted between the two looks is no difference."""
    _lock_accounts(suspects)
    again = queries.compare(suspects)
    standing = queries.open_findings_on(suspects)
    differences = []
    for found in again:
        finding = standing.get(found.account_id)
        if finding is not None and _found_change(finding) != _change_of(found):
            _gone(finding, by=by)
            finding = None
        if found.differs:
            finding = finding or _open(check_id, found, by=by)
            differences.append(Difference(found, finding.id))
    return again, differences


#: A row that moved after it was compared has another version, or is locked by whoever moves it: its marker stays.
_RESET = sa.text("""
WITH same AS MATERIALIZED (
    SELECT b.account_id, b.slot
    FROM unnest(CAST(:ids AS uuid[]), CAST(:slots AS smallint[]), CAST(:versions AS text[])) AS w(id, slot, version)
    JOIN account_balance b ON b.account_id = w.id AND b.slot = w.slot AND b.xmin::text = w.version
    ORDER BY b.account_id, b.slot FOR NO KEY UPDATE OF b SKIP LOCKED
)
UPDATE account_balance b SET touched = false FROM same
WHERE b.account_id = same.account_id AND b.slot = same.slot
""")


def _reset_markers(verified: Sequence[Compared]) -> None:
    rows = [(found.account_id, slot, version) for found in verified for slot, version in found.touched]
    if rows:
        ids, slots, versions = zip(*rows, strict=True)
        session().execute(_RESET, {"ids": list(ids), "slots": list(slots), "versions": list(versions)})


def look(check_id: UUID, account_ids: Sequence[UUID], *, by: Actor) -> list[Difference]:
    """Compare so many accounts at one moment, within the caller's transaction; gives the differences.

    Findings open, stay or are gone by it; the marker of accounts that agree is taken away.
    """
    compared = queries.compare(account_ids)
    suspects = {found.account_id for found in compared if found.differs} | set(queries.open_findings_on(account_ids))
    differences: list[Difference] = []
    if suspects:
        again, differences = _settle(check_id, sorted(suspects), by=by)
        compared = [found for found in compared if found.account_id not in suspects] + again
    _reset_markers([found for found in compared if not found.differs])
    return differences


def begin(check_id: UUID, scope: CheckScope, *, job_id: UUID | None, by: Actor) -> BalanceCheck:
    """Write that a check has begun."""
    check = BalanceCheck(
        id=check_id,
        scope=scope.value,
        started_at=clock.now(),
        accounts=0,
        differences=0,
        job_id=job_id,
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name,
    )
    session().add(check)
    session().flush()
    audit.record("balance_check.started", by=by, object_type="balance_check", object_id=check_id,
                 after={"scope": scope.value})  # fmt: skip
    return check


def count(check_id: UUID, *, accounts: int, differences: int) -> None:
    """Write how far a check has come."""
    session().execute(
        sa.update(BalanceCheck)
        .where(BalanceCheck.id == check_id)
        .values(accounts=accounts, differences=differences)
        .execution_options(synchronize_session=False)
    )


def finish(check_id: UUID, *, accounts: int, differences: int, by: Actor) -> None:
    """Write that a check has looked at everything that it was to look at."""
    session().execute(
        sa.update(BalanceCheck)
        .where(BalanceCheck.id == check_id)
        .values(accounts=accounts, differences=differences, finished_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    audit.record("balance_check.finished", by=by, object_type="balance_check", object_id=check_id,
                 after={"accounts": accounts, "differences": differences})  # fmt: skip


def stopped(check_id: UUID, *, by: Actor, how: str) -> None:
    """Write that a check ended before it had looked at everything."""
    audit.record("balance_check.stopped", by=by, object_type="balance_check", object_id=check_id, after={"state": how})


@dataclass(frozen=True)
class Recalculated:
    """What a check of given accounts found."""

    check_id: UUID
    accounts: int
    differences: list[Difference]


def recalculate(account_ids: Collection[UUID], *, by: Actor, scope: CheckScope = CheckScope.CHOSEN) -> Recalculated:
    """Check given accounts now, in the caller's transaction; `scope` says which they are.

    Raises Invalid for more than `MOST_CHOSEN`, NotFound `accountNotFound` naming the unknown ones.
    """
    wanted = sorted(set(account_ids))
    if len(wanted) > MOST_CHOSEN:
        raise Invalid.one("accountIds", f"Name at most {MOST_CHOSEN:,} accounts, or none for all.", "tooLong")
    unknown = queries.unknown(wanted)
    if unknown:
        raise NotFound(
            "There is no such account. Nothing was checked.",
            code="accountNotFound",
            details={"accountIds": [str(account_id) for account_id in unknown[:100]]},
        )
    check = begin(new_id(), scope, job_id=None, by=by)
    differences = look(check.id, wanted, by=by)
    finish(check.id, accounts=len(wanted), differences=len(differences), by=by)
    return Recalculated(check.id, len(wanted), differences)


def recalculate_all(*, by: Actor) -> Recalculated | BackgroundJob:
    """Check every account: at once in a small ledger (up to `MOST_CHOSEN` accounts), else as background work."""
    few = queries.at_most(MOST_CHOSEN)
    if few is None:
        return ask_to_check(CheckScope.FULL, by=by)
    return recalculate(few, by=by, scope=CheckScope.FULL)


def ask_to_check(scope: CheckScope, *, by: Actor) -> BackgroundJob:
    """Ask for a check of touched or all accounts. While one is queued or running, that is the answer."""
    return background.ask(CHECK, {"scope": scope.value}, by=by, single=True)


# letting a rebuilt balance stand


def ask_to_accept(finding_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person to let the rebuilt balance stand.

    Raises NotFound, Conflict (`findingClosed`, `alreadyRequested`), Invalid (no reason).
    """
    account_id = session().scalar(sa.select(BalanceFinding.account_id).where(BalanceFinding.id == finding_id))
    if account_id is not None:
        _lock_accounts([account_id])
    finding = queries.finding(finding_id)
    if finding.state != "open":
        raise Conflict("This finding is closed already.", code="findingClosed", details={"state": finding.state})
    change = finding.difference
    changed = [name for name in ("posted", "held") if getattr(change, name)]
    return approvals.request(
        ACCEPT,
        object_type="balance_finding",
        object_id=finding_id,
        client_id=None,
        subject=numbers.in_groups(finding.number),
        payload={"accountId": str(finding.account_id)},
        before={name: str(finding.money(getattr(finding.stored, name))) for name in changed},
        after={name: str(finding.money(getattr(finding.rebuilt, name))) for name in changed},
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, int | str]:
    """The finding's state and its difference; balances may run on, the difference may not."""
    _lock_accounts([UUID(request.payload["accountId"])])
    finding = queries.finding(request.object_id)
    change = finding.difference
    return {"state": finding.state, "posted": change.posted, "held": change.held}


#: rule of the database to code and sentence
_REFUSALS = {
    "balance_finding_changed": (
        "differenceChanged", "The difference is another one by now. Check the account again and ask for that finding.",
    ),
    "ck_account_balance_within_limit": (
        "belowLimit", "The rebuilt balance is below what the account may go down to. Post an adjusting payment first.",
    ),
    "ck_account_balance_closed_is_empty": (
        "accountClosed", "The account is closed and must be empty: post an adjusting payment on another account.",
    ),
}  # fmt: skip


def accept(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request: the rebuilt balance is the stored one from now on. Raises Refused."""
    finding = queries.finding(request.object_id)
    try:
        with savepoint():
            session().execute(
                sa.text("SELECT accept_rebuilt_balance(:finding, :approval)"),
                {"finding": request.object_id, "approval": request.id},
            )
    except sa.exc.IntegrityError as error:
        known = _REFUSALS.get(constraint_of(error) or "")
        if known is None:
            raise
        code, sentence = known
        raise Refused(f"{sentence} Nothing was changed.", code=code) from None
    audit.record(
        "balance_finding.accepted", by=by, object_type="balance_finding", object_id=request.object_id,
        before={"posted": finding.stored.posted, "held": finding.stored.held},
        after={"posted": finding.rebuilt.posted, "held": finding.rebuilt.held},
    )  # fmt: skip


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """What the requests are about: whose account, the difference, and when it was found."""
    known = queries.findings_of([request.object_id for request in requests])
    owners = directory().named({finding.owner_id for finding in known.values() if finding.owner_id})
    found = {}
    for request in requests:
        finding = known[request.object_id]
        change = finding.difference
        parts = [f"posted {_signed(finding, change.posted)}"] if change.posted else []
        parts += [f"held {_signed(finding, change.held)}"] if change.held else []
        said = ", ".join(parts)
        owner = owners.get(finding.owner_id) if finding.owner_id else None
        whose = owner.name if owner else ACCOUNT_TYPE_LABELS[AccountType(finding.type)]
        found[request.id] = Detail(
            short=f"Difference: {said}",
            lines=(
                Line("Account of", (whose,)),
                Line("Difference", (said,)),
                Line("Balances as of", (finding.found_at,)),
            ),
        )
    return found


def _signed(finding: queries.FindingView, minor: int) -> str:
    return f"{'+' if minor > 0 else ''}{finding.money(minor)}"
