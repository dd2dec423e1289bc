"""What is around the node on which the values are tried: routers, a metadata server, a listener.

Each router is a BIRD with an address of its own, because one BIRD has no two sessions with the same
address; what a router was offered is asked of it. Heartbeats are read as another member would.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bgpd.mesh.packet import decode
from bgpd.mesh.seal import Refusal, Sealer, key_id
from tests.chart.confined import network, run
from tests.cluster.processes import Launcher

NODE, OTHER, METADATA = "10.9.0.2", "10.9.0.1", "169.254.169.254"
ROUTERS: Final = {
    "plain": ("10.9.0.1", 64601, ""),
    "mounted": ("10.9.0.3", 64602, "of-a-file"),
    "watched": ("10.9.0.4", 64603, "of-the-api"),
}
"""Address, autonomous system and password of each router."""
_PORT: Final = 7179
_DOCUMENT: Final = {
    "bgp": {
        "ipv4": {
            "my-address": "",
            "my-asn": "64513",
            "peer-address": "10.9.0.5",
            "peer-asn": "64604",
        }
    }
}
_ROUTER: Final = """
router id {address};
protocol device {{}}
protocol kernel {{ ipv4 {{ export none; }}; }}
protocol bgp node {{
    local {address} as {asn};
    neighbor {node} external;
    strict bind; passive;
    {password}
    ipv4 {{ import all; export none; }};
}}
"""
_ROUTE: Final = re.compile(r"(?m)^(?=\d+\.)")


class Surroundings:
    """The routers and the listeners of a node in our own namespaces."""

    def __init__(self, home: Path) -> None:
        """Make the network and start everything."""
        network()
        run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
        for address, _, _ in ROUTERS.values():
            if address != OTHER:
                run("ip", "-n", "router", "address", "add", f"{address}/24", "dev", "eth0")
        self._asked = home / "asked.jsonl"
        known = {address: {"/v1.json": _DOCUMENT} for address in (METADATA, NODE)}
        (home / "documents.json").write_text(json.dumps(known))
        self._home = home
        for name, (address, asn, password) in ROUTERS.items():
            secret = f'password "{password}";' if password else ""
            (home / f"{name}.conf").write_text(
                _ROUTER.format(address=address, asn=asn, node=NODE, password=secret)
            )
            bird = ("bird", "-f", "-c", str(home / f"{name}.conf"), "-s", str(self._control(name)))
            subprocess.Popen(["ip", "netns", "exec", "router", *bird])
        metadata = (sys.executable, "-m", "tests.lab.metadata", str(home), METADATA)
        subprocess.Popen(metadata)
        self._ear = Launcher(Path("/run/netns/router")).call(_listener)

    def sessions(self) -> list[str]:
        """Return the routers whose session is established."""
        words = ("show", "protocols", "node")
        return sorted(name for name in ROUTERS if "Established" in self._birdc(name, *words))

    def routes(self) -> dict[str, dict[str, str]]:
        """Return for each prefix what each router was told of it, in BIRD's words."""
        found: dict[str, dict[str, str]] = {}
        for name in ROUTERS:
            for text in _ROUTE.split(self._birdc(name, "show", "route", "all"))[1:]:
                prefix, _, attributes = text.partition(" ")
                found.setdefault(prefix, {})[name] = attributes
        return found

    def asked(self) -> list[str]:
        """Return what the metadata server was asked for until now."""
        if not self._asked.exists():
            return []
        rows = self._asked.read_text().splitlines()
        return sorted({json.loads(row)["path"] for row in rows})

    def heartbeat(self, keys: dict[str, bytes], clusters: Iterable[str]) -> dict[str, Any]:
        """Return which of *keys* and *clusters* the next heartbeat is of, and what it accepts."""
        self._ear.setblocking(False)
        try:
            while self._ear.recv(1 << 16):  # what has come before is old
                pass
        except BlockingIOError:
            self._ear.settimeout(5)
        try:
            data = self._ear.recv(1 << 16)
        except TimeoutError:
            return {}
        names = {key_id(key): name for name, key in keys.items()}
        for cluster in clusters:
            for name, key in keys.items():
                body = Sealer(keys=[key], cluster_uid=cluster).open(data)
                if not isinstance(body, Refusal):
                    accepted = [names.get(one, "another") for one in decode(body).key_ids]
                    return {"cluster": cluster, "key": name, "accepted": accepted}
        return {"cluster": "another", "key": "another", "accepted": []}

    def _control(self, name: str) -> Path:
        return self._home / f"{name}.ctl"

    def _birdc(self, name: str, *words: str) -> str:
        line = ("birdc", "-s", str(self._control(name)), *words)
        return subprocess.run(line, check=False, capture_output=True, text=True).stdout


def _listener() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind((OTHER, _PORT))
    return found
