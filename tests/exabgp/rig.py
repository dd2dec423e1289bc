"""Two network namespaces: the launcher in one, BIRD in the other."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from bgpd.model.peer import Peer, PeerState
from tests.exabgp.link import NODE_V4, NODE_V6, ROUTER_V4, ROUTER_V6, peer
from tests.exabgp.router import Router
from tests.exabgp.space import Space, eventually, need
from tests.exabgp.speaker import Speaker

_HOOKS = ("input", "output")


class Rig:
    """A node and a router on one link."""

    def __init__(self, directory: Path) -> None:
        """Build it."""
        programs = ("bird", "ip", "nft", "unshare", "nsenter", "pgrep")
        need(*programs, unproven="the launcher and the real ExaBGP with BIRD as the router")
        self.node_space = Space()
        self.router_space = Space()
        node, router = self.node_space.pid, self.router_space.pid
        link = ("uplink", "type", "veth", "peer", "name", "downlink")
        subprocess.run(
            ["nsenter", "-t", node, "-n", "ip", "link", "add", *link, "netns", router],
            check=True,
        )
        for space, device, v4, v6 in (
            (self.node_space, "uplink", NODE_V4, NODE_V6),
            (self.router_space, "downlink", ROUTER_V4, ROUTER_V6),
        ):
            space.run("ip", "addr", "add", f"{v4}/24", "dev", device)
            space.run("ip", "addr", "add", f"{v6}/64", "dev", device, "nodad")
            space.run("ip", "link", "set", device, "up")
        self.speaker = Speaker(self.node_space, directory)
        self.router = Router(self.router_space, directory)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        for space in (self.node_space, self.router_space):
            space.close()
        self.speaker.close()
        self.router.close()

    def cut(self) -> None:
        """Break every connection at both ends, and let nothing through until `mend`."""
        drop = "type filter hook {hook} priority 0; policy drop;"
        chains = "".join(f"chain {hook} {{ {drop.format(hook=hook)} }}; " for hook in _HOOKS)
        self.router_space.run("nft", f"table inet cut {{ {chains}}}")
        for space in (self.node_space, self.router_space):
            space.run("ss", "-K", "-t", "sport", "=", ":179", "or", "dport", "=", ":179")

    def mend(self) -> None:
        """Let packets through again."""
        self.router_space.run("nft", "delete", "table", "inet", "cut")

    def establish(self, *peers: Peer, session: str = "", without: Sequence[str] = ()) -> None:
        """Start both ends and wait for the session."""
        self.router.start("", session=session)
        self.speaker.start(*(peers or (peer(),)), without=without)
        self.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
        eventually(self.router.established, "established at BIRD")


@contextmanager
def rig(directory: Path) -> Iterator[Rig]:
    """Yield a rig; end it whatever happens."""
    with Rig(directory) as found:
        yield found
