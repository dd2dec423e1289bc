"""What a reflex is told on its command line."""

from dataclasses import dataclass
from pathlib import Path

from bgpd.model.member import NodeName
from bgpd.telemetry.metricsoptions import UNSERVED, MetricsOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the reflex."""

    node: NodeName
    run_dir: Path
    state_dir: Path
    mesh_key_file: Path
    command: str
    """The command line that starts us, as ExaBGP's configuration names it."""
    program: str
    socket_group: str | None = None
    log_level: str = "info"
    log_format: str = "text"
    """`auto`, `text` or `json`."""
    metrics: MetricsOptions = UNSERVED
    """Where metrics and health are served."""
