"""Read the Dockerfile, so that both ways to the image lead to the same one.

Whoever has Docker builds from it; we read its instructions and write the same configuration. It
adds one archive to nothing, so a handful of instructions is all that it may hold.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.image.error import EX_CONFIG, ImageError

DOCKERFILE: Final = Path(__file__).parents[2] / "packaging" / "image" / "Dockerfile"
_GIVEN: Final = frozenset({"FROM scratch", "ADD rootfs.tar.gz /"})
"""What the image is made of, by Docker as by us."""
_WORD: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(slots=True, kw_only=True)
class Settings:
    """What the image says of how it is run."""

    labels: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = "/"
    signal: str = ""
    entrypoint: tuple[str, ...] = ()


def read(text: str, arguments: Mapping[str, str]) -> Settings:
    """Return what the Dockerfile *text* sets, with *arguments* for its `ARG`s."""
    found, declared = Settings(), set[str]()
    for word, rest in instructions(text):
        if word == "ARG":
            declared.add(rest)
            continue
        said = _WORD.sub(lambda name: _argument(name[1], declared, arguments), rest)
        if f"{word} {said}" not in _GIVEN:
            _set(found, word, said)
    return found


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction of *text* with what follows it, lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word, " ".join(rest.split())


def _set(found: Settings, word: str, said: str) -> None:
    match word:
        case "LABEL":
            found.labels |= _pairs(said)
        case "ENV":
            found.environment |= _pairs(said)
        case "USER":
            found.user = said
        case "WORKDIR":
            found.directory = said
        case "STOPSIGNAL":
            found.signal = said
        case "ENTRYPOINT":
            found.entrypoint = tuple(json.loads(said))
        case _:
            raise ImageError(f"Dockerfile: {word} {said}: not known to the builder", EX_CONFIG)


def _argument(name: str, declared: set[str], arguments: Mapping[str, str]) -> str:
    if name not in declared or name not in arguments:
        raise ImageError(f"Dockerfile: ${{{name}}} is not declared, or not given", EX_CONFIG)
    return arguments[name]


def _pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(text))
