"""What the API server checks about several fields of a BGPPeer at once.

The words are those of `bgpd.kube.peering` and `bgpd.kube.provision`.
"""

from typing import Final

from bgpd.kube import objects, provision
from bgpd.kube.crd_rule import ONE_PLACE, Rule, url_of_name, url_v6, whole

_PEER_ADDRESS: Final = "(has(self.peerAddress) && self.peerAddress != '')"
_INTERFACE: Final = "(has(self.interface) && self.interface != '')"
_DYNAMIC: Final = "(has(self.dynamicASN) && self.dynamicASN != '')"
_REFERS: Final = (
    "has(self.passwordSecret) && has(self.passwordSecret.name) && self.passwordSecret.name != ''"
)
_PROVIDER: Final = "has(self.provider)"
_MINE: Final = "(has(self.localASN) ? self.localASN : has(self.myASN) ? self.myASN : 0)"
_ASNS: Final = "(has(self.peerASN) && (has(self.localASN) || has(self.myASN)))"
_INTERNAL: Final = (
    f"(has(self.peerASN) ? {_MINE} == self.peerASN"
    " : has(self.dynamicASN) && self.dynamicASN == 'internal')"
)
_HOLD: Final = (
    "(has(self.holdTimeSeconds) ? self.holdTimeSeconds : duration(self.holdTime).getSeconds())"
)
_ANY_HOLD: Final = "(has(self.holdTime) || has(self.holdTimeSeconds))"
_NO_KEEPALIVE: Final = (
    f"!has(self.keepaliveTime) || self.keepaliveTime == '' || !{whole('self.keepaliveTime')}"
)
_BAD_HOLD: Final = f"has(self.holdTime) && !{whole('self.holdTime')}"


def _option(name: str, kinds: tuple[str, ...], message: str) -> tuple[Rule, Rule]:
    """Return the rules of a field that only some providers know."""
    unset = f"!has(self.{name}) || self.{name} == ''"
    named = ", ".join(f"'{one}'" for one in kinds)
    return (
        Rule(
            path=f".{name}",
            expression=f"{unset} || {_PROVIDER}",
            message=provision.NO_PROVIDER,
        ),
        Rule(
            path=f".{name}",
            expression=f"{unset} || !{_PROVIDER} || self.provider in [{named}]",
            message=message,
        ),
    )


_OF_PROVIDERS: Final = (
    *_option("providerURL", provision.ASKED, provision.NOT_ASKED),
    *_option("providerTokenFile", provision.ASKED, provision.NOT_ASKED),
    *_option("providerSite", provision.LOCATED, provision.NOT_LOCATED),
    Rule(
        path=".providerURL",
        expression=f"!{_PROVIDER} || self.provider != 'cherry'"
        " || (has(self.providerURL) && self.providerURL != '')",
        message=provision.NO_URL,
        reason="FieldValueRequired",
    ),
    Rule(
        path=".providerSite",
        expression=f"!{_PROVIDER} || self.provider != 'linode'"
        " || (has(self.providerSite) && self.providerSite != '')",
        message=provision.NO_SITE,
        reason="FieldValueRequired",
    ),
    *(
        Rule(
            path=f".{name}",
            expression=f"!{_PROVIDER} || !has(self.{name}) || self.{name} == ''",
            message=provision.BESIDE,
        )
        for name in ("interface", "dynamicASN", "vrf")
    ),
)

_URL: Final = "self.providerURL"

PEER_RULES: Final = (
    # Where it is refused, it may hold a secret, which a rule of the field itself would print.
    Rule(
        path=".providerURL",
        expression=f"!has({_URL})"
        f" || [{_URL}].all(u, u == '' || ({url_of_name('u')}) || ({url_v6('u')}))",
        message=f"must be {objects.PROVIDER_URL_LEGAL}",
        reason="FieldValueForbidden",
    ),
    Rule(
        path=".peerAddress",
        expression=f"{_PEER_ADDRESS} || {_INTERFACE} || {_PROVIDER}",
        message="is required",
        reason="FieldValueRequired",
    ),
    Rule(
        path=".interface",
        expression=f"!({_PEER_ADDRESS} && {_INTERFACE})",
        message="cannot stand beside spec.peerAddress; remove one",
    ),
    Rule(
        path=".peerASN",
        expression=f"has(self.peerASN) || {_DYNAMIC} || {_PROVIDER}",
        message="is required",
        reason="FieldValueRequired",
    ),
    Rule(
        path=".myASN",
        expression=f"has(self.myASN) || {_PROVIDER}",
        message="is required",
        reason="FieldValueRequired",
    ),
    *_OF_PROVIDERS,
    Rule(
        path=".gateway",
        expression="!has(self.gateway) || self.gateway in ['', 'default']"
        " || !has(self.peerAddress) || !isIP(self.peerAddress)"
        " || self.gateway.contains(':') == self.peerAddress.contains(':')",
        message="is not of the same family as spec.peerAddress",
        message_expression="self.gateway + ' is not of the same family as spec.peerAddress'",
    ),
    Rule(
        path=".dynamicASN",
        expression=f"!has(self.peerASN) || !({_DYNAMIC})",
        message="cannot stand beside spec.peerASN; remove one",
    ),
    Rule(
        path=".localASN",
        expression="!has(self.localASN) || !has(self.peerASN) || self.localASN != self.peerASN",
        message="must differ from spec.peerASN",
    ),
    Rule(
        path=".ebgpMultiHop",
        expression=f"!has(self.ebgpMultiHop) || !self.ebgpMultiHop"
        f" || !has(self.peerASN) || {_MINE} != self.peerASN",
        message="is for eBGP; this session is iBGP, remove it",
    ),
    Rule(
        path=".sourceAddress",
        expression="!has(self.sourceAddress) || !isIP(self.sourceAddress)"
        " || !has(self.peerAddress) || !isIP(self.peerAddress)"
        " || ip(self.sourceAddress).family() == ip(self.peerAddress).family()",
        message="is not of the same family as spec.peerAddress",
        message_expression="self.sourceAddress + ' is not of the same family as spec.peerAddress'",
    ),
    Rule(
        path=".holdTimeSeconds",
        expression=f"!has(self.holdTime) || !has(self.holdTimeSeconds) || {_BAD_HOLD}"
        " || duration(self.holdTime).getSeconds() == self.holdTimeSeconds",
        message="contradicts spec.holdTime; remove one",
        message_expression="'contradicts spec.holdTime ' + self.holdTime + '; remove one'",
    ),
    Rule(
        path=".keepaliveTime",
        expression=f"{_NO_KEEPALIVE} || !{_ANY_HOLD} || {_BAD_HOLD}"
        f" || duration(self.keepaliveTime).getSeconds() <= {_HOLD}",
        message="exceeds the hold time",
        message_expression="self.keepaliveTime + ' exceeds the hold time'",
    ),
    Rule(
        path=".keepaliveTime",
        expression=f"{_NO_KEEPALIVE} || {_ANY_HOLD}"
        " || duration(self.keepaliveTime) <= duration('21845s')",
        message="means a hold time above 65535 s",
        message_expression="self.keepaliveTime + ' means a hold time above 65535 s'",
    ),
    Rule(
        path=".password",
        expression="!has(self.password) || self.password.matches('^[ -~]{0,80}$')",
        message="must be 1..80 printable ASCII characters (RFC 2385)",
        reason="FieldValueForbidden",
    ),
    Rule(
        path=".passwordFile",
        expression=ONE_PLACE,
        message="cannot stand beside spec.password; remove one",
    ),
    Rule(
        path=".passwordSecret",
        expression=f"!({_REFERS}) || !has(self.password) || self.password == ''",
        message="cannot stand beside spec.password; remove one",
    ),
    Rule(
        path=".passwordSecret",
        expression=f"!({_REFERS}) || !has(self.passwordFile) || self.passwordFile == ''",
        message="cannot stand beside spec.passwordFile; remove one",
    ),
    Rule(
        path=".ttlSecurity",
        expression="!has(self.ttlSecurity) || !has(self.ebgpMultiHop) || !self.ebgpMultiHop",
        message="already says how far away the peer may be; remove spec.ebgpMultiHop",
    ),
    Rule(
        path=".takeover.lever",
        expression="!has(self.takeover) || !has(self.takeover.lever)"
        f" || self.takeover.lever != 'localPref' || {_INTERNAL}"
        f" || ({_PROVIDER} && !{_ASNS})",
        message="localPref is never sent over eBGP (RFC 4271, section 5.1.5); use med or asPath",
    ),
)
"""The rules of `spec` of a BGPPeer."""
