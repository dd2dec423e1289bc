"""Where a command looks: at the node at hand, by its sockets, or at every node, through the API."""

import sys
from dataclasses import dataclass
from pathlib import Path

from bgpd.ctl.observe import AGENT_SOCKET, SPEAKER_SOCKET
from bgpd.ctl.options import ANSWER_SECONDS, API_SECONDS, PLUGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a person said of where to look."""

    run_dir: Path
    agent: Path | None = None
    """The agent's socket, if it is elsewhere."""
    timeout: float | None = None
    """Seconds for each answer; None: as many as are usual."""
    all_nodes: bool = False
    kubeconfig: Path | None = None
    context: str = ""

    @property
    def agent_socket(self) -> Path:
        """The agent's socket."""
        return self.agent or self.run_dir / AGENT_SOCKET

    @property
    def speaker_socket(self) -> Path:
        """The speaker's socket."""
        return self.run_dir / SPEAKER_SOCKET

    @property
    def near_seconds(self) -> float:
        """How long a socket may take."""
        return ANSWER_SECONDS if self.timeout is None else self.timeout

    @property
    def far_seconds(self) -> float:
        """How long the API may take."""
        return API_SECONDS if self.timeout is None else self.timeout

    @property
    def whole(self) -> bool:
        """Whether every node is meant."""
        if self.all_nodes or self.kubeconfig is not None or self.context:
            return True
        return Path(sys.argv[0]).name == PLUGIN and not self.at_hand

    @property
    def at_hand(self) -> bool:
        """Whether there is a node here to be asked, be it alive or not."""
        return self.agent_socket.exists() or self.speaker_socket.exists()
