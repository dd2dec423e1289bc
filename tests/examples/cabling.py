"""How a server is cabled at its provider, and what its routers are told. Pure.

```
the host ── eth0 ─ gateway ─ core ── routers, metadata
```

Three network namespaces. The gateway is one hop, as at every provider: what the host sends with too
small a TTL, or on a way that is none, does not arrive.
"""

from collections.abc import Iterator
from typing import Final

from tests.examples.sites import Site, version_of

AT_GATEWAY: Final = ("nsenter", "--net=/run/netns/gateway", "--")
AT_ROUTERS: Final = ("nsenter", "--net=/run/netns/routers", "--")
_BITS: Final = {4: 32, 6: 128}
_CORE: Final = {4: ("10.94.0.0", "10.94.0.1", 31), 6: ("2001:db8:94::a", "2001:db8:94::b", 127)}
"""IP version -> the gateway's end of the core, the routers' end, and the length."""
_START: Final = f"""\
set -e
ip netns add gateway
ip netns add routers
ip link add eth0 type veth peer name eth0 netns gateway
ip -n gateway link add core type veth peer name core netns routers
{" ".join(AT_GATEWAY)} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"""


def script(site: Site) -> str:
    """Return the shell script that lays the cables, run in the host's namespace."""
    return _START + "\n".join((*_links(), *_host(site), *_gateway(site), *_routers(site))) + "\n"


def _links() -> Iterator[str]:
    yield "ip link set eth0 up"
    for space, names in {"gateway": ("lo", "eth0", "core"), "routers": ("lo", "core")}.items():
        for name in names:
            yield f"ip -n {space} link set {name} up"


def _add(address: str, device: str, space: str = "") -> str:
    at = f"-n {space} " if space else ""
    nodad = " nodad" if version_of(address) == 6 else ""
    return f"ip {at}address add {address} dev {device}{nodad}"


def _host(site: Site) -> Iterator[str]:
    for address in site.addresses:
        yield _add(address, "eth0")
    defaults = {version_of(one): one.partition("/")[0] for one in reversed(site.gateways)}
    for version, gateway in defaults.items():
        yield f"ip -{version} route add default via {gateway} dev eth0"


def _gateway(site: Site) -> Iterator[str]:
    for address in site.gateways:
        yield _add(address, "eth0", "gateway")
    for here, _, length in _CORE.values():
        yield _add(f"{here}/{length}", "core", "gateway")
    for address in _served(site):
        version = version_of(address)
        yield f"ip -n gateway route add {address}/{_BITS[version]} via {_CORE[version][1]}"
    if 6 in site.sources:
        yield f"ip -n gateway route add {site.sources[6]}/128 dev eth0"


def _routers(site: Site) -> Iterator[str]:
    for version, (there, here, length) in _CORE.items():
        yield _add(f"{here}/{length}", "core", "routers")
        yield f"ip -{version} -n routers route add default via {there}"
    for address in _served(site):
        yield _add(f"{address}/{_BITS[version_of(address)]}", "lo", "routers")


def _served(site: Site) -> tuple[str, ...]:
    """Return every address of the provider's own, once."""
    more = (site.told.address,) if site.told else ()
    return tuple(dict.fromkeys((*site.routers, *more)))


def refusals(site: Site) -> str:
    """Return rules for nft, by which no session comes to be with another source or TTL."""
    words = {4: ("ip saddr", "ip ttl"), 6: ("ip6 saddr", "ip6 hoplimit")}
    lines = [
        f"  meta nfproto ipv{version} tcp dport 179 {words[version][0]} != {source} counter drop\n"
        f"  meta nfproto ipv{version} tcp dport 179 {words[version][1]} != {site.ttl - 1} counter"
        " drop"
        for version, source in site.sources.items()
    ]
    chain = "\n".join(("  type filter hook input priority 0; policy accept;", *lines))
    return f"table inet refusals {{\n chain input {{\n{chain}\n }}\n}}\n"


def bird(site: Site, router: str) -> str:
    """Return the configuration of one router."""
    session = version_of(router)
    channels = " ".join(
        _channel(site, family, accepted, foreign=family != session)
        for family, accepted in site.channels[session].items()
    )
    password = f' password "{site.password}";' if site.password else ""
    return (
        "router id 192.0.2.250;\nprotocol device {}\n"
        f"protocol bgp node {{ local {router} as {site.router_asn}; strict bind;"
        f" neighbor {site.sources[session]} as {site.node_asn}; multihop {site.ttl}; passive;"
        f" error wait time 1, 2;{password} {channels} }}\n"
    )


def _channel(site: Site, family: int, accepted: str, *, foreign: bool) -> str:
    limit = f" receive limit {site.limit} action block;" if site.limit else ""
    extended = " extended next hop;" if foreign else ""
    return f"ipv{family} {{ import where {accepted};{limit}{extended} export none; }};"
