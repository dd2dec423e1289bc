"""The table of docs/doctor.md, written from the checks: `python -m bgpd.ctl.doctorpage ROOT`."""

import sys
from pathlib import Path
from typing import Final

from bgpd.ctl.doctorchecks import CHECKS
from bgpd.ctl.doctornode import BELONGS, ELSEWHERE

PAGE: Final = "docs/doctor.md"
BEGIN: Final = "<!-- checks: written by bgpd.ctl.doctorpage; do not edit -->"
END: Final = "<!-- end of checks -->"


def table() -> str:
    """Return the table of checks, as Markdown."""
    lines = ["| check | asks | what to do | waits for | tells of conditions |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for check in CHECKS:
        types = [type_ for type_, (name, _, _) in BELONGS.items() if name == check.name]
        if check.name == "conditions":
            types = ["all others"]
        told = ", ".join(f"`{type_}`" if type_ in BELONGS else type_ for type_ in types) or "-"
        needs = ", ".join(check.needs) or "-"
        lines.append(f"| `{check.name}` | {check.asks} | {check.remedy} | {needs} | {told} |")
    apart = ", ".join(f"`{type_}`" for type_ in sorted(ELSEWHERE))
    lines += ["", f"{apart} have no line: a check looks for the same itself."]
    return "\n".join(lines)


def updated(text: str) -> str:
    """Return the page *text* with the table as it is now."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no place for the table: {BEGIN} … {END}")
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


def main(root: Path) -> None:
    """Write the page below the checkout *root*."""
    page = root / PAGE
    page.write_text(updated(page.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
