"""Each example of a provider is brought up on a server there, as its routers and document are."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.exabgp.space import need
from tests.examples.birdwords import Session
from tests.examples.host import Host
from tests.examples.place import Provided
from tests.examples.sets import SETS, Set
from tests.examples.sites import Site, version_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

AT_PROVIDERS = [pytest.param(one, one.site, id=one.name) for one in SETS if one.site is not None]
_UNPROVEN = "that the examples of providers work beside their routers"
_PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "bird", "birdc", "pgrep", "nft", "openssl")


@pytest.mark.parametrize(("one", "site"), AT_PROVIDERS)
def test_one_document_is_all_that_the_providers_routers_want(
    one: Set, site: Site, directory: Path
) -> None:
    """Sessions, and routes with what the routers act on; gone while nobody answers, and back."""
    need(*_PROGRAMS, unproven=_UNPROVEN)
    host = Host(one, directory)
    try:
        host.start()
        host.wait_for(one.routes)
        _speaks_as_told(host, one, site)
        _says_what_they_act_on(host, one, site)
        host.fall_silent()
        host.wait_for({name: frozenset() for name in one.routes})
        host.answer()
        host.wait_for(one.routes)
        host.wait_until(lambda: host.sessions() == agreed(one, site), "sessions as before")
    finally:
        host.close()


def agreed(one: Set, site: Site) -> Mapping[str, Session]:
    """Return the sessions as the routers want them."""
    return {
        name: Session(
            state="Established",
            asns=(site.router_asn, site.node_asn),
            neighbor=site.sources[version_of(router)],
            hold=site.hold,
        )
        for name, router in zip(one.routes, site.routers, strict=True)
    }


def _speaks_as_told(host: Host, one: Set, site: Site) -> None:
    """Sessions are those of the document, over the gateway that it names."""
    host.wait_until(lambda: host.sessions() == agreed(one, site), "sessions at the routers")
    ways = {router: site.ways[version_of(router)] for router in site.routers}
    added = {router: ways[router] for router in site.added}
    host.wait_until(lambda: host.added_routes() == added, f"host routes {added}")
    assert {router: host.way(router) for router in site.routers} == ways
    fields = ("state", "document", "signed", "maxPrefixes")
    wanted = dict.fromkeys(one.routes, ("Established", one.name, bool(site.password), site.limit))
    host.wait_until(lambda: host.told(*fields) == wanted, f"bgpctl says {wanted}")
    assert isinstance(host.place, Provided)
    asked = host.place.asked()
    assert {path for _, path in asked} == ({site.told.path} if site.told else set())


def _says_what_they_act_on(host: Host, one: Set, site: Site) -> None:
    """One AS in the path, the session's end as next hop, the provider's communities, a MED."""
    wanted = {
        name: {
            prefix: ((site.node_asn,), site.next_hop(prefix), site.communities, True)
            for prefix in prefixes
        }
        for name, prefixes in one.routes.items()
    }

    def said() -> Mapping[str, Mapping[str, object]]:
        return {
            name: {
                prefix: (route.path, route.next_hop, route.communities, route.med is not None)
                for prefix, route in heard.items()
            }
            for name, heard in host.routes().items()
        }

    host.wait_until(lambda: said() == wanted, f"{wanted} at the routers")
