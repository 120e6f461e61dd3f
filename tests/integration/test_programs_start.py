"""Command lines and settings of all programs: exit codes, and every problem named at once."""

import re
import socket

import pytest
import servers

PROGRAMS = ["bridge/dropbridge", "workers/dropworker", "tools/dropctl"]
GOOD = {
    "bridge/dropbridge": {"WEBHOOK_SECRET": "w", "CALLBACK_SECRET": "c"},
    "workers/dropworker": {},
    "tools/dropctl": {},
}


def run(binary, *arguments, **settings):
    status, out, err = servers.run_program(binary, arguments, settings)
    return status, out + err


@pytest.mark.parametrize("binary", PROGRAMS)
def test_help_and_version_exit_0(binary):
    status, text = run(binary, "--help")
    assert status == 0 and binary.rsplit("/", 1)[1] in text
    status, text = run(binary, "--version")
    assert status == 0 and "0." in text


@pytest.mark.parametrize("binary", PROGRAMS)
def test_help_names_its_settings(binary):
    assert "AMQP_URL" in run(binary, "--help")[1]


@pytest.mark.parametrize("binary", PROGRAMS)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--config"]], ids=["unknown option", "option without its value"])
def test_a_wrong_command_line_exits_64(binary, arguments):
    assert run(binary, *arguments, **GOOD[binary])[0] == 64


@pytest.mark.parametrize("binary", PROGRAMS)
def test_good_settings_exit_0(binary):
    status, text = run(binary, "--check-config", **GOOD[binary])
    assert status == 0, text


EVERY_PROBLEM = {
    "bridge/dropbridge": {
        "LISTEN": "nowhere",
        "ADMIN_LISTEN": "127.0.0.1:70000",
        "AMQP_URL": "http://127.0.0.1/",
        "MAX_BODY_BYTES": "many",
        "BODY_TIMEOUT_MS": "-1",
        "CONFIRM_TIMEOUT_MS": "1.5",
        "HTTP_THREADS": "0",
        "TIMESTAMP_TOLERANCE_S": "99999999999999999999",
        "CALLBACK_AUTH": "perhaps",
        "LOG_LEVEL": "loud",
        "LOG_FORMAT": "xml",
        "WEBHOOK_SECRET_FILE": "/nowhere/secret",
    },
    "workers/dropworker": {
        "ADMIN_LISTEN": "nowhere",
        "AMQP_URL": "amqp://127.0.0.1:port/",
        "REDIS_URL": "http://127.0.0.1/",
        "PREFETCH": "0",
        "BATCH_MAX": "x",
        "BATCH_WAIT_MS": "-1",
        "RETENTION_S": "0",
        "RESULT_TTL_S": "-5",
        "RESULTS_STREAM_MAX": "1e3",
        "REDIS_WAIT_REPLICAS": "some",
        "LOG_LEVEL": "loud",
    },
}


@pytest.mark.parametrize("binary", EVERY_PROBLEM)
def test_every_problem_is_named_and_exits_78(binary):
    status, text = run(binary, "--check-config", **EVERY_PROBLEM[binary])
    assert status == 78
    assert [name for name in EVERY_PROBLEM[binary] if name not in text] == []


@pytest.mark.parametrize("binary", EVERY_PROBLEM)
def test_a_start_with_problems_exits_78_too(binary):
    status, text = run(binary, **EVERY_PROBLEM[binary])
    assert status == 78
    assert [name for name in EVERY_PROBLEM[binary] if name not in text] == []


@pytest.mark.parametrize("arguments", [["--check-config"], []], ids=["check", "start"])
def test_a_bridge_with_nothing_to_verify_by_exits_78(arguments):
    status, text = run("bridge/dropbridge", *arguments)
    assert status == 78
    assert all(name in text for name in ("WEBHOOK_SECRET", "CALLBACK_SECRET", "CALLBACK_AUTH"))


@pytest.mark.parametrize("settings", [{"WEBHOOK_SECRET": "w"}, {"CALLBACK_SECRET": "c"}, {"CALLBACK_AUTH": "off"}],
                         ids=lambda settings: next(iter(settings)))
def test_one_of_them_is_enough(settings):
    status, text = run("bridge/dropbridge", "--check-config", **settings)
    assert status == 0, text


UNUSABLE_URLS = [
    ("bridge/dropbridge", "AMQP_URL", "https://127.0.0.1/"),
    ("bridge/dropbridge", "AMQP_URL", "amqp://127.0.0.1:99999/"),
    ("bridge/dropbridge", "AMQP_URL", "amqp://127.0.0.1/%2f,nonsense"),
    ("bridge/dropbridge", "LISTEN", "127.0.0.1:8443s"),
    ("bridge/dropbridge", "LISTEN", "[::1]:0"),
    ("bridge/dropbridge", "CONFIRM_TIMEOUT_MS", "3001"),
    ("workers/dropworker", "REDIS_URL", "redis-sentinel://127.0.0.1:1/"),
    ("workers/dropworker", "REDIS_URL", "redis://127.0.0.1/notanumber"),
]


@pytest.mark.parametrize(("binary", "name", "value"), UNUSABLE_URLS)
def test_an_address_that_cannot_be_used_is_named(binary, name, value):
    status, text = run(binary, "--check-config", **{**GOOD[binary], name: value})
    assert status == 78 and name in text


@pytest.mark.parametrize("binary", PROGRAMS)
def test_a_password_in_a_wrong_url_is_not_repeated(binary):
    name = "AMQP_URL"
    status, text = run(binary, "--check-config", **{**GOOD[binary], name: "amqp://me:hidden-word@127.0.0.1:x/"})
    assert status == 78 and "hidden-word" not in text


@pytest.mark.parametrize("binary", PROGRAMS)
def test_an_unknown_key_in_the_file_is_an_error_with_its_line(binary, tmp_path):
    file = tmp_path / "settings"
    file.write_text("# comment\nLOG_LEVEL=info\nLOG_LEVLE=debug\n")
    status, text = run(binary, "--check-config", "--config", file, **GOOD[binary])
    assert status == 78 and "LOG_LEVLE" in text and "3" in text and "LOG_LEVEL" in text.replace("LOG_LEVLE", "")


@pytest.mark.parametrize("binary", PROGRAMS)
def test_a_file_that_is_not_there_exits_78(binary, tmp_path):
    status, text = run(binary, "--check-config", "--config", tmp_path / "nothing", **GOOD[binary])
    assert status == 78 and "nothing" in text


@pytest.mark.parametrize("binary", PROGRAMS)
def test_a_name_two_letters_off_in_the_environment_is_a_warning(binary):
    status, text = run(binary, "--check-config", **{**GOOD[binary], "LOG_LEVLE": "debug", "SOMETHING_ELSE": "x"})
    assert status == 0 and "LOG_LEVLE" in text and "SOMETHING_ELSE" not in text


@pytest.fixture
def taken_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield f"127.0.0.1:{taken.getsockname()[1]}"


# Service managers start again after 69 and not after 78.
@pytest.mark.parametrize("name", ["LISTEN", "ADMIN_LISTEN"])
@pytest.mark.parametrize("address", ["in use", "of no interface yet"])
def test_an_address_that_may_be_free_later_exits_69(programs, rabbitmq, taken_address, name, address):
    listen = taken_address if address == "in use" else "192.0.2.1:18080"
    bridge = programs(servers.Bridge, {"AMQP_URL": rabbitmq.url, name: listen}, clean_exit=(69,))
    assert bridge.wait_exit() == 69
    assert listen.rsplit(":", 1)[1] in bridge.stderr


def test_a_worker_whose_address_is_in_use_exits_69(taken_address):
    status, text = run("workers/dropworker", ADMIN_LISTEN=taken_address)
    assert status == 69 and taken_address in text


@pytest.mark.parametrize(("binary", "name"), [("bridge/dropbridge", "WEBHOOK_SECRET"),
                                              ("bridge/dropbridge", "CALLBACK_SECRET"),
                                              ("tools/dropctl", "CALLBACK_SECRET")])
@pytest.mark.parametrize("value", ["'abc'", '"abc"', "x # mine"])
def test_a_secret_with_quotation_marks_or_a_comment_is_a_warning(binary, name, value, tmp_path):
    file = tmp_path / "settings"
    file.write_text(f"{name}={value}\n")
    status, text = run(binary, "--check-config", "--config", file)
    assert status == 0 and f"{name}: secret 1 " in text and "abc" not in text and "mine" not in text


@pytest.mark.parametrize("binary", PROGRAMS)
def test_a_file_may_begin_with_a_byte_order_mark(binary, tmp_path):
    file = tmp_path / "settings"
    file.write_bytes(b"\xef\xbb\xbfLOG_LEVEL=warn\n")
    status, text = run(binary, "--check-config", "--config", file, **GOOD[binary])
    assert status == 0, text


def test_the_warnings_of_a_worker_are_lines_of_its_log():
    status, text = run("workers/dropworker", "--check-config", LOG_LEVLE="debug")
    assert status == 0 and " warn dropworker: LOG_LEVLE" in text


# ---- settings of others ----

COMMANDS = {
    "callback-url": (["callback-url", "--base", "https://h"], {"CALLBACK_SECRET": "c"}, 0),
    "send, signed": (["send", "--url", "http://127.0.0.1:1/", "--scheme", "guide", "FILE"], {"WEBHOOK_SECRET": "w"}, 69),
    "send, a callback": (["send", "--url", "http://127.0.0.1:1/", "--scheme", "callback", "FILE"], {}, 69),
    "campaigns": (["campaigns", "alias", "--list"], {"REDIS_URL": "redis://127.0.0.1:1"}, 69),
    "verify": (["verify"], {"REDIS_URL": "redis://127.0.0.1:1"}, 69),
}
# Name → binary, command line, the settings that it needs, its exit status with them.
RUNS = {binary: (binary, ["--check-config"], good, 0) for binary, good in GOOD.items()}
RUNS |= {f"dropctl {name}": ("tools/dropctl", *run) for name, run in COMMANDS.items()}


def settings_in(help_text):
    """With the _FILE forms."""
    return set(re.findall(r"^  ([A-Z][A-Z0-9_]+) ", help_text, re.MULTILINE)) | set(re.findall(r"named by (\w+_FILE)", help_text))


def foreign_settings(name):
    """Those that some program has, and this run has no use for."""
    binary, arguments, _, _ = RUNS[name]
    command = [word for word in arguments[:1] if not word.startswith("--")]
    own = settings_in(run(binary, *command, "--help")[1])
    if "callback" in arguments:
        own -= {"WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE"}
    return set().union(*(settings_in(run(program, "--help")[1]) for program in PROGRAMS)) - own


@pytest.mark.parametrize("place", ["the environment", "--config"])
@pytest.mark.parametrize("name", RUNS)
def test_a_setting_that_it_does_not_use_stops_no_program(name, place, tmp_path):
    """Values that no setting takes, files that are not there, and both at once."""
    binary, arguments, good, expected = RUNS[name]
    foreign = foreign_settings(name)
    assert len(foreign) > 10
    bad = {one: "/nowhere/file" if one.endswith("_FILE") else "\x01{}s" for one in foreign}
    (tmp_path / "event").write_text("{}")
    arguments = [str(tmp_path / "event") if word == "FILE" else word for word in arguments]
    if place == "--config":
        (tmp_path / "all.env").write_text("".join(f"{one}={value}\n" for one, value in bad.items()))
        arguments, bad = ["--config", str(tmp_path / "all.env"), *arguments], {}
    status, text = run(binary, *arguments, **good, **bad)
    assert status == expected, text
    assert [one for one in foreign if re.search(rf"\b{one}\b", text)] == []


@pytest.mark.parametrize(("command", "name"), [("callback-url", "CALLBACK_SECRET_FILE"), ("send", "WEBHOOK_SECRET_FILE"),
                                               ("verify", "REDIS_URL_FILE"), ("campaigns", "REDIS_SENTINEL_PASSWORD_FILE")])
def test_a_setting_that_a_command_uses_stops_it(command, name):
    status, text = run("tools/dropctl", command, **{name: "/nowhere/file"})
    assert status == 78 and f"{name}: /nowhere/file" in text


# ---- secrets of the examples ----


@pytest.mark.parametrize(("own", "example"), [("WEBHOOK_SECRET", "CALLBACK_SECRET"), ("CALLBACK_SECRET", "WEBHOOK_SECRET")])
def test_a_secret_of_the_examples_beside_ones_own_stops_the_bridge(own, example):
    settings = {own: "mine", example: "development-x", "LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0"}
    for arguments in (["--check-config"], []):
        status, text = run("bridge/dropbridge", *arguments, **settings)
        assert status == 78 and f"Set {example} to one of your own, or leave it empty ({example}=)" in text
    status, text = run("bridge/dropbridge", "--check-config", **settings | {example: ""})
    assert status == 0 and "DEVELOPMENT" not in text and f"{example} is not set" in text
