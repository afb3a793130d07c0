"""Which story a client gets. The youngest wait to be looked at; most of the others are quietly active."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar

from dashboard.clients import links
from dashboard.clients.assessment import doubt as raised
from dashboard.clients.vocabulary import BlockCode, ClientType, FlagCode, Risk
from dashboard.home.demo_data import accounts, profiles
from dashboard.home.demo_data.histories import HOUSE, MONITOR, PARTNER, RISK_RULE, Story, Why, is_long, pick_block
from dashboard.home.demo_data.holdings import Holdings
from dashboard.home.demo_data.names import COUNTRIES
from dashboard.home.demo_data.plan import Colleague, Days, Plan
from dashboard.home.demo_data.profiles import Profile
from dashboard.home.demo_data.rows import Sheets, identifier

_T = TypeVar("_T")

#: share of individuals
INDIVIDUALS = 0.88
_DAY = 86_400_000
#: the later, the more clients came: an exponent that bends a straight line
_GROWTH = 0.6

#: what becomes of clients, by age in days
_NEWBORN, _YOUNG = 4, 16
#: the newest three, so that the smallest load shows every queue
_OF_NEWEST = {1: "ready", 2: "review", 3: "ready"}
_OF_NEWBORN = {"ready": 70, "review": 30}
_OF_YOUNG = {"active": 78, "ready": 14, "review": 8}
_OF_ALL = {
    "active": 870, "settled": 25, "expired": 6, "expired-settled": 14, "info": 8, "blocked": 16, "lifted": 22,
    "closed": 36, "prohibited": 3,
}  # fmt: skip
#: doubts that a new profile may raise
_DOUBTS = {
    FlagCode.DOCUMENT_EXPIRED: 30, FlagCode.UNKNOWN_COUNTRY: 14, FlagCode.DOCUMENT_DATES: 10, FlagCode.PEP: 20,
    FlagCode.OWNERSHIP_OVER_100: 8, FlagCode.UNDER_AGE: 8, FlagCode.BORN_IN_FUTURE: 4, FlagCode.RISK_PROHIBITED: 6,
}  # fmt: skip
#: those that a colleague may have settled, so that the client went on to be active
_SETTLED = {FlagCode.PEP: 4, FlagCode.UNKNOWN_COUNTRY: 2, FlagCode.DOCUMENT_DATES: 2, FlagCode.OWNERSHIP_OVER_100: 2}
_RISKS = {Risk.LOW: 62, Risk.MEDIUM: 30, Risk.HIGH: 6, Risk.NOT_SET: 2}
#: of so many families or offices one shares a telephone
_SHARED_PHONE = 50
#: what is rare happens to as many clients in a large load as in one of this size
_SMALL_LOAD = 2_000
_SHARED_DOCUMENT = ("LT", "AB1234567")
_DUPLICATE = raised(FlagCode.DUPLICATE_DOCUMENT, "identificationDocument.number", links.document_key(*_SHARED_DOCUMENT))


def tell(sheets: Sheets, holdings: Holdings, plan: Plan, days: Days, number: int, random: Random) -> None:
    """Write everything about client `number`, 0 being the oldest."""
    share = (number + random.random()) / plan.clients
    at = days.start + int((days.end - days.start - 7_200_000) * share**_GROWTH)
    kind = ClientType.INDIVIDUAL if number == 0 or random.random() < INDIVIDUALS else ClientType.COMPANY
    profile = (profiles.individual if kind is ClientType.INDIVIDUAL else profiles.company)(random, plan.today)
    if number // 3 % _SHARED_PHONE == 0:
        profile.phone = f"+3706{number // 3 % 10**7:07d}"
    story = Story(
        sheets, random, days, plan.officers, plan.seniors, identifier(at, random), profile, kind.value, at,
        risk=_drawn(random, _RISKS).value,
    )  # fmt: skip
    opened = days.first_after(at)
    creator = PARTNER
    if random.random() < 0.15 and opened <= days.last and days.opens[opened] <= at:
        creator = random.choice(plan.officers)
    else:
        story.partner, story.external_id = "nordic", f"NO-{number:07d}"
    every = max(1, plan.clients // _SMALL_LOAD)
    # the client's number in a small load; 1, which nothing rare happens to, for the many in between
    small = number // every if number % every == 0 else 1
    age = (days.end - at) // _DAY
    if number == 0:
        _oldest(story, opened)
    elif age < _NEWBORN or opened + 3 > days.last:
        fate = _OF_NEWEST.get(plan.clients - number) or _drawn(random, _OF_NEWBORN)
        _waiting(story, fate, creator, rare=small % 3 == 0 or plan.clients - number == 1)
    elif age < _YOUNG and (fate := _drawn(random, _OF_YOUNG)) != "active":
        _waiting(story, fate, creator, rare=small % 3 == 0)
    else:
        fate = "active" if age < _YOUNG else _drawn(random, _OF_ALL)
        _FATES[fate](story, opened, creator)
        _everyday(story, fate, opened, small=small)
    accounts.write(story, holdings, number)
    story.end()


def _drawn(random: Random, weights: dict[_T, int]) -> _T:
    return random.choices(list(weights), list(weights.values()))[0]


def _date(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def _oldest(story: Story, opened: int) -> None:
    """It holds the identity document that some newer clients present too."""
    _share_document(story.profile)
    story.risk = Risk.LOW.value
    story.created(PARTNER)
    story.activated(opened + 1)
    story.at = story.days.working_moment(story.days.last, 0.01)
    story.settled(story.flagged([_DUPLICATE], HOUSE), story.days.last)


def _share_document(profile: Profile) -> None:
    assert profile.person is not None
    profile.person.document.country, profile.person.document.number = _SHARED_DOCUMENT


def _waiting(story: Story, fate: str, creator: Colleague, *, rare: bool) -> None:
    """Not yet active: ready to be, or with doubts to look at."""
    if fate == "review":
        code = _drawn(story.random, _DOUBTS)
        if code is FlagCode.RISK_PROHIBITED:
            story.risk = Risk.PROHIBITED.value
        _doubt(story, code, _date(story.at) - timedelta(days=1 + int(story.random.random() * 300)))
        if rare and story.profile.person is not None:
            _share_document(story.profile)
            story.profile.doubts.append(_DUPLICATE)
    story.created(creator)
    story.left_open(story.flagged(story.profile.doubts, creator))
    if not story.open_flags:
        story.ready()
        if rare:
            story.activation_asked()


def _doubt(story: Story, code: FlagCode, expired_on: date) -> None:
    profiles.doubt(story.profile, code, story.random, story.days.plan.today, expired_on)


# --- what becomes of clients that are older ---------------------------------------------------------------------


def _active(story: Story, opened: int, creator: Colleague) -> None:
    story.created(creator)
    story.activated(opened + (story.random.random() < 0.4))


def _info(story: Story, opened: int, creator: Colleague) -> None:
    _doubt(story, FlagCode.PHONE, story.days.plan.today)
    story.created(creator)
    story.left_open(story.flagged(story.profile.doubts, creator))
    story.activated(opened + 1)


def _settled(story: Story, opened: int, creator: Colleague) -> None:
    """Doubts that a colleague settled before the client was activated."""
    code = _drawn(story.random, _SETTLED)
    _doubt(story, code, _date(story.at) - timedelta(days=1 + int(story.random.random() * 90)))
    story.created(creator)
    story.settled(story.flagged(story.profile.doubts, creator), opened + 1)
    story.activated(opened + 2)


def _expired(story: Story, opened: int, creator: Colleague) -> None:
    """The identity document ended some days ago: the house noticed the night after, nobody has looked yet."""
    ended = story.days.plan.today - timedelta(days=2 + int(story.random.random() * 6))
    _doubt(story, FlagCode.DOCUMENT_EXPIRED, ended)
    _active(story, opened, creator)
    story.at = _night_after(ended)
    story.left_open(story.flagged(story.profile.doubts, HOUSE))


def _expired_and_settled(story: Story, opened: int, creator: Colleague) -> None:
    created, today = _date(story.at), story.days.plan.today
    span = (today - created).days - 60
    if span < 1:
        _active(story, opened, creator)
        return
    ended = created + timedelta(days=30 + int(story.random.random() * span))
    _doubt(story, FlagCode.DOCUMENT_EXPIRED, ended)
    _active(story, opened, creator)
    story.at = _night_after(ended)
    story.settled(story.flagged(story.profile.doubts, HOUSE), story.days.first_after(story.at) + 1)


def _night_after(day: date) -> int:
    """When the daily look at documents runs."""
    return int(datetime(day.year, day.month, day.day, 4, 10, tzinfo=UTC).timestamp() * 1000) + _DAY


def _closed(story: Story, opened: int, creator: Colleague) -> None:
    _active(story, opened, creator)
    story.closed(_between(story, opened + 3, story.days.last))


def _blocked(story: Story, opened: int, creator: Colleague) -> None:
    """One to three blocks stand, mostly on active clients."""
    random, last = story.random, story.days.last
    before = random.random()
    if before < 0.08:
        story.created(creator)
    elif before < 0.12:
        _active(story, opened, creator)
        story.closed(opened + 2)
    else:
        _active(story, opened, creator)
    placed: dict[BlockCode, tuple[int, Why]] = {}
    for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 2, 3))):
        why = pick_block(random)
        reach = {BlockCode.NOT_STATED: 1, BlockCode.STR_HOLD: 4}.get(why.code, 200 if is_long(why.code) else 9)
        placed[why.code] = (_between(story, max(opened + 3, last - reach), last), why)
    for day, why in sorted(placed.values(), key=lambda entry: entry[0]):
        by = MONITOR if why.code is BlockCode.NOT_STATED else random.choice((*story.officers, *story.seniors))
        story.blocked(day, why, by)


def _lifted(story: Story, opened: int, creator: Colleague) -> None:
    _active(story, opened, creator)
    last = story.days.last
    if last - opened > 8:
        day = _between(story, opened + 3, last - 4)
        lifted = _between(story, day + 1, min(last, day + 25))
        why = pick_block(story.random)
        if why.code is not BlockCode.NOT_STATED:
            story.blocked_for_a_while(day, lifted, why)


def _prohibited(story: Story, opened: int, creator: Colleague) -> None:
    """The risk became prohibited these days: an active client was blocked at once."""
    last = story.days.last
    _active(story, opened, creator)
    day = _between(story, max(opened + 3, last - 2), last)
    if story.random.random() < 0.1:
        story.closed(opened + 2)
    else:
        story.blocked(day, Why(BlockCode.RISK_PROHIBITED, "The risk was set to prohibited."), RISK_RULE)
    by = story.risk_raised(day, Risk.PROHIBITED)
    story.left_open(story.flagged([raised(FlagCode.RISK_PROHIBITED, "riskLevel")], by))


_FATES = {
    "active": _active,
    "settled": _settled,
    "expired": _expired,
    "expired-settled": _expired_and_settled,
    "info": _info,
    "blocked": _blocked,
    "lifted": _lifted,
    "closed": _closed,
    "prohibited": _prohibited,
}


def _between(story: Story, first: int, last: int) -> int:
    return first if last <= first else first + int(story.random.random() * (last - first + 1))


def _everyday(story: Story, fate: str, opened: int, *, small: int) -> None:
    """What happens beside the story, and requests that wait for a decision now."""
    random, days = story.random, story.days
    if fate == "active":
        chance = random.random()
        if chance < 0.1:
            story.noted(_between(story, opened + 2, days.last))
        elif chance < 0.14:
            before = profiles.phone(random, random.choice(COUNTRIES))
            story.phone_changed(_between(story, opened + 2, days.last), before)
    if fate == "blocked" and small % 4 == 0:
        story.unblock_asked()
    if fate == "active" and small % 40 == 0 and story.risk == Risk.HIGH:
        story.lower_risk_asked()
