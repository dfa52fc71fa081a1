"""What happens in workers, told to the process that started them."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

_GO, _STOP = b"go", b"stop"
_BROKEN = (OSError, EOFError, AuthenticationError)


class Channel:
    """A place that workers of this machine report to; use it as a context manager.

    Reports are handed on one at a time, in threads of this process. Who receives them
    may raise StopIteration: then every worker is told to stop at its next report. So
    it is with any other exception, which is raised again at the end.

    Parameters
    ----------
    receive : callable
        Given what `Line.tell` was given.
    """

    def __init__(self, receive: Callable[..., object]) -> None:
        self._receive = receive
        self._turn = threading.Lock()
        self._stopped = False
        self._error: Exception | None = None

    def __enter__(self) -> Channel:
        self._key = os.urandom(32)
        self._listener = Listener(authkey=self._key)
        self._closed = False
        self._door = threading.Thread(target=self._accept, daemon=True)
        self._door.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._turn:
            self._closed = self._stopped = True
        with suppress(*_BROKEN):  # the door waits for somebody
            Client(self._listener.address, authkey=self._key).close()
        self._door.join()
        self._listener.close()
        if self._error is not None and error is None:
            raise self._error

    def line(self) -> Line:
        """Return what a worker needs to report.

        Returns
        -------
        line : Line
            It can be sent to another process.
        """
        return Line(self._listener.address, self._key)

    def _accept(self) -> None:
        while not self._closed:
            with suppress(*_BROKEN):
                work = (self._listener.accept(),)
                threading.Thread(target=self._serve, args=work, daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with connection, suppress(*_BROKEN):
            while True:
                report = pickle.loads(connection.recv_bytes())
                with self._turn:
                    self._hand_on(report)
                    connection.send_bytes(_STOP if self._stopped else _GO)

    def _hand_on(self, report: tuple[Any, ...]) -> None:
        if self._stopped:
            return
        try:
            self._receive(*report)
        except StopIteration:
            self._stopped = True
        except Exception as error:  # of the user's code: raised where it is seen
            self._stopped, self._error = True, error


class Line:
    """The worker's end of a channel; use it as a context manager.

    Parameters
    ----------
    address : str or tuple
        Where the channel listens.
    key : bytes
        What both ends know.
    """

    def __init__(self, address: Any, key: bytes) -> None:
        self._address = address
        self._key = key

    def __enter__(self) -> Line:
        self._connection = Client(self._address, authkey=self._key)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._connection.close()

    def tell(self, *report: Any) -> None:
        """Send a report, and wait until it was received.

        Parameters
        ----------
        *report : object
            Anything that can be pickled.

        Raises
        ------
        StopIteration
            If the search shall end.
        """
        # By bytes, as torch makes pickles of its own for tensors sent as they are.
        self._connection.send_bytes(pickle.dumps(report))
        if self._connection.recv_bytes() == _STOP:
            raise StopIteration
