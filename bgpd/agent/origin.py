"""Where objects come from: `directory:PATH`, `kubernetes` or `kubernetes:KUBECONFIG`.

Beside Kubernetes there may be a directory of documents, in which nothing but configuration counts.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bgpd.agent.memory import Snapshot
from bgpd.kube.access import Access, InCluster, mounted
from bgpd.kube.documents import Key
from bgpd.kube.history import number
from bgpd.kube.kept import KeptSource
from bgpd.kube.source import NAME, KubernetesSource
from bgpd.kube.vocabulary import Vocabulary, agent, configuring
from bgpd.model.errors import ConfigError

if TYPE_CHECKING:
    from bgpd.kube.directory import DirectorySource

_KNOWN: Final = "directory:PATH, kubernetes or kubernetes:KUBECONFIG"


def source_of(
    text: str, remembered: Snapshot, *, node: str = "", documents: Path | None = None
) -> KeptSource:
    """Return the source that *text* names for the agent of *node*, or raise `ConfigError`.

    *documents* is a directory beside the Kubernetes API.
    """
    reads = agent(node)
    match text.partition(":"):
        case "directory", _, path if path:
            from bgpd.kube.directory import DirectorySource  # noqa: PLC0415 - a pod needs none

            directory = DirectorySource(path, remembered=remembered.by_source, vocabulary=reads)
            return KeptSource(directory, remembered.objects, held=remembered.held)
        case "kubernetes", colon, path if path or not colon:
            kubernetes = KubernetesSource(
                _access(path, os.environ),
                remembered=remembered.objects,
                newest=_newest(remembered),
                vocabulary=reads,
                documents=None if documents is None else beside(documents, reads, remembered),
            )
            return KeptSource(kubernetes, remembered.objects, held=remembered.held)
        case _:
            raise ConfigError(f"--source {text!r}: must be {_KNOWN}")


def beside(path: Path, reads: Vocabulary, remembered: Snapshot) -> "DirectorySource":
    """Return the documents in *path* as they stand beside the API, or raise `ConfigError`."""
    from bgpd.kube.directory import DirectorySource  # noqa: PLC0415 - for who has such files

    files = {name: said for name, said in remembered.by_source.items() if name != NAME}
    return DirectorySource(
        path, remembered=files, vocabulary=configuring(reads), option="--documents"
    )


def persistent(text: str) -> bool:
    """Return whether a mistake in the objects is waited out instead of ending the start.

    A person who starts an agent over a directory is there to read the sentence. A cluster's objects
    are everybody's: one that is wrong must not keep a new node from advertising the others.
    """
    return text.startswith("kubernetes")


def versions(objects: Mapping[Key, object], newest: Mapping[str, int]) -> dict[Key, str]:
    """Return what to remember of the *newest* versions: one object of each kind carries it."""
    one = {key.kind: key for key in objects}
    return {key: str(newest[kind]) for kind, key in one.items() if newest.get(kind)}


def _newest(remembered: Snapshot) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, version in remembered.resource_versions.items():
        found[key.kind] = max(found.get(key.kind, 0), number(version) or 0)
    return found


def _access(path: str, environment: Mapping[str, str]) -> Access:
    path = path or ("" if mounted() else environment.get("KUBECONFIG", ""))
    if not path:
        return InCluster(environment)
    from bgpd.kube.kubeconfig import Kubeconfig  # noqa: PLC0415 - 45 MB that a pod does not need

    return Kubeconfig(Path(path), namespace=environment.get("BGPD_NAMESPACE", ""))
