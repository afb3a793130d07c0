"""Register rows for tests: the database takes one only with the approval of two people, so each gets its own."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import BankAccount
from dashboard.ledger.services import accounts
from dashboard.staff.models import StaffMember
from dashboard.treasury.register.models import AccountPool, TreasuryAccount
from dashboard.treasury.register.queries import BankAccountView, account
from dashboard.treasury.register.services.entries import Entry


def _decider(connection: sa.Connection) -> UUID:
    seniors = [role.value for role, row in ROLES.items() if row.senior and Permission.TREASURY_WRITE in row.permissions]
    known = connection.execute(
        sa.select(StaffMember.id).where(StaffMember.role.in_(seniors), StaffMember.disabled_at.is_(None)).limit(1)
    ).scalar()
    if known is not None:
        return known
    made = new_id()
    # the database asks for the operator's evidence
    connection.execute(
        sa.insert(AuditEvent).values(
            id=new_id(), occurred_at=clock.now(), actor_kind="system", actor_name="system", actor_role="system",
            action="staff.created", object_type="staff_member", object_id=made,
        )
    )  # fmt: skip
    connection.execute(
        sa.insert(StaffMember).values(
            id=made, email="approver@test.example", email_key="approver@test.example", name="Approver of tests",
            role=Role.SENIOR_TREASURER.value, password_hash="none", created_at=clock.now(),
            password_changed_at=clock.now(),
        )
    )  # fmt: skip
    return made


def _approved(connection: sa.Connection, kind: str, object_type: str, object_id: UUID, payload: dict[str, Any]) -> UUID:
    request_id, moment = new_id(), clock.now()
    connection.execute(
        sa.insert(ApprovalRequest).values(
            id=request_id, kind=kind, object_type=object_type, object_id=object_id, client_id=None, subject="test",
            state="requested", maker_kind="token", maker_id=new_id(), maker_name="Maker of tests", maker_senior=False,
            reason="test", restricted=False, payload=payload, before={}, after={}, fingerprint={},
            requested_at=moment, expires_at=moment + timedelta(days=1),
        )
    )  # fmt: skip
    connection.execute(
        sa.update(ApprovalRequest)
        .where(ApprovalRequest.id == request_id)
        .values(
            state="approved", decided_by=_decider(connection), decider_name="Approver of tests", decider_senior=True,
            closed_at=moment,
        )
    )  # fmt: skip
    return request_id


def _register_row(_mapper: Any, connection: sa.Connection, row: TreasuryAccount) -> None:
    if row.approval_id is None:
        entry = Entry(
            row.pool, row.purpose, row.designated_from, row.designated_to, row.statement_format, row.expected_at,
            row.calendar, row.closed_on,
        )  # fmt: skip
        row.approval_id = _approved(
            connection, "treasury.account.add", "bank_account", row.bank_account_id, {"register": entry.as_payload()}
        )


def _pool_row(_mapper: Any, connection: sa.Connection, row: AccountPool) -> None:
    if row.approval_id is None:
        row.approval_id = _approved(connection, "treasury.account.pool", "account", row.account_id, {"pool": row.pool})


def install() -> None:
    """From here on a register row, or a pool of a client account, that a test adds through the session without an
    approval gets one. Calling it again changes nothing."""
    for model, listener in ((TreasuryAccount, _register_row), (AccountPool, _pool_row)):
        if not event.contains(model, "before_insert", listener):
            event.listen(model, "before_insert", listener)


_numbers = iter(range(1, 1_000_000))


def bank_account(currency: str = "eur", *, provider: str = "bank-test", name: str = "Bank Test") -> BankAccount:
    """A bank account with its system accounts, which nobody has registered for treasury."""
    with transaction():
        return accounts.register_bank_account(
            provider=provider, name=name, number=f"TEST-{new_id().hex[-8:]}-{next(_numbers)}", currency=currency,
            by=system(),
        )  # fmt: skip


def registered(
    purpose: str = "safeguarding",
    *,
    currency: str = "eur",
    pool: str | None = "eMoney",
    provider: str = "bank-test",
    name: str = "Bank Test",
    designated_from: date | None = date(2020, 1, 1),
    statement_format: str | None = "camt",
    expected_at: time | None = time(7, 30),
    calendar: str = "LT",
    bank: BankAccount | None = None,
) -> BankAccountView:
    """A bank account in the register. `pool` and designation are left out where the purpose has none."""
    install()
    made = bank or bank_account(currency, provider=provider, name=name)
    with transaction():
        session().add(
            TreasuryAccount(
                bank_account_id=made.id,
                pool=None if purpose == "ownFunds" else pool,
                purpose=purpose,
                designated_from=designated_from if purpose == "safeguarding" else None,
                statement_format=statement_format,
                expected_at=expected_at,
                calendar=calendar,
                version=1,
                changed_at=clock.now(),
            )
        )
    return account(made.id)
