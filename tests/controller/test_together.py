"""Of two pools that overlap one holds, and no Service loses its address by it."""

from bgpd.controller.review import clashing, review
from bgpd.controller.together import hold_together
from bgpd.kube.documents import Key
from bgpd.model.configuration import IPAddressPool
from tests.controller.bookserver import Server
from tests.controller.build import pool, service

_SMALL = pool("public", "192.0.2.8/31")
_ALL = pool("all", "192.0.2.0/24")
_APART = pool("apart", "198.51.100.0/31")


def _by_name(*pools: IPAddressPool) -> dict[str, IPAddressPool]:
    return {one.name: one for one in pools}


def test_nothing_is_given_from_a_newcomer_that_overlaps() -> None:
    """Agents refuse the same pool, so nobody would route what it gives."""
    server = Server()
    server.configure(_SMALL)
    server.configure(_SMALL, _ALL)
    for name in "abc":
        server.put(name)
    server.settle()
    given = [one.ingress for one in server.documents.values()]
    assert sorted(given) == [(), ("192.0.2.8",), ("192.0.2.9",)]
    assert [one.name for one, _ in server.books.clashes] == ["all"]


def test_an_edit_that_overlaps_leaves_the_last_good_version() -> None:
    """What is in force holds on; the sentence names both pools and both blocks."""
    wide = pool("public", "198.51.100.0/24")
    found = hold_together([_APART, wide], _by_name(_APART, _SMALL), ())
    assert found.admitted == (_APART, _SMALL)
    ((_, why),) = found.refused
    assert why == (
        "IPAddressPool public: 198.51.100.0/24 overlaps 198.51.100.0/31 of IPAddressPool apart; "
        "an address may belong to one pool only"
    )


def test_after_a_restart_the_pool_holds_that_services_have_addresses_of() -> None:
    """The order of names would give every Service of `public` to the newcomer."""
    web = service("web", "192.0.2.8", pool_noted="public")
    assert hold_together([_ALL, _SMALL], {}, [web]).admitted == (_SMALL,)
    assert hold_together([_ALL, _SMALL], {}, []).admitted == (_ALL,)


def test_of_two_used_pools_the_refused_one_keeps_what_services_have() -> None:
    """It gives nothing new, and takes nothing from anybody."""
    services = [
        service("web", "192.0.2.8", pool_noted="all"),
        service("shop", "192.0.2.77", pool_noted="zone"),
        service("both", "192.0.2.9", pool_noted="zone"),
    ]
    narrow = pool("all", "192.0.2.8/31")
    found = hold_together([narrow, pool("zone", "192.0.2.0/24")], {}, services)
    assert found.admitted == (narrow, pool("zone", "192.0.2.77/32"))
    assert [one.name for one, _ in found.refused] == ["zone"]


def test_a_pool_that_clashes_is_not_ready() -> None:
    """Its own status says what the agents say."""
    (found,) = review([Key("IPAddressPool", "", "all")], clashing([(_ALL, "it overlaps")])).values()
    assert [(one.type, one.status, one.message) for one in found] == [
        ("Ready", False, "it overlaps")
    ]
