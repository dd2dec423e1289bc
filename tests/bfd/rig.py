"""A node that speaks BFD, and real routers, in network namespaces on one bridge."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec
import pytest

from bgpd.model.peer import Peer
from tests.exabgp.space import ROOT, Space, eventually, need
from tests.lacking import lacking

NODE, NODE6 = "10.9.0.1", "fd09::1"
ROUTER, ROUTER6 = "10.9.0.2", "fd09::2"
FAR = "10.9.8.2"
"""An address of the router behind a hop."""
FRR = Path("/usr/lib/frr")
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
"""For programs of ours: entering a mount namespace loses the working directory."""


class Node:
    """The process of `tests.bfd.node` in a namespace."""

    def __init__(
        self, space: Space, directory: Path, memories: dict[str, Any] | None = None
    ) -> None:
        """Start it."""
        self._errors = (directory / "node.err").open("ab")
        self._directory = directory
        self.process = subprocess.Popen(
            space.wrap(sys.executable, "-m", "tests.bfd.node", json.dumps(memories or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=HERE,
        )
        self.heard: list[dict[str, Any]] = []
        self._partial = b""
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)

    def want(self, *peers: Peer) -> None:
        """Have sessions with *peers*."""
        self.tell(peers=[msgspec.to_builtins(one) for one in peers])

    def tell(self, **wish: object) -> None:
        """Write one line."""
        pipe: IO[bytes] | None = self.process.stdin
        assert pipe
        pipe.write(json.dumps(wish).encode() + b"\n")
        pipe.flush()

    def read(self) -> list[dict[str, Any]]:
        """Return what was said until now."""
        assert self.process.stdout
        data = self.process.stdout.read() or b""
        *lines, self._partial = (self._partial + data).split(b"\n")
        self.heard += [json.loads(line) for line in lines]
        return self.heard

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the notes of the log with this *name*."""
        return [one for one in self.read() if one.get("event") == name]

    @property
    def held(self) -> list[str]:
        """Whom ExaBGP would hold back now."""
        return next((one["hold"] for one in reversed(self.read()) if "hold" in one), [])

    @property
    def memories(self) -> dict[str, Any]:
        """What another process would go on with."""
        return next((one["memories"] for one in reversed(self.read()) if "memories" in one), {})

    def status(self) -> dict[str, Any]:
        """Return the status now."""
        before = len([one for one in self.read() if "status" in one])
        self.tell(status=True)
        eventually(
            lambda: len([one for one in self.read() if "status" in one]) > before, "a status"
        )
        found: dict[str, Any] = [one for one in self.heard if "status" in one][-1]["status"]
        return found

    def session(self, address: str = ROUTER) -> dict[str, Any]:
        """Return the status of one session."""
        found: dict[str, Any] = self.status()["sessions"][address]
        return found

    def until(self, state: str, address: str = ROUTER, seconds: float = 15.0) -> dict[str, Any]:
        """Wait until a session is in *state*."""
        deadline = time.monotonic() + seconds
        while (found := self.session(address))["state"] != state:
            if time.monotonic() > deadline:
                pytest.fail(f"{address} is not {state}: {found}; {self.errors()}")
            time.sleep(0.02)
        return found

    def errors(self) -> str:
        """Return what it wrote to stderr."""
        return (self._directory / "node.err").read_text()

    def close(self) -> None:
        """End it, as a crash would."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()
        self._errors.close()


class Bfd:
    """A node and a router on one link; end both with the context."""

    def __init__(self, directory: Path, *, prompt: bool = False) -> None:
        """Build the link; *prompt*: the router's programs run first, as on their own machine."""
        need("ip", "nft", "unshare", "nsenter", "bird", unproven="BFD with a real router")
        self.directory = directory
        self._before = ("chrt", "--rr", "1") if prompt else ()
        self.node_space, self.router_space = Space(), Space()
        self.nodes: list[Node] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        link = ("uplink", "type", "veth", "peer", "name", "downlink")
        subprocess.run(
            [
                "nsenter",
                "-t",
                self.node_space.pid,
                "-n",
                "ip",
                "link",
                "add",
                *link,
                "netns",
                self.router_space.pid,
            ],
            check=True,
        )
        for space, device, v4, v6 in (
            (self.node_space, "uplink", NODE, NODE6),
            (self.router_space, "downlink", ROUTER, ROUTER6),
        ):
            space.run("ip", "addr", "add", f"{v4}/24", "dev", device)
            space.run("ip", "addr", "add", f"{v6}/64", "dev", device, "nodad")
            space.run("ip", "link", "set", device, "up")

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        for node in self.nodes:
            node.close()
        for space in (self.node_space, self.router_space):
            space.close()
        for process in self._processes:
            process.wait()

    def node(self, *peers: Peer, memories: dict[str, Any] | None = None) -> Node:
        """Start a node that wants *peers*."""
        node = Node(self.node_space, self.directory, memories)
        self.nodes.append(node)
        node.want(*peers)
        return node

    def bird(self, protocol: str, *more: str) -> None:
        """Start BIRD with one BFD protocol of these options and neighbors."""
        (self.directory / "bird.conf").write_text(
            f"""
            log "{self.directory}/bird.log" all;
            router id 10.9.0.2;
            protocol device {{ scan time 1; }}
            protocol bfd b {{ debug all; {protocol} }}
            {" ".join(more)}
            """
        )
        socket = self.directory / "bird.ctl"
        self._processes.append(
            self.router_space.start(
                *(
                    *self._before,
                    "bird",
                    "-f",
                    "-c",
                    str(self.directory / "bird.conf"),
                    "-s",
                    str(socket),
                ),
                log=self.directory / "bird.out",
            )
        )
        eventually(socket.exists, "BIRD's control socket")

    def birdc(self, *words: str) -> str:
        """Return what birdc answers."""
        return self.router_space.run(
            "birdc", "-s", str(self.directory / "bird.ctl"), *words, check=False
        )

    def frr(self, configuration: str) -> None:
        """Start FRR's zebra and bfdd with this configuration of `bfd`."""
        if not (FRR / "bfdd").exists():
            lacking("FRR is not installed", unproven="BFD with FRR's bfdd")
        space = self.router_space
        space.run("mkdir", "-p", "/run/frr")
        space.run("mount", "-t", "tmpfs", "tmpfs", "/run/frr")
        # FRR insists on this membership; it holds in this mount namespace only.
        lines = Path("/etc/group").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("frrvty:")]
        group = self.directory / "group"
        group.write_text("\n".join([*kept, "frrvty:x:0:root"]) + "\n")
        space.run("mount", "--bind", str(group), "/etc/group")
        for daemon, text in (("zebra", ""), ("bfdd", configuration)):
            path = self.directory / f"{daemon}.conf"
            path.write_text(f"log file {self.directory}/{daemon}.log\n{text}")
            arguments = ("-f", str(path), "-A", "127.0.0.1", "-u", "root", "-g", "root")
            self._processes.append(
                space.start(
                    *(*self._before, str(FRR / daemon), *arguments),
                    log=self.directory / f"{daemon}.out",
                )
            )
            self._await_socket(f"/run/frr/{daemon}.vty")

    def _await_socket(self, path: str) -> None:
        eventually(
            lambda: not self.router_space.run("sh", "-c", f"test -S {path} || echo no"), path
        )

    def vtysh(self, *commands: str) -> str:
        """Return what FRR's shell answers."""
        words = [word for command in commands for word in ("-c", command)]
        return self.router_space.run("vtysh", "-d", "bfdd", *words, check=False)

    def frr_peers(self) -> list[dict[str, Any]]:
        """Return bfdd's own view of its sessions."""
        answer = self.vtysh("show bfd peers json")
        found: list[dict[str, Any]] = json.loads(answer) if answer.startswith("[") else []
        return found

    def silence(self, *, both_ways: bool = True) -> None:
        """Drop everything at the router, the link staying up.

        At one moment: a router that only hears nothing any more soon says so.
        """
        hooks = ("input", "output") if both_ways else ("input",)
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority -300; policy drop; }}; "
            for hook in hooks
        )
        self.router_space.run("nft", f"table inet cut {{ {chains}}}")

    def restore(self) -> None:
        """Drop nothing any more."""
        self.router_space.run("nft", "delete", "table", "inet", "cut")


def wait(look: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait until *look* finds something."""
    eventually(lambda: look() or None, what, seconds)


def has_sentence(sentences: Sequence[str], part: str) -> bool:
    """Return whether one of *sentences* says *part*."""
    return any(part in one for one in sentences)
