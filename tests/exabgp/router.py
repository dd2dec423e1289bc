"""BIRD in a namespace, and the kernel that it writes routes to."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.exabgp.link import NODE_V4, NODE_V6, ROUTER_V4, ROUTER_V6
from tests.exabgp.space import Space, eventually


class Router:
    """BIRD, and the kernel that it writes routes to."""

    def __init__(self, space: Space, directory: Path) -> None:
        """Prepare a router in *space*."""
        self.space = space
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = directory / "bird.ctl"

    def start(self, protocols: str, *, session: str = "") -> None:
        """Start BIRD with *protocols*, or with one session that has the options *session*."""
        body = protocols or bird_session(options=session)
        (self.directory / "bird.conf").write_text(
            f"""
            log "{self.directory}/bird.log" all;
            router id 10.9.0.2;
            protocol device {{ scan time 1; }}
            protocol direct {{ ipv4; ipv6; }}
            protocol kernel k4 {{ ipv4 {{ export where source = RTS_BGP; }}; }}
            protocol kernel k6 {{ ipv6 {{ export where source = RTS_BGP; }}; }}
            {body}
            """
        )
        self._process = self.space.start(
            *("bird", "-f", "-c", str(self.directory / "bird.conf"), "-s", str(self._socket)),
            log=self.directory / "bird.out",
        )
        eventually(self._socket.exists, "BIRD's control socket")

    def kill(self) -> None:
        """End BIRD with SIGKILL."""
        for pid in self.space.run("pgrep", "-x", "bird").split():
            self.space.run("kill", "-KILL", pid)
        self.close()
        with suppress(FileNotFoundError):
            self._socket.unlink()

    def close(self) -> None:
        """Wait for its end."""
        if self._process:
            # nsenter stops when the program does, and would then not see it end.
            self._process.send_signal(signal.SIGCONT)
            self._process.wait()

    def ask(self, question: str) -> str:
        """Return what birdc answers."""
        return self.space.run("birdc", "-s", str(self._socket), *question.split(), check=False)

    def log(self) -> str:
        """Return BIRD's log."""
        return (self.directory / "bird.log").read_text()

    def prefixes(self) -> set[str]:
        """Return the BGP prefixes in the kernel."""
        found = set()
        for family, length in (("-4", "32"), ("-6", "128")):
            for line in self.space.run("ip", family, "route", "show", "proto", "bird").splitlines():
                if not line.startswith((" ", "\t")):
                    text = line.split()[0]
                    found.add(text if "/" in text else f"{text}/{length}")
        return found

    def established(self, name: str = "node") -> bool:
        """Whether the session is established at this end."""
        return "Established" in self.ask(f"show protocols {name}")


def bird_session(
    name: str = "node",
    neighbor: str = NODE_V4,
    local: str = ROUTER_V4,
    options: str = "",
    channels: str = "ipv4 { import all; export none; };",
    peer_asn: int = 65000,
) -> str:
    """Return one BGP protocol of BIRD."""
    return (
        f"protocol bgp {name} {{ local {local} as 65530; neighbor {neighbor} as {peer_asn}; "
        f"hold time 90; multihop; passive on; {options} {channels} }}\n"
    )


EXTENDED = bird_session(
    neighbor=NODE_V6,
    local=ROUTER_V6,
    channels=(
        "ipv4 { import all; export none; extended next hop on; };ipv6 { import all; export none; };"
    ),
)
