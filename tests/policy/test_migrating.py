"""While MetalLB still carries traffic no peer has a lever, and a person is told so."""

from dataclasses import replace

from bgpd.kube.documents import Key, read
from bgpd.model.configuration import IPAddressPool
from bgpd.model.peer import Lever
from bgpd.policy.context import Context
from tests.policy.build import Cluster, peer, pool

MARKED = replace(pool(), migrating=True)


def told(context: Context) -> list[str]:
    """Return the types of the conditions."""
    return [one.type for one in context.conditions]


def test_one_marked_pool_takes_the_lever_from_every_peer() -> None:
    """MetalLB sends no MED, which is the best one: beside it a lever only loses."""
    peers = (peer(), peer("r2", "10.0.0.9", lever=Lever.AS_PATH))
    unmarked = pool("other", "192.0.2.128/25")
    context = Cluster(pools=(MARKED, unmarked), peers=peers).context()
    assert {one.lever for one in context.peers} == {Lever.NONE}
    assert told(context) == ["TakeoverHeld"]


def test_a_marked_pool_that_is_refused_counts() -> None:
    """Its addresses are another pool's as well; that MetalLB carries them is true all the same."""
    context = Cluster(pools=(pool(), replace(MARKED, name="twin"))).context()
    assert {one.lever for one in context.peers} == {Lever.NONE}
    assert "TakeoverHeld" in told(context)


def test_without_the_mark_every_peer_has_its_own() -> None:
    """What ends with the last mark ends for all peers at once."""
    peers = (peer(), peer("r2", "10.0.0.9", lever=Lever.AS_PATH))
    context = Cluster(pools=(pool(),), peers=peers).context()
    assert [one.lever for one in context.peers] == [Lever.MED, Lever.AS_PATH]
    assert told(context) == []


def test_a_peer_that_keeps_an_older_form_follows_the_mark() -> None:
    """Its password file may be gone; its lever must not differ from that of other nodes."""
    secret = peer(password_file="/run/keys/r1")  # noqa: S106 - a path
    passwords = {"/run/keys/r1": "s"}
    before = Cluster(pools=(MARKED,), peers=(secret,), passwords=passwords).context()
    after = Cluster(pools=(pool(),), peers=(secret,)).context(before)
    assert [one.lever for one in after.peers] == [Lever.MED]
    assert [one.password for one in after.peers] == ["s"]


def test_the_mark_is_an_annotation_with_a_value() -> None:
    """Of MetalLB's pools as of ours; to write an empty one is to take it back."""
    for version in ("bgpd.io/v1alpha1", "metallb.io/v1beta1"):
        for value, migrating in (("metallb", True), ("", False), (None, False)):
            note = f'"bgpd.io/migrating-from": "{value}"' if value is not None else ""
            text = (
                f"apiVersion: {version}\nkind: IPAddressPool\n"
                f"metadata: {{name: a, annotations: {{{note}}}}}\n"
                "spec: {addresses: [192.0.2.0/24]}\n"
            )
            found = read("a.yaml", text.encode()).objects[Key("IPAddressPool", "", "a")]
            assert isinstance(found, IPAddressPool)
            assert found.migrating is migrating
