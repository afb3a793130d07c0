"""Which accounts anything speaks for. Every look goes by an index and has an end: no table is walked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.vocabulary import AccountType
from dashboard.transfers.models import ClientReference, Disposition, PayerRule, Transfer
from dashboard.transfers.suggestions.likeness import FORMS
from dashboard.transfers.suggestions.told import Told
from dashboard.transfers.vocabulary import Kind, Status

#: accounts that end alike: a number that more of them share names nobody
MOST_ALIKE = 20
#: clients of one look by name
MOST_NAMED = 25
#: clients that are weighed
MOST_CLIENTS = 80
#: transfers of one payer that are looked back at
MOST_PAST = 500
#: phrases of a message that are looked for
MOST_PHRASES = 14
#: initials beside a word that are looked for, and clients that one may stand for
MOST_INITIALS = 2
MOST_OF_INITIAL = 3
MOST_ACCOUNTS = 300


class Look(NamedTuple):
    """Parts that a name must have all of. Where more than `most` clients have them it points to none."""

    parts: tuple[str, ...]
    most: int | None = None


@dataclass(frozen=True)
class Past:
    """What a payer's money became before, for one client."""

    times: int
    last: datetime


class Owned(NamedTuple):
    """An account that is weighed, and its client. `frozen`: it takes no money at present."""

    id: UUID
    number: str
    currency: str
    status: str
    frozen: bool
    client_id: UUID
    client_name: str
    client_status: str
    client_risk: int


class Given(NamedTuple):
    """A reference that a client was given for an account. `expected_minor`: what the payer is asked for."""

    id: UUID
    account_id: UUID
    reference: str
    reference_key: str
    expected_minor: int | None
    currency: str


@dataclass
class Gathered:
    """The accounts found, and what was found of the payer."""

    accounts: dict[UUID, Owned] = field(default_factory=dict)
    references: dict[UUID, list[Given]] = field(default_factory=dict)
    expected: dict[UUID, list[Given]] = field(default_factory=dict)
    past: dict[UUID, Past] = field(default_factory=dict)
    undone: set[UUID] = field(default_factory=set)
    ruled: set[UUID] = field(default_factory=set)


# Each statement stands ready: to build one takes longer than the database needs to answer it. To plan one takes as
# long: limits are written out and arrays stand behind a SELECT, so that no plan hangs on what is asked, and it is kept.
_TEXTS = postgresql.ARRAY(sa.Text())
_IDS = postgresql.ARRAY(postgresql.UUID(as_uuid=True))


def gather(told: Told) -> Gathered:
    """Everything that is weighed about one receipt."""
    found = Gathered()
    account_ids = set(_by_number(told))
    for reference in _references(told):
        into = found.references if reference.reference_key in told.references else found.expected
        into.setdefault(reference.account_id, []).append(reference)
        account_ids.add(reference.account_id)
    _payer(told, found)
    account_ids |= found.ruled
    client_ids = dict.fromkeys([*found.past, *_by_name(told)])
    _accounts(told, found, account_ids, list(client_ids)[:MOST_CLIENTS])
    return found


def _end_range(end: str) -> tuple[str, str]:
    """Between which reversed numbers those with this end lie."""
    turned = end[::-1]
    return turned, turned[:-1] + chr(ord(turned[-1]) + 1)


#: accounts of clients whose reversed number lies in one of these ranges: one statement, however many are looked for
_BY_END = sa.text(f"""
SELECT s.place, h.id
FROM unnest((SELECT CAST(:lows AS text[])), (SELECT CAST(:highs AS text[]))) WITH ORDINALITY AS s (low, high, place),
    LATERAL (
        SELECT a.id FROM account a
        WHERE reverse(a.number) ~>=~ s.low AND reverse(a.number) ~<~ s.high AND a.type = '{AccountType.CLIENT.value}'
        LIMIT {MOST_ALIKE + 1}
    ) h
ORDER BY s.place
""")


def _by_number(told: Told) -> Iterable[UUID]:
    """Accounts whose number, or its end, was told."""
    ends = set(told.numbers)
    # of a whole number with a wrong letter the end is often right
    ends |= {number[-8:] for number in told.numbers if len(number) >= 12}
    if not ends:
        return
    longest = sorted(ends, key=len, reverse=True)
    lows, highs = zip(*(_end_range(end) for end in longest), strict=True)
    by_end: dict[str, list[UUID]] = {}
    looked = {"lows": list(lows), "highs": list(highs)}
    for place, account_id in session().execute(_BY_END, looked):
        by_end.setdefault(longest[place - 1], []).append(account_id)
    for ids in by_end.values():
        if len(ids) <= MOST_ALIKE:
            yield from ids


_LIVE = (
    ClientReference.revoked_at.is_(None),
    sa.or_(ClientReference.expires_on.is_(None), ClientReference.expires_on >= sa.bindparam("today", type_=sa.Date())),
)
_GIVEN = (
    ClientReference.id, ClientReference.account_id, ClientReference.reference, ClientReference.reference_key,
    ClientReference.expected_minor, ClientReference.currency,
)  # fmt: skip
#: references that stand in the text, and those whose payer was asked for exactly so much
_REFERENCES = sa.union_all(
    sa.select(
        sa.select(sa.true().label("stands"), *_GIVEN)
        .where(ClientReference.reference_key == sa.any_(sa.bindparam("keys", type_=_TEXTS)), *_LIVE)
        .limit(MOST_ALIKE)
        .subquery("named")
    ),
    sa.select(
        sa.select(sa.false().label("stands"), *_GIVEN)
        .where(
            ClientReference.currency == sa.bindparam("currency", type_=sa.Text()),
            ClientReference.expected_minor == sa.bindparam("minor", type_=sa.BigInteger()),
            *_LIVE,
        )
        .limit(MOST_ALIKE + 1)
        .subquery("asked")
    ),
)


def _references(told: Told) -> list[Given]:
    """References in the text, and those whose payer was asked for exactly so much; the oldest first."""
    today: date = clock.calendar().today()
    rows = session().execute(
        _REFERENCES,
        {"keys": list(told.references), "currency": told.currency, "minor": told.amount_minor, "today": today},
    )
    named: dict[UUID, Given] = {}
    asked: dict[UUID, Given] = {}
    for stands, *row in rows:
        given = Given(*row)
        (named if stands else asked)[given.id] = given
    # an amount that many are asked for says nothing
    wanted = named | asked if len(asked) <= MOST_ALIKE else named
    return [wanted[one] for one in sorted(wanted)]


_PAYER = sa.bindparam("payer", type_=sa.Text())
_PAST = (
    sa.select(Transfer.client_id, Transfer.created_at)
    .where(
        Transfer.counterparty_key == _PAYER,
        Transfer.kind == Kind.INCOMING.value,
        Transfer.client_id.is_not(None),
        Transfer.status == Status.COMPLETED.value,
        Transfer.id != sa.bindparam("transfer", type_=Transfer.id.type),
    )
    .limit(MOST_PAST)
    .subquery()
)
_LAST = sa.func.max(_PAST.c.created_at)
_PAID = (
    sa.select(
        sa.literal_column("'paid'", sa.Text()).label("what"), _PAST.c.client_id.label("id"),
        sa.func.count().label("times"), _LAST.label("last"),
    )
    .group_by(_PAST.c.client_id)
    .order_by(_LAST.desc())
    .limit(MOST_NAMED)
    .subquery("paid")
)  # fmt: skip
_NOTHING = (
    sa.cast(sa.null(), sa.BigInteger()).label("times"),
    sa.cast(sa.null(), sa.DateTime(timezone=True)).label("last"),
)
_UNDONE = (
    sa.select(sa.literal_column("'undone'", sa.Text()).label("what"), Disposition.client_id, *_NOTHING)
    .join(Transfer, Transfer.id == Disposition.transfer_id)
    .where(
        Transfer.counterparty_key == _PAYER,
        Transfer.kind == Kind.INCOMING.value,
        # written out as the index of them has it
        sa.text("disposition.state = 'undone'"),
        Disposition.client_id.is_not(None),
    )
    .limit(MOST_PAST)
    .subquery("undone")
)
_RULED = sa.select(sa.literal_column("'ruled'", sa.Text()), PayerRule.account_id, *_NOTHING).where(
    PayerRule.payer_key == _PAYER,
    PayerRule.currency == sa.bindparam("currency", type_=sa.Text()),
    PayerRule.state == "active",
)
#: what a payer's money became before, for whom that was undone, and the account that a rule names
_OF_PAYER = sa.union_all(sa.select(_PAID), sa.select(_UNDONE), _RULED)


def _payer(told: Told, found: Gathered) -> None:
    """What this payer's money became before, and a rule about it."""
    if not told.payer_key:
        return
    asked = {"payer": told.payer_key, "transfer": told.transfer_id, "currency": told.currency}
    past: dict[UUID, Past] = {}
    for what, id_, times, last in session().execute(_OF_PAYER, asked):
        if what == "paid":
            past[id_] = Past(times, last)
        else:
            (found.undone if what == "undone" else found.ruled).add(id_)
    # the latest first
    found.past = dict(sorted(past.items(), key=lambda one: one[1].last, reverse=True))


def _phrases(told: Told) -> list[tuple[str, ...]]:
    """Names that the message may hold: whole ones first, then neighbours in the text, then long words alone."""
    creditor = tuple(word.text for word in told.creditor if word.text not in FORMS)
    whole = [name for name in (creditor, told.payer) if name]
    words = [word.text for word in told.words if word.text not in FORMS and len(word.text) > 1]
    pairs = [(one, other) for one, other in pairwise(words) if len(one) > 2 or len(other) > 2]
    alone = [(word,) for word in sorted(words, key=len, reverse=True) if len(word) >= 5]
    return list(dict.fromkeys([*whole, *pairs, *alone]))[:MOST_PHRASES]


def _ends(word: str) -> list[str]:
    """Beginning and end of a word, as `name_parts` marks them: one of them is right when a letter is wrong."""
    if len(word) < 4:
        return []
    size = min(max(len(word) // 2, 3), 5)
    return [f"{word[:size]}*", f"*{word[-size:]}"]


#: a letter above all others: what begins with a text lies below the text with it
_ABOVE_ALL = chr(0x10FFFF)
_LAST_WORD = "split_part(c.name_key, ' ', -1)"
#: clients whose name has all parts of one of these sets, gathered by the index first (OFFSET 0 keeps the limit from
#: making the planner walk the table), then cut; and those whose first word, or last one, begins with one of these
_NAMED = sa.text(f"""
SELECT 'parts' AS kind, s.place, h.id
FROM unnest((SELECT CAST(:parts AS text[]))) WITH ORDINALITY AS s (parts, place),
    LATERAL (
        SELECT m.id FROM (
            SELECT c.id FROM client c WHERE name_parts(c.name_key) @> string_to_array(s.parts, ' ') OFFSET 0
        ) m LIMIT {MOST_NAMED + 1}
    ) h
UNION ALL
SELECT h.kind, s.place, h.id
FROM unnest((SELECT CAST(:begins AS text[]))) WITH ORDINALITY AS s (begins, place),
    LATERAL (
        (SELECT 'first' AS kind, c.id FROM client c
         WHERE c.name_key >= s.begins COLLATE "C" AND c.name_key < (s.begins || :above_all) COLLATE "C"
         ORDER BY c.name_key COLLATE "C", c.id LIMIT {MOST_NAMED + 1})
        UNION ALL
        (SELECT 'last', c.id FROM client c
         WHERE {_LAST_WORD} >= s.begins COLLATE "C" AND {_LAST_WORD} < (s.begins || :above_all) COLLATE "C"
         ORDER BY {_LAST_WORD} COLLATE "C" LIMIT {MOST_NAMED + 1})
    ) h
""")
#: clients whose folded name begins with one of these: one walk down a tree for each
_BY_KEY = sa.text(f"""
SELECT s.place, h.id
FROM unnest((SELECT CAST(:begins AS text[]))) WITH ORDINALITY AS s (begins, place),
    LATERAL (
        SELECT c.id, c.name_key FROM client c
        WHERE c.name_key >= s.begins COLLATE "C" AND c.name_key < (s.begins || chr(127)) COLLATE "C"
        ORDER BY c.name_key COLLATE "C", c.id LIMIT {MOST_NAMED}
    ) h
ORDER BY s.place, h.name_key COLLATE "C", h.id
""")


def _named(whole: Sequence[Look], begins: Sequence[str], in_part: Sequence[Look]) -> list[UUID]:
    """Clients that one of these looks finds, in their order; between them those whose first or last word begins with
    one of these, unless so many do that it points to none."""
    looks = list(dict.fromkeys([*whole, *in_part]))
    if not looks and not begins:
        return []
    asked = {"parts": [" ".join(look.parts) for look in looks], "begins": list(begins), "above_all": _ABOVE_ALL}
    found: dict[tuple[str, int], list[UUID]] = {}
    for kind, place, client_id in session().execute(_NAMED, asked):
        found.setdefault((kind, place), []).append(client_id)
    begun: dict[UUID, None] = {}
    for (kind, _place), clients in sorted(found.items()):
        if kind != "parts" and len(clients) <= MOST_NAMED:
            begun |= dict.fromkeys(clients)
    ids: dict[UUID, None] = {}
    for place, look in enumerate(looks, start=1):
        if place == len(dict.fromkeys(whole)) + 1:
            ids |= begun
        clients = found.get(("parts", place), [])
        if look.most is None or len(clients) <= look.most:
            ids |= dict.fromkeys(clients[:MOST_NAMED])
    ids |= begun
    return list(ids)


def _as_written(phrases: Sequence[tuple[str, ...]]) -> tuple[list[UUID], set[tuple[str, ...]]]:
    """Clients whose name begins as a phrase does, and the phrases that so many are called that looking further would
    only find more of them."""
    if not phrases:
        return [], set()
    begins = [
        (place, " ".join(words))
        for place, phrase in enumerate(phrases)
        for words in ([phrase, (phrase[1], phrase[0])] if len(phrase) == 2 else [phrase])
    ]
    by_phrase: dict[int, dict[UUID, None]] = {}
    for look, client_id in session().execute(_BY_KEY, {"begins": [text for _, text in begins]}):
        by_phrase.setdefault(begins[look - 1][0], {})[client_id] = None
    ids = [client_id for place in sorted(by_phrase) for client_id in by_phrase[place]]
    return ids, {phrases[place] for place, found in by_phrase.items() if len(found) >= MOST_NAMED}


def _by_name(told: Told) -> list[UUID]:
    """Clients whose name the message may hold: as it is written, then with its words in any order, then mistyped."""
    phrases = _phrases(told)
    found, full = _as_written(phrases)
    pairs = [phrase for phrase in phrases if len(phrase) >= 2][:6]
    # the same words the other way round are the same name
    crowded = {frozenset(phrase) for phrase in full}
    pairs = [phrase for phrase in pairs if frozenset(phrase) not in crowded]
    single = [phrase[0] for phrase in phrases if len(phrase) == 1 and len(phrase[0]) >= 6 and phrase not in full][:2]
    whole = [*_whole(pairs), *_initials(told)]
    return list(dict.fromkeys([*found, *_named(whole, [word[:-2] for word in single], _in_part(pairs[:4]))]))


def _initials(told: Told) -> list[Look]:
    """A word with the letter beside it, as `name_parts` marks an initial. Where the word begins with it itself, all of
    that word have it, and it only points to somebody where few do."""
    found = []
    for words in (told.creditor, told.words):
        for one, other in pairwise(words):
            short, long = (one.text, other.text) if len(one.text) < len(other.text) else (other.text, one.text)
            if len(short) == 1 and len(long) >= 4 and long not in FORMS:
                found.append(Look((long, f"{short}."), most=MOST_OF_INITIAL))
    return found[:MOST_INITIALS]


def _whole(phrases: Sequence[tuple[str, ...]]) -> list[Look]:
    """All words of a phrase; of a longer one not its little ones."""
    kept = ([word for word in phrase if len(word) > (1 if len(phrase) == 2 else 2)] for phrase in phrases)
    return [Look(tuple(words)) for words in kept if len(words) > 1]


def _in_part(phrases: Sequence[tuple[str, ...]]) -> list[Look]:
    """One word of a phrase, and a part of another that may be mistyped. A part that the word has itself tells nothing:
    everybody of that word has it."""
    return [
        Look((word, end))
        for phrase in phrases
        for word, other in ((phrase[0], phrase[-1]), (phrase[-1], phrase[0]))
        for end in _ends(other)
        if not (word.endswith(end[1:]) if end[0] == "*" else word.startswith(end[:-1]))
    ]


_OWNED = (
    sa.select(
        Account.id, Account.number, Account.currency, Account.status,
        sa.exists().where(AccountBalance.account_id == Account.id, AccountBalance.credits_frozen),
        Account.owner_id, Client.name, Client.status, Client.risk_level,
    )
    .join(Client, Client.id == Account.owner_id)
    .where(Account.type == AccountType.CLIENT.value)
)  # fmt: skip
_ACCOUNTS = sa.union_all(
    sa.select(_OWNED.where(Account.id == sa.any_(sa.bindparam("accounts", type_=_IDS))).subquery()),
    sa.select(
        _OWNED.where(Account.owner_id == sa.any_(sa.bindparam("clients", type_=_IDS))).limit(MOST_ACCOUNTS).subquery()
    ),
)


def _accounts(told: Told, found: Gathered, account_ids: set[UUID], client_ids: Sequence[UUID]) -> None:
    """Accounts that were named, and of clients that were named those in the money's currency, else the oldest."""
    if not account_ids and not client_ids:
        return
    asked = {"accounts": list(account_ids), "clients": list(client_ids)}
    rows = {row[0]: Owned(*row) for row in session().execute(_ACCOUNTS, asked)}
    by_client: dict[UUID, list[Owned]] = {}
    for account in rows.values():
        by_client.setdefault(account.client_id, []).append(account)
    for owned in by_client.values():
        kept = [account for account in owned if account.id in account_ids or account.currency == told.currency]
        for account in kept or [min(owned, key=lambda one: one.id)]:
            found.accounts[account.id] = account
