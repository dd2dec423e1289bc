"""Files beside the API: one more part of each kind that people configure, which counts least.

An installation brings its first pool and peers as files (a mounted ConfigMap), so that no object
has to be created together with its CRD. Whoever writes an object of the same kind and name into
the API later has that one hold, and hears that the file does not.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bgpd.kube.documents import Key
from bgpd.kube.kinds import CONFIGURED
from bgpd.kube.layers import Layer, Layers
from bgpd.kube.problem import Problem
from bgpd.kube.store import Changes
from bgpd.model.status import Condition

if TYPE_CHECKING:
    from bgpd.kube.directory import DirectorySource


class Beside:
    """The files of one directory as parts of their kinds."""

    def __init__(self, directory: "DirectorySource", layers: Mapping[str, Layers]) -> None:
        """Add a part for what *directory* says to *layers*, which has each of `CONFIGURED`."""
        self.directory = directory
        self._layers = layers
        self._parts: dict[str, Layer] = {
            kind: layers[kind].add_files(f"{directory.path}", directory.view) for kind in CONFIGURED
        }
        self.known = False
        """Whether every file was read once."""

    def take(self, changes: Changes) -> tuple[str, ...]:
        """Return the kinds to sum up anew because the files tell *changes*."""
        if not self.known and self.directory.synced:
            self.known = True
            for one in self._parts.values():
                one.known = True
            return tuple(sorted(CONFIGURED))
        return tuple(sorted({key.kind for key in changes.keys} & CONFIGURED))

    def has(self, key: Key) -> bool:
        """Return whether what is in force as *key* comes from a file."""
        part = self._parts.get(key.kind)
        return part is not None and self._layers[key.kind].holds(part, key)

    @property
    def sources(self) -> dict[Key, str]:
        """The file of each object in force that comes from one."""
        return {key: file for key, file in self.directory.sources.items() if self.has(key)}

    @property
    def outdated(self) -> Iterator[Key]:
        """What is in force in its last good version, because the newest cannot be used."""
        return filter(self.has, self.directory.outdated)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the documents."""
        return self.directory.problems

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should correct."""
        return self.directory.conditions
