"""A standard error that nobody reads: the programs work on, say so on /metrics, tell what is missing once it is read again,
and stop when they are told to."""

import contextlib
import os
import re

import pytest
import servers
from events import callback, counters, message
from test_bridge_spool import event, take_each, wait_broker, wait_drained
import wire

LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z [a-z]+ \w+: .+")


class Stuck:
    """A program whose stderr is a pipe, which the test reads, or not."""

    def __init__(self, folder, settings, name, **options):
        path = folder / f"{name}.err"
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._read = b""
        self._stuck = False
        super().__init__(folder, settings, name=name, **options)

    @property
    def stderr(self):
        while not self._stuck:
            try:
                self._read += os.read(self._pipe, 65536)
            except BlockingIOError:
                break
        return self._read.decode(errors="replace")

    def stick(self):
        """From now on the pipe is full and nobody reads it."""
        self.stderr  # noqa: B018
        self._stuck = True
        for size in (512, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(self._pipe, b"#" * size)

    def release(self):
        self._stuck = False

    def finish(self):
        self.release()
        try:
            return super().finish()
        finally:
            os.close(self._pipe)

    def wait_missing_told(self):
        """Until the first line behind what nobody read, a whole one, says how many lines are missing: as many as /metrics."""
        text = servers.wait_until(lambda: re.search(r"#\n?([^#]*\n)\Z", self.stderr), lambda: self.stderr[-2000:]).group(1)
        lines = text.splitlines()
        assert all(map(LINE.fullmatch, lines)), text
        assert int(re.search(r"missing here: (\d+);", lines[0]).group(1)) == self.dropped() > 0

    def dropped(self):
        return next(value for name, value in self.metrics().items() if name.endswith("_log_lines_dropped_total"))


class StuckBridge(Stuck, servers.Bridge):
    pass


class StuckWorker(Stuck, servers.Worker):
    pass


def post(bridge, body):
    answer = wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body))
    assert answer.status == 200, answer


@pytest.fixture
def bridge(programs, proxy, names, queues):
    one = programs(StuckBridge, {"AMQP_URL": proxy.url, **names})
    one.wait_ready()
    return one


@pytest.mark.threads
def test_the_bridge_answers_by_the_spool_connects_again_and_stops(bridge, proxy, queues):
    bridge.stick()
    bodies = [event(number) for number in range(6)]
    post(bridge, bodies[0])
    proxy.cut()
    wait_broker(bridge, "away")
    for body in bodies[1:4]:
        post(bridge, body)
    proxy.restore()
    wait_broker(bridge, "connected")
    wait_drained(bridge)
    for body in bodies[4:]:
        post(bridge, body)
    take_each(queues, bodies)
    assert bridge.dropped() > 0
    bridge.signal(servers.SIGTERM)
    assert bridge.wait_exit() == 0


def test_the_bridge_tells_what_is_missing_once_it_is_read_again(bridge, proxy):
    bridge.stick()
    proxy.cut()
    wait_broker(bridge, "away")
    servers.wait_until(lambda: bridge.dropped() > 0, "a line was dropped")
    bridge.release()
    proxy.restore()
    wait_broker(bridge, "connected")
    bridge.wait_missing_told()


def test_the_worker_counts_on_and_stops(programs, rabbitmq, redis_server, names, queues):
    worker = programs(StuckWorker, {"AMQP_URL": rabbitmq.url, "REDIS_URL": redis_server.url, **names})
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
    worker.stick()
    redis_server.kill()
    for _ in range(20):
        queues.publish(*message(callback(), "spring"))
    servers.wait_until(lambda: worker.readyz()[0] == 503, "not ready without Redis")
    redis_server.start()
    servers.wait_until(lambda: counters(redis_server.client).get("messages", 0) == 20, "the events are counted")
    servers.wait_until(lambda: worker.readyz()[0] == 200, "ready with Redis")
    assert worker.dropped() > 0
    worker.release()
    redis_server.kill()
    worker.wait_missing_told()
    worker.stick()
    worker.signal(servers.SIGTERM)
    assert worker.wait_exit() == 0
