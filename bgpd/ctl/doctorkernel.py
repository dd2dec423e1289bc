"""Ask the kernel of this network namespace what `bgpctl doctor` wants to know: it changes nothing.

All of it needs no privilege. Interfaces and their sizes come over netlink and not from /sys, which
shows the namespace that it was mounted in.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from bgpd.ctl.doctorfacts import Connection, HostAddress, HostFacts, Way
from bgpd.host import defaultroute, rtnetlink, wire
from bgpd.host.netlink import Asking, because
from bgpd.model.errors import BgpdError
from bgpd.model.prefix import Address

_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_GETADDR: Final = 22
_ADDRESS: Final = struct.Struct("=BBBBI")
_LINK: Final = struct.Struct("=BxHiII")
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_INFO_KIND = 3, 4, 18, 1
_RTA_SRC, _RTA_PREFSRC, _RTA_METRICS, _RTAX_MTU = 2, 7, 8, 2
_ROUTE_LOCAL: Final = 2
_NO_CABLE: Final = frozenset({"dummy", "bridge"})
"""Kinds of interfaces that addresses are put on so that they belong to the host as a whole."""

_DIAG_REQUEST: Final = struct.Struct("=BBBxI2s2s16s16sI8s")
_DIAG_ANSWER: Final = struct.Struct("=BB2x2x2s16s16s12x20x")
_ESTABLISHED: Final = 1
_DIAG_INFO: Final = 2
_TCP_SEGMENT, _TCP_LAST_ACK, _TCP_PATH_MTU = 16, 56, 60
"""Where tcpi_snd_mss, tcpi_last_ack_recv and tcpi_pmtu are in struct tcp_info."""

_TIME_ERROR: Final = 5
"""What adjtimex(2) returns while nobody keeps the clock right."""
_TIMEX_BYTES: Final = 512
"""More than struct timex takes anywhere; all zeros ask and set nothing."""
_SYS: Final = Path("/proc/sys")
_NETSTAT: Final = Path("/proc/net/netstat")
_PORTS: Final = ("net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports")


class Kernel:
    """One netlink socket, and the names of interfaces."""

    def __init__(self, seconds: float) -> None:
        """Open it; the kernel has *seconds* for each answer."""
        self._asking = Asking(socket.NETLINK_ROUTE, seconds=seconds)
        self._links: dict[int, tuple[rtnetlink.Link, int | None, str]] = {}

    def close(self) -> None:
        """Give it back."""
        self._asking.close()

    def addresses(self) -> tuple[HostAddress, ...]:
        """Return the addresses of this host."""
        found = []
        for message in self._asking.every(_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
            _, length, _, _, index = _ADDRESS.unpack_from(message.body)
            inner = wire.attributes(message.body, _ADDRESS.size)
            packed = inner.get(_IFA_LOCAL) or inner.get(_IFA_ADDRESS)
            if packed is not None:
                found.append((wire.address(packed), length, index))
        return tuple(self._host_address(*one) for one in found)

    def defaults(self) -> tuple[Way, ...]:
        """Return the next hops of the default routes of the main table, those with a gateway."""
        hops: list[defaultroute.NextHop] = []
        for family in (wire.AF_INET, wire.AF_INET6):
            question = defaultroute.dump_question(family)
            for message in self._asking.every(rtnetlink.GETROUTE, question):
                route = defaultroute.decode(message.body)
                hops += route.hops if route is not None else ()
        return tuple(Way(interface=self._name(hop.interface), gateway=hop.gateway) for hop in hops)

    def way(self, destination: Address, source: Address | None) -> Way | None:
        """Return how the kernel would send to *destination*; None: there is no route.

        Asked for a *source* that this host does not have, the kernel says that there is none.
        """
        try:
            question = _route_question(destination, source)
            return self._way(self._asking.one(rtnetlink.GETROUTE, question))
        except OSError as error:
            if error.errno in _NO_ROUTE:
                return None
            raise

    def _host_address(self, address: Address, length: int, index: int) -> HostAddress:
        link, _, kind = self._link(index)
        return HostAddress(
            address=address,
            length=length,
            interface=link.name,
            loopback=link.loopback or kind in _NO_CABLE,
        )

    def _way(self, body: bytes) -> Way | None:
        kind = rtnetlink.ROUTE.unpack_from(body)[7]
        found = wire.attributes(body, rtnetlink.ROUTE.size)
        if rtnetlink.RTA_OIF not in found:
            return None
        link, mtu, _ = self._link(wire.number(found[rtnetlink.RTA_OIF]))
        metrics = wire.attributes(found.get(_RTA_METRICS, b""))
        source = found.get(_RTA_PREFSRC)
        return Way(
            interface=link.name,
            gateway=rtnetlink.gateway(found),
            source=wire.address(source) if source else None,
            mtu=wire.number(metrics.get(_RTAX_MTU)) or None,
            link_mtu=mtu,
            carrier=link.carrier,
            ours=kind == _ROUTE_LOCAL,
        )

    def _name(self, index: int) -> str:
        return self._link(index)[0].name

    def _link(self, index: int) -> tuple[rtnetlink.Link, int | None, str]:
        """Return an interface, its MTU and its kind."""
        if index not in self._links:
            body = self._asking.one(rtnetlink.GETLINK, rtnetlink.link_question(index))
            found = wire.attributes(body, _LINK.size)
            about = wire.attributes(found.get(_IFLA_LINKINFO, b""))
            kind = about.get(_IFLA_INFO_KIND, b"").rstrip(b"\0").decode(errors="replace")
            mtu = wire.number(found.get(_IFLA_MTU)) or None
            self._links[index] = (rtnetlink.decode_link(body), mtu, kind)
        return self._links[index]


_NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ESRCH}
)


def _route_question(destination: Address, source: Address | None) -> bytes:
    packed = wire.packed(destination)
    bits = len(packed) * 8
    origin = b"" if source is None else wire.attribute(_RTA_SRC, wire.packed(source))
    head = rtnetlink.ROUTE.pack(
        wire.family(destination), bits, bits if source else 0, 0, 0, 0, 0, 0, 0
    )
    return head + wire.attribute(rtnetlink.RTA_DST, packed) + origin


def ways(
    wanted: Iterable[tuple[Address, Address | None]], seconds: float
) -> Mapping[Address, Way | str | None]:
    """Return the way to each address from its source: None: no route; a text: why nobody knows."""
    found: dict[Address, Way | str | None] = {}
    try:
        kernel = Kernel(seconds)
    except (OSError, BgpdError) as error:
        return {address: because(error) for address, _ in wanted}
    try:
        for address, source in wanted:
            try:
                found[address] = kernel.way(address, source)
            except (OSError, BgpdError) as error:
                found[address] = because(error)
    finally:
        kernel.close()
    return found


def host(seconds: float) -> HostFacts:
    """Return what the kernel says of this host, without what has names of interfaces."""
    known = HostFacts(
        sysctls=dict(_sysctls(("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", *_PORTS))),
        counters=counters(),
        synchronized=synchronized(),
    )
    addresses: tuple[HostAddress, ...] | None = None
    defaults: tuple[Way, ...] | None = None
    problem = ""
    try:
        kernel = Kernel(seconds)
    except (OSError, BgpdError) as error:
        problem = because(error)
    else:
        try:
            addresses = kernel.addresses()
            defaults = kernel.defaults()
        except (OSError, BgpdError) as error:
            problem = because(error)
        finally:
            kernel.close()
    return HostFacts(
        problem=problem,
        addresses=addresses,
        defaults=defaults,
        sysctls=known.sysctls,
        counters=known.counters,
        synchronized=known.synchronized,
    )


def interface_sysctls(names: Iterable[str]) -> dict[str, str]:
    """Return what the kernel does with packets of each interface."""
    wanted = [
        f"net.ipv4.conf.{name}.{what}"
        for name in ("all", *names)
        for what in ("rp_filter", "arp_ignore", "arp_announce")
    ]
    return dict(_sysctls(wanted))


def counters(path: Path = _NETSTAT) -> dict[str, int]:
    """Return the kernel's counters of TCP and IP, by name; nothing where they cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        numbers = (int(one) for one in values.split()[1:] if one.lstrip("-").isdecimal())
        found.update(zip(names.split()[1:], numbers, strict=False))
    return found


def connections(port: int, seconds: float) -> Mapping[Address, Connection]:
    """Return the open TCP connections to *port* of other hosts, by their addresses."""
    found: dict[Address, Connection] = {}
    with Asking(_SOCK_DIAG, seconds=seconds) as asking:
        for family in (wire.AF_INET, wire.AF_INET6):
            question = _DIAG_REQUEST.pack(
                *(family, socket.IPPROTO_TCP, 1 << (_DIAG_INFO - 1), 1 << _ESTABLISHED),
                *(bytes(2), port.to_bytes(2), bytes(16), bytes(16), 0, b"\xff" * 8),
            )
            for message in asking.every(_SOCK_DIAG_BY_FAMILY, question):
                found.update(_connection(message.body, port))
    return found


def synchronized() -> bool | None:
    """Return whether the kernel's clock is being kept right; None: it does not say."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def _connection(body: bytes, port: int) -> Iterator[tuple[Address, Connection]]:
    if len(body) < _DIAG_ANSWER.size:
        return
    family, state, remote_port, _, remote = _DIAG_ANSWER.unpack_from(body)
    if state != _ESTABLISHED or int.from_bytes(remote_port) != port:
        return
    info = wire.attributes(body, _DIAG_ANSWER.size).get(_DIAG_INFO, b"")
    packed = remote[:4] if family == wire.AF_INET else remote
    yield (
        wire.address(packed),
        Connection(
            path_mtu=wire.number(info[_TCP_PATH_MTU:]) or None,
            segment=wire.number(info[_TCP_SEGMENT:]) or None,
            silence_seconds=wire.number(info[_TCP_LAST_ACK:]) / 1000 if info else None,
        ),
    )


def _sysctls(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        # The name of an interface may have dots: only the four words around it are separated.
        path = _SYS.joinpath(*_words(name))
        try:
            yield name, path.read_text().strip()
        except OSError:
            continue


def _words(name: str) -> tuple[str, ...]:
    head, conf, rest = name.partition(".conf.")
    if not conf:
        return tuple(name.split("."))
    interface, _, what = rest.rpartition(".")
    return (*head.split("."), "conf", interface, what)
