"""One member of a mesh of two on loopback: `python -m tests.mesh.clockpair NAME KEYFILE PORT`.

It says after a while how the other one's monotonic clock stands to its own, as one line of JSON,
and goes on until it is ended, since the other one may still be asking.
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from bgpd.ipc.message import Desired
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.state import KeptMesh
from bgpd.speaker.wire import MeshWire

SECONDS = 3.0
LONGEST = 20.0
PLACES = {"n1": Address("127.0.0.1"), "n2": Address("127.0.0.2")}


async def beat(name: str, key_file: Path, port: int) -> None:
    """Beat until the other's clock is known for a while, then tell of it."""

    def stirred() -> None:
        wire.send()

    loop = asyncio.get_running_loop()
    wire = MeshWire(
        node=NodeName(name),
        key_file=key_file,
        kept=KeptMesh(),
        log=logging.getLogger(name),
        stirred=stirred,
    )
    members = tuple(
        Member(name=NodeName(one), address=address, port=port) for one, address in PLACES.items()
    )
    desired = DesiredState.of(
        Desired(
            sequence=1, node=NodeName(name), cluster_uid="c", members=members, peers=(),
            pools=(), advertisements=(), mesh_address=PLACES[name],
        )
    )  # fmt: skip
    mesh = wire.make_mesh(desired, loop.time())
    known_since, end = float("inf"), loop.time() + LONGEST
    while loop.time() < min(end, known_since + SECONDS):
        wire.listen(desired, loop.time())
        wire.handle_timer()
        wire.send()
        mesh.events()
        if mesh.clocks(loop.time()):
            known_since = min(known_since, loop.time())
        await asyncio.sleep(max(0.0, min(mesh.deadline() - loop.time(), 0.04)))
    (clock,) = mesh.clocks(loop.time())
    told = {"clock": time.monotonic(), "member": clock.member}
    told |= {"offset": clock.milliseconds, "uncertainty": clock.uncertainty_milliseconds}
    print(json.dumps(told), flush=True)
    while True:
        wire.handle_timer()
        wire.send()
        await asyncio.sleep(0.04)


if __name__ == "__main__":
    asyncio.run(beat(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
