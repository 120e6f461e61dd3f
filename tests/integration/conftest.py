"""Fixtures: one broker a session (in lanes: one a lane), names of its own and a Redis of its own for each test, programs
stopped at its end."""

import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import model_harness  # noqa: E402
import servers  # noqa: E402
from replication import Replication  # noqa: E402

pytest_plugins = ["repeat_timing"]
NUMBERS = itertools.count(1)

# In lanes (pytest -n N) a file stays in one lane, as its tests may share a program. The files of SPREAD share nothing but a
# broker: each of their tests goes to a free lane. Long ones begin first, so that no lane ends long after the others.
LONG = ("test_model", "test_order")
SPREAD = ("test_bridge_topology", "test_workers_together", "test_worker_away", "test_bridge_broker", "test_worker_pending_rejects",
          "test_worker_redis", "test_worker_overlap", "test_worker_tells", "test_bridge_spool", "test_worker_suspects", "test_worker_renews", "test_worker_memory", "test_pipeline",
          "test_redis_failover", "test_redis_sentinel", "test_redis_replicas", "test_redis_tls", "test_bench_compare", "test_bench_ingest", "test_bench_load",
          "test_log_stuck", "test_several_queues", "test_restart")


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: runs under the thread sanitizer too")
    config.addinivalue_line("markers", "full: runs in scripts/test-all only")
    config.addinivalue_line("markers", "timing: a promise in wall-clock time; runs alone, at the end, and once more if it fails")


def pytest_report_header():
    return "the model's sequences: " + model_harness.again(model_harness.SEED, model_harness.SEQUENCES)


def pytest_terminal_summary(terminalreporter, config):
    """A quiet run has no header."""
    if config.option.verbose < 0:
        terminalreporter.write_line(pytest_report_header())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::")[0]
            return nodeid if pathlib.Path(path).stem in SPREAD else path

    return Lanes(config, log)


LANES_LOST = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    if error:
        LANES_LOST.append(node)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Tests that a lost lane had not yet told of are in no report."""
    if LANES_LOST:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_collection_modifyitems(config, items):
    """Lanes take tests in this order."""

    def place(item):
        name = item.path.stem
        if name in LONG:
            return LONG.index(name) - len(LONG)
        return SPREAD.index(name) + 1 if name in SPREAD else 0

    if hasattr(config, "workerinput"):
        items.sort(key=place)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory):
    broker = servers.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture
def proxy(rabbitmq):
    """Between the programs and the session's broker."""
    between = servers.CuttableProxy(rabbitmq.port)
    try:
        yield between
    finally:
        between.close()


@pytest.fixture
def redis_server(tmp_path):
    server = servers.Redis(tmp_path / "redis")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def replication(tmp_path):
    """Primaries, replicas and sentinels. Ask for it before start_worker, so that the worker ends first."""
    all_servers = Replication(tmp_path)
    try:
        yield all_servers
    finally:
        all_servers.close()


def queue_names(number):
    return {
        "AMQP_EXCHANGE": f"test.{number}",
        "AMQP_QUEUE": f"test.{number}.events",
        "AMQP_REJECTED_QUEUE": f"test.{number}.rejected",
    }


@pytest.fixture
def names():
    """Names of exchange and queues that no other test uses."""
    return queue_names(f"{os.getpid()}.{next(NUMBERS)}")


class Queues:
    """The test's view of its queues."""

    def __init__(self, rabbitmq, names):
        self.names = names
        self.connection = rabbitmq.connect()
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.seen = {}

    def take(self, queue, count):
        """Waits for `count` messages of AMQP_QUEUE or AMQP_REJECTED_QUEUE and takes them: [(properties, body)]."""
        taken = []

        def enough():
            while len(taken) < count:
                method, properties, body = self.channel.basic_get(self.names[queue], auto_ack=True)
                if method is None:
                    return False
                # The broker's own: how often a quorum queue has delivered the message before.
                (properties.headers or {}).pop("x-delivery-count", None)
                taken.append((properties, body))
            return True

        if count:
            servers.wait_until(enough, lambda: f"{count} messages in {queue}; there were {len(taken)}")
        return taken

    def take_all(self, queue):
        """What is in it now: [(properties, body)]. A queue under load may tell a depth of 0 that is not so."""
        taken = []
        while True:
            method, properties, body = self.channel.basic_get(self.names[queue], auto_ack=True)
            if method is None:
                return taken
            taken.append((properties, body))

    def depth(self, queue):
        return self.channel.queue_declare(self.names[queue], passive=True).method.message_count

    def publish(self, body, properties=None, exchange=None, routing_key=None):
        """To the exchange of events, confirmed and routed."""
        self.channel.basic_publish(
            self.names["AMQP_EXCHANGE"] if exchange is None else exchange,
            self.names["AMQP_QUEUE"] if routing_key is None else routing_key,
            body,
            properties,
            mandatory=True,
        )

    def close(self):
        if not self.connection.is_open:
            return
        for queue in ("AMQP_QUEUE", "AMQP_REJECTED_QUEUE"):
            self.connection.channel().queue_delete(self.names[queue])
        for exchange in ("AMQP_EXCHANGE", "AMQP_REJECTED_QUEUE"):
            self.connection.channel().exchange_delete(self.names[exchange])
        self.connection.close()


@pytest.fixture
def queues(rabbitmq, names):
    view = Queues(rabbitmq, names)
    try:
        yield view
    finally:
        view.close()


@pytest.fixture
def programs(tmp_path):
    """start(kind, settings) starts a program; all are stopped and judged at the end of the test. Ask for it behind the
    servers, so that it ends before them."""
    started = []

    def start(kind, settings, name=None, **options):
        label = name or f"{kind.__name__.lower()}{len(started)}"
        program = kind(tmp_path, settings, name=label, **options)
        started.append(program)
        return program

    yield start
    problems = []
    for program in reversed(started):
        try:
            program.finish()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def start_bridge(rabbitmq, names, queues, programs):
    """start_bridge(**settings): a bridge on the session's broker, ready to take events, its connections as `broker` says
    (see wait_ready)."""

    def start(broker="connected", options=None, **settings):
        bridge = programs(servers.Bridge, {"AMQP_URL": rabbitmq.url, **names, **settings}, **(options or {}))
        bridge.wait_ready(broker)
        return bridge

    return start


@pytest.fixture
def start_worker(rabbitmq, redis_server, names, queues, programs):
    """start_worker(**settings): a worker on the session's broker and the test's Redis, consuming."""

    def start(wait_ready=True, options=None, **settings):
        base = {"AMQP_URL": rabbitmq.url, "REDIS_URL": redis_server.url, **names}
        worker = programs(servers.Worker, {**base, **settings}, **(options or {}))
        if wait_ready:
            servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
        return worker

    return start


class Station:
    """A bridge that many cases of one module share, with its queues."""

    def __init__(self, bridge, queues):
        self.bridge = bridge
        self.queues = queues
        self.port = bridge.port


@pytest.fixture(scope="module")
def station(rabbitmq, tmp_path_factory):
    number = f"{os.getpid()}.{next(NUMBERS)}"
    own_names = queue_names(number)
    view = Queues(rabbitmq, own_names)
    folder = tmp_path_factory.mktemp("station")
    bridge = servers.Bridge(folder, {"AMQP_URL": rabbitmq.url, **own_names, "BODY_TIMEOUT_MS": 1500})
    try:
        bridge.wait_ready()
        yield Station(bridge, view)
        bridge.finish()
    finally:
        bridge.kill()
        view.close()


@pytest.fixture(scope="module")
def counting(rabbitmq, tmp_path_factory):
    """A worker that many cases of one module share: .redis is emptied by each case, .queues publishes."""
    own_names = queue_names(f"{os.getpid()}.{next(NUMBERS)}")
    view = Queues(rabbitmq, own_names)
    folder = tmp_path_factory.mktemp("counting")
    store = servers.Redis(folder / "redis").start()
    worker = servers.Worker(folder, {"AMQP_URL": rabbitmq.url, "REDIS_URL": store.url, **own_names})
    try:
        servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
        view.worker = worker
        view.redis = store.client
        yield view
        worker.finish()
    finally:
        worker.kill()
        store.stop()
        view.close()
