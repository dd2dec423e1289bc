"""What the documents of Cherry Servers mean."""

from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import ProviderKind, ProviderPeer
from bgpd.provider.adapter import Asker
from tests.provider.sample import FEWER, OTHER, REFUSED, SAME, Rule, Sample


def _cherry(last: int) -> ProviderPeer:
    return ProviderPeer(
        address=Address(f"46.166.166.{last}"),
        peer_asn=Asn(16125),
        local_asn=Asn(65001),
        local_address=Address("46.166.169.95"),
        ttl=255,
        max_prefixes=2,
    )


SAMPLES: Final = (
    Sample(
        name="cherry_enabled",
        kind=ProviderKind.CHERRY,
        peers=(_cherry(122), _cherry(123)),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("region", REFUSED, REFUSED),
            Rule("region.bgp", REFUSED, REFUSED),
            Rule("region.bgp.asn", REFUSED, REFUSED),
            Rule("region.bgp.hosts", REFUSED, REFUSED),
            Rule("region.bgp.hosts[*]", FEWER, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.enabled", REFUSED, REFUSED),
            Rule("bgp.limit", OTHER, OTHER),
            Rule("project", REFUSED, REFUSED),
            Rule("project.bgp", REFUSED, REFUSED),
            Rule("project.bgp.local_asn", REFUSED, REFUSED),
            Rule("ip_addresses", OTHER, OTHER),
            Rule("ip_addresses[0]", OTHER, REFUSED),
            Rule("ip_addresses[0].address", REFUSED, REFUSED),
            # Another word than primary-ip is another address.
            Rule("ip_addresses[0].type", OTHER, OTHER, OTHER),
        ),
    ),
    Sample(
        name="cherry_disabled",
        kind=ProviderKind.CHERRY,
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("region", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.enabled", REFUSED, REFUSED),
        ),
    ),
    Sample(
        name="cherry_servers",
        kind=ProviderKind.CHERRY,
        asker=Asker(node="model-thrush"),
        peers=(_cherry(122), _cherry(123)),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("[0]", SAME, REFUSED),
            Rule("[1]", REFUSED, REFUSED),
            Rule("[1].hostname", REFUSED, REFUSED),
            *(
                Rule(f"[1].{one}", REFUSED, REFUSED)
                for one in (
                    "region", "region.bgp", "region.bgp.asn", "region.bgp.hosts", "bgp",
                    "bgp.enabled", "project", "project.bgp", "project.bgp.local_asn",
                    "ip_addresses[0].address",
                )
            ),
            Rule("[1].region.bgp.hosts[*]", FEWER, REFUSED),
            Rule("[1].bgp.limit", OTHER, OTHER),
            Rule("[1].ip_addresses", OTHER, OTHER),
            Rule("[1].ip_addresses[0]", OTHER, REFUSED),
            Rule("[1].ip_addresses[0].type", OTHER, OTHER, OTHER),
        ),
    ),
    Sample(
        name="cherry_project",
        kind=ProviderKind.CHERRY,
        error="region is missing; it must be an object, as a server has it and a project does not",
    ),
)  # fmt: skip
