"""What the test sends, on top of the fault suite's traffic: some of it twice, and all of it until it is acknowledged."""

import collections
import random
import threading

import sender
import traffic

AGAIN = 0.05  # the share of events that are sent a second time though they were acknowledged
RECENT = 2000


class Events:
    """At least `count` events, and more until finish() is called, so that nothing done meanwhile is done without load.
    What was not acknowledged comes again. Threads share it."""

    def __init__(self, seed, count, endless=False):
        self.source = traffic.Traffic(seed)
        self.rng = random.Random(seed)
        self.count = count
        self.made = 0
        self.repeated = 0
        self.retried = 0
        self.endless = endless
        self.waiting = collections.deque()
        self.recent = collections.deque(maxlen=RECENT)
        self.lock = threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if self.waiting:
                self.retried += 1
                return self.waiting.popleft()
            if self.made >= self.count and not self.endless:
                raise StopIteration
            if self.recent and self.rng.random() < AGAIN:
                self.repeated += 1
                return self.rng.choice(self.recent)
            self.made += 1
            return next(self.source)

    def finish(self):
        self.endless = False

    def note(self, sent):
        with self.lock:
            (self.recent if sent.acknowledged else self.waiting).append(sent.event)


class Sender(sender.Sender):
    """Tries again what had no answer, or 503."""

    def _note(self, sent):
        super()._note(sent)
        self.events.note(sent)
