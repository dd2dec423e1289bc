"""One kind that comes in several parts: from our group, MetalLB's, files, or Secret by Secret.

Each part keeps a state of its own; what is in force is their sum. An object of an earlier part
hides that of a later one with the same name, so copying MetalLB's objects into ours, and removing
MetalLB afterwards, changes nothing. Nothing is summed up before every part is known once: what an
earlier process remembered must not go because one of two groups answered first. Where a part may
not be read, what is remembered and in no other part stays: it may be there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bgpd.kube.documents import Key, Object
from bgpd.kube.store import Changes
from bgpd.kube.view import View
from bgpd.model.status import Condition

SHADOWED: Final = "ObjectShadowed"
_SHOWN: Final = 5


@dataclass(slots=True, eq=False)
class Layer:
    """One part of a kind."""

    name: str
    """Where it comes from, in a sentence: `metallb.io`."""
    view: View
    whole: bool = True
    """Whether all of it may go at once because somebody removes its CRD."""
    known: bool = False
    """Whether its state was complete once."""
    gone: bool = False
    """Whether the kind is not installed any more; what was in force of it stays."""
    empty: bool = True
    """Whether it had no object when it was last summed up."""


class Layers:
    """All parts of one kind, the one that counts most first."""

    def __init__(self, kind: str, view: View) -> None:
        """Sum up into *view*, which may hold what an earlier process remembered."""
        self._kind = kind
        self._view = view
        self._layers: list[Layer] = []
        self._said: set[Key] = set()
        """What a part had at any time; the rest is remembered from an earlier process."""
        self.emptied: tuple[Layer, ...] = ()
        """The parts that became empty with the last sum, where that took objects away."""

    def add(self, name: str) -> Layer:
        """Return a new part that counts less than all others but files."""
        layer = Layer(name, View())
        files = [one for one in self._layers if not one.whole]
        self._layers.insert(len(self._layers) - len(files), layer)
        return layer

    def add_files(self, name: str, view: View) -> Layer:
        """Return a new part that counts less than all others; what it says is in *view*."""
        layer = Layer(name, view, whole=False)
        self._layers.append(layer)
        return layer

    def holds(self, layer: Layer, key: Key) -> bool:
        """Return whether the object in force that is known by *key* is that of *layer*."""
        for one in self._layers:
            if one.known and one.view.get(key) is not None:
                return one is layer
        return False

    def remove(self, layer: Layer) -> None:
        """Forget a part; `merge` takes its objects away."""
        self._layers.remove(layer)

    def merge(self) -> Changes:
        """Return what changes by what the parts say now."""
        self.emptied = ()
        if self._layers and not any(one.known for one in self._layers):
            return Changes()
        wanted: dict[Key, Object] = {}
        for layer in self._layers:
            if not layer.known:
                continue
            for key in tuple(layer.view.keys_of(self._kind)):
                if key not in wanted:
                    wanted[key] = layer.view[key]
                elif layer.gone:
                    # It must not come back when the object that hides it goes one day.
                    layer.view.drop(key)
        self._said |= wanted.keys()
        changes = self._apply(wanted)
        emptied = self._note_empty()
        self.emptied = emptied if changes.removed else ()
        return changes

    @property
    def conditions(self) -> Iterator[Condition]:
        """Yield which objects do not count, because others have their names."""
        above: dict[Key, tuple[Object, str]] = {}
        for layer in self._layers:
            keys = sorted(layer.view.keys_of(self._kind))
            hidden = [key for key in keys if key in above]
            if hidden:
                yield self._condition(layer, hidden, above)
            above |= {key: (layer.view[key], layer.name) for key in keys if key not in above}

    def _condition(
        self, layer: Layer, hidden: list[Key], above: dict[Key, tuple[Object, str]]
    ) -> Condition:
        other = [key.name for key in hidden if above[key][0] != layer.view[key]]
        holders = " and ".join(sorted({above[key][1] for key in hidden}))
        words = f"{self._kind} {_names([key.name for key in hidden])} of {layer.name}: objects of"
        words += f" {holders} with the same names hold in their place"
        if other:
            words += f"; those of {_names(other)} say something else"
        return Condition(type=SHADOWED, status=True, reason=self._kind, message=words)

    def _apply(self, wanted: dict[Key, Object]) -> Changes:
        added: set[Key] = set()
        changed: set[Key] = set()
        for key, new in wanted.items():
            old = self._view.put(key, new)
            if old != new:
                (added if old is None else changed).add(key)
        removed = self._view.keys_of(self._kind) - wanted.keys()
        if not all(one.known or one.gone for one in self._layers):
            removed &= self._said
        self._said -= removed
        for key in removed:
            self._view.drop(key)
        return Changes(
            added=frozenset(added), changed=frozenset(changed), removed=frozenset(removed)
        )

    def _note_empty(self) -> tuple[Layer, ...]:
        """Note which parts are empty; return those that have become so."""
        emptied = []
        for layer in self._layers:
            empty = not layer.view.keys_of(self._kind)
            if empty and not layer.empty and layer.whole:
                emptied.append(layer)
            layer.empty = empty
        return tuple(emptied)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
