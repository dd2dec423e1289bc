"""The agent over the Kubernetes API: what it tells a speaker, and what an outage changes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpd.ipc.ask import ask
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, AnyMessage, Ask, Delta, Desired, Hello, Welcome
from bgpd.ipc.server import Server
from bgpd.model.member import NodeName
from bgpd.policy.merge import RouteKey
from tests.agent.test_planner import CONFIGURATION, endpoints, service
from tests.fakes.apiserver import FakeApiServer, refusal, served
from tests.kube.follow import NAMESPACE, PATHS

EX_CONFIG = 78
PATIENCE = 45.0


class Speaker:
    """A speaker that only remembers what it is told (bgpd.ipc.connection.Handler)."""

    def __init__(self) -> None:
        self.routes: set[RouteKey] = set()
        self.told: list[AnyMessage] = []
        self.withdrawn = 0

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet, and follow."""
        match message:
            case Hello():
                connection.send(Welcome(version=VERSION, node=NodeName("n1"), program="fake"))
            case Desired():
                new = {(one.peer, one.prefix) for one in message.advertisements}
                self.withdrawn += len(self.routes - new)
                self.routes = new
            case Delta():
                self.withdrawn += len(message.withdraw)
                self.routes -= set(message.withdraw)
                self.routes |= {(one.peer, one.prefix) for one in message.advertise}
            case _:
                return
        self.told.append(message)

    def closed(self, connection: Connection) -> None:
        """Keep everything, as the real one does."""


def kubeconfig(directory: Path, api: FakeApiServer, **user: Any) -> Path:
    """Write a kubeconfig for *api*."""
    context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
    path = directory / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "contexts": [{"name": "x", "context": context}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api.port}"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def command(directory: Path, path: Path, node: str = "n1") -> list[str]:
    """Return the command line of an agent with that kubeconfig."""
    options = {
        "node": node,
        "source": f"kubernetes:{path}",
        "cluster-uid": "c",
        "run-dir": str(directory),
        "state-dir": str(directory),
    }
    return [
        *(sys.executable, "-m", "bgpd.agent"),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


@asynccontextmanager
async def agent(directory: Path, path: Path, node: str = "n1") -> AsyncIterator[None]:
    """Run an agent until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *command(directory, path, node), stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until(fact: Callable[[], bool]) -> None:
    """Wait until *fact* holds."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
            await asyncio.sleep(0.01)


async def remembered(directory: Path, path: Path) -> Speaker:
    """Run an agent until it has a route and its memory is on the disk; return its speaker."""
    speaker = Speaker()
    async with (
        Server(directory / "speaker.sock", speaker, program="fake"),
        agent(directory, path),
    ):
        await until(lambda: len(speaker.routes) == 1)
        await until((directory / "objects.json").exists)
    return speaker


def fill(api: FakeApiServer) -> None:
    """Give *api* a configuration with one elastic IP."""
    api.install(*PATHS.values())
    for one in (*CONFIGURATION, service("web", "203.0.113.5"), endpoints("web", "n1")):
        api.apply(PATHS[str(one["kind"])], one)


async def types(directory: Path) -> list[str]:
    """Return the types of the agent's conditions."""
    question = Ask(question="status")
    answer = await asyncio.to_thread(ask, directory / "agent.sock", question, timeout=PATIENCE)
    assert isinstance(answer.content, dict)
    return [one["type"] for one in answer.content["conditions"]]


async def shows(directory: Path, *names: str) -> None:
    """Wait until the agent has conditions of the types *names*."""
    async with asyncio.timeout(PATIENCE):
        while not {*names} <= {*await types(directory)}:  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.1)


async def shows_no_more(directory: Path, name: str) -> None:
    """Wait until the agent has no condition of the type *name*."""
    async with asyncio.timeout(PATIENCE):
        while name in await types(directory):  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.1)


def test_an_outage_and_a_restart_within_it_change_no_route(tmp_path: Path) -> None:
    """The speaker may be new as well: then it hears what was accepted last."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            first = Speaker()
            async with Server(tmp_path / "speaker.sock", first, program="fake"):
                async with agent(tmp_path, path):
                    await until(lambda: len(first.routes) == 1)
                    api.apply(PATHS["EndpointSlice"], endpoints("web"))
                    await until(lambda: not first.routes)
                    api.apply(PATHS["EndpointSlice"], endpoints("web", "n1"))
                    await until(lambda: len(first.routes) == 1)
                    first.withdrawn = 0
                    await until((tmp_path / "objects.json").exists)
                    await asyncio.sleep(1.5)
                await api.stop()
            second = Speaker()
            async with (
                Server(tmp_path / "speaker.sock", second, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: second.routes == first.routes)
                await shows(tmp_path, "LastKnownState", "SourceDegraded")
                await api.start()
                api.apply(PATHS["Service"], service("other", "203.0.113.9"))
                slice_ = endpoints("other", "n1")
                api.apply(PATHS["EndpointSlice"], slice_)
                await until(lambda: len(second.routes) == 2)
                # Endpoints do not wait for the rest of the state.
                await shows_no_more(tmp_path, "LastKnownState")
            assert first.withdrawn == second.withdrawn == 0

    asyncio.run(main())


def test_a_memory_that_is_read_in_part_withdraws_nothing(tmp_path: Path) -> None:
    """After another version wrote it, what cannot be read of it is unknown, and not gone."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            first, second = await remembered(tmp_path, path), Speaker()
            await api.stop()
            memory = json.loads((tmp_path / "objects.json").read_text())
            for one in memory["objects"]:
                if one["kind"] == "IPAddressPool":
                    one["object"]["prefixes"] = "in words of another version"
            (tmp_path / "objects.json").write_text(json.dumps(memory))
            async with (
                Server(tmp_path / "speaker.sock", second, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: len(second.told) > 0)
                await asyncio.sleep(4.0)  # it would go on from memory after two
                assert not any(isinstance(one, Desired) for one in second.told)
                await api.start()
                await until(lambda: second.routes == first.routes)
                assert second.withdrawn == 0

    asyncio.run(main())


def test_a_restart_onto_half_of_a_state_in_which_the_pools_are_gone_changes_no_route(
    tmp_path: Path,
) -> None:
    """What is known first may be what vanished, and the decision from memory does not wait."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            first, second = await remembered(tmp_path, path), Speaker()
            api.clear(PATHS["IPAddressPool"])
            api.clear(PATHS["BGPPeer"])
            slices = PATHS["EndpointSlice"]
            api.refuse = lambda asked: refusal(503, "Busy") if asked.path == slices else None
            async with (
                Server(tmp_path / "speaker.sock", second, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: any(isinstance(one, Desired) for one in second.told))
                assert "LastKnownState" in await types(tmp_path)
                assert second.routes == first.routes
                api.refuse = lambda _: None
                await shows(tmp_path, "ConfigurationVanished")
                assert second.routes == first.routes
                assert second.withdrawn == 0

    asyncio.run(main())


@pytest.mark.parametrize("unread", ["SpeakerPolicy", "Service"])
def test_a_kind_that_cannot_be_read_after_a_restart_freezes_no_endpoint(
    tmp_path: Path, unread: str
) -> None:
    """A role that lacks one kind may stay so for days, and endpoints go every minute."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            first, second = await remembered(tmp_path, path), Speaker()
            shut = PATHS[unread]
            api.refuse = lambda asked: refusal(403, "Forbidden") if asked.path == shut else None
            async with (
                Server(tmp_path / "speaker.sock", second, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: second.routes == first.routes)
                assert second.withdrawn == 0
                api.apply(PATHS["EndpointSlice"], endpoints("web"))
                await until(lambda: not second.routes)
                api.apply(PATHS["EndpointSlice"], endpoints("web", "n1"))
                await until(lambda: second.routes == first.routes)
                assert "LastKnownState" in await types(tmp_path)

    asyncio.run(main())


def test_a_kind_that_was_uninstalled_stays_over_a_restart_onto_an_empty_one(tmp_path: Path) -> None:
    """Whoever mends the CRDs restarts the agents as well; nobody accepted anything."""
    offers = PATHS["BGPAdvertisement"]

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            first, second = Speaker(), Speaker()
            async with (
                Server(tmp_path / "speaker.sock", first, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: len(first.routes) == 1)
                api.clear(offers)
                await asyncio.sleep(0.1)  # a server deletes the objects first, and tells so
                api.uninstall(offers)
                await shows(tmp_path, "ConfigurationVanished")
                api.install(offers)
                await asyncio.sleep(1.5)
            assert first.withdrawn == 0
            async with (
                Server(tmp_path / "speaker.sock", second, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: second.routes == first.routes)
                await shows(tmp_path, "ConfigurationVanished")
                await asyncio.sleep(2.5)
                assert second.routes == first.routes
                assert second.withdrawn == 0
                question = Ask(question="accept-vanished")
                await asyncio.to_thread(ask, tmp_path / "agent.sock", question, timeout=PATIENCE)
                await until(lambda: not second.routes)

    asyncio.run(main())


def test_pools_that_vanish_stay_until_a_person_accepts(tmp_path: Path) -> None:
    """`bgpctl accept` is the only way, beside bringing them back."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(tmp_path, api)
            speaker = Speaker()
            async with (
                Server(tmp_path / "speaker.sock", speaker, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: len(speaker.routes) == 1)
                api.clear(PATHS["IPAddressPool"])
                await shows(tmp_path, "ConfigurationVanished")
                assert len(speaker.routes) == 1
                line = (sys.executable, "-m", "bgpd.ctl", "accept", "--yes")
                done = await asyncio.create_subprocess_exec(
                    *line, f"--run-dir={tmp_path}", stdout=subprocess.PIPE
                )
                output, _ = await done.communicate()
                assert done.returncode == 0
                assert output.startswith(b"accepted: 1 objects")
                await until(lambda: not speaker.routes)

    asyncio.run(main())


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        pytest.param({}, "does not accept who we are: 401", id="no credentials"),
        pytest.param({"token": "old"}, "does not accept who we are: 401", id="a token that ended"),
        pytest.param(
            {"exec": {**EXEC, "command": "/nowhere/plugin"}},
            "No such file or directory",
            id="a plugin that is not there",
        ),
        pytest.param(
            {"exec": {**EXEC, "command": "sh", "args": ["-c", "echo sorry >&2; exit 3"]}},
            "exec: process returned 3. sorry",
            id="a plugin that fails",
        ),
        pytest.param(
            {"exec": {**EXEC, "command": "echo", "args": ["no"]}},
            "exec: failed to decode process output",
            id="a plugin that says nonsense",
        ),
        pytest.param({"client-certificate-data": "AA=="}, "certificates", id="half a certificate"),
    ],
)
def test_a_kubeconfig_that_does_not_work_ends_the_start(
    tmp_path: Path, user: dict[str, Any], sentence: str
) -> None:
    """One sentence and exit 78: a person gave it, and a person has to correct it."""

    async def main() -> tuple[int | None, str]:
        async with served() as api:
            fill(api)
            api.token = "right"  # noqa: S105
            path = kubeconfig(tmp_path, api, **user)
            if "client-certificate-data" in user:
                path.write_text(path.read_text().replace("http://", "https://"))
            process = await asyncio.create_subprocess_exec(
                *command(tmp_path, path), stderr=subprocess.PIPE
            )
            async with asyncio.timeout(PATIENCE):
                _, errors = await process.communicate()
            return process.returncode, errors.decode()

    status, errors = asyncio.run(main())
    last = errors.strip().splitlines()[-1]
    assert status == EX_CONFIG, errors
    assert last.startswith("bgpd agent: kubeconfig ")
    assert sentence in last
    assert "Traceback" not in errors


def test_a_plugin_that_works_opens_the_door(tmp_path: Path) -> None:
    """Its token goes with every request."""
    given = {"apiVersion": EXEC["apiVersion"], "kind": "ExecCredential"}
    credential = json.dumps({**given, "status": {"token": "right"}})

    async def main() -> None:
        async with served() as api:
            fill(api)
            api.token = "right"  # noqa: S105
            user = {"exec": {**EXEC, "command": "echo", "args": [credential]}}
            path = kubeconfig(tmp_path, api, **user)
            speaker = Speaker()
            async with (
                Server(tmp_path / "speaker.sock", speaker, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: len(speaker.routes) == 1)

    asyncio.run(main())


def test_outside_of_a_pod_a_kubeconfig_must_be_named(tmp_path: Path) -> None:
    """Else the agent would look for a service account that nobody mounted."""
    line = [one for one in command(tmp_path, tmp_path) if "--source" not in one]
    environment = {key: value for key, value in os.environ.items() if "KUBE" not in key}
    done = subprocess.run(
        [*line, "--source=kubernetes"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=environment,
    )
    assert done.returncode == EX_CONFIG
    assert "use --source kubernetes:KUBECONFIG" in done.stderr


def test_a_start_without_our_kinds_is_one_complaint_and_its_end_one_more(tmp_path: Path) -> None:
    """Each kind is looked for by itself, but what is missing is one thing to tell."""
    log = tmp_path / "log"

    async def main() -> None:
        async with served() as api:
            fill(api)
            ours = [path for path in PATHS.values() if "bgpd.io" in path]
            for path in ours:
                api.uninstall(path)
            line = command(tmp_path, kubeconfig(tmp_path, api))
            with log.open("wb") as stderr:
                process = await asyncio.create_subprocess_exec(*line, stderr=stderr)
            try:
                await until(lambda: "KindNotInstalled" in log.read_text())
                await asyncio.sleep(1.5)
                assert _about_kinds(log) == ["warning"]
                api.install(*ours)
                await until(lambda: "is over" in log.read_text())
            finally:
                process.terminate()
                await process.wait()

    asyncio.run(main())
    last = log.read_text().splitlines()
    (end,) = [one for one in last if "SourceDegraded (KindNotInstalled) is over" in one]
    assert " info agent SourceDegraded reason=KindNotInstalled " in end


def _about_kinds(log: Path) -> list[str]:
    """Return the levels of what *log* says of kinds that are not installed."""
    return [one.split()[1] for one in log.read_text().splitlines() if "KindNotInstalled" in one]
