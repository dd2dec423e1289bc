"""What the documents of phoenixNAP mean."""

from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import ProviderKind, ProviderPeer
from bgpd.provider.adapter import Asker
from tests.provider.sample import FEWER, OTHER, REFUSED, SAME, Rule, Sample, accepting

KEY: Final = "Group-Key-2!"


def _phoenix(address: str, *accepts: str) -> ProviderPeer:
    return ProviderPeer(
        address=Address(address),
        peer_asn=Asn(65400),
        local_asn=Asn(65401),
        ttl=7,
        password=KEY,
        hold_time=30,
        accepts=accepting("10.111.14.40/29", *accepts),
    )


_PHOENIX_RULES: Final = (
    Rule("", REFUSED, REFUSED),
    Rule("[0].location", REFUSED, REFUSED),
    Rule("[0].status", SAME, SAME),
    Rule("[0].activeAsnDetails", REFUSED, REFUSED),
    Rule("[0].activeAsnDetails.asn", REFUSED, REFUSED),
    Rule("[0].password", OTHER, OTHER),
    Rule("[0].eBgpMultiHop", OTHER, OTHER),
    Rule("[0].holdTimerSeconds", OTHER, OTHER),
    Rule("[0].peeringLoopbacksV4[*]", FEWER, REFUSED),
    Rule("[0].peeringLoopbacksV6[*]", FEWER, REFUSED),
)
_V6_PREFIX: Final = "2607:ff00:313:80c0::/58"
SAMPLES: Final = (
    Sample(
        name="phoenixnap_pending",
        kind=ProviderKind.PHOENIXNAP,
        asker=Asker(site="ASH"),
        peers=(_phoenix("169.254.247.0"), _phoenix("169.254.247.1")),
        rules=(
            *_PHOENIX_RULES,
            Rule("[0]", FEWER, REFUSED),
            Rule("[0].peeringLoopbacksV4", REFUSED, REFUSED),
            Rule("[0].ipv4Prefixes", OTHER, OTHER),
            Rule("[0].ipv4Prefixes[0]", OTHER, REFUSED),
            Rule("[0].ipv4Prefixes[0].cidr", REFUSED, REFUSED),
        ),
    ),
    Sample(
        name="phoenixnap_v6",
        kind=ProviderKind.PHOENIXNAP,
        asker=Asker(site="ASH"),
        peers=(
            _phoenix("169.254.247.0", _V6_PREFIX),
            _phoenix("169.254.247.1", _V6_PREFIX),
            _phoenix("fd00:0:0:1005::1", _V6_PREFIX),
            _phoenix("fd00:0:0:1005::2", _V6_PREFIX),
        ),
        rules=(
            *_PHOENIX_RULES,
            Rule("[0]", FEWER, REFUSED),
            Rule("[0].peeringLoopbacksV4", FEWER, FEWER),
            Rule("[0].peeringLoopbacksV6", FEWER, FEWER),
            # The older list says less.
            Rule("[0].ipPrefixes", OTHER, OTHER),
            Rule("[0].ipPrefixes[*]", OTHER, REFUSED),
            Rule("[0].ipPrefixes[*].cidr", REFUSED, REFUSED),
        ),
    ),
)
