"""Get Debian packages, and choose which of them the image needs.

mmdebstrap lets apt resolve, fetch and verify; no maintainer script ever runs, and nothing is
installed: we unpack the packages ourselves, without what is excluded.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.image.error import EX_UNAVAILABLE, ImageError

SUITE: Final = "bookworm"
ARCHITECTURE: Final = "amd64"
_SOURCES: Final = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
_HOOK: Final = '#!/bin/sh\ncp "$1"/var/cache/apt/archives/*.deb "$BGPD_PACKAGES"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The packages that are asked for, and those that are left out although others want them."""

    roots: tuple[str, ...]
    dropped: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package in a file, with the fields of its control file."""

    file: Path
    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name."""
        return self.fields["Package"]


def choice(text: str) -> Choice:
    """Return what `packages.txt` says: a name and its reason a line, "-" before what is out."""
    words = [line.split()[0] for line in text.splitlines() if line and not line.startswith("#")]
    return Choice(
        roots=tuple(word for word in words if not word.startswith("-")),
        dropped=frozenset(word[1:] for word in words if word.startswith("-")),
    )


def fetch(chosen: Choice, directory: Path) -> list[Package]:
    """Fetch what *chosen* asks for into *directory*; return what of it comes into the image."""
    if shutil.which("mmdebstrap") is None:
        raise ImageError(
            "mmdebstrap is not installed: apt-get install mmdebstrap (Debian, Ubuntu)",
            EX_UNAVAILABLE,
        )
    directory.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        hook = Path(scratch) / "copy"
        hook.write_text(_HOOK)
        hook.chmod(0o755)
        command = [
            *("mmdebstrap", "--quiet", "--variant=extract", "--format=null"),
            *(f"--architectures={ARCHITECTURE}", f"--include={','.join(chosen.roots)}"),
            *("--aptopt=Acquire::Languages none", f"--extract-hook={hook}"),
            *(SUITE, "/dev/null", *mirrors(_texts(_SOURCES), Path(scratch))),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "BGPD_PACKAGES": str(directory)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ImageError(f"mmdebstrap got no packages:\n{last}", 75)
    found = [_package(file) for file in sorted(directory.glob("*.deb"))]
    return closure(found, chosen)


def closure(packages: Iterable[Package], chosen: Choice) -> list[Package]:
    """Return the roots and what they depend on, by name, not looking behind what is dropped."""
    named = {package.name: package for package in packages}
    wanted, todo = set[str](), list(chosen.roots)
    while todo:
        name = todo.pop()
        if name in wanted or name in chosen.dropped or name not in named:
            continue
        wanted.add(name)
        todo += depends(named[name].fields)
    return [named[name] for name in sorted(wanted)]


def depends(fields: Mapping[str, str]) -> list[str]:
    """Return every package that *fields* depend on, alternatives among them."""
    said = ", ".join(fields.get(name, "") for name in ("Pre-Depends", "Depends"))
    words = [word.strip() for word in re.split(r"[,|]", said)]
    return [re.split(r"[ (:]", word)[0] for word in words if word]


def parse(text: str) -> dict[str, str]:
    """Return the fields of a control file."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1].isspace():
            fields[name] += f"\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def mirrors(texts: Mapping[str, str], directory: Path) -> list[str]:
    """Return files for mmdebstrap with this machine's own sources of our suite.

    Where it has none (another release), mmdebstrap knows where Debian is.
    """
    found = [part for name, text in sorted(texts.items()) for part in _ours(name, text)]
    if not found:
        return []
    written = directory / "debian.sources"
    written.write_text("\n".join(found))
    return [str(written)]


def _ours(name: str, text: str) -> Iterator[str]:
    """Yield what of a file with sources is about our suite: paragraphs, or lines made into them."""
    suites = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    if name.endswith(".sources"):
        for paragraph in re.split(r"\n\s*\n", text):
            fields = parse("\n".join(x for x in paragraph.splitlines() if not x.startswith("#")))
            said = set(fields.get("Suites", "").split())
            if said and said <= suites and fields.get("Enabled", "yes") != "no":
                yield _paragraph(fields)
        return
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line)
        if match and match[3] in suites:
            options = dict(word.split("=", 1) for word in (match[1] or "").split())
            fields = {"Types": "deb", "URIs": match[2], "Suites": match[3], "Components": match[4]}
            if "signed-by" in options:
                fields["Signed-By"] = options["signed-by"]
            yield _paragraph(fields)


def _paragraph(fields: Mapping[str, str]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def _texts(places: Iterable[Path]) -> dict[str, str]:
    files = [f for place in places for f in (place.iterdir() if place.is_dir() else [place])]
    kinds = {".list", ".sources"}
    return {str(f): f.read_text() for f in files if f.suffix in kinds and f.exists()}


def _package(file: Path) -> Package:
    told = subprocess.run(
        ["dpkg-deb", "--field", str(file)], capture_output=True, text=True, check=True
    )
    return Package(file=file, fields=parse(told.stdout))
