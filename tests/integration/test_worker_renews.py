"""Messages that the broker counts as a worker's, though the worker has none of them. Between the nodes of a RabbitMQ
cluster a delivery or an acknowledgement may be lost while the connection of the worker lives on; here it is lost between
the worker and its broker, which looks the same to both."""

import re
import threading

import pytest
import servers
from waits import counted, publish, wait_metric

METHOD, HEARTBEAT = 1, b"\x08\x00\x00\x00\x00\x00\x00\xce"
DELIVER, ACK = (60, 60), (60, 80)


class LosingProxy(servers.CuttableProxy):
    """Loses the methods of `loses`, with the content that belongs to them."""

    def __init__(self, target_port):
        self.loses = ()
        self.lost = 0
        self.lost_tag = 0  # the delivery tag of the last acknowledgement that was lost
        self._rest = {}
        self._skips = {}
        self._guard = threading.Lock()
        super().__init__(target_port)

    def take(self, one, client):
        data = b""
        while not data:
            came = one.recv(65536)
            if not came:
                return b""
            with self._guard:
                data = self._pass_on(one, self._rest.pop(one, b"") + came)
        return data

    def _pass_on(self, one, data):
        """Whole frames, a heartbeat for each that is lost."""
        passed = b""
        if data.startswith(b"AMQP"):
            passed, data = data[:8], data[8:]
        while len(data) >= 7 and len(data) >= 8 + int.from_bytes(data[3:7], "big"):
            size = 8 + int.from_bytes(data[3:7], "big")
            frame, data = data[:size], data[size:]
            if frame[0] == METHOD:
                named = (int.from_bytes(frame[7:9], "big"), int.from_bytes(frame[9:11], "big"))
                self._skips[one] = named in self.loses
                self.lost += self._skips[one]
                if self._skips[one] and named == ACK:
                    self.lost_tag = int.from_bytes(frame[11:19], "big")
            passed += HEARTBEAT if frame[0] <= 3 and self._skips.get(one) else frame
        self._rest[one] = data
        return passed


@pytest.fixture
def losing(rabbitmq):
    proxy = LosingProxy(rabbitmq.port)
    yield proxy
    proxy.close()


def unacknowledged(rabbitmq, queues):
    lines = rabbitmq.control("list_queues", "--silent", "name", "messages_ready", "messages_unacknowledged").splitlines()
    (numbers,) = [line.split("\t")[1:] for line in lines if line.startswith(queues.names["AMQP_QUEUE"] + "\t")]
    return tuple(map(int, numbers))


def wait_for(worker, condition):
    servers.wait_until(condition, lambda: f"{worker.metrics()}\n{worker.stderr[-2000:]}")


def wait_given_up(worker, rabbitmq, queues):
    """The broker counts no message as the worker's any more."""
    wait_for(worker, lambda: unacknowledged(rabbitmq, queues) == (0, 0))


def test_what_the_broker_holds_because_an_acknowledgement_was_lost_is_settled_and_counts_once(
        start_worker, queues, redis_server, rabbitmq, losing):
    worker = start_worker(AMQP_URL=losing.url)
    losing.loses = (ACK,)
    publish(queues, 3)
    # Of one batch or of several: the last acknowledgement is that of the third message.
    wait_for(worker, lambda: counted(redis_server) == 3 and losing.lost_tag == 3 and worker.metrics()["dropworker_held"] == 0)
    losing.loses = ()
    wait_metric(worker, "renewals_total", 1)
    wait_for(worker, lambda: worker.metrics()["dropworker_duplicate_total"] == 3)
    wait_given_up(worker, rabbitmq, queues)
    told = worker.metrics()
    assert counted(redis_server) == 3 and told["dropworker_duplicate_total"] == 3
    assert told["dropworker_reconnects_total"] == 0 and told["dropworker_suspects_total"] == 0
    assert worker.readyz()[0] == 200 and "cannot consume" not in worker.stderr

    def said():
        """In one line, or in two if they did not come at once."""
        return sum(map(int, re.findall(r"which had none in hand: (\d+)", worker.stderr)))

    wait_for(worker, lambda: said() == 3)


def test_what_the_broker_holds_because_a_delivery_was_lost_comes_again(start_worker, queues, redis_server, rabbitmq, losing):
    worker = start_worker(AMQP_URL=losing.url)
    losing.loses = (DELIVER,)
    publish(queues, 2)
    wait_for(worker, lambda: losing.lost >= 2)
    assert queues.depth("AMQP_QUEUE") == 0 and worker.metrics()["dropworker_consumed_total"] == 0
    losing.loses = ()
    wait_for(worker, lambda: counted(redis_server) == 2)
    wait_given_up(worker, rabbitmq, queues)
    assert worker.metrics()["dropworker_duplicate_total"] == 0


def test_an_idle_worker_renews_quietly_and_what_comes_next_comes_once(start_worker, queues, redis_server, rabbitmq):
    """In a memory alarm too, which stops those who publish."""
    worker = start_worker()
    wait_for(worker, lambda: "can consume" in worker.stderr and "can count" in worker.stderr)
    before = worker.stderr
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        wait_metric(worker, "renewals_total", 1)
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")
    publish(queues, 20)
    wait_for(worker, lambda: counted(redis_server) == 20)
    wait_given_up(worker, rabbitmq, queues)
    told = worker.metrics()
    assert told["dropworker_redelivered_total"] == 0 and told["dropworker_reconnects_total"] == 0
    assert worker.readyz()[0] == 200 and worker.stderr == before


def test_a_connection_that_moves_no_byte_is_left_by_the_renewal(start_worker, queues, redis_server, losing):
    worker = start_worker(AMQP_URL=losing.url)
    publish(queues, 1)
    wait_for(worker, lambda: counted(redis_server) == 1)
    losing.freeze()
    wait_for(worker, lambda: worker.readyz()[0] == 503)
    losing.cut()
    losing.restore()
    publish(queues, 3)
    wait_for(worker, lambda: counted(redis_server) == 4)
    assert worker.metrics()["dropworker_reconnects_total"] == 1
