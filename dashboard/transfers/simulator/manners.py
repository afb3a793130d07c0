"""What the simulator does wrong, and how often."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Manners:
    """Shares from 0 to 1. `late`: answers of POST that come after `hold_seconds`, one half of them without having
    taken anything; `twice`, `swapped`, `lost`: of callbacks; `rejected`: of instructions."""

    late: float = 0.02
    rejected: float = 0.03
    twice: float = 0.03
    swapped: float = 0.05
    lost: float = 0.01
    #: between acceptance and execution
    shortest_seconds: float = 0.5
    longest_seconds: float = 4.0
    hold_seconds: float = 8.0
    seed: int = 1

    def _draw(self, what: str, identifier: str) -> float:
        return random.Random(f"{self.seed}:{what}:{identifier}").random()  # noqa: S311  (repeatable on purpose)

    def happens(self, what: str, share: float, identifier: str) -> bool:
        return self._draw(what, identifier) < share

    def delay(self, what: str, identifier: str) -> float:
        return self.shortest_seconds + self._draw(what, identifier) * (self.longest_seconds - self.shortest_seconds)


#: reason codes (ISO 20022 external status reasons) with the words of the simulator
REASONS = (("AC04", "The account is closed"), ("AC01", "The account number is wrong"), ("MS03", "Not specified"))
#: of an instruction that gives back what never came
NO_ORIGINAL = ("NOOR", "No original transaction received")
