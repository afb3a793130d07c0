"""One transfer: both sides, its states, what it was asked, payment, messages, and only what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Response, render_template, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.audit import queries as audit
from dashboard.audit import services as evidence
from dashboard.audit.queries import TimelineEntry
from dashboard.clients import queries as clients
from dashboard.clients import story
from dashboard.clients.badges import severity_badge
from dashboard.database import session, transaction
from dashboard.ledger import numbers
from dashboard.ledger.queries import asked
from dashboard.ledger.queries import payments as ledger_payments
from dashboard.ledger.queries.parties import Party, parties
from dashboard.ledger.states import state_badge
from dashboard.money import Money
from dashboard.transfers.badges import kind_words, money_of, status_badge, title_of
from dashboard.transfers.models import FxQuote, Receipt, Transfer
from dashboard.transfers.pages import checks
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.telling import code_words, words
from dashboard.transfers.queries import held, history
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.services.outgoing.held import EXECUTE, contradicted
from dashboard.transfers.vocabulary import Kind, Status, TransferType
from dashboard.web.htmx import page_or_fragment

#: legs of the payment that the page shows
MOST_LEGS = 20


#: what happened besides changes of the status
@dataclass(frozen=True)
class Action:
    """What this reader may do with the transfer now; `key` is its letter."""

    label: str
    url: str
    key: str
    primary: bool = False
    dialog: bool = True
    #: for the foot of a phone
    short: str | None = None


def actions(
    transfer: Transfer, actor: Actor, *, asked_to_execute: bool = False, contradiction: bool = False
) -> list[Action]:
    """Only what its state and the reader's role allow; never while a second person decides."""
    found: list[Action] = []
    status = Status(transfer.status)

    def page(name: str) -> str:
        return url_for(f"transfers.{name}", transfer_id=transfer.id)

    if transfer.kind == Kind.INCOMING:
        if status is Status.UNRECOGNIZED:
            found.append(Action("Open on the desk", f"/transfers/unrecognized/{transfer.id}", "o", True, dialog=False))
        return found
    if transfer.kind != Kind.OUTGOING:
        return found
    if actor.may(Permission.TRANSFERS_REVIEW):
        if status is Status.MANUAL_REVIEW:
            found.append(Action("Continue…", page("release"), "c", primary=True))
        if status in {Status.AWAITING_CONFIRMATION, Status.CONFIRMED, Status.MANUAL_REVIEW}:
            found.append(Action("Cancel…", page("cancel"), "x"))
        elif status in {Status.SUBMITTED, Status.UNKNOWN}:
            found.append(Action("Ask it back…", page("cancel"), "x"))
        if contradiction:
            found.append(Action("Clear the contradiction…", page("clear"), "l", short="Clear…"))
    executable = {Status.CONFIRMED, Status.MANUAL_REVIEW, Status.SUBMITTED, Status.UNKNOWN}
    by_hand = status in executable and transfer.type != TransferType.INTERNAL
    if actor.may(Permission.TRANSFERS_EXECUTE) and by_hand and not asked_to_execute:
        found.append(Action("Execute manually…", page("execute"), "e", short="Execute…"))
    return found


@dataclass(frozen=True)
class Side:
    """Debtor or creditor. `party`: an account of this house; otherwise as the other bank tells it."""

    party: Party | None
    name: str
    number: str | None
    bic: str | None = None
    country: str | None = None

    @classmethod
    def here(cls, party: Party) -> Side:
        return cls(party, party.name, party.number)

    @classmethod
    def elsewhere(cls, transfer: Transfer) -> Side:
        return cls(
            None,
            transfer.counterparty_name or "Without a name",
            transfer.counterparty_account,
            transfer.counterparty_bic,
            transfer.counterparty_country,
        )


def sides(transfer: Transfer, known: dict[UUID, Party]) -> tuple[Side, Side]:
    """Debtor and creditor."""
    ours = Side.here(known[transfer.account_id])
    other = (
        Side.here(known[transfer.counter_account_id])
        if transfer.counter_account_id in known
        else Side.elsewhere(transfer)
    )
    return (other, ours) if transfer.kind == Kind.INCOMING else (ours, other)


@transfers.get("/<uuid:transfer_id>")
@requires(Permission.TRANSFERS_READ)
def show(transfer_id: UUID) -> Response:
    """The page of one transfer."""
    actor = current_actor()
    transfer = queries.get(transfer_id)
    found = history.checks_of([transfer.id])[transfer.id]
    waiting = asked.waiting(EXECUTE, transfer.id)
    contradiction = transfer.kind == Kind.OUTGOING and contradicted(transfer)
    known = parties(one for one in (transfer.account_id, transfer.counter_account_id) if one is not None)
    changes = history.changes_of([transfer.id])[transfer.id]
    debtor, creditor = sides(transfer, known)
    entries = audit.of_object("transfer", transfer.id, sees_restricted=actor.sees_restricted)
    return page_or_fragment(
        "transfers/show.html",
        "transfers/show.html",
        transfer=transfer,
        title=title_of(transfer),
        state=status_badge(transfer.status),
        kind=kind_words(transfer),
        money=money_of(transfer),
        fee=Money(transfer.fee_minor, transfer.currency),
        debtor=debtor,
        creditor=creditor,
        quote=session().get(FxQuote, transfer.quote_id) if transfer.quote_id else None,
        changes=changes,
        badges={change.to_status: status_badge(change.to_status) for change in changes},
        who={change.position: _who(change.by_kind, change.by_id, change.by_name, actor) for change in changes},
        checks=checks.lines(found, transfer),
        held=_held(transfer, current_actor()) if transfer.status == Status.MANUAL_REVIEW else None,
        payment=_payment(transfer) if actor.may(Permission.LEDGER_READ) else None,
        related=[(one, status_badge(one.status), title_of(one)) for one in queries.related_to(transfer)],
        has_receipt=session().get(Receipt, transfer.id) is not None,
        submission=history.submission_of(transfer.id),
        events=[_in_words(told, entry) for told, entry in zip(story.tell(entries, actor=actor), entries, strict=True)],
        codes={entry.id: entry.after["code"] for entry in entries if entry.after.get("code")},
        actions=actions(transfer, actor, asked_to_execute=waiting is not None, contradiction=contradiction),
        waiting=waiting,
        contradiction=contradiction,
        may_open_request=actor.may(Permission.APPROVALS_READ),
        may_read_ledger=actor.may(Permission.LEDGER_READ),
        code_words=code_words,
        in_groups=numbers.in_groups,
        maker=_who(transfer.maker_kind, transfer.maker_id, transfer.maker_name, actor),
    )


def _in_words(told: story.Told, entry: TimelineEntry) -> story.Told:
    """An event in the words of transfers; which one and its statuses stand beside it already."""
    return replace(told, what=words(entry), turns=[])


def _who(kind: str, id: UUID | None, name: str, actor: Actor) -> str:
    return "you" if id is not None and id == actor.id else named(kind, name)


def _held(transfer: Transfer, actor: Actor) -> dict[str, Any]:
    """What somebody who decides must know of the client and the recipient."""
    client = clients.by_ids([transfer.client_id]).get(transfer.client_id) if transfer.client_id else None
    flags = clients.flags_of(client.id, sees_restricted=actor.sees_restricted) if client else []
    return {
        "before": held.to_recipient(transfer),
        "turnover": held.turnover(client) if client else [],
        "declared": held.declared_by(client) if client else None,
        "flags": [(flag, severity_badge(flag.severity)) for flag in flags],
        "client": client,
    }


@dataclass(frozen=True)
class PaymentPart:
    """The payment that books it, with both sides of its first transactions."""

    payment: ledger_payments.PaymentView
    badge: Any
    legs: Sequence[ledger_payments.TransactionView]
    sides: dict[UUID, Party]


def _payment(transfer: Transfer) -> PaymentPart | None:
    if transfer.payment_id is None:
        return None
    found = ledger_payments.get(transfer.payment_id)
    legs = found.transactions[:MOST_LEGS]
    accounts = {account for leg in legs for account in (leg.debtor_id, leg.creditor_id)}
    return PaymentPart(found, state_badge(found.state), legs, parties(accounts))


@transfers.get("/<uuid:transfer_id>/messages")
@requires(Permission.TRANSFERS_READ)
def messages(transfer_id: UUID) -> Response:
    """What provider and house said to each other, word for word. That somebody read it is evidence of its own."""
    transfer = queries.get(transfer_id)
    found = history.messages_of(transfer.id)
    if found:
        with transaction():
            evidence.record(
                "transfer.messages_read",
                by=current_actor(),
                object_type="transfer",
                object_id=transfer.id,
                client_id=transfer.client_id,
            )
    context = {"transfer": transfer, "title": title_of(transfer), "messages": found}
    if request.headers.get("HX-Request") == "true":
        return Response(render_template("transfers/_messages.html", **context))
    return Response(render_template("transfers/messages.html", **context))
