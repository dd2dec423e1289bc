"""The servers that people run: unbound for DNS, chronyd for NTP, grpcio's health service."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from bgpd.health.job import JobState
from bgpd.model.health import DNS, GRPC, NTP, TLS, Health, Probe
from tests.health.asking import LOCALHOST, PATIENCE, asking, free_port, job
from tests.health.certificates import make_certificates
from tests.lacking import lacking

_ROOT = Path(__file__).parents[2]
_UNBOUND = """
server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: yes
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 10.0.0.5"
  local-data: "www.example. A 10.0.0.6"
  local-data: "www.example. AAAA 2001:db8::5"
  local-data: "example. MX 10 mail.example."
  local-data: "example. NS ns.example."
  local-data: "example. SOA ns.example. people.example. 7 3600 600 86400 60"
  local-data: "alias.example. CNAME www.example."
  local-data: "_ntp._udp.example. SRV 0 5 123 time.example."
  local-data: '5.0.0.10.in-addr.arpa. PTR www.example.'
  local-data: 'example. TXT "v=spf1 -all"'
  local-data: 'long.example. TXT "{long}"'
remote-control:
  control-enable: no
"""
_CHRONY = """
port {port}
bindaddress 127.0.0.1
cmdport 0
allow 127.0.0.0/8
pidfile {directory}/chronyd.pid
{more}
"""


def known(probe: Probe, port: int) -> JobState:
    """Return what is known of *probe* once it is not Unknown any more."""
    found: list[JobState] = []

    async def body() -> None:
        async with asking(job(probe, port)) as asked:
            await asked.until(lambda: asked.states["job"].health is not Health.UNKNOWN)
            found.append(asked.states["job"])

    asyncio.run(body())
    return found[0]


@contextmanager
def program(*command: str, ready: Callable[[], bool]) -> Iterator[None]:
    """Run *command* within the block, from when it is *ready*."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                pytest.fail(f"{command[0]} does not serve: {process.communicate()[0].decode()}")
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.communicate()


def path_of(name: str, unproven: str) -> str:
    """Return the path of a server, or say that it lacks."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or lacking(f"{name} is not installed", unproven=unproven)


def answers_datagrams(port: int, data: bytes) -> bool:
    """Return whether somebody answers *data* at *port*."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened, suppress(OSError):
        opened.settimeout(0.2)
        opened.connect((LOCALHOST, port))
        opened.send(data)
        return bool(opened.recv(512))
    return False


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a name server for `example.`."""
    binary = path_of("unbound", "probes of DNS on a real server")
    directory = tmp_path_factory.mktemp("unbound")
    port = free_port()
    text = _UNBOUND.format(port=port, directory=directory, long="x" * 200)
    more = "".join(f"  local-data: 'many.example. TXT \"{n}{'y' * 200}\"'\n" for n in range(9))
    (directory / "unbound.conf").write_text(text.replace("remote-control", f"{more}remote-control"))
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\0\0\2\0\1"
    command = (binary, "-d", "-p", "-c", str(directory / "unbound.conf"))
    with program(*command, ready=lambda: answers_datagrams(port, query)):
        yield port


@pytest.mark.parametrize("tcp", [pytest.param(False, id="UDP"), pytest.param(True, id="TCP")])
@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("WWW.Example", "A", "10.0.0.6"),
        ("www.example.", "AAAA", "2001:DB8::5"),
        ("example", "MX", "10 mail.example"),
        ("example", "NS", "ns.example."),
        ("example", "SOA", "ns.example people.example 7 3600 600 86400 60"),
        ("alias.example", "CNAME", "www.example"),
        ("_ntp._udp.example", "SRV", "0 5 123 time.example"),
        ("5.0.0.10.in-addr.arpa", "PTR", "www.example"),
        ("example", "TXT", "v=spf1 -all"),
        ("long.example", "TXT", "x" * 200),
    ],
)
def test_unbound_answers(unbound: int, name: str, kind: str, answer: str, tcp: bool) -> None:
    """Each type of record is asked and compared as people write it."""
    state = known(DNS(name=name, type=kind, answers=(answer,), tcp=tcp), unbound)
    assert state.health is Health.HEALTHY, state
    assert state.failures == 0


@pytest.mark.parametrize(
    ("probe", "health", "said"),
    [
        pytest.param(
            DNS(name="gone.example", rcode="NXDOMAIN"), Health.HEALTHY, "NXDOMAIN", id="none wanted"
        ),
        pytest.param(
            DNS(name="gone.example"), Health.UNHEALTHY, "answered NXDOMAIN", id="none unwanted"
        ),
        pytest.param(
            DNS(name="www.example", answers=("10.0.0.7",)), Health.UNHEALTHY, 'without "10.0.0.7"',
            id="another address",
        ),
        pytest.param(
            DNS(name="www.example", type="TXT"), Health.UNHEALTHY, "without any TXT", id="no text"
        ),
        pytest.param(
            DNS(name="many.example", type="TXT", answers=("8" + "y" * 200,)), Health.UNHEALTHY,
            "ask with tcp: true", id="cut short by UDP",
        ),
        pytest.param(
            DNS(name="many.example", type="TXT", answers=("8" + "y" * 200,), tcp=True),
            Health.HEALTHY, "and 6 more", id="whole by TCP",
        ),
    ],
)  # fmt: skip
def test_unbound_is_judged(unbound: int, probe: DNS, health: Health, said: str) -> None:
    """What is not as expected is a failure with a sentence."""
    state = known(probe, unbound)
    assert state.health is health
    assert said in state.message


@contextmanager
def chronyd(directory: Path, more: str) -> Iterator[int]:
    """Run a time server that never touches our clock; return its port."""
    binary = path_of("chronyd", "probes of NTP on a real server")
    if os.geteuid() != 0:
        lacking("chronyd wants to be started by root", unproven="probes of NTP on a real server")
    port = free_port(socket.SOCK_DGRAM)
    path = directory / "chrony.conf"
    path.write_text(_CHRONY.format(port=port, directory=directory, more=more))
    query = b"\x23" + bytes(39) + b"12345678"
    command = (binary, "-x", "-d", "-u", "root", "-f", str(path))
    with program(*command, ready=lambda: answers_datagrams(port, query)):
        yield port


@pytest.mark.parametrize(
    ("more", "probe", "health", "said"),
    [
        pytest.param("local stratum 3", NTP(), Health.HEALTHY, "has stratum 3, ", id="in step"),
        pytest.param(
            "local stratum 3", NTP(max_offset_milliseconds=500), Health.HEALTHY,
            " ms from our clock", id="with our own clock",
        ),
        pytest.param(
            "local stratum 10", NTP(max_stratum=9), Health.UNHEALTHY,
            "has stratum 10", id="too far from the sun",
        ),
        pytest.param(
            "", NTP(), Health.UNHEALTHY, "says that it is not synchronized", id="without a source"
        ),
    ],
)  # fmt: skip
def test_chronyd(tmp_path: Path, more: str, probe: NTP, health: Health, said: str) -> None:
    """Leap, stratum and offset of a real time server are what it was told to say."""
    with chronyd(tmp_path, more) as port:
        state = known(probe, port)
    assert state.health is health, state
    assert said in state.message


@contextmanager
def grpc_server(*arguments: str) -> Iterator[int]:
    """Run a gRPC server with the health service; return its port."""
    if find_spec("grpc_health") is None:
        lacking("grpcio-health-checking is not installed", unproven="probes of gRPC, really")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.health.grpcserver", *arguments],
        cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


_SERVICES = [
    ("", Health.HEALTHY, "answered SERVING"),
    ("shop.Cart", Health.HEALTHY, "answered SERVING"),
    ("shop.Till", Health.UNHEALTHY, "answered NOT_SERVING, expected SERVING"),
    ("shop.None", Health.UNHEALTHY, "answered NOT_FOUND"),
]


def test_grpc() -> None:
    """Each answer of the health service is understood."""
    with grpc_server() as port:
        for service, health, said in _SERVICES:
            state = known(GRPC(service=service), port)
            assert (state.health, said in state.message) == (health, True), state


def test_grpc_with_tls(tmp_path: Path) -> None:
    """HTTP/2 is agreed upon within TLS, with a certificate that is trusted."""
    make_certificates(tmp_path)
    tls = TLS(verify=True, ca_file=str(tmp_path / "ca.pem"))
    with grpc_server(str(tmp_path / "server.key"), str(tmp_path / "server.pem")) as port:
        for service, health, said in _SERVICES:
            state = known(GRPC(service=service, tls=tls), port)
            assert (state.health, said in state.message) == (health, True), state
