"""dropctl against a real bridge: minted URLs are taken, sent events are verified and queued."""

import json

import pytest
import servers
import wire

DROPCTL = "tools/dropctl"
SETTINGS = {"WEBHOOK_SECRET": servers.WEBHOOK_SECRET, "CALLBACK_SECRET": f"{servers.CALLBACK_SECRET},older"}


def run(*arguments, stdin=b"", **settings):
    return servers.run_program(DROPCTL, arguments, {**SETTINGS, **settings}, stdin)


MINTED = [
    ("without a campaign", ["--base", "https://hooks.example.com"], f"https://hooks.example.com{wire.callback_path()}"),
    ("of a campaign", ["--base", "https://hooks.example.com", "--campaign", "spring"],
     f"https://hooks.example.com{wire.callback_path('spring')}"),
    ("with slashes behind the base", ["--base", "http://h:8080//", "--campaign", "spring"],
     f"http://h:8080{wire.callback_path('spring')}"),
    ("with the token in the path", ["--base", "https://h", "--campaign", "spring", "--path-token"],
     f"https://h{wire.CALLBACK}/spring/t/{wire.token('spring')}"),
]


@pytest.mark.parametrize(("arguments", "expected"), [one[1:] for one in MINTED], ids=[one[0] for one in MINTED])
def test_mints_the_url(arguments, expected):
    status, out, err = run("callback-url", *arguments)
    assert (status, out, err) == (0, expected + "\n", "")


WRONG = [
    ("no subcommand", [], 64),
    ("an unknown subcommand", ["dance"], 64),
    ("no base", ["callback-url"], 64),
    ("a base that is no web address", ["callback-url", "--base", "ftp://h"], 64),
    ("a campaign with a space", ["callback-url", "--base", "https://h", "--campaign", "a b"], 64),
    ("a campaign of two dots", ["callback-url", "--base", "https://h", "--campaign", ".."], 64),
    ("an unknown option behind the files", ["send", "--url", "http://127.0.0.1:1/", "--scheme", "guide", "-", "--line"], 64),
    ("an option of one dash", ["send", "--url", "http://127.0.0.1:1/", "--scheme", "guide", "-", "-l"], 64),
    ("an option without its value", ["send", "-", "--scheme", "guide", "--url"], 64),
    ("an open bracket in the URL", ["send", "--url", "http://[bad", "--scheme", "guide", "-"], 64),
    ("a port past the last in the URL", ["send", "--url", "http://h:65536/", "--scheme", "guide", "-"], 64),
    ("an open bracket in the base", ["callback-url", "--base", "http://[bad"], 64),
    ("no file to send", ["send", "--url", "http://127.0.0.1:1/", "--scheme", "guide"], 64),
    ("an unknown scheme", ["send", "--url", "http://127.0.0.1:1/", "--scheme", "v2", "-"], 64),
    ("nobody listening", ["send", "--url", "http://127.0.0.1:1/webhook", "--scheme", "guide", "-"], 69),
]


@pytest.mark.parametrize(("arguments", "expected"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_says_what_is_wrong_with(arguments, expected):
    status, out, err = run(*arguments, stdin=b"{}")
    assert status == expected, err
    assert out + err


HELP = [
    ("of callback-url", ["callback-url", "--help"], ["callback-url --base URL", "--campaign", "--path-token"]),
    ("of campaigns", ["campaigns", "--help"], ["alias ID NAME", "--remove ID", "--list", "%XX"]),
    ("of send", ["send", "--help"], ["send --url URL", "--scheme", "--lines", "FILE"]),
    ("of verify", ["verify", "--help"], ["verify [--repair [--lost CAMPAIGN] [--lower]]", "--repair  ", "--lost CAMPAIGN", "--lower  ", "Exit status"]),
    ("behind other arguments", ["send", "--url", "http://h/", "x", "--help"], ["send --url URL"]),
    ("of the whole", ["--help"], ["dropctl callback-url --base", "dropctl send --url", "dropctl COMMAND --help"]),
]


@pytest.mark.parametrize(("arguments", "words"), [one[1:] for one in HELP], ids=[one[0] for one in HELP])
def test_prints_the_usage(arguments, words):
    status, out, err = servers.run_program(DROPCTL, arguments, {"LOG_LEVEL": "wrong"})
    assert (status, err) == (0, "")
    assert "usage: dropctl" in out and all(word in out for word in words)


def test_one_settings_file_serves_all_programs(tmp_path):
    file = tmp_path / "settings"
    file.write_text("LISTEN=127.0.0.1:0\nPREFETCH=2000\nRETENTION_S=60\nCALLBACK_SECRET=key\nWEBHOOK_SECRET=other\n")
    for program in ("bridge/dropbridge", "workers/dropworker", DROPCTL):
        assert servers.run_program(program, ["--config", file, "--check-config"], {}) == (0, "", ""), program
    status, out, err = servers.run_program(DROPCTL, ["--config", file, "callback-url", "--base", "https://h"], {})
    assert (status, err) == (0, "") and out.startswith("https://h/callbacks/dropcowboy?token=")
    file.write_text("PREFETHC=10\n")
    status, _, err = servers.run_program(DROPCTL, ["--config", file, "--check-config"], {})
    assert status == 78 and "PREFETHC" in err


def test_minting_without_a_secret_exits_78():
    status, _, err = servers.run_program(DROPCTL, ["callback-url", "--base", "https://h"], {})
    assert status == 78 and "CALLBACK_SECRET" in err


def test_signing_without_a_secret_exits_78():
    status, _, err = servers.run_program(DROPCTL, ["send", "--url", "http://127.0.0.1:1/", "--scheme", "v1", "-"], {}, b"{}")
    assert status == 78 and "WEBHOOK_SECRET" in err


BODY = b'{ "status": "success", "drop_id": "1" }\n'


@pytest.mark.parametrize("scheme", ["guide", "v1", "callback"])
def test_sends_bytes_unchanged(station, tmp_path, scheme):
    (tmp_path / "event.json").write_bytes(BODY)
    path = wire.callback_path("spring") if scheme == "callback" else wire.WEBHOOK
    status, out, err = run("send", "--url", f"http://127.0.0.1:{station.port}{path}", "--scheme", scheme, tmp_path / "event.json")
    assert status == 0, err
    assert out == f'{tmp_path / "event.json"}: 200 {{"received":true}}\n'
    ((properties, body),) = station.queues.take("AMQP_QUEUE", 1)
    assert body == BODY
    assert properties.headers["x-scheme"] == {"callback": "token"}.get(scheme, scheme)
    if scheme == "v1":
        assert properties.headers["x-attempt"] == "1" and len(properties.headers["x-event-id"]) == 36


def test_sends_several_files_and_tells_of_each(station, tmp_path):
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(b"broken" if number == 1 else BODY)
    status, out, _ = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide", *files)
    assert status == 1
    lines = out.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == ["200", "400", "200"]
    assert "invalid_json" in lines[1]
    station.queues.take("AMQP_QUEUE", 2)
    station.queues.take("AMQP_REJECTED_QUEUE", 1)


def test_sends_from_standard_input(station):
    status, out, _ = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "v1", "-", stdin=BODY + b"\n")
    assert status == 0 and " 200 " in out
    assert station.queues.take("AMQP_QUEUE", 1)[0][1] == BODY + b"\n"


def test_sends_each_line_as_an_event(station, tmp_path):
    bodies = [json.dumps({"status": "success", "drop_id": str(number)}).encode() for number in range(20)]
    (tmp_path / "lines").write_bytes(b"\n".join(bodies) + b"\n")
    status, _, err = run("send", "--lines", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide",
                         tmp_path / "lines")
    assert status == 0, err
    assert sorted(body for _, body in station.queues.take("AMQP_QUEUE", 20)) == sorted(bodies)


def test_takes_options_behind_the_files(station, tmp_path):
    (tmp_path / "lines").write_bytes(b'{"drop_id":"1"}\n{"drop_id":"2"}\n')
    (tmp_path / "--lines").write_bytes(b'{"drop_id":"3"}\n')
    status, out, err = run("send", tmp_path / "lines", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide",
                           "--lines", "--", tmp_path / "--lines")
    assert status == 0, err
    assert len(out.splitlines()) == 3
    assert [body for _, body in station.queues.take("AMQP_QUEUE", 3)] == [b'{"drop_id":"%d"}' % n for n in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["missing", "a folder", "too long"])
def test_sends_nothing_if_a_file_cannot_be_read(station, tmp_path, kind):
    (tmp_path / "good").write_bytes(BODY)
    if kind == "a folder":
        (tmp_path / "other").mkdir()
    elif kind == "too long":
        with open(tmp_path / "other", "wb") as file:
            file.truncate(16 * 1024 * 1024 + 1)
    status, out, err = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide",
                           tmp_path / "good", tmp_path / "other")
    assert (status, out) == (64, "") and str(tmp_path / "other") in err
    assert station.queues.depth("AMQP_QUEUE") == 0


def test_a_refused_event_is_told_with_its_answer(station):
    status, out, _ = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide", "-", stdin=BODY,
                         WEBHOOK_SECRET="wrong")
    assert status == 1 and "401" in out and "invalid_signature" in out


def test_a_missing_file_is_named(station):
    status, out, err = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide", "/nowhere/x.json")
    assert status != 0 and "/nowhere/x.json" in out + err


def test_prints_no_secret(station):
    _, out, err = run("send", "--url", f"http://127.0.0.1:{station.port}/webhook", "--scheme", "guide", "-", stdin=b"broken",
                      LOG_LEVEL="debug")
    assert servers.WEBHOOK_SECRET not in out + err
    station.queues.take("AMQP_REJECTED_QUEUE", 1)
