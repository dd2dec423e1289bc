"""What a cluster says when it cannot do what was asked."""

from tests.tool import ToolError

EX_USAGE = 2
EX_CONFIG = 78
"""Exit status where a person has to change something first (sysexits)."""


class ClusterError(ToolError):
    """The cluster cannot do what was asked of it."""
