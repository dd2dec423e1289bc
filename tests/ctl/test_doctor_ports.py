"""Doctor's look at our ports: by the kernel's own table, with real sockets."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from bgpd.ctl import doctorports, portspage
from bgpd.ctl.doctor import Finding, Level
from bgpd.ctl.doctorfacts import Facts, PortFacts, ProcessFacts
from bgpd.ctl.doctorsockets import holders
from bgpd.model.port import PORTS, Port, Transport
from tests.ctl.doctorsamples import NOTHING, WELL, with_host, with_speaker

ROOT = Path(__file__).parents[2]
NODE_PORTS = range(30000, 32768)
METALLB = frozenset({7472, 7473, 7572, 7573, 7946})
OURS = PortFacts(name="speaker-metrics", addresses=("127.0.0.1:7180",), ours=True)


def judged(facts: Facts, number: int) -> Finding:
    """Return what is said of a port."""
    found = doctorports.ports(facts)
    return next(one for one in found if one.subject.startswith(f"{number}/"))


def with_ports(*ports: PortFacts) -> Facts:
    """Return a healthy node with these sockets."""
    return replace(WELL, ports=ports)


@pytest.mark.parametrize(
    ("facts", "number", "level", "sentence"),
    [
        pytest.param(with_ports(OURS), 7180, Level.OK, "the speaker listens on 127.0.0.1:7180",
                     id="a port of ours"),
        pytest.param(with_ports(replace(OURS, ours=False, holder="nc (pid 7)")), 7180, Level.FAIL,
                     "nc (pid 7) listens on 127.0.0.1:7180, and so the speaker cannot",
                     id="another program's"),
        pytest.param(with_ports(replace(OURS, ours=False)), 7180, Level.SKIP, "only root sees",
                     id="somebody's, and we may not know whose"),
        pytest.param(with_ports(PortFacts(name="agent-metrics")), 7181, Level.SKIP,
                     "--metrics-address of the agent names another or none",
                     id="metrics that are served elsewhere"),
        pytest.param(with_ports(PortFacts(name="mesh")), 7179, Level.FAIL,
                     "no heartbeat is heard here", id="a mesh that nobody listens for"),
        pytest.param(replace(with_speaker(mesh=None), ports=(PortFacts(name="mesh"),)), 7179,
                     Level.SKIP, "the mesh is off", id="no mesh"),
        pytest.param(replace(NOTHING, ports=(PortFacts(name="mesh"),)), 7179, Level.SKIP,
                     "the speaker does not run, or may not be asked", id="no speaker"),
        pytest.param(with_ports(), 7179, Level.SKIP, "could not be read", id="no look at all"),
    ],
)  # fmt: skip
def test_each_port_is_judged(facts: Facts, number: int, level: Level, sentence: str) -> None:
    """Who holds a port decides; what nobody can know is no failure."""
    found = judged(facts, number)
    assert found.level is level
    assert sentence in found.sentence
    assert bool(found.next_command) is (level is Level.FAIL or "root" in found.sentence)


@pytest.mark.parametrize(
    ("span", "reserved", "warns"),
    [("32768 60999", "", False), ("1024 65535", "", True), ("1024 65535", "7000-7200", False)],
)
def test_a_kernel_that_may_give_our_ports_away_is_told_of(
    span: str, reserved: str, *, warns: bool
) -> None:
    """An ephemeral port that is ours keeps a restarted process from listening."""
    sysctls = {doctorports.RANGE: span, doctorports.RESERVED: reserved}
    found = [one for one in doctorports.ports(with_host(sysctls=sysctls)) if not one.subject]
    assert [one.level for one in found] == [Level.WARN] * warns


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_socket_of_ours_is_found_and_one_of_a_stranger_is_named(
    host: str, transport: Transport
) -> None:
    """The kernel's table and the files of processes say who listens, for both families."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        if transport is Transport.TCP:
            sock.listen()
        number = sock.getsockname()[1]
        wanted = Port(
            name="x", number=number, transport=transport, listens="", connects="", carries=""
        )
        shown = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        me = ProcessFacts(what="agent", pid=os.getpid())
        assert holders([wanted], [me]) == (PortFacts(name="x", addresses=(shown,), ours=True),)
        (strange,) = holders([wanted], [])
        assert strange.addresses == (shown,)
        assert strange.holder.endswith(f"(pid {os.getpid()})")
    assert holders([wanted], [me]) == (PortFacts(name="x"),)


def test_no_port_is_a_node_port_or_one_of_metallb_and_none_is_used_twice() -> None:
    """Both can run on one node, and NodePorts are Kubernetes' own."""
    numbers = [(one.number, one.transport) for one in PORTS]
    assert len(set(numbers)) == len(numbers)
    assert [one for one, _ in numbers if one in NODE_PORTS or one in METALLB] == []


def test_the_page_tells_of_every_port() -> None:
    """Whoever opens a firewall reads one page."""
    page = portspage.page()
    assert [
        one.name for one in PORTS if f"| {one.number}/{one.transport.value} |" not in page
    ] == []
