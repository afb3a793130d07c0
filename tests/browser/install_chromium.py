"""Finds a Chromium that starts, or installs one: `python tests/browser/install_chromium.py` prints its path.

A browser counts only when Playwright can start it: a downloaded one may lack system libraries, and
`chromium-browser` is on some systems a script that only recommends another package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    path = sys.argv[1] or None
    browser = playwright.chromium.launch(executable_path=path)
    print(path or playwright.chromium.executable_path)
    browser.close()
"""
INSTALL_SECONDS = 900


class NoChromium(RuntimeError):
    """No Chromium starts here; the message says what to do about it."""


@lru_cache(maxsize=1)
def chromium_path() -> str | None:
    """The executable for `chromium.launch(executable_path=…)`; None when Playwright's own browser works.

    Looks, never installs. Raises NoChromium when none starts.
    """
    if _starts(None):
        return None
    for name in NAMES:
        path = shutil.which(name)
        if path and _starts(path):
            return path
    raise NoChromium("no Chromium starts here; run `python tests/browser/install_chromium.py` or install chromium")


def install() -> str | None:
    """Like chromium_path(), but installs one first when none starts.

    Asks Playwright first, then the system's package manager (as root, or through sudo when that needs no
    password). Raises NoChromium when neither brings one.
    """
    for attempt in (None, _with_playwright, _with_apt):
        if attempt is not None:
            attempt()
            chromium_path.cache_clear()
        try:
            return chromium_path()
        except NoChromium:
            continue
    raise NoChromium("Chromium is needed for the browser tests and could not be installed; install chromium by hand")


@lru_cache(maxsize=8)
def _start(path: str | None) -> str | None:
    # A process of its own: Playwright cannot be started twice in one, and pytest may have it running already.
    try:
        done = subprocess.run(
            [sys.executable, "-c", START, path or ""], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _starts(path: str | None) -> bool:
    return _start(path) is not None


def _with_playwright() -> None:
    print("Installing Chromium with Playwright", file=sys.stderr, flush=True)
    _quietly([sys.executable, "-m", "playwright", "install", "chromium"])


def _with_apt() -> None:
    if shutil.which("apt-get") is None:
        return
    print("Installing Chromium with apt-get", file=sys.stderr, flush=True)
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _quietly([*prefix, "apt-get", "update", "-qq"], env)
    packages = ["chromium", "fonts-liberation"]
    _quietly([*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env)


def _quietly(command: list[str], env: dict[str, str] | None = None) -> None:
    """Run a step whose failure only means that the next way is tried."""
    try:
        subprocess.run(command, env=env, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    finally:
        _start.cache_clear()


def main() -> int:
    try:
        path = install()
    except NoChromium as error:
        print(error, file=sys.stderr)
        return 1
    print(_start(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
