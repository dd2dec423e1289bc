"""Fixtures for tests that need a real API server; a plugin of all tests.

* `cluster`: one for the whole session, the API server alone. Be a good guest: use `namespace` for
  what has namespaces, names of your own for what has none, and kill nothing.
* `own_cluster`: one for a single test, which may kill, compact and restart it.
* `cluster_programs`: for a test that makes a `Cluster` itself.
* `node_programs`: the same with nodes, which takes root.

Where the programs are missing they are built before the first test, if any test will need them.
"""

import shutil
import sys
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.binaries import NODES, PROGRAMS, found, missing
from tests.cluster.build import build, can_build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import check_machine
from tests.lacking import lacking

_LACKING = "no API server to test with: neither Go to build it nor a cache (scripts/cluster build)"
_NO_NODES = "no kubelet to test with: neither Go to build it nor a cache (scripts/cluster build)"
_UNPROVEN_NODES = "that bgpd runs in pods of a real cluster"
_UNPROVEN = "what agents, the chart's rights and our kinds do with a real API server"

_TIMEOUT = 240
"""Seconds that a test with a server may take; the usual minute is soon over on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that start a server more time, unless they say how much they take."""
    for item in items:
        if _needs_server(item) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what is missing before the first test: a test's own timeout would end a build."""
    config = session.config
    wanted = _wanted(session.items)
    if config.option.collectonly or not missing(wanted):
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        _say("")  # pytest leaves its own line open
        if not can_build():
            _say(f"SKIPPED, ALL OF IT: {_LACKING}; not proved here: {_UNPROVEN}")
            return
        try:
            build(_say, wanted)
        except ClusterError as error:
            _say(str(error))


@pytest.fixture(scope="session")
def cluster_programs() -> Mapping[str, Path]:
    """Return the programs of a cluster, or skip; under CI their absence is an error."""
    if missing(PROGRAMS):
        lacking(_LACKING, unproven=_UNPROVEN)
    return found()


@pytest.fixture(scope="session")
def node_programs() -> Mapping[str, Path]:
    """Return the programs of a cluster with nodes, or skip; under CI their absence is an error."""
    if missing(NODES):
        lacking(_NO_NODES, unproven=_UNPROVEN_NODES)
    try:
        check_machine()
    except ClusterError as error:
        lacking(str(error), unproven=_UNPROVEN_NODES)
    return found()


@pytest.fixture(scope="session")
def cluster(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Return the session's API server, alone, which no test may kill."""
    with _held(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def own_cluster(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> Iterator[Cluster]:
    """Return an API server that dies with the test."""
    with _held(tmp_path / "cluster") as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """Return a new namespace of the session's cluster."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    return name


@contextmanager
def _held(directory: Path) -> Iterator[Cluster]:
    """Hold a cluster; leave its logs to whoever looks after a failure, but not etcd's 128 MB."""
    try:
        with Cluster(directory) as running:
            yield running
    finally:
        shutil.rmtree(directory / "etcd", ignore_errors=True)


def _needs_server(item: pytest.Item) -> bool:
    return not {"cluster_programs", "node_programs"}.isdisjoint(_fixtures_of(item))


def _wanted(items: list[pytest.Item]) -> tuple[str, ...]:
    """Return the programs that *items* need."""
    if any("node_programs" in _fixtures_of(item) for item in items):
        return NODES
    return PROGRAMS if any(_needs_server(item) for item in items) else ()


def _fixtures_of(item: pytest.Item) -> Collection[str]:
    named: Collection[str] = getattr(item, "fixturenames", ())
    return named


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
