"""A second router beside the first, whose sessions with nodes have a TCP MD5 key.

```
with SecondRouter(cluster, "secret") as second:
    second.take_password("another")
    second.established()                  # {"n1", "n2", "n3"}
```

Both are of one AS and hear each other, as a pair in a rack does: without a session with a node of
its own it sends by what the first one tells.
"""

import subprocess
from typing import Final, Self

from tests.cluster import net
from tests.cluster.error import ClusterError
from tests.cluster.net import ROUTER, SECOND
from tests.cluster.nodecluster import NodeCluster
from tests.cluster.processes import Launcher
from tests.cluster.router import ASN, NODES_ASN, program

_CONFIGURATION: Final = f"""\
log stderr all;
router id {SECOND};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export all; }}; merge paths on limit 64; }}
protocol bgp beside {{
  local {SECOND} as {ASN};
  neighbor {ROUTER} as {ASN};
  direct;
  connect delay time 1;
  connect retry time 1;
  ipv4 {{ import all; export none; gateway direct; }};
}}
template bgp node {{
  local {SECOND} as {ASN};
  passive;
  ipv4 {{ import all; export none; }};
}}
"""


def configuration(nodes: dict[str, str], password: str) -> str:
    """Return what BIRD reads; *nodes* are their addresses by name. Pure."""
    return _CONFIGURATION + "".join(
        f"protocol bgp {name} from node {{ neighbor {address} as {NODES_ASN};"
        f' password "{password}"; }}\n'
        for name, address in nodes.items()
    )


class SecondRouter:
    """BIRD in a namespace of its own, from `with` to the end of it."""

    def __init__(self, cluster: NodeCluster, password: str) -> None:
        """Ask *password* of every node of *cluster*."""
        self._cluster, self._password = cluster, password
        self._nodes = {node.name: node.addresses[0] for node in cluster.nodes.values()}
        self._file = cluster.directory / "second.conf"

    def __enter__(self) -> Self:
        """Lay its cables and start it."""
        net.lay_second(len(self._nodes))
        self._file.write_text(configuration(self._nodes, self._password))
        self._place = Launcher(net.path("second"))
        directory = self._cluster.directory
        line = [program(), "-f", "-c", self._file.name, "-s", "second.ctl", "-P", "second.pid"]
        self._process = self._place.start(line, directory, directory / "second.log")
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and take its cables."""
        self._process.kill()
        self._process.wait()
        self._place.close()
        net.remove_second()

    def take_password(self, password: str) -> None:
        """Ask another password of every node from now on."""
        self._file.write_text(configuration(self._nodes, password))
        told = self._ask("configure")
        if "Reconfigured" not in told and "Reconfiguration in progress" not in told:
            raise ClusterError(f"the second router: {told.strip()}")

    def established(self) -> set[str]:
        """Return the nodes that it has a session with."""
        rows = [line.split() for line in self._ask("show", "protocols").splitlines()]
        return {
            row[0] for row in rows if row and row[0] in self._nodes and row[-1] == "Established"
        }

    def _ask(self, *words: str) -> str:
        done = subprocess.run(
            ["birdc", "-s", "second.ctl", *words],
            cwd=self._cluster.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout
