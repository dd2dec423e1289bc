"""Which room runs which area."""

from importlib import import_module
from typing import Final

from tests.conformance.case import Case
from tests.conformance.room import InexpressibleError, Room

_ROOMS: Final = {
    "advertisement": "advertisements.AdvertisementRoom",
    "allocator": "allocation.AllocationRoom",
    "controller": "controlling.ControllerRoom",
    "endpoints": "endpoints.EndpointsRoom",
    "node": "nodes.NodeAreaRoom",
    "peers": "peers.PeersRoom",
    "speaker": "speaker.SpeakerRoom",
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
