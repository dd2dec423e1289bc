"""The objects in force, as those who read them see them: by key, by kind, by Service."""

from collections.abc import Iterator

from bgpd.kube.documents import Key, Object
from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import BGPAdvertisement, BGPPeer, IPAddressPool, NodePolicy


class Objects:
    """A read-only view of the objects in force."""

    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}
        self._slices: dict[str, dict[Key, EndpointSlice]] = {}

    def __len__(self) -> int:
        """Return how many objects are in force."""
        return len(self._objects)

    def __iter__(self) -> Iterator[Key]:
        """Return the keys of all objects."""
        return iter(self._objects)

    def __getitem__(self, key: Key) -> Object:
        """Return the object known by *key*."""
        return self._objects[key]

    def get(self, key: Key) -> Object | None:
        """Return the object known by *key*, or None."""
        return self._objects.get(key)

    def service(self, key: str) -> Service | None:
        """Return the Service `namespace/name`, or None."""
        namespace, _, name = key.partition("/")
        found = self._objects.get(Key("Service", namespace, name))
        return found if isinstance(found, Service) else None

    def slices(self, service: str) -> tuple[EndpointSlice, ...]:
        """Return the EndpointSlices of the Service `namespace/name`."""
        return tuple(self._slices.get(service, {}).values())

    def node(self, name: str) -> Node | None:
        """Return the Node *name*, or None."""
        found = self._objects.get(Key("Node", "", name))
        return found if isinstance(found, Node) else None

    @property
    def services(self) -> tuple[Service, ...]:
        """All Services."""
        return tuple(one for one in self._objects.values() if isinstance(one, Service))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All Nodes."""
        return tuple(one for one in self._objects.values() if isinstance(one, Node))

    @property
    def reports(self) -> tuple[NodeReport, ...]:
        """What the agents of all nodes say of them."""
        return tuple(one for one in self._objects.values() if isinstance(one, NodeReport))

    @property
    def pools(self) -> tuple[IPAddressPool, ...]:
        """All IPAddressPools."""
        return tuple(one for one in self._objects.values() if isinstance(one, IPAddressPool))

    @property
    def advertisements(self) -> tuple[BGPAdvertisement, ...]:
        """All BGPAdvertisements."""
        return tuple(one for one in self._objects.values() if isinstance(one, BGPAdvertisement))

    @property
    def peers(self) -> tuple[BGPPeer, ...]:
        """All BGPPeers."""
        return tuple(one for one in self._objects.values() if isinstance(one, BGPPeer))

    @property
    def policies(self) -> tuple[NodePolicy, ...]:
        """All SpeakerPolicies."""
        return tuple(one for one in self._objects.values() if isinstance(one, NodePolicy))


class View(Objects):
    """The same, for the store that writes it."""

    def put(self, key: Key, new: Object) -> Object | None:
        """Put *new* in force; return what was in force before."""
        old = self._objects.get(key)
        if old != new:
            self._unlist(key, old)
            self._objects[key] = new
            if isinstance(new, EndpointSlice):
                self._slices.setdefault(new.service, {})[key] = new
        return old

    def drop(self, key: Key) -> Object:
        """Take the object known by *key* away; return it."""
        old = self._objects.pop(key)
        self._unlist(key, old)
        return old

    def _unlist(self, key: Key, old: Object | None) -> None:
        if not isinstance(old, EndpointSlice):
            return
        slices = self._slices[old.service]
        del slices[key]
        if not slices:
            del self._slices[old.service]
