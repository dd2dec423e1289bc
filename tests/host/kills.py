"""Kill what works on a host's network at random moments, clean up, and compare: nothing is left.

    python -m tests.host.kills --rounds 100

Each round starts a process with the agent's parts for routes, addresses and default routes, which
changes what it wants every few milliseconds, kills it with SIGKILL, and cleans up, now and then
with the command. Routes, addresses, rules and settings must then be what they were.
"""

import argparse
import asyncio
import contextlib
import difflib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bgpd.host.cleanup import clean
from bgpd.host.inventory import KINDS
from bgpd.host.keeper import Keeper
from bgpd.host.wish import RouteWish, Wanted
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address
from tests.host.keeping import everything, steady
from tests.host.leaving import files, moving, write
from tests.host.net import FIRST, INSIDE, PATIENCE, SECOND, Story, play, run, told, until

ROUNDS: Final = "BGPD_TEST_ROUNDS"
_SEED: Final = "BGPD_TEST_SEED"
_STATE: Final = "BGPD_TEST_STATE"
_ROUND_SECONDS: Final = 30.0
_COMMAND_EVERY: Final = 10
_PEERS: Final = [Address(f"169.254.255.{number}") for number in range(1, 9)] + [
    Address(f"2001:db8:ff::{number}") for number in range(1, 9)
]
_EIPS: Final = [Address(f"203.0.113.{number}") for number in range(1, 9)] + [
    Address(f"2001:db8::{number}") for number in range(1, 9)
]
_GATEWAYS: Final = ("default", FIRST, SECOND)
_LOOKALIKES: Final = f"""
ip route add default nexthop via {FIRST[0]} weight 3 nexthop via {SECOND[0]}
ip route add default via {SECOND[0]} metric 70
ip route add default nexthop via {FIRST[1]} nexthop via {SECOND[1]}
ip route add 169.254.255.100 via {FIRST[0]} metric 179
ip route add 169.254.255.8 via {FIRST[0]}
ip route add 192.0.2.2 via {FIRST[0]} proto 179
ip route add 192.0.2.0/24 via {FIRST[0]} proto 179 metric 179
ip route add 192.0.2.3 via {FIRST[0]} proto 179 metric 179 table 100
ip rule add from 192.0.2.7 table 100
ip address add 203.0.113.8/32 dev lo
ip address add 192.0.2.9/32 dev lo label lo:bgp
ip address add 2001:db8::100/128 dev lo nodad
ip link add bgpd1 type bridge
ip link set bgpd1 group 179 up
ip address add 192.0.2.10/32 dev bgpd1
"""
"""What a host may have that looks like ours; some of it is in our way."""


def wishes(chance: random.Random) -> Wanted:
    """Return what somebody may want at some moment."""
    peers = chance.sample(_PEERS, chance.randrange(9))
    routes = []
    for peer in peers:
        gateway = chance.choice(_GATEWAYS)
        via = gateway if isinstance(gateway, str) else gateway[":" in peer]
        routes.append(RouteWish(peer=PeerName(peer), destination=peer, gateway=via))
    return Wanted(
        routes=tuple(routes),
        addresses=frozenset(chance.sample(_EIPS, chance.randrange(9))),
        interface=chance.random() < 0.8,
        keep=chance.random() < 0.1,
    )


async def victim() -> object:
    """Want something else every few milliseconds, until killed."""
    chance = random.Random(os.environ[_SEED])
    kinds = chance.choice((KINDS, KINDS, ("none",)))
    keeper = Keeper(lambda _: None, kinds=kinds)
    first = RouteWish(peer=PeerName("first"), destination=_PEERS[0], gateway="default")
    keeper.want(Wanted(routes=(first,), interface=True))
    async with asyncio.TaskGroup() as group, moving(Path(os.environ[_STATE])) as (egress, _):
        group.create_task(keeper.run())
        await until(lambda: keeper.status.routes, "something is done")
        print("working", flush=True)
        while True:
            await asyncio.sleep(chance.uniform(0.0, 0.03))
            keeper.want(wishes(chance))
            egress.set_down(chance.choice(((), FIRST, SECOND, FIRST + SECOND)))


async def kill_one(number: int, state: str, chance: random.Random) -> None:
    """Start a victim, let it work for a moment, and kill it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", __spec__.name, "victim"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, INSIDE: "1", _SEED: f"{number}", _STATE: state},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"working\n"
        await asyncio.sleep(chance.uniform(0.0, 0.25))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def tidy(number: int, state: str) -> int:
    """Clean up, now and then with the command; return how much was removed or put back."""
    if number % _COMMAND_EVERY:
        found = await asyncio.to_thread(clean, Path(state), write=write)
        assert not found.problems, found.problems
        return len(found.done)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "bgpd.ctl.daemon", "host", "cleanup"),
        *(f"--state-dir={state}", f"--run-dir={state}"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return len(output.splitlines())


async def compared(before: str, state: str) -> str:
    """Return what is not as it was; removed addresses take the kernel a moment."""
    with contextlib.suppress(AssertionError):
        await until(lambda: everything() == before, "all is as it was")
    left = files(Path(state))
    now = everything()
    found = difflib.unified_diff(before.splitlines(), now.splitlines(), n=0, lineterm="")
    return "\n".join([*found, *left])


async def rounds() -> object:
    """Kill and clean up, again and again; end at the first difference."""
    run(_LOOKALIKES)
    before = await steady()
    chance = random.Random(1)
    removed, differences = 0, ""
    done = 0
    with tempfile.TemporaryDirectory() as state:
        for number in range(int(os.environ[ROUNDS])):
            await kill_one(number, state, chance)
            # Now and then the next one finds what several have left.
            if chance.random() < 0.2:
                await kill_one(number + 1_000, state, chance)
            removed += await tidy(number, state)
            differences = await compared(before, state)
            if differences:
                break
            done += 1
    return {"rounds": done, "removed": removed, "differences": differences}


STORIES: Final[dict[str, Story]] = {story.__name__: story for story in (rounds, victim)}


def main() -> None:
    """Run as many rounds as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    wanted = parser.parse_args().rounds
    begun = time.monotonic()
    found = play(
        *("tests.host.kills", "rounds"),
        unproven="kills and cleanups",
        seconds=wanted * _ROUND_SECONDS,
        **{ROUNDS: str(wanted)},
    )
    print(json.dumps(found | {"seconds": round(time.monotonic() - begun)}, indent=2))
    if found["differences"]:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in STORIES:
        told(STORIES)
    else:
        main()
