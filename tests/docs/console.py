"""Commands on a page, and what they are to print: ```console blocks.

`$ COMMAND` begins a command, `# exit status N` at its end says that it does not end with 0. The
lines below it are what it prints: `...` stands for anything, a line of `...` for any lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_STATUS: Final = re.compile(r"\s+# exit status (\d+)$")
ANY: Final = "..."


@dataclass(slots=True, kw_only=True)
class Step:
    """One command of a page."""

    command: str
    status: int = 0
    shown: list[str] = field(default_factory=list)


def steps(page: str) -> Iterator[Step]:
    """Yield the commands of *page* in their order."""
    for block in _BLOCK.findall(page):
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step is not None:
                    yield step
                found = _STATUS.search(line)
                command = _STATUS.sub("", line[2:])
                step = Step(command=command, status=int(found[1]) if found else 0)
            elif step is not None:
                step.shown.append(line)
        if step is not None:
            yield step


def differs(step: Step, printed: str) -> str:
    """Return the first line of *step* that was not *printed*; nothing where all were."""
    lines = [line.rstrip() for line in printed.splitlines()]
    at, gap = 0, False
    for wanted in step.shown:
        if wanted == ANY:
            gap = True
            continue
        pattern = re.compile(".*".join(map(_spaced, wanted.split(ANY))))
        matching = (
            index
            for index in range(at, len(lines))
            if pattern.fullmatch(" ".join(lines[index].split()))
        )
        found = next(matching, None)
        if found is None or (found != at and not gap):
            return wanted
        at, gap = found + 1, False
    return "" if gap or at == len(lines) or not step.shown else lines[at]


def _spaced(text: str) -> str:
    """Return a pattern of *text* for which any white space is one blank."""
    words = " ".join(re.escape(word) for word in text.split())
    before = " " if text[:1].isspace() and words else ""
    after = " " if text[-1:].isspace() and words else ""
    return f"{before}{words}{after}".replace(" ", r" ?") if words else r" ?"
