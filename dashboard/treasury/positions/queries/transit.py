"""What was on its way at the end of a day: at the bank and not booked, or booked out and not gone from the bank.

An item is open as of a day when it was booked by then and nothing matches it, or only something that was booked later.
Of what was booked out only that counts which a client or the sender of unrecognized money is no longer owed on the
books: what moves between own accounts, and what the house pays itself, is in no client's balance, and a posting that
was reversed is back in one. Of a line and a posting that a break puts side by side (the amount differs, or the date)
only what one has more than the other is on its way: the rest is in a client's balance already, or has left the bank.
All amounts are minor units and positive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.money import Money
from dashboard.treasury.positions.vocabulary import Figure

_UNMATCHED = (
    "SELECT o.bank_account_id, o.side, o.item_id, o.amount_minor, o.booking_date FROM open_item o"
    " WHERE o.bank_account_id = ANY (:ids) AND o.booking_date <= :day"
    " UNION ALL"
    " SELECT m.bank_account_id, 'bank', l.line_id, l.amount_minor, l.booking_date FROM recon_match m"
    " JOIN match_line l ON l.match_id = m.id AND l.live AND l.booking_date <= :day"
    " WHERE m.bank_account_id = ANY (:ids) AND m.state = 'live' AND m.first_on < m.last_on"
    " AND m.last_on > :day AND m.first_on <= :day"
    " UNION ALL"
    " SELECT m.bank_account_id, 'ledger', t.transaction_id, t.amount_minor, t.booking_date FROM recon_match m"
    " JOIN match_transaction t ON t.match_id = m.id AND t.live AND t.booking_date <= :day"
    " WHERE m.bank_account_id = ANY (:ids) AND m.state = 'live' AND m.first_on < m.last_on"
    " AND m.last_on > :day AND m.first_on <= :day"
)
#: an unresolved or accepted break, as its partial indexes spell it
_STANDS = "(b.state <> 'resolved' OR b.resolution = 'accepted')"
#: the other row of the break has the same direction and was booked by the day
_OTHER = (
    "x.bank_account_id = u.bank_account_id AND x.booking_date <= :day AND sign(x.amount_minor) = sign(u.amount_minor)"
)
#: of an unmatched row that which its counterpart in a break does not cover, with the sign that it has
_OPEN = (
    "SELECT u.bank_account_id, u.side, u.item_id, u.booking_date,"
    " sign(u.amount_minor)::bigint * greatest(abs(u.amount_minor) - coalesce(abs(c.amount_minor), 0), 0)"
    f" AS amount_minor FROM ({_UNMATCHED}) AS u LEFT JOIN LATERAL ("
    "SELECT x.amount_minor FROM recon_break b JOIN open_item x ON x.side = 'ledger' AND x.item_id = b.transaction_id"
    f" WHERE u.side = 'bank' AND b.line_id = u.item_id AND b.line_id IS NOT NULL AND {_STANDS} AND {_OTHER}"
    # what was reversed is in no balance any more
    " AND NOT EXISTS (SELECT 1 FROM ledger_transaction t JOIN payment r ON r.reverses_id = t.payment_id"
    "  WHERE t.id = x.item_id AND r.state = 'posted' AND r.booking_date <= :day)"
    " UNION ALL"
    " SELECT x.amount_minor FROM recon_break b JOIN open_item x ON x.side = 'bank' AND x.item_id = b.line_id"
    " WHERE u.side = 'ledger' AND b.transaction_id = u.item_id AND b.transaction_id IS NOT NULL"
    f" AND b.bank_account_id = u.bank_account_id AND {_STANDS} AND {_OTHER}) AS c ON true"
)
#: what is proposed to belong together, both booked by the day, is in a balance already, or has left already: the day is
#: not signed before somebody decides
_NOT_PROPOSED = (
    " AND NOT EXISTS (SELECT 1 FROM {table} p JOIN recon_match m ON m.id = p.match_id"
    " WHERE p.{column} = o.item_id AND m.bank_account_id = o.bank_account_id AND m.state = 'proposed'"
    " AND m.lines > 0 AND m.transactions > 0 AND m.last_on <= :day)"
)
#: a movement between own accounts that arrived here and is not told in the books yet: it is the house's, not a client's
_NOT_OWN = (
    " AND NOT EXISTS (SELECT 1 FROM own_movement v JOIN statement_line l ON l.id = o.item_id"
    " WHERE v.to_bank_account_id = o.bank_account_id AND v.amount_minor = o.amount_minor"
    " AND v.state IN ('approved', 'sent', 'settled') AND (v.arrived_on IS NULL OR v.arrived_on = l.booking_date)"
    " AND l.booking_date >= (v.approved_at AT TIME ZONE 'UTC')::date - 31"
    " AND (l.end_to_end_id IN (v.reference, v.bank_reference)"
    "   OR l.provider_reference IN (v.reference, v.bank_reference)"
    "   OR l.bank_references && array_remove(ARRAY[v.reference, v.bank_reference], NULL)"
    "   OR strpos(upper(coalesce(l.remittance, '')), v.reference) > 0))"
)
_RECEIVED = (
    f"o.side = 'bank' AND o.amount_minor > 0{_NOT_PROPOSED.format(table='match_line', column='line_id')}{_NOT_OWN}"
)
#: ledger rows that left a client or suspense, as long as they were not reversed
_SENT = (
    "o.side = 'ledger' AND o.amount_minor < 0 AND EXISTS ("
    "SELECT 1 FROM ledger_transaction t JOIN account d ON d.id = t.debtor_account_id"
    " WHERE t.id = o.item_id AND d.type IN ('client', 'suspense')"
    " AND NOT EXISTS (SELECT 1 FROM payment r WHERE r.reverses_id = t.payment_id AND r.state = 'posted'"
    "   AND r.booking_date <= :day))"
    f"{_NOT_PROPOSED.format(table='match_transaction', column='transaction_id')}"
)


#: lines of a bank that nothing had matched, whichever way the money went
_LINES = f"SELECT w.* FROM ({_UNMATCHED}) AS w WHERE w.side = 'bank'"


@dataclass(frozen=True)
class OpenSums:
    received: int
    sent: int


NOTHING_OPEN = OpenSums(0, 0)


def open_sums(bank_account_ids: Collection[UUID], day: date) -> dict[UUID, OpenSums]:
    """By bank account, in one query; one of which nothing is open is left out."""
    if not bank_account_ids:
        return {}
    rows = session().execute(
        sa.text(
            f"SELECT o.bank_account_id, coalesce(sum(o.amount_minor) FILTER (WHERE {_RECEIVED}), 0) AS received,"
            f" coalesce(-sum(o.amount_minor) FILTER (WHERE {_SENT}), 0) AS sent FROM ({_OPEN}) AS o GROUP BY 1"
        ),
        {"ids": list(bank_account_ids), "day": day},
    )
    return {row.bank_account_id: OpenSums(int(row.received), int(row.sent)) for row in rows}


@dataclass(frozen=True)
class Unmatched:
    """Lines of a bank that nothing matched: how many, their amounts without signs, and the day of the oldest."""

    lines: int
    amount: int
    since: date | None


NOTHING_UNMATCHED = Unmatched(0, 0, None)


def unmatched(bank_account_ids: Collection[UUID], day: date) -> dict[UUID, Unmatched]:
    """By bank account, in one query; one of which everything is matched is left out."""
    if not bank_account_ids:
        return {}
    rows = session().execute(
        sa.text(
            "SELECT o.bank_account_id, count(*) AS lines, sum(abs(o.amount_minor)) AS amount,"
            f" min(o.booking_date) AS since FROM ({_LINES}) AS o GROUP BY 1"
        ),
        {"ids": list(bank_account_ids), "day": day},
    )
    return {row.bank_account_id: Unmatched(row.lines, int(row.amount), row.since) for row in rows}


#: where the items behind a figure are, and which of them they are
_SOURCES = {
    Figure.RECEIVED: (_OPEN, _RECEIVED), Figure.SENT: (_OPEN, _SENT), Figure.UNMATCHED: (_LINES, "true"),
}  # fmt: skip


@dataclass(frozen=True)
class OpenRow:
    """One item behind a sum: a line of a bank, or a ledger transaction (with its payment)."""

    item_id: UUID
    bank_account_id: UUID
    booked_on: date
    amount: Money
    party: str | None
    reference: str | None
    payment_id: UUID | None


def rows(
    figure: Figure,
    bank_account_ids: Sequence[UUID],
    currency: str,
    day: date,
    *,
    after: UUID | None = None,
    limit: int,
    kept_as: UUID | None = None,
) -> list[OpenRow]:
    """Items behind *received*, *sent* or *unmatched*, in the order of their identifiers; of a version that was prepared
    (`kept_as`) those that it was prepared with. Unmatched lines bear the bank's signs."""
    if not bank_account_ids:
        return []
    of_bank = figure is not Figure.SENT
    kept = "SELECT * FROM position_item k WHERE k.treasury_day_id = :kept AND k.figure = :figure"
    source, condition = (kept, "true") if kept_as else _SOURCES[figure]
    named = {"kept": kept_as, "figure": figure.value} if kept_as else {"ids": list(bank_account_ids), "day": day}
    amount = "o.amount_minor" if figure is Figure.UNMATCHED else "abs(o.amount_minor)"
    found = session().execute(
        sa.text(
            f"SELECT o.item_id, o.bank_account_id, o.booking_date, {amount} AS amount,"
            + (
                " l.counterparty AS party, coalesce(l.end_to_end_id, l.provider_reference, l.batch_reference)"
                " AS reference, NULL::uuid AS payment_id"
                if of_bank
                else " a.number AS party, t.description AS reference, t.payment_id"
            )
            + f" FROM ({source}) AS o"
            + (
                " LEFT JOIN statement_line l ON l.id = o.item_id"
                if of_bank
                else " JOIN ledger_transaction t ON t.id = o.item_id JOIN account a ON a.id = t.debtor_account_id"
            )
            + f" WHERE {condition}"
            + (" AND o.item_id > :after" if after else "")
            + " ORDER BY o.item_id LIMIT :limit"
        ),
        {**named, "limit": limit, **({"after": after} if after else {})},
    )
    return [
        OpenRow(row.item_id, row.bank_account_id, row.booking_date, Money(int(row.amount), currency), row.party,
                row.reference, row.payment_id)
        for row in found
    ]  # fmt: skip


def keep(treasury_day_id: UUID, bank_account_ids: Mapping[Figure, Sequence[UUID]], day: date) -> None:
    """Write down the items behind *received*, *sent* and *unmatched* of a version that is being prepared, of
    these bank accounts each."""
    for figure, (source, condition) in _SOURCES.items():
        session().execute(
            sa.text(
                "INSERT INTO position_item (treasury_day_id, figure, item_id, bank_account_id, amount_minor,"
                " booking_date) SELECT :kept, :figure, o.item_id, o.bank_account_id, o.amount_minor, o.booking_date"
                f" FROM ({source}) AS o WHERE {condition}"
            ),
            {"kept": treasury_day_id, "figure": figure.value, "ids": list(bank_account_ids[figure]), "day": day},
        )


@dataclass(frozen=True)
class Flow:
    """What statements of one day booked since the business day before: together, and of it what left."""

    booked: int
    left: int


def flows(bank_account_ids: Collection[UUID], day: date) -> dict[UUID, Flow]:
    """Of all standing statements of each account that end on the day, what was booked after the business day before:
    a statement of two days says, too, what lay there at the end of the first."""
    if not bank_account_ids:
        return {}
    rows = session().execute(
        sa.text(
            "SELECT s.bank_account_id, coalesce(sum(e.amount_minor), 0) AS booked,"
            " -coalesce(sum(e.amount_minor) FILTER (WHERE e.amount_minor < 0), 0) AS left"
            " FROM statement s JOIN statement_entry e ON e.statement_id = s.id"
            " WHERE s.bank_account_id = ANY (:ids) AND s.last_day = :day AND s.standing AND s.kind = 'statement'"
            " AND e.status = 'booked' AND e.standing"
            " AND e.booking_date > coalesce("
            " (SELECT max(b.day) FROM business_day b WHERE b.day < :day), '-infinity') GROUP BY 1"
        ),
        {"ids": list(bank_account_ids), "day": day},
    )
    return {row.bank_account_id: Flow(int(row.booked), int(row.left)) for row in rows}
