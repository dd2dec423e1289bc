"""The build, with a Go that only pretends: the real one takes minutes. It only reads the locks."""

import fcntl
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cluster.binaries import ASSETS, MODULES, NODES, PROGRAMS, cache, found, missing
from tests.cluster.build import PACKAGES, build, can_build, environment, progress
from tests.cluster.error import EX_CONFIG, ClusterError
from tests.lacking import lacking

_GO = """\
#!/bin/sh
echo "go: downloading example" >&2
echo "$*" >>"$GO_CALLS"
while [ "$1" != -o ]; do shift; done
{body}
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the pretended Go writes its arguments; the cache is empty."""
    monkeypatch.delenv(ASSETS, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GO_CALLS", str(tmp_path / "calls"))
    _pretend_go(tmp_path, monkeypatch, 'printf program >"$2"; chmod +x "$2"')
    return tmp_path / "calls"


def _pretend_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    go = programs / "go"
    go.write_text(_GO.format(body=body))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", sorted({module for module, _ in PACKAGES.values()}))
def test_all_that_is_compiled_is_locked(module: str) -> None:
    """A cache that holds a program hides that its sources are no longer locked in full."""
    if not can_build():
        lacking("no Go", unproven="that the programs of a cluster can be built on a new machine")
    packages = [package for name, package in PACKAGES.values() if name == module]
    done = subprocess.run(
        ["go", "list", "-mod=readonly", "-deps", *packages],
        cwd=MODULES / module, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_cluster_with_nodes_is_all_built_here() -> None:
    """Every program has its module and its package."""
    assert set(PACKAGES) == set(NODES)


def test_a_build_fills_the_cache_and_happens_once(calls: Path) -> None:
    """Each program is built once, and nothing but programs and the lock is left in the cache."""
    said: list[str] = []
    build(said.append)
    build(said.append)
    assert set(found()) == set(PROGRAMS)
    assert len(calls.read_text().splitlines()) == len(PROGRAMS)
    assert {path.name for path in cache().iterdir()} == {*PROGRAMS, "lock"}


def test_kubernetes_is_told_its_version(calls: Path) -> None:
    """Without a version in the binary, clients that ask for one would refuse the server."""
    build(lambda _: None)
    lines = calls.read_text().splitlines()
    assert [line for line in lines if "gitMajor=1" in line] == lines[1:]


def test_a_build_that_fails_says_why_and_leaves_no_program(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler's words are in the error; a half-made file is never taken for a program."""
    _pretend_go(tmp_path, monkeypatch, 'printf half >"$2"; echo "no space left" >&2; exit 1')
    with pytest.raises(ClusterError, match="etcd could not be built:\nno space left"):
        build(lambda _: None)
    assert calls.exists()
    assert missing(PROGRAMS) == PROGRAMS
    assert {path.name for path in cache().iterdir()} == {"lock"}


def test_without_go_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with neither programs nor Go hears both ways out."""
    monkeypatch.delenv(ASSETS, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=f"install Go .* or set {ASSETS}") as raised:
        build(lambda _: None)
    assert raised.value.status == EX_CONFIG


def test_two_builds_at_once_are_one(calls: Path) -> None:
    """Whoever comes second waits, says so, and finds the work done."""
    build(lambda _: None)
    for name in PROGRAMS:
        (cache() / name).rename(cache() / f"{name}.away")
    said: list[str] = []
    second = threading.Thread(target=build, args=(said.append,))
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        while not said:
            second.join(0.01)
        for name in PROGRAMS:
            (cache() / f"{name}.away").rename(cache() / name)
    second.join(30)
    assert not second.is_alive()
    assert "waiting" in said[0]
    assert len(said) == 1
    assert len(calls.read_text().splitlines()) == len(PROGRAMS)


def test_a_killed_build_leaves_nothing_for_long(calls: Path) -> None:
    """The next build removes the scratch directory of one that had no chance to."""
    left = cache() / ".etcd-left"
    left.mkdir(parents=True)
    (left / "etcd").touch()
    build(lambda _: None)
    assert calls.exists()
    assert not left.exists()


def test_progress_counts_modules_and_packages(tmp_path: Path) -> None:
    """Whoever waits for minutes sees that it moves, and how long it has taken."""
    log = tmp_path / "log"
    log.write_text("go: downloading a v1\ngo: downloading b v1\ninternal/cpu\n")
    said = progress("etcd", str(log), 83)
    assert said == "etcd: 2 modules fetched, 1 packages compiled, 1:23"
