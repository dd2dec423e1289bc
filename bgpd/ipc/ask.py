"""Ask one question of a speaker or an agent and wait for its answer, without asyncio.

This is bgpctl's half of the socket: it must start fast, and work when little else does.
"""

import socket
import time
from pathlib import Path
from typing import Final

from bgpd.ipc.message import (
    MAX_LINE,
    VERSION,
    Answer,
    AnyMessage,
    Ask,
    Hello,
    UnknownKindError,
    decode,
    encode,
)
from bgpd.model.errors import ConfigError, TransientError

_CHUNK: Final = 1 << 18


def ask(path: Path, question: Ask, *, timeout: float, program: str = "bgpctl") -> Answer:
    """Return the answer of whoever listens on *path*.

    Raise `TransientError` when nobody answers within *timeout* seconds, `ConfigError` when we
    may not connect, `ProtocolError` when what comes back is no answer.
    """
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(timeout)
            sock.connect(str(path))
            sock.sendall(encode(Hello(version=VERSION, role="ctl", program=program)))
            sock.sendall(encode(question))
            return _answer(sock, path, deadline)
        except PermissionError:
            raise ConfigError(
                f"{path}: permission denied; use root or the socket's group"
            ) from None
        except TimeoutError:
            raise TransientError(f"{path}: no answer within {timeout:g} s") from None
        except FileNotFoundError:
            raise TransientError(f"{path}: no such socket; nothing listens here") from None
        except ConnectionRefusedError:
            raise TransientError(f"{path}: nobody listens here any more") from None
        except OSError as error:
            raise TransientError(f"{path}: {error.strerror or error}") from None


def _answer(sock: socket.socket, path: Path, deadline: float) -> Answer:
    buffer = bytearray()
    while True:
        scanned = len(buffer)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        sock.settimeout(remaining)
        chunk = sock.recv(_CHUNK)
        if not chunk:
            raise TransientError(f"{path}: closed before it answered")
        buffer += chunk
        while (end := buffer.find(b"\n", scanned)) >= 0:
            message = _known(bytes(buffer[:end]))
            if isinstance(message, Answer):
                return message
            del buffer[: end + 1]
            scanned = 0
        if len(buffer) > MAX_LINE:
            raise TransientError(f"{path}: the answer is longer than {MAX_LINE} bytes")


def _known(line: bytes) -> AnyMessage | None:
    try:
        return decode(line)
    except UnknownKindError:
        return None
