"""Lets a Python peer bring one process after the other up and down, and says when it did what.

    measure.py mirakuru|xprocess SCRATCH

Requests come in on stdin, a line each, their words separated by tabs; each has one line as its answer:

    grow MEGABYTES             makes this process so much larger        -> grown
    up PORT COMMAND...         starts it; PORT is empty without a port  -> BEGAN ENDED CPU_NS
    stop, kill                 ends it as the peer does that            -> BEGAN ENDED 0

The times are of the clock that all processes of a machine share. The command does not come as an argument of this
process, so that nobody who looks for its processes takes this one for one of them.
"""

import contextlib
import os
import sys
import time
from pathlib import Path


class Mirakuru:
    """An executor for each process; with a port one that connects to it every 100 ms, as is its default."""

    def up(self, port, command):
        from mirakuru import SimpleExecutor, TCPExecutor

        if port:
            self.executor = TCPExecutor(command, host="127.0.0.1", port=int(port), timeout=60)
        else:
            self.executor = SimpleExecutor(command, timeout=60)
        self.executor.start()

    def stop(self):
        self.executor.stop()

    def kill(self):
        self.executor.kill()


class XProcess:
    """A starter that waits for a line of the log: there is no other way to use it, and its tests do so, too."""

    def __init__(self, scratch):
        from py.path import local
        from xprocess.xprocess import XProcess as Peer

        class Config:
            pass

        # Of its own: the peer takes a process of the same name that still runs for the one that is wanted.
        self.peer = Peer(Config(), local(scratch).ensure(f"xprocess-{os.getpid()}", dir=1))
        self.count = 0

    def up(self, port, command):
        from xprocess import ProcessStarter

        class Starter(ProcessStarter):
            pattern = "listening"
            args = command

        # One name a process: the log of an earlier one of that name would be searched again.
        self.count += 1
        self.name = f"p{self.count}"
        self.peer.ensure(self.name, Starter)

    def stop(self):
        self.peer.getinfo(self.name).terminate()

    kill = stop


def timed(work):
    cpu, began = time.process_time_ns(), time.monotonic_ns()
    work()
    return f"{began} {time.monotonic_ns()} {time.process_time_ns() - cpu}"


def main():
    name, scratch = sys.argv[1:]
    peer = Mirakuru() if name == "mirakuru" else XProcess(Path(scratch))
    answers, ballast = sys.stdout, None
    # What a peer prints of its own is no answer.
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            request, *words = line.rstrip("\n").split("\t")
            if request == "grow":
                ballast = bytearray(b"x") * (int(words[0]) << 20)
                answer = f"grown {len(ballast)}"
            elif request == "up":
                answer = timed(lambda: peer.up(words[0], words[1:]))
            else:
                answer = timed(getattr(peer, request))
            print(answer, file=answers, flush=True)


main()
