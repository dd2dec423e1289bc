"""What an agent is told on its command line."""

from dataclasses import dataclass
from pathlib import Path

from bgpd.model.member import NodeName
from bgpd.telemetry.metricsoptions import MOST_ELASTIC_IPS, UNSERVED, MetricsOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the agent."""

    node: NodeName
    source: str
    """`directory:PATH`, `kubernetes` or `kubernetes:KUBECONFIG`."""
    cluster_uid: str
    run_dir: Path
    program: str
    documents: Path | None = None
    """A directory of documents beside the Kubernetes API."""
    state_dir: Path | None = None
    """Where the last accepted objects are kept; without it a mistake ends every start."""
    load_balancer_class: str | None = None
    ignore_exclude_label: bool = False
    """Whether a node attracts traffic although its label excludes it from load balancers."""
    socket_group: str | None = None
    log_level: str = "info"
    log_format: str = "text"
    """`auto`, `text` or `json`."""
    metrics: MetricsOptions = UNSERVED
    """Where metrics and health are served."""
    metrics_elastic_ips: int = MOST_ELASTIC_IPS
    """Elastic IPs that have series of their own; where there are more, none has."""

    @property
    def kept_in(self) -> Path:
        """Where default routes that were changed are remembered, with or without a state."""
        return self.state_dir or self.run_dir
