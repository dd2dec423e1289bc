"""Who is in the mesh, and by which address, as one node knows it."""

from collections.abc import Iterable

from bgpd.model.cluster import Node, NodeReport
from bgpd.model.configuration import BGPPeer
from bgpd.model.errors import ConfigError
from bgpd.model.member import Member
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.status import Condition
from bgpd.policy.family import WORD
from bgpd.policy.peers import address_in


def mesh_family(peers: Iterable[BGPPeer], node: Node) -> Family:
    """Return the family of the BGP sessions, so that heartbeats share the fate of the data.

    All peers are asked, not only this node's: two nodes must not choose differently.
    """
    # What a provider will say is not known of other nodes.
    families = {family_of(peer.address) for peer in peers if peer.provider is None}
    if not families:
        return Family.IPV4 if address_in(node, Family.IPV4) else Family.IPV6
    return Family.IPV6 if families == {Family.IPV6} else Family.IPV4


def mesh_address(node: Node, family: Family) -> Address:
    """Return where the speaker of *node* listens; raise `ConfigError` where there is no place."""
    address = address_in(node, family)
    if address is None:
        raise ConfigError(
            f"Node {node.name} has no {WORD[family]} address of type InternalIP in "
            f"status.addresses ({', '.join(node.addresses) or 'none at all'}); the mesh needs one"
        )
    return address


def _members(
    nodes: Iterable[Node], family: Family
) -> tuple[tuple[Member, ...], tuple[Condition, ...]]:
    members: list[Member] = []
    conditions: list[Condition] = []
    for node in sorted(nodes, key=lambda one: one.name):
        address = address_in(node, family)
        if address is not None:
            members.append(Member(name=node.name, address=address))
            continue
        message = (
            f"Node {node.name} has no {WORD[family]} address of type InternalIP in "
            "status.addresses; it is not a member of the mesh, so its death is not noticed"
        )
        conditions.append(
            Condition(
                type="MemberWithoutAddress", status=True, reason="NoInternalIP", message=message
            )
        )
    return tuple(members), tuple(conditions)


def members_of(
    reports: Iterable[NodeReport], nodes: Iterable[Node], ours: Member, family: Family
) -> tuple[tuple[Member, ...], tuple[Condition, ...]]:
    """Return the members that agents speak for; where no agent speaks, a member for each Node.

    No report at all is a cluster whose agents do not write any, or whose kinds went: the Nodes are
    there all the same. What a node says in the other family (the peers are about to change theirs)
    is no way to reach it, so its Node has the word.
    """
    found = {one.name: one.member for one in reports if one.member is not None}
    if not found:
        return _members(nodes, family)
    found[ours.name] = ours
    kept = [one for one in found.values() if family_of(one.address) is family]
    lacking = found.keys() - {one.name for one in kept}
    instead, conditions = _members([one for one in nodes if one.name in lacking], family)
    return tuple(sorted((*kept, *instead), key=lambda one: one.name)), conditions
