"""Tell a person something from inside ExaBGP, without its sessions depending on who reads."""

import sys
from contextlib import suppress


def say(sentence: str) -> None:
    """Write *sentence* to stderr; a reader that is gone is no reason to lose a session."""
    with suppress(OSError, ValueError):
        print(f"bgpd: {sentence}", file=sys.stderr, flush=True)  # noqa: T201
