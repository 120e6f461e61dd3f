"""--health: what the HEALTHCHECK of the images asks."""

import json

import servers

SECRETS = {"WEBHOOK_SECRET": "w", "CALLBACK_SECRET": "c"}


def ask(binary, **settings):
    return servers.run_program(binary, ["--health"], settings)


def test_the_bridge_says_whether_it_is_ready(tmp_path):
    running = servers.Bridge(tmp_path, {"AMQP_URL": "amqp://127.0.0.1:1"})
    running.wait_ready("away")
    at = {"ADMIN_LISTEN": f"127.0.0.1:{running.admin_port}", **SECRETS}
    status, out, _ = ask("bridge/dropbridge", **at)
    assert status == 0 and json.loads(out)["ready"] is True and json.loads(out)["broker"] == "away"
    running.finish()
    status, out, err = ask("bridge/dropbridge", **at)
    assert status == 1 and out == "" and "ADMIN_LISTEN" in err and "refused" in err


def test_a_bridge_that_serves_is_healthy_whatever_became_of_its_certificate(tmp_path):
    running = servers.Bridge(tmp_path, {"AMQP_URL": "amqp://127.0.0.1:1"})
    running.wait_ready("away")
    settings = {"ADMIN_LISTEN": f"127.0.0.1:{running.admin_port}", **SECRETS, "LISTEN": "127.0.0.1:0s",
                "TLS_CERT_FILE": tmp_path / "gone.pem"}
    try:
        status, out, err = ask("bridge/dropbridge", **settings)
        assert status == 0 and json.loads(out)["ready"] is True and "gone.pem" in err
        assert servers.run_program("bridge/dropbridge", ["--check-config"], settings)[0] == 78
    finally:
        running.finish()


def test_without_an_address_to_ask_it_exits_78(tmp_path):
    assert ask("bridge/dropbridge", ADMIN_LISTEN="nowhere", **SECRETS)[0] == 78
    assert ask("workers/dropworker", ADMIN_LISTEN="nowhere")[0] == 78
    assert servers.run_program("workers/dropworker", ["--health", "--config", tmp_path / "nothing"], {})[0] == 78


def test_the_worker_says_why_it_is_not_ready(tmp_path):
    worker = servers.Worker(tmp_path, {"AMQP_URL": "amqp://127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1/0"})
    try:
        status, out, _ = ask("workers/dropworker", ADMIN_LISTEN=f"127.0.0.1:{worker.admin_port}")
        assert status == 1 and json.loads(out)["ready"] is False
    finally:
        worker.finish()


def test_a_port_that_the_system_picks_cannot_be_asked():
    status, _, err = ask("workers/dropworker", ADMIN_LISTEN="127.0.0.1:0")
    assert status == 1 and "ADMIN_LISTEN" in err


def test_the_operators_command_has_nothing_to_ask():
    status, _, err = ask("tools/dropctl")
    assert status == 64 and "dropbridge" in err


def test_health_does_not_repeat_what_the_start_warned_of():
    """Docker keeps the output of every check."""
    settings = {"WEBHOOK_SECRET": "development-x", "CALLBACK_SECRET": "development-y", "ADMIN_LISTEN": "127.0.0.1:1"}
    assert "DEVELOPMENT" not in "".join(map(str, ask("bridge/dropbridge", **settings)))
    assert "DEVELOPMENT SECRET" in "".join(map(str, servers.run_program("bridge/dropbridge", ["--check-config"], settings)))
