"""What a cluster says when it cannot do what was asked."""

EX_USAGE = 2
EX_CONFIG = 78
"""Exit status where a person has to change something first (sysexits)."""


class ClusterError(Exception):
    """The cluster cannot do what was asked of it, in a sentence; *status* is the exit status."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        """Say *sentence*, and end with *status* where nobody knows better."""
        super().__init__(sentence)
        self.status = status
