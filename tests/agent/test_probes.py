"""From a probe's answer to the speaker, through the agent as a process."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bgpd.ipc.message import AnyMessage, Beat, Delta, Desired, Standing
from bgpd.ipc.server import Server
from tests.agent.test_planner import CONFIGURATION, Document, endpoints, node, ours, service
from tests.agent.test_start import PATIENCE, Speaker, command, status, write

LOCAL = "127.0.0.1"


class Web:
    """A server on the loopback whose answer is whatever is wanted next."""

    def __init__(self) -> None:
        self.status = 200
        self.answers = threading.Event()
        """Whether it answers at all; else it hangs."""
        self.answers.set()
        self.asked = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.set()
                if not web.answers.wait(PATIENCE):
                    return
                self.send_response(web.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer((LOCAL, 0), Handler)
        self.port: int = self.server.server_address[1]

    def close(self) -> None:
        """Listen no more; a second time changes nothing."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="web")
def running_web() -> Iterator[Web]:
    """Return a server that answers 200."""
    web = Web()
    thread = threading.Thread(target=web.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web
    finally:
        web.answers.set()
        web.close()
        thread.join(PATIENCE)


def check(port: int, **spec: object) -> Document:
    """Return a HealthCheck that asks our own host twenty times a second."""
    document = ours(
        "HealthCheck",
        "alive",
        httpGet={"port": port},
        target="Host",
        periodMilliseconds=50,
        timeoutMilliseconds=1000,
        failureThreshold=2,
        **spec,
    )
    document["metadata"] = {"name": "alive", "namespace": "default"}
    return document


SERVED = [*CONFIGURATION, service("web", "203.0.113.1"), endpoints("web", "n1")]
QUIET = {"carrier": False, "gateway": False, "kubelet": "", "kubeProxy": ""}


async def heard(speaker: Speaker, wanted: Callable[[AnyMessage], bool]) -> AnyMessage:
    """Return the first message that is *wanted*, and forget all up to it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for position, message in enumerate(speaker.heard):
                if wanted(message):
                    del speaker.heard[: position + 1]
                    return message
            speaker._something.clear()
            await speaker._something.wait()


async def beats(speaker: Speaker, count: int) -> None:
    """Wait for so many more beats, and forget nothing."""
    before = len(speaker.heard)
    async with asyncio.timeout(PATIENCE):
        while sum(isinstance(one, Beat) for one in speaker.heard[before:]) < count:
            speaker._something.clear()
            await speaker._something.wait()


@asynccontextmanager
async def agent(directory: Path) -> AsyncIterator[Speaker]:
    """Run an agent beside a speaker that listens to it."""
    speaker = Speaker()
    async with Server(directory / "speaker.sock", speaker):
        process = await asyncio.create_subprocess_exec(
            *command(directory, state=True), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            yield speaker
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def withdraws(message: AnyMessage) -> bool:
    """Return whether *message* takes our route back."""
    return isinstance(message, Delta) and bool(message.withdraw)


def advertises(message: AnyMessage) -> bool:
    """Return whether *message* has our route."""
    if isinstance(message, Desired):
        return bool(message.advertisements)
    return isinstance(message, Delta) and bool(message.advertise)


def partial(message: AnyMessage) -> bool:
    """Return whether *message* says that routes are missing here that others expect."""
    standing = message.standing if isinstance(message, Desired) else message
    return isinstance(standing, Standing) and standing.partial


def test_a_check_that_fails_takes_the_route_back_until_it_passes(tmp_path: Path, web: Web) -> None:
    """A first start waits for the first answer; each change of mind is one delta."""
    write(tmp_path / "documents", *SERVED, check(web.port))

    async def story() -> None:
        async with agent(tmp_path) as speaker:
            await heard(speaker, advertises)
            web.status = 503
            await heard(speaker, withdraws)
            # Other nodes see the endpoint, and must not leave the address to us when drained.
            await heard(speaker, partial)
            shown = await asyncio.to_thread(status, tmp_path)
            withheld = shown["withheld"]
            assert isinstance(withheld, list)
            assert [one["reason"] for one in withheld] == ["HealthCheckFailed"]
            assert "answered 503" in withheld[0]["message"]
            health = shown["health"]
            assert isinstance(health, dict)
            assert [one["health"] for one in health["probes"]] == ["Unhealthy"]
            web.status = 200
            await heard(speaker, advertises)
            await heard(speaker, lambda one: isinstance(one, Standing) and not one.partial)

    asyncio.run(story())


def test_a_restart_in_the_same_boot_begins_where_the_last_agent_ended(
    tmp_path: Path, web: Web
) -> None:
    """While nothing answers the new one, the route stays, or stays away."""
    slow = check(web.port)
    spec = slow["spec"]
    assert isinstance(spec, dict)
    write(tmp_path / "documents", *SERVED, {**slow, "spec": {**spec, "timeoutMilliseconds": 60000}})

    async def first_words() -> Desired:
        web.answers.clear()
        web.asked.clear()
        async with agent(tmp_path) as speaker:
            said = await heard(speaker, lambda one: isinstance(one, Desired))
            assert isinstance(said, Desired)
            assert await asyncio.to_thread(web.asked.wait, PATIENCE), "nothing was asked"
            return said

    async def until(wanted: Callable[[AnyMessage], bool]) -> None:
        web.answers.set()
        async with agent(tmp_path) as speaker:
            await heard(speaker, wanted)

    async def story() -> None:
        await until(advertises)
        said = await first_words()
        assert said.boot
        assert len(said.advertisements) == 1
        web.status = 503
        await until(withdraws)
        said = await first_words()
        assert len(said.advertisements) == 0
        assert partial(said), "the first word of a new agent is no moment of being whole"

    asyncio.run(story())


def on_loopback(*documents: Document) -> list[Document]:
    """Return a configuration in which our node's address is one that answers here."""
    return [node("n1", LOCAL), *CONFIGURATION[2:], *documents]


def test_a_port_that_says_no_takes_the_route_back_and_one_that_is_silent_does_not(
    tmp_path: Path, web: Web
) -> None:
    """With externalTrafficPolicy Local kube-proxy knows best, unless it is not there."""
    asked = service("web", "203.0.113.1")
    spec = asked["spec"]
    assert isinstance(spec, dict)
    spec["healthCheckNodePort"] = web.port
    quiet = ours("SpeakerPolicy", "quiet", health=QUIET)
    write(tmp_path / "documents", *on_loopback(asked, endpoints("web", "n1"), quiet))

    async def story() -> None:
        async with agent(tmp_path) as speaker:
            await heard(speaker, advertises)
            web.status = 503
            await heard(speaker, withdraws)
            web.status = 200
            await heard(speaker, advertises)
            await asyncio.to_thread(web.close)
            await asyncio.to_thread(_until_silent, tmp_path)
            await beats(speaker, 3)
            assert not any(withdraws(one) for one in speaker.heard)

    asyncio.run(story())


def test_a_kubelet_that_stays_away_makes_the_node_doubtful(tmp_path: Path, web: Web) -> None:
    """That is said once, with everything desired and by itself, and taken back."""
    url = f"http://{LOCAL}:{web.port}/healthz"
    policy = ours("SpeakerPolicy", "p", health={**QUIET, "kubelet": url, "doubtSeconds": 1})
    write(tmp_path / "documents", *SERVED, policy)

    async def story() -> None:
        async with agent(tmp_path) as speaker:
            await heard(speaker, advertises)
            assert await asyncio.to_thread(web.asked.wait, PATIENCE)
            await asyncio.to_thread(_until_healthy, tmp_path)
            web.status = 500
            said = await heard(speaker, lambda one: isinstance(one, Standing) and bool(one.doubt))
            assert isinstance(said, Standing)
            assert "kubelet is unhealthy for 1 s and more" in said.doubt[0]
            assert "answered 500" in said.doubt[0]
            shown = await asyncio.to_thread(status, tmp_path)
            conditions = shown["conditions"]
            assert isinstance(conditions, list)
            assert {"NodeInDoubt", "EveryNodeInDoubt"} <= {one["type"] for one in conditions}
            web.status = 200
            said = await heard(speaker, lambda one: isinstance(one, Standing))
            assert isinstance(said, Standing)
            assert said.doubt == ()

    asyncio.run(story())


def _until_healthy(directory: Path) -> None:
    """Wait until kubelet is."""
    _until(directory, lambda health: health["node"].get("kubelet") == "Healthy")


def _until_silent(directory: Path) -> None:
    """Wait until nobody knows what the one probe would say."""
    _until(directory, lambda health: [one["health"] for one in health["probes"]] == ["Unknown"])


def _until(directory: Path, fact: Callable[[dict[str, Any]], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        health = status(directory)["health"]
        assert isinstance(health, dict)
        if fact(health):
            return
        assert time.monotonic() < end, health
        time.sleep(0.05)


def test_a_cordon_drains_where_it_is_to(tmp_path: Path) -> None:
    """The cause goes out by itself, and is taken back with the cordon."""
    policy = ours("SpeakerPolicy", "p", drain="OnCordon", health=QUIET)
    documents = tmp_path / "documents"
    write(documents, *SERVED, policy)
    cordoned = {**SERVED[0], "spec": {"unschedulable": True}}

    async def story() -> None:
        async with agent(tmp_path) as speaker:
            await heard(speaker, advertises)
            write(documents, cordoned, *SERVED[1:], policy)
            # The end of the start is told in between, or was before.
            said = await heard(speaker, lambda one: isinstance(one, Standing) and bool(one.drain))
            assert isinstance(said, Standing)
            assert said.drain == "Node n1 is cordoned"
            write(documents, *SERVED, policy)
            said = await heard(speaker, lambda one: isinstance(one, Standing))
            assert isinstance(said, Standing)
            assert said.drain == ""

    asyncio.run(story())
