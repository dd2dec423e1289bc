"""What `bgpctl show` says: it is OpenBGPD's word, and in many people's fingers."""

from typing import Final

import typer

from bgpd.ctl.options import note

_NEAREST: Final = {
    "neighbor": "get sessions",
    "summary": "get sessions",
    "rib": "get routes",
    "fib": "get host",
    "interfaces": "get host",
    "nexthop": "get host",
    "timers": "get sessions -o wide",
    "sets": "get pools",
}
"""What OpenBGPD's bgpctl shows, and what shows the like here."""


def show_command(context: typer.Context) -> None:
    """Point people who know OpenBGPD's bgpctl to ours."""
    words = [word for word in context.args if not word.startswith("-")]
    nearest = next((_NEAREST[word] for word in words if word in _NEAREST), "get")
    note(f"no `show` here (that is OpenBGPD's); did you mean `bgpctl {nearest}`?")
    raise typer.Exit(2)
