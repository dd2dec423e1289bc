"""A node boots: what its agent remembers of the time before, and what it does not believe of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from bgpd.agent.boot import FILE_NAME
from bgpd.ipc.message import AnyMessage, Delta, Desired
from tests.agent.running import running
from tests.agent.test_planner import ours
from tests.agent.test_probes import QUIET, SERVED, advertises, agent, heard
from tests.agent.test_start import write, written_to

STARTUP = {"patienceSeconds": 3, "delaySeconds": 0}


def policy(**startup: int) -> dict[str, object]:
    """Return a policy under which nothing of the node is looked at."""
    return ours("SpeakerPolicy", "p", health=QUIET, startup={**STARTUP, **startup})


def reboot(directory: Path, **kept: Any) -> None:
    """Let what is on the disk be of another boot."""
    path = directory / FILE_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another", **kept}))


async def first_words(directory: Path) -> Desired:
    """Return the first whole state that an agent tells."""
    async with agent(directory) as speaker:
        said = await heard(speaker, lambda one: isinstance(one, Desired))
        assert isinstance(said, Desired)
        return said


def accept(directory: Path, **startup: int) -> None:
    """Let an agent accept a served Service, and go."""
    write(directory / "documents", *SERVED, policy(**startup))
    assert len(asyncio.run(first_words(directory)).advertisements) == 1
    assert json.loads((directory / FILE_NAME).read_text())["opened"]


def test_what_is_remembered_is_the_last_resort_after_a_boot(tmp_path: Path) -> None:
    """Where the cluster cannot be read, patience comes first, and then doubt; not so otherwise."""
    accept(tmp_path)
    busy = tmp_path / "documents" / "more.json"

    async def meanwhile() -> Desired:
        async with running(written_to(busy)):
            return await first_words(tmp_path)

    with busy.open("w"):  # somebody still writes it
        said = asyncio.run(meanwhile())
        assert len(said.advertisements) == 1
        assert not said.standing.doubt
        reboot(tmp_path)
        said = asyncio.run(meanwhile())
        assert len(said.advertisements) == 1
        assert ["was not read since the node booted" in one for one in said.standing.doubt] == [
            True
        ]


def test_after_a_boot_the_delay_is_waited_for_and_first_routes_are_less_wanted(
    tmp_path: Path,
) -> None:
    """Nothing, then rank 240, then what is usual."""
    accept(tmp_path)
    write(tmp_path / "documents", *SERVED, policy(delaySeconds=1, slowStartSeconds=2))
    reboot(tmp_path)

    async def story() -> list[AnyMessage]:
        async with agent(tmp_path) as speaker:
            first = await heard(speaker, lambda one: isinstance(one, Desired))
            slow = await heard(speaker, advertises)
            usual = await heard(speaker, advertises)
            return [first, slow, usual]

    first, slow, usual = asyncio.run(story())
    assert isinstance(first, Desired)
    assert first.advertisements == ()
    assert [_rank(one) for one in (slow, usual)] == [240, 0]


def _rank(message: AnyMessage) -> int:
    assert isinstance(message, Desired | Delta)
    routes = message.advertisements if isinstance(message, Desired) else message.advertise
    return routes[0].rank


def test_a_restart_in_the_same_boot_waits_for_no_delay(tmp_path: Path) -> None:
    """An upgrade of the agent is no boot."""
    accept(tmp_path)
    write(tmp_path / "documents", *SERVED, policy(delaySeconds=3600, slowStartSeconds=3600))
    said = asyncio.run(first_words(tmp_path))
    assert [one.rank for one in said.advertisements] == [0]


def test_kube_proxy_that_was_here_is_waited_for(tmp_path: Path) -> None:
    """It is not back within our patience, so the node advertises in doubt."""
    accept(tmp_path)
    url = "http://127.0.0.1:9/healthz"
    asked = ours("SpeakerPolicy", "p", health={**QUIET, "kubeProxy": url}, startup=STARTUP)
    write(tmp_path / "documents", *SERVED, asked)
    reboot(tmp_path, heard=["kube-proxy"])

    async def story() -> tuple[AnyMessage, AnyMessage]:
        async with agent(tmp_path) as speaker:
            first = await heard(speaker, lambda one: isinstance(one, Desired))
            then = await heard(speaker, advertises)
            return first, then

    first, then = asyncio.run(story())
    assert isinstance(first, Desired)
    assert first.advertisements == ()
    assert _rank(then) == 0
    assert json.loads((tmp_path / FILE_NAME).read_text())["missed"] == ["kube-proxy"]
    again = asyncio.run(first_words(tmp_path))
    assert len(again.advertisements) == 1
    assert again.standing.doubt == ("kube-proxy was not healthy since the boot",)
