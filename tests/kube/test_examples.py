"""The example documents work as they are, together."""

from pathlib import Path

import pytest

from bgpd.kube.documents import read
from bgpd.kube.store import Store
from bgpd.model.member import NodeName, SpeakerPolicy
from bgpd.policy.service import Context, decide
from tests.policy.build import node, service, slices

EXAMPLES = Path(__file__).parents[2] / "config"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.is_file())
WHOLE = EXAMPLES / "example"


@pytest.mark.parametrize("path", [*FILES, *sorted(WHOLE.iterdir())], ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    """No file of the directory has a problem, not even a field without effect."""
    found = read(path.name, path.read_bytes())
    assert found.objects
    assert found.problems == ()


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
