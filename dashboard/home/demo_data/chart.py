"""Bank accounts of the demo providers, and the house's own accounts that they bring about."""

from __future__ import annotations

from dataclasses import dataclass
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

#: provider, name of its accounts, country and bank of their numbers
BANKS = {
    "sandbox": ("Sandbox safeguarding", "LT", "10000"),
    "bank-alpha": ("Bank Alpha safeguarding", "LT", "70440"),
}
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
            for type in CHART_OF_BANK_ACCOUNT:
                account = writer.account(type, currency, f"{name} {currency.upper()}", provider, bank_id)
                if type is AccountType.SETTLEMENT:
                    writer.settlement[provider, currency] = account
            for type in CHART_OF_CURRENCY:
                if (type.value, currency) not in writer.standard:
                    writer.standard[type.value, currency] = writer.account(type, currency, None, None, None)
    return Chart(writer.settlement, writer.standard, tuple(writer.all))


class _Writer:
    def __init__(self, sheets: Sheets, random: Random, at: int) -> None:
        self.sheets, self.random, self.at = sheets, random, at
        self.settlement: dict[tuple[str, str], str] = {}
        self.standard: dict[tuple[str, str], str] = {}
        self.all: list[tuple[str, str]] = []

    def tick(self) -> int:
        self.at += 1
        return self.at

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
