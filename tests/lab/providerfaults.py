"""Faults of a node at a provider, as values: only where sessions end may anything be lost."""

from typing import Final

from tests.lab.extras import USUAL_PRIORITY
from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.provider import ProviderName
from tests.lab.providerstrikes import (
    delete_route,
    empty,
    lose_metadata,
    restore_password,
    return_metadata,
    rotate_password,
    router_restarts,
    router_silent,
    start_empty,
    too_many,
    wrong_way,
)
from tests.lab.routerstrikes import router_dead, router_undead, ways_of_flows

_AT: Final = {"provider": ProviderName.PACKET}
_WAYS: Final = ("through_dead_gap_ms", "through_dead_flows")

PROVIDER_FAULTS: Final = (
    Fault(
        name="empty-node",
        sentence="a node on which nothing is known but one BGPPeer: from its first process to "
        "sessions with, and routes on, both routers",
        strike=start_empty,
        prepare=empty,
        needs=_AT,
        needs_traffic=False,
        client=False,
        seconds=0,
        targets={"sessions_seconds": 5, "routes_seconds": 5},
    ),
    Fault(
        name="wrong-gateway",
        sentence="an empty node is told to reach the routers by the public gateway; then not",
        strike=wrong_way,
        prepare=empty,
        needs=_AT,
        needs_traffic=False,
        client=False,
        seconds=0,
        reported=("mended_seconds",),
        lasting=True,
    ),
    Fault(
        name="router-dies",
        sentence="one of the provider's two routers drops everything in silence",
        strike=router_dead,
        heal=router_undead,
        needs=_AT,
        affected=0,
        seconds=5.0,
        raises=(0,),
        examine=ways_of_flows,
        reported=_WAYS,
    ),
    Fault(
        name="router-restarts",
        sentence="the daemon of one of the provider's two routers is killed and started again",
        strike=router_restarts,
        needs=_AT,
        affected=0,
        seconds=2.0,
        raises=(0,),
        examine=ways_of_flows,
        targets={"sessions_back_seconds": 5, "routes_after_seconds": 1},
        reported=_WAYS,
        lasting=True,
    ),
    Fault(
        name="router-silent",
        sentence="one of two routers is silent until both ends gave up (100 s, or --outage), "
        "then hears again",
        strike=router_silent,
        needs=_AT,
        affected=0,
        seconds=2.0,
        examine=ways_of_flows,
        targets={"sessions_back_seconds": 5, "routes_after_seconds": 1},
        reported=_WAYS,
        lasting=True,
    ),
    Fault(
        name="password-rotated",
        sentence="the password of one session changes, in the metadata and then at the router",
        strike=rotate_password,
        heal=restore_password,
        needs=_AT,
        loss=Loss.NONE,
        raises=(0,),
        reported=("rotated_back_seconds",),
        lasting=True,
    ),
    Fault(
        name="prefix-limit",
        sentence="five elastic IPs more than the routers take, of less priority than the others",
        strike=too_many(0),
        needs=_AT,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        reported=("explained", "announced"),
        lasting=True,
    ),
    Fault(
        name="prefix-priority",
        sentence="five elastic IPs more than the routers take, of more priority than the others",
        strike=too_many(2 * USUAL_PRIORITY),
        needs=_AT,
        client=False,
        sessions=Sessions.KEPT,
        raises=(0,),
        reported=("explained", "announced"),
    ),
    Fault(
        name="metadata-gone",
        sentence="nobody answers for the metadata any more, and the agent is killed",
        strike=lose_metadata,
        heal=return_metadata,
        needs=_AT,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        reported=("agent_back_seconds",),
        lasting=True,
    ),
    Fault(
        name="route-deleted",
        sentence="the route to a router is deleted on a node by hand",
        strike=delete_route,
        needs=_AT,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        targets={"route_back_ms": 100},
    ),
)
