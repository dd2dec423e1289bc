"""What the builder says when it cannot build."""

from tests.tool import ToolError

EX_UNAVAILABLE = 69
EX_CONFIG = 78
"""Exit status where a person has to change something first (sysexits)."""


class ImageError(ToolError):
    """No image can be built."""
