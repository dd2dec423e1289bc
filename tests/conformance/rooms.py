"""Which room runs which area."""

from importlib import import_module
from typing import Final

from tests.conformance.case import Case
from tests.conformance.room import InexpressibleError, Room

_ROOMS: Final = {
    "advertisement": "advertisements.AdvertisementRoom",
    "allocator": "allocation.AllocationRoom",
    "community": "config.ConfigRoom",
    "config": "config.ConfigRoom",
    "controller": "controlling.ControllerRoom",
    "endpoints": "endpoints.EndpointsRoom",
    "ipfamily": "families.FamilyRoom",
    "lbclass": "lbclass.LoadBalancerClassRoom",
    "native_bgp": "wire.WireRoom",
    "node": "nodes.NodeAreaRoom",
    "peers": "peers.PeersRoom",
    "reconcile": "reconciling.ReconcileRoom",
    "secret": "secrets.SecretRoom",
    "speaker": "speaker.SpeakerRoom",
    "status": "status.StatusRoom",
    "validation_frr": "config.ConfigRoom",
    "validation_native": "config.ConfigRoom",
}


def room_of(case: Case) -> Room:
    """Return the room that runs *case*."""
    name = _ROOMS.get(case.area)
    if case.area in {"dualstack", "sharing"}:
        # These speak of one allocator's calls, or of Services that a controller looks at.
        told = case.given.keys() & {"service", "services", "annotations"}
        name = _ROOMS["controller" if told else "allocator"]
    if name is None:
        raise InexpressibleError(f"there is no area {case.area!r}")
    module, _, attribute = name.partition(".")
    found: type[Room] = getattr(import_module(f"tests.conformance.{module}"), attribute)
    return found(case)
