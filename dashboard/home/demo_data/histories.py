"""What happened to one client: a walk through time that writes the rows each step leaves behind.

Steps are those of `clients.services`, in the words of their audit events; `checking` and the tests hold the two
together. History ends before today; only deadlines lie ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from dashboard.clients import links
from dashboard.clients.assessment import Doubt
from dashboard.clients.folding import words as plain_words
from dashboard.clients.services.block import status_in_words
from dashboard.clients.vocabulary import CLIENT_TEXTS, FLAGS, BlockCode, FlagCode, Risk, Severity, Status
from dashboard.home.demo_data import evidence
from dashboard.home.demo_data.plan import Colleague, Days, milliseconds
from dashboard.home.demo_data.profiles import Profile, folded
from dashboard.home.demo_data.rows import Sheets, identifier, moment

PARTNER = Colleague("01900000-0000-7000-8000-000000000001", "Partner onboarding", "integration", kind="token")
MONITOR = Colleague("01900000-0000-7000-8000-000000000002", "Transaction monitoring", "system", kind="token")
CORE = Colleague("01900000-0000-7000-8000-000000000003", "Payment engine", "system", kind="token")
HOUSE = Colleague("", "system", "system", kind="system")
#: what blocks a client whose risk became prohibited
RISK_RULE = Colleague("", "risk rule", "system", kind="system")

ACTIVATION_REASONS = (
    "Documents checked against the register; source of funds is salary.",
    "Video identification seen again, name and photo match.",
    "Company register and ownership agree with the declaration.",
    "Verified by the branch in person.",
)
UNBLOCK_REASONS = (
    "The client sent the documents that were missing; they are in order.",
    "Checked with the payer's bank: no fraud.",
    "The order was withdrawn, see the letter in the file.",
    "Name match was a false positive: other date of birth and citizenship.",
)
SETTLED = {
    FlagCode.DOCUMENT_EXPIRED: "New document seen; the partner will send it with the next update.",
    FlagCode.PEP: "Former member of a town council; senior management agreed to the relationship.",
    FlagCode.DOCUMENT_DATES: "Typing mistake of the partner; the document itself is in order.",
    FlagCode.UNKNOWN_COUNTRY: "Stateless person with a travel document of the country of residence.",
    FlagCode.OWNERSHIP_OVER_100: "Shares were counted twice; the register shows 100 %.",
    FlagCode.DUPLICATE_DOCUMENT: "The same person applied a second time through another partner.",
}
NOTES = (
    "Called back on the number in the file; asked about the planned transfers. Plausible.",
    "Sends salary abroad every month. Contract of employment is in the file.",
    "Prefers e-mail in the morning.\nNo calls on Fridays.",
    "Seasonal business: most turnover between May and September.",
)


@dataclass(frozen=True)
class Why:
    """Internal code of a block, comment and legal reference."""

    code: BlockCode
    comment: str | None = None
    legal: str | None = None


#: why a block is placed, and how often
BLOCKS = (
    (Why(BlockCode.FRAUD, "Three card top-ups from names that differ from the holder's.", None), 24),
    (Why(BlockCode.KYC_EXPIRED, "Asked twice for a new document, no answer.", None), 18),
    (Why(BlockCode.KYC_FAILED, "The selfie does not match the document.", None), 8),
    (Why(BlockCode.SANCTIONS, "Possible match with a listed person; same date of birth.", "Reg. (EU) 269/2014"), 5),
    (Why(BlockCode.STR_HOLD, "Report sent; payment to a new recipient held.", "AMLR Art. 71"), 4),
    (Why(BlockCode.FIU_ORDER, "Order of the FIU received by secure mail.", "AMLD6 Art. 24"), 4),
    (Why(BlockCode.COURT_ATTACHMENT, "Bailiff's order; amount and case number in the file.", "Case 2-117-441"), 8),
    (Why(BlockCode.CLIENT_REQUEST, "Client lost the phone and asked for a stop.", None), 12),
    (Why(BlockCode.DECEASED, "Told by a relative; certificate asked for.", None), 3),
    (Why(BlockCode.DORMANT, "No movement for 24 months.", None), 6),
    (Why(BlockCode.OPS_ERROR, "Paid twice by mistake; amount kept until it is returned.", None), 4),
    (Why(BlockCode.NOT_STATED, None, None), 4),
)
_BLOCK_WEIGHTS = tuple(weight for _, weight in BLOCKS)
#: business days until somebody must have looked (clients.services.upkeep)
REVIEW_DUE = {Severity.STOP: 1, Severity.CHECK: 3}
ACTIVATION_DUE = 2
SHORTEST_LINKED_PHONE = 6
#: blocks whose order or law gives them months
_LONG = {BlockCode.COURT_ATTACHMENT, BlockCode.SANCTIONS, BlockCode.DORMANT, BlockCode.DECEASED, BlockCode.FIU_ORDER}


@dataclass
class Standing:
    """An active block while the story goes on."""

    id: str
    code: BlockCode
    scope: str
    #: euro cents that must stay, when the scope is an amount
    amount: int = 0


@dataclass(frozen=True)
class Flag:
    """A flag that was raised; `opened` in milliseconds."""

    id: str
    doubt: Doubt
    opened: int


@dataclass(frozen=True)
class Ask:
    """What a request for approval asks. `shape` is its fingerprint, `secret` hides its reason."""

    kind: str
    object_type: str
    object_id: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    shape: dict[str, Any]
    payload: dict[str, Any] = field(default_factory=dict)
    secret: bool = False


@dataclass(frozen=True)
class Decision:
    state: str
    by: Colleague
    at: int
    reason: str | None = None


@dataclass
class Story:
    """One client's rows as they come about. `at` is the time of the last event, in milliseconds."""

    sheets: Sheets
    random: Random
    days: Days
    officers: tuple[Colleague, ...]
    seniors: tuple[Colleague, ...]
    id: str
    profile: Profile
    type: str
    at: int
    risk: int = 0
    status: str = Status.INACTIVE.value
    status_before: str | None = None
    version: int = 1
    open_flags: int = 0
    worst_flag: int = 0
    activation: str | None = None
    partner: str | None = None
    external_id: str | None = None
    editor: str | None = None
    created_at: int = 0
    standing: list[Standing] = field(default_factory=list)
    #: when it became a client whose money moves, when it stopped being one, and from when to when a block stood
    activated_at: int | None = None
    closed_at: int | None = None
    blocked_from: int | None = None
    blocked_until: int | None = None

    # --- evidence ---------------------------------------------------------------------------------------------

    def _later(self, at: int) -> int:
        """Time only goes on; two events of one act lie a millisecond apart."""
        self.at = max(at, self.at + 1)
        return self.at

    def _tell(
        self,
        action: str,
        by: Colleague,
        *,
        object_type: str = "client",
        object_id: str | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reason: str | None = None,
        restricted: dict[str, Any] | None = None,
    ) -> None:
        said = {"before": before, "after": after, "reason": reason, "restricted": restricted}
        evidence.write(self.sheets, self.random, self.at, action, by, object_type, object_id or self.id, self.id, said)
        self.at += 1

    def tell_of(self, at: int, action: str, by: Colleague, **said: Any) -> None:
        """An event beside the story's own line of time."""
        line, self.at = self.at, at
        self._tell(action, by, **said)
        self.at = line

    def two_people(self) -> tuple[Colleague, Colleague]:
        """Who asks and who decides: different, and one of them senior."""
        senior = self.random.choice(self.seniors)
        if self.random.random() < 0.8:
            return self.random.choice(self.officers), senior
        return senior, next(member for member in self.seniors if member.id != senior.id)

    def _working(self, day: int, low: float, high: float) -> int:
        return self.days.working_moment(day, low + (high - low) * self.random.random())

    # --- the steps --------------------------------------------------------------------------------------------

    def created(self, by: Colleague) -> None:
        self.created_at = self.at
        self.editor = by.id if by.kind == "staff" else None
        self._tell(
            "client.created",
            by,
            after={
                "name": self.profile.name,
                "type": self.type,
                "status": self.status,
                "risk": Risk(self.risk).label,
                "country": self.profile.country,
            },
        )

    def flagged(self, doubts: list[Doubt], by: Colleague) -> list[Flag]:
        """Raise flags; the caller settles them or leaves them open."""
        if not doubts:
            return []
        opened = self.at
        self.version += 1
        self._tell("client.flagged", by, after={"flags": sorted({FLAGS[found.code][1] for found in doubts})})
        return [Flag(identifier(opened, self.random), found, opened) for found in doubts]

    def _flag_row(self, flag: Flag, *closing: str | None) -> None:
        found = flag.doubt
        self.sheets.add(
            "client_flag", flag.id, self.id, found.code.value, FLAGS[found.code][0].value, found.field, found.fact,
            moment(flag.opened), *closing,
        )  # fmt: skip

    def left_open(self, flags: list[Flag]) -> None:
        for flag in flags:
            severity = FLAGS[flag.doubt.code][0].value
            self.open_flags += severity >= Severity.CHECK
            self.worst_flag = max(self.worst_flag, severity)
            self._flag_row(flag, None, None, None, None)
        if self.open_flags:
            self._queued("client-review", "flags", flags[-1].opened, REVIEW_DUE[Severity(self.worst_flag)])

    def settled(self, flags: list[Flag], day: int) -> None:
        by = self.random.choice(self.seniors)
        for flag in flags:
            at = self._later(self._working(day, 0.05, 0.4))
            self.version += 1
            reason = SETTLED[flag.doubt.code]
            self._flag_row(flag, moment(at), by.id, by.name, reason)
            self._tell(
                "client.flag_settled",
                by,
                object_type="client_flag",
                object_id=flag.id,
                before={"flag": FLAGS[flag.doubt.code][1]},
                after={"flag": "settled"},
                reason=reason,
            )

    def activated(self, day: int) -> None:
        """Asked for and decided on one day."""
        ask = self._activation()
        request, decider = self._asked_and_approved(ask, day, self.two_people())
        self.status, self.activation = Status.ACTIVE.value, request
        self.version += 1
        self.activated_at = self.at
        self._tell("client.activated", decider, before=ask.before, after=ask.after, reason=ask.reason)

    def _activation(self) -> Ask:
        return Ask(
            "client.activate", "client", self.id, self.random.choice(ACTIVATION_REASONS), {"status": self.status},
            {"status": Status.ACTIVE.value}, {"version": self.version, "status": self.status},
        )  # fmt: skip

    def blocked(self, day: int, why: Why, by: Colleague) -> None:
        random = self.random
        fixed = {BlockCode.COURT_ATTACHMENT: "amount", BlockCode.RISK_PROHIBITED: "debit"}
        scope = fixed.get(why.code) or random.choice(("all", "all", "debit", "credit"))
        at = self._later(self._working(day, 0.05, 0.95))
        before = status_in_words(self.status, [block.scope for block in self.standing])
        if self.status != Status.BLOCKED:
            self.status, self.status_before = Status.BLOCKED.value, self.status
        self.version += 1
        amount = 5_000 * (1 + int(random.random() * 400)) if scope == "amount" else 0
        block = Standing(identifier(at, random), why.code, scope, amount)
        self.standing.append(block)
        self.blocked_from = at if self.blocked_from is None else self.blocked_from
        review = self._review_day(day, why.code)
        self._block_row(block, why, at, review, by)
        self._queued("block-review", "review", at, due=self.days.closes[review], block=block)
        if why.code is BlockCode.NOT_STATED:
            self._queued("block-review", "state-reason", at, 1, block=block, restricted=True)
        if why.code is BlockCode.STR_HOLD:
            self._queued("block-review", "str-hold", at, 3, block=block, restricted=True)
        after = status_in_words(self.status, [standing.scope for standing in self.standing])
        self._tell_of_block(block, why, by, before, after, review)

    def _review_day(self, day: int, code: BlockCode) -> int:
        """Most lie ahead; a few are over, which makes them late."""
        if code in _LONG:
            return min(day + 240, self.days.today + int(self.random.random() * 200))
        return max(day + 5, min(day + 240, self.days.today - 1 + int(self.random.random() * 12)))

    def _block_row(self, block: Standing, why: Why, at: int, review: int, by: Colleague, *lift: str | None) -> None:
        held = block.scope == "amount"
        self.sheets.add(
            "client_block", block.id, self.id, block.scope,
            block.amount if held else None, "eur" if held else None, why.code.value,
            why.legal, why.comment, CLIENT_TEXTS["check"][1], moment(at), self.days.dates[review], by.kind,
            by.id or None, by.name, *(lift or (None,) * 5),
        )  # fmt: skip

    def _tell_of_block(self, block: Standing, why: Why, by: Colleague, before: str, after: str, review: int) -> None:
        self._tell(
            "client.blocked",
            by,
            object_type="client_block",
            object_id=block.id,
            before={"status": before},
            after={"status": after, "scope": block.scope, "reviewDate": self.days.dates[review].isoformat()},
            restricted={"code": why.code.value, "comment": why.comment, "legalReference": why.legal},
        )

    def blocked_for_a_while(self, day: int, lifted_day: int, why: Why) -> None:
        """A block that two people have lifted since; now and then they refused at first."""
        by = self.random.choice(self.officers)
        placed = self._later(self._working(day, 0.05, 0.95))
        block = Standing(identifier(placed, self.random), why.code, self.random.choice(("all", "debit", "credit")))
        restored, words = status_in_words(self.status, []), status_in_words(Status.BLOCKED, [block.scope])
        self.version += 1
        self._tell_of_block(block, why, by, restored, words, day + 5)
        ask = self._unblock(block, words, restored)
        if lifted_day - day > 1 and self.random.random() < 0.2:
            self._asked_and_rejected(ask, lifted_day - 1)
        maker, decider = self.two_people()
        request, _ = self._asked_and_approved(ask, lifted_day, (maker, decider))
        self.blocked_from, self.blocked_until = placed, self.at
        self._block_row(
            block, why, placed, day + 5, by, moment(self.at), decider.kind, decider.id, decider.name, request
        )
        self._tell(
            "client.unblocked", decider, object_type="client_block", object_id=block.id, before=ask.before,
            after=ask.after, restricted={"code": why.code.value, "reason": ask.reason, "asked_by": maker.name},
        )  # fmt: skip

    def _unblock(self, block: Standing, before: str, after: str) -> Ask:
        return Ask(
            "client.unblock", "client_block", block.id, self.random.choice(UNBLOCK_REASONS), {"status": before},
            {"status": after}, {"version": self.version, "lifted": False, "code": block.code.value},
            {"block_id": block.id, "scope": block.scope}, secret=True,
        )  # fmt: skip

    def closed(self, day: int) -> None:
        at = self._later(self._working(day, 0.1, 0.9))
        by = self.random.choice(self.seniors)
        before, self.status = self.status, Status.CLOSED.value
        self.closed_at = at
        self.version += 1
        self._tell(
            "client.changed", by, before={"status": before}, after={"status": self.status},
            reason="Closed at the client's own request; nothing is owed on either side.",
        )  # fmt: skip
        self.editor = by.id
        self.at = at + 1

    def risk_raised(self, day: int, risk: Risk) -> Colleague:
        self._later(self._working(day, 0.1, 0.5))
        by = self.random.choice(self.officers)
        before, self.risk = self.risk, risk.value
        self.version += 1
        self._tell("client.changed", by, before={"risk": Risk(before).label}, after={"risk": risk.label})
        self.editor = by.id
        return by

    def phone_changed(self, day: int, before: str) -> None:
        self._later(self._working(day, 0.1, 0.9))
        self.version += 1
        self._tell(
            "client.changed", PARTNER, before={"phone_number": before}, after={"phone_number": self.profile.phone}
        )

    def noted(self, day: int) -> None:
        at = self._later(self._working(day, 0.1, 0.9))
        by = self.random.choice(self.officers)
        body = self.random.choice(NOTES)
        note = identifier(at, self.random)
        self.sheets.add("client_note", note, self.id, by.id, by.name, body, moment(at))
        self._tell("client.note_added", by, object_type="client_note", object_id=note, restricted={"note": body})

    # --- approvals --------------------------------------------------------------------------------------------

    def _asked(self, ask: Ask, at: int, maker: Colleague, expires: int, decision: Decision | None = None) -> str:
        """The request's row and the event of asking; gives its id."""
        request = identifier(at, self.random)
        decided: tuple[object, ...] = (None,) * 5
        if decision is not None:
            by = decision.by
            decided = (by.id, by.name, by.senior, moment(decision.at), decision.reason)
        self.sheets.add(
            "approval_request", request, ask.kind, ask.object_type, ask.object_id, self.id, self.profile.name,
            decision.state if decision else "requested", maker.kind, maker.id, maker.name, maker.senior, ask.reason,
            ask.secret, ask.payload, ask.before, ask.after, ask.shape, moment(at), moment(expires), *decided,
        )  # fmt: skip
        self._tell(
            "approval.requested", maker, object_type="approval_request", object_id=request, before=ask.before,
            after=ask.after, reason=None if ask.secret else ask.reason,
            restricted={"reason": ask.reason} if ask.secret else None,
        )  # fmt: skip
        return request

    def _decided(self, request: str, decision: Decision) -> None:
        """Decisions of the loader give a reason only where it is a secret one."""
        self._later(decision.at)
        self._tell(
            f"approval.{decision.state}", decision.by, object_type="approval_request", object_id=request,
            before={"request": "requested"}, after={"request": decision.state},
            restricted={"reason": decision.reason} if decision.reason else None,
        )  # fmt: skip

    def _asked_and_approved(self, ask: Ask, day: int, people: tuple[Colleague, Colleague]) -> tuple[str, Colleague]:
        maker, decider = people
        at = self._later(self._working(day, 0.4, 0.6))
        decision = Decision("approved", decider, max(at + 60_000, self._working(day, 0.62, 0.97)))
        request = self._asked(ask, at, maker, self.days.closes[day + 1], decision)
        self._decided(request, decision)
        return request, decider

    def _asked_and_rejected(self, ask: Ask, day: int) -> None:
        maker, decider = self.two_people()
        at = self._later(self._working(day, 0.4, 0.6))
        why = "The letter is not signed. Ask again with the original."
        decision = Decision("rejected", decider, max(at + 60_000, self._working(day, 0.62, 0.97)), why)
        self._decided(self._asked(ask, at, maker, self.days.closes[day + 1], decision), decision)

    def _asked_yesterday(self, ask: Ask) -> None:
        """A request that waits now: made late on the last business day, so that its time is not over yet."""
        at = self._later(self._working(self.days.last, 0.8, 0.95))
        calendar = self.days.calendar
        expires = calendar.add_hours(datetime.fromtimestamp(at / 1000, calendar.zone), self.days.plan.approval_hours)
        maker, _ = self.two_people()
        self._asked(ask, at, maker, milliseconds(expires))

    def activation_asked(self) -> None:
        self._asked_yesterday(self._activation())

    def unblock_asked(self) -> None:
        block = self.standing[0]
        rest = [standing.scope for standing in self.standing[1:]]
        before = status_in_words(self.status, [block.scope, *rest])
        after = status_in_words(self.status if rest else self.status_before or self.status, rest)
        self._asked_yesterday(self._unblock(block, before, after))

    def lower_risk_asked(self) -> None:
        reason = "Twelve months of transfers as planned; the industry is no longer one of high risk."
        self._asked_yesterday(
            Ask(
                "client.lower-risk", "client", self.id, reason, {"risk": Risk(self.risk).label},
                {"risk": Risk.MEDIUM.label}, {"version": self.version, "risk_level": self.risk},
                {"risk_level": Risk.MEDIUM.value},
            )
        )  # fmt: skip

    # --- what is left at the end ------------------------------------------------------------------------------

    def _queued(
        self, queue: str, cause: str, at: int, business_days: int = 0, *, due: int | None = None,
        block: Standing | None = None, restricted: bool = False,
    ) -> None:  # fmt: skip
        somebody = self.random.choice((*self.officers, *self.seniors)).id if self.random.random() < 0.35 else None
        self.sheets.add(
            "queue_item", identifier(at, self.random), queue, cause, "client_block" if block else "client",
            block.id if block else self.id, self.id, restricted, moment(at),
            moment(due if due is not None else self.days.due(at, business_days)), somebody,
        )  # fmt: skip

    def ready(self) -> None:
        """Nothing stands in the way: it waits to be activated."""
        self._queued("activation", "ready", self.created_at, ACTIVATION_DUE)

    def end(self) -> None:
        """The client's own row, its profile and its links."""
        profile = self.profile
        words = [word for part in profile.name.split() for word in folded(part)]
        known = [profile.email, profile.phone, profile.company.get("registration_number"), self.external_id]
        search = " ".join([*words, *(word for text in known if text for word in plain_words(text))])
        self.sheets.add(
            "client", self.id, self.type, self.status, self.status_before, self.risk, profile.name, " ".join(words),
            search, profile.country, profile.email, profile.phone, self.partner, self.external_id, self.editor,
            self.random.random() < 0.7, self.open_flags, self.worst_flag, self.activation, self.version,
            moment(self.created_at), moment(self.at),
            # the end of a relationship is when it was told last
            moment(self.at) if Status.CLOSED.value in (self.status, self.status_before) else None,
        )  # fmt: skip
        keys = {links.key("email", profile.email): "email"}
        if len(profile.phone) > SHORTEST_LINKED_PHONE:
            keys[links.key("phone", profile.phone.lstrip("+"))] = "phone"
        if profile.person is not None:
            self._individual(keys)
        else:
            self._company(keys)
        for key, kind in keys.items():
            self.sheets.add("client_link", self.id, key, kind)

    def _individual(self, keys: dict[int, str]) -> None:
        person = self.profile.person
        assert person is not None
        document = person.document
        self.sheets.add(
            "individual", self.id, person.first, person.last, person.born, person.citizenship, person.country,
            document.type, document.number, document.issued_by, document.country, document.issued, document.expires,
            person.address,
        )  # fmt: skip
        keys[links.document_key(document.country, document.number)] = "document"
        keys[links.key("person", _key(person.name), person.born.isoformat())] = "person"

    def _company(self, keys: dict[int, str]) -> None:
        profile = self.profile
        self.sheets.add("company", self.id, profile.name, profile.country, profile.address, *profile.company.values())
        for position, related in enumerate(profile.related):
            person = related.person
            self.sheets.add(
                "related_individual", identifier(self.created_at, self.random), self.id, position, person.first,
                person.last, person.email, related.is_ubo, True, related.is_director, related.is_director,
                related.is_pep, person.country, person.citizenship, person.born, related.ownership,
                person.document.as_json(), person.address,
            )  # fmt: skip
            keys.setdefault(links.key("email", person.email), "email")
            keys.setdefault(links.document_key(person.document.country, person.document.number), "document")
            keys.setdefault(links.key("person", _key(person.name), person.born.isoformat()), "person")


def _key(name: str) -> str:
    return " ".join(word for part in name.split() for word in folded(part))


def pick_block(random: Random) -> Why:
    """Why a block is placed, the common reasons more often."""
    return random.choices(BLOCKS, _BLOCK_WEIGHTS)[0][0]


def is_long(code: BlockCode) -> bool:
    """Whether a block of this code may have stood for months."""
    return code in _LONG
