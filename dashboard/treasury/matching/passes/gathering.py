"""What is open in a bank account as of the end of a day, with every reference it carries."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from dashboard.treasury.matching import references
from dashboard.treasury.matching.passes.board import Board, run

#: ledger rows of the settlement account that no run has seen yet. What was booked after the last day seen was posted
#: after that day had closed; clocks may have been set back a little
_SWEEP = """
INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)
SELECT :bank, 'ledger', t.id, t.amount, t.booking_date
FROM (SELECT t.id, t.booking_date, {sign}t.amount_minor AS amount FROM ledger_transaction t
      WHERE t.{side}_account_id = :account AND t.state = 'posted'
        AND t.posted_at >= coalesce((SELECT d.closed_at - interval '1 minute' FROM business_day d
                                     WHERE d.day = CAST(:swept AS date)), '-infinity')
        AND t.booking_date > coalesce(CAST(:swept AS date), '-infinity') AND t.booking_date <= :day) AS t
WHERE NOT EXISTS (SELECT 1 FROM match_transaction m
                  WHERE m.transaction_id = t.id AND m.account_id = :account AND m.live)
ON CONFLICT DO NOTHING
"""

_LEDGER = """
INSERT INTO side_l (n, id, amount, booked, valued, e2e, ref, refs, batch, party, name, said)
SELECT row_number() OVER (ORDER BY o.booking_date, o.item_id), o.item_id, o.amount_minor, o.booking_date,
       coalesce(t.value_date, p.value_date, o.booking_date),
       nullif(coalesce(f.end_to_end_id, r.end_to_end_id), 'NOTPROVIDED'), coalesce(f.provider_reference,
       r.provider_reference),
       coalesce(r.bank_references, '{{}}') || coalesce(linked.refs, '{{}}')
       || CASE WHEN r.provider_reference IS NULL THEN '{{}}' ELSE ARRAY[r.provider_reference] END
       || coalesce(own.refs, '{{}}'),
       file.message_id, f.counterparty_key, f.counterparty_name, NULL
FROM open_item o
JOIN ledger_transaction t ON t.id = o.item_id
JOIN payment p ON p.id = t.payment_id
LEFT JOIN payment first ON first.id = p.reverses_id
LEFT JOIN transfer f ON f.id = CASE WHEN p.parent_type <> 'adjustingPayment' THEN p.parent_id
                                    WHEN first.parent_type <> 'adjustingPayment' THEN first.parent_id END
LEFT JOIN incoming_request r ON r.transfer_id = f.id AND r.state = 'processed'
                            AND r.reversal = (p.reverses_id IS NOT NULL)
LEFT JOIN (SELECT q.linked_id, array_agg(q.provider_reference) AS refs FROM incoming_request q
           WHERE q.linked_id IS NOT NULL GROUP BY q.linked_id) AS linked ON linked.linked_id = r.id
LEFT JOIN submission s ON s.transfer_id = f.id
LEFT JOIN provider_file file ON file.id = s.file_id
LEFT JOIN ({own}) AS own ON own.payment_id = coalesce(p.reverses_id, p.id)
WHERE o.bank_account_id = :bank AND o.side = 'ledger' AND o.booking_date <= :day
"""

_BANK = """
INSERT INTO side_b (n, id, amount, booked, valued, e2e, ref, refs, batch, party, name, said)
SELECT row_number() OVER (ORDER BY o.booking_date, o.item_id), l.id, l.amount_minor, l.booking_date,
       coalesce(l.value_date, l.booking_date), nullif(l.end_to_end_id, 'NOTPROVIDED'), l.provider_reference,
       l.bank_references || CASE WHEN e.bank_reference IS NULL THEN '{}' ELSE ARRAY[e.bank_reference] END,
       coalesce(l.batch_reference, e.batch_reference),
       upper(regexp_replace(l.counterparty_account, '\\s', '', 'g')), l.counterparty,
       concat_ws(' ', l.remittance, e.text)
FROM open_item o
JOIN statement_line l ON l.id = o.item_id
JOIN statement_entry e ON e.id = l.entry_id
WHERE o.bank_account_id = :bank AND o.side = 'bank' AND o.booking_date <= :day
"""


def sweep(bank_account_id: UUID, account_id: UUID, *, swept_on: date | None, day: date) -> int:
    """Put ledger rows booked after `swept_on` up to `day` among the open ones; gives how many."""
    values = {"bank": bank_account_id, "account": account_id, "swept": swept_on, "day": day}
    return sum(run(_SWEEP.format(side=side, sign=sign), **values) for side, sign in (("debtor", ""), ("creditor", "-")))


def gather(board: Board, bank_account_id: UUID, day: date) -> tuple[int, int]:
    """Fill both sides; gives how many rows each has."""
    values = {"bank": bank_account_id, "day": day}
    board.filled((run(_LEDGER.format(own=references.sql()), **values), run(_BANK, **values)))
    run("DROP TABLE IF EXISTS pg_temp.refused")
    run(
        "CREATE TEMP TABLE refused ON COMMIT DROP AS SELECT t.transaction_id, l.line_id FROM recon_match m"
        " JOIN match_line l ON l.match_id = m.id JOIN match_transaction t ON t.match_id = m.id"
        " WHERE m.bank_account_id = :bank AND m.state IN ('rejected', 'undone')",
        bank=bank_account_id,
    )
    run("ANALYZE refused")
    return board.counts
