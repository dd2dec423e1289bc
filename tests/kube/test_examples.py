"""The example documents work as they are, together."""

from pathlib import Path

import pytest

from bgpd.agent.planner import Planner
from bgpd.kube.documents import read
from bgpd.kube.store import Changes, Store
from bgpd.model.member import NodeName, SpeakerPolicy
from bgpd.policy.service import Context, decide
from tests.policy.build import node, service, slices

EXAMPLES = Path(__file__).parents[2] / "config"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.is_file())
WHOLE = EXAMPLES / "example"
README = EXAMPLES.parent / "README.md"


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


def test_the_command_of_the_readme_advertises_one_elastic_ip() -> None:
    """Node n1 needs nothing beside config/example to start and to want a route."""
    assert "bgpd agent --node n1 --source directory:config/example " in README.read_text()
    store = Store()
    for path in sorted(WHOLE.iterdir()):
        store.apply(path.name, read(path.name, path.read_bytes()))
    planner = Planner(node=NodeName("n1"), cluster_uid="prod")
    planner.configure(Changes(), store.objects, {})
    desired = planner.desired()
    assert desired is not None
    assert [(one.peer, str(one.prefix)) for one in desired.advertisements] == [
        ("tor", "203.0.113.10/32")
    ]
    assert planner.conditions == ()
    assert planner.withheld == ()
