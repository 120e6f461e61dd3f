"""redis-sentinel://: the worker follows a failover, writes to no former primary, and hears through sentinels that are away,
mute, wrong or locked. Counters are exact in all of it."""

import contextlib
import socket
import threading

import pytest
import servers
from events import counters
from replication import order_failover, replicas_of, standing_still, wait_in_step
from waits import counted, publish, wait_counted, wait_metric, wait_not_ready, wait_ready, wait_said, wait_settled


def url_of(*sentinels, login="", path="main/0"):
    return f"redis-sentinel://{login}{','.join(f'127.0.0.1:{sentinel.port}' for sentinel in sentinels)}/{path}"


class Cluster:
    """A primary, two replicas (a failover leaves one to the new primary) and sentinels that know of them."""

    def __init__(self, replication, sentinels=1, quorum=1):
        self.primary = replication.redis()
        self.replicas = [replication.redis(replica_of=self.primary) for _ in range(2)]
        self.sentinels = [replication.sentinel(self.primary, quorum=quorum) for _ in range(sentinels)]
        for sentinel in self.sentinels:
            sentinel.wait_knows(2, sentinels - 1)
        self.url = url_of(*self.sentinels)

    def wait_failed_over(self):
        """Until the sentinels name another primary, and the other replica follows it; returns it."""
        def new():
            named = {sentinel.named() for sentinel in self.sentinels if sentinel.child.running()}
            return next((replica for replica in self.replicas if named == {replica.port}), None)

        primary = servers.wait_until(new, lambda: "a new primary is named: " + self.sentinels[-1].child.stdout[-3000:])
        (other,) = (replica for replica in self.replicas if replica is not primary)
        servers.wait_until(lambda: other.client.info("replication").get("master_port") == primary.port, "it has a replica")
        return primary


@pytest.fixture
def cluster(replication):
    return Cluster(replication)


@pytest.fixture
def trio(replication):
    """Without sentinels: the test says what they would say."""
    return Cluster(replication, sentinels=0)


@pytest.mark.full
def test_a_killed_primary_is_followed_and_nothing_is_lost_or_doubled(replication, start_worker, queues):
    cluster = Cluster(replication, sentinels=3, quorum=2)
    workers = [start_worker(REDIS_URL=cluster.url, BATCH_MAX=10) for _ in range(2)]
    assert f"connected to Redis at 127.0.0.1:{cluster.primary.port}, database 0, the primary of main" in workers[0].stderr
    publish(queues, 100)
    servers.wait_until(lambda: counted(cluster.primary) > 20, lambda: workers[0].stderr[-2000:])
    publish(queues, 200)
    cluster.primary.kill()
    publish(queues, 100)
    new = cluster.wait_failed_over()
    publish(queues, 100)
    for worker in workers:
        wait_ready(worker)
        wait_counted(new, worker, 500)
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 0, "the queue is empty")
    assert counters(new.client)["messages"] == 500


@pytest.mark.full
def test_a_former_primary_that_goes_on_is_not_written_to(cluster, start_worker, queues):
    """An idle worker: its connection is whole, and its server still believes to be the primary."""
    worker = start_worker(REDIS_URL=cluster.url)
    publish(queues, 20)
    wait_counted(cluster.primary, worker, 20)
    wait_settled(worker, queues)
    with standing_still(cluster.primary):
        new = cluster.wait_failed_over()
    publish(queues, 30)
    wait_counted(new, worker, 50)
    wait_settled(worker, queues)
    servers.wait_until(lambda: cluster.primary.client.role()[0] == b"slave", "the former primary is a replica")
    servers.wait_until(lambda: counted(cluster.primary) == 50, lambda: counted(cluster.primary))


@pytest.mark.full
def test_a_primary_stopped_under_load_and_going_on_counts_nothing_twice(cluster, start_worker, queues):
    workers = [start_worker(REDIS_URL=cluster.url, BATCH_MAX=5) for _ in range(2)]
    publish(queues, 100)
    servers.wait_until(lambda: counted(cluster.primary) > 10, lambda: workers[0].stderr[-2000:])
    with standing_still(cluster.primary):
        publish(queues, 100)
        new = cluster.wait_failed_over()
        publish(queues, 100)
    publish(queues, 100)
    wait_counted(new, workers[0], 400)
    for worker in workers:
        wait_ready(worker)
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 0, "the queue is empty")
    servers.wait_until(lambda: counted(cluster.primary) == 400, lambda: counted(cluster.primary))


def test_a_failover_that_was_ordered_is_followed(cluster, start_worker, queues):
    """For a while the former primary goes on, with the replica that was not promoted: all that it has, but fewer than before."""
    worker = start_worker(REDIS_URL=cluster.url, BATCH_MAX=5)
    publish(queues, 50)
    servers.wait_until(lambda: counted(cluster.primary) > 5, lambda: worker.stderr[-2000:])
    servers.wait_until(lambda: order_failover(cluster.sentinels[0]), "the failover begins")
    publish(queues, 150)
    new = cluster.wait_failed_over()
    publish(queues, 50)
    wait_counted(new, worker, 250)
    wait_settled(worker, queues)


@pytest.mark.full
def test_a_replica_that_is_lost_for_good_is_waited_for_only_a_moment(cluster, start_worker, queues):
    worker = start_worker(REDIS_URL=cluster.url)
    cluster.replicas[0].kill()
    publish(queues, 10)
    wait_not_ready(worker, "1 of 2 replicas have the batch", "no failover is under way")
    wait_counted(cluster.primary, worker, 10)
    wait_settled(worker, queues)
    publish(queues, 10)
    wait_counted(cluster.primary, worker, 20)
    wait_settled(worker, queues)
    assert "duplicate" not in counters(cluster.primary.client)


class Away:
    """A sentinel that is not there."""

    def __init__(self):
        self.port = servers.free_port()


def test_with_sentinels_a_primary_without_replicas_is_not_ready_unless_none_was_asked_for(
        replication, redis_server, start_worker, queues):
    sentinel = replication.sentinel(redis_server)
    worker = start_worker(wait_ready=False, REDIS_URL=url_of(sentinel))
    wait_not_ready(worker, "0 of 1 replicas have what was written", "REDIS_WAIT_REPLICAS=0 does without")
    knowing = start_worker(REDIS_URL=url_of(sentinel), REDIS_WAIT_REPLICAS=0)
    worker.finish()
    publish(queues, 5)
    wait_counted(redis_server, knowing, 5)
    wait_settled(knowing, queues)


def test_a_number_that_was_set_is_enough_with_sentinels_too(cluster, start_worker, queues):
    worker = start_worker(REDIS_URL=cluster.url, REDIS_WAIT_REPLICAS=1)
    with standing_still(cluster.replicas[0]):
        publish(queues, 10)
        wait_settled(worker, queues)
        assert "replicas have the batch" not in worker.stderr
    wait_counted(cluster.primary, worker, 10)


def test_a_user_who_may_not_see_the_replicas_is_refused_unless_a_number_was_set(
        cluster, rabbitmq, names, queues, programs, start_worker):
    cluster.primary.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", ">word", "~dc:*", "+@all", "-info")
    url = cluster.url.replace("redis-sentinel://", "redis-sentinel://counting:word@")
    refused = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": url}, clean_exit=(69,))
    assert refused.wait_exit() == 69
    assert "asking for its replicas" in refused.stderr and "info" in refused.stderr
    worker = start_worker(REDIS_URL=url, REDIS_WAIT_REPLICAS=2)
    publish(queues, 5)
    wait_counted(cluster.primary, worker, 5)
    wait_settled(worker, queues)


def test_without_its_sentinels_the_worker_goes_on_and_says_so(replication, redis_server, start_worker, queues):
    sentinel = replication.sentinel(redis_server)
    worker = start_worker(REDIS_URL=url_of(sentinel), REDIS_WAIT_REPLICAS=0)
    sentinel.kill()
    wait_said(worker, "no sentinel answers")
    publish(queues, 20)
    wait_counted(redis_server, worker, 20)
    wait_settled(worker, queues)


def test_sentinels_that_are_away_at_the_start_are_waited_for(replication, redis_server, start_worker, queues):
    sentinel = replication.sentinel(redis_server)
    sentinel.kill()
    worker = start_worker(wait_ready=False, REDIS_URL=url_of(Away(), sentinel), REDIS_WAIT_REPLICAS=0)
    wait_not_ready(worker, "none of 2 sentinels named a primary", "Connection refused")
    sentinel.start()
    wait_ready(worker)
    publish(queues, 5)
    wait_counted(redis_server, worker, 5)


def test_user_password_and_database_go_to_redis_and_only_there(replication, start_worker, queues):
    primary = replication.redis()
    sentinel = replication.sentinel(primary)
    primary.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", ">a word", "~dc:*", "+@all", "-@dangerous")
    url = url_of(sentinel, login="counting:a%20word@", path="main/3")
    with fake_sentinel(lambda _: b"-NOAUTH Authentication required.\r\n") as locked:
        worker = start_worker(REDIS_URL=url.replace("127.0.0.1:", f"127.0.0.1:{locked.port},127.0.0.1:", 1),
                              REDIS_WAIT_REPLICAS=0)
        assert locked.heard and not any("AUTH" in command or "a word" in command for command in locked.heard)
    publish(queues, 2)
    client = servers.redis.Redis("127.0.0.1", primary.port, db=3)
    servers.wait_until(lambda: counters(client).get("messages") == 2, lambda: worker.stderr[-2000:])
    client.close()
    assert "a word" not in worker.stderr and "a%20word" not in worker.stderr


def test_the_sentinels_own_password_is_a_setting(replication, start_worker, queues, rabbitmq, names, programs):
    primary = replication.redis()
    sentinel = replication.sentinel(primary, password="sesame")
    worker = start_worker(REDIS_URL=url_of(sentinel), REDIS_SENTINEL_PASSWORD="sesame", REDIS_WAIT_REPLICAS=0)
    publish(queues, 2)
    wait_counted(primary, worker, 2)
    for wrong in (None, "open-up"):
        locked_out = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": url_of(sentinel),
                                               "REDIS_SENTINEL_PASSWORD": wrong}, clean_exit=(69,))
        assert locked_out.wait_exit() == 69
        assert "REDIS_SENTINEL_PASSWORD" in locked_out.stderr and "open-up" not in locked_out.stderr


class FakeSentinel:
    def __init__(self, listener):
        self.port = listener.getsockname()[1]
        self.heard = []


@contextlib.contextmanager
def fake_sentinel(answer):
    """Answers each command with answer(command); None: never."""
    listener = socket.create_server(("127.0.0.1", servers.free_port()))
    fake = FakeSentinel(listener)

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            while command := connection.recv(4096):
                fake.heard.append(command.decode())
                reply = answer(fake.heard[-1])
                if reply is not None:
                    connection.sendall(reply)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield fake
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def names_port(port):
    text = str(port).encode()
    return b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(text), text)


USELESS = {
    "one that says nothing": (lambda _: None, "asking for the primary: no answer in time"),
    "one that does not know the name": (lambda _: b"*-1\r\n", 'knows no primary of the name "main"'),
    "no sentinel": (lambda _: b"-ERR unknown command 'SENTINEL', with args beginning with: \r\n", "is no sentinel"),
    "one that names half": (lambda _: b"*1\r\n$1\r\nh\r\n", "an answer that names none"),
    "one that names no port": (lambda _: b"*2\r\n$1\r\nh\r\n$1\r\nx\r\n", "an answer that names none"),
    "one that says something else": (lambda _: b"+OK\r\n", "an answer that names none"),
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_useless_sentinel_is_named_and_another_is_asked(redis_server, start_worker, rabbitmq, names, queues, programs, kind):
    answer, sentence = USELESS[kind]
    with fake_sentinel(answer) as useless, fake_sentinel(lambda _: names_port(redis_server.port)) as good:
        worker = start_worker(REDIS_URL=url_of(useless, good), REDIS_WAIT_REPLICAS=0)
        publish(queues, 2)
        wait_counted(redis_server, worker, 2)
        alone = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": url_of(useless)},
                         clean_exit=(0, 69))
        wait_said(alone, sentence)


def test_a_sentinel_that_names_a_replica_is_not_believed(replication, redis_server, start_worker, queues):
    replica = replication.redis(replica_of=redis_server)
    with (fake_sentinel(lambda _: names_port(replica.port)) as liar,
          fake_sentinel(lambda _: names_port(redis_server.port)) as honest):
        alone = start_worker(wait_ready=False, REDIS_URL=url_of(liar))
        wait_not_ready(alone, f"Redis at 127.0.0.1:{replica.port} is no primary, though a sentinel names it")
        alone.finish()
        worker = start_worker(REDIS_URL=url_of(liar, honest))
        publish(queues, 5)
        wait_counted(redis_server, worker, 5)
        wait_settled(worker, queues)


def test_a_batch_at_a_former_primary_is_counted_at_the_new_one(trio, start_worker, queues):
    """Worse than any sentinel: one that goes on naming the former primary, which goes on taking writes. It has no replica."""
    former = trio.primary
    named = [former.port]
    with fake_sentinel(lambda _: names_port(named[0])) as late:
        worker = start_worker(REDIS_URL=url_of(late))
        publish(queues, 5)
        wait_counted(former, worker, 5)
        wait_settled(worker, queues)
        new, other = trio.replicas
        new.client.replicaof("NO", "ONE")
        other.client.replicaof("127.0.0.1", new.port)
        publish(queues, 10)
        wait_not_ready(worker, "0 of 1 replicas have the batch")
        assert counted(former) > 5
        named[0] = new.port
        wait_counted(new, worker, 15)
        wait_settled(worker, queues)
        assert worker.metrics()["dropworker_counted_total"] == 15


def promoted_unseen(trio):
    """The first replica becomes the primary, and the former one goes on with the other: it has all its replicas."""
    new, other = trio.replicas
    new.client.replicaof("NO", "ONE")
    servers.wait_until(lambda: trio.primary.client.info("replication")["connected_slaves"] == 1, "it has left")
    return new, other


@pytest.mark.full
def test_a_worker_that_comes_during_a_failover_acknowledges_nothing_at_the_former_primary(trio, start_worker, queues):
    """The messages are there before it, and it finds the former primary when it consumes: its first batch comes soon after
    its connection. The sentinel hears of the new primary when that batch has been tried at the former one."""
    new, other = promoted_unseen(trio)
    start_worker().finish()  # declares the queues
    publish(queues, 10)
    workers, named = [], [None]

    def answer(_):
        if not workers or "can consume" not in workers[0].stderr:
            return b"*-1\r\n"
        if named[0] != new.port:
            named[0] = trio.primary.port
            _, told = workers[0].admin("/readyz")
            if "1 of 1 replicas have the batch" in told and "no failover is under way" in told:
                other.client.replicaof("127.0.0.1", new.port)
                named[0] = new.port
        return names_port(named[0])

    with fake_sentinel(answer) as late:
        workers.append(start_worker(wait_ready=False, REDIS_URL=url_of(late)))
        servers.wait_until(lambda: named[0] == new.port, lambda: workers[0].stderr[-3000:])
        assert 0 < counted(trio.primary) <= 10
        wait_counted(new, workers[0], 10)
        wait_settled(workers[0], queues)
        assert workers[0].metrics()["dropworker_counted_total"] == 10


@pytest.mark.full
def test_a_replica_that_comes_back_does_not_stand_for_one_that_was_promoted(trio, start_worker, queues):
    """As many replicas have the batch as before, and one of them is another."""
    new, other = trio.replicas
    named = [trio.primary.port]
    with fake_sentinel(lambda _: names_port(named[0])) as late:
        worker = start_worker(REDIS_URL=url_of(late))
        with standing_still(other):
            publish(queues, 5)
            wait_not_ready(worker, "1 of 2 replicas have the batch")
            wait_settled(worker, queues)
            new.client.replicaof("NO", "ONE")
            servers.wait_until(lambda: new.port not in replicas_of(trio.primary), "it has left")
        publish(queues, 10)
        wait_not_ready(worker, "1 of 2 replicas have the batch", "no failover is under way")
        named[0] = new.port
        for former in (trio.primary, other):
            former.client.replicaof("127.0.0.1", new.port)
        wait_counted(new, worker, 15)
        wait_settled(worker, queues)


@pytest.mark.full
def test_a_missed_replica_is_waited_for_from_when_it_has_left(trio, start_worker, queues):
    """It hears nothing from the primary, which still lists it; then it is promoted, without the batch, and leaves."""
    former, (new, other) = trio.primary, trio.replicas
    named = [former.port]
    link = servers.CuttableProxy(former.port)
    try:
        new.client.replicaof("127.0.0.1", link.port)
        wait_in_step(new, former)
        with fake_sentinel(lambda _: names_port(named[0])) as late:
            worker = start_worker(REDIS_URL=url_of(late))
            publish(queues, 5)
            wait_counted(new, worker, 5)
            wait_settled(worker, queues)
            link.freeze()
            publish(queues, 10)
            wait_not_ready(worker, "1 of 2 replicas have the batch")
            # Longer than a failover takes: each try waits for the replicas for a second.
            wait_metric(worker, "redis_retries_total", worker.metrics()["dropworker_redis_retries_total"] + 4)
            new.client.replicaof("NO", "ONE")
            link.cut()
            servers.wait_until(lambda: new.port not in replicas_of(former), "it has left")
            wait_metric(worker, "redis_retries_total", worker.metrics()["dropworker_redis_retries_total"] + 1)
            named[0] = new.port
            for server in (former, other):
                server.client.replicaof("127.0.0.1", new.port)
            wait_counted(new, worker, 15)
            wait_settled(worker, queues)
    finally:
        link.close()


@pytest.mark.full
def test_a_replica_that_came_a_moment_ago_is_missed_when_it_goes(replication, start_worker, queues):
    primary = replication.redis()
    replication.redis(replica_of=primary)
    sentinel = replication.sentinel(primary)
    worker = start_worker(REDIS_URL=url_of(sentinel))
    publish(queues, 5)
    wait_counted(primary, worker, 5)
    wait_settled(worker, queues)
    late = replication.redis(replica_of=primary)
    servers.wait_until(lambda: primary.client.info("replication")["slave1"]["offset"] > 0, "it has reported")
    publish(queues, 5)
    wait_counted(primary, worker, 10)
    wait_settled(worker, queues)
    late.kill()
    publish(queues, 5)
    wait_not_ready(worker, "1 of 2 replicas have the batch", "no failover is under way")
    wait_counted(primary, worker, 15)
    wait_settled(worker, queues)


@pytest.mark.full
def test_a_silent_replica_is_waited_for_as_long_as_it_may_be_promoted_and_never_again(cluster, start_worker, queues):
    worker = start_worker(REDIS_URL=cluster.url)
    silent, _ = cluster.replicas

    def lag():
        lines = (cluster.primary.client.info("replication")[f"slave{i}"] for i in range(2))
        return next(line["lag"] for line in lines if line["port"] == silent.port)

    publish(queues, 5)
    wait_counted(cluster.primary, worker, 5)
    wait_settled(worker, queues)
    with standing_still(silent):
        publish(queues, 5)
        wait_not_ready(worker, "1 of 2 replicas have the batch", "no failover is under way")
        wait_settled(worker, queues)
        assert lag() > 10
        said = worker.stderr.count("1 of 2 replicas")
        with standing_still(worker):  # so that its next connection soon has a batch
            cluster.primary.client.client_kill_filter(_type="normal", skipme=True)
            publish(queues, 5)
        wait_not_ready(worker, "1 of 1 replicas have the batch")
        wait_settled(worker, queues)
        assert worker.stderr.count("1 of 2 replicas") == said
    wait_counted(silent, worker, 15)


def test_redis_cluster_is_refused_at_the_start(replication, rabbitmq, names, queues, programs):
    shards = [replication.redis("--cluster-enabled", "yes", "--cluster-port", servers.free_port()) for _ in range(2)]
    for shard, slots in zip(shards, ((0, 8191), (8192, 16383))):
        shard.client.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
    bus = shards[1].client.config_get("cluster-port")["cluster-port"]
    shards[0].client.execute_command("CLUSTER", "MEET", "127.0.0.1", shards[1].port, bus)

    def joined():
        return all("cluster_size:2" in str(shard.client.execute_command("CLUSTER", "INFO")) for shard in shards)

    servers.wait_until(joined, "both know of both")
    for shard in shards:
        refused = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": shard.url}, clean_exit=(69,))
        assert refused.wait_exit() == 69
        assert "Redis Cluster is not supported; use one primary, or sentinels" in refused.stderr
