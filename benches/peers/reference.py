"""The reference job for SimPy: a process a mailbox and one a head's throttle. `python reference.py SIZES WEIGHT`.

The law of the throttle and the placement are those of src/lib.rs, so that all programs agree to the microsecond.
"""

import math
import sys
from array import array

import simpy

SETUP_US, SAMPLE_US, BYTES_PER_US = 2_000_000, 60_000_000, 20
USERS = 0.90


class Clusters:
    """Filled one after the other: one is full at the first mailbox for which it has no room."""

    def __init__(self, total):
        self.room = [int(total * 1.15 * 0.40)] * 3
        self.at = 0

    def place(self, size):
        while self.room[self.at] < size:
            self.at += 1
        self.room[self.at] -= size


class Throttle:
    """One more stream a minute, half of them above the limit; in thousandths of a stream."""

    def __init__(self, mailboxes, stream):
        self.pace_milli, self.samples, self.halved, self.users = 16_000, 0, 0, 0.0
        self.user, self.stream = USERS / mailboxes, stream

    def streams(self):
        return self.pace_milli // 1000

    def sample(self, left, copies):
        if self.samples % 5 == 0:
            hour = (self.samples + 2.5) / 60.0
            weight = 1.0 + 0.25 / 0.45 * math.cos(math.tau * (hour - 15.0) / 24.0)
            self.users = left * self.user * weight
        self.samples += 1
        going = min(copies, self.streams())
        if self.users + going * self.stream > 0.80:
            self.pace_milli = max(self.pace_milli // 2, 1000)
            self.halved += 1
        elif copies >= self.streams():
            self.pace_milli = min(self.pace_milli + 1000, 64_000)


class Head:
    def __init__(self, env, mailboxes, throttle, clusters):
        self.env, self.throttle, self.clusters = env, throttle, clusters
        self.waiting = iter(mailboxes)
        self.left = len(mailboxes)
        self.in_turn = False
        self.emptied = env.event()
        # Processes in the order in which they began; those suspended with the event that lets them go on, the latest first.
        self.going, self.suspended = [], []
        env.process(self.sample())

    def drain(self):
        self.in_turn = True
        self.keep_pace()
        return self.emptied

    def sample(self):
        """The throttle decides, each minute until the head is empty."""
        while self.left:
            self.throttle.sample(self.left, len(self.going) + len(self.suspended))
            if self.in_turn:
                self.keep_pace()
            yield self.env.timeout(SAMPLE_US)

    def keep_pace(self):
        """Suspends copies or lets them go on, as the throttle has it, and begins new ones."""
        streams = self.throttle.streams()
        while len(self.going) > streams:
            process, goes_on = self.going.pop(), self.env.event()
            self.suspended.append((process, goes_on))
            process.interrupt(goes_on)
        while len(self.going) < streams:
            if self.suspended:
                process, goes_on = self.suspended.pop()
                self.going.append(process)
                goes_on.succeed()
                continue
            size = next(self.waiting, None)
            if size is None:
                return
            self.clusters.place(size)
            self.going.append(self.env.process(self.copy(size)))

    def copy(self, size):
        env = self.env
        ready, left = env.now + SETUP_US, -(-size // BYTES_PER_US)
        while True:
            ends = max(env.now, ready) + left
            try:
                yield env.timeout(ends - env.now)
                break
            except simpy.Interrupt as interrupt:
                # Its set-up goes on.
                left = ends - max(env.now, ready)
                yield interrupt.cause
        self.going.remove(env.active_process)
        self.left -= 1
        if self.left == 0:
            self.emptied.succeed(env.now)
        self.keep_pace()


def main(path, stream):
    sizes = array("Q")
    with open(path, "rb") as file:
        sizes.frombytes(file.read())
    env = simpy.Environment()
    half = -(-len(sizes) // 2)
    clusters = Clusters(sum(sizes))
    halves = sizes[:half], sizes[half:]
    heads = [Head(env, half, Throttle(len(sizes), stream), clusters) for half in halves]

    def migration():
        for head in heads:
            yield head.drain()

    # The heads' first samples, whose processes were begun before, come first.
    env.run(until=env.process(migration()))
    halved = sum(head.throttle.halved for head in heads)
    print(f"ended_us={env.now} moved={len(sizes) - sum(head.left for head in heads)} halved={halved}")


main(sys.argv[1], float(sys.argv[2]))
