"""The Kubernetes API as a source of documents: what `directory.py` is for files.

Every resource is followed on a connection of its own, and each Secret that a peer refers to as
well. A kind that MetalLB has too comes from both groups. Until all of them are known once there is
nothing to decide on, because absence in a cache that is not filled is no deletion; a kind whose CRD
is not installed counts as known, and is looked for again.

Nothing that the server does or fails to do takes an object away, except that it really went: an
outage, a refusal, an answer that breaks off and an answer from the past change conditions only.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from bgpd.kube.access import Access
from bgpd.kube.course import Reason, Trouble
from bgpd.kube.documents import Key, Object
from bgpd.kube.layers import Layer, Layers
from bgpd.kube.mirror import Mirror
from bgpd.kube.problem import Problem, conditions_of
from bgpd.kube.quiet import Quiet
from bgpd.kube.reflector import Counters, Reflector
from bgpd.kube.resource import Resource, secret
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects, View
from bgpd.kube.vocabulary import AGENT, Vocabulary
from bgpd.model.errors import ConfigError
from bgpd.model.status import Condition

GATHER: Final = 0.5
"""Seconds for which changes are gathered that no route waits for."""
TOGETHER: Final = 30.0
"""Seconds after a whole group of a kind went, within which its objects count as gone with it."""
_SECRET: Final = "Secret"  # noqa: S105 - a kind
NAME: Final = "kubernetes"
"""Where objects come from, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One resource, for status and metrics."""

    resource: str
    synced: bool
    age_seconds: float | None
    """Since the last byte of a good answer; a healthy watch says something once a minute."""
    events: int
    resyncs: int
    errors: int


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
    ) -> None:
        """Follow *watched* (default: everything that a reader of *vocabulary* needs).

        *remembered* is what an earlier process had in force, *newest* the newest version of each
        kind that it saw: the first answers are compared with both.
        """
        self.synced = False
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
        self._group: asyncio.TaskGroup | None = None
        self._node = vocabulary.node
        self._lost: dict[str, float] = {}
        """Kinds of which a whole part went, and until when what goes counts as gone with it."""
        resources = vocabulary.resources(access.namespace) if watched is None else tuple(watched)
        several = {one.kind for one in resources if one.foreign}
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
        """Where each object in force comes from."""
        return dict.fromkeys(self._view.copy(), NAME)

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version, because the newest was refused."""
        return tuple(key for one in self._reflectors for key in one.mirror.outdated)

    @property
    def missing(self) -> frozenset[str]:
        """The kinds whose CRDs are not installed, or of which a whole group has just gone."""
        there = {one.resource.kind for one in self._reflectors if not _missing(one)}
        missing = {one.resource.kind for one in self._reflectors} - there
        if self._lost:
            now = asyncio.get_running_loop().time()
            missing |= {kind for kind, until in self._lost.items() if now < until}
        return frozenset(missing)

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
        return tuple(one for each in self._reflectors for one in each.mirror.problems)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know or correct, in a stable order."""
        shadowed = (one for kind in sorted(self._layers) for one in self._layers[kind].conditions)
        return (*self._troubles(), *shadowed, *conditions_of(self.problems))

    def watched(self, now: float) -> tuple[Watched, ...]:
        """Return how each resource is followed; *now* is the loop's clock."""
        return tuple(_watched(one, one.counters, now) for one in self._reflectors)

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
        except BaseExceptionGroup as failures:
            # Each of them says the same; one sentence is enough.
            raise failures.exceptions[0] from None

    # bgpd.kube.reflector.Listener

    def changed(self, reflector: Reflector, changes: Changes) -> None:
        """Tell what changed, once everything is known."""
        self._give_up(reflector.trouble)
        kind = reflector.resource.kind
        if kind in self._layers:
            changes = self._merge(kind).then(Changes(conditions=changes.conditions))
        if kind == "BGPPeer":
            changes = changes.then(self._follow_secrets())
        if changes.conditions and not changes.keys:
            conditions = self.conditions
            # Eight watches see the same outage: that is one thing to tell.
            changes = Changes(conditions=conditions != self._told)
            self._told = conditions
        if self.synced:
            if not changes:
                return
            if reflector.resource.unhurried:
                if changes.keys & self._gathered.keys:
                    # What came and went again is two changes, not none.
                    self._tell_gathered()
                self._gathered = self._gathered.then(changes)
                self._some.set()
            else:
                self._on_change(changes)
            return
        # Of what is remembered, that which has gone in the meantime; the rest is told as a whole.
        self._before = self._before.then(
            Changes(removed=changes.removed, services=changes.services)
        )
        if all(one.settled for one in self._reflectors):
            self.synced = True
            added = frozenset(self._view)
            removed = self._before.removed - added
            services = self._before.services
            self._on_change(
                Changes(added=added, removed=removed, services=services, conditions=True)
            )
        elif changes.conditions:
            self._on_change(Changes(conditions=True))

    def answered(self) -> None:
        """Let everybody ask who waited for the server to be back."""
        for one in self._reflectors:
            one.wake()

    # Ours

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
        if not all(one.settled for one in parts):
            return Changes()
        for one in parts:
            self._parts[one].known = one.mirror.synced
            self._parts[one].gone = _missing(one)
        layers = self._layers[kind]
        changes = layers.merge()
        if layers.emptied and kind != _SECRET:
            self._lost[kind] = asyncio.get_running_loop().time() + TOGETHER
        return changes

    def _follow_secrets(self) -> Changes:
        """Follow the Secrets that peers refer to, and no others."""
        wanted = {one.password_secret for one in self._view.all_peers if one.password_secret}
        changes = Changes()
        for name in sorted(self._secrets.keys() - wanted):
            one, task = self._secrets.pop(name)
            task.cancel()
            self._reflectors.remove(one)
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
            raise ConfigError(f"{person}: {self._sentence(trouble.reason, trouble.why, '')}")

    def _troubles(self) -> Iterator[Condition]:
        found: dict[tuple[Reason, str], list[Reflector]] = {}
        for one in self._reflectors:
            if one.trouble is not None and not (one.resource.foreign and _missing(one)):
                apart = one.trouble.why if one.trouble.reason in _APART else ""
                found.setdefault((one.trouble.reason, apart), []).append(one)
        for (reason, _), them in found.items():
            words = ", ".join(one.resource.word for one in them)
            why = min(one.trouble.why for one in them if one.trouble is not None)
            yield Condition(
                type="SourceDegraded",
                status=True,
                reason=reason.value,
                message=self._sentence(reason, why, words),
            )

    def _sentence(self, reason: Reason, why: str, words: str) -> str:
        return _SENTENCES[reason].format(where=self.access.where, why=why, words=words)


_APART: Final = frozenset({Reason.FORBIDDEN, Reason.REFUSED, Reason.PAST})
"""What each resource has a reason of its own for; the rest is about the server, and said once."""
_STAYS: Final = "what was in force stays"
_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.UNREACHABLE: "API server {where}: {why}; " + _STAYS,
    Reason.UNTRUSTED: "API server {where} is not trusted: {why}; check certificates and token",
    Reason.UNAUTHORIZED: "API server {where} does not accept who we are: {why}; renew the token "
    "or certificate",
    Reason.FORBIDDEN: "API server {where} forbids us to list and watch {words}: {why}; bind the "
    "role of this program to its ServiceAccount; " + _STAYS,
    Reason.MISSING: "API server {where} does not know {words}; install bgpd's CRDs; " + _STAYS,
    Reason.REFUSED: "API server {where} refuses {words}: {why}; " + _STAYS,
    Reason.PAST: "API server {where}: {words}: {why}; " + _STAYS + "; if a backup was restored, "
    "run bgpctl accept",
}


def _missing(one: Reflector) -> bool:
    return one.trouble is not None and one.trouble.reason is Reason.MISSING


def _watched(one: Reflector, counters: Counters, now: float) -> Watched:
    return Watched(
        resource=one.resource.word,
        synced=one.mirror.synced,
        age_seconds=None if counters.heard is None else max(0.0, now - counters.heard),
        events=counters.events,
        resyncs=counters.resyncs,
        errors=counters.errors,
    )


def _ignore(changes: Changes) -> None:
    del changes
