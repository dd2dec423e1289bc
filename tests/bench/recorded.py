"""An API server of objects as the real one told them, a process of its own, at any rate.

`python -m tests.bench.recorded DIRECTORY SERVICES` serves with the certificate in DIRECTORY and
says its port; a line `TURN OBJECTS RATE START` has it change that many EndpointSlices, once each.
The bytes are those of `recorded.json`, which is what the real server answered, managed fields and
all.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.kube.resource import resources
from tests.bench.agent import NAMESPACE
from tests.bench.objects import configuration, endpoint_slice, endpoints, service
from tests.bench.oracle import Document
from tests.chart.installed import EVENTS, STATUSES
from tests.fakes.apiserver import FakeApiServer, served

_RECORDED: Final[dict[str, Document]] = json.loads(
    Path(__file__).with_suffix(".json").read_text("utf-8")
)
_PATHS: Final = {one.kind: one.path for one in resources(NAMESPACE)}


def main() -> None:
    """Serve until the end of our input."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    directory = Path(sys.argv[1])
    tls.load_cert_chain(directory / "apiserver.crt", directory / "apiserver.key")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(tls, int(sys.argv[2])))


async def _serve(tls: ssl.SSLContext, services: int) -> None:
    async with served(tls) as server:
        server.install(*_PATHS.values(), STATUSES, EVENTS)
        for document in _objects(services):
            server.apply(_PATHS[document["kind"]], document)
        server.compact()
        print(server.port, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            turn, objects, rate, start = line.split()
            await _change(server, int(turn), int(objects), int(rate), float(start))
            print("changed", flush=True)


def _objects(services: int) -> Iterator[Document]:
    for document in configuration():
        yield _as_recorded(document)
    for number in range(services):
        made, status = service(number)
        yield _as_recorded({**made, "status": status})
        yield _as_recorded(endpoint_slice(number))


def _as_recorded(document: Document) -> Document:
    """Return *document* with everything that the real server adds to one of its kind."""
    found = _RECORDED[document["kind"]]
    whole = {**found, **document}
    for part in ("metadata", "spec", "status"):
        if part in found:
            whole[part] = {**found[part], **document.get(part, {})}
    return whole


async def _change(server: FakeApiServer, turn: int, objects: int, rate: int, start: float) -> None:
    """Change each of the first *objects* slices: away in an even *turn*, back in an odd one."""
    begin = start + turn * objects / rate
    for which in range(objects):
        await asyncio.sleep(max(0.0, begin + which / rate - time.monotonic()))
        whole = _as_recorded(endpoint_slice(which))
        server.apply(
            _PATHS["EndpointSlice"], {**whole, "endpoints": endpoints(which, here=turn % 2 == 1)}
        )


if __name__ == "__main__":
    main()
