"""Keeps values in a Python peer, has clients use them, and says how often they did.

    state.py manager|zproc

Each line on stdin has one line as its answer; the words are separated by tabs:

    NUMBER set|get|update CLIENTS KEYS MS    so many processes do it for so long, each with a key of its own -> NUMBER PER_SECOND over

What a peer cannot do is answered by the number, `failed`, the reason, and `over`: it may be read before it is whole. The clients begin at the same moment.
"""

import collections
import collections.abc
import multiprocessing
import sys
import time

VALUE = b"x" * 64
LEAD_S = 0.1
WARM_UP = 5


def changed(value):
    return bytes([(value[0] + 1) % 256]) + value[1:]


class Manager:
    """A dictionary of a manager, and its lock: that is how the manual changes a value."""

    def __init__(self):
        manager = multiprocessing.Manager()
        self.manager, self.values, self.lock = manager, manager.dict(), manager.Lock()

    def fill(self, keys):
        self.values.clear()
        self.values.update({f"key {at}": VALUE for at in range(keys)})

    def client(self):
        def update(key):
            with self.lock:
                self.values[key] = changed(self.values[key])

        return {"set": lambda key: self.values.__setitem__(key, VALUE), "get": self.values.__getitem__, "update": update}


class ZProc:
    """Its state, and an atomic function."""

    def __init__(self):
        # It was written for Python 3.6; 3.10 has taken these names from where it looks for them.
        for name in collections.abc.__all__:
            setattr(collections, name, getattr(collections.abc, name))
        import zproc

        self.zproc = zproc
        self.context = zproc.Context()
        self.state = self.context.create_state()

    def fill(self, keys):
        self.state.clear()
        self.state.update({f"key {at}": VALUE for at in range(keys)})

    def client(self):
        # Of its own: what is connected before a fork cannot be used after it.
        state = self.zproc.State(self.context.server_address, namespace=self.state.namespace)

        @self.zproc.atomic
        def update(values, key):
            values[key] = bytes([(values[key][0] + 1) % 256]) + values[key][1:]

        return {"set": lambda key: state.__setitem__(key, VALUE), "get": state.__getitem__, "update": lambda key: update(state, key)}


def work(peer, verb, key, begin, seconds, answers):
    act, times = peer.client()[verb], 0
    for _ in range(WARM_UP):
        act(key)
    time.sleep(max(0, begin - time.monotonic()))
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        act(key)
        times += 1
    answers.put(times / (time.monotonic() - began))


def measure(peer, verb, clients, keys, ms):
    peer.fill(max(keys, clients))
    answers, begin = multiprocessing.Queue(), time.monotonic() + LEAD_S
    arguments = [(peer, verb, f"key {at}", begin, ms / 1000, answers) for at in range(clients)]
    # Forked: a client has what the peer has.
    all_of_them = [multiprocessing.get_context("fork").Process(target=work, args=of_one) for of_one in arguments]
    for process in all_of_them:
        process.start()
    per_second = sum(answers.get(timeout=60) for _ in all_of_them)
    for process in all_of_them:
        process.join()
    return per_second


def main():
    answers, sys.stdout = sys.stdout, sys.stderr
    peer, why = None, None
    try:
        peer = Manager() if sys.argv[1] == "manager" else ZProc()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    for line in sys.stdin:
        number, verb, clients, keys, ms = line.split("\t")
        try:
            answer = f"failed {why}" if why else measure(peer, verb, int(clients), int(keys), int(ms))
        except Exception as error:
            answer = f"failed {type(error).__name__}: {error}"
        print(number, answer, "over", file=answers, flush=True)


if __name__ == "__main__":
    main()
