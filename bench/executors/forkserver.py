"""The process that workers are forked from: it imports once what each of them needs, and runs nothing itself.

In, on its socket: a worker's number and arguments with the descriptors of its three standard streams. Out:
`started NUMBER PID` and `ended NUMBER CODE`, the code as `subprocess` has it. It has one thread and touches
no device, so that what it forks is as good as a fresh process; it ends with its driver. Each worker leads a
process group of its own, so that what it has forked or started ends with it.
"""

import json
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress

MESSAGE_BYTES = 1 << 16


class Server:
    """The loop: a message starts a worker, a worker's end is reported."""

    def __init__(self, driver: socket.socket) -> None:
        self.driver = driver
        self.numbers: dict[int, int] = {}  # of the workers, by process id
        self.woken, waker = os.pipe()
        for end in (self.woken, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker)

    def serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (self.driver.fileno(), self.woken):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self.woken:
                        self.reap()
                    elif not self.receive():
                        for pid in self.numbers:
                            end_group(pid)
                        return

    def receive(self) -> bool:
        """Fork a worker; False when the driver is gone."""
        try:
            message, streams, *_ = socket.recv_fds(self.driver, MESSAGE_BYTES, 3)
        except ConnectionResetError:  # it has left something unread
            return False
        if not message:
            return False
        number, arguments = json.loads(message)
        pid = os.fork()
        if pid == 0:
            become(streams, arguments)
        lead_group(pid)
        for stream in streams:
            os.close(stream)
        self.numbers[pid] = number
        self.say(f"started {number} {pid}")
        return True

    def reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.woken, MESSAGE_BYTES)
        while self.numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            end_group(pid)
            self.say(f"ended {self.numbers.pop(pid)} {os.waitstatus_to_exitcode(status)}")

    def say(self, message: str) -> None:
        with suppress(ConnectionError):  # the driver is gone, which `receive` will see
            self.driver.send(message.encode())


def lead_group(pid: int) -> None:
    """Both sides of a fork ask for it: neither knows which comes first. 0 is the caller."""
    with suppress(OSError):
        os.setpgid(pid, 0)


def end_group(leader: int) -> None:
    """Kill what is left of a worker's group."""
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def become(streams: list[int], arguments: list[str]) -> None:
    """Be the worker, in the forked process, to its end."""
    code = 1
    try:
        lead_group(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
        os.closerange(3, 256)  # the server's, of which there are few
        from .worker import main as work

        work(arguments)
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def preload() -> None:
    """Import what a trial needs, without a thread or a device: a fork could not use either."""
    import torch._dynamo  # noqa: F401 (the first optimizer of a process imports it, in two seconds)

    from . import work, worker  # noqa: F401


def main() -> None:
    """`forkserver DESCRIPTOR`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they reach the whole group
        signal.signal(number, signal.SIG_IGN)
    with suppress(Exception):  # what does not import fails again in each worker, which has a log
        preload()
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    os._exit(0)  # there is nothing to tidy up, and with torch the interpreter takes a second for it


if __name__ == "__main__":
    main()
