"""What `bgpctl migrate` shows people: where they are, who speaks where, what to type."""

from bgpd.ctl.migratetable import stand_document, stand_table
from bgpd.migrate.stand import Stand, Step
from bgpd.migrate.walk import stand
from tests.migrate.build import (
    OURS,
    cluster,
    controller,
    copied,
    endpoints,
    node,
    peer,
    pod,
    polite_speaker,
    pool,
    report,
    service,
    speaker,
)

HALF_WAY = (
    pool(), peer(), copied(pool()), copied(peer()), controller(), polite_speaker(),
    node("n1", moved=True), report("n1"), node("n2"), pod("n2"), node("n3"),
    service("web", "192.0.2.7", spec={"externalTrafficPolicy": "Local"}), endpoints("web", "n2"),
)  # fmt: skip
SHOWN = """\
step 4, move the nodes one by one: 1 of 3 nodes is moved
warning: n2 alone has endpoints of shop/web: its packets are lost for about a
  second; scale it over two nodes first

NODE  SPEAKER  SESSIONS  LEVER  GENERATION  ALONE CARRIES
n1    bgpd     1/1       none   1
n2    MetalLB                               shop/web
n3    none

NEXT
  kubectl label node n2 bgpd.io/speaker=true

TO GO BACK
  kubectl label node n1 bgpd.io/speaker-
"""


def test_a_person_sees_the_nodes_the_next_command_and_the_way_back() -> None:
    """Half-way, with a Service that has nowhere else to go."""
    assert stand_table(stand(cluster(*HALF_WAY), OURS)) == SHOWN


def test_commands_are_never_broken_into_lines() -> None:
    """They are copied into a shell; everything else fits a terminal."""
    documents = (pool(), peer(), copied(pool()), copied(peer()), speaker(), node("n1"), pod("n1"))
    text = stand_table(stand(cluster(*documents), OURS))
    long = [line for line in text.splitlines() if len(line) > 80]
    assert long
    assert all(line.startswith("  kubectl ") for line in long)


def test_a_cluster_without_metallb_is_one_line() -> None:
    """There is nothing to do, so nothing else is said."""
    text = stand_table(stand(cluster(node("n1")), OURS))
    assert text == "nothing to do: there is nothing of MetalLB here\n"


def test_a_program_gets_the_same_with_stable_names() -> None:
    """Scripts wait for `step`, and for nodes to be `moved`."""
    document = stand_document(stand(cluster(*HALF_WAY), OURS))
    assert document["step"] == "move"
    assert document["held"] is True
    nodes = document["nodes"]
    assert isinstance(nodes, list)
    assert [(one["name"], one["moved"]) for one in nodes] == [
        ("n1", True), ("n2", False), ("n3", False),
    ]  # fmt: skip
    assert nodes[0]["levers"] == ["none"]


def test_every_step_has_a_title() -> None:
    """A step that is added is one that people see."""
    for step in Step:
        assert stand_table(Stand(step=step, why="because"))
