"""What the documents of Vultr mean."""

from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import ProviderKind, ProviderPeer
from tests.provider.sample import FEWER, OTHER, REFUSED, SAME, Rule, Sample

SAMPLES: Final = (
    Sample(
        name="vultr_filled",
        kind=ProviderKind.VULTR,
        peers=(
            ProviderPeer(
                address=Address("169.254.169.254"),
                peer_asn=Asn(64515),
                local_asn=Asn(64496),
                local_address=Address("192.0.2.2"),
                ttl=2,
                password_required=True,
            ),
            ProviderPeer(
                address=Address("2001:19f0:ffff::1"),
                peer_asn=Asn(64515),
                local_asn=Asn(64496),
                local_address=Address("2001:db8:7400:7ccf:5428:d5ff:fe28:1910"),
                ttl=2,
                password_required=True,
                gateway="default",
            ),
        ),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            *(
                rule
                for section in ("bgp.ipv4", "bgp.ipv6")
                for rule in (
                    Rule(section, FEWER, FEWER),
                    Rule(f"{section}.my-address", OTHER, OTHER),
                    Rule(f"{section}.my-asn", REFUSED, REFUSED),
                    Rule(f"{section}.peer-address", REFUSED, REFUSED),
                    Rule(f"{section}.peer-asn", REFUSED, REFUSED),
                )
            ),
        ),
    ),
    Sample(
        # Disabled is not unknown: the document was understood, and offers nothing.
        name="vultr_empty",
        kind=ProviderKind.VULTR,
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.ipv4", SAME, SAME),
            Rule("bgp.ipv6", SAME, SAME),
            *(
                Rule(f"bgp.{family}.{name}", SAME, SAME)
                for family in ("ipv4", "ipv6")
                for name in ("my-address", "my-asn", "peer-address", "peer-asn")
            ),
        ),
    ),
)
