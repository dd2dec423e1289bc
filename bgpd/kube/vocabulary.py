"""Who reads what: the kinds that a process takes from files, and what it watches at the API.

Files and the API say the same in the same forms, so a source of either kind serves an agent or the
controller, whichever vocabulary it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bgpd.kube import kinds, resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The kinds of documents that one process reads."""

    kinds: kinds.Kinds
    """Wire forms by apiVersion and kind; other kinds of ours are passed over."""
    resources: Callable[[str], tuple[resource.Resource, ...]]
    """What is watched at the API, for the namespace of the installation."""
    node: str = ""
    """Our own node: of its endpoints alone addresses and ports are kept."""


AGENT: Final = Vocabulary(kinds=kinds.AGENT, resources=resource.resources)
"""What decides on routes: Services as `bgpd.model.cluster.Service`."""
CONTROLLER: Final = Vocabulary(kinds=kinds.CONTROLLER, resources=resource.requested)
"""What decides on addresses: Services as `bgpd.model.allocation.ServiceRequest`."""


def configuring(reads: Vocabulary) -> Vocabulary:
    """Return *reads* without what only the API can say: Services, endpoints, Nodes, Secrets."""
    forms = {key: form for key, form in reads.kinds.items() if key[1] in kinds.CONFIGURED}
    return replace(reads, kinds=forms)


def agent(node: str) -> Vocabulary:
    """Return what the agent of *node* reads."""
    return replace(AGENT, node=node)
