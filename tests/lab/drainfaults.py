"""What people do to nodes on purpose, as values: each may cost nothing."""

from typing import Final

from tests.lab.connections import COUNTED
from tests.lab.drainstrikes import (
    before_reboot,
    drain,
    drain_with_requests,
    one_active_each,
    reboot,
    rolling_upgrade,
)
from tests.lab.extras import health_checks, waiting_for_connections
from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.healthstrikes import renew

DRAIN_FAULTS: Final = (
    Fault(
        name="drain",
        sentence="a node is drained (bgpctl drain --wait), and undrained two seconds later",
        strike=drain,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=("drain_seconds", *COUNTED),
        seconds=1.0,
    ),
    Fault(
        name="drain-connections",
        sentence="the only active node of an elastic IP is drained (WaitForConnections) while 20"
        " requests of 4 s are in flight",
        strike=drain_with_requests,
        prepare=one_active_each,
        documents=waiting_for_connections,
        client=False,
        reported=("last_request_seconds", "drain_seconds"),
        raises=(0,),
        lasting=True,
        seconds=0.5,
    ),
    Fault(
        name="rolling-upgrade",
        sentence="agent and speaker of every node are replaced, one node after another",
        strike=rolling_upgrade,
        loss=Loss.NONE,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=COUNTED,
        seconds=1.0,
    ),
    Fault(
        name="reboot",
        sentence="a node shuts down gracefully, loses power, boots; kube-proxy and the workload"
        " come late",
        strike=reboot,
        prepare=before_reboot,
        heal=renew,
        documents=health_checks,
        loss=Loss.NONE,
        connects=True,
        lasting=True,
        reported=COUNTED,
        seconds=1.0,
    ),
)
