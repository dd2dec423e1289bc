"""A lab at a provider: bgpd understands its metadata, and its routers know what it says."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bgpd.kube.documents import read
from bgpd.model.prefix import Address
from bgpd.model.provider import DEFAULT_GATEWAY
from bgpd.provider.adapter import Asker
from bgpd.provider.packet import parse as parse_packet
from bgpd.provider.vultr import parse as parse_vultr
from tests.lab import extras, metadata
from tests.lab.demo import HOLD
from tests.lab.documents import Document, configuration
from tests.lab.nodes import HERE
from tests.lab.plan import FamilyChoice, Plan, RouterName
from tests.lab.provider import SITES, ProviderName
from tests.lab.providerdemo import GAP_MS, SECONDS, promise_held, summary
from tests.lab.providerdocuments import PATHS, misled
from tests.lab.providerdocuments import metadata as metadata_of
from tests.lab.providernet import node_routes, refusals
from tests.lab.providerrouters import bird_configuration, frr_configuration

PACKET = Plan(provider=ProviderName.PACKET, services=10, routers=2)
VULTR = Plan(provider=ProviderName.VULTR, family=FamilyChoice.DUAL)
LINODE = Plan(provider=ProviderName.LINODE, routers=4)


def test_each_node_is_told_of_its_own_sessions_alone() -> None:
    """By the address from which it asks; a password that was rotated is one router's alone."""
    told = metadata_of(PACKET, {"n2": {2: "another"}})
    first, second = (
        parse_packet(told[address]["/metadata"], Asker())
        for address in ("147.75.65.31", "147.75.65.33")
    )
    assert [peer.address for peer in first] == ["169.254.255.1", "169.254.255.2"]
    assert {peer.local_address for peer in first} == {"10.99.182.129"}
    assert {peer.gateway for peer in first} == {"10.99.182.128"}
    assert {peer.local_address for peer in second} == {"10.99.182.131"}
    usual = SITES[ProviderName.PACKET].password
    assert [peer.password for peer in second] == [usual, "another"]


def test_vultr_tells_of_both_families_and_of_no_password() -> None:
    """So the customer's BGPPeer names a file."""
    told = metadata_of(VULTR, {})
    four, six = parse_vultr(told["192.0.2.2"]["/v1.json"], Asker())
    assert (four.address, six.address) == ("169.254.169.254", "2001:19f0:ffff::1")
    assert four.password_required
    assert six.gateway == DEFAULT_GATEWAY
    assert Address(VULTR.session_address("n1", 6)) == six.local_address


@pytest.mark.parametrize("plan", [PACKET, VULTR, LINODE], ids=lambda plan: plan.provider.value)
def test_a_provider_needs_one_document(plan: Plan) -> None:
    """Beside pool and advertisement there is one BGPPeer, without an address or an ASN."""
    documents = configuration(plan)
    (peer,) = (each for each in documents if each["kind"] == "BGPPeer")
    assert {"peerAddress", "peerASN", "myASN", "password"}.isdisjoint(peer["spec"])
    text = "".join(f"---\n{json.dumps(one)}\n" for one in documents).encode()
    assert [str(one) for one in read("lab.yaml", text).problems] == []


@pytest.mark.parametrize(
    "special",
    [
        pytest.param(extras.too_many(PACKET, 200), id="five elastic IPs too many"),
        pytest.param(misled(PACKET, "n1"), id="a node that is misled"),
    ],
)
def test_documents_of_single_faults_are_understood(special: list[Document]) -> None:
    """A refused document would leave the fault without what it is about."""
    text = "".join(f"---\n{json.dumps(one)}\n" for one in special).encode()
    found = read("lab.yaml", text)
    assert [str(one) for one in found.problems] == []
    assert len(found.objects) == len(special)


def test_the_larger_priority_is_what_the_routers_should_hold() -> None:
    """Five of the usual ten give way where the newcomers' priority is larger."""
    usual, more = extras.chosen(PACKET, 0), extras.chosen(PACKET, 2 * extras.USUAL_PRIORITY)
    assert usual == PACKET.prefixes()
    assert len(more) == len(usual) == 10
    assert len(more & usual) == 10 - extras.TOO_MANY


@pytest.mark.parametrize("render", ["bird", "frr"])
def test_the_routers_are_configured_as_documented(render: str) -> None:
    """Multihop, MD5, ten prefixes; another password for one node leaves the others'."""
    plan = Plan(provider=ProviderName.PACKET, services=10, routers=2, router=RouterName(render))
    text = (
        bird_configuration(plan, Path("/x"), 2, {"n2": "another"})
        if render == "bird"
        else frr_configuration(plan, 2, {"n2": "another"})
    )
    assert "169.254.255.2" in text
    assert "169.254.255.1 " not in text.replace("router id 169.254.255.1", "")
    assert text.count("ValidPassword123") == 2
    assert text.count("another") == 1
    assert text.count("multihop 5") == 3
    assert text.count("limit 10" if render == "bird" else "maximum-prefix 10") == 3


def test_no_route_of_the_providers_image_leads_to_a_router() -> None:
    """Whoever finds the routers has found out how; the public gateway refuses them."""
    routes = " ".join(node_routes(PACKET, "n1"))
    assert "169.254" not in routes
    assert "default via 147.75.65.30" in routes
    assert "169.254.255.1, 169.254.255.2" in refusals(PACKET)
    assert refusals(VULTR) == ""


def test_linode_carries_ipv4_over_ipv6_sessions() -> None:
    """Next hops of IPv4 routes are the nodes' IPv6 addresses."""
    assert LINODE.session_versions == (6,)
    assert LINODE.gateways(4) == {name: LINODE.session_address(name, 6) for name in LINODE.names}
    assert "extended next hop on" in bird_configuration(LINODE, Path("/x"), 4, {})


def test_the_table_of_the_demonstration_fits_a_terminal() -> None:
    """No line is wider than 80 columns, and a late start breaks the promise."""
    start = _started(4.9)
    loss = {"summary": {"ok": True, "worst_flow_gap_ms": {"p50": GAP_MS, "max": HOLD * 1000.0}}}
    assert max(map(len, summary([(start, loss)]).splitlines())) <= 80
    assert promise_held(start, loss)
    assert not promise_held(_started(SECONDS + 0.1), loss)


def _started(seconds: float) -> dict[str, Any]:
    names = ("sessions_seconds", "routes_seconds")
    found = {name: {"p50": seconds, "max": seconds} for name in names}
    return {"plan": {"router": "openbgpd"}, "summary": {"ok": True, **found}}


_SERVER = """
from tests.lab import metadata
class Server(metadata.ThreadingHTTPServer):
    def server_activate(self):
        super().server_activate()
        print(self.server_port, flush=True)
metadata.ThreadingHTTPServer, metadata.PORT = Server, 0
metadata.main()
"""


@contextmanager
def served(directory: Path) -> Iterator[int]:
    """Serve the lab's metadata on loopback until the end of the block; yield the port."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(directory), "127.0.0.1"],
        cwd=HERE.parent.parent, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        with process.stdout:
            yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _ask(port: int, path: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def test_the_server_tells_who_asks_and_forgets_nothing_between_questions(tmp_path: Path) -> None:
    """A changed document is told at once; an unknown path is a web page, as it would be."""
    path = PATHS[ProviderName.PACKET]
    file = tmp_path / metadata.DOCUMENTS
    file.write_text(json.dumps({"127.0.0.1": {path: {"is": 1}}, "192.0.2.1": {path: {"is": 9}}}))
    with served(tmp_path) as port:
        assert _ask(port, path) == (200, b'{"is": 1}')
        file.write_text(json.dumps({"127.0.0.1": {path: {"is": 2}}}))
        assert _ask(port, path) == (200, b'{"is": 2}')
        assert _ask(port, "/nothing")[0] == 404
    asked = [json.loads(line) for line in (tmp_path / metadata.ASKED).read_text().splitlines()]
    assert [one["path"] for one in asked] == [path, path, "/nothing"]
