"""What a host has of interfaces, addresses and routes, read from the kernel's bytes.

What is ours can be told from what is not: routes by protocol and metric (`bgpd.host.hostroute`),
our interface by its name and its group 179, which it has from its first moment. On `lo`, where a
kernel has neither dummy nor bridge, IPv4 addresses by their label and IPv6 addresses by their
protocol number (Linux 5.18).
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bgpd.host import wire
from bgpd.host.defaultroute import PROTOCOL, DefaultRoute, NextHop
from bgpd.host.hostroute import HostRoute
from bgpd.host.rtnetlink import Hop
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address, Prefix

INTERFACE: Final = "bgpd0"
GROUP: Final = 179
LOOPBACK: Final = "lo"
LABEL: Final = "lo:bgpd"
KINDS: Final = ("dummy", "bridge")
"""What our interface may be, best first."""

_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS: Final = struct.Struct("=BBBBi")
_UP: Final = 0x1
_LOOPBACK: Final = 0x8
_IFNAME: Final = 3
_MASTER: Final = 10
_LINKINFO: Final = 18
_GROUP: Final = 27
_INFO_KIND: Final = 1
_ADDRESS_ITSELF: Final = 1
_LOCAL: Final = 2
_LABEL: Final = 3
_FLAGS: Final = 8
_PROTOCOL: Final = 11
_SECONDARY: Final = 0x01
_UNUSABLE: Final = 0x08 | 0x40
"""IFA_F_DADFAILED, IFA_F_TENTATIVE."""
_DEPRECATED: Final = 0x20
_SCOPE_LINK: Final = 253
_WHOLE: Final = {wire.AF_INET: 32, wire.AF_INET6: 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of the host."""

    index: int
    name: str
    kind: str = ""
    """`dummy`, `bridge`, `vlan`…; empty: hardware, and the loopback."""
    group: int = 0
    up: bool = True
    loopback: bool = False
    master: int = 0
    """The bridge or bond that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """One address of the host."""

    address: Address
    length: int
    interface: int
    label: str = ""
    protocol: int = 0
    scope: int = 0
    flags: int = 0

    @property
    def whole(self) -> bool:
        """Whether it is a /32 or /128."""
        return self.length == _WHOLE[wire.family(self.address)]

    @property
    def usable(self) -> bool:
        """Whether something beyond the link may be sent from it."""
        return self.scope < _SCOPE_LINK and not self.flags & _UNUSABLE

    @property
    def preferred(self) -> bool:
        """Whether it is the one to take where there are several."""
        return not self.flags & (_SECONDARY | _DEPRECATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What there is at one moment."""

    interfaces: Mapping[int, Interface] = field(default_factory=dict)
    addresses: tuple[HostAddress, ...] = ()
    defaults: tuple[DefaultRoute, ...] = ()
    routes: frozenset[HostRoute] = frozenset()
    """The host routes that are ours."""
    others: Mapping[Prefix, tuple[NextHop, ...]] = field(default_factory=dict)
    """The host routes that are not, as far as somebody asked for their destination."""
    ways: Mapping[Address, tuple[Hop, ...]] = field(default_factory=dict)
    """How the kernel would reach the gateways that were asked for."""

    @property
    def ours(self) -> Interface | None:
        """Our interface."""
        return next((one for one in self.interfaces.values() if is_ours(one)), None)

    @property
    def impostor(self) -> Interface | None:
        """An interface that has the name of ours and is none."""
        named = (one for one in self.interfaces.values() if one.name == INTERFACE)
        return next((one for one in named if not is_ours(one)), None)

    @property
    def bound(self) -> frozenset[HostAddress]:
        """The elastic IPs on our interface, and ours on the loopback."""
        return frozenset(one for one in self.addresses if one.whole and self._is_bound(one))

    @property
    def own(self) -> frozenset[Address]:
        """The addresses that the host has without us, and could be reached at."""
        bound = self.bound
        return frozenset(one.address for one in self.addresses if one.usable and one not in bound)

    @property
    def touched(self) -> bool:
        """Whether there is anything of ours."""
        return bool(self.routes or self.bound or self.ours)

    @property
    def loopbacks(self) -> frozenset[int]:
        """The interfaces that lead nowhere else."""
        return frozenset(one.index for one in self.interfaces.values() if one.loopback)

    def name(self, index: int) -> str:
        """Return what people call an interface."""
        found = self.interfaces.get(index)
        return f"interface {index}" if found is None else found.name

    def _is_bound(self, one: HostAddress) -> bool:
        interface = self.interfaces.get(one.interface)
        if interface is None:
            return False
        if interface.loopback:
            return one.label == LABEL or (":" in one.address and one.protocol == PROTOCOL)
        return is_ours(interface)


def is_ours(interface: Interface) -> bool:
    """Return whether we made *interface*."""
    return interface.name == INTERFACE and interface.group == GROUP and interface.kind in KINDS


def address_question(family: int, interface: int = 0) -> bytes:
    """Ask for the addresses of *family*, of one *interface* alone where the kernel can do that.

    Linux before 4.20 answers with all.
    """
    return _ADDRESS.pack(family, 0, 0, 0, interface)


def decode_interface(body: bytes) -> Interface:
    """Read a link."""
    if len(body) < _LINK.size:
        raise ProtocolError(f"a link of {len(body)} bytes where {_LINK.size} are the least")
    _, _, index, flags, _ = _LINK.unpack_from(body)
    found = wire.attributes(body, _LINK.size)
    about = wire.attributes(found.get(_LINKINFO, b""))
    return Interface(
        index=index,
        name=_text(found.get(_IFNAME, b"")) or f"interface {index}",
        kind=_text(about.get(_INFO_KIND, b"")),
        group=wire.number(found.get(_GROUP)),
        up=bool(flags & _UP),
        loopback=bool(flags & _LOOPBACK),
        master=wire.number(found.get(_MASTER)),
    )


def decode_address(body: bytes) -> HostAddress | None:
    """Read an address; None: it is of a family that is not ours."""
    if len(body) < _ADDRESS.size:
        raise ProtocolError(f"an address of {len(body)} bytes where {_ADDRESS.size} are the least")
    family, length, flags, scope, index = _ADDRESS.unpack_from(body)
    found = wire.attributes(body, _ADDRESS.size)
    # On a point-to-point link the other one is the peer's.
    packed = found.get(_LOCAL, found.get(_ADDRESS_ITSELF))
    if family not in _WHOLE or packed is None:
        return None
    return HostAddress(
        address=wire.address(packed),
        length=length,
        interface=index,
        label=_text(found.get(_LABEL, b"")),
        protocol=(found.get(_PROTOCOL) or b"\0")[0],
        scope=scope,
        flags=wire.number(found[_FLAGS]) if _FLAGS in found else flags,
    )


def interface_index(body: bytes) -> int:
    """Read only which interface a message about an address is about."""
    index: int = _ADDRESS.unpack_from(body)[4] if len(body) >= _ADDRESS.size else 0
    return index


def best(found: Iterable[HostAddress], family: int) -> tuple[HostAddress, ...]:
    """Return the addresses of *family* that can be a source, the best first."""
    fit = [one for one in found if one.usable and wire.family(one.address) == family]
    return tuple(sorted(fit, key=lambda one: (not one.preferred, one.whole)))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
