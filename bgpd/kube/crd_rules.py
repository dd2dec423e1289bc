"""What the API server checks in our kinds before an agent ever sees them, in its language, CEL.

The words of a refusal are those of `bgpd.kube.objects` and `bgpd.kube.peering`: a person reads the
same sentence from kubectl, from `bgpctl validate` and in the log. Where CEL cannot say all that
we check (whether two ranges overlap, the order of IPv6 addresses), it lets pass what the agent
then refuses with a condition. It never refuses what the agent would take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.kube import healthform, metallbform, objects
from bgpd.kube.crd_peer import PEER_RULES
from bgpd.kube.crd_rule import ONE_PLACE, URL_REST, Rule, place_in, port_in, url_v6, whole

MULTICAST: Final = ("224.0.0.0/4", "ff00::/8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How CEL says what the words of one legal range mean, for one value `self`."""

    expression: str
    longest: int | None = None
    """Characters of the longest legal text: without an end the server refuses the rule."""


def _host(version: int | None = None) -> str:
    """Return a check of an address of a host; the empty text is an unset field."""
    family = "" if version is None else f" && ip(self).family() == {version}"
    multicast = "".join(f" && !cidr('{block}').containsIP(self)" for block in MULTICAST)
    return f"self == '' || (isIP(self){family} && !ip(self).isUnspecified(){multicast})"


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


_PLACE: Final = place_in("self")
_URL_V4: Final = (
    f"self.matches('^https?://(localhost|[0-9.]+){URL_REST}')"
    f" && ({_PLACE}.startsWith('localhost') || isIP({_PLACE}.split(':')[0]))"
    f" && {port_in('self')}"
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
        expression=f"{whole('self')} && (duration(self) == duration('0s')"
        " || (duration(self) >= duration('3s') && duration(self) <= duration('65535s')))",
        longest=40,
    ),
    "a duration such as 30s or 1m30s": Check(
        expression=f"self == '' || {whole('self')}", longest=40
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
        expression=f"self == '' || ({whole('self')} && duration(self) >= duration('1s')"
        " && duration(self) <= duration('65535s'))",
        longest=40,
    ),
    "0s..24h in whole seconds": Check(
        expression=f"self == '' || ({whole('self')} && duration(self) <= duration('24h'))",
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
        expression=f"self == '' || ({_URL_V4}) || ({url_v6('self')})",
        longest=1024,
    ),
    objects.GATEWAY_LEGAL: Check(
        expression=f"self == 'default' || {_host()}"
        " || (self.matches('^[fF][eE]80:[0-9a-fA-F:.]*%[A-Za-z0-9._-]{1,15}$')"
        " && isIP(self.split('%')[0]))",
        longest=61,
    ),
    "1..63 letters, digits, '.', '_' and '-'": Check(
        expression="self.matches('^[A-Za-z0-9._-]{0,63}$')", longest=63
    ),
    "internal or external": Check(expression="self in ['', 'internal', 'external']", longest=16),
}
"""How CEL says each legal range that is words, by the words."""

_MD5: Final = "1..80 printable ASCII characters (RFC 2385)"
_SHA1: Final = "1..20 printable ASCII characters (RFC 5880, section 4.4)"
SECRETS: Final[Mapping[str, int]] = {_MD5: 80, _SHA1: 20, objects.PROVIDER_URL_LEGAL: 1024}
"""The ranges whose rules stand one level up, where a refusal does not print the value, with the
characters of the longest legal text."""

_ALL_SERVICES: Final = "!has(self.serviceSelectors) || self.serviceSelectors.size() == 0"
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
            expression=ONE_PLACE,
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
    objects.BGPPeerSpec: PEER_RULES,
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
