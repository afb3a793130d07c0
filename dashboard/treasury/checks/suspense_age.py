"""Nothing lies on suspense longer than it may: unrecognized receipts, and what matching has booked there, are resolved
within their time."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.ledger.models import Account
from dashboard.transfers.models import Receipt
from dashboard.transfers.services.desk.clocks import deadlines
from dashboard.transfers.vocabulary import UNDECIDED
from dashboard.treasury.checks import ages, residuals
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money
from dashboard.treasury.checks.residuals import Residual
from dashboard.treasury.register.models import TreasuryAccount


def run(look: Look) -> Answer:
    answer = Answer()
    # in the words of the partial index, which a bound value would hide
    waits = sa.text(f"receipt.state IN ({', '.join(repr(state.value) for state in UNDECIDED)})")
    with transaction():
        answer.looked = session().scalar(sa.select(sa.func.count()).select_from(Receipt).where(waits)) or 0
        rows = session().execute(
            sa.select(
                Receipt.transfer_id, Receipt.currency, Receipt.remaining_minor, Receipt.state, Receipt.booked_at,
                Receipt.resolve_by, TreasuryAccount.pool,
            )
            .join(Account, Account.id == Receipt.suspense_account_id)
            .outerjoin(TreasuryAccount, TreasuryAccount.bank_account_id == Account.bank_account_id)
            .where(waits, Receipt.resolve_by < look.at)
            .order_by(Receipt.resolve_by, Receipt.transfer_id)
        )  # fmt: skip
        for row in rows:
            answer.add(
                Finding(
                    cause="resolveTimeOver", pool=row.pool, currency=row.currency, subject_type="receipt",
                    subject_id=row.transfer_id, subject=f"Receipt {str(row.transfer_id)[:8]}",
                    found=row.remaining_minor, path=f"/transfers/unrecognized/{row.transfer_id}",
                    says=f"{money(row.remaining_minor, row.currency)} has lain on suspense for"
                    f" {ages.in_words(row.booked_at, look.at)}, past its time to be resolved.",
                    todo="Assign it or return it to its payer; keep it only with a reason and a date.",
                )
            )  # fmt: skip
        for left in residuals.standing():
            answer.looked += 1
            if deadlines(left.posted_at).resolve_by < look.at:
                answer.add(_booked(left, look.at))
        look.keep()
    return answer


def _booked(left: Residual, at: datetime) -> Finding:
    return Finding(
        cause="resolveTimeOver", pool=left.pool, currency=left.currency, subject_type="payment",
        subject_id=left.payment_id, subject=f"Booking {str(left.payment_id)[:8]}", found=left.left_minor,
        path=f"/ledger/payments/{left.payment_id}",
        says=f"{money(left.left_minor, left.currency)} that matching booked as unrecognized has lain on suspense for"
        f" {ages.in_words(left.posted_at, at)}, past its time to be resolved.",
        todo="Find out whose it is, and book it from suspense to where it belongs.",
    )  # fmt: skip


CHECK = Check(
    "suspenseAge", "Unrecognized money", "Nothing lies on suspense longer than it may take to resolve it.", run
)
