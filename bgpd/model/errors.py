"""Errors, named for what the caller should do about them.

Exit codes follow sysexits: 78 (`EX_CONFIG`) when a person must change something first, 75
(`EX_TEMPFAIL`) when trying again may help.
"""

from typing import ClassVar


class BgpdError(Exception):
    """Anything that bgpd reports in a sentence instead of a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(BgpdError):
    """Retrying does not help: a person has to change what the message names."""

    exit_code: ClassVar[int] = 78


class TransientError(BgpdError):
    """Retrying may help: something outside is not there yet."""

    exit_code: ClassVar[int] = 75


class ProtocolError(BgpdError):
    """What arrived from the other side of a wire is not what the protocol allows."""


def in_range(field: str, value: int, least: int, most: int) -> None:
    """Raise `ValueError` with a sentence unless *value* is within *least*..*most*."""
    if not least <= value <= most:
        raise ValueError(f"{field}: {value} must be {least}..{most}")
