"""The objects in force: what all files together say, with the last good version of each object.

A file that cannot be read takes nothing away; a document that is refused leaves its last good
version in force; only a file that is whole and no longer names an object removes it. Of two files
that name one object, the first in force wins and stays; the other takes over when it goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bgpd.kube.documents import Documents, Key, Object
from bgpd.kube.problem import Problem, Standing, conditions_of, sentence, shadowed_by
from bgpd.kube.view import Objects, View
from bgpd.model.allocation import ServiceRequest
from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.status import Condition

_SERVICE: Final = (Service, ServiceRequest)
_NO_KEYS: Final[frozenset[Key]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What really changed: an object that was written again with the same facts is not here."""

    added: frozenset[Key] = _NO_KEYS
    changed: frozenset[Key] = _NO_KEYS
    removed: frozenset[Key] = _NO_KEYS
    services: frozenset[str] = frozenset()
    """The Services (`namespace/name`) to decide again: they, or their endpoints, changed."""
    conditions: bool = False
    """Whether the conditions changed."""

    @property
    def configuration(self) -> bool:
        """Whether something that every decision depends on changed: our kinds or a Node."""
        # Loops, because every change of an endpoint comes by here.
        for keys in (self.changed, self.added, self.removed):
            for key in keys:
                if key.kind not in _PER_SERVICE:
                    return True
        return False

    @property
    def keys(self) -> frozenset[Key]:
        """Every object that was added, changed or removed."""
        return self.added | self.changed | self.removed

    def __bool__(self) -> bool:
        """Return whether anything changed at all."""
        return bool(self.added or self.changed or self.removed or self.conditions)

    def then(self, later: "Changes") -> "Changes":
        """Return the changes of both, *later* being the newer ones."""
        came_back = self.removed & later.added
        came_and_went = self.added & later.removed
        return Changes(
            added=(self.added | later.added) - came_back - later.removed,
            changed=((self.changed | later.changed | came_back) - self.added - later.removed),
            removed=(self.removed - later.added) | (later.removed - came_and_went),
            services=self.services | later.services,
            conditions=self.conditions or later.conditions,
        )


_PER_SERVICE: Final = frozenset({"Service", "EndpointSlice"})


class Store:
    """Files in, objects and changes out."""

    def __init__(self) -> None:
        self._view = View()
        self._files: dict[str, tuple[Key, ...]] = {}
        """What each file stands for, refused documents with a good version included."""
        self._owner: dict[Key, str] = {}
        self._waiting: dict[Key, dict[str, Object]] = {}
        """What other files say of an object that has an owner, the oldest first."""
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._outdated: dict[str, frozenset[Key]] = {}
        self._lesser: dict[str, frozenset[Key]] = {}
        """What each file says in MetalLB's group, which ours outranks."""

    @property
    def sources(self) -> dict[Key, str]:
        """The file that each object in force comes from."""
        return dict(self._owner)

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version, because the newest cannot be used."""
        return tuple(sorted({key for keys in self._outdated.values() for key in keys}))

    @property
    def objects(self) -> Objects:
        """The objects in force; the view follows every `apply`."""
        return self._view

    @property
    def view(self) -> View:
        """The same, for who sums them up with what others say."""
        return self._view

    def apply(self, file: str, documents: Documents) -> Changes:
        """Take what *file* says now; return what that changes."""
        before = {key: self._said(file, key) for key in self._files.get(file, ())}
        after = dict(documents.objects)
        for key, old in before.items():
            if documents.incomplete or key in documents.damaged:
                after.setdefault(key, old)
        lesser = {key for key in after.keys() - documents.objects.keys() if key in before}
        lesser &= self._lesser.get(file, frozenset())
        lesser |= documents.lesser
        self._outdated[file] = frozenset(after.keys() - documents.objects.keys())
        if not self._outdated[file]:
            del self._outdated[file]
        changes = _Recorder(self._view)
        self._lesser[file] = frozenset(lesser)
        for key, said in after.items():
            self._say(file, key, said, changes)
        for key in before.keys() - after.keys():
            self._unsay(file, key, changes)
        if after:
            self._files[file] = tuple(after)
        else:
            self._files.pop(file, None)
        if not lesser:
            del self._lesser[file]
        return changes.result(conditions=self._note(file, documents.problems) or changes.disputed)

    def remove(self, file: str) -> Changes:
        """Take away everything that only *file* says; return what that changes."""
        return self.apply(file, Documents())

    @property
    def files(self) -> frozenset[str]:
        """Every file that something in force or a condition comes from."""
        return frozenset(self._files) | frozenset(self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files, in their order; duplicates across files are last."""
        found = [one for file in sorted(self._problems) for one in self._problems[file]]
        for key in sorted(self._waiting):
            found += [self._duplicate(key, file) for file in self._waiting[key]]
        return tuple(found)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The problems as conditions."""
        return conditions_of(self.problems)

    def _said(self, file: str, key: Key) -> Object:
        if self._owner.get(key) == file:
            return self.objects[key]
        return self._waiting[key][file]

    def _say(self, file: str, key: Key, said: Object, changes: "_Recorder") -> None:
        waiting = self._waiting.get(key, {})
        owner = self._owner.setdefault(key, file)
        if owner == file:
            better = next((one for one in waiting if self._outranks(one, file, key)), None)
            if better is None:
                changes.put(key, said)
                return
            said_before, self._owner[key] = waiting.pop(better), better
            waiting[file] = said
            changes.put(key, said_before)
            changes.disputed = True
        elif self._outranks(file, owner, key):
            waiting.pop(file, None)
            self._waiting.setdefault(key, waiting)[owner] = self.objects[key]
            self._owner[key] = file
            changes.put(key, said)
            changes.disputed = True
        else:
            waiting = self._waiting.setdefault(key, waiting)
            changes.disputed |= file not in waiting
            waiting[file] = said

    def _outranks(self, file: str, other: str, key: Key) -> bool:
        """Return whether *file* has the object in our group, and *other* only in MetalLB's."""
        return key in self._lesser.get(other, _NO_KEYS) and key not in self._lesser.get(
            file, _NO_KEYS
        )

    def _unsay(self, file: str, key: Key, changes: "_Recorder") -> None:
        waiting = self._waiting.get(key, {})
        if self._owner[key] != file:
            del waiting[file]
            changes.disputed = True
        elif waiting:
            ours = (one for one in waiting if key not in self._lesser.get(one, _NO_KEYS))
            heir = next(ours, next(iter(waiting)))
            self._owner[key] = heir
            changes.put(key, waiting.pop(heir))
            changes.disputed = True
        else:
            del self._owner[key]
            changes.drop(key)
        if not waiting:
            self._waiting.pop(key, None)

    def _note(self, file: str, problems: tuple[Problem, ...]) -> bool:
        if self._problems.get(file, ()) == problems:
            return False
        if problems:
            self._problems[file] = problems
        else:
            del self._problems[file]
        return True

    def _duplicate(self, key: Key, file: str) -> Problem:
        owner = self._owner[key]
        if self._outranks(owner, file, key):
            what = shadowed_by(owner)
            return Problem(
                source=file,
                kind=key.kind,
                name=key.name,
                message=sentence(source=file, kind=key.kind, name=key.name, path="", what=what),
                standing=Standing.SHADOWED,
            )
        return Problem(
            source=file,
            kind=key.kind,
            name=key.name,
            path="metadata.name",
            message=(
                f"{file} ({key.kind} {key.name}): is already in {owner}; the one in {owner} "
                "holds, remove one of them"
            ),
        )


class _Recorder:
    """Writes into the view and keeps what really changed."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._added: set[Key] = set()
        self._changed: set[Key] = set()
        self._removed: set[Key] = set()
        self._services: set[str] = set()
        self.disputed = False
        """Whether it changed which files name the same object."""

    def put(self, key: Key, new: Object) -> None:
        """Put *new* in force."""
        old = self._view.put(key, new)
        if old == new:
            return
        (self._added if old is None else self._changed).add(key)
        self._touch(old)
        self._touch(new)

    def drop(self, key: Key) -> None:
        """Take the object known by *key* away."""
        self._touch(self._view.drop(key))
        self._removed.add(key)

    def result(self, *, conditions: bool) -> Changes:
        """Return everything that changed."""
        return Changes(
            added=frozenset(self._added),
            changed=frozenset(self._changed),
            removed=frozenset(self._removed),
            services=frozenset(self._services),
            conditions=conditions,
        )

    def _touch(self, one: Object | None) -> None:
        if isinstance(one, _SERVICE):
            self._services.add(one.key)
        elif isinstance(one, EndpointSlice) and one.service:
            self._services.add(one.service)


def union(changes: Iterable[Changes]) -> Changes:
    """Return several changes, oldest first, as one."""
    total = Changes()
    for one in changes:
        total = total.then(one)
    return total
