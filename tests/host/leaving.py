"""Stories about default routes that avoid a router, told by the kernel."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bgpd.disk import Write, carry_out
from bgpd.host.egress import Egress, put_back
from bgpd.model.prefix import Address
from tests.host.net import FIRST, INSIDE, PATIENCE, SECOND, Story, powerless, run, told, until

_BOTH: Final = f"""
ip route add default nexthop via {FIRST[0]} weight 3 nexthop via {SECOND[0]}
ip route add default nexthop via {FIRST[1]} nexthop via {SECOND[1]}
"""


def write(path: Path, content: bytes) -> str:
    """Write a file as the agent does."""
    return carry_out(Write(path=path, content=lambda: [content], done=lambda _: None))


def routes() -> list[str]:
    """Return the default routes as `ip` prints them, IPv4 first."""
    shown = run("ip -o -4 route show default; ip -o -6 route show default")
    return [" ".join(line.replace("\\", " ").split()) for line in shown.splitlines()]


def files(directory: Path) -> list[str]:
    """Return what is left in the state directory."""
    return sorted(path.name for path in directory.iterdir())


@asynccontextmanager
async def moving(directory: Path) -> AsyncIterator[tuple[Egress, list[str]]]:
    """Run an egress; also return what it reported."""
    reports: list[str] = []
    egress = Egress(directory, write=write, changed=lambda: reports.extend(egress.outcome.reports))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(egress.run())
        yield egress, reports
        task.cancel()


async def avoided(egress: Egress, *routers: Address) -> list[str]:
    """Say what is down, and return the default routes once nothing moves any more."""
    before, done = routes(), egress.outcome
    egress.set_down(routers)
    await until(lambda: routes() != before, f"away from {routers}")
    await until(lambda: egress.outcome is not done, "both families are done")
    await settled()
    return routes()


async def settled() -> None:
    """Wait until the routes stay as they are."""
    seen: list[list[str]] = [[], routes()]
    while seen[-1] != seen[-2]:
        await asyncio.sleep(0.3)
        seen.append(routes())


async def around() -> object:
    """Take out one router, the other, both, none; and one at the end."""
    run(_BOTH)
    original = routes()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with moving(directory) as (egress, reports):
            first = await avoided(egress, *FIRST)
            second = await avoided(egress, *SECOND)
            back = await avoided(egress, *FIRST, *SECOND) == original
            empty = files(directory)
            await avoided(egress, *FIRST)
            kept = files(directory)
        return {
            "first": first,
            "second": second,
            "never the last": back,
            "files": [empty, kept, files(directory)],
            "as found": routes() == original,
            "reports": reports,
        }


async def settings() -> object:
    """Move a route that has all that a route may have; and borrow a way from another."""
    run(
        "ip route add default metric 50 src 10.0.0.1 mtu 1400 proto dhcp"
        f" nexthop via {FIRST[0]} dev eth0 onlink nexthop via {SECOND[0]};"
        f"ip route add default via {SECOND[0]} metric 70;"
        f"ip route add default via {FIRST[1]} dev eth0 metric 60 mtu 1300 pref high;"
        f"ip route add default via {SECOND[1]} metric 80"
    )
    original = routes()
    with tempfile.TemporaryDirectory() as name:
        async with moving(Path(name)) as (egress, reports):
            moved = await avoided(egress, *FIRST)
            again = await avoided(egress) == original
            await avoided(egress, *FIRST)
        return {
            "moved": moved,
            "back": again and routes() == original,
            "reports": reports,
        }


async def killed() -> object:
    """Kill the process while routes are moved; then put them back, and go on in another."""
    run(_BOTH)
    original = routes()
    seen = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for _ in range(2):
            await _die(directory)
            seen.append(routes() != original)
            outcome = await put_back(directory, write=write)
            seen.append(routes() == original and not outcome.problems and not files(directory))
        await _die(directory)
        moved = routes()
        async with moving(directory) as (egress, reports):
            await asyncio.sleep(0.5)
            seen.append(routes() == moved)  # nothing is known yet: nothing changes
            egress.set_down(FIRST)
            await asyncio.sleep(0.5)
            seen.append(routes() == moved)
            seen.append(await avoided(egress) == original)
        seen.append(not reports)
        (directory / "egress.json").write_text("{")
        broken = await put_back(directory, write=write)
        seen.append(not broken.problems and routes() == original)
    return seen


async def _die(directory: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", __spec__.name, "stuck"),
        env={**os.environ, INSIDE: str(directory)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert await process.stdout.readline() == b"moved\n"
    await settled()
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def stuck() -> object:
    """Move the routes, and stay."""
    async with moving(Path(os.environ[INSIDE])) as (egress, _):
        done = egress.outcome
        egress.set_down(FIRST)
        await until(lambda: egress.outcome is not done, "both families are done")
        print("moved", flush=True)
        await asyncio.sleep(60.0)
    return None


async def somebody() -> object:
    """Have others change what we have changed."""
    run(_BOTH)
    seen: list[object] = []
    with tempfile.TemporaryDirectory() as name:
        async with moving(Path(name)) as (egress, reports):
            await avoided(egress, *FIRST)
            run(f"ip route replace default via {FIRST[0]}; ip -6 route delete default")
            await until(lambda: len(reports) == 2, "both are noticed")
            seen.append(routes())
            run(f"ip route add default nexthop via {FIRST[1]} nexthop via {SECOND[1]}")
            await until(lambda: "proto 179" in routes()[1], "a new route is a new beginning")
            await settled()
            seen.append(routes())
        seen.append(routes())
    return {"seen": seen, "reports": sorted(reports)}


async def cut() -> object:
    """Set the interface down by which the moved routes leave; bring it back, addresses and all."""
    run(_BOTH)
    original = routes()
    with tempfile.TemporaryDirectory() as name:
        async with moving(Path(name)) as (egress, reports):
            moved = await avoided(egress, *FIRST)
            run("ip link set eth1 down")
            await until(lambda: len(routes()) == 2 and routes() != moved, "something is left")
            await settled()
            left = routes()
            run("ip link set eth1 up; ip address add fd00:1::1/64 dev eth1 nodad")
            await until(lambda: routes() == moved, "by the living router again")
            run("ip -4 address flush dev eth1")
            await until(lambda: len(routes()) == 2 and routes() != moved, "something is left")
            await settled()
            unnumbered = routes()
            run("ip address add 10.0.1.1/24 dev eth1")
            await until(lambda: routes() == moved, "by the living router once more")
            egress.set_down(())
            await until(lambda: routes() == original, "as it was")
        return {
            "left": left,
            "unnumbered": unnumbered,
            "reports": reports,
            "files": files(Path(name)),
        }


async def refused() -> object:
    """Put both families back when one cannot be."""
    run(_BOTH)
    original = routes()
    with tempfile.TemporaryDirectory() as name:
        async with moving(Path(name)) as (egress, _):
            await avoided(egress, *FIRST)
            run("ip address add 10.9.0.1/24 dev eth0; ip address delete 10.0.0.1/24 dev eth0")
            egress.set_down(())
            await until(lambda: routes()[1] == original[1], "the other family is back")
            await until(lambda: egress.outcome.problems, "it is said")
            problems = egress.outcome.problems
        return [[routes()[0], routes()[1] == original[1]], problems, files(Path(name))]


async def daemon() -> object:
    """Find the default route in the hands of a routing daemon."""
    run(f"ip route add default proto zebra nexthop via {FIRST[0]} nexthop via {SECOND[0]}")
    original = routes()
    with tempfile.TemporaryDirectory() as name:
        async with moving(Path(name)) as (egress, _):
            egress.set_down(FIRST)
            await until(lambda: egress.outcome.problems, "it is said")
            return [egress.outcome.problems, routes() == original]


async def no_disk() -> object:
    """Have nothing to remember the routes in."""
    run(_BOTH)
    original = routes()
    async with moving(Path("/nowhere")) as (egress, _):
        egress.set_down(FIRST)
        await until(lambda: egress.outcome.problems, "it is said")
        return [egress.outcome.problems, routes() == original]


async def unprivileged() -> object:
    """Move routes without any capability."""
    run(_BOTH)
    with tempfile.TemporaryDirectory() as name:
        return await powerless(__spec__.name, "no_right", name)


async def no_right() -> object:
    """Try to."""
    async with moving(Path(os.environ[INSIDE])) as (egress, _):
        egress.set_down(FIRST)
        await until(lambda: egress.outcome.problems, "it is said")
        return egress.outcome.problems


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        *(around, settings, killed, stuck, somebody, cut, refused, daemon, no_disk),
        *(unprivileged, no_right),
    )
}

if __name__ == "__main__":
    told(STORIES)
