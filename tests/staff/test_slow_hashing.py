"""What a stored password costs whoever guesses: the real cost, which the other tests do not pay."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from dashboard.staff import slow_hashing


def as_it_runs() -> ModuleType:
    """The module as the product loads it, beside the one that is made cheap for tests."""
    spec = importlib.util.find_spec("dashboard.staff.slow_hashing")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_password_costs_64_mib_and_three_passes_and_is_known_again_whatever_it_cost() -> None:
    real = as_it_runs()
    stored = real.hashed("correct-horse-battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$") and "horse" not in stored
    assert real.matches(stored, "correct-horse-battery") and not real.matches(stored, "correct-horse-batterz")
    assert not real.is_outdated(stored)
    # no two hashes of the same are alike, and what was stored at a lower cost is known and to be stored anew
    assert real.hashed("correct-horse-battery") != stored
    cheap = slow_hashing.hashed("correct-horse-battery")
    assert real.matches(cheap, "correct-horse-battery") and real.is_outdated(cheap)
    assert not real.matches("no hash at all", "correct-horse-battery")
