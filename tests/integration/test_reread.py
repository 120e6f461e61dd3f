"""Secrets, certificates and LOG_LEVEL are read again while the programs run: when a file changes, and at SIGHUP. And no other
signal than those of a stop ends a program."""

import concurrent.futures
import os
import re
import signal
import threading

import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"r-1"}}'
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGQUIT}
STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


def signals_of(program, field):
    """The signals in a field of /proc/PID/status: SigCgt, those with a handler; SigBlk, those that are blocked."""
    told = re.search(rf"^{field}:\s+(\w+)", open(f"/proc/{program.pid}/status", encoding="ascii").read(), re.M)
    return {number for number in range(1, 65) if int(told[1], 16) >> (number - 1) & 1}


@pytest.fixture(params=["bridge", "worker"])
def program(request, start_bridge, start_worker):
    return start_bridge() if request.param == "bridge" else start_worker()


def test_no_signal_but_those_of_a_stop_ends_a_program(program):
    of_a_sanitizer = signals_of(program, "SigCgt")
    sent = signal.valid_signals() - ENDING - STOPPING - of_a_sanitizer
    assert {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE, signal.SIGRTMAX} <= sent
    for number in sorted(sent):
        program.signal(number)
        status, _ = program.admin("/readyz")
        assert program.running() and status == 200, f"{number!r}\n{program.stderr[-2000:]}"


@pytest.mark.parametrize("kind", [servers.Bridge, servers.Worker])
def test_sighup_ends_no_program_that_starts_or_stops(kind, programs, rabbitmq, redis_server, names, queues):
    program = programs(kind, {"AMQP_URL": rabbitmq.url, "REDIS_URL": redis_server.url, **names})
    # The process is another program's before that.
    servers.wait_until(lambda: signal.SIGHUP in signals_of(program, "SigBlk"), "its main has begun")
    program.signal(signal.SIGHUP)
    while "admin listening on" not in program.stderr:
        program.signal(signal.SIGHUP)
        assert program.running(), program.stderr[-2000:]
    servers.wait_until(lambda: "SIGHUP: " in program.stderr, lambda: program.stderr[-2000:])
    program.signal(servers.SIGTERM)
    while program.running():
        program.signal(signal.SIGHUP)
    assert program.wait_exit() == 0, program.stderr[-2000:]


# ---- files of secrets ----


def replace(path, text):
    """As editors and orchestrators do."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def webhook(bridge, secret):
    return wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY, secret))


def callback(campaign):
    return lambda bridge, secret: wire.post(bridge.port, wire.callback_path(campaign, secret), BODY)


# (the setting, how its file holds secrets, a request that one of them verifies)
FILES = {
    "webhooks": ("WEBHOOK_SECRET", "{}\n", webhook),
    "callbacks": ("CALLBACK_SECRET", "{}\n", callback("")),
    "callbacks of one campaign": ("CALLBACK_CAMPAIGN_SECRETS", "spring={}\n", callback("spring")),
}


@pytest.fixture(params=FILES.values(), ids=FILES)
def secret_file(request, tmp_path):
    """.write(*secrets) replaces the file; .settings name it."""
    name, line, post = request.param

    class File:
        path = tmp_path / "secret"
        setting = f"{name}_FILE"
        settings = {f"{name}_FILE": path, **({} if name == "CALLBACK_CAMPAIGN_SECRETS" else {name: None})}
        send = staticmethod(post)

        @staticmethod
        def write(*secrets):
            replace(tmp_path / "secret", "".join(map(line.format, secrets)))

    return File


def wait_verifies(bridge, send, secret):
    servers.wait_until(lambda: send(bridge, secret).status == 200, lambda: bridge.stderr[-2000:])


def test_a_new_secret_in_a_file_is_taken_and_the_old_one_no_longer(secret_file, start_bridge):
    secret_file.write("old")
    bridge = start_bridge(**secret_file.settings)
    assert secret_file.send(bridge, "old").status == 200
    secret_file.write("new", "old")
    wait_verifies(bridge, secret_file.send, "new")
    assert secret_file.send(bridge, "old").status == 200
    servers.wait_until(lambda: f"{secret_file.setting} was read again: 2 secrets" in bridge.stderr,
                       lambda: bridge.stderr[-2000:])
    secret_file.write("new")
    servers.wait_until(lambda: secret_file.send(bridge, "old").status == 401, lambda: bridge.stderr[-2000:])
    assert secret_file.send(bridge, "new").status == 200
    assert "settings_problem" not in bridge.readyz()[1]


def remove(path):
    path.unlink()


def empty(path):
    path.write_text("")


def put_a_folder(path):
    path.unlink()
    path.mkdir()


def put_too_many(path):
    path.write_text("".join(f"spring={number}\n" for number in range(1000)))


@pytest.mark.parametrize("spoil", [remove, empty, put_a_folder, put_too_many])
def test_a_file_that_cannot_be_used_leaves_the_old_secret_and_is_named_until_it_is_mended(secret_file, spoil, start_bridge, tmp_path):
    level = tmp_path / "config"
    level.write_text("LOG_LEVEL=info\n")
    secret_file.write("old")
    bridge = start_bridge(options={"arguments": ["--config", level]}, **secret_file.settings)

    def problem():
        return bridge.readyz()[1].get("settings_problem", "")

    spoil(secret_file.path)
    servers.wait_until(problem, lambda: bridge.stderr[-2000:])
    assert f"{secret_file.setting}: " in problem() and str(secret_file.path) in problem()
    assert secret_file.send(bridge, "old").status == 200
    # What else is read again is taken over.
    level.write_text("LOG_LEVEL=debug\n")
    bridge.signal(signal.SIGHUP)
    servers.wait_until(lambda: "LOG_LEVEL was read again" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert secret_file.send(bridge, "old").status == 200
    if secret_file.path.is_dir():
        secret_file.path.rmdir()
    secret_file.write("new")
    wait_verifies(bridge, secret_file.send, "new")
    servers.wait_until(lambda: not problem(), problem)
    assert "what could not be used is mended" in bridge.stderr


def test_a_problem_is_logged_once_however_often_it_is_found(start_bridge, tmp_path):
    files = {f"{name}_SECRET_FILE": tmp_path / name for name in ("WEBHOOK", "CALLBACK")}
    for path in files.values():
        path.write_text("0\n")
    bridge = start_bridge(WEBHOOK_SECRET=None, CALLBACK_SECRET=None, **files)
    files["WEBHOOK_SECRET_FILE"].unlink()
    servers.wait_until(lambda: "stays in use" in bridge.stderr, lambda: bridge.stderr[-2000:])
    # It is found with each look: with these two at least. The first tells it again, for something has changed.
    for secret in ("1", "2"):
        replace(files["CALLBACK_SECRET_FILE"], secret)
        wait_verifies(bridge, callback(""), secret)
    replace(files["WEBHOOK_SECRET_FILE"], "0\n")
    servers.wait_until(lambda: "mended" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("WEBHOOK_SECRET_FILE: ") == 3
    assert bridge.stderr.count("stays in use") == 1


@pytest.mark.threads
def test_a_rotation_under_load_fails_no_request(secret_file, start_bridge):
    secret_file.write("kept")
    bridge = start_bridge(**secret_file.settings)
    ended = threading.Event()

    def send_on():
        while not ended.is_set():
            assert secret_file.send(bridge, "kept").status == 200

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send_on) for _ in range(4)]
        try:
            for number in map(str, range(5)):
                secret_file.write(number, "kept")
                bridge.signal(signal.SIGHUP)
                wait_verifies(bridge, secret_file.send, number)
        finally:
            ended.set()
        for sender in senders:
            sender.result()


# ---- SIGHUP ----


def test_sighup_reads_the_config_file_again(start_bridge, tmp_path):
    config = tmp_path / "config"
    config.write_text("WEBHOOK_SECRET=old\nLOG_LEVEL=info\n")
    bridge = start_bridge(options={"arguments": ["--config", config]}, WEBHOOK_SECRET=None)
    config.write_text("WEBHOOK_SECRET=new\nLOG_LEVEL=debug\n")
    assert webhook(bridge, "old").status == 200
    bridge.signal(signal.SIGHUP)
    wait_verifies(bridge, webhook, "new")
    assert webhook(bridge, "old").status == 401
    for words in ("WEBHOOK_SECRET was read again: 1 secrets", "LOG_LEVEL was read again", "SIGHUP: "):
        servers.wait_until(lambda words=words: words in bridge.stderr, lambda: bridge.stderr[-2000:])


def test_a_config_file_that_cannot_be_read_changes_nothing(start_bridge, tmp_path):
    config = tmp_path / "config"
    config.write_text("WEBHOOK_SECRET=old\n")
    bridge = start_bridge(options={"arguments": ["--config", config]}, WEBHOOK_SECRET=None)
    config.write_text("WEBHOOK_SECRET=new\nhalf of a li")
    bridge.signal(signal.SIGHUP)
    servers.wait_until(lambda: "line 2" in bridge.readyz()[1].get("settings_problem", ""), lambda: bridge.stderr[-2000:])
    assert webhook(bridge, "old").status == 200
    assert webhook(bridge, "new").status == 401


def test_sighup_gives_the_worker_another_log_level(start_worker, tmp_path):
    config = tmp_path / "config"
    config.write_text("LOG_LEVEL=info\n")
    worker = start_worker(options={"arguments": ["--config", config]})
    config.write_text("LOG_LEVEL=quiet\n")
    worker.signal(signal.SIGHUP)
    servers.wait_until(lambda: "LOG_LEVEL must be" in worker.readyz()[1].get("settings_problem", ""), lambda: worker.stderr[-2000:])
    config.write_text("LOG_LEVEL=debug\n")
    worker.signal(signal.SIGHUP)
    servers.wait_until(lambda: "LOG_LEVEL was read again" in worker.stderr, lambda: worker.stderr[-2000:])


# ---- keys of one campaign ----


def test_a_campaign_with_keys_of_its_own_is_verified_by_those_alone(start_bridge):
    bridge = start_bridge(CALLBACK_CAMPAIGN_SECRETS="spring=own,spring=older,autumn=other")
    assert [callback("spring")(bridge, secret).status for secret in ("own", "older", "other", servers.CALLBACK_SECRET)] == [200, 200, 401, 401]
    assert [callback("winter")(bridge, secret).status for secret in (servers.CALLBACK_SECRET, "own")] == [200, 401]


def test_without_a_secret_for_all_only_campaigns_with_keys_are_taken(start_bridge):
    bridge = start_bridge(CALLBACK_SECRET=None, CALLBACK_CAMPAIGN_SECRETS="spring=own")
    assert callback("spring")(bridge, "own").status == 200
    assert callback("winter")(bridge, "own").code == "callback_not_configured"
    assert callback("")(bridge, "own").code == "callback_not_configured"
    assert "CALLBACK_CAMPAIGN_SECRETS" in bridge.readyz()[1]["callback"]


# ---- URLs ----


def test_the_next_connection_to_rabbitmq_is_made_by_the_url_in_the_file(start_bridge, rabbitmq, tmp_path):
    user = f"rotated-{os.getpid()}"
    path = tmp_path / "url"
    rabbitmq.control("add_user", user, "first")
    rabbitmq.control("set_permissions", user, ".*", ".*", ".*")
    try:
        path.write_text(rabbitmq.url.replace("guest:guest", f"{user}:first"))
        bridge = start_bridge(AMQP_URL=None, AMQP_URL_FILE=path)
        rabbitmq.control("change_password", user, "second")
        replace(path, rabbitmq.url.replace("guest:guest", f"{user}:second"))
        servers.wait_until(lambda: "AMQP_URL_FILE was read again" in bridge.stderr, lambda: bridge.stderr[-2000:])
        connected = "info dropbridge: dropbridge-1: publishing to"
        before = bridge.stderr.count(connected)
        rabbitmq.control("eval", f'[rabbit_networking:close_connection(P, "test") || P <- rabbit_networking:connections(), rabbit_networking:connection_info(P, [user]) =:= [{{user, <<"{user}">>}}]]')
        servers.wait_until(lambda: bridge.stderr.count(connected) > before, lambda: bridge.stderr[-3000:])
        bridge.wait_ready()
        assert "first" not in bridge.stderr and "second" not in bridge.stderr
    finally:
        rabbitmq.control("delete_user", user)


def test_the_next_connection_to_redis_is_made_by_the_url_in_the_file(start_worker, redis_server, tmp_path):
    path = tmp_path / "url"
    with_password = redis_server.url.replace("redis://", "redis://:{}@").format
    redis_server.client.config_set("requirepass", "first")
    path.write_text(with_password("first"))
    worker = start_worker(REDIS_URL=None, REDIS_URL_FILE=path)
    client = redis_server.client
    client.execute_command("AUTH", "first")
    client.config_set("requirepass", "second")
    replace(path, with_password("second"))
    servers.wait_until(lambda: "REDIS_URL_FILE was read again" in worker.stderr, lambda: worker.stderr[-2000:])
    before = worker.stderr.count("connected to Redis")
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    servers.wait_until(lambda: worker.stderr.count("connected to Redis") > before and worker.readyz()[0] == 200,
                       lambda: worker.stderr[-3000:])
