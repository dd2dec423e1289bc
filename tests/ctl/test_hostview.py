"""Facts about how people and programs are shown what was added to a host."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from bgpd.ctl.hostview import HostView, host_document, host_table
from bgpd.ipc.message import Answer
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.status import HostAddressStatus, HostRouteStatus, HostState, HostStatus
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import NODE

STATUS = HostStatus(
    interface="bgpd0",
    interface_kind="dummy",
    routes=(
        HostRouteStatus(
            destination=Prefix("169.254.255.1/32"),
            via=("10.99.0.2 dev bond0",),
            source=Address("10.99.0.3"),
            peer=PeerName("packet-169.254.255.1"),
        ),
        HostRouteStatus(
            destination=Prefix("169.254.255.2/32"),
            via=("10.99.0.2 dev bond0",),
            peer=PeerName("packet-169.254.255.2"),
            state=HostState.MISSING,
            detail="Operation not permitted",
        ),
    ),
    addresses=(
        HostAddressStatus(address=Address("203.0.113.7")),
        HostAddressStatus(
            address=Address("203.0.113.8"),
            state=HostState.LEFT_ALONE,
            detail="kube-ipvs0 has it already",
        ),
    ),
    restored={"routes": 2, "addresses": 1},
    problems=("BGPPeer packet-169.254.255.2: no route to 169.254.255.2/32",),
)


def test_a_person_sees_routes_addresses_and_problems() -> None:
    """In eighty columns, with what was put back."""
    text = host_table(HostView(status=STATUS, node="n1"))
    assert text == (
        "n1: 2 routes to peers, 2 elastic IPs on bgpd0 (dummy)\n"
        "put back after somebody took it away: addresses 1, routes 2\n"
        "\n"
        "ROUTES\n"
        "DESTINATION       VIA                  SOURCE     PEER                  STATE\n"
        "169.254.255.1/32  10.99.0.2 dev bond0  10.99.0.3  packet-169.254.255.1  Present\n"
        "169.254.255.2/32  10.99.0.2 dev bond0  <none>     packet-169.254.255.2  Missing\n"
        "\n"
        "ELASTIC IPS\n"
        "ADDRESS      STATE      DETAIL\n"
        "203.0.113.7  Present\n"
        "203.0.113.8  LeftAlone  kube-ipvs0 has it already\n"
        "\n"
        "PROBLEMS\n"
        "- BGPPeer packet-169.254.255.2: no route to 169.254.255.2/32\n"
    )


def test_a_host_with_nothing_of_ours_is_one_line() -> None:
    """Nothing is said of an interface that is not there."""
    text = host_table(HostView(status=HostStatus(), node="n1"))
    assert text == "n1: 0 routes to peers, 0 elastic IPs\n"


def test_a_program_reads_every_field() -> None:
    """With the names of the status, and who said it."""
    found = host_document(HostView(status=STATUS, node="n1"))
    assert (found["kind"], found["from"], found["interfaceKind"]) == (
        "HostStatus",
        "agent",
        "dummy",
    )
    assert found["restored"] == {"routes": 2, "addresses": 1}
    kernel = host_document(HostView(status=STATUS, node="n1", agent_error="no such socket"))
    assert (kernel["from"], kernel["agentError"]) == ("kernel", "no such socket")


def test_the_agent_is_asked_first(tmp_path: Path) -> None:
    """Problems make the exit status 3, as in `bgpctl status`."""
    node = replace(NODE, host=STATUS)

    async def story() -> Result:
        async with serving(tmp_path, agent={"status": Answer(content=node)}):
            return await bgpctl("get", "host", "-o", "json", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert (result.status, result.errors) == (3, "")
    assert json.loads(result.output)["addresses"][1]["detail"] == "kube-ipvs0 has it already"
