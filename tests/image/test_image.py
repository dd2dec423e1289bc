"""The image itself: built twice, looked through, and run."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.processes import Launcher
from tests.image import container, rootfs
from tests.image.build import ROOT, Built, build
from tests.image.error import EX_UNAVAILABLE, ImageError
from tests.lab.pace import Pace
from tests.lacking import lacking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

_UNPROVEN = "what is in the image, and that it runs"
_VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
_MOST_BYTES = 90_000_000
_STALL = 0.1
"""Seconds; when a thread that only sleeps wakes so late, the machine stood still for everybody."""
_UNCHECKED = b"\x01\0\0\0"
"""The flags of compiled code that is never compared with its source (PEP 552)."""
_LOAD = """
import ctypes, importlib, pathlib, sys
for file in sorted(pathlib.Path("/usr").rglob("*.so*")):
    ctypes.CDLL(str(file))
for file in pathlib.Path("/usr/lib/python3.11/lib-dynload").glob("*.so"):
    importlib.import_module(file.name.split(".")[0])
print("all loaded")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image, built once for all tests here, and unpacked."""

    built: Built
    bundle: Path
    configuration: dict[str, Any]

    @property
    def root(self) -> Path:
        """Where its files are."""
        return self.bundle / "rootfs"


def _build(place: Path) -> Built:
    try:
        return build(place, lambda _: None, moment=1_700_000_000)
    except ImageError as error:
        if error.status == EX_UNAVAILABLE:
            lacking(str(error), unproven=_UNPROVEN)
        raise


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Return the image."""
    place = tmp_path_factory.mktemp("image")
    built = _build(place / "out")
    configuration = container.unpack(built.file, place / "rootfs")
    yield Image(built=built, bundle=place, configuration=configuration)
    shutil.rmtree(place)


@pytest.fixture
def runs(image: Image) -> Image:
    """Return the image where it can run: as root, with runc."""
    if os.geteuid() != 0 or shutil.which("runc") is None:
        lacking("no root, or no runc", unproven="that the image runs")
    return image


def _files(image: Image) -> list[str]:
    return [str(path.relative_to(image.root)) for path in image.root.rglob("*")]


def _said(image: Image, name: str, *words: str) -> tuple[int, str]:
    """Run *words* in a container; return status and output."""
    running = container.run(image.bundle, name, words, configuration=image.configuration)
    try:
        output, _ = running.communicate(timeout=60)
    finally:
        container.kill(image.bundle, name)
    return running.returncode, output


def test_built_twice_it_is_the_same_image(image: Image, tmp_path: Path) -> None:
    """Nothing of the moment, the directory or the order of files is in it: one digest."""
    again = _build(tmp_path / "again")
    assert again.digest == image.built.digest
    for name in ("rootfs.tar.gz", f"bgpd-{_VERSION}.cdx.json", image.built.file.name):
        there = image.built.file.parent / name
        assert (tmp_path / "again" / name).read_bytes() == there.read_bytes(), name


def test_it_is_small(image: Image) -> None:
    """A node without it fetches at most 90 MB."""
    assert image.built.size <= _MOST_BYTES


def test_a_new_bgpd_is_the_last_layer_alone(image: Image) -> None:
    """Debian's files and other people's wheels are layers that an upgrade does not fetch again."""
    _, layers = container.blobs(image.built.file)
    sizes = [len(layer) for layer in layers]
    assert len(sizes) == 3
    assert sizes[2] < sum(sizes) / 10


def test_dockers_way_leads_to_the_same_files(image: Image) -> None:
    """The archive that the Dockerfile adds holds what the layers hold."""
    beside = image.built.file.parent
    with tarfile.open(beside / "rootfs.tar.gz") as flat:
        names = sorted(flat.getnames())
    layered: set[str] = set()
    for layer in container.blobs(image.built.file)[1]:
        (image.bundle / "layer").write_bytes(layer)
        with tarfile.open(image.bundle / "layer") as read:
            layered |= set(read.getnames())
    assert names == sorted(layered)
    assert (beside / "Dockerfile").exists()


def test_only_what_is_needed_is_in_it(image: Image) -> None:
    """No shell, no package manager, no cache, no manual, no test, no translation."""
    found = _files(image)
    assert sorted(path.name for path in (image.root / "usr/bin").iterdir()) == [
        "python3",
        "python3.11",
    ]
    parts = {part for path in found for part in Path(path).parts}
    assert not parts & {"cache", "man", "locale", "tests", "test", "apt", "pip", "ensurepip"}
    assert not [path for path in found if path.endswith((".c", ".pyi", ".pyx"))]
    assert not [path for path in found if Path(path).name in {"RECORD", "direct_url.json"}]


def test_nothing_in_it_gives_rights_away(image: Image) -> None:
    """No file has a set-user-ID bit, and only bgpd's own directories are not root's."""
    with tarfile.open(image.built.file.parent / "rootfs.tar.gz") as flat:
        entries = flat.getmembers()
    assert not [one.name for one in entries if one.isfile() and one.mode & 0o7022]
    assert {one.name for one in entries if one.uid or one.gid} == {"run/bgpd", "var/lib/bgpd"}


def test_all_code_is_compiled_and_never_checked_against_the_source(image: Image) -> None:
    """A read-only container cannot write compiled code, and should not look for its age."""
    sources = {path for path in image.root.rglob("*.py") if "lib2to3" not in path.parts}
    assert len(sources) > 1000
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        with compiled.open("rb") as read:
            assert read.read(8)[4:] == _UNCHECKED, source


def test_no_link_leads_nowhere(image: Image) -> None:
    """What a link names is in the image, too."""
    links = [path for path in image.root.rglob("*") if path.is_symlink()]
    assert len(links) > 10
    for link in links:
        target = link.readlink()
        there = (
            image.root / str(target).lstrip("/") if target.is_absolute() else link.parent / target
        )
        assert os.path.lexists(there), link


def test_every_part_is_in_the_bill_of_materials(image: Image) -> None:
    """The document inside is the one beside, and names each package and wheel that is there."""
    text = (image.root / rootfs.SBOM).read_text()
    beside = image.built.file.parent / f"bgpd-{_VERSION}.cdx.json"
    assert beside.read_text() == text
    named = {part["name"].lower() for part in json.loads(text)["components"]}
    packages = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    wheels = {p.name.split("-")[0].lower() for p in (image.root / rootfs.SITE).glob("*.dist-info")}
    assert packages <= named
    assert {name.replace("_", "-") for name in wheels - {"bgpd"}} <= {
        name.replace("_", "-").replace(".", "-") for name in named
    }


def test_its_tools_answer(runs: Image) -> None:
    """Without root, without a capability, on a read-only file system."""
    assert _said(runs, "version", "bgpctl", "version") == (0, f"bgpctl {_VERSION}\n")
    assert _said(runs, "daemon", "bgpd", "version") == (0, f"bgpd {_VERSION}\n")


def test_every_library_finds_the_others(runs: Image) -> None:
    """What was left out is missed by nobody: each shared object loads."""
    status, output = _said(runs, "load", "python3", "-c", _LOAD)
    assert (status, output[-200:]) == (0, "all loaded\n")


def test_authorities_are_there_for_checks_over_tls(runs: Image) -> None:
    """Python's default context trusts the usual authorities."""
    program = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)"
    assert _said(runs, "tls", "python3", "-c", program) == (0, "True\n")


_NODES = """
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 10.9.0.2}]}
"""


@pytest.fixture
def cable() -> Iterator[tuple[Path, Path]]:
    """Return two network namespaces with a cable between: 10.9.0.1 and 10.9.0.2."""
    names = [f"bgpd-image-{os.getpid()}-{number}" for number in (1, 2)]
    spaces = [Path("/run/netns") / name for name in names]
    lines = [f"ip netns add {name}" for name in names]
    lines += [f"ip link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}"]
    for number, name in enumerate(names, 1):
        lines += [
            f"ip -n {name} addr add 10.9.0.{number}/24 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} link set lo up",
        ]
    try:
        for line in lines:
            subprocess.run(line.split(), check=True)
        yield spaces[0], spaces[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def _hearing() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("10.9.0.2", 7179))
    made.settimeout(30)
    return made


def test_the_first_heartbeat_leaves_soon(
    runs: Image, cable: tuple[Path, Path], tmp_path: Path
) -> None:
    """Speaker and agent start, find the other node in the documents, and speak to it.

    The promise is 1.5 s; five times that is allowed to a busy machine, and what it stood still.
    """
    shared = {name: tmp_path / name for name in ("run", "state", "documents", "key")}
    for place in shared.values():
        place.mkdir()
        os.chown(place, 65532, 65532)
    (shared["documents"] / "nodes.yaml").write_text(_NODES)
    key = shared["key"] / "mesh-key"
    key.write_text(_said(runs, "key", "bgpd", "mesh-key")[1])
    os.chown(key, 65532, 65532)
    key.chmod(0o400)
    inside = {
        "/run/bgpd": shared["run"],
        "/var/lib/bgpd": shared["state"],
        "/documents": shared["documents"],
        "/etc/bgpd": shared["key"],
    }
    lines = {
        "speaker": ["bgpd", "speaker", "--node=n1"],
        "agent": ["bgpd", "agent", "--node=n1", "--source=directory:/documents", "--cluster-uid=x"],
    }
    there = Launcher(cable[1])
    pace = Pace()
    with there.call(_hearing) as hearing:
        began = time.monotonic()
        running = [
            container.run(
                runs.bundle,
                name,
                words,
                configuration=runs.configuration,
                netns=cable[0],
                shared=inside,
            )
            for name, words in lines.items()
        ]
        try:
            hearing.recv(2048)
            took = time.monotonic() - began
        finally:
            pace.stop()
            there.close()
            for name, one in zip(lines, running, strict=True):
                container.kill(runs.bundle, name)
                (tmp_path / f"{name}.log").write_text(one.communicate()[0])
    stood = sum(late for at, late in pace.moments() if at >= began and late >= _STALL)
    print(f"first heartbeat after {took:.2f} s, of which the machine stood still for {stood:.2f}")
    assert took - stood < 7.5
