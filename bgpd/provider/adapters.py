"""The table of providers: a new one is a file beside this and a line here."""

from collections.abc import Mapping
from typing import Final

from bgpd.model.provider import ProviderKind
from bgpd.provider import annotations, cherry, constants, packet, phoenixnap, vultr
from bgpd.provider.adapter import Adapter

ADAPTERS: Final[Mapping[ProviderKind, Adapter]] = {
    ProviderKind.PACKET: packet.ADAPTER,
    ProviderKind.VULTR: vultr.ADAPTER,
    ProviderKind.CHERRY: cherry.ADAPTER,
    ProviderKind.PHOENIXNAP: phoenixnap.ADAPTER,
    ProviderKind.ANNOTATIONS: annotations.ADAPTER,
    ProviderKind.LINODE: constants.LINODE,
    ProviderKind.INGENUITY: constants.INGENUITY,
    ProviderKind.MYLOC: constants.MYLOC,
}
