"""Build the image, from the sources as they lie here to one file."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import Parser
from pathlib import Path
from typing import Final

from tests.image import debian, dockerfile, oci, rootfs, sbom, wheels
from tests.image.layer import archive, compress

ROOT: Final = wheels.ROOT
PLACE: Final = ROOT / "build" / "image"
_RULES: Final = ROOT / "packaging" / "image"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build wrote."""

    file: Path
    name: str
    digest: str
    size: int
    """Compressed, as it travels."""


def build(place: Path, say: Say, *, name: str = "", moment: int | None = None) -> Built:
    """Write the image, its root file system, its SBOM and the Dockerfile into *place*.

    The image loads as *name*, and says that it was made at *moment*, by default the commit's time.
    """
    began = time.monotonic()
    moment = source_time() if moment is None else moment
    place.mkdir(parents=True, exist_ok=True)

    def step(sentence: str) -> None:
        say(f"{time.monotonic() - began:6.1f} s  {sentence}")

    with tempfile.TemporaryDirectory(prefix=".build-", dir=place) as scratch:
        version = assemble(Path(scratch), moment, step)
        root = Path(scratch) / "root"
        arguments = {
            "VERSION": version,
            "REVISION": revision(),
            "CREATED": datetime.fromtimestamp(moment, UTC).isoformat(),
        }
        settings = dockerfile.read(dockerfile.DOCKERFILE.read_text(), arguments)
        step("writing layers")
        layers = [
            compress(archive(root, paths, rootfs.DIRECTORIES if first else {}))
            for first, paths in zip((True, False, False), rootfs.paths(root), strict=True)
        ]
        made = oci.image(layers, settings, moment)
        name = name or f"localhost/bgpd:{version}"
        file = place / f"bgpd-{version}.oci.tar"
        _replace(file, oci.bundle(made, name, moment))
        whole = [path for paths in rootfs.paths(root) for path in paths]
        flat = compress(archive(root, whole, rootfs.DIRECTORIES))
        _replace(place / "rootfs.tar.gz", flat.data)
        _replace(place / f"bgpd-{version}.cdx.json", (root / rootfs.SBOM).read_bytes())
        _replace(place / "Dockerfile", dockerfile.DOCKERFILE.read_bytes())
    step(f"{made.size / 1e6:.1f} MB compressed, {made.digest}")
    return Built(file=file, name=name, digest=made.digest, size=made.size)


def assemble(scratch: Path, moment: int, step: Say) -> str:
    """Make the root file system in *scratch*/root; return bgpd's version."""
    chosen = debian.choice((_RULES / "packages.txt").read_text())
    excluded = rootfs.Excluded((_RULES / "excluded.txt").read_text())
    root, target = scratch / "root", scratch / "wheels"
    step(f"fetching Debian packages ({debian.SUITE})")
    packages = debian.fetch(chosen, scratch / "debs")
    step(f"unpacking {len(packages)} of them")
    rootfs.unpack(packages, root, excluded)
    shutil.rmtree(scratch / "debs")
    step("installing requirements/runtime.txt and bgpd")
    wheels.install(target, moment, scratch)
    rootfs.add_wheels(target, wheels.scripts(target), root, excluded)
    shutil.rmtree(target)
    step("compiling")
    rootfs.compile_all(root)
    site = root / rootfs.SITE
    document = sbom.render(sbom.document(packages, site, moment))
    (root / rootfs.SBOM).parent.mkdir(parents=True, exist_ok=True)
    (root / rootfs.SBOM).write_text(document)
    (metadata,) = site.glob("bgpd-*.dist-info/METADATA")
    return str(Parser().parsestr(metadata.read_text(), headersonly=True)["Version"])


def source_time() -> int:
    """Return the time of the sources: SOURCE_DATE_EPOCH, or when they were committed."""
    said = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct")
    return int(said or 0)


def revision() -> str:
    """Return the commit of the sources, with a mark where they have changed since."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "bgpd", "packaging", "pyproject.toml")
    return f"{commit or 'unknown'}{'-modified' if changed else ''}"


def _git(*words: str) -> str:
    """Return what git says, or nothing where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _replace(path: Path, data: bytes) -> None:
    """Write *data* in one step: whoever reads meanwhile has the old file."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(data)
    beside.replace(path)
