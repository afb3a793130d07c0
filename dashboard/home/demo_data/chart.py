"""Bank accounts of the demo providers, and the house's own accounts that they bring about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from schwifty import IBAN

from dashboard.home.demo_data import evidence
from dashboard.home.demo_data.holdings import CURRENCIES, PROVIDERS
from dashboard.home.demo_data.plan import Colleague, Days, Plan
from dashboard.home.demo_data.rows import Sheets, identifier, moment
from dashboard.ledger import numbers
from dashboard.ledger.services.accounts import CHART_OF_BANK_ACCOUNT, CHART_OF_CURRENCY
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import Money
from dashboard.treasury.vocabulary import Pool, Purpose, StatementFormat

#: provider, name of its accounts, country and bank of their numbers
BANKS = {
    "sandbox": ("Sandbox safeguarding", "LT", "10000"),
    "bank-alpha": ("Bank Alpha safeguarding", "LT", "70440"),
}
#: the house's own money at the same banks, to top up from: provider, currency, name and number of the account
OWN_FUNDS = (
    ("sandbox", "eur", "Sandbox own funds", 9_000_001),
    ("bank-alpha", "eur", "Bank Alpha own funds", 9_000_002),
    ("sandbox", "usd", "Sandbox own funds", 9_000_003),
    ("bank-alpha", "usd", "Bank Alpha own funds", 9_000_004),
)
#: how each provider's statements come, and until when on the morning after
STATEMENTS = {
    "sandbox": (StatementFormat.MT940, "08:15"),
    "bank-alpha": (StatementFormat.CAMT, "07:30"),
}
#: dollars of clients are held for payments, all other money is e-money
POOLS = {"usd": Pool.PAYMENT_SERVICES}
COMMAND = Colleague("", "command line", "system", kind="system")


@dataclass(frozen=True)
class Chart:
    """Ids of the house's accounts, without dashes."""

    #: by provider and currency
    settlement: dict[tuple[str, str], str]
    #: by type and currency
    standard: dict[tuple[str, str], str]
    #: every system account with its currency
    all: tuple[tuple[str, str], ...]
    #: settlement accounts of the house's own money, by provider and currency
    own_funds: dict[tuple[str, str], str]


def pool_of(currency: str) -> Pool:
    """The pool that client money of a currency belongs to."""
    return POOLS.get(currency, Pool.E_MONEY)


def write(sheets: Sheets, plan: Plan, days: Days) -> Chart:
    """Register the bank accounts as `ledger.services.accounts.register_bank_account` does, before all clients came."""
    random = Random(f"chart {plan.seed}")  # noqa: S311 invents, protects nothing
    writer = _Writer(sheets, random, days.start)
    for order, provider in enumerate(PROVIDERS):
        name, country, bank = BANKS[provider]
        for currency in CURRENCIES:
            number = IBAN.generate(country, bank_code=bank, account_code=str(1_000_001 + order * 100 + len(writer.all)))
            bank_id = identifier(writer.tick(), random)
            sheets.add("bank_account", bank_id, provider, name, str(number), currency, moment(writer.at))
            writer.register(bank_id, provider, Purpose.SAFEGUARDING, pool_of(currency))
            writer.settlement[provider, currency] = writer.chart_of(bank_id, provider, name, currency)
            for type in CHART_OF_CURRENCY:
                if (type.value, currency) not in writer.standard:
                    writer.standard[type.value, currency] = writer.account(type, currency, None, None, None)
    # after all others: transfers use a provider's first account of a currency
    own = {}
    for provider, currency, name, code in OWN_FUNDS:
        _name, country, bank = BANKS[provider]
        bank_id = identifier(writer.tick(), random)
        sheets.add("bank_account", bank_id, provider, name, str(IBAN.generate(country, bank_code=bank,
                   account_code=str(code))), currency, moment(writer.at))  # fmt: skip
        writer.register(bank_id, provider, Purpose.OWN_FUNDS, None)
        own[provider, currency] = writer.chart_of(bank_id, provider, name, currency)
    return Chart(writer.settlement, writer.standard, tuple(writer.all), own)


class _Writer:
    def __init__(self, sheets: Sheets, random: Random, at: int) -> None:
        self.sheets, self.random, self.at = sheets, random, at
        self.settlement: dict[tuple[str, str], str] = {}
        self.standard: dict[tuple[str, str], str] = {}
        self.all: list[tuple[str, str]] = []

    def tick(self) -> int:
        self.at += 1
        return self.at

    def register(self, bank_id: str, provider: str, purpose: Purpose, pool: Pool | None) -> None:
        """What treasury knows of a bank account."""
        format, expected = STATEMENTS[provider]
        since = datetime.fromtimestamp(self.at / 1000, UTC).date() if purpose is Purpose.SAFEGUARDING else None
        self.sheets.add(
            "treasury_account", bank_id, pool.value if pool else None, purpose.value, since, format.value, expected,
            "LT", moment(self.at),
        )  # fmt: skip

    def chart_of(self, bank_id: str, provider: str, name: str, currency: str) -> str:
        """The accounts that a bank account brings about; gives the one that mirrors it."""
        found = {
            type: self.account(type, currency, f"{name} {currency.upper()}", provider, bank_id)
            for type in CHART_OF_BANK_ACCOUNT
        }
        return found[AccountType.SETTLEMENT]

    def account(
        self, type: AccountType, currency: str, alias: str | None, provider: str | None, bank_id: str | None
    ) -> str:
        account = identifier(self.tick(), self.random)
        self.sheets.add(
            "account", account, None, type.value, numbers.made(len(self.all) + 1), currency, alias, None, False,
            AccountStatus.OPEN.value, provider, bank_id, bank_id is None, moment(self.at), None,
        )  # fmt: skip
        after = {"type": type.value, "currency": currency, "overdraftLimit": str(Money(0, currency)),
                 "provider": provider}  # fmt: skip
        evidence.write(self.sheets, self.random, self.at, "account.opened", COMMAND, "account", account, None,
                       {"after": after})  # fmt: skip
        self.all.append((account.replace("-", ""), currency))
        return self.all[-1][0]
