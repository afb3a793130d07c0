"""A purge takes what is one client's, and leaves what is another's, or of both, as it was."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from psycopg import sql

from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import DEFAULT_SCOPES, Audience, Role
from dashboard.clients import services
from dashboard.database import new_id, transaction
from tests.clients.making import company
from tests.clients.test_personal_data import LONG_AGO, MARK, Filler, lived, years_of_money
from tests.conftest import People

__all__ = ["lived"]

Lived = tuple[UUID, UUID, Filler]


def everything(fill: Filler) -> set[tuple[str, str]]:
    """Table and row, of the whole database."""
    return {
        (table, row)
        for table in fill.columns
        for (row,) in fill.connection.execute(
            sql.SQL("SELECT to_jsonb({}) ::text FROM {}").format(sql.Identifier(table), sql.Identifier(table))
        ).fetchall()
    }


def purged() -> None:
    assert services.purge_due(by=system("retention"), transaction=transaction)["purged"] == 1


def other_life(fill: Filler) -> tuple[UUID, Any]:
    """A second client with as much of everything as the first one has."""
    people = People()
    client = company(people.actor(Role.OFFICER, "Other Officer"), name="Other OÜ")
    with transaction():
        services.add_note(client.id, body="Called.", by=people.actor(Role.OFFICER, "Other Officer"))
        tokens.create(
            audience=Audience.FRONTOFFICE, scopes=DEFAULT_SCOPES[Audience.FRONTOFFICE], name="app", client_id=client.id
        )
    return client.id, years_of_money(fill, client.id, tag="2")


def between_the_two(fill: Filler, first: UUID, other: UUID, theirs: Any) -> None:
    """Internal transfers both ways, and all that names both."""
    ours = fill.life
    for debtor, creditor in ((ours.account, theirs.account), (theirs.account, ours.account)):
        payment = new_id()
        fill.row("payment", id=payment, parent_type="transfer", state="error", maker_kind="token")
        fill.row("payment_state_change", payment_id=payment, from_state="draft", to_state="error", by_kind="token")
        fill.row("ledger_transaction", payment_id=payment, debtor_account_id=debtor, creditor_account_id=creditor,
                 currency="eur", state="error")  # fmt: skip
        fill.row("transfer", id=new_id(), client_id=other, account_id=theirs.account, kind="outgoing", type="internal",
                 currency="eur", status="completed", parent_type="transfer", payment_id=payment, maker_kind="token",
                 end_to_end_id=f"INT-{payment}")  # fmt: skip
    common = {"account_id": theirs.account, "kind": "assign", "state": "dropped", "currency": "eur"}
    # the money came for one, and somebody wanted to give it to the other
    fill.row("disposition", transfer_id=ours.incoming, client_id=other, number=2, made_by_kind="staff", **common)
    fill.row("transfer_document", transfer_id=ours.outgoing, client_id=other, file_name="paper of the other")
    # the bank sums up what it told of both, and one message holds the money of both
    both, summary, second = new_id(), new_id(), new_id()
    fill.row("provider_message", id=both, direction="in", reference="SUM")
    plain = {"currency": "eur", "amount_minor": 1, "provider": "x", "message_id": both}
    fill.row("incoming_request", id=summary, linked_id=ours.request, state="linked", provider_reference="sum", **plain)
    fill.row("incoming_request", id=second, linked_id=theirs.request, state="linked", provider_reference="b", **plain)
    for told in (ours.request, theirs.request):
        fill.row("incoming_link", request_id=summary, first_id=told, source="camt.053", part=True)
    # a payer of ours wrote the other's EndToEndId, and another bank uses ours
    fill.row("transfer", id=new_id(), client_id=first, account_id=ours.account, kind="incoming", currency="eur",
             status="completed", parent_type="transfer", end_to_end_id="E2E-CHOSEN", provider="x", payment_id=new_id(),
             maker_kind="token")  # fmt: skip
    written = len(fill.written)
    fill.row("provider_message", direction="in", reference="E2E-CHOSEN", provider="x")
    fill.row("provider_message", direction="in", reference="E2E-1", provider="another bank")
    fill.row("provider_message", direction="in", reference="E2E-1", provider="x", transfer_id=theirs.outgoing)
    event = {"source": "webhook", "verdict": "accepted", "effect": "unreadable", "processed_at": LONG_AGO}
    # of this client's applicant, and it names the other
    fill.row("sumsub_event", client_id=first, digest="stranger", applicant_id=ours.applicant,
             external_user_id=str(other), **event)  # fmt: skip
    fill.row("idempotency_key", token_id=new_id(), method="PUT", path=f"/internal/Clients/{other}", key="k",
             created_at=LONG_AGO)  # fmt: skip
    assert len(fill.written) == written + 5


def test_a_purge_leaves_everything_of_another_client_byte_for_byte(
    committed: Flask, admin: psycopg.Connection[Any], lived: Lived
) -> None:
    first, _, fill = lived
    begun = len(fill.written)
    other, theirs = other_life(fill)
    between_the_two(fill, first, other, theirs)
    of_the_other = set(fill.written[begun:])
    # the one row among them that is the first client's own: a payer's words in its incoming transfer
    of_the_other -= {(t, row) for t, row in of_the_other if t == "transfer" and str(first) in row}
    named = {(table, row) for table, row in everything(fill) if str(other) in row}
    assert len(of_the_other) > 50

    purged()

    after = everything(fill)
    assert sorted(table for table, row in (of_the_other | named) - after) == []


def test_what_belonged_to_two_goes_with_the_last_of_them(
    committed: Flask, admin: psycopg.Connection[Any], lived: Lived
) -> None:
    first, _, fill = lived
    other, theirs = other_life(fill)
    between_the_two(fill, first, other, theirs)
    # the other one is gone already: nobody is left whose evidence it were
    admin.execute("UPDATE client SET purged_at = now() WHERE id = %s", [other])
    both = """
    SELECT count(*) FROM payment WHERE state = 'error' AND state_reason IS NOT NULL
    UNION ALL SELECT count(*) FROM payment_state_change WHERE to_state = 'error' AND reason IS NOT NULL
    UNION ALL SELECT count(*) FROM ledger_transaction WHERE state = 'error' AND description IS NOT NULL
    UNION ALL SELECT count(*) FROM provider_message WHERE reference = 'SUM' AND body <> ''
    UNION ALL SELECT count(*) FROM incoming_request WHERE provider_reference = 'sum' AND debtor_name IS NOT NULL
    UNION ALL SELECT count(*) FROM sumsub_event WHERE digest = 'stranger' AND body IS NOT NULL
    UNION ALL SELECT count(*) FROM disposition WHERE number = 2 AND comment IS NOT NULL
    """
    assert admin.execute(both).fetchall() == [(2,), (2,), (2,), (1,), (1,), (1,), (1,)]

    purged()

    assert admin.execute(both).fetchall() == [(0,)] * 7


def test_what_a_bank_told_of_an_incoming_transfer_goes_with_its_client(
    committed: Flask, admin: psycopg.Connection[Any], lived: Lived
) -> None:
    told = "SELECT body FROM provider_message WHERE reference = 'BANK-1'"
    [[before]] = admin.execute(told).fetchall()
    assert MARK in before
    purged()
    assert admin.execute(told).fetchall() == [("",)]
