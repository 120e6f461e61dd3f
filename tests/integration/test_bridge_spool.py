"""The spool: what RabbitMQ does not confirm is kept on the disk before the answer, and brought back by itself."""

import concurrent.futures
import json
import re
import sqlite3
import time

import pytest
import servers
import wire

def event(number, padding=0):
    return json.dumps({"type": "message.delivered", "data": {"id": f"m-{number}", "note": "x" * padding}}).encode()


def send(bridge, body, path=wire.WEBHOOK, headers=None):
    return wire.post(bridge.port, path, body, wire.guide(body) if headers is None else headers)


def send_all(bridge, bodies):
    """All at once; each is answered 200."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: send(bridge, body), bodies))
    assert [answer.status for answer in answers] == [200] * len(bodies), bridge.stderr[-2000:]


def wait_broker(bridge, state):
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == state, lambda: f"{state}: {bridge.readyz()}")


def wait_drained(bridge):
    def is_empty():
        status, ready = bridge.readyz()
        return status == 200 and ready["spool"] == "empty" and "spool_problem" not in ready

    servers.wait_until(is_empty, lambda: f"{bridge.readyz()}\n{bridge.stderr[-2000:]}")
    bridge.assert_identities()


def take_each(queues, bodies):
    """Takes until each body has come: copies are allowed under one message_id only. How many copies there were."""
    ids = {}
    copies = 0

    def all_here():
        nonlocal copies
        for properties, body in queues.take("AMQP_QUEUE", queues.depth("AMQP_QUEUE")):
            copies += body in ids
            assert ids.setdefault(body, properties.message_id) == properties.message_id
        return len(ids) >= len(bodies)

    servers.wait_until(all_here, lambda: f"{len(bodies)} bodies; there were {len(ids)}")
    assert set(ids) == set(bodies)
    return copies


def take_each_once(queues, bodies, bridge):
    """The same without copies: a broker that a busy machine keeps from confirming in time is the one reason for them."""
    copies = take_each(queues, bodies)
    assert copies == 0 or "has not confirmed" in bridge.stderr, copies


def fields_of(properties):
    """All properties but those that differ between two requests."""
    fields = {name: value for name, value in vars(properties).items() if name not in ("message_id", "timestamp")}
    fields["headers"] = {name: value for name, value in properties.headers.items() if name != "x-received-at"}
    return fields


# ---- a broker that is away ----


SPACED = b' {"type" : "message.delivered","data":{"id":"\xc3\xa9\\u0000"}}\r\n'
REQUESTS = [
    (wire.WEBHOOK, wire.guide),
    (wire.WEBHOOK, lambda body: wire.v1(body, X_Event_Id="0b8e-1", X_Attempt="2")),
    (wire.callback_path("spring.1"), lambda _: {}),
    (wire.callback_path(), lambda _: {}),
]
BROKEN = b'{"type":\x00\xff\xfe not json'


def send_each_kind(bridge, body):
    for path, headers_of in REQUESTS:
        assert send(bridge, body, path, headers_of(body)).status == 200
    answer = send(bridge, BROKEN)
    assert (answer.status, answer.code) == (400, "invalid_json")


@pytest.mark.threads
def test_what_comes_by_way_of_the_spool_is_what_comes_directly(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url)
    send_each_kind(bridge, SPACED)
    direct = queues.take("AMQP_QUEUE", 4) + queues.take("AMQP_REJECTED_QUEUE", 1)
    assert bridge.accepted("broker") == 5
    proxy.cut()
    wait_broker(bridge, "away")
    before_ms = time.time() * 1000
    send_each_kind(bridge, SPACED + b"\n")
    after_ms = time.time() * 1000
    status, ready = bridge.readyz()
    assert status == 200 and ready["ready"] is True
    assert (ready["broker"], ready["spool"], ready["spool_waiting"]) == ("away", "5 waiting", 5)
    assert str(proxy.port) in ready["broker_problem"] and ready["spool_bytes"] > 0
    assert bridge.accepted("spool") == 5
    bridge.assert_identities()
    proxy.restore()
    spooled = queues.take("AMQP_QUEUE", 4) + queues.take("AMQP_REJECTED_QUEUE", 1)
    assert [body for _, body in direct] == [SPACED] * 4 + [BROKEN]
    assert [body for _, body in spooled] == [SPACED + b"\n"] * 4 + [BROKEN]
    assert [fields_of(properties) for properties, _ in spooled] == [fields_of(properties) for properties, _ in direct]
    assert len({properties.message_id for properties, _ in spooled + direct}) == 10
    for properties, _ in spooled:
        assert before_ms - 1 <= properties.headers["x-received-at"] <= after_ms + 1
        assert properties.timestamp == properties.headers["x-received-at"] // 1000
    wait_drained(bridge)
    servers.wait_until(lambda: "spool is empty again" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("spool is empty again") == 1


@pytest.mark.threads
def test_a_silent_broker_loses_nothing(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, CONFIRM_TIMEOUT_MS=500)
    bodies = [event(number) for number in range(48)]
    send_all(bridge, bodies[:16])
    proxy.freeze()
    before = bridge.accepted("spool")
    send_all(bridge, bodies[16:32])
    assert bridge.accepted("spool") == before + 16
    proxy.restore()
    send_all(bridge, bodies[32:])
    take_each(queues, bodies)
    wait_drained(bridge)


def test_a_silent_broker_whose_connection_ends_loses_nothing(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, CONFIRM_TIMEOUT_MS=500)
    bodies = [event(number) for number in range(32)]
    proxy.freeze()
    send_all(bridge, bodies)
    proxy.cut()
    proxy.restore()
    take_each(queues, bodies)
    wait_drained(bridge)


def test_clients_that_hang_up_are_counted_like_the_others(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, CONFIRM_TIMEOUT_MS=500)
    bodies = [event(number) for number in range(16)]
    proxy.freeze()
    for body in bodies:
        with wire.Raw(bridge.port) as raw:
            head = [*wire.guide(body).items(), ("Content-Length", len(body))]
            raw.send(wire.head("POST", wire.WEBHOOK, head) + body)
    servers.wait_until(lambda: bridge.accepted("spool") == 16, bridge.metrics)
    bridge.assert_identities()
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, bodies)


# ---- a bridge that ends ----


def test_a_killed_bridge_leaves_its_spool_to_the_next(start_bridge, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    proxy.cut()
    first = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path, options={"clean_exit": (0, -9)})
    bodies = [event(number) for number in range(50)]
    send_all(first, bodies)
    first.kill()
    second = start_bridge(SPOOL_PATH=path)
    assert second.metrics()["dropbridge_spool_found_at_start"] == 50
    take_each_once(queues, bodies, second)
    wait_drained(second)


def test_a_stop_spools_what_a_silent_broker_does_not_confirm(start_bridge, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    # Half of the time that an answer may take is for all eight to come, half for the spool.
    bridge = start_bridge(AMQP_URL=proxy.url, SPOOL_PATH=path, CONFIRM_TIMEOUT_MS=1900)
    bodies = [event(number) for number in range(8)]
    proxy.freeze()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, bridge, body) for body in bodies]
        servers.wait_until(lambda: bridge.in_flight() == 8, "all are waiting")
        bridge.signal(servers.SIGTERM)
        assert [one.result().status for one in sent] == [200] * 8
    assert bridge.wait_exit() == 0
    assert bridge.stderr.endswith("stopped\n"), "it was not ended in the midst of it"
    proxy.cut()
    next_bridge = start_bridge(SPOOL_PATH=path)
    assert next_bridge.metrics()["dropbridge_spool_found_at_start"] == 8
    take_each(queues, bodies)
    wait_drained(next_bridge)


def test_a_second_signal_ends_it_at_once(start_bridge, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, BODY_TIMEOUT_MS=9000)
    proxy.freeze()
    with wire.Raw(bridge.port) as raw:
        body = event(1)
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(body).items(), ("Content-Length", len(body))]) + body[:-1])
        servers.wait_until(lambda: bridge.in_flight() == 1, "it waits for the rest")
        bridge.signal(servers.SIGTERM)
        servers.wait_until(lambda: "stopping" in bridge.stderr, "the first signal is heard")
        bridge.signal(servers.SIGTERM)
        assert bridge.wait_exit() == 0
    assert bridge.stderr.endswith("ending at once\n")


def test_a_bridge_waits_for_the_spool_of_the_one_that_stops(start_bridge, programs, names, rabbitmq, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    proxy.cut()
    first = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path)
    send_all(first, [event(1)])
    second = programs(servers.Bridge, {"AMQP_URL": rabbitmq.url, **names, "SPOOL_PATH": path})
    servers.wait_until(lambda: "another process holds the spool" in second.stderr, lambda: second.stderr[-2000:])
    assert "listening" not in second.stderr
    assert first.finish() == 0
    second.wait_ready()
    take_each(queues, [event(1)])
    wait_drained(second)


# ---- a spool that cannot be used ----


def test_a_full_spool_refuses_and_takes_again_after_the_drain(start_bridge, queues, proxy):
    proxy.cut()
    bridge = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_MAX_BYTES=1048576)
    kept = []

    def fill(padding):
        while True:
            body = event(len(kept), padding)
            answer = send(bridge, body)
            if answer.status != 200:
                return answer
            kept.append(body)

    fill(100_000)
    assert 5 <= len(kept) <= 11
    assert bridge.readyz()[0] == 200, "smaller ones are taken"
    answer = fill(1000)
    assert 10 <= len(kept) <= 200
    assert (answer.status, answer.code) == (503, "unavailable") and int(answer.headers["retry-after"]) >= 1
    status, ready = bridge.readyz()
    assert status == 503 and ready["ready"] is False
    assert ready["spool"] == "full" and ready["spool_problem"] and ready["spool_waiting"] == len(kept)
    bridge.assert_identities()
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, kept)
    proxy.cut()
    wait_broker(bridge, "away")
    assert send(bridge, event("after", 100_000)).status == 200
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, [event("after", 100_000)])


def test_a_message_too_large_for_the_spool_is_refused_alone(start_bridge, queues, proxy):
    proxy.cut()
    bridge = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_MAX_BYTES=1048576)
    wait_broker(bridge, "away")
    small = [event(number) for number in range(20)]
    for body in small:
        assert send(bridge, event("large", 1_040_000)).status == 503
        assert send(bridge, body).status == 200
    status, ready = bridge.readyz()
    assert status == 200 and ready["spool"] == "20 waiting"
    assert bridge.stderr.count("does not fit into the spool") == 1
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, small)


# ---- a spool that is taken away ----


def delete(path):
    for name in (path, path.with_name(path.name + "-wal")):
        name.unlink(missing_ok=True)


def move(path):
    path.rename(path.with_name("moved.db"))


def wait_spool_failed(bridge):
    servers.wait_until(lambda: bridge.readyz()[1]["spool"] == "failed", bridge.readyz)


# All that follow are shown on the spool itself by tests/unit/test_spool.c.


@pytest.mark.parametrize("take_away", [pytest.param(delete, id="deleted", marks=pytest.mark.threads),
                                       pytest.param(move, id="moved", marks=pytest.mark.full)])
def test_a_spool_taken_away_while_in_use_takes_nothing_and_is_drained_all_the_same(start_bridge, queues, proxy, tmp_path, take_away):
    path = tmp_path / "kept.db"
    bridge = start_bridge(AMQP_URL=proxy.url, SPOOL_PATH=path)
    bodies = [event(number) for number in range(300)]
    proxy.cut()
    wait_broker(bridge, "away")
    send_all(bridge, bodies[:200])
    take_away(path)
    wait_spool_failed(bridge)
    status, ready = bridge.readyz()
    assert status == 503 and "was moved or deleted while in use" in ready["spool_problem"]
    assert send(bridge, event("refused")).status == 503
    proxy.restore()
    wait_drained(bridge)
    proxy.cut()
    wait_broker(bridge, "away")
    send_all(bridge, bodies[200:])
    bridge.assert_identities()
    proxy.restore()
    take_each_once(queues, bodies, bridge)
    wait_drained(bridge)
    assert bridge.metrics()["dropbridge_spool_set_aside_total"] == 0


@pytest.mark.full
def test_a_spool_that_is_put_back_in_its_place_is_used_again(start_bridge, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    bridge = start_bridge(AMQP_URL=proxy.url, SPOOL_PATH=path)
    bodies = [event(number) for number in range(60)]
    proxy.cut()
    wait_broker(bridge, "away")
    send_all(bridge, bodies[:20])
    move(path)
    wait_spool_failed(bridge)
    path.with_name("moved.db").rename(path)
    servers.wait_until(lambda: bridge.readyz()[0] == 200, bridge.readyz)
    send_all(bridge, bodies[20:])
    assert bridge.spooled() == 60
    proxy.restore()
    take_each_once(queues, bodies, bridge)
    wait_drained(bridge)


def test_a_folder_that_is_renamed_and_put_back_costs_nothing(start_bridge, queues, proxy, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "kept.db"
    bridge = start_bridge(AMQP_URL=proxy.url, SPOOL_PATH=path, options={"clean_exit": (0, -9)})
    bodies = [event(number) for number in range(40)]
    proxy.cut()
    wait_broker(bridge, "away")
    send_all(bridge, bodies[:20])
    folder.rename(tmp_path / "elsewhere")
    wait_spool_failed(bridge)
    assert send(bridge, event("refused")).status == 503
    (tmp_path / "elsewhere").rename(folder)
    servers.wait_until(lambda: bridge.readyz()[0] == 200, bridge.readyz)
    send_all(bridge, bodies[20:])
    bridge.assert_identities()
    bridge.kill()
    second = start_bridge(SPOOL_PATH=path)
    assert second.metrics()["dropbridge_spool_found_at_start"] == 40
    take_each_once(queues, bodies, second)
    wait_drained(second)


@pytest.mark.full
def test_a_log_deleted_while_in_use_loses_nothing_to_a_kill(start_bridge, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    log = tmp_path / "kept.db-wal"
    proxy.cut()
    first = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path, options={"clean_exit": (0, -9)})
    bodies = [event(number) for number in range(20)]
    send_all(first, bodies[:10])
    log.unlink()
    servers.wait_until(lambda: log.exists() and first.readyz()[0] == 200, lambda: f"{first.readyz()}\n{first.stderr[-2000:]}")
    send_all(first, bodies[10:])
    first.kill()
    second = start_bridge(SPOOL_PATH=path)
    assert second.metrics()["dropbridge_spool_found_at_start"] == 20
    take_each_once(queues, bodies, second)
    wait_drained(second)


@pytest.mark.full
def test_two_bridges_keep_their_spools_in_one_folder(start_bridge, queues, proxy, tmp_path):
    proxy.cut()
    bridges = [start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=tmp_path / f"{name}.db")
               for name in ("one", "two")]
    for number, bridge in enumerate(bridges):
        send_all(bridge, [event(number)])
        bridge.finish()
    assert sorted(path.name for path in tmp_path.glob("*.db*")) == ["one.db", "two.db"]


def exit_of(programs, settings, status):
    bridge = programs(servers.Bridge, settings, clean_exit=(status,))
    assert bridge.wait_exit() == status, bridge.stderr
    return bridge.stderr


@pytest.mark.full  # 12 s: it waits for as long as the other may take to stop
def test_a_spool_that_another_bridge_holds_ends_it_with_69(start_bridge, queues, names, rabbitmq, programs, tmp_path):
    path = tmp_path / "held.db"
    first = start_bridge(SPOOL_PATH=path)
    text = exit_of(programs, {"AMQP_URL": rabbitmq.url, **names, "SPOOL_PATH": path}, 69)
    assert str(path) in text
    assert send(first, event(1)).status == 200


@pytest.mark.parametrize(("path", "status"), [("nowhere/spool.db", 69), (".", 78)],
                         ids=["a folder that may be mounted later", "a folder in its place"])
def test_a_path_that_cannot_be_used_ends_it(names, rabbitmq, programs, tmp_path, path, status):
    text = exit_of(programs, {"AMQP_URL": rabbitmq.url, **names, "SPOOL_PATH": tmp_path / path}, status)
    assert str(tmp_path) in text


def test_a_spool_of_another_version_is_set_aside(start_bridge, queues, proxy, tmp_path):
    path = tmp_path / "kept.db"
    proxy.cut()
    start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path).finish()
    database = sqlite3.connect(path)
    (version,) = database.execute("pragma user_version").fetchone()
    database.execute(f"pragma user_version = {version + 98}")
    database.commit()
    database.close()
    bridge = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path)
    (aside,) = tmp_path.glob("kept.db.set-aside-*Z")
    assert aside.name in bridge.stderr and f"version {version + 98}" in bridge.stderr
    send_all(bridge, [event(1)])
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, [event(1)])


def damage(path, how):
    if how == "no database":
        path.write_bytes(b"these are no rows of ours\n" * 1000)
        return
    content = bytearray(path.read_bytes())
    content[100:] = b"\x5a" * (len(content) - 100)
    path.write_bytes(content)


@pytest.mark.parametrize("how", [pytest.param("no database", marks=pytest.mark.full), "damaged pages"])
def test_a_file_that_cannot_be_read_is_set_aside(start_bridge, queues, proxy, tmp_path, how):
    path = tmp_path / "kept.db"
    start_bridge(SPOOL_PATH=path).finish()
    damage(path, how)
    content = path.read_bytes()
    proxy.cut()
    bridge = start_bridge(AMQP_URL=proxy.url, broker="away", SPOOL_PATH=path)
    (aside,) = tmp_path.glob("kept.db.set-aside-*Z")
    assert aside.name in bridge.stderr and aside.read_bytes() == content
    send_all(bridge, [event(1)])
    proxy.restore()
    wait_drained(bridge)
    take_each(queues, [event(1)])


def test_a_database_of_another_program_is_left_alone(names, rabbitmq, programs, tmp_path):
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("create table other(x)")
    database.commit()
    database.close()
    content = path.read_bytes()
    text = exit_of(programs, {"AMQP_URL": rabbitmq.url, **names, "SPOOL_PATH": path}, 78)
    assert str(path) in text and path.read_bytes() == content
