"""Two batches of one worker at Redis at once: whatever happens to them there, each counts once and in full, and none is
acknowledged before the one before it."""

import select
import threading

import pytest
import servers
from events import callback, counters, failure, message
from waits import adds_up, counted, publish, wait_counted, wait_not_ready, wait_settled

CALL = b"\r\nEVALSHA\r\n"


class Gate(servers.CuttableProxy):
    """Between a worker and Redis. Once shut it keeps what the worker says, until it is opened; `calls` is how many calls of
    the script it keeps."""

    def __init__(self, redis_server):
        self.open = threading.Event()
        self.open.set()
        self.kept = b""
        super().__init__(redis_server.port)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def calls(self):
        return self.kept.count(CALL)

    def _move(self, client, server):
        try:
            while not self._closed.is_set():
                if self.kept and self.open.is_set():
                    kept, self.kept = self.kept, b""
                    server.sendall(kept)
                for one in select.select([client, server], [], [], 0.02)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is client:
                        self.kept += data
                    else:
                        client.sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            self.kept = b""
            client.close()
            server.close()


@pytest.fixture
def gate(redis_server):
    made = Gate(redis_server)
    yield made
    made.close()


@pytest.fixture
def two_under_way(start_worker, queues, redis_server, gate):
    """Starts a worker, and makes it send both bodies, a batch each, which stay at the gate."""
    def begin(*bodies):
        worker = start_worker(options={"clean_exit": (0, -9)}, REDIS_URL=gate.url, BATCH_MAX=1)
        publish(queues, 1)
        wait_counted(redis_server, worker, 1)
        wait_settled(worker, queues)
        gate.open.clear()
        for body in bodies:
            queues.publish(*message(body, "spring"))
        servers.wait_until(lambda: gate.calls == 2, lambda: f"{gate.calls} calls\n{worker.stderr[-3000:]}")
        return worker

    return begin


def nothing(_client):
    pass


def raise_epoch(client):
    incarnation, _, revision = client.get("dc:drops:epoch").decode().partition(":")
    client.set("dc:drops:epoch", f"{incarnation}:{int(revision) + 1}")


def end_generation(client):
    generations = client.get("dc:drops:generations").decode().split(" ")
    number, birth, length, *rest = generations[0].split(":")
    client.set("dc:drops:generations", " ".join([":".join([number, str(int(birth) - int(length)), length, *rest]), *generations[1:]]))
    raise_epoch(client)


@pytest.mark.parametrize("happens", [nothing, raise_epoch, end_generation, lambda client: client.script_flush()],
                         ids=["nothing", "another epoch", "another generation", "the scripts are flushed"])
@pytest.mark.parametrize("copies", [1, 2], ids=["two drops", "two copies of one drop"])
def test_two_batches_under_way_count_once(two_under_way, queues, redis_server, gate, happens, copies):
    first = callback()
    worker = two_under_way(first, first if copies == 2 else callback())
    happens(redis_server.client)
    gate.open.set()
    wait_settled(worker, queues)
    assert counted(redis_server) == 4 - copies
    assert counters(redis_server.client).get("duplicate", 0) == copies - 1


def test_a_wrong_type_stops_its_batch_and_not_the_one_behind_it(two_under_way, queues, redis_server, gate):
    worker = two_under_way(failure("No Funds"), callback())
    redis_server.client.set("dc:totals:reasons", "a string")
    gate.open.set()
    wait_not_ready(worker, "dc:totals:reasons")
    servers.wait_until(lambda: counted(redis_server) == 2, lambda: worker.stderr[-3000:])
    assert worker.readyz()[1]["held"] == 2  # nothing is acknowledged before the first one
    redis_server.client.delete("dc:totals:reasons")
    wait_settled(worker, queues)
    assert counters(redis_server.client) | {"duplicate": 0} == counters(redis_server.client) | {
        "messages": 3, "success": 2, "failure": 1, "duplicate": 0}


@pytest.mark.parametrize("reach", [False, True], ids=["their calls are lost", "their answers are lost"])
def test_a_connection_that_breaks_under_two_batches_loses_and_doubles_nothing(
        two_under_way, queues, redis_server, gate, reach):
    worker = two_under_way(callback(), failure("No Funds"))
    if reach:  # as Redis gets them, and the worker hears nothing
        data, gate.kept = gate.kept, b""
        client = servers.socket.create_connection(("127.0.0.1", redis_server.port))
        client.sendall(data)
        servers.wait_until(lambda: counted(redis_server) == 3, "both calls")
        client.close()
    gate.cut()
    gate.open.set()
    gate.restore()
    servers.wait_until(lambda: counted(redis_server) == 3 and queues.depth("AMQP_QUEUE") == 0, lambda: worker.stderr[-3000:])
    wait_settled(worker, queues)
    found = counters(redis_server.client)
    assert found["success"] == 2 and found["failure"] == 1 and found.get("duplicate", 0) == (2 if reach else 0)
    assert adds_up(worker)


def test_a_worker_that_dies_with_two_batches_under_way_loses_and_doubles_nothing(
        two_under_way, start_worker, queues, redis_server, gate):
    worker = two_under_way(callback(), callback())
    worker.kill()
    gate.open.set()
    other = start_worker()
    wait_settled(other, queues)
    assert counted(redis_server) == 3
