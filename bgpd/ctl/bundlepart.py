"""The parts of a bundle, as they are found: nothing is taken out of them yet."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one file; more of it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What to ask, what to read, and for how long."""

    run_dir: Path
    state_dir: Path
    mesh_key_file: Path
    kubeconfig: Path | None
    logs: tuple[Path, ...]
    timeout: float


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What was found, before any secret is taken out of it."""

    documents: dict[str, object] = field(default_factory=dict)
    """File in the bundle -> what it says, as JSON can hold it."""
    texts: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Part -> why it is not there, in a sentence."""

    def take(self, found: "Gathered") -> None:
        """Add what somebody else found."""
        self.documents |= found.documents
        self.texts |= found.texts
        self.missing |= found.missing


def why(error: Exception) -> str:
    """Return what went wrong, without the file, which is named elsewhere."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
