"""What an agent is told on its command line."""

from dataclasses import dataclass
from pathlib import Path

from bgpd.model.member import NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the agent."""

    node: NodeName
    source: str
    """`directory:PATH`, `kubernetes` or `kubernetes:KUBECONFIG`."""
    cluster_uid: str
    run_dir: Path
    program: str
    state_dir: Path | None = None
    """Where the last accepted objects are kept; without it a mistake ends every start."""
    load_balancer_class: str | None = None
    ignore_exclude_label: bool = False
    """Whether a node attracts traffic although its label excludes it from load balancers."""
    socket_group: str | None = None
    log_level: str = "info"
