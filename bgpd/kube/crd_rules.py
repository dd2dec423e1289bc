"""What the API server checks in our kinds before an agent ever sees them, in its language, CEL.

The words of a refusal are those of `bgpd.kube.objects` and `bgpd.kube.peering`: a person reads the
same sentence from kubectl, from `bgpctl validate` and in the log. Where CEL cannot say all that
we check (whether two ranges overlap, the order of IPv6 addresses), it lets pass what the agent
then refuses with a condition. It never refuses what the agent would take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bgpd.kube import healthform, metallbform, objects

MULTICAST: Final = ("224.0.0.0/4", "ff00::/8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How CEL says what the words of one legal range mean, for one value `self`."""

    expression: str
    longest: int | None = None
    """Characters of the longest legal text: without an end the server refuses the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule about several fields of one object `self`."""

    expression: str
    message: str
    path: str = ""
    """The field that the refusal names, `.holdTime`; empty for the object itself."""
    message_expression: str = ""
    """The same with the value in it; the server falls back on *message*."""
    reason: str = "FieldValueInvalid"

    def document(self) -> dict[str, Any]:
        """Return the entry of `x-kubernetes-validations`."""
        parts = {
            "rule": self.expression,
            "fieldPath": self.path,
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
        }
        return {key: value for key, value in parts.items() if value}


def _host(version: int | None = None) -> str:
    """Return a check of an address of a host; the empty text is an unset field."""
    family = "" if version is None else f" && ip(self).family() == {version}"
    multicast = "".join(f" && !cidr('{block}').containsIP(self)" for block in MULTICAST)
    return f"self == '' || (isIP(self){family} && !ip(self).isUnspecified(){multicast})"


_DURATION: Final = "'^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$'"


def _whole(text: str) -> str:
    """Return an expression that is true where *text* is a duration of whole seconds."""
    return (
        f"({text} == '0' || ({text} != '' && {text}.matches({_DURATION})"
        f" && duration({text}).getMilliseconds() % 1000 == 0))"
    )


_FIRST: Final = "self.substring(0, self.indexOf('-')).trim()"
_LAST: Final = "self.substring(self.indexOf('-') + 1).trim()"


def _number(text: str) -> str:
    """Return an expression that is the IPv4 address *text* as a number."""
    return (
        f"[{text}.split('.').map(o, int(o))]"
        ".map(o, o[0] * 16777216 + o[1] * 65536 + o[2] * 256 + o[3])[0]"
    )


_RANGE: Final = (
    f"isIP({_FIRST}) && isIP({_LAST}) && ip({_FIRST}).family() == ip({_LAST}).family()"
    f" && (ip({_FIRST}).family() == 6 || {_number(_FIRST)} <= {_number(_LAST)})"
)


def _numbers(text: str, *, count: int, most: int) -> str:
    groups = "{1,10}(:[0-9]{1,10}){" + str(count - 1) + "}"
    return f"{text}.matches('^[0-9]{groups}$') && {text}.split(':').all(n, uint(n) <= {most}u)"


# Not by url(): the server takes what that returns for a text without an end.
_PLACE: Final = "self.split('/')[2]"
_REST: Final = "(:[1-9][0-9]{0,4})?(/[!-~]*)?$"
_URL_V4: Final = (
    f"self.matches('^https?://(localhost|[0-9.]+){_REST}')"
    f" && ({_PLACE}.startsWith('localhost') || isIP({_PLACE}.split(':')[0]))"
    f" && ({_PLACE}.split(':').size() == 1 || int({_PLACE}.split(':')[1]) <= 65535)"
)
_URL_V6: Final = (
    rf"self.matches('^https?://\\[[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*\\]{_REST}')"
    f" && isIP({_PLACE}.substring(1, {_PLACE}.indexOf(']')))"
    f" && ({_PLACE}.endsWith(']') || int({_PLACE}.substring({_PLACE}.indexOf(']') + 2)) <= 65535)"
)
_ALIAS: Final = r"self.matches('^[^:\\s]{1,63}$') && !self.matches('^[0-9]*$')"
_LARGE: Final = "self.replace('large:', '', 1)"

CHECKS: Final[Mapping[str, Check]] = {
    "up to 253 lower-case letters, digits, '-' and '.' (RFC 1123)": Check(
        expression=r"self.matches('^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$')", longest=253
    ),
    "an IPv4 or IPv6 address": Check(expression=_host(), longest=45),
    "an IPv4 address": Check(expression=_host(4), longest=45),
    "an IPv6 address": Check(expression=_host(6), longest=45),
    "a block such as 192.0.2.0/24, or a range such as 192.0.2.10-192.0.2.20": Check(
        expression=f"self.contains('-') ? {_RANGE} : isCIDR(self)", longest=83
    ),
    "0s, or 3s..65535s in whole seconds": Check(
        expression=f"{_whole('self')} && (duration(self) == duration('0s')"
        " || (duration(self) >= duration('3s') && duration(self) <= duration('65535s')))",
        longest=40,
    ),
    "a duration such as 30s or 1m30s": Check(
        expression=f"self == '' || {_whole('self')}", longest=40
    ),
    "0, or 3..65535 (RFC 4271, section 4.2)": Check(
        expression="self == 0 || (self >= 3 && self <= 65535)"
    ),
    "a:b with both 0..65535, or large:a:b:c with all 0..4294967295": Check(
        expression=f"self.startsWith('large:') ? {_numbers(_LARGE, count=3, most=4294967295)}"
        f" : {_numbers('self', count=2, most=65535)}",
        longest=40,
    ),
    "a:b:c with all 0..4294967295": Check(
        expression=_numbers("self", count=3, most=4294967295), longest=32
    ),
    "an absolute path of a file": Check(
        expression=r"self == '' || self.matches('^/[^\\x00-\\x1f\\x7f]*$')", longest=4096
    ),
    "a:b with both 0..65535, large:a:b:c with all 0..4294967295, or a name that a Community"
    " gives them": Check(
        expression=f"self.startsWith('large:') ? {_numbers(_LARGE, count=3, most=4294967295)}"
        f" : self.contains(':') ? {_numbers('self', count=2, most=65535)} : {_ALIAS}",
        longest=63,
    ),
    "1..63 characters without ':' and blanks, one of them no digit": Check(
        expression=_ALIAS, longest=63
    ),
    "1s..65535s in whole seconds": Check(
        expression=f"self == '' || ({_whole('self')} && duration(self) >= duration('1s')"
        " && duration(self) <= duration('65535s'))",
        longest=40,
    ),
    "0s..24h in whole seconds": Check(
        expression=f"self == '' || ({_whole('self')} && duration(self) <= duration('24h'))",
        longest=40,
    ),
    healthform.URL_PATH_LEGAL: Check(
        expression="self == '' || self.matches('^/[!-~]*$')", longest=1024
    ),
    healthform.HOST_LEGAL: Check(
        expression=r"self == '' || self.matches('^[A-Za-z0-9._:\\[\\]-]+$')", longest=253
    ),
    healthform.STATUS_LEGAL: Check(
        expression="self.matches('^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$')"
        " && (self.size() == 3 || int(self.substring(0, 3)) <= int(self.substring(4)))",
        longest=7,
    ),
    healthform.DOMAIN_LEGAL: Check(
        expression=r"self.matches('^([.]|([A-Za-z0-9_-]{1,63}[.])*[A-Za-z0-9_-]{1,63}[.]?)$')",
        longest=253,
    ),
    healthform.ARGUMENT_LEGAL: Check(expression=r"!self.matches('\\x00')", longest=4096),
    "an http or https URL of an address or of localhost, up to 1024 characters; empty: not"
    " asked": Check(
        expression=f"self == '' || ({_URL_V4}) || ({_URL_V6})",
        longest=1024,
    ),
    "internal or external": Check(expression="self in ['', 'internal', 'external']", longest=16),
}
"""How CEL says each legal range that is words, by the words."""

_MD5: Final = "1..80 printable ASCII characters (RFC 2385)"
_SHA1: Final = "1..20 printable ASCII characters (RFC 5880, section 4.4)"
SECRETS: Final[Mapping[str, int]] = {_MD5: 80, _SHA1: 20}
"""The ranges whose rules stand one level up, where a refusal does not print the value, with the
characters of the longest legal text."""

_ALL_SERVICES: Final = "!has(self.serviceSelectors) || self.serviceSelectors.size() == 0"
_PEER_ADDRESS: Final = "(has(self.peerAddress) && self.peerAddress != '')"
_INTERFACE: Final = "(has(self.interface) && self.interface != '')"
_DYNAMIC: Final = "(has(self.dynamicASN) && self.dynamicASN != '')"
_REFERS: Final = (
    "has(self.passwordSecret) && has(self.passwordSecret.name) && self.passwordSecret.name != ''"
)
_ONE_PLACE: Final = (
    "!has(self.password) || self.password == ''"
    " || !has(self.passwordFile) || self.passwordFile == ''"
)
_MINE: Final = "(has(self.localASN) ? self.localASN : self.myASN)"
_INTERNAL: Final = (
    f"(has(self.peerASN) ? {_MINE} == self.peerASN"
    " : has(self.dynamicASN) && self.dynamicASN == 'internal')"
)
_HOLD: Final = (
    "(has(self.holdTimeSeconds) ? self.holdTimeSeconds : duration(self.holdTime).getSeconds())"
)
_ANY_HOLD: Final = "(has(self.holdTime) || has(self.holdTimeSeconds))"
_NO_KEEPALIVE: Final = (
    f"!has(self.keepaliveTime) || self.keepaliveTime == '' || !{_whole('self.keepaliveTime')}"
)
_BAD_HOLD: Final = f"has(self.holdTime) && !{_whole('self.holdTime')}"

RULES: Final[Mapping[type, tuple[Rule, ...]]] = {
    objects.Expression: (
        Rule(
            path=".values",
            expression="!(self.operator in ['In', 'NotIn'])"
            " || (has(self.values) && self.values.size() > 0)",
            message="is empty; In and NotIn need at least one value",
            message_expression="'is empty; ' + self.operator + ' needs at least one value'",
        ),
        Rule(
            path=".values",
            expression="self.operator in ['In', 'NotIn']"
            " || !has(self.values) || self.values.size() == 0",
            message="must be absent with Exists and DoesNotExist",
            message_expression="'must be absent with ' + self.operator",
        ),
    ),
    objects.IPAddressPoolSpec: (
        Rule(
            path=".addresses",
            # Every block against every other: the agent does it for long lists and for ranges.
            expression="self.addresses.size() > 64 || self.addresses.all(a, !isCIDR(a)"
            " || self.addresses.exists_one(b, isCIDR(b)"
            " && (cidr(a).containsCIDR(b) || cidr(b).containsCIDR(a))))",
            message="a block overlaps another of the same pool; remove one",
        ),
    ),
    objects.BGPAdvertisementSpec: (
        Rule(
            path=".largeCommunities",
            expression="!has(self.communities) || !has(self.largeCommunities)"
            " || !self.largeCommunities.exists(one, ('large:' + one) in self.communities)",
            message="a community stands twice in the list; remove one",
            message_expression="self.largeCommunities.filter(one,"
            " ('large:' + one) in self.communities)[0] + ' stands twice in the list; remove one'",
        ),
        Rule(
            path=".preferredNodes",
            expression="!has(self.preferredNodes) || self.preferredNodes.size() == 0"
            " || (has(self.distribution) && self.distribution == 'activeStandby')",
            message="needs spec.distribution activeStandby: with ecmp all nodes are equal",
        ),
        Rule(
            path=".aggregationLength",
            expression=f"{_ALL_SERVICES} || !has(self.aggregationLength)"
            " || self.aggregationLength == 32",
            message="must be 32 where spec.serviceSelectors choose Services",
        ),
        Rule(
            path=".aggregationLengthV6",
            expression=f"{_ALL_SERVICES} || !has(self.aggregationLengthV6)"
            " || self.aggregationLengthV6 == 128",
            message="must be 128 where spec.serviceSelectors choose Services",
        ),
    ),
    healthform.HealthCheckSpec: (
        Rule(
            expression=f"[{', '.join(f'has(self.{one})' for one in healthform.PROBES)}]"
            ".filter(one, one).size() == 1",
            message=healthform.ONE_PROBE,
        ),
    ),
    healthform.HTTPGetSpec: (
        Rule(
            path=".headers",
            expression="!has(self.headers) || self.headers.all(name,"
            " name.matches('^[A-Za-z0-9!#$%&*+.^_`|~-]{1,128}$')"
            " && self.headers[name].matches('^[ -~\\\\t]*$'))",
            message=f"must be {healthform.HEADERS_LEGAL}",
        ),
    ),
    healthform.ExecSpec: (
        Rule(
            path=".command",
            expression="self.command.size() == 0 || self.command[0].startsWith('/')",
            message=healthform.NOT_ABSOLUTE,
        ),
    ),
    metallbform.BFDProfileSpec: (
        Rule(
            path=".password",
            expression="!has(self.password) || self.password.matches('^[ -~]{0,20}$')",
            message=f"must be {_SHA1}",
            reason="FieldValueForbidden",
        ),
        Rule(
            path=".passwordFile",
            expression=_ONE_PLACE,
            message="cannot stand beside spec.password; remove one",
        ),
    ),
    objects.SpeakerPolicySpec: (
        Rule(
            path=".drainSeconds",
            expression="!has(self.drainSeconds) || !has(self.drainMilliseconds)",
            message="cannot stand beside spec.drainMilliseconds; remove one",
        ),
    ),
    metallbform.CommunitySpec: (
        Rule(
            path=".communities",
            expression="!has(self.communities) || self.communities.all(one,"
            " self.communities.exists_one(other, other.name == one.name))",
            message="a name stands twice in the list; remove one",
        ),
    ),
    objects.BGPPeerSpec: (
        Rule(
            path=".peerAddress",
            expression=f"{_PEER_ADDRESS} || {_INTERFACE}",
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
            expression=f"has(self.peerASN) || {_DYNAMIC}",
            message="is required",
            reason="FieldValueRequired",
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
            message_expression="self.sourceAddress"
            " + ' is not of the same family as spec.peerAddress'",
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
            message=f"must be {_MD5}",
            reason="FieldValueForbidden",
        ),
        Rule(
            path=".passwordFile",
            expression=_ONE_PLACE,
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
            f" || self.takeover.lever != 'localPref' || {_INTERNAL}",
            message="localPref is never sent over eBGP (RFC 4271, section 5.1.5);"
            " use med or asPath",
        ),
    ),
}
"""Rules about several fields, by the wire form that has them."""

UNLIKE: Final = Rule(
    expression="self.all(one, self.exists_one(other, other == one))",
    message="repeats a selector of the same list; remove one",
)
"""The rule of a list of selectors: none may stand twice, as far as it is written the same way."""

NO_TWINS: Final = frozenset(
    {
        "ipAddressPools",
        "peers",
        "communities",
        "largeCommunities",
        "values",
        "namespaces",
        "interfaces",
    }
)
"""Lists in which nothing may stand twice; the server sees to that by itself."""
