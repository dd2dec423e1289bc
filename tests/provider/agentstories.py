"""Stories of a real agent between a metadata server and a speaker, in a network of their own.

The host is a server at Packet: 10.99.182.129 is its private address, 10.99.182.128 the way to the
routers. `tests.provider.test_agent` says what each story proves.
"""

import asyncio
import copy
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from bgpd.ipc.ask import ask
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import (
    VERSION,
    AnyMessage,
    Ask,
    Beat,
    Desired,
    Hello,
    Message,
    Report,
    Welcome,
)
from bgpd.ipc.server import Server
from bgpd.model.member import NodeName
from bgpd.model.peer import Peer, PeerState
from bgpd.model.status import SessionStatus, SpeakerStatus
from tests.agent.test_planner import CONFIGURATION, Document, endpoints, node, ours, service
from tests.agent.test_start import command, write
from tests.host import net
from tests.provider import metadata
from tests.provider.metadata import body, serving, status
from tests.provider.packettable import KEY
from tests.provider.table import SAMPLES

LIMIT: Final = 45.0
"""Of a story; nearly all of it is headroom."""
NODE: Final = node("n1", "10.99.182.129")
ROUTERS: Final = ["169.254.255.1", "169.254.255.2"]
FAR: Final = "192.0.2.9"
NEW_KEY: Final = "Another-Key-3"
CREDENTIAL: Final = "api-token-4711"
_NETWORK: Final = """
ip link add eth0 type veth peer name tor
ip link set eth0 up
ip link set tor up
ip address add 10.99.182.129/31 dev eth0
"""
_M = TypeVar("_M", bound=Message)


def sample(name: str = "packet_v4_multihop_md5") -> Any:
    """Return a document of a provider that a test may change."""
    return copy.deepcopy(next(one.document for one in SAMPLES if one.name == name))


def serve(document: object) -> metadata.Answer:
    """Answer with *document*."""
    return body(json.dumps(document).encode())


def documents(url: str, *more: Document, kind: str = "packet") -> list[Document]:
    """Return all that a node needs: a pool, an advertisement, a provider."""
    choice = {"provider": kind, **({"providerURL": url} if url else {})}
    return [NODE, *CONFIGURATION[2:4], ours("BGPPeer", "tor", **choice), *more]


class Bench:
    """A place for an agent, and the speaker that it finds there: it greets, listens and reports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.heard: list[AnyMessage] = []
        """What the agent that runs, or ran last, said to the speaker."""
        self.said = bytearray()
        """What all agents here wrote into their log."""
        self._connection: Connection | None = None

    def write(self, *documents: Document) -> None:
        """Have *documents* be all that there are."""
        write(self.directory / "documents", *documents)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run an agent until the block ends."""
        self.heard.clear()
        line = [*command(self.directory, state=True), "--log-level=debug"]
        async with Server(self.directory / "speaker.sock", self), asyncio.TaskGroup() as group:
            agent = await asyncio.create_subprocess_exec(*line, stderr=asyncio.subprocess.PIPE)
            assert agent.stderr is not None
            group.create_task(self._listen(agent.stderr))
            try:
                yield
            except BaseException:
                print(self.said.decode()[-4000:], file=sys.stderr)
                raise
            finally:
                with suppress(ProcessLookupError):
                    agent.terminate()
                await agent.wait()

    async def _listen(self, log: asyncio.StreamReader) -> None:
        while piece := await log.read(65536):
            self.said.extend(piece)

    # The speaker

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet, or remember."""
        if isinstance(message, Hello):
            connection.send(Welcome(version=VERSION, node=NodeName("n1")))
            self._connection = connection
        else:
            self.heard.append(message)

    def closed(self, connection: Connection) -> None:
        """Nothing to do."""

    def words(self, kind: type[_M]) -> list[_M]:
        """Return what was said of one *kind*."""
        return [one for one in self.heard if isinstance(one, kind)]

    @property
    def peers(self) -> tuple[Peer, ...] | None:
        """The peers that the speaker should have, None while it was told nothing."""
        told = self.words(Desired)
        return told[-1].peers if told else None

    def report(self, state: PeerState) -> None:
        """Say that all sessions are in *state*."""
        assert self._connection is not None
        sessions = tuple(
            SessionStatus(
                peer=one.name,
                address=one.address,
                peer_asn=one.peer_asn,
                local_asn=one.local_asn,
                state=state,
                document=one.document,
            )
            for one in self.peers or ()
        )
        speaker = SpeakerStatus(
            node="n1",
            version="0",
            started=0.0,
            agent_connected=True,
            agent_absent_since=None,
            exabgp_pid=None,
            sessions=sessions,
        )
        self._connection.send(Report(status=speaker))

    # What is waited for

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is *true*."""
        await net.until(true, what, LIMIT)

    async def addresses(self, *expected: str) -> tuple[Peer, ...]:
        """Wait until the speaker is to have sessions with *expected*; return the peers."""

        def there() -> bool:
            return [one.address for one in self.peers or ()] == list(expected)

        await self.until(there, f"no sessions with {expected}")
        return self.peers or ()

    async def status(self) -> str:
        """Return everything that `bgpctl status` could show, as text."""
        question, path = Ask(question="status"), self.directory / "agent.sock"
        answer = await asyncio.to_thread(ask, path, question, timeout=LIMIT)
        return json.dumps(answer.content)

    async def says(self, words: str) -> None:
        """Wait until a condition says *words*."""
        while words not in await self.status():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.05)


Story = Callable[[Bench, metadata.Metadata], Awaitable[object]]


def routes() -> list[str]:
    """Return the routes that are ours."""
    shown = net.run("ip -o -4 route show proto 179").splitlines()
    return [" ".join(one.split()[:5]) for one in shown]


async def complete(bench: Bench, server: metadata.Metadata) -> object:
    """Begin with one document, and see what the speaker and the host are told."""
    bench.write(*documents(server.url))
    async with bench.running():
        peers = await bench.addresses(*ROUTERS)
        await bench.until(lambda: len(routes()) == len(ROUTERS), "no routes to the routers")
    first = peers[0]
    return {
        "name": [first.name, first.document],
        "asns": [first.local_asn, first.peer_asn],
        "way": [first.local_address, first.gateway],
        "rest": [first.password, first.ttl, first.max_prefixes],
        "routes": routes(),
        "mode": oct((bench.directory / "provider.json").stat().st_mode & 0o777),
    }


async def patient(bench: Bench, server: metadata.Metadata) -> object:
    """Begin with a metadata server that takes a second."""

    def slowly(one: metadata.Handler) -> None:
        time.sleep(1.0)
        serve(sample())(one)

    server.answer = slowly
    bench.write(*documents(server.url))
    async with bench.running():
        await bench.addresses(*ROUTERS)
        return sorted({len(one.peers) for one in bench.words(Desired)})


async def hanging(bench: Bench, server: metadata.Metadata) -> object:
    """Begin with a metadata server that hangs, beside a peer and a Service that need none."""
    server.answer = metadata.hang
    other = ours("BGPPeer", "static", myASN=65000, peerASN=65530, peerAddress="10.0.0.0")
    served = [service("web", "203.0.113.1"), endpoints("web", "n1")]
    bench.write(*documents(server.url, other, *served))
    async with bench.running():
        await bench.addresses("10.0.0.0")
        heard = bench.heard
        before = next(at for at, one in enumerate(heard) if isinstance(one, Desired))
        beats = sum(isinstance(one, Beat) for one in heard[:before])
        prefixes = [one.prefix for one in bench.words(Desired)[0].advertisements]
        await bench.says("did not answer within 5 s; nothing is known of its routers yet")
        server.answer = serve(sample())
        await bench.addresses("10.0.0.0", *ROUTERS)
        return {"beats": beats >= 2, "prefixes": prefixes}


ANSWERS: Final[dict[str, tuple[metadata.Answer, str]]] = {
    "silence": (metadata.hang, "did not answer within 5 s"),
    "error": (status(500), "answers 500 Internal Server Error"),
    "page": (body(b"<html>404</html>"), "it is HTML or XML"),
}
"""What a restart may meet, and what is said of it."""


def restarted(name: str) -> Story:
    """Return the story of a restart that meets one of `ANSWERS`."""

    async def story(bench: Bench, server: metadata.Metadata) -> object:
        bench.write(*documents(server.url))
        async with bench.running():
            before = await bench.addresses(*ROUTERS)
        server.answer, said = ANSWERS[name]
        async with bench.running():
            await bench.addresses(*ROUTERS)
            await bench.says(said)
            await bench.says("holds")
            return sorted({one.peers == before for one in bench.words(Desired)})

    return story


async def password(bench: Bench, server: metadata.Metadata) -> object:
    """Change the password of one of two routers, and lose the session."""
    document = sample()
    first, second = document["bgp_neighbors"][0], copy.deepcopy(document["bgp_neighbors"][0])
    first["peer_ips"], second["peer_ips"] = [ROUTERS[0]], [ROUTERS[1]]
    document["bgp_neighbors"] = [first, second]
    server.answer = serve(document)
    bench.write(*documents(server.url))
    async with bench.running():
        before = await bench.addresses(*ROUTERS)
        bench.report(PeerState.ESTABLISHED)
        second["md5_password"] = NEW_KEY
        server.answer = serve(document)
        # At most every ten seconds a provider is asked because of a session.
        bench.report(PeerState.IDLE)

        def changed() -> bool:
            return (bench.peers or before)[1].password == NEW_KEY

        await bench.until(changed, "the new password did not arrive")
        after = bench.peers or ()
        return [one == two for one, two in zip(before, after, strict=True)]


async def annotated(bench: Bench, _: metadata.Metadata) -> object:
    """Have a cloud controller annotate the Node, and change a password."""
    host: Any = copy.deepcopy(NODE)
    host["metadata"]["annotations"] = notes = sample("annotations_indexed")
    others = documents("", kind="annotations")[1:]
    bench.write(host, *others)
    async with bench.running():
        before = {one.password for one in await bench.addresses(*ROUTERS)}
        notes["metal.equinix.com/bgp-peers-1-bgp-pass"] = "Y2hhbmdlZA=="
        bench.write(host, *others)
        await bench.until(
            lambda: "changed" in {one.password for one in bench.peers or ()},
            "the new password did not arrive",
        )
        return [sorted(map(str, before)), sorted(str(one.password) for one in bench.peers or ())]


async def racked(bench: Bench, _: metadata.Metadata) -> object:
    """Restart an agent whose router is behind a gateway on another link than the Node's address."""
    net.run("ip link add eth1 type veth peer name other; ip link set eth1 up; ip link set other up")
    net.run("ip address add 10.99.183.9/24 dev eth1")
    router = {"myASN": 65000, "peerASN": 65530, "peerAddress": FAR, "gateway": "10.99.183.1"}
    bench.write(NODE, *CONFIGURATION[2:4], ours("BGPPeer", "rack", **router))
    sources = []
    for _start in range(4):
        async with bench.running():
            await bench.addresses(FAR)
            await bench.until(lambda: FAR in " ".join(routes()), "no route to the router")
            sources += [one.local_address for told in bench.words(Desired) for one in told.peers]
    return sorted(set(sources))


def _sources(bench: Bench) -> list[str]:
    return sorted({one.local_address for one in bench.peers or ()})


async def blinking(bench: Bench, server: metadata.Metadata) -> object:
    """Take the source address off for a moment, as whoever configures a network anew does."""
    bench.write(*documents(server.url))
    net.run("ip address add 10.99.183.9/24 dev eth0; ip route add default via 10.99.183.1")
    async with bench.running():
        before = await bench.addresses(*ROUTERS)
        for _ in range(3):
            net.run("ip address del 10.99.182.129/31 dev eth0")
            await asyncio.sleep(0.5)
            net.run("ip address add 10.99.182.129/31 dev eth0")
            await asyncio.sleep(0.5)
        await bench.until(lambda: len(routes()) == len(ROUTERS), "no routes to the routers")
        short = {one.peers == before for one in bench.words(Desired)}
        net.run("ip address del 10.99.182.129/31 dev eth0")
        await bench.until(lambda: bench.peers != before, "the address is not gone for good")
        return {"for a moment": sorted(short), "for good": _sources(bench)}


async def secrets(bench: Bench, server: metadata.Metadata) -> object:
    """Have documents be wrong around a password, and collect all that a person can see."""
    token = bench.directory / "token"
    token.write_text(f"{CREDENTIAL}\n")
    wrong, bad = sample(), sample()
    wrong["bgp_neighbors"][0]["peer_as"] = {"md5_password": KEY}
    bad["bgp_neighbors"][0]["md5_password"] = f"{KEY}\n{KEY}"
    everything = documents(server.url)
    spec: Any = everything[-1]["spec"]
    spec["providerTokenFile"] = str(token)
    bench.write(*everything)
    async with bench.running():
        await bench.addresses(*ROUTERS)
        seen = await bench.status()
        for answer, words in (
            (serve(wrong), "an object must be a whole number"),
            (serve(bad), "a secret that is not shown"),
            (status(403), "it wants a token"),
        ):
            server.answer = answer
            spec["providerURL"] += "x"
            bench.write(*everything)
            await bench.says(words)
            seen += await bench.status()
    said = bench.said.decode() + seen
    return {
        "sent": server.asked[0][1]["X-Auth-Token"] == CREDENTIAL,
        "told": "provider_understood" in said,
        "held": [one for one in (KEY, CREDENTIAL) if one in said],
    }


STORIES: Final[dict[str, Story]] = {
    "complete": complete,
    "patient": patient,
    "hanging": hanging,
    "password": password,
    "annotated": annotated,
    "blinking": blinking,
    "racked": racked,
    "secrets": secrets,
    **{f"restarted-{name}": restarted(name) for name in ANSWERS},
}


async def tell() -> object:
    """Tell the story that the command line names."""
    with TemporaryDirectory() as directory, serving(serve(sample())) as server:
        async with asyncio.timeout(LIMIT):
            return await STORIES[sys.argv[1]](Bench(Path(directory)), server)


if __name__ == "__main__":
    net.run(_NETWORK)
    print(json.dumps(asyncio.run(tell())))
