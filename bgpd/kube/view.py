"""The objects in force, as those who read them see them: by key, by kind, by Service."""

from collections.abc import Collection, Iterator, KeysView, Mapping, ValuesView
from dataclasses import replace
from itertools import chain
from typing import Final

from bgpd.kube.documents import Key, Object
from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    NodePolicy,
    Secret,
)
from bgpd.model.health import HealthCheck


class Objects:
    """A read-only view of the objects in force."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[Key, Object]] = {}
        """By kind: whoever asks for the two pools must not pay for ten thousand Services."""
        self._slices: dict[str, dict[Key, EndpointSlice]] = {}

    def __len__(self) -> int:
        """Return how many objects are in force."""
        return sum(map(len, self._kinds.values()))

    def __iter__(self) -> Iterator[Key]:
        """Return the keys of all objects, kind by kind."""
        return chain.from_iterable(self._kinds.values())

    def __getitem__(self, key: Key) -> Object:
        """Return the object known by *key*."""
        return self._kinds.get(key.kind, _NONE)[key]

    def get(self, key: Key) -> Object | None:
        """Return the object known by *key*, or None."""
        return self._kinds.get(key.kind, _NONE).get(key)

    def count(self, kind: str) -> int:
        """Return how many objects of *kind* are in force."""
        return len(self._of(kind))

    def copy(self, *, without: Collection[str] = ()) -> dict[Key, Object]:
        """Return what is in force now, kinds *without* left out; faster than key by key."""
        found: dict[Key, Object] = {}
        for kind, objects in self._kinds.items():
            if kind not in without:
                found.update(objects)
        return found

    def service(self, key: str) -> Service | None:
        """Return the Service `namespace/name`, or None."""
        namespace, _, name = key.partition("/")
        found = self.get(Key("Service", namespace, name))
        return found if isinstance(found, Service) else None

    def request(self, key: str) -> ServiceRequest | None:
        """Return what the Service `namespace/name` asks for, or None."""
        namespace, _, name = key.partition("/")
        found = self.get(Key("Service", namespace, name))
        return found if isinstance(found, ServiceRequest) else None

    def slices(self, service: str) -> tuple[EndpointSlice, ...]:
        """Return the EndpointSlices of the Service `namespace/name`."""
        return tuple(self._slices.get(service, {}).values())

    def node(self, name: str) -> Node | None:
        """Return the Node *name*, or None."""
        found = self.get(Key("Node", "", name))
        return found if isinstance(found, Node) else None

    @property
    def services(self) -> tuple[Service, ...]:
        """All Services."""
        return tuple(one for one in self._of("Service") if isinstance(one, Service))

    @property
    def requests(self) -> tuple[ServiceRequest, ...]:
        """What all Services ask for, where that is read."""
        return tuple(one for one in self._of("Service") if isinstance(one, ServiceRequest))

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """All Namespaces, where they are read."""
        return tuple(one for one in self._of("Namespace") if isinstance(one, Namespace))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All Nodes."""
        return tuple(one for one in self._of("Node") if isinstance(one, Node))

    @property
    def reports(self) -> tuple[NodeReport, ...]:
        """What the agents of all nodes say of them."""
        return tuple(one for one in self._of("BGPNodeStatus") if isinstance(one, NodeReport))

    @property
    def pools(self) -> tuple[IPAddressPool, ...]:
        """All IPAddressPools."""
        return tuple(one for one in self._of("IPAddressPool") if isinstance(one, IPAddressPool))

    @property
    def advertisements(self) -> tuple[BGPAdvertisement, ...]:
        """All BGPAdvertisements."""
        return tuple(
            one for one in self._of("BGPAdvertisement") if isinstance(one, BGPAdvertisement)
        )

    @property
    def peers(self) -> tuple[BGPPeer, ...]:
        """All BGPPeers that there can be sessions with, each with its password."""
        return tuple(self._ready(one) for one in self.all_peers if self._can_be(one))

    @property
    def all_peers(self) -> tuple[BGPPeer, ...]:
        """All BGPPeers as they are written."""
        return tuple(one for one in self._of("BGPPeer") if isinstance(one, BGPPeer))

    def secret(self, name: str) -> Secret | None:
        """Return the Secret *name*, or None."""
        found = self.get(Key("Secret", "", name))
        return found if isinstance(found, Secret) else None

    def _can_be(self, peer: BGPPeer) -> bool:
        """Return whether nothing is missing: without its key a session would only be refused."""
        if peer.without_session:
            return False
        # A peer that an earlier process remembered has the password that it had then.
        return not peer.password_secret or bool(peer.password or self.secret(peer.password_secret))

    def _ready(self, peer: BGPPeer) -> BGPPeer:
        secret = self.secret(peer.password_secret) if peer.password_secret else None
        return replace(peer, password=secret.password) if secret else peer

    @property
    def communities(self) -> tuple[Community, ...]:
        """All Communities."""
        return tuple(one for one in self._of("Community") if isinstance(one, Community))

    @property
    def bfd_profiles(self) -> Mapping[str, BFDProfile]:
        """All BFDProfiles by name."""
        found = (one for one in self._of("BFDProfile") if isinstance(one, BFDProfile))
        return {one.name: one for one in found}

    @property
    def policies(self) -> tuple[NodePolicy, ...]:
        """All SpeakerPolicies."""
        return tuple(one for one in self._of("SpeakerPolicy") if isinstance(one, NodePolicy))

    @property
    def health_checks(self) -> tuple[HealthCheck, ...]:
        """All HealthChecks, of all namespaces."""
        return tuple(one for one in self._of("HealthCheck") if isinstance(one, HealthCheck))

    def _of(self, kind: str) -> ValuesView[Object]:
        return self._kinds.get(kind, _NONE).values()


_NONE: Final[dict[Key, Object]] = {}


class View(Objects):
    """The same, for the store that writes it."""

    def keys_of(self, kind: str) -> KeysView[Key]:
        """Return the keys of the objects of *kind*."""
        return self._kinds.get(kind, _NONE).keys()

    def put(self, key: Key, new: Object) -> Object | None:
        """Put *new* in force; return what was in force before, *new* itself if it says the same."""
        objects = self._kinds.setdefault(key.kind, {})
        old = objects.get(key)
        if old == new:
            return new
        self._unlist(key, old)
        objects[key] = new
        if isinstance(new, EndpointSlice):
            self._slices.setdefault(new.service, {})[key] = new
        return old

    def drop(self, key: Key) -> Object:
        """Take the object known by *key* away; return it."""
        old = self._kinds[key.kind].pop(key)
        self._unlist(key, old)
        return old

    def _unlist(self, key: Key, old: Object | None) -> None:
        if not isinstance(old, EndpointSlice):
            return
        slices = self._slices[old.service]
        del slices[key]
        if not slices:
            del self._slices[old.service]
