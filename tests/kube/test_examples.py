"""The example documents work as they are, together."""

from pathlib import Path

import pytest

from bgpd.kube.documents import read
from bgpd.kube.store import Store
from bgpd.model.member import NodeName, SpeakerPolicy
from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import Discovery, ProviderPeer
from bgpd.policy.service import Context, decide
from tests.policy.build import node, service, slices

EXAMPLES = Path(__file__).parents[2] / "config"
REFERENCE = EXAMPLES / "reference.yaml"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.is_file() and path != REFERENCE)
WHOLE = EXAMPLES / "example"
PROVIDERS = sorted((EXAMPLES / "provider").iterdir())


@pytest.mark.parametrize(
    "path", [*FILES, *sorted(WHOLE.iterdir()), *PROVIDERS], ids=lambda path: path.name
)
def test_every_example_is_valid(path: Path) -> None:
    """No file of the directory has a problem, not even a field without effect."""
    found = read(path.name, path.read_bytes())
    assert found.objects
    assert found.problems == ()


@pytest.mark.parametrize("path", PROVIDERS, ids=lambda path: path.stem)
def test_a_provider_needs_no_more_than_its_example(path: Path) -> None:
    """What the example leaves out is the provider's to say, and then nothing is missing."""
    store = Store()
    store.apply(path.name, read(path.name, path.read_bytes()))
    objects = store.objects
    me = node("n1", labels={"rack": "a"})
    asking = [one for one in objects.peers if one.provider is not None]
    router = ProviderPeer(
        address=Address("169.254.255.1"), peer_asn=Asn(65530), local_asn=Asn(65000)
    )
    context = Context.build(
        node=me,
        node_name=NodeName("n1"),
        pools=(),
        advertisements=objects.advertisements,
        peers=objects.peers,
        policies=(),
        nodes=(me,),
        discovered={one.name: Discovery(peers=(router,), known=True) for one in asking},
    )
    assert context.conditions == ()
    assert len(context.peers) == len(objects.peers)
    assert all(one.document or one.gateway for one in context.peers)


def test_the_examples_work_together() -> None:
    """A Service of the second choice reaches both routers, and the policy spells the defaults."""
    store = Store()
    for path in FILES:
        store.apply(path.name, read(path.name, path.read_bytes()))
    objects = store.objects
    me = node("n1", labels={"rack": "a"})
    context = Context.build(
        node=me,
        node_name=NodeName("n1"),
        pools=objects.pools,
        advertisements=objects.advertisements,
        peers=objects.peers,
        policies=objects.policies,
        nodes=(me,),
    )
    assert context.conditions == ()
    assert context.policy == SpeakerPolicy()
    chosen = service("web", "203.0.113.7", labels={"traffic": "second-choice"})
    found = decide(chosen, slices("n2"), context)
    assert {one.peer: one.as_path_prepend for one in found.advertisements} == {
        "tor-a": 2,
        "tor-b": 2,
    }
    assert all(one.communities == ("64512:100",) for one in found.advertisements)
