"""From the wire form of what MetalLB's users bring along to values.

What bgpd does not do is taken, checked, and said to be so: never silence, and never a refusal that
would hold back the objects beside it.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bgpd.kube import metallbform
from bgpd.kube.convert import selector, selectors
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import (
    parse_alias,
    parse_bfd_key,
    parse_community,
    parse_large_community,
    parse_password,
    parse_path,
)
from bgpd.model.configuration import BFDProfile, Community, L2Advertisement, Secret

BASIC_AUTH: Final = "kubernetes.io/basic-auth"
"""The type of a Secret that a peer may refer to."""
_LARGE: Final = "large:"


def community(wire: metallbform.Community, faults: Faults) -> Community:
    """Return names for communities; each name stands for one."""
    values: dict[str, str] = {}
    entries = (wire.spec.communities if wire.spec else None) or ()
    for index, one in enumerate(entries):
        path = f"spec.communities[{index}]"
        name = _text(f"{path}.name", one.name, faults, parse_alias)
        value = _text(f"{path}.value", one.value, faults, parse_any_community)
        if name in values:
            faults.rule(f"{path}.name", f"{name} stands twice in the list; remove one", name)
        values[name] = value
    return Community(name=wire.metadata.name, values=values)


def parse_any_community(text: str) -> str:
    """Return a community as `a:b`, or a large one as `large:a:b:c`."""
    if text.startswith(_LARGE):
        return _LARGE + parse_large_community(text.removeprefix(_LARGE))
    return parse_community(text)


def bfd_profile(wire: metallbform.BFDProfile, faults: Faults) -> BFDProfile:
    """Return a BFD profile; what BFD does without echoes, it does."""
    usual = BFDProfile(name=wire.metadata.name)
    spec = wire.spec or metallbform.BFDProfileSpec()
    if spec.echo_mode:
        what = "is not supported by bgpd; the session goes on with control packets alone"
        faults.unsupported("spec.echoMode", what, spec.echo_mode)
    elif spec.echo_interval is not None:
        faults.notice("spec.echoInterval", "has no effect: bgpd sends no echoes")
    if spec.password and spec.password_file:
        faults.rule("spec.passwordFile", "cannot stand beside spec.password; remove one")
    return replace(
        usual,
        receive_interval=spec.receive_interval or usual.receive_interval,
        transmit_interval=spec.transmit_interval or usual.transmit_interval,
        detect_multiplier=spec.detect_multiplier or usual.detect_multiplier,
        echo_interval=spec.echo_interval or usual.echo_interval,
        echo_mode=bool(spec.echo_mode),
        passive_mode=bool(spec.passive_mode),
        minimum_ttl=spec.minimum_ttl or usual.minimum_ttl,
        password=faults.parsed("spec.password", spec.password, parse_bfd_key),
        password_file=faults.parsed("spec.passwordFile", spec.password_file, parse_path),
        key_id=usual.key_id if spec.key_id is None else spec.key_id,
    )


def l2_advertisement(wire: metallbform.L2Advertisement, faults: Faults) -> L2Advertisement:
    """Return a layer 2 advertisement."""
    spec = wire.spec or metallbform.L2AdvertisementSpec()
    for name, several in (
        ("ipAddressPoolSelectors", spec.ip_address_pool_selectors),
        ("nodeSelectors", spec.node_selectors),
        ("serviceSelectors", spec.service_selectors),
    ):
        selectors(f"spec.{name}", several, faults)
    for index, one in enumerate(spec.preferred_node_selectors or ()):
        selector(f"spec.preferredNodeSelectors[{index}].preference", one.preference, faults)
    for name, texts in (("ipAddressPools", spec.ip_address_pools), ("interfaces", spec.interfaces)):
        for index, text in enumerate(texts or ()):
            if text in (texts or ())[:index]:
                what = f"{text} stands twice in the list; remove one"
                faults.rule(f"spec.{name}[{index}]", what, text)
    what = "is not supported: bgpd answers no ARP and no NDP; addresses are advertised by BGP alone"
    faults.unsupported("", what)
    return L2Advertisement(name=wire.metadata.name)


def secret(wire: metallbform.Secret, faults: Faults) -> Secret:
    """Return a key for TCP MD5."""
    if wire.type != BASIC_AUTH:
        faults.rule("type", f"{wire.type!r} is not allowed; must be {BASIC_AUTH}", wire.type)
    password = ""
    plain = (wire.string_data or {}).get("password")
    encoded = (wire.data or {}).get("password")
    if plain is not None:
        password = _text("stringData.password", plain, faults, parse_password)
    elif encoded is not None:
        password = _text("data.password", encoded, faults, _parse_encoded)
    else:
        faults.rule("data.password", "is required")
    return Secret(name=wire.metadata.name, password=password)


def _parse_encoded(text: str) -> str:
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("is not base64 of printable ASCII") from None
    return parse_password(decoded)


def _text(path: str, text: str, faults: Faults, parse: Callable[[str], str]) -> str:
    """Return *text* parsed; where it is refused, also where it is empty, the empty text."""
    found = faults.parsed(path, text, parse)
    if not text:
        faults.value(path, text)
    return found or ""
