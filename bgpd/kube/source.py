"""The Kubernetes API as a source of documents: what `directory.py` is for files.

Every resource is followed on a connection of its own, and each Secret that a peer refers to as
well. A kind that MetalLB has too comes from both groups. Until all of them are known once there is
nothing to decide on, because absence in a cache that is not filled is no deletion; a kind whose CRD
is not installed counts as known, and is looked for again. Files beside the API (`--documents`) are
one more part of each kind: the API's object holds where both have one of the same name.

Nothing that the server does or fails to do takes an object away, except that it really went: an
outage, a refusal, an answer that breaks off and an answer from the past change conditions only.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from bgpd.kube import degraded
from bgpd.kube.access import Access
from bgpd.kube.beside import Beside
from bgpd.kube.course import Reason, Trouble
from bgpd.kube.documents import Key, Object
from bgpd.kube.kinds import CONFIGURED
from bgpd.kube.layers import Layer, Layers
from bgpd.kube.mirror import Mirror
from bgpd.kube.problem import Problem, conditions_of
from bgpd.kube.quiet import Quiet
from bgpd.kube.reflector import Reflector
from bgpd.kube.resource import Resource, secret
from bgpd.kube.store import Changes, union
from bgpd.kube.view import Objects, View
from bgpd.kube.vocabulary import AGENT, Vocabulary
from bgpd.kube.watched import Watched, watched
from bgpd.model.errors import ConfigError
from bgpd.model.status import Condition

if TYPE_CHECKING:
    from bgpd.kube.directory import DirectorySource

GATHER: Final = 0.5
"""Seconds for which changes are gathered that no route waits for."""
TOGETHER: Final = 30.0
"""Seconds after the last object of a resource went, within which a watch that ends, as that of a
CRD that is removed does, means that it went with the resource. A person who deletes the last object
of a kind ends no watch."""
_SECRET: Final = "Secret"  # noqa: S105 - a kind
NAME: Final = "kubernetes"
"""Where objects come from, for people."""


class KubernetesSource:
    """The objects of one cluster that this node needs, and every change of them."""

    def __init__(
        self,
        access: Access,
        *,
        watched: Iterable[Resource] | None = None,
        remembered: Mapping[Key, Object] | None = None,
        newest: Mapping[str, int] | None = None,
        vocabulary: Vocabulary = AGENT,
        documents: "DirectorySource | None" = None,
    ) -> None:
        """Follow *watched* (default: everything that a reader of *vocabulary* needs).

        *remembered* is what an earlier process had in force, *newest* the newest version of each
        kind that it saw: the first answers are compared with both. *documents* are files beside
        the API.
        """
        self.synced = False
        self.read_at: float | None = None
        """When what is told now was read from its socket."""
        """Whether everything is known once: before that there is nothing to decide on."""
        self.access = access
        """How the server is reached, for whoever writes to it."""
        self._view = View()
        for key, one in (remembered or {}).items():
            self._view.put(key, one)
        self._before = Changes()
        self._on_change: Callable[[Changes], None] = _ignore
        self._told: tuple[Condition, ...] = ()
        self._gathered = Changes()
        """What the optional resources told lately."""
        self._some = asyncio.Event()
        self._quiet = Quiet()
        self._reflectors: list[Reflector] = []
        self._layers: dict[str, Layers] = {}
        """The kinds that come in parts."""
        self._parts: dict[Reflector, Layer] = {}
        self._secrets: dict[str, tuple[Reflector, asyncio.Task[NoReturn]]] = {}
        self._over: Counter[str] = Counter()
        """The errors of what is followed no more."""
        self._group: asyncio.TaskGroup | None = None
        self._node = vocabulary.node
        self._lost: dict[Reflector, float] = {}
        """Of which resources the last object went, and when: their CRDs may be about to go."""
        resources = vocabulary.resources(access.namespace) if watched is None else tuple(watched)
        several = {one.kind for one in resources if one.foreign}
        self._files: Beside | None = None
        if documents is not None:
            several |= CONFIGURED
            for kind in CONFIGURED:
                self._layers[kind] = Layers(kind, self._view)
            self._files = Beside(documents, self._layers)
        # What counts most comes first.
        for resource in sorted(resources, key=lambda each: each.foreign):
            known = 0 if resource.foreign else (newest or {}).get(resource.kind, 0)
            self._add(resource, part=resource.kind in several, newest=known)

    @property
    def objects(self) -> Objects:
        """The objects in force."""
        return self._view

    @property
    def sources(self) -> dict[Key, str]:
        """Where each object in force comes from: the API, or a file by its name."""
        return {**dict.fromkeys(self._view.copy(), NAME), **self.files}

    @property
    def files(self) -> Mapping[Key, str]:
        """The file of each object in force that comes from one beside the API."""
        return {} if self._files is None else self._files.sources

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version, because the newest was refused."""
        files = () if self._files is None else self._files.outdated
        return (*(key for one in self._reflectors for key in one.mirror.outdated), *files)

    @property
    def missing(self) -> frozenset[str]:
        """The kinds whose CRDs are not installed, or of which a whole group has just gone."""
        there = {one.resource.kind for one in self._reflectors if not _missing(one)}
        if self._files is not None:
            # Where a kind was never installed, what goes can only have gone from a file.
            installed = {one.resource.kind for one in self._reflectors if one.mirror.synced}
            there |= CONFIGURED - installed
        missing = {one.resource.kind for one in self._reflectors} - there
        if self._lost:
            now = asyncio.get_running_loop().time()
            missing |= {
                one.resource.kind
                for one, at in self._lost.items()
                if now < at + TOGETHER and not one.followed_since(at)
            }
        return frozenset(missing)

    @property
    def errors(self) -> Counter[str]:
        """Lists and watches that failed, by why, in all."""
        return sum((one.counters.reasons for one in self._reflectors), start=Counter(self._over))

    @property
    def newest(self) -> dict[str, int]:
        """The newest version seen of each kind, for the next process."""
        return {
            one.resource.kind: one.history.newest
            for one in self._reflectors
            if not one.resource.foreign and one.resource.kind != _SECRET
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with objects."""
        files = () if self._files is None else self._files.problems
        return (*self._refused, *files)

    @property
    def _refused(self) -> Iterator[Problem]:
        return (one for each in self._reflectors for one in each.mirror.problems)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know or correct, in a stable order."""
        shadowed = (one for kind in sorted(self._layers) for one in self._layers[kind].conditions)
        files = () if self._files is None else self._files.conditions
        return (*self._troubles(), *shadowed, *conditions_of(self._refused), *files)

    def watched(self, now: float) -> tuple[Watched, ...]:
        """Return how each resource is followed; *now* is the loop's clock."""
        return tuple(watched(one, now) for one in self._reflectors)

    def silence(self, now: float) -> float | None:
        """Return for how many seconds the quietest watch said nothing; None: none ever spoke."""
        ages = [one.age_seconds for one in self.watched(now)]
        return max((age for age in ages if age is not None), default=None)

    def accept(self) -> None:
        """Believe the next answers even where they tell the past: a person says that they hold."""
        for one in self._reflectors:
            if one.history.doubted:
                one.history.accept()

    async def run(self, on_change: Callable[[Changes], None]) -> None:
        """Follow the API until cancelled; call *on_change* when synced and after changes."""
        self._on_change = on_change
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for one in self._reflectors:
                    group.create_task(one.run(), name=f"watch {one.resource.plural}")
                group.create_task(self._gather(), name="gather")
                if self._files is not None:
                    files = self._files.directory.run(self._heard_files)
                    group.create_task(files, name="documents")
        except BaseExceptionGroup as failures:
            # Each of them says the same; one sentence is enough.
            raise failures.exceptions[0] from None

    # bgpd.kube.reflector.Listener

    def changed(self, reflector: Reflector, changes: Changes) -> None:
        """Tell what changed, once everything is known."""
        self._give_up(reflector.trouble)
        self.read_at = None if reflector.resource.unhurried else reflector.counters.heard
        kind = reflector.resource.kind
        if kind not in self._layers and changes.removed and not reflector.mirror.known:
            self._lose(reflector)
        if kind in self._layers:
            changes = self._merge(kind).then(Changes(conditions=changes.conditions))
        if kind == "BGPPeer":
            changes = changes.then(self._follow_secrets())
        self._tell(changes, unhurried=reflector.resource.unhurried)

    def answered(self) -> None:
        """Let everybody ask who waited for the server to be back."""
        for one in self._reflectors:
            one.wake()

    # Ours

    def _heard_files(self, changes: Changes) -> None:
        """Tell what changes by files, once they were all read."""
        self.read_at = None if self._files is None else self._files.directory.read_at
        kinds = () if self._files is None else self._files.take(changes)
        merged = union(self._merge(kind) for kind in kinds)
        if any(key.kind == "BGPPeer" for key in merged.keys):
            merged = merged.then(self._follow_secrets())
        self._tell(merged.then(Changes(conditions=changes.conditions)))

    @property
    def _settled(self) -> bool:
        files = self._files is None or self._files.known
        return files and all(one.settled for one in self._reflectors)

    def _tell(self, changes: Changes, *, unhurried: bool = False) -> None:
        """Tell *changes*, once everything is known."""
        if changes.conditions and not changes.keys:
            conditions = self.conditions
            # Eight watches see the same outage: that is one thing to tell.
            changes = Changes(conditions=conditions != self._told)
            self._told = conditions
        if self.synced:
            self._tell_now(changes, unhurried=unhurried)
            return
        # Of what is remembered, that which has gone in the meantime; the rest is told as a whole.
        # Who goes on from memory hears at once which Services differ from that: these are facts.
        self._before = self._before.then(
            Changes(removed=changes.removed, services=changes.services)
        )
        if self._settled:
            self.synced = True
            added = frozenset(self._view)
            removed = self._before.removed - added
            services = self._before.services
            self._on_change(
                Changes(added=added, removed=removed, services=services, conditions=True)
            )
        elif changes.services or changes.conditions:
            self._on_change(Changes(services=changes.services, conditions=changes.conditions))

    def _tell_now(self, changes: Changes, *, unhurried: bool) -> None:
        if not changes:
            return
        if not unhurried:
            self._on_change(changes)
            return
        if changes.keys & self._gathered.keys:
            # What came and went again is two changes, not none.
            self._tell_gathered()
        self._gathered = self._gathered.then(changes)
        self._some.set()

    def _add(self, resource: Resource, *, part: bool, newest: int = 0) -> Reflector:
        """Follow one more resource; a *part* of a kind keeps a state of its own."""
        view, layer = self._view, None
        if part:
            layers = self._layers.setdefault(resource.kind, Layers(resource.kind, self._view))
            layer = layers.add("metallb.io" if resource.foreign else "bgpd.io")
            view = layer.view
        one = Reflector(
            Mirror(resource, view, self._view, node=self._node),
            access=self.access,
            listener=self,
            quiet=self._quiet,
            newest=newest,
        )
        self._reflectors.append(one)
        if layer is not None:
            self._parts[one] = layer
        return one

    def _merge(self, kind: str) -> Changes:
        """Sum up the parts of *kind*, once there is none to wait for."""
        parts = [one for one in self._reflectors if one.resource.kind == kind]
        files = self._files is None or self._files.known or kind not in CONFIGURED
        if not (files and all(one.settled for one in parts)):
            return Changes()
        for one in parts:
            self._parts[one].known = one.mirror.synced
            self._parts[one].gone = _missing(one)
        layers = self._layers[kind]
        changes = layers.merge()
        for one in parts:
            if self._parts[one] in layers.emptied:
                self._lose(one)
        return changes

    def _lose(self, reflector: Reflector) -> None:
        """Note that the last object of a resource went, which may be the end of its CRD."""
        if self.synced and reflector.resource.ours:
            self._lost[reflector] = asyncio.get_running_loop().time()

    def _follow_secrets(self) -> Changes:
        """Follow the Secrets that peers refer to, and no others."""
        wanted = {one.password_secret for one in self._view.all_peers if one.password_secret}
        changes = Changes()
        for name in sorted(self._secrets.keys() - wanted):
            one, task = self._secrets.pop(name)
            task.cancel()
            self._reflectors.remove(one)
            self._over.update(one.counters.reasons)
            self._layers[_SECRET].remove(self._parts.pop(one))
            changes = changes.then(self._merge(_SECRET))
        for name in sorted(wanted - self._secrets.keys()):
            if self._group is None:
                break
            one = self._add(secret(self.access.namespace, name), part=True)
            task = self._group.create_task(one.run(), name=f"watch secret {name}")
            self._secrets[name] = (one, task)
        return changes

    async def _gather(self) -> None:
        """Tell together what does not hurry: when a cluster starts, all its nodes report."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            self._some.clear()
            self._tell_gathered()

    def _tell_gathered(self) -> None:
        self.read_at = None
        changes, self._gathered = self._gathered, Changes()
        if changes:
            self._on_change(changes)

    def _give_up(self, trouble: Trouble | None) -> None:
        """Raise `ConfigError` where what a person gave us cannot work."""
        if trouble is None or self.synced:
            return
        person = self.access.person
        if not person:
            return
        if trouble.reason in {Reason.UNTRUSTED, Reason.UNAUTHORIZED}:
            where, why = self.access.where, trouble.why
            words = degraded.sentence(trouble.reason, where=where, why=why)
            raise ConfigError(f"{person}: {words}")

    def _troubles(self) -> Iterator[Condition]:
        found = (
            (one.resource.word, one.trouble)
            for one in self._reflectors
            if one.trouble is not None and not (one.resource.foreign and _missing(one))
        )
        return degraded.conditions(found, self.access.where)


def _missing(one: Reflector) -> bool:
    return one.trouble is not None and one.trouble.reason is Reason.MISSING


def _ignore(changes: Changes) -> None:
    del changes
