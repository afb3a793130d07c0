"""Transfers of the newest payments: what clients ordered and what banks told, with recipients, exchanges and rates.

Every transfer is one of a payment that the ledger has: its identifier is the payment's parent, its status follows the
payment's state. Older payments stay without, as if they had come from the system before this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from dashboard.clients.folding import name_key, search_text
from dashboard.home.demo_data import evidence
from dashboard.home.demo_data.histories import CORE
from dashboard.home.demo_data.holdings import CURRENCIES, PROVIDERS
from dashboard.home.demo_data.names import COUNTRIES
from dashboard.home.demo_data.plan import Colleague, Days, Plan, milliseconds
from dashboard.home.demo_data.rows import Sheets, identifier, moment
from dashboard.ledger.numbers import check_digits
from dashboard.ledger.vocabulary import AccountType
from dashboard.transfers.services.exchange.ecb import fixed_at
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status, TransferType

#: of so many transactions one has a transfer, but not fewer than FEWEST and not more than MOST
_SHARE, FEWEST, MOST = 25, 400, 10_000
#: business days of rates
_RATE_DAYS = 10
#: transfers that wait for a person
HELD = 6
_PROVIDERS = {"sandbox": ("Sandbox", "sandbox"), "bank-alpha": ("Bank Alpha", "files")}
#: type, currency, provider, priority
_ROUTES = (
    ("sepa", "eur", "sandbox", 1), ("sepa", "eur", "bank-alpha", 2), ("sepaInstant", "eur", "sandbox", 1),
    ("fasterPayments", "gbp", "sandbox", 1),
    *(("swift", currency, provider, place) for currency in CURRENCIES
      for place, provider in enumerate(("bank-alpha", "sandbox"), 1)),
)  # fmt: skip
#: what one euro costs
_EURO = {"usd": 1.0832, "gbp": 0.8341, "pln": 4.2755, "chf": 0.9312, "sek": 11.482, "nok": 11.731, "dkk": 7.4578,
         "cad": 1.5124, "cny": 7.8411, "jpy": 163.28}  # fmt: skip
#: country, bank code, digits of the account, BIC
_BANKS = (("LT", "73000", 11, "HABALT22"), ("LT", "70440", 11, "CBVILT2X"), ("DE", "37040044", 10, "COBADEFFXXX"),
          ("LT", "21400", 11, "AGBLLT2X"))  # fmt: skip
_SECOND, _MINUTE = 1_000, 60_000
#: status, when, code
_Step = tuple[Status, int, str | None]


@dataclass
class _Payment:
    id: str
    parent: UUID
    state: str
    reason: str | None
    created: datetime
    posted: datetime | None
    value_date: Any
    legs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Other:
    """Somebody at another bank."""

    name: str
    account: str
    bic: str | None
    country: str


def write(connection: psycopg.Connection[Any], plan: Plan, days: Days) -> Sheets:
    """Rows of providers, rates and transfers; reads what the ledger holds, writes nothing itself."""
    sheets = Sheets()
    random = Random(f"transfers {plan.seed} {plan.transactions}")  # noqa: S311 invents, protects nothing
    _providers(sheets, days)
    _rates(sheets, days, random)
    wanted = min(max(plan.transactions // _SHARE, FEWEST), MOST)
    writer = _Writer(sheets, random, days)
    for payment in _newest(connection, wanted):
        writer.tell(payment)
    return sheets


def _providers(sheets: Sheets, days: Days) -> None:
    for key in PROVIDERS:
        name, kind = _PROVIDERS[key]
        sheets.add("provider", key, name, kind, True, {}, moment(days.start))
    for route in _ROUTES:
        sheets.add("provider_route", *route)


def _rates(sheets: Sheets, days: Days, random: Random) -> None:
    """Like those of the European Central Bank, of the last business days that are over."""
    now = dict(_EURO)
    for place in range(days.today - _RATE_DAYS, days.today):
        at = milliseconds(fixed_at(days.dates[place]))
        if at > days.end:
            continue
        for currency, rate in now.items():
            now[currency] = rate * (1 + (random.random() - 0.5) * 0.006)
            sheets.add("fx_rate", identifier(at, random), "eur", currency, f"{now[currency]:.4f}", "ecb", moment(at),
                       moment(min(at + 10 * _MINUTE, days.end)))  # fmt: skip


def _newest(connection: psycopg.Connection[Any], count: int) -> Iterator[_Payment]:
    """The newest payments that some transfer is behind, oldest of them first."""
    rows = connection.execute(
        "SELECT id, parent_id, state, state_reason, created_at, posted_at, value_date FROM payment p"
        " WHERE parent_type = 'transfer' AND purpose = 'main' AND state <> 'draft'"
        " AND NOT EXISTS (SELECT 1 FROM payment r WHERE r.reverses_id = p.id) ORDER BY id DESC LIMIT %s",
        (count,),
    ).fetchall()
    found = {row[0]: _Payment(str(row[0]), *row[1:]) for row in reversed(rows)}
    legs = connection.execute(
        "SELECT t.payment_id, t.position, t.currency, t.amount_minor, t.description,"
        " d.id AS debtor, d.type AS debtor_type, d.owner_id AS debtor_owner, d.number AS debtor_number,"
        " d.provider AS debtor_provider, dn.name AS debtor_name,"
        " c.id AS creditor, c.type AS creditor_type, c.owner_id AS creditor_owner, c.number AS creditor_number,"
        " c.provider AS creditor_provider, cn.name AS creditor_name, b.id AS bank_account"
        " FROM ledger_transaction t JOIN account d ON d.id = t.debtor_account_id"
        " JOIN account c ON c.id = t.creditor_account_id"
        " LEFT JOIN client dn ON dn.id = d.owner_id LEFT JOIN client cn ON cn.id = c.owner_id"
        " LEFT JOIN bank_account b ON b.id = d.bank_account_id"
        " WHERE t.payment_id = ANY(%s) ORDER BY t.payment_id, t.position",
        (list(found),),
    )
    names = [column.name for column in legs.description or ()]
    for row in legs:
        found[row[0]].legs.append(dict(zip(names, row, strict=True)))
    yield from found.values()


class _Writer:
    def __init__(self, sheets: Sheets, random: Random, days: Days) -> None:
        self.sheets, self.random, self.days = sheets, random, days
        self.others: dict[tuple[str, int], _Other] = {}
        self.recipients: dict[tuple[str, str], str] = {}
        self.held = 0

    def tell(self, payment: _Payment) -> None:
        """One payment becomes one transfer, where it is of a kind that transfers have."""
        first = payment.legs[0]
        sides = (first["debtor_type"], first["creditor_type"])
        if sides == (AccountType.SETTLEMENT, AccountType.CLIENT):
            if payment.state == "posted":
                self._incoming(payment, first)
        elif sides == (AccountType.CLIENT, AccountType.SETTLEMENT):
            self._outgoing(payment, first)
        elif sides == (AccountType.CLIENT, AccountType.CLIENT):
            if payment.state == "posted":
                self._internal(payment, first)
        elif sides == (AccountType.CLIENT, AccountType.FX_POSITION) and payment.state == "posted":
            self._exchange(payment, first, payment.legs[-1])

    # --- somebody else ------------------------------------------------------------------------------------------

    def _other(self, client: str) -> _Other:
        """One of the few that this client has to do with, so that a payer is known again."""
        number = int(4 * self.random.random() ** 2)
        if (client, number) not in self.others:
            random = Random(f"{client} {number}")  # noqa: S311 invents, protects nothing
            country = random.choices(COUNTRIES, [each.weight for each in COUNTRIES])[0]
            last = random.choice(country.last)
            name = f"{random.choice(country.first)} {last}" if random.random() < 0.6 else (
                f"{last} {random.choice(country.forms)}"
            )  # fmt: skip
            code, bank, digits, bic = random.choice(_BANKS)
            bban = f"{bank}{random.randrange(10**digits):0{digits}d}"
            self.others[client, number] = _Other(name, f"{code}{check_digits(code, bban)}{bban}", bic, code)
        return self.others[client, number]

    def _recipient(self, client: str, other: _Other, at: int) -> str:
        key = client, other.account
        if key not in self.recipients:
            self.recipients[key] = identifier(at, self.random)
            self.sheets.add(
                "recipient", self.recipients[key], client, other.name, name_key(other.name), "iban", other.account,
                other.bic, None, other.country, None, True, moment(at), CORE.kind, CORE.id,
            )  # fmt: skip
        return self.recipients[key]

    # --- kinds --------------------------------------------------------------------------------------------------

    def _incoming(self, payment: _Payment, leg: dict[str, Any]) -> None:
        client, other = str(leg["creditor_owner"]), self._other(str(leg["creditor_owner"]))
        created = milliseconds(payment.created)
        # sixteen characters, as many as a reference of a bank may have in an MT940
        reference = f"{leg['debtor_provider'][0].upper()}{created:011X}{self.random.randrange(10**4):04d}"
        provider = Colleague("", leg["debtor_provider"], "system", kind="system")
        self._add(
            payment, leg, Kind.INCOMING, Status.COMPLETED, None, client=client, account=leg["creditor"],
            created=created, other=other, remittance=leg["description"], end_to_end=None,
            provider=leg["debtor_provider"],
            reference=reference, ended=created, by=provider,
            search=(other.name, other.account, leg["creditor_number"], leg["description"], reference),
        )  # fmt: skip
        self._history(payment, client, [(Status.COMPLETED, created, "recognizedByAccount")], provider)
        said = {"reference": reference, "amount": leg["amount_minor"], "currency": leg["currency"]}
        digest = hashlib.sha256(reference.encode()).hexdigest()
        self.sheets.add(
            "incoming_request", identifier(created, self.random), leg["debtor_provider"], reference, False,
            "sandbox" if leg["debtor_provider"] == "sandbox" else "camt.054", f"\\x{digest}", said,
            str(leg["bank_account"]) if leg["bank_account"] else None, leg["currency"], leg["amount_minor"],
            leg["creditor_number"], leg["creditor_name"], other.name, other.account, other.bic, other.country,
            leg["description"], [reference], moment(created), payment.value_date, "processed", 1, str(payment.parent),
            moment(created), moment(created),
        )  # fmt: skip

    def _outgoing(self, payment: _Payment, leg: dict[str, Any]) -> None:
        client, provider = str(leg["debtor_owner"]), leg["creditor_provider"]
        other = self._other(client)
        confirmed = milliseconds(payment.created)
        posted = milliseconds(payment.posted) if payment.posted else None
        created = confirmed - int((20 + 60 * self.random.random()) * _SECOND)
        status, reason = self._status(payment, provider)
        steps: list[_Step] = [(Status.AWAITING_CONFIRMATION, created, None), (Status.CONFIRMED, confirmed, None)]
        sent = min(confirmed + 2 * _SECOND, posted or confirmed + 2 * _SECOND)
        if status is Status.MANUAL_REVIEW:
            steps.append((status, confirmed, Check.LIMIT_PER_DAY.value))
        elif status in {Status.SUBMITTED, Status.UNKNOWN, Status.COMPLETED, Status.REJECTED}:
            steps.append((Status.SUBMITTED, sent, None))
        if status not in {Status.SUBMITTED, Status.MANUAL_REVIEW, Status.CONFIRMED}:
            last = posted or min(confirmed + 5 * _MINUTE, self.days.end)
            steps.append((status, max(last, sent), reason))
        final = status in {Status.COMPLETED, Status.REJECTED, Status.CANCELED}
        went = status in {Status.SUBMITTED, Status.UNKNOWN, Status.COMPLETED, Status.REJECTED}
        type = TransferType.SEPA if leg["currency"] == "eur" else (
            TransferType.FASTER_PAYMENTS if leg["currency"] == "gbp" and provider == "sandbox" else TransferType.SWIFT
        )  # fmt: skip
        remittance = leg["description"] or "Payment"
        self._add(
            payment, leg, Kind.OUTGOING, status, type, client=client, account=leg["debtor"], created=created,
            other=other, remittance=remittance, end_to_end=payment.parent.hex.upper(), provider=provider,
            reference=f"OUT{self.random.getrandbits(48):012X}" if status is Status.COMPLETED else None,
            recipient=self._recipient(client, other, created), fee=self._fee(payment), confirmed=confirmed,
            submitted=sent if went else None, ended=steps[-1][1] if final else None, by=CORE,
            search=(leg["debtor_name"], other.name, other.account, leg["debtor_number"], remittance,
                    payment.parent.hex.upper()),
        )  # fmt: skip
        self._history(payment, client, steps, CORE)
        self._round(payment, leg, confirmed, status, client, other)
        if went or status is Status.CONFIRMED:
            state = {Status.SUBMITTED: "sent", Status.UNKNOWN: "unknown", Status.CONFIRMED: "waiting"}.get(
                status, "settled"
            )
            self.sheets.add(
                "submission", str(payment.parent), provider, state, 0 if state == "waiting" else 1, moment(sent),
                moment(sent) if state != "waiting" else None, moment(confirmed),
            )  # fmt: skip

    def _status(self, payment: _Payment, provider: str) -> tuple[Status, str | None]:
        if payment.state == "posted":
            return Status.COMPLETED, None
        if payment.state == "canceled":
            return Status.CANCELED, None
        if payment.state == "error":
            return Status.REJECTED, "AC04" if "closed" in (payment.reason or "") else "MS03"
        if self.held < HELD:
            self.held += 1
            return Status.MANUAL_REVIEW, None
        if provider == "sandbox":
            return (Status.UNKNOWN, "answerLost") if self.random.random() < 0.1 else (Status.CONFIRMED, None)
        return Status.SUBMITTED, None

    def _fee(self, payment: _Payment) -> int:
        return sum(leg["amount_minor"] for leg in payment.legs if leg["creditor_type"] == AccountType.FEES)

    def _round(
        self, payment: _Payment, leg: dict[str, Any], confirmed: int, status: Status, client: str, other: _Other
    ) -> None:
        """What the checks said: all passed, but one of a held transfer."""
        held = status is Status.MANUAL_REVIEW
        amount = leg["amount_minor"]
        account = str(leg["debtor"])
        details: dict[Check, dict[str, Any]] = {
            Check.CLIENT_ACTIVE: {"status": "active"},
            Check.ACCOUNT_NOT_FROZEN: {"accountId": account},
            Check.FUNDS: {"accountId": account, "feeMinor": self._fee(payment), "held": False},
            Check.RECIPIENT_COUNTRY: {"country": other.country},
            Check.DUPLICATE: {"minutes": 10, "transferIds": []},
            Check.PAYER_DATA: {"missing": []},
        }
        for check in Check:
            review = held and check is Check.LIMIT_PER_DAY
            limit = {Check.LIMIT_PER_TRANSFER: amount * 3, Check.LIMIT_PER_DAY: amount * (1 if review else 5),
                     Check.LIMIT_PER_MONTH: amount * 20}.get(check)  # fmt: skip
            measured = amount * 2 if review else amount if limit else None
            outcome = CheckOutcome.REVIEW if review else CheckOutcome.PASSED
            self.sheets.add("transfer_check", str(payment.parent), 1, check.value, outcome.value, limit, measured,
                            details.get(check, {}),
                            moment(confirmed))  # fmt: skip
        if held:
            due = self.days.due(confirmed, 1)
            self.sheets.add(
                "queue_item", identifier(confirmed, self.random), "held-transfers", "review", "transfer",
                str(payment.parent), client, False, moment(confirmed), moment(due), None,
            )  # fmt: skip

    def _internal(self, payment: _Payment, leg: dict[str, Any]) -> None:
        client, confirmed = str(leg["debtor_owner"]), milliseconds(payment.created)
        created, posted = confirmed - 30 * _SECOND, milliseconds(payment.posted or payment.created)
        other = _Other(leg["creditor_name"], leg["creditor_number"], None, leg["creditor_number"][:2])
        remittance = leg["description"] or "Transfer"
        self._add(
            payment, leg, Kind.OUTGOING, Status.COMPLETED, TransferType.INTERNAL, client=client, account=leg["debtor"],
            counter=leg["creditor"], created=created, other=other, remittance=remittance,
            end_to_end=payment.parent.hex.upper(), provider=None, reference=None,
            recipient=self._recipient(client, other, created), confirmed=confirmed, ended=posted, by=CORE,
            search=(leg["debtor_name"], other.name, other.account, leg["debtor_number"], remittance,
                    payment.parent.hex.upper()),
        )  # fmt: skip
        steps: list[_Step] = [
            (Status.AWAITING_CONFIRMATION, created, None),
            (Status.CONFIRMED, confirmed, None),
            (Status.COMPLETED, posted, None),
        ]
        self._history(payment, client, steps, CORE)

    def _exchange(self, payment: _Payment, sold: dict[str, Any], bought: dict[str, Any]) -> None:
        client, at = str(sold["debtor_owner"]), milliseconds(payment.created)
        quote = identifier(at - 20 * _SECOND, self.random)
        fixing = self.days.dates[self.days.first_after(at) - 1]
        as_of = milliseconds(fixed_at(fixing))
        # four currencies with two decimals each
        rate = f"{bought['amount_minor'] / sold['amount_minor']:.6f}"
        if float(rate) <= 0 or sold["debtor_owner"] != bought["creditor_owner"]:
            return
        self.sheets.add(
            "fx_quote", quote, client, str(sold["debtor"]), str(bought["creditor"]), sold["currency"],
            sold["amount_minor"], bought["currency"], bought["amount_minor"], rate, 0, 0, "ecb", moment(as_of),
            moment(at - 20 * _SECOND), moment(at + 40 * _SECOND),
        )  # fmt: skip
        self._add(
            payment, sold, Kind.FOREIGN_EXCHANGE, Status.COMPLETED, TransferType.INTERNAL, client=client,
            account=sold["debtor"], counter=bought["creditor"], created=at, other=None, remittance=None,
            end_to_end=None, provider=None, reference=None, ended=at, by=CORE, quote=quote, bought=bought,
            search=(sold["debtor_name"], sold["debtor_number"], bought["creditor_number"]),
        )  # fmt: skip
        self._history(payment, client, [(Status.COMPLETED, at, None)], CORE)

    # --- rows ---------------------------------------------------------------------------------------------------

    def _add(
        self, payment: _Payment, leg: dict[str, Any], kind: Kind, status: Status, type: TransferType | None, *,
        client: str, account: UUID, created: int, other: _Other | None, remittance: str | None, end_to_end: str | None,
        provider: str | None, reference: str | None, by: Colleague, search: tuple[str | None, ...],
        counter: UUID | None = None, recipient: str | None = None, fee: int = 0, confirmed: int | None = None,
        submitted: int | None = None, ended: int | None = None, quote: str | None = None,
        bought: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        def at(value: int | None) -> str | None:
            return moment(value) if value is not None else None

        steps = {Kind.OUTGOING: 4 if submitted else 3}.get(kind, 1)
        self.sheets.add(
            "transfer", str(payment.parent), kind.value, status.value, type.value if type else None, client,
            str(account), str(counter) if counter else None, leg["currency"], leg["amount_minor"], fee,
            bought["currency"] if bought else None, bought["amount_minor"] if bought else None, recipient,
            other.name if other else None, other.account if other else None, other.account if other else None,
            other.bic if other else None, other.country if other else None, remittance, end_to_end, provider,
            reference, payment.id, "transfer", quote, search_text(*search), payment.value_date, moment(created),
            at(created + 15 * _MINUTE if kind is Kind.OUTGOING else None), at(confirmed), at(submitted), at(ended),
            by.kind, by.id or None, by.name, steps,
        )  # fmt: skip

    def _history(self, payment: _Payment, client: str, steps: list[_Step], by: Colleague) -> None:
        before: Status | None = None
        for position, (status, at, code) in enumerate(steps, 1):
            self.sheets.add(
                "transfer_status_change", str(payment.parent), position, before.value if before else None,
                status.value, moment(at), code, None, by.kind, by.id or None, by.name,
            )  # fmt: skip
            said = {"before": {"status": before.value} if before else None,
                    "after": {"status": status.value, **({"code": code} if code else {})}}  # fmt: skip
            evidence.write(self.sheets, self.random, at, f"transfer.{status.value}", by, "transfer",
                           str(payment.parent), client, said)  # fmt: skip
            before = status
