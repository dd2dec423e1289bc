"""The story of an agent that is asked to leave a host on which it had added things."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from bgpd.ipc.ask import ask
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Ask, Desired
from bgpd.ipc.server import Server
from bgpd.model.errors import BgpdError
from tests.agent.test_departing import STATUSES, Reporting, asked, request
from tests.agent.test_kubernetes import agent, kubeconfig
from tests.fakes.apiserver import served
from tests.host.cleaning import documents
from tests.host.keeping import bound, everything, routes, steady
from tests.host.net import FIRST, Story, run, told, until
from tests.kube.follow import PATHS


class Watching(Reporting):
    """A speaker that notes what the host still had when it was told to withdraw everything."""

    def __init__(self) -> None:
        super().__init__()
        self.still: list[list[str]] = []

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Follow, and look at the host when nothing is to be advertised any more."""
        if self.routes and isinstance(message, Desired) and not message.advertisements:
            self.still.append([*routes(), *bound()])
        super().received(connection, message)


def cleaned(directory: Path) -> str:
    """Return the sentence by which the agent says that its host is clean; empty: it does not."""
    try:
        content = ask(directory / "agent.sock", Ask(question="status"), timeout=5).content
    except BgpdError:
        return ""
    assert isinstance(content, dict)
    conditions = [one for one in content["conditions"] if one["type"] == "Cleaned"]
    return next((one["message"] for one in conditions if one["status"]), "")


async def leaves() -> object:
    """Have a real agent add a route and an address, and ask it to leave by the API."""
    run(f"ip route add default via {FIRST[0]}")
    before = await steady()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with served() as api:
            api.install(*PATHS.values())
            for one in documents():
                api.apply(PATHS[str(one["kind"])], one)
            speaker = Watching()
            async with (
                Server(directory / "speaker.sock", speaker, program="fake"),
                agent(directory, kubeconfig(directory, api)),
            ):
                await until(lambda: speaker.routes and routes() and bound(), "what it adds")
                added = [routes(), bound()]
                api.apply(STATUSES, asked(request(60)))
                async with asyncio.timeout(30):
                    while not (said := await asyncio.to_thread(cleaned, directory)):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                await until(lambda: everything() == before, "all is as it was")
                # Nothing comes back while it still runs, whatever changes.
                run("ip link set eth1 down && ip link set eth1 up")
                await asyncio.sleep(2.0)
                left = [routes(), bound()]
    return {"added": added, "still": speaker.still, "said": said, "left": left}


STORIES: Final[dict[str, Story]] = {leaves.__name__: leaves}

if __name__ == "__main__":
    told(STORIES)
