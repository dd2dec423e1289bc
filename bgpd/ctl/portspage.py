"""The page of ports and firewall rules, written from the one table of ports."""

from collections.abc import Iterator
from typing import Final

from bgpd.model.port import BFD_MULTIHOP_PORT, BFD_PORT, MESH_PORT, PORTS, Port, port

_HEAD: Final = """\
# Ports and firewall rules

<!-- Written by scripts/docs from bgpd/model/port.py; do not edit. -->

| port | who listens | who connects | what it carries | moved by |
| --- | --- | --- | --- | --- |
"""
_TEXT: Final = """\

All ports that we listen on are below 30000, where NodePorts (30000 to 32767) and ephemeral ports
begin, and none is one of MetalLB's (7472, 7473, 7572, 7573, 7946): both can run on a node during a
migration. Metrics and health are served on 127.0.0.1 unless `--metrics-address` says otherwise.
`bgpctl doctor --only ports,tcp,mesh` looks at all of it.

## Rules for a node

With nftables, where `ROUTERS`, `NODES` and `PROMETHEUS` are your addresses:

```text
"""
_END: Final = """\
```

Outgoing BGP, mesh, BFD and ICMP must be let out where the output is filtered, too. On the routers
TCP port 179 is open to the nodes. A NetworkPolicy does not apply to pods in the host's network, as
the speaker and the agent are.
"""
_SERVE: Final = ("speaker", "agent", "controller")


def page() -> str:
    """Return the page."""
    rows = "".join(f"{_row(one)}\n" for one in PORTS)
    rules = "".join(f"{rule}\n" for rule in _rules())
    return f"{_HEAD}{rows}{_TEXT}{rules}{_END}"


def _row(one: Port) -> str:
    number = f"{one.number}/{one.transport.value}"
    return f"| {number} | {one.listens} | {one.connects} | {one.carries} | {one.option or '-'} |"


def _rules() -> Iterator[str]:
    yield "table inet filter {"
    yield "  chain input {"
    yield "    type filter hook input priority filter; policy drop;"
    yield "    ct state established,related accept        # BGP: we connect, answers come back"
    yield f"    ip saddr NODES udp dport {MESH_PORT} accept         # mesh"
    yield "    ip saddr NODES icmp type echo-request accept   # mesh: is a kernel alive"
    yield f"    ip saddr ROUTERS udp dport {{ {BFD_PORT}, {BFD_MULTIHOP_PORT} }} accept"
    metrics = ", ".join(str(port(f"{name}-metrics").number) for name in _SERVE)
    yield f"    ip saddr PROMETHEUS tcp dport {{ {metrics} }} accept"
    yield f"    ip saddr NODES tcp dport {port('probe').number} accept         # bgpctl probe"
    yield "  }"
    yield "}"
