"""Services that ask for addresses, and pools that have some, read as the controller reads them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bgpd.kube.documents import read
from bgpd.kube.store import Store
from bgpd.kube.vocabulary import CONTROLLER
from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Family
from bgpd.policy.pools import admit_pools
from tests.conformance import documents
from tests.conformance.case import Case
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, Room, listed

FAMILIES: Final[Mapping[str, tuple[Family, ...]]] = {
    "IPv4": (Family.IPV4,),
    "IPv6": (Family.IPV6,),
    "DualStack": (Family.IPV4, Family.IPV6),
}
WORD: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
_SHARING: Final = "metallb.io/allow-shared-ip"
_POOL: Final = "/address-pool"


class AskingRoom(Room):
    """Pools, Namespaces and Services of a case, by way of their documents.

    A case may call a pool `nsA10`; Kubernetes would not, so it is called `nsa10` meanwhile.
    """

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._names: dict[str, str] = {}
        """What names of Kubernetes' kind stand for."""

    def plain(self, name: str) -> str:
        """Return a name for *name* that Kubernetes would take."""
        plain = re.sub(r"[^a-z0-9.-]", "-", name.lower())
        while self._names.setdefault(plain, name) != name:
            plain += "x"
        return plain

    def original(self, plain: str | None) -> str | None:
        """Return what a case calls that."""
        return None if plain is None else self._names.get(plain, plain)

    @staticmethod
    def must_be_had(expected: Iterable[Any], known: Callable[[Any], object]) -> None:
        """Raise unless each of *expected* is something that a Service could be given."""
        for one in expected:
            if not known(one):
                raise InexpressibleError(f"nobody could be given {one}")

    def read_pools(self, given: Mapping[str, Any], place: str, **more: Any) -> list[IPAddressPool]:
        """Return the pools of a map by name, or raise where one of them is refused."""
        defaults = dict(self.case.defaults.get("pool") or {})
        found = [
            documents.pool(
                self.plain(name), Fields({**(one or {}), **more}, f"{place}.{name}"), defaults
            )
            for name, one in given.items()
        ]
        store = stored(found)
        admission = admit_pools(store.objects.pools, {})
        refused = [one.message for one in store.problems if one.refused]
        refused += [sentence for _, sentence in admission.refused]
        if refused:
            raise InexpressibleError(f"{place} is refused: {'; '.join(refused)}")
        return list(admission.admitted)

    def service(self, name: str, given: Fields) -> Document:
        """Return a Service as somebody wrote it, with what its status says."""
        defaults = dict(self.case.defaults.get("service") or {})

        def field(*names: str) -> Any:
            values = [given.take(one) for one in names]
            named = [one for one in values if one is not None]
            return named[0] if named else next((defaults[n] for n in names if n in defaults), None)

        policy = field("etp", "externalTrafficPolicy")
        annotations = {
            key: self.plain(one) if key.endswith(_POOL) else str(one)
            for key, one in (given.take("annotations") or {}).items()
        }
        key = given.take("sharing_key")
        if key is not None:
            annotations.setdefault(_SHARING, str(key))
        backend = given.take("backend_key")
        selector = given.take("selector")
        if backend:
            # What two Services must have in common; under Local that is what they select.
            policy, selector = "Local", {"backend": str(backend)}
        cluster_ips = listed(given.take("clusterIPs", defaults.get("clusterIPs")))
        single = given.take("clusterIP")
        families = given.take("ipFamilies")
        spec = {
            "type": field("type"),
            "externalTrafficPolicy": policy,
            "ipFamilyPolicy": field("policy", "ipFamilyPolicy"),
            "ipFamilies": None if families in (None, "unset") else families,
            "clusterIPs": cluster_ips,
            "clusterIP": single or next(iter(cluster_ips), None),
            "selector": selector,
            "ports": [documents.port(one) for one in listed(field("ports"))],
            "loadBalancerIP": given.take("loadBalancerIP"),
            "loadBalancerClass": given.take("loadBalancerClass"),
        }
        labels = {str(key): str(one) for key, one in (given.take("labels") or {}).items()}
        has = [str(one) for one in listed(given.take("has"))]
        namespace = given.take("namespace", defaults.get("namespace", "default"))
        given.end()
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "labels": labels,
                "annotations": annotations,
            },
            "spec": {key: one for key, one in spec.items() if one is not None},
            "status": {"loadBalancer": {"ingress": [{"ip": one} for one in has]}},
        }


def stored(found: Iterable[Document]) -> Store:
    """Return a store that has read *found* with the controller's eyes."""
    store = Store()
    for place, one in enumerate(found):
        name = f"{place}.json"
        said = read(name, json.dumps(one).encode(), CONTROLLER)
        store.apply(name, documents.no_strangers(said))
    return store


def request_of(document: Document) -> ServiceRequest:
    """Return what a Service asks for, or raise where its document is refused."""
    store = stored([document])
    refused = [one.message for one in store.problems if one.refused]
    if refused:
        raise InexpressibleError("; ".join(refused))
    (found,) = store.objects.requests
    return found


def namespaces_of(given: Mapping[str, Any], others: Iterable[str]) -> list[Namespace]:
    """Return the Namespaces of a case: those that it describes, and those that it only names."""
    labels = {name: (one or {}).get("labels", one) or {} for name, one in given.items()}
    for name in others:
        labels.setdefault(name, {})
    found = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": one}}
        for name, one in labels.items()
    ]
    return list(stored(found).objects.namespaces)
