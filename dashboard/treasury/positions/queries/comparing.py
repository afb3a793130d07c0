"""Whether the figures of a prepared day are still what the books and the statements say."""

from __future__ import annotations

from dashboard.money import Money
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.queries import rows, standing
from dashboard.treasury.positions.queries.figures import Figures, figures
from dashboard.treasury.positions.vocabulary import FIGURE_LABELS, Figure

#: what is frozen or owned by whom moves on by itself, and changes nothing that is owed
_COMPARED = (
    Figure.CLIENTS, Figure.NEGATIVE, Figure.UNRECOGNIZED, Figure.RECEIVED, Figure.SENT, Figure.AT_BANK, Figure.OTHER,
    Figure.LEDGER, Figure.UNEXPLAINED, Figure.LYING, Figure.LATE,
)  # fmt: skip


def _accounts(found: Figures) -> dict[object, tuple[object, ...]]:
    return {
        one.bank_account_id: (one.purpose, one.designated, one.ledger, one.suspense, one.statement, one.statement_id,
                              one.tie_out, one.received, one.sent, one.unexplained, one.late)
        for one in found.accounts
    }  # fmt: skip


def changed(version: TreasuryDay) -> list[str]:
    """What differs by now from what was prepared, in sentences; nothing: it is as it was."""
    kept = standing.of_version(version)
    if kept is None or not kept.frozen:
        return ["Its figures were not kept."]
    (now,) = figures(version.day, only=kept.pair)

    def said(minor: int | None) -> str:
        return "no data" if minor is None else str(Money(minor, version.currency))

    found = []
    for figure in _COMPARED:
        before, after = rows.total(figure, kept.figures), rows.total(figure, now)
        if before != after:
            found.append(f"{FIGURE_LABELS[figure]}: prepared {said(before)}, now {said(after)}.")
    if not found and [(one.cover_id, one.amount) for one in kept.figures.covers] != [
        (one.cover_id, one.amount) for one in now.covers
    ]:
        found.append("What covers clients' money beside the bank is another than when it was prepared.")
    if not found and _accounts(kept.figures) != _accounts(now):
        found.append("A bank account or its statement is another than when it was prepared.")
    return found
