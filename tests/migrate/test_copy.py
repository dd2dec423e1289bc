"""Copies keep what references hold on to, and a copy made again is the same."""

from bgpd.migrate.copy import MANAGER, copies, same, somebodys
from bgpd.model.migration import MIGRATING
from tests.migrate.build import BETA, OURS, cluster, copied, one, peer, pool


def test_names_labels_and_specs_are_kept() -> None:
    """Advertisements name pools and peers, and select pools by label."""
    allocation = {"priority": 0}
    original = pool("a", labels={"zone": "one"})
    original["spec"] |= {"autoAssign": False, "serviceAllocation": allocation}
    (copy,) = copies(cluster(original), OURS, hold=False).documents
    assert copy == {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": "a", "namespace": OURS, "labels": {"zone": "one"}},
        "spec": {
            "addresses": ["192.0.2.0/24"],
            "autoAssign": False,
            "serviceAllocation": allocation,
        },
    }


def test_only_pools_carry_the_mark() -> None:
    """It is on what agents and the controller both read, and only while the walk goes on."""
    found = cluster(pool(), peer())
    marked = [
        one["kind"]
        for one in copies(found, OURS, hold=True).documents
        if MIGRATING in one["metadata"].get("annotations", {})
    ]
    assert marked == ["IPAddressPool"]
    assert not any(
        "annotations" in one["metadata"] for one in copies(found, OURS, hold=False).documents
    )


def test_a_peer_loses_what_means_nothing() -> None:
    """A server adds empty defaults to what people wrote; `disableMP` does nothing anywhere."""
    original = peer(disableMP=True, password="", passwordSecret={}, vrf="", peerPort=179)
    (copy,) = copies(cluster(original), OURS, hold=False).documents
    assert copy["spec"] == {
        "myASN": 65000, "peerASN": 65530, "peerAddress": "10.0.0.1", "peerPort": 179,
    }  # fmt: skip


def test_a_peer_that_bgpd_opens_no_session_with_is_copied_too() -> None:
    """What it asks for must not be lost with MetalLB; whoever reads it says that it is not done."""
    (copy,) = copies(cluster(peer(vrf="red")), OURS, hold=False).documents
    assert copy["spec"]["vrf"] == "red"


def test_a_secret_is_copied_beside_its_peer() -> None:
    """Agents read the Secrets of their own namespace alone."""
    secret = one("v1", "Secret", "key", type="kubernetes.io/basic-auth", data={"password": "eA=="})
    stranger = one("v1", "Secret", "other", data={"password": "eQ=="})
    found = copies(
        cluster(peer(passwordSecret={"name": "key", "namespace": "x"}), secret, stranger),
        OURS, hold=False,
    )  # fmt: skip
    assert found.secrets == (), "it is in another namespace than the peer says"
    found = copies(cluster(peer(passwordSecret={"name": "key"}), secret, stranger), OURS, hold=True)
    (copy,) = found.secrets
    assert copy["metadata"] == {"name": "key", "namespace": OURS}
    assert copy["data"] == {"password": "eA=="}
    assert found.documents[0]["spec"]["passwordSecret"] == {"name": "key"}


def test_a_kind_that_is_not_installed_costs_only_itself() -> None:
    """Older definitions of ours have no BFDProfile; the peer that names one is copied without."""
    found = copies(
        cluster(one(BETA, "BFDProfile", "fast", spec={}), peer(bfdProfile="fast")), OURS, hold=False
    )
    (copy,) = found.documents
    assert "bfdProfile" not in copy["spec"]
    assert [one["kind"] for one in found.left] == ["BFDProfile"]


def test_defaults_of_the_server_are_no_difference() -> None:
    """What the API server adds to a copy does not make it old."""
    (copy,) = copies(cluster(pool()), OURS, hold=True).documents
    there = copied(pool())
    there["spec"] = {**there["spec"], "autoAssign": True}
    assert same(copy, there)
    there["spec"] = {"addresses": ["192.0.2.0/25"]}
    assert not same(copy, there)


def test_what_a_person_wrote_is_not_overwritten() -> None:
    """An object of ours that says something else and is no copy is somebody's decision."""
    (copy,) = copies(cluster(pool()), OURS, hold=True).documents
    there = copied(pool("a", "192.0.2.0/25"))
    assert somebodys(copy, there)
    there["metadata"]["managedFields"] = [{"manager": MANAGER}]
    assert not somebodys(copy, there)
    assert not somebodys(copy, copied(pool()))
