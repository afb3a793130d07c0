"""What speaks for and against each account, and which comes first.

The order is one that a person can read, from the left; there is no sum of points:

1. a reference that the client was given, or the whole account number, stands in the message;
2. the client's name stands there, letter by letter;
3. this payer's money went to the client before;
4. the payer has the client's name, letter by letter;
5. the client's name stands in the message mistyped, in part or with an initial; then the payer's alike;
6. the end of the account number stands in the text, the longer the better;
7. the payer was asked for exactly this amount;
8. fewer things speak against it; the last payment of this payer is younger; the account is older.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.clients.vocabulary import Risk
from dashboard.clients.vocabulary import Status as ClientStatus
from dashboard.ledger.vocabulary import AccountStatus
from dashboard.money import Money
from dashboard.transfers.suggestions.gathering import Gathered, Owned
from dashboard.transfers.suggestions.likeness import Word, find, name_as_words, name_words, same_as
from dashboard.transfers.suggestions.saying import Candidate, Evidence, Mark
from dashboard.transfers.suggestions.told import Told

#: how many are shown
MOST_SHOWN = 3


@dataclass(frozen=True)
class Named:
    """What a client's name says, whichever of the client's accounts is meant. `payer` is True for the same name, False
    for one like it, None for another or no payer at all."""

    evidence: Evidence | None
    payer: bool | None


def _by_number(told: Told, account: Owned) -> Evidence | None:
    best: Evidence | None = None
    whole = told.numbers.get(account.number)
    if whole is not None:
        return Evidence("accountNumber", "The account's number is told.", {"found": account.number}, (whole,))
    for number, mark in told.numbers.items():
        if len(number) >= 10 and account.number.endswith(number):
            return Evidence("accountNumber", "The account's number is told.", {"found": number}, (mark,))
        if best is None and account.number.endswith(number):
            best = Evidence(
                "accountNumberEnd", f"The account's number ends in {number}, as told.",
                {"found": number, "digits": len(number)}, (mark,),
            )  # fmt: skip
        if best is None and len(number) >= 12 and account.number.endswith(number[-8:]):
            best = Evidence(
                "accountNumberEnd", "The end of the number told is the account's.",
                {"found": number[-8:], "digits": 8}, (mark,),
            )  # fmt: skip
    return best


def _by_name(told: Told, name: Sequence[str]) -> Evidence | None:
    in_text = find(name, told.words)
    in_creditor = find(name, told.creditor)
    best = max((one for one in (in_text, in_creditor) if one is not None), key=lambda one: one.exact, default=None)
    if best is None:
        return None
    where = "remittance" if best is in_text else "creditorName"
    marks = tuple(Mark(where, word.start, word.end) for word in best.words)
    if best.exact:
        return Evidence("nameInText", "The message names the client.", {}, marks)
    return Evidence("nameLike", "The message holds a name like the client's.", {}, marks)


def _named(told: Told, payer: Sequence[Word], client_name: str) -> Named:
    name = name_words(client_name)
    return Named(_by_name(told, name), same_as(name, payer))


def _by_payer(found: Gathered, account: Owned) -> list[Evidence]:
    said = []
    past = found.past.get(account.client_id)
    if past is not None:
        day = clock.calendar().today(past.last)
        times = "once" if past.times == 1 else f"{past.times} times"
        said.append(
            Evidence(
                "payerKnown", f"This payer's account paid this client {times} before, last on {day.day} {day:%b %Y}.",
                {"times": past.times, "last": past.last.isoformat()},
            )
        )  # fmt: skip
    if account.id in found.ruled:
        said.append(Evidence("rule", "A rule gives this payer's money to this account; it stands still at present."))
    return said


def _reasons(told: Told, found: Gathered, account: Owned, name: Named) -> list[Evidence]:
    said: list[Evidence] = []
    for reference in found.references.get(account.id, []):
        mark = told.references[reference.reference_key]
        said.append(Evidence("reference", f"The message holds {reference.reference}, a reference of this client.",
                             {"found": reference.reference}, (mark,)))  # fmt: skip
    number = _by_number(told, account)
    if number is not None and number.word == "accountNumber":
        said.append(number)
    named = name.evidence
    if named is not None and named.word == "nameInText":
        said.append(named)
    said += _by_payer(found, account)
    payer_mark = (Mark("payerName", 0, len(told.payer_name or "")),)
    if name.payer is True:
        said.append(Evidence("payerIsClient", "The payer has the client's name.", {}, payer_mark))
    if named is not None and named.word == "nameLike":
        said.append(named)
    if name.payer is False:
        said.append(Evidence("payerLike", "The payer has a name like the client's.", {}, payer_mark))
    if number is not None and number.word == "accountNumberEnd":
        said.append(number)
    asked = [*found.references.get(account.id, []), *found.expected.get(account.id, [])]
    for reference in asked:
        if reference.expected_minor == told.amount_minor and reference.currency == told.currency:
            money = Money(told.amount_minor, told.currency)
            said.append(Evidence("expectedAmount", f"A payer was asked for exactly {money}.",
                                 {"reference": reference.reference}))  # fmt: skip
            break
    return said


_STATUS = {
    ClientStatus.BLOCKED.value: ("clientBlocked", "The client is blocked."),
    ClientStatus.INACTIVE.value: ("clientInactive", "The client is not active yet."),
    ClientStatus.CLOSED.value: ("clientClosed", "The client is closed."),
}


def _against(told: Told, found: Gathered, account: Owned, name: Named) -> list[Evidence]:
    """Never why a client is blocked: only that it is."""
    said = []
    if account.currency != told.currency:
        said.append(Evidence("otherCurrency", f"The account is in {account.currency.upper()}.",
                             {"currency": account.currency}))  # fmt: skip
    if account.status != AccountStatus.OPEN:
        said.append(Evidence("accountClosed", "The account is closed."))
    elif account.frozen:
        said.append(Evidence("accountFrozen", "The account takes no money at present."))
    if account.client_status in _STATUS:
        said.append(Evidence(*_STATUS[account.client_status]))
    if account.client_risk == Risk.PROHIBITED:
        said.append(Evidence("riskProhibited", "The client's risk is prohibited."))
    elif account.client_risk == Risk.HIGH:
        said.append(Evidence("riskHigh", "The client's risk is high."))
    if account.client_id in found.undone:
        said.append(Evidence("undoneBefore", "Money of this payer was assigned to this client before, and taken back."))
    if told.payer_data_missing:
        said.append(Evidence("payerDataMissing", "The message lacks data of the payer."))
    if told.payer and name.payer is None:
        said.append(Evidence("thirdParty", "The payer is somebody else than the client."))
    return said


def _place(candidate: Candidate, found: Gathered) -> tuple[Any, ...]:
    """The order of the module's rule; the smallest comes first."""
    words = {evidence.word: evidence for evidence in candidate.reasons}
    past = found.past.get(candidate.client_id)
    end = words.get("accountNumberEnd")
    return (
        -(("reference" in words) + ("accountNumber" in words)),
        "nameInText" not in words,
        "payerKnown" not in words and "rule" not in words,
        "payerIsClient" not in words,
        "nameLike" not in words,
        "payerLike" not in words,
        -int(end.detail["digits"]) if end else 0,
        "expectedAmount" not in words,
        len(candidate.against),
        -past.last.timestamp() if past else 0.0,
        candidate.account_id,
    )


def _told_apart(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Each reason that not all candidates have alike is marked: that is where to look."""

    def keys(list_: Sequence[Evidence]) -> set[tuple[str, str]]:
        return {(evidence.word, evidence.text) for evidence in list_}

    def marked(list_: Sequence[Evidence], shared: set[tuple[str, str]]) -> tuple[Evidence, ...]:
        return tuple(replace(one, differs=(one.word, one.text) not in shared) for one in list_)

    if len(candidates) < 2:
        return tuple(candidates)
    reasons = set.intersection(*(keys(one.reasons) for one in candidates))
    against = set.intersection(*(keys(one.against) for one in candidates))
    return tuple(
        replace(one, reasons=marked(one.reasons, reasons), against=marked(one.against, against)) for one in candidates
    )


def weigh(told: Told, found: Gathered) -> tuple[tuple[Candidate, ...], int]:
    """The best three, and how many accounts anything spoke for."""
    placed = []
    names: dict[UUID, Named] = {}
    payer = name_as_words(told.payer)
    for account in found.accounts.values():
        name = names.get(account.client_id)
        if name is None:
            name = names[account.client_id] = _named(told, payer, account.client_name)
        reasons = _reasons(told, found, account, name)
        if not reasons:
            continue
        candidate = Candidate(
            account_id=account.id,
            account_number=account.number,
            currency=account.currency,
            client_id=account.client_id,
            client_name=account.client_name,
            client_status=account.client_status,
            reasons=tuple(reasons),
            against=tuple(_against(told, found, account, name)),
        )
        placed.append((_place(candidate, found), candidate))
    placed.sort(key=lambda one: one[0])
    return _told_apart([candidate for _, candidate in placed[:MOST_SHOWN]]), len(placed)
