"""A scraper, slow or hostile, delays no heartbeat: two shipped speakers, one of them under attack.

What the other one hears is the judge, by its own numbers.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpd.ipc.message import Desired
from bgpd.model.member import Member, MeshPolicy, NodeName, SpeakerPolicy
from bgpd.model.port import SPEAKER_METRICS_PORT
from bgpd.model.prefix import Address
from tests.exabgp.space import Space, eventually, need
from tests.interop.node import Node
from tests.speaker.scraped import Scrape, page, scrape, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CONNECTIONS = 10_000
ATTACKED, WITNESS, KUBELET = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PATIENT = SpeakerPolicy(mesh=MeshPolicy(interval_milliseconds=50, multiplier=6))
"""A member is suspected after 300 ms: what an attack must not cause on a busy machine."""


@pytest.fixture(name="space")
def _space() -> Iterator[Space]:
    need(
        "ip",
        "ss",
        "unshare",
        "nsenter",
        unproven="that an attack on the metrics delays no heartbeat",
    )
    space = Space()
    try:
        yield space
    finally:
        space.close()


def _pair(space: Space, directory: Path) -> tuple[Node, Node]:
    """Return two speakers of one mesh on the loopback; the first has a page for the kubelet."""
    members = tuple(
        Member(name=NodeName(address), address=Address(address)) for address in (ATTACKED, WITNESS)
    )
    nodes = []
    for member in members:
        node = Node(space, directory / member.name, name=member.name)
        where = f"{member.address}:{SPEAKER_METRICS_PORT}"
        if member.name == ATTACKED:
            where += f",{KUBELET}:{SPEAKER_METRICS_PORT}"
        node.start("--metrics-address", where)
        served(space, address=member.address)
        node.say(
            Desired(
                sequence=1,
                node=member.name,
                cluster_uid="flood",
                members=members,
                peers=(),
                pools=(),
                advertisements=(),
                policy=PATIENT,
                mesh_address=member.address,
            )
        )
        nodes.append(node)
    return nodes[0], nodes[1]


def _met(space: Space) -> Scrape | None:
    found = scrape(space, address=WITNESS)
    return found if found.get("bgpd_mesh_member_up", member=ATTACKED) == 1 else None


def test_ten_thousand_connections_make_no_member_suspect(space: Space, tmp_path: Path) -> None:
    """Silent ones, halves, endless heads, nonsense: the other member hears every beat in time."""
    nodes = _pair(space, tmp_path)
    try:
        eventually(lambda: _met(space), "two members")
        attacker = space.start(
            *(sys.executable, "-m", "tests.speaker.attacker"),
            *(ATTACKED, str(SPEAKER_METRICS_PORT), str(CONNECTIONS)),
            log=tmp_path / "attacker.log",
        )
        looks = 0
        while attacker.poll() is None:
            # Whoever asks at another address is answered meanwhile.
            assert page(space, "/livez", address=KUBELET)[0] == 200
            looks += 1
        assert attacker.wait() == 0, (tmp_path / "attacker.log").read_text()
        assert looks
        judged = scrape(space, address=WITNESS)
        attacked = scrape(space, address=KUBELET)
        assert judged.get("bgpd_mesh_suspicions_total", member=ATTACKED) == 0
        assert judged.get("bgpd_mesh_member_up", member=ATTACKED) == 1
        assert judged.get("bgpd_generation") == 1
        taken = int((tmp_path / "attacker.log").read_text())
        assert taken > 500, "the attack reached nobody"
        crowded = attacked.get("bgpd_http_connections_dropped_total", reason="crowded")
        assert crowded, "there was no crowd"
        print(
            f"{taken} connections taken; late at the witness:"
            f" {judged.get('bgpd_mesh_heartbeats_late_total', member=ATTACKED)}; loop lag"
            f" {_worst(attacked)}"
        )
    finally:
        space.close()
        for node in nodes:
            node.close()


def _worst(found: Scrape) -> dict[str, float]:
    """Return the histogram of the loop's lag."""
    name = "bgpd_reflex_loop_lag_seconds_bucket"
    return {dict(key[1])["le"]: value for key, value in found.counters.items() if key[0] == name}
