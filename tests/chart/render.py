"""Run helm, of either generation, over the chart."""

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.definitions import CHART
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[2]
HELMS: Final = ("helm3", "helm4")
CI: Final = sorted((CHART / "ci").glob("*.yaml"))
NAMESPACE: Final = "bgpd-system"
KUBERNETES: Final = "1.36.0"
"""What helm takes the cluster for, where there is none."""

Document = dict[str, Any]


@functools.cache
def tools() -> Path:
    """Return the directory with helm3, helm4 and kubectl, or skip the test (in CI: fail)."""
    done = subprocess.run(
        [ROOT / "scripts" / "tools"], check=False, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        lacking(f"no helm: {done.stderr.strip()}", unproven="what helm makes of the chart")
    return Path(done.stdout.strip())


def helm(*words: str | Path, program: str = "helm3") -> subprocess.CompletedProcess[str]:
    """Run helm without a cluster."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": os.devnull}
    return subprocess.run(
        [tools() / program, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def template(
    values: Mapping[str, Any],
    program: str = "helm3",
    *,
    release: str = "bgpd",
    namespace: str = NAMESPACE,
) -> str:
    """Return what the chart makes of *values*, as text; fail where helm refuses them."""
    return _template(json.dumps(values, sort_keys=True), program, release, namespace)


@functools.cache
def _template(values: str, program: str, release: str, namespace: str) -> str:
    done = _run(values, program, release, namespace)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(
    values: str, program: str, release: str = "bgpd", namespace: str = NAMESPACE
) -> subprocess.CompletedProcess[str]:
    chart = (CHART, "--namespace", namespace, "--kube-version", KUBERNETES)
    with _file(values) as path:
        return helm("template", release, *chart, "--values", path, program=program)


def refusal(values: Mapping[str, Any], program: str = "helm3") -> str:
    """Return why helm refuses *values*; fail where it takes them."""
    done = _run(json.dumps(values), program)
    assert done.returncode != 0, "helm takes these values"
    return done.stderr


def render(values: Mapping[str, Any], program: str = "helm3") -> list[Document]:
    """Return the documents that the chart makes of *values*."""
    return documents(template(values, program))


def documents(text: str) -> list[Document]:
    """Return the documents in *text*; empty ones left out."""
    return [one for one in yaml.load_all(text, Loader=_Loader) if one]


def found(documents_: list[Document], kind: str, name: str) -> Document:
    """Return the one object of that kind and name."""
    them = [one for one in documents_ if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(them) == 1, f"{len(them)} objects {kind} {name}"
    return them[0]


def values_of(path: Path) -> Document:
    """Return the values in one of the files of `ci/`."""
    content: Document = yaml.safe_load(path.read_text())
    return content


class _file:  # noqa: N801 - a context, used like a function
    """A file with *text* in memory, for a program that wants a path."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> str:
        self._number = os.memfd_create("values", 0)
        os.write(self._number, self._text.encode())
        return f"/proc/{os.getpid()}/fd/{self._number}"

    def __exit__(self, *_: object) -> None:
        os.close(self._number)


class _Loader(yaml.CSafeLoader):
    """YAML in which a key that stands twice is an error, as it is for a strict API server."""


def _unique(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"a key stands twice among {keys}"
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique)
