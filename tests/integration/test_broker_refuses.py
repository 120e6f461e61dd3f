"""A broker that refuses the bridge, at the start or later: it listens, spools, says what to do, and goes on once that is done."""

import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'
USER, PASSWORD, HOST = "courier", "first", "elsewhere"


class Scene:
    """A user and a virtual host of its own, which the URL leads to through a proxy."""

    def __init__(self, rabbitmq, queues, names, proxy):
        self.rabbitmq, self.queues, self.names, self.proxy = rabbitmq, queues, names, proxy
        rabbitmq.control("add_user", USER, PASSWORD)
        self.allow()

    def url(self, host="%2f"):
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.proxy.port}/{host}"

    def allow(self):
        self.rabbitmq.control("set_permissions", USER, ".*", ".*", ".*")

    def forbid(self):
        self.rabbitmq.control("set_permissions", USER, "^$", "^$", "^$")

    def set_password(self, word):
        self.rabbitmq.control("change_password", USER, word)

    def add_host(self):
        self.rabbitmq.control("add_vhost", HOST)
        self.rabbitmq.control("set_host_permissions", HOST, USER, ".*", ".*", ".*")

    def delete_host(self):
        self.rabbitmq.control("delete_vhost", HOST)

    def make_queue(self, setting):
        """A classic one in its place."""
        self.queues.channel.queue_delete(self.names[setting])
        self.queues.channel.queue_declare(self.names[setting], durable=True)

    def delete_queue(self, setting):
        self.queues.channel.queue_delete(self.names[setting])

    def make_exchange(self):
        self.delete_exchange()
        self.queues.channel.exchange_declare(self.names["AMQP_EXCHANGE"], "topic", durable=True)

    def delete_exchange(self):
        self.queues.channel.exchange_delete(self.names["AMQP_EXCHANGE"])

    def close(self):
        self.rabbitmq.control("delete_user", USER)


@pytest.fixture
def scene(rabbitmq, queues, names, proxy):
    made = Scene(rabbitmq, queues, names, proxy)
    yield made
    made.close()


# Why, how it comes to be, how it is mended, and what the sentence names beside the reason.
REASONS = {
    "the password is wrong": (lambda scene: scene.set_password("second"), lambda scene: scene.set_password(PASSWORD), ["ACCESS_REFUSED", "AMQP_URL"]),
    "the user may do nothing": (Scene.forbid, Scene.allow, ["ACCESS_REFUSED", "permissions"]),
    "the queue has other arguments": (lambda scene: scene.make_queue("AMQP_QUEUE"), lambda scene: scene.delete_queue("AMQP_QUEUE"),
                                      ["PRECONDITION_FAILED", "delete that queue", "AMQP_QUEUE"]),
    "the rejected queue has other arguments": (lambda scene: scene.make_queue("AMQP_REJECTED_QUEUE"),
                                               lambda scene: scene.delete_queue("AMQP_REJECTED_QUEUE"),
                                               ["PRECONDITION_FAILED", "delete that queue", "AMQP_REJECTED_QUEUE"]),
    "the exchange is of another type": (Scene.make_exchange, Scene.delete_exchange, ["PRECONDITION_FAILED", "delete that exchange", "AMQP_EXCHANGE"]),
}


def send(bridge):
    assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status == 200


def assert_spools_and_says(bridge, words):
    def told():
        return all(word in bridge.readyz()[1].get("broker_problem", "") for word in words)

    servers.wait_until(told, lambda: f"{words}: {bridge.readyz()}\n{bridge.stderr[-2000:]}")
    before = bridge.accepted("spool")
    send(bridge)
    status, ready = bridge.readyz()
    assert (status, ready["broker"], bridge.accepted("spool"), bridge.waited_for()) == (200, "away", before + 1, 0)
    assert any(all(word in line for word in words) for line in bridge.stderr.splitlines()), bridge.stderr[-2000:]
    assert PASSWORD not in bridge.stderr


def assert_goes_on(bridge):
    def on():
        ready = bridge.readyz()[1]
        return ready["broker"] == "connected" and "broker_problem" not in ready and ready["spool_waiting"] == 0

    servers.wait_until(on, lambda: f"{bridge.readyz()}\n{bridge.stderr[-2000:]}")
    before = bridge.accepted("broker")
    send(bridge)
    assert bridge.accepted("broker") == before + 1 or "has not confirmed" in bridge.stderr
    bridge.assert_identities()


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
@pytest.mark.parametrize("why", REASONS)
def test_it_listens_spools_and_says_what_to_do(scene, start_bridge, why, when):
    break_it, mend, words = REASONS[why]
    if when == "at the start":
        break_it(scene)
        bridge = start_bridge(AMQP_URL=scene.url(), broker="away")
    else:
        bridge = start_bridge(AMQP_URL=scene.url())
        break_it(scene)
        scene.proxy.cut()
        scene.proxy.restore()
    assert_spools_and_says(bridge, words)
    mend(scene)
    assert_goes_on(bridge)


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
def test_a_virtual_host_that_is_not_there_is_no_end(scene, start_bridge, when):
    if when == "while it runs":
        scene.add_host()
    bridge = start_bridge(AMQP_URL=scene.url(HOST), broker="away" if when == "at the start" else "connected")
    if when == "while it runs":
        scene.delete_host()
    assert_spools_and_says(bridge, [HOST, "AMQP_URL"])
    scene.add_host()
    try:
        assert_goes_on(bridge)
    finally:
        scene.delete_host()


def test_a_broker_of_the_list_that_takes_it_is_found_behind_one_that_refuses(scene, rabbitmq, start_bridge):
    wrong = scene.url().replace(PASSWORD, "not-the-password")
    bridge = start_bridge(AMQP_URL=f"{wrong},{rabbitmq.url}", AMQP_PUBLISHERS=3)
    assert "ACCESS_REFUSED" in bridge.stderr and "not-the-password" not in bridge.stderr
    assert_goes_on(bridge)
