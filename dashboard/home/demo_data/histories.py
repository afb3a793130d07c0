"""What happened to one client: a walk through time that writes the rows each step leaves behind.

Steps are those of `clients.services`, in the words of their audit events; `checking` and the tests hold the two
together. History ends before today; only deadlines lie ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from dashboard.audit.services import payload_digest
from dashboard.clients import links
from dashboard.clients.folding import words as plain_words
from dashboard.clients.services.block import status_in_words
from dashboard.clients.vocabulary import CLIENT_TEXTS, FLAGS, BlockCode, FlagCode, Risk, Severity, Status
from dashboard.home.demo_data.plan import Colleague, Days, milliseconds
from dashboard.home.demo_data.profiles import Profile, folded
from dashboard.home.demo_data.rows import Sheets, identifier, moment

PARTNER = Colleague("01900000-0000-7000-8000-000000000001", "Partner onboarding", "integration", kind="token")
MONITOR = Colleague("01900000-0000-7000-8000-000000000002", "Transaction monitoring", "system", kind="token")
HOUSE = Colleague("", "clock", "system", kind="system")

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
#: code, comment, legal reference, how often
BLOCKS = (
    (BlockCode.FRAUD, "Three card top-ups from names that differ from the holder's.", None, 24),
    (BlockCode.KYC_EXPIRED, "Asked twice for a new document, no answer.", None, 18),
    (BlockCode.KYC_FAILED, "The selfie does not match the document.", None, 8),
    (BlockCode.SANCTIONS, "Possible match with a listed person; date of birth is the same.", "Reg. (EU) 269/2014", 5),
    (BlockCode.STR_HOLD, "Report sent; payment to a new recipient held.", "AMLR Art. 71", 4),
    (BlockCode.FIU_ORDER, "Order of the FIU received by secure mail.", "AMLD6 Art. 24", 4),
    (BlockCode.COURT_ATTACHMENT, "Bailiff's order; amount and case number in the file.", "Case 2-117-441", 8),
    (BlockCode.CLIENT_REQUEST, "Client lost the phone and asked for a stop.", None, 12),
    (BlockCode.DECEASED, "Told by a relative; certificate asked for.", None, 3),
    (BlockCode.DORMANT, "No movement for 24 months.", None, 6),
    (BlockCode.OPS_ERROR, "Paid twice by mistake; amount kept until it is returned.", None, 4),
    (BlockCode.NOT_STATED, None, None, 4),
)
_BLOCK_WEIGHTS = tuple(entry[3] for entry in BLOCKS)
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
    version: int


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
        event = identifier(self.at, self.random)
        digest = None
        if before or after or reason or restricted:
            salt = f"{self.random.getrandbits(128):032x}"
            content = {"before": before, "after": after, "reason": reason, "restricted": restricted}
            digest = payload_digest(salt, content)
            self.sheets.add("audit_payload", event, salt, before, after, reason, restricted)
        self.sheets.add(
            "audit_event", event, moment(self.at), by.kind, by.id or None, by.name, by.role, action, object_type,
            object_id or self.id, self.id, digest,
        )  # fmt: skip
        self.at += 1

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

    def flagged(self, doubts: list[tuple[FlagCode, str]], by: Colleague) -> list[tuple[str, FlagCode, str, int]]:
        """Raise flags; the caller settles them or leaves them open."""
        if not doubts:
            return []
        opened = self.at
        self.version += 1
        self._tell("client.flagged", by, after={"flags": sorted({FLAGS[code][1] for code, _ in doubts})})
        return [(identifier(opened, self.random), code, fieldname, opened) for code, fieldname in doubts]

    def left_open(self, flags: list[tuple[str, FlagCode, str, int]]) -> None:
        for flag, code, fieldname, opened in flags:
            severity = FLAGS[code][0].value
            self.open_flags += severity >= Severity.CHECK
            self.worst_flag = max(self.worst_flag, severity)
            self.sheets.add(
                "client_flag", flag, self.id, code.value, severity, fieldname, moment(opened), None, None, None, None
            )
        if self.open_flags:
            self._queued("client-review", "flags", flags[-1][3], REVIEW_DUE[Severity(self.worst_flag)])

    def settled(self, flags: list[tuple[str, FlagCode, str, int]], day: int) -> None:
        by = self.random.choice(self.seniors)
        for flag, code, fieldname, opened in flags:
            at = self._later(self._working(day, 0.05, 0.4))
            self.version += 1
            self.sheets.add(
                "client_flag", flag, self.id, code.value, FLAGS[code][0].value, fieldname, moment(opened), moment(at),
                by.id, by.name, SETTLED[code],
            )  # fmt: skip
            self._tell(
                "client.flag_settled",
                by,
                object_type="client_flag",
                object_id=flag,
                before={"flag": FLAGS[code][1]},
                after={"flag": "settled"},
                reason=SETTLED[code],
            )

    def activated(self, day: int) -> None:
        """Asked in the morning, decided in the afternoon."""
        reason = self.random.choice(ACTIVATION_REASONS)
        before, after = {"status": Status.INACTIVE.value}, {"status": Status.ACTIVE.value}
        request, decider = self._asked_and_approved(
            "client.activate", "client", self.id, day, reason, before, after, {}, {"status": self.status}, secret=False
        )
        self.status, self.activation = Status.ACTIVE.value, request
        self.version += 1
        self._tell("client.activated", decider, before=before, after=after, reason=reason)

    def blocked(self, day: int, code: BlockCode, comment: str | None, legal: str | None, by: Colleague) -> None:
        random = self.random
        scope = "amount" if code is BlockCode.COURT_ATTACHMENT else random.choice(("all", "all", "debit", "credit"))
        at = self._later(self._working(day, 0.05, 0.95))
        before = status_in_words(self.status, [block.scope for block in self.standing])
        if self.status != Status.BLOCKED:
            self.status, self.status_before = Status.BLOCKED.value, self.status
        self.version += 1
        block = Standing(identifier(at, random), code, scope, self.version)
        self.standing.append(block)
        review = self._review_day(day, code)
        self._block_row(block, at, review, comment, legal, by)
        self._tell(
            "client.blocked",
            by,
            object_type="client_block",
            object_id=block.id,
            before={"status": before},
            after={
                "status": status_in_words(self.status, [standing.scope for standing in self.standing]),
                "scope": scope,
                "reviewDate": self.days.dates[review].isoformat(),
            },
            restricted={"code": code.value, "comment": comment, "legalReference": legal},
        )

    def _review_day(self, day: int, code: BlockCode) -> int:
        """Most lie ahead; a few are over, which makes them late."""
        if code in _LONG:
            return min(day + 240, self.days.today + int(self.random.random() * 200))
        return max(day + 5, min(day + 240, self.days.today - 1 + int(self.random.random() * 12)))

    def _block_row(
        self, block: Standing, at: int, review: int, comment: str | None, legal: str | None, by: Colleague
    ) -> None:
        held = block.scope == "amount"
        self.sheets.add(
            "client_block", block.id, self.id, block.scope, 5_000 * (1 + int(self.random.random() * 400)) if held else None,
            "eur" if held else None, block.code.value, legal, comment, CLIENT_TEXTS["check"][1], moment(at),
            self.days.dates[review], by.kind, by.id or None, by.name, None, None, None, None, None,
        )  # fmt: skip
        self._queued("block-review", "review", at, due=self.days.closes[review], block=block)
        if block.code is BlockCode.NOT_STATED:
            self._queued("block-review", "state-reason", at, 1, block=block, restricted=True)
        if block.code is BlockCode.STR_HOLD:
            self._queued("block-review", "str-hold", at, 3, block=block, restricted=True)

    def blocked_for_a_while(self, day: int, lifted_day: int, code: BlockCode, comment: str | None, legal: str | None) -> None:
        """A block that two people have lifted since; now and then they refused at first."""
        by = self.random.choice(self.officers)
        at = self._later(self._working(day, 0.05, 0.95))
        block = Standing(identifier(at, self.random), code, self.random.choice(("all", "debit", "credit")), self.version)
        restored, words = status_in_words(self.status, []), status_in_words(Status.BLOCKED, [block.scope])
        self.version += 1
        review = self.days.dates[day + 5].isoformat()
        self._tell(
            "client.blocked", by, object_type="client_block", object_id=block.id, before={"status": restored},
            after={"status": words, "scope": block.scope, "reviewDate": review},
            restricted={"code": code.value, "comment": comment, "legalReference": legal},
        )  # fmt: skip
        reason = self.random.choice(UNBLOCK_REASONS)
        shape = {"version": self.version, "lifted": False, "code": code.value}
        payload = {"block_id": block.id, "scope": block.scope}
        before, after = {"status": words}, {"status": restored}
        if self.random.random() < 0.2 and lifted_day - day > 1:
            self._asked_and_rejected(block.id, lifted_day - 1, reason, before, after, payload, shape)
        maker, decider = self.two_people()
        request, decider = self._asked_and_approved(
            "client.unblock", "client_block", block.id, lifted_day, reason, before, after, payload, shape,
            secret=True, people=(maker, decider),
        )  # fmt: skip
        self.sheets.add(
            "client_block", block.id, self.id, block.scope, None, None, code.value, legal, comment,
            CLIENT_TEXTS["check"][1], moment(at), self.days.dates[day + 5], by.kind, by.id, by.name, moment(self.at),
            "staff", decider.id, decider.name, request,
        )  # fmt: skip
        self._tell(
            "client.unblocked", decider, object_type="client_block", object_id=block.id, before=before, after=after,
            restricted={"code": code.value, "reason": reason, "asked_by": maker.name},
        )  # fmt: skip

    def closed(self, day: int) -> None:
        at = self._later(self._working(day, 0.1, 0.9))
        by = self.random.choice(self.seniors)
        before, self.status = self.status, Status.CLOSED.value
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

    def _request_row(
        self, request: str, kind: str, object_type: str, object_id: str, maker: Colleague, reason: str, secret: bool,
        payload: dict[str, Any], before: dict[str, Any], after: dict[str, Any], shape: dict[str, Any], at: int,
        expires: int, state: str = "requested", decider: Colleague | None = None, closed: int | None = None,
        decision_reason: str | None = None,
    ) -> None:  # fmt: skip
        self.sheets.add(
            "approval_request", request, kind, object_type, object_id, self.id, self.profile.name, state, "staff",
            maker.id, maker.name, maker.senior, reason, secret, payload, before, after, shape, moment(at),
            moment(expires), decider.id if decider else None, decider.name if decider else None,
            decider.senior if decider else None, moment(closed) if closed else None, decision_reason,
        )  # fmt: skip

    def _asked(
        self, request: str, maker: Colleague, reason: str, before: dict[str, Any], after: dict[str, Any], secret: bool
    ) -> None:
        self._tell(
            "approval.requested", maker, object_type="approval_request", object_id=request, before=before, after=after,
            reason=None if secret else reason, restricted={"reason": reason} if secret else None,
        )  # fmt: skip

    def _asked_and_approved(
        self, kind: str, object_type: str, object_id: str, day: int, reason: str, before: dict[str, Any],
        after: dict[str, Any], payload: dict[str, Any], shape: dict[str, Any], *, secret: bool,
        people: tuple[Colleague, Colleague] | None = None,
    ) -> tuple[str, Colleague]:  # fmt: skip
        maker, decider = people or self.two_people()
        asked = self._later(self._working(day, 0.4, 0.6))
        request = identifier(asked, self.random)
        self._asked(request, maker, reason, before, after, secret)
        closed = self._later(self._working(day, 0.62, 0.97))
        self._request_row(
            request, kind, object_type, object_id, maker, reason, secret, payload, before, after,
            {"version": self.version, **shape}, asked, self.days.closes[day + 1], "approved", decider, closed,
        )  # fmt: skip
        self._tell(
            "approval.approved", decider, object_type="approval_request", object_id=request,
            before={"request": "requested"}, after={"request": "approved"},
        )  # fmt: skip
        return request, decider

    def _asked_and_rejected(
        self, block: str, day: int, reason: str, before: dict[str, Any], after: dict[str, Any], payload: dict[str, Any],
        shape: dict[str, Any],
    ) -> None:  # fmt: skip
        maker, decider = self.two_people()
        asked = self._later(self._working(day, 0.4, 0.6))
        request = identifier(asked, self.random)
        self._asked(request, maker, reason, before, after, secret=True)
        closed = self._later(self._working(day, 0.62, 0.97))
        why = "The letter is not signed. Ask again with the original."
        self._request_row(
            request, "client.unblock", "client_block", block, maker, reason, True, payload, before, after, shape, asked,
            self.days.closes[day + 1], "rejected", decider, closed, why,
        )  # fmt: skip
        self._tell(
            "approval.rejected", decider, object_type="approval_request", object_id=request,
            before={"request": "requested"}, after={"request": "rejected"}, restricted={"reason": why},
        )  # fmt: skip

    def _asked_yesterday(
        self, kind: str, object_type: str, object_id: str, reason: str, payload: dict[str, Any], before: dict[str, Any],
        after: dict[str, Any], shape: dict[str, Any], secret: bool,
    ) -> None:  # fmt: skip
        """A request that waits for a decision now. It was made late on the last business day, so that it is still open."""
        at = self._later(self._working(self.days.last, 0.8, 0.95))
        maker, _ = self.two_people()
        request = identifier(at, self.random)
        calendar = self.days.calendar
        expires = calendar.add_hours(datetime.fromtimestamp(at / 1000, calendar.zone), self.days.plan.approval_hours)
        self._request_row(
            request, kind, object_type, object_id, maker, reason, secret, payload, before, after, shape, at,
            milliseconds(expires),
        )  # fmt: skip
        self._asked(request, maker, reason, before, after, secret)

    def activation_asked(self) -> None:
        self._asked_yesterday(
            "client.activate", "client", self.id, self.random.choice(ACTIVATION_REASONS), {},
            {"status": self.status}, {"status": Status.ACTIVE.value},
            {"version": self.version, "status": self.status}, secret=False,
        )  # fmt: skip

    def unblock_asked(self) -> None:
        block = self.standing[0]
        rest = [standing.scope for standing in self.standing[1:]]
        after = status_in_words(self.status if rest else self.status_before or self.status, rest)
        self._asked_yesterday(
            "client.unblock", "client_block", block.id, self.random.choice(UNBLOCK_REASONS),
            {"block_id": block.id, "scope": block.scope},
            {"status": status_in_words(self.status, [standing.scope for standing in self.standing])}, {"status": after},
            {"version": self.version, "lifted": False, "code": block.code.value}, secret=True,
        )  # fmt: skip

    def lower_risk_asked(self) -> None:
        self._asked_yesterday(
            "client.lower-risk", "client", self.id, "Twelve months of transfers as planned; industry is no longer high.",
            {"risk_level": Risk.MEDIUM.value}, {"risk": Risk(self.risk).label}, {"risk": Risk.MEDIUM.label},
            {"version": self.version, "risk_level": self.risk}, secret=False,
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
        self.sheets.add(
            "company", self.id, profile.name, profile.country, profile.address, *profile.company.values()
        )
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


def pick_block(random: Random) -> tuple[BlockCode, str | None, str | None]:
    """Code, comment and legal reference of a block."""
    code, comment, legal, _ = random.choices(BLOCKS, _BLOCK_WEIGHTS)[0]
    return code, comment, legal


def is_long(code: BlockCode) -> bool:
    """Whether a block of this code may have stood for months."""
    return code in _LONG
