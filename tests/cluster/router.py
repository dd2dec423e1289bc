"""The router of a cluster with nodes: BIRD, which takes routes from every node that asks.

It speaks both families to each node of the segment, waits to be asked, spreads flows over equal
paths, and holds nothing back. It offers nodes nothing: they have a default route. To a second
router of its own AS, where there is one, it tells what it knows.
"""

import shutil
from pathlib import Path
from typing import Final

from tests.cluster.net import ROUTER, SECOND

ASN: Final = 64513
NODES_ASN: Final = 64512
SOCKET: Final = "bird.ctl"
_CONFIGURATION: Final = f"""\
log stderr all;
router id {ROUTER};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export all; }}; merge paths on limit 64; }}
protocol kernel {{ ipv6 {{ export all; }}; merge paths on limit 64; }}
template bgp node {{
  local as {ASN};
  passive;
  graceful restart aware;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
protocol bgp four from node {{
  neighbor range 192.0.2.0/24 as {NODES_ASN};
  dynamic name "four_";
}}
protocol bgp six from node {{
  neighbor range 2001:db8:0:1::/64 as {NODES_ASN};
  dynamic name "six_";
}}
protocol bgp beside {{
  local {ROUTER} as {ASN};
  neighbor {SECOND} as {ASN};
  passive;
  direct;
  ipv4 {{ import none; export where source = RTS_BGP; }};
}}
"""


def prepare(directory: Path) -> list[str]:
    """Write the configuration into *directory*; return the command that runs in it."""
    (directory / "bird.conf").write_text(_CONFIGURATION)
    return [program(), "-f", "-c", "bird.conf", "-s", SOCKET, "-P", "bird.pid"]


def program() -> str:
    """Return where BIRD is: for root alone, on some machines."""
    return shutil.which("bird", path="/usr/sbin:/usr/bin:/sbin:/bin") or "bird"
