"""Words of treasury, as tables and the API spell them."""

from __future__ import annotations

from enum import StrEnum


class Pool(StrEnum):
    """Relevant funds of e-money and of unrelated payment services are reconciled apart (CASS 15.8.3R(2))."""

    E_MONEY = "eMoney"
    PAYMENT_SERVICES = "paymentServices"


POOL_LABELS = {Pool.E_MONEY: "E-money", Pool.PAYMENT_SERVICES: "Payment services"}


class Purpose(StrEnum):
    """What a bank account is for. Only safeguarding accounts count as resource."""

    SAFEGUARDING = "safeguarding"
    SETTLEMENT = "settlement"
    OWN_FUNDS = "ownFunds"


PURPOSE_LABELS = {
    Purpose.SAFEGUARDING: "Safeguarding",
    Purpose.SETTLEMENT: "Settlement",
    Purpose.OWN_FUNDS: "Own funds",
}


class StatementFormat(StrEnum):
    CAMT = "camt"
    MT940 = "mt940"
    CSV = "csv"


class StatementKind(StrEnum):
    """Only statements of a closed day are reconciled; interim reports and notifications are shown beside them."""

    STATEMENT = "statement"
    INTERIM = "interim"
    NOTIFICATION = "notification"


class EntryStatus(StrEnum):
    BOOKED = "booked"
    PENDING = "pending"
    INFORMATION = "information"


class TieOut(StrEnum):
    """Opening balance + booked entries = closing balance. Unknown where the file lacks a balance."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Continuity(StrEnum):
    """Opening balance = closing balance of the statement before, and no number of the sequence missing."""

    PASSED = "passed"
    FAILED = "failed"
    FIRST = "first"
    UNKNOWN = "unknown"


class ImportState(StrEnum):
    """Read and shown, nothing counts yet; being committed; standing; refused with a reason; taken back."""

    PREVIEW = "preview"
    IMPORTING = "importing"
    IMPORTED = "imported"
    FAILED = "failed"
    DELETED = "deleted"


class StatementState(StrEnum):
    """How a bank account stands on a day."""

    EXPECTED = "expected"
    LATE = "late"
    IMPORTED = "imported"
    TIE_OUT_FAILED = "tieOutFailed"
    NO_RECONCILIATION = "notAReconciliationDay"


class DayState(StrEnum):
    """A version that was reopened stays as it was signed; the next version takes its place."""

    OPEN = "open"
    PREPARED = "prepared"
    SIGNED = "signed"
    REOPENED = "reopened"


#: kind of background work
IMPORT = "treasury.import"
