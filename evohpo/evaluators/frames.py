"""What driver and worker say to each other: pickled values in frames, each after its length."""

from __future__ import annotations

import pickle
import select
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

HEAD = struct.Struct("!Q")
CHUNK = 1 << 18


class Channel:
    """One end of a stream socket between a driver and a worker it started; nobody else has the other end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()

    def send(self, value: Any) -> None:
        """Send one value.

        Raises:
            OSError: the other end is gone, or reads no more.
            Exception: whatever pickling the value raises; nothing has been sent then.
        """
        body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        self.sock.sendall(HEAD.pack(len(body)) + body)

    def receive(self) -> Any:
        """Block for one value.

        Raises:
            EOFError: the other end has nothing more to say.
        """
        while (body := self._frame()) is None:
            if not self._fill():
                raise EOFError
        return pickle.loads(body)  # noqa: S301 - from a process that belongs to this run

    def read(self) -> tuple[list[bytes], bool]:
        """Return the frames that have come, still pickled, and whether more may come; blocks only if nothing has."""
        more = self._fill()
        frames = []
        while (body := self._frame()) is not None:
            frames.append(body)
        return frames, more

    def drain(self) -> list[bytes]:
        """Return all frames that have come, without blocking."""
        frames: list[bytes] = []
        more = True
        while more and select.select([self.sock], [], [], 0)[0]:
            found, more = self.read()
            frames += found
        return frames

    def _fill(self) -> bool:
        try:
            chunk = self.sock.recv(CHUNK)
        except ConnectionError:  # it died with words of ours unread
            return False
        self._buffer += chunk
        return bool(chunk)

    def _frame(self) -> bytes | None:
        if len(self._buffer) < HEAD.size:
            return None
        end = HEAD.size + HEAD.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEAD.size : end])
        del self._buffer[:end]
        return body
