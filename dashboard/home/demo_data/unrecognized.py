"""Money that reached no client: a dozen receipts in every state of the desk, told and worked on by the product's own
verbs, so that whatever they guard holds for the demo as well. Names, amounts and texts depend on the seed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.numbers import check_digits
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.staff import services as staff
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.services import references
from dashboard.transfers.services.desk import asking, assigning, keeping
from dashboard.transfers.services.incoming.receiving import receive, receive_unreadable
from dashboard.transfers.vocabulary import Kind, Status

_BANK, _SANDBOX = "bank-alpha", "sandbox"
#: above the first limit of one person
_LARGE = 1_240_000
_NEEDED = 12


@dataclass(frozen=True)
class _Owner:
    """A client with an account in euros that takes money."""

    client_id: UUID
    account_id: UUID
    number: str
    name: str


class _Teller:
    def __init__(self, seed: int) -> None:
        self.random = Random(f"unrecognized {seed}")  # noqa: S311 invents, protects nothing
        self.count = 0
        self.days = clock.calendar()

    def booked(self, business_days_ago: int) -> datetime:
        """An afternoon so many business days ago, or just now."""
        if not business_days_ago:
            return clock.now() - timedelta(minutes=self.random.randrange(5, 50))
        day = self.days.today()
        for _ in range(business_days_ago):
            day -= timedelta(days=1)
            while not self.days.is_business_day(day):
                day -= timedelta(days=1)
        return self.days.closing(day) - timedelta(hours=3, minutes=self.random.randrange(60))

    def account(self) -> str:
        """Somebody's at another bank."""
        bban = f"73000{self.random.randrange(10**11):011d}"
        return f"LT{check_digits('LT', bban)}{bban}"

    def credit(self, payer: str | None, amount_minor: int, text: str | None, *, ago: int = 0, **said: Any) -> Credit:
        self.count += 1
        reference = f"DEMO{self.count:04d}{self.random.getrandbits(32):08X}"
        booked = self.booked(ago)
        told = Credit(
            provider=_BANK,
            provider_reference=reference,
            currency="eur",
            amount_minor=amount_minor,
            creditor_account=None,
            booked_at=booked,
            debtor_name=payer,
            debtor_account=self.account(),
            debtor_bic="HABALT22",
            debtor_country="LT",
            remittance=text,
            references=(reference,),
            value_date=self.days.today(booked),
            raw={"reference": reference, "payer": payer, "text": text},
        )
        return replace(told, **said)

    def receive(self, credit: Credit, source: str = "camt.054") -> IncomingRequest:
        with transaction():
            return receive(credit, source=source, message_id=None, by=system(credit.provider))

    def on_desk(self, credit: Credit) -> UUID:
        """The transfer that it became."""
        found = self.receive(credit).transfer_id
        assert found is not None  # a credit that can be read becomes a transfer
        return found


def _owners() -> list[_Owner]:
    """The first active clients whose account takes money, in the order in which they came."""
    rows = session().execute(
        sa.select(Client.id, Account.id, Account.number, Client.name)
        .join(Account, Account.owner_id == Client.id)
        .join(AccountBalance, AccountBalance.account_id == Account.id)
        .where(
            Client.status == "active", Account.type == AccountType.CLIENT.value, Account.currency == "eur",
            Account.status == AccountStatus.OPEN.value, AccountBalance.credits_frozen.is_(False),
            AccountBalance.debits_frozen.is_(False),
        )
        .order_by(Client.id, Account.id)
        .limit(_NEEDED * 3)
    )  # fmt: skip
    found: dict[UUID, _Owner] = {}
    for row in rows:
        found.setdefault(row[0], _Owner(*row))
    return list(found.values())[:_NEEDED]


def _misspelt(name: str) -> str:
    """Two letters change places, as they do at a keyboard."""
    middle = len(name) // 2
    return name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :]


def _swapped(name: str) -> str:
    first, _, last = name.partition(" ")
    return f"{last} {first}".strip().upper()


def _known_payer(owner: _Owner) -> Transfer | None:
    """Who paid this client before."""
    return session().scalar(
        sa.select(Transfer)
        .where(
            Transfer.client_id == owner.client_id, Transfer.kind == Kind.INCOMING.value,
            Transfer.status == Status.COMPLETED.value, Transfer.counterparty_account.is_not(None),
        )
        .order_by(Transfer.id.desc())
        .limit(1)
    )  # fmt: skip


def tell(seed: int) -> int:
    """Fill the desk; gives how many messages of money there were. Needs the demo sign-ins, and clients with accounts:
    without enough of them it does nothing."""
    with transaction():
        owners = _owners()
        officer = staff.actor_named("officer@demo.example")
        known = _known_payer(owners[1]) if len(owners) == _NEEDED else None
        payer = (known.counterparty_name, known.counterparty_account) if known else (None, None)
    if len(owners) < _NEEDED:
        return 0
    teller = _Teller(seed)
    _open(teller, owners, payer)
    _worked_on(teller, owners, officer)
    _recognized_and_odd(teller, owners)
    return teller.count


def _open(teller: _Teller, owners: list[_Owner], known: tuple[str | None, str | None]) -> None:
    """Nobody has looked at these yet; some wait too long already."""
    teller.on_desk(teller.credit(_misspelt(owners[0].name), 48_000, f"Top-up, account ending {owners[0].number[-6:]}"))
    payer, account = known
    teller.on_desk(
        teller.credit(payer or "Baltic Payroll UAB", 231_540, "Salary", debtor_account=account or teller.account())
    )
    teller.on_desk(teller.credit(_swapped(owners[2].name), 12_500, "for the account opened last week"))
    teller.on_desk(teller.credit("Nordvik Trading AS", 9_990, f"inv 10233 {_misspelt(owners[3].name)}", ago=1))
    teller.on_desk(teller.credit(None, 7_500, "Thank you", debtor_account=None, debtor_bic=None, debtor_country=None))
    teller.on_desk(teller.credit(owners[4].name, 150_000, None, ago=3))
    teller.on_desk(teller.credit("J. Smith", 66_000, "deposit", ago=8))
    teller.on_desk(
        teller.credit("Harbour Lettings Ltd", 83_000, "Rent refund", currency="gbp", provider=_SANDBOX,
                      debtor_country="GB", debtor_bic="BARCGB22", debtor_account="GB29NWBK60161331926819")
    )  # fmt: skip


def _worked_on(teller: _Teller, owners: list[_Owner], officer: Actor) -> None:
    """Asked about, kept, asked for by one person and waiting for another, and assigned: that one can be undone."""
    asked = teller.on_desk(teller.credit("Grupė Vėjas MB", 41_210, "sutartis 77", ago=1))
    kept = teller.on_desk(teller.credit("Estate of P. Urbonas", 310_000, "inheritance, letter follows", ago=1))
    large = teller.on_desk(teller.credit(_misspelt(owners[5].name), _LARGE, f"Deposit {owners[5].number[-4:]}"))
    small = teller.on_desk(teller.credit(owners[6].name, 25_000, f"my account {owners[6].number[-8:]}"))

    def do(verb: Callable[[], object]) -> None:
        with transaction():
            verb()

    question = "We received this money and cannot tell whom it is for. Please write the number of the account."
    do(lambda: asking.ask_payer(asked, text=question, by=officer))
    until = teller.days.add_days(teller.days.today(), 5)
    do(lambda: keeping.keep(kept, until=until, reason="The heirs' papers are on their way.", by=officer))
    do(lambda: asking.note(kept, text="The notary called and confirmed.", by=officer))
    do(
        lambda: assigning.ask_to_assign(
            large, account_id=owners[5].account_id, comment="The end of the number fits, and the name but for a typo.",
            by=officer,
        )
    )  # fmt: skip
    do(
        lambda: assigning.assign(
            small, account_id=owners[6].account_id, comment="Name and end of the number fit.", by=officer
        )
    )


def _recognized_and_odd(teller: _Teller, owners: list[_Owner]) -> None:
    """Recognized at once; told twice by the bank; and one that cannot be read."""
    by = system("demo")
    with transaction():
        reference = references.give(
            client_id=owners[7].client_id, account_id=owners[7].account_id, by=by, expected_minor=99_000
        ).reference
        references.give(client_id=owners[8].client_id, account_id=owners[8].account_id, by=by)
    teller.receive(teller.credit("Saulės Namai UAB", 99_000, f"Payment {reference}"))
    straight = teller.credit("Ąžuolynas OÜ", 18_300, "Invoice 4410", creditor_account=owners[9].number)
    teller.receive(straight)
    # the statement of the evening tells the same credit again
    teller.receive(replace(straight, provider_reference=f"{straight.provider_reference}-ST"), "camt.053")
    teller.count += 1
    with transaction():
        receive_unreadable(
            provider=_SANDBOX, provider_reference=f"DEMO{teller.count:04d}UNREADABLE",
            raw={"reference": f"DEMO{teller.count:04d}", "amount": "12,5O", "currency": "EUR"}, source="sandbox",
            message_id=None, by=system(_SANDBOX),
        )  # fmt: skip
