"""Configuration that vanishes as a whole stays in force until a person says that it may go.

Somebody deletes a CRD, a directory, a chart or a backup too much, and every pool or every peer of
a cluster is gone within a moment. Acting on that would take every elastic IP off the network. So
what is removed from our kinds takes effect only after a pause in which nothing more goes; and when
all pools, all peers, or a whole kind with its CRD went, what they said holds until each is back or
a person accepts that they are gone, and so does everything that went with them: a pool without its
advertisement is a route less as well. Services, endpoints and Nodes come and go at once.
"""

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain
from typing import Final, TypeVar

from bgpd.kube.documents import Key, Object
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects
from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    NodePolicy,
)
from bgpd.model.health import HealthCheck
from bgpd.model.status import Condition

SETTLE: Final = 2.0
"""Seconds without another removal after which a removal takes effect."""
CONDITION: Final = "ConfigurationVanished"
WAY_OUT: Final = "a person says with bgpctl accept that they may go"
"""What a person can do on a node, where the agent holds on to what vanished."""
KINDS: Final = frozenset(
    {
        "IPAddressPool",
        "BGPPeer",
        "BGPAdvertisement",
        "BFDProfile",
        "Community",
        "HealthCheck",
        "Secret",
        "SpeakerPolicy",
    }
)
"""The kinds whose objects do not go at once."""
VITAL: Final = frozenset({"IPAddressPool", "BGPPeer"})
"""The kinds without which nothing is advertised: a cluster that has them needs one at least."""
UNKEYED: Final = "SecretMissing"
"""The condition of a peer whose password is not there, or not there any more."""
_KEY: Final = "Secret"
_SHOWN: Final = 5
_Kind = TypeVar("_Kind")


class Kept(Objects):
    """What a source says, with the objects that are gone but still hold."""

    def __init__(self, said: Objects) -> None:
        super().__init__()
        self._said = said
        self.gone: dict[Key, Object] = {}

    def __len__(self) -> int:
        """Return how many objects are in force."""
        return len(self._said) + len(self.gone)

    def __iter__(self) -> Iterator[Key]:
        """Return the keys of all objects."""
        yield from self._said
        yield from self.gone

    def __getitem__(self, key: Key) -> Object:
        """Return the object known by *key*."""
        return self.gone[key] if key in self.gone else self._said[key]

    def get(self, key: Key) -> Object | None:
        """Return the object known by *key*, or None."""
        return self.gone.get(key) or self._said.get(key)

    def count(self, kind: str) -> int:
        """Return how many objects of *kind* are in force."""
        return self._said.count(kind) + sum(key.kind == kind for key in self.gone)

    def copy(self, *, without: Collection[str] = ()) -> dict[Key, Object]:
        """Return what is in force now, kinds *without* left out."""
        found = self._said.copy(without=without)
        found.update((key, one) for key, one in self.gone.items() if key.kind not in without)
        return found

    def service(self, key: str) -> Service | None:
        """Return the Service `namespace/name`, or None."""
        return self._said.service(key)

    def request(self, key: str) -> ServiceRequest | None:
        """Return what the Service `namespace/name` asks for, or None."""
        return self._said.request(key)

    def slices(self, service: str) -> tuple[EndpointSlice, ...]:
        """Return the EndpointSlices of the Service `namespace/name`."""
        return self._said.slices(service)

    def node(self, name: str) -> Node | None:
        """Return the Node *name*, or None."""
        return self._said.node(name)

    @property
    def services(self) -> tuple[Service, ...]:
        """All Services."""
        return self._said.services

    @property
    def requests(self) -> tuple[ServiceRequest, ...]:
        """What all Services ask for, where that is read."""
        return self._said.requests

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """All Namespaces, where they are read."""
        return self._said.namespaces

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All Nodes."""
        return self._said.nodes

    @property
    def reports(self) -> tuple[NodeReport, ...]:
        """What the agents of all nodes say of them."""
        return self._said.reports

    @property
    def pools(self) -> tuple[IPAddressPool, ...]:
        """All IPAddressPools."""
        return (*self._said.pools, *self._still(IPAddressPool))

    @property
    def advertisements(self) -> tuple[BGPAdvertisement, ...]:
        """All BGPAdvertisements."""
        return (*self._said.advertisements, *self._still(BGPAdvertisement))

    @property
    def all_peers(self) -> tuple[BGPPeer, ...]:
        """All BGPPeers as they are written."""
        return (*self._said.all_peers, *self._still(BGPPeer))

    @property
    def communities(self) -> tuple[Community, ...]:
        """All Communities."""
        return (*self._said.communities, *self._still(Community))

    @property
    def bfd_profiles(self) -> Mapping[str, BFDProfile]:
        """All BFDProfiles by name."""
        return {**self._said.bfd_profiles, **{one.name: one for one in self._still(BFDProfile)}}

    @property
    def policies(self) -> tuple[NodePolicy, ...]:
        """All SpeakerPolicies."""
        return (*self._said.policies, *self._still(NodePolicy))

    @property
    def health_checks(self) -> tuple[HealthCheck, ...]:
        """All HealthChecks, of all namespaces."""
        return (*self._said.health_checks, *self._still(HealthCheck))

    def _still(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        return tuple(one for one in self.gone.values() if isinstance(one, kind))


class Keeper:
    """Between a source and whoever decides: holds back what vanished."""

    def __init__(
        self,
        said: Objects,
        remembered: Mapping[Key, Object] | None = None,
        *,
        held: Collection[Key] = (),
        way_out: str = WAY_OUT,
    ) -> None:
        """Keep what *said* says; *remembered* is what an earlier process had in force.

        *held* is what of it had vanished and was not accepted; *way_out* says in a condition what
        a person can do who wants it gone.
        """
        self.objects = Kept(said)
        self._way_out = way_out
        self._said = said
        self._known = {key: one for key, one in (remembered or {}).items() if key.kind in KINDS}
        """Every object of the kinds concerned as it was told last: a removal does not repeat it."""
        self._due: float | None = None
        """When what is going is gone, if nothing more goes."""
        self._held: set[Key] = set()
        """What holds until a person accepts that it is gone."""
        self._held_before = frozenset(held)
        self._first = True
        self._uninstalled: set[str] = set()
        """Kinds whose CRD went while there were objects."""

    @property
    def due(self) -> float | None:
        """When to call `settle`, or None."""
        return self._due

    @property
    def held(self) -> frozenset[Key]:
        """What holds until a person accepts that it is gone, for the next process."""
        return frozenset(self._held)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should restore or accept."""
        kinds = sorted({key.kind for key in self._held} - {_KEY})
        return (*(self._condition(kind) for kind in kinds), *self._secrets())

    def lets_pass(self, changes: Changes) -> bool:
        """Return whether *changes* are of Services and endpoints alone: nothing of that is held."""
        return not (self._first or changes.conditions or changes.configuration)

    def wait(self) -> None:
        """Keep all that is known in force, while the source knows only a part of what there is.

        Who decides before that goes on with what was in force, and a kind that vanished meanwhile
        may be the first to be known.
        """
        gone = {key: one for key, one in self._known.items() if self._said.get(key) is None}
        self.objects.gone.clear()
        self.objects.gone.update(gone)

    def take(self, changes: Changes, *, now: float, missing: Collection[str] = ()) -> Changes:
        """Return what of *changes* takes effect at once; *missing* are kinds without a CRD."""
        self._uninstalled |= {key.kind for key in self._known} & set(missing)
        gone = {key for key in changes.removed if key in self._known}
        if self._first:
            # What went while nobody looked is in no change.
            self._first = False
            self.objects.gone.clear()
            gone |= {key for key in self._known if self._said.get(key) is None}
            # A restart is no person's word.
            self._held = gone & self._held_before
        for key in sorted(gone):
            self.objects.gone[key] = self._known.pop(key)
            self._due = now + SETTLE
        told = {key for key in chain(changes.added, changes.changed) if key.kind in KINDS}
        same = {key for key in told if self.objects.gone.get(key) == self._said[key]}
        other = (told & self.objects.gone.keys()) - same
        freed = bool(told & self._held)
        for key in told:
            self._known[key] = self._said[key]
            self.objects.gone.pop(key, None)
            self._uninstalled.discard(key.kind)
        self._held -= told
        idle = {key for key in self._held if key.kind == _KEY and not self._refers(key.name)}
        self._held -= idle
        for key in idle:
            del self.objects.gone[key]
        if not (same or other or gone or freed or idle):
            return changes
        return replace(
            changes,
            added=changes.added - same - other,
            changed=(changes.changed - same) | other,
            removed=(changes.removed - gone) | idle,
            conditions=changes.conditions or freed or bool(idle),
        )

    def settle(self, *, now: float, missing: Collection[str] = ()) -> Changes:
        """Return what is really gone by now."""
        if self._due is None or self._due > now:
            return Changes()
        self._due = None
        going = self.objects.gone.keys() - self._held
        needed = {key for key in going if key.kind == _KEY and self._refers(key.name, going)}
        self._held |= needed
        going -= needed
        # One mistake may take a file with several kinds: they went together, so they stay together.
        if any(self._vanished(kind, missing) for kind in {key.kind for key in going}):
            self._held |= going
            return Changes(conditions=True)
        return self._drop(going, conditions=bool(needed))

    def accept(self) -> Changes:
        """Return what goes because a person says that it may."""
        held = set(self._held)
        self._held.clear()
        return self._drop(held, conditions=bool(held))

    def _refers(self, secret: str, going: Collection[Key] = ()) -> bool:
        """Return whether a peer that is not *going* has its password from *secret*."""
        return any(
            one.password_secret == secret and Key("BGPPeer", "", one.name) not in going
            for one in self.objects.all_peers
        )

    def _secrets(self) -> Iterator[Condition]:
        """Yield a condition for each peer whose Secret is not there."""
        for peer in sorted(self.objects.all_peers, key=lambda one: one.name):
            name = peer.password_secret
            if not name or peer.without_session or self._said.secret(name) is not None:
                continue
            held = peer.password or self.objects.secret(name)
            then = "it keeps its last password" if held else "it gets no session"
            yield Condition(
                type=UNKEYED,
                status=True,
                reason="BGPPeer",
                message=f"BGPPeer {peer.name}: spec.passwordSecret: there is no Secret {name} of"
                " type kubernetes.io/basic-auth with a password in the namespace of the"
                f" installation; {then} until there is",
            )

    def _vanished(self, kind: str, missing: Collection[str]) -> bool:
        if kind in missing:
            return True
        if any(key.kind == kind for key in self._known):
            return False
        return kind in VITAL or kind in self._uninstalled

    def _drop(self, removed: AbstractSet[Key], *, conditions: bool) -> Changes:
        for key in removed:
            del self.objects.gone[key]
        return Changes(removed=frozenset(removed), conditions=conditions)

    def _condition(self, kind: str) -> Condition:
        names = sorted(
            f"{key.namespace}/{key.name}".lstrip("/") for key in self._held if key.kind == kind
        )
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return Condition(
            type=CONDITION,
            status=True,
            reason=f"{kind}Gone",
            message=f"{kind} {', '.join(names[:_SHOWN])}{more}: gone all at once; still in force "
            f"until they are back, or until {self._way_out}",
        )
