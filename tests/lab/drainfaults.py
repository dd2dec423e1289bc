"""What people do to nodes on purpose, as values: each may cost nothing."""

from collections.abc import Callable
from typing import Final

from tests.lab.connections import COUNTED
from tests.lab.documents import Document
from tests.lab.drainstrikes import (
    before_reboot,
    drain,
    drain_with_requests,
    end_agent,
    marking,
    one_active_each,
    reboot,
    rolling_upgrade,
    start_agent,
)
from tests.lab.extras import (
    calm_health_checks,
    cordoned,
    draining_on_cordon,
    tainted,
    waiting_for_connections,
)
from tests.lab.fault import Fault, Loss, Sessions, no_documents
from tests.lab.healthstrikes import renew
from tests.lab.plan import Plan


def _marked(
    name: str,
    sentence: str,
    mark: Callable[[Plan, str], Document],
    documents: Callable[[Plan], list[Document]] = no_documents,
) -> Fault:
    return Fault(
        name=name,
        sentence=sentence,
        strike=marking(mark),
        documents=documents,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=("drain_seconds", *COUNTED),
        seconds=1.0,
    )


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
        name="drain-no-agent",
        sentence="the same on a node whose agent is gone: the speaker drains by itself",
        strike=drain,
        prepare=end_agent,
        heal=start_agent,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=("drain_seconds", *COUNTED),
        seconds=1.0,
    ),
    _marked(
        "drain-cordon",
        "a node is cordoned (policy OnCordon), and uncordoned two seconds later",
        cordoned,
        draining_on_cordon,
    ),
    _marked(
        "drain-taint",
        "a node gets the taint bgpd.io/drain, and loses it two seconds later",
        tainted,
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
        documents=calm_health_checks,
        loss=Loss.NONE,
        connects=True,
        lasting=True,
        reported=COUNTED,
        seconds=1.0,
    ),
)
