"""What docs/redis-keys.md and the README say of reading the counters is run: against a Redis that the worker's own code has
filled with the events of example_story.py, each command prints what stands below it. Node programs take part where
scripts/test-node-examples has found what they need."""

import os
import re
import shutil
import subprocess
import sys

import example_story
import model_harness
import pytest
import servers

DOCS = (servers.ROOT / "docs" / "redis-keys.md").read_text()
EXAMPLES = servers.ROOT / "examples" / "redis"
ENTRY_ID = re.compile(r"\b\d{13}-\d+\b")
PROGRAMS = {"python": ("python3", ".py")} | ({"node": ("node", ".js")} if os.environ.get("DROPBRIDGE_NODE_EXAMPLES") else {})


def blocks(*languages):
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", DOCS, re.M | re.S)


def commands_of_docs():
    """[(command, the lines that stand below it)], in order."""
    found = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class Story:
    """The Redis of the examples, and what a shell needs to run them there."""

    def __init__(self, folder):
        self.folder = folder
        self.driver = model_harness.Driver(folder)
        self.client = self.driver.redis.client
        self.ids = {}  # of an entry of the stream: in the docs -> here
        tools = folder / "bin"
        tools.mkdir()
        redis_cli = tools / "redis-cli"
        redis_cli.write_text(f'#!/bin/sh\nexec {shutil.which("redis-cli")} -p {self.driver.redis.port} "$@"\n')
        redis_cli.chmod(0o755)
        (tools / "python3").symlink_to(sys.executable)
        (tools / "dropctl").symlink_to(servers.BUILD / "tools" / "dropctl")
        self.environment = {**servers.clean_environment(), "REDIS_URL": self.driver.redis.url}
        self.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
        self.environment["NODE_PATH"] = os.environ.get("NODE_PATH", "")
        self.driver.run(example_story.sequence(example_story.COPIES))

    def more(self, copy):
        self.driver.more(example_story.sequence([copy]), [copy])

    def begin(self, command):
        return subprocess.Popen(["bash", "-c", command], cwd=servers.ROOT, env=self.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def printed(self, command):
        return self.begin(command).communicate(timeout=servers.HANG_GUARD_S)[0].splitlines()

    def difference(self, command, shown):
        """"" if the command prints what is shown; ids of entries are those of this Redis."""
        printed = self.printed(ENTRY_ID.sub(lambda found: self.ids.get(found[0], found[0]), command))
        self.ids |= {want: got for want, got in zip(shown, printed) if ENTRY_ID.fullmatch(want) and want not in self.ids}
        shown = [self.ids.get(line, line) for line in shown]
        if "HGETALL" in command:
            printed, shown = in_pairs(printed), in_pairs(shown)
        return "" if printed == shown else f"{command}\n  prints {printed}\n  shown  {shown}"


def in_pairs(lines):
    """Of a hash, whose fields have no order."""
    return sorted(zip(lines[::2], lines[1::2])) + lines[len(lines) // 2 * 2 :]


@pytest.fixture
def story(tmp_path):
    told = Story(tmp_path)
    try:
        yield told
    finally:
        told.driver.close()


def differences(story, commands):
    return "\n".join(filter(None, (story.difference(command, shown) for command, shown in commands)))


def test_every_command_of_the_shell_prints_what_stands_below_it(story):
    commands = [one for one in commands_of_docs() if not one[0].startswith("python3 examples/")]
    assert all(command.startswith(("redis-cli ", "dropctl ")) for command, _ in commands)
    assert len(commands) > 10
    assert not differences(story, commands)


@pytest.mark.parametrize("language", PROGRAMS)
def test_every_program_prints_what_stands_below_its_command(story, language):
    runs, suffix = PROGRAMS[language]
    commands = [(f"{runs} {command.removeprefix('python3 ').replace('.py', suffix)}", shown)
                for command, shown in commands_of_docs() if command.startswith("python3 examples/")]
    of_files = {command.split()[1].rpartition("/")[2] for command, _ in commands}
    assert of_files == {path.name for path in EXAMPLES.glob(f"*{suffix}") if path.stem != "follow"}
    assert not differences(story, commands)


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_follower_prints_each_entry_once_and_says_when_some_were_trimmed(story, language):
    runs, suffix = PROGRAMS[language]
    remembered = story.folder / "last-id"
    first, second, third = example_story.LATER

    def follow(name, when_at_the_end=None):
        """The lines of one run, which is stopped when it has remembered the newest entry."""
        def at_the_end():
            [[newest, _]] = story.client.xrevrange("dc:results", count=1)
            return remembered.exists() and remembered.read_text() == newest.decode()

        program = [shutil.which(runs, path=story.environment["PATH"]), EXAMPLES / f"follow{suffix}", remembered]
        child = servers.Child(program, story.folder, name, story.environment)
        try:
            servers.wait_until(at_the_end, lambda: child.stdout + child.stderr)
            if when_at_the_end:
                when_at_the_end()
                servers.wait_until(at_the_end, lambda: child.stdout + child.stderr)
        finally:
            child.kill()
        return child.stdout.splitlines()

    [shown] = blocks("text")
    assert follow("first", lambda: story.more(first)) == [*shown.splitlines(), "result 8820 +12065558820 success -"]
    story.more(second)
    assert follow("second") == ["result 8821 +12065558821 success -"]
    story.client.xtrim("dc:results", maxlen=0)
    story.more(third)
    missing, result = follow("third")
    assert missing.startswith("entries are missing") and result == "result 8822 +12065558822 success -"


def test_the_docs_show_the_programs_as_they_are():
    shown = {}
    for text in blocks("python", "js"):
        name = re.search(r"examples/redis/(\S+\.(?:py|js))", text.splitlines()[0]).group(1)
        shown[name] = text
    assert shown == {path.name: path.read_text() for path in EXAMPLES.iterdir() if path.is_file()}


# ---- the tables of keys ----


def pattern_of(key):
    numbers = re.sub(r"\\{(generation|bucket|y\w+)\\}", r"\\d+", re.escape(key))
    return re.sub(r"\\{\w+\\}", "[^:]+", numbers)


def rows_of_docs():
    """[(pattern, type or "", the row)] of both tables; the first that fits a key is its row."""
    rows = []
    for line in re.findall(r"^\| `dc:.*", DOCS, re.M):
        cells = re.split(r"(?<!\\)\|", line.strip("|"))
        kind = cells[1].strip() if len(cells) == 4 else ""
        rows += [(pattern_of(key), kind, line) for key in re.findall(r"`(dc:[^`]+)`", cells[0]) if key != "dc:drops:*"]
    return rows


NOT_OF_THESE_EVENTS = ["dc:campaign_aliases", "dc:campaign_links"]
LIVES = {"for good": (-1, -1), "24 hours": (86000, 86400), "62 days": (62 * 86400 - 400, 62 * 86400), "a day": (86000, 86400), "latest": (-1, -1)}


def test_every_key_is_in_the_tables_with_its_type_fields_and_life(story):
    kinds = {"hash": "hash", "zset": "sorted set", "string": "string", "stream": "stream"}
    rows = rows_of_docs()
    met = set()
    for key in sorted(one.decode() for one in story.client.scan_iter("dc:*")):
        fitting = [(kind, row) for pattern, kind, row in rows if re.fullmatch(pattern, key)]
        assert len(fitting) == 1, f"{key}: {fitting}"
        [(kind, row)] = fitting
        met.add(row)
        if not kind:
            continue
        assert kinds[story.client.type(key).decode()] == kind, key
        [life] = [LIVES[words] for words in LIVES if words in row.rpartition(" | ")[2]]
        assert life[0] <= story.client.ttl(key) <= life[1], key
        if re.fullmatch(r"dc:totals|dc:campaign:[^:]+|dc:minute:\d+|.*:day:\d+", key):
            assert all(f"`{field.decode()}`" in row for field in story.client.hkeys(key)), key
    unmet = [row for _, kind, row in rows if kind and row not in met]
    assert [re.search(r"`(dc:.*?)`", row).group(1) for row in unmet] == NOT_OF_THESE_EVENTS


# ---- the README ----

READ_THE_COUNTERS = {
    "HGETALL dc:totals": "messages 8 success 5 failure 3 opt_out 2 duplicate 1 revised 1 unrecognized 1 product_cost_micros 37500",
    "HGETALL dc:totals:reasons": "temporarily_unreachable 1 other 1 internal_dnc 1",
    "ZRANGE dc:campaigns 0 -1 WITHSCORES": "winter 1795284000000 spring 1795328280000",
    "HGETALL dc:campaign:spring": "first_event_at 2026-11-22T06:14:10.000Z last_event_at 2026-11-22T06:18:00.000Z state running "
                                  "state_at 2026-11-22T06:16:30.000Z state_source inferred last_result_at 2026-11-22T06:16:30.000Z",
    "HGETALL dc:campaign:spring:counters": "messages 6 success 3 failure 3 opt_out 1 duplicate 1 revised 1 unrecognized 1 "
                                           "product_cost_micros 22500",
    "HGETALL dc:campaign:spring:reasons": "temporarily_unreachable 1 other 1 internal_dnc 1",
    "ZRANGE dc:optouts 0 -1 WITHSCORES": "+12065558815 1795328130000 +12065558810 1795328220000",
    "ZRANGE dc:campaign:spring:optouts 0 -1": "+12065558810",
    "GET dc:result:8812": '{"outcome":"failure","reason":"temporarily_unreachable","drop_id":"65f0a1b2c3d4e5f600008812",'
                          '"phone":"+12065558812","campaign":"spring","at":"2026-11-22T06:15:02.000Z"}',
    "HGETALL dc:minute:202611220615": "failure 4 opt_out 1",
    "HGETALL dc:campaign:spring:day:20261122": "success 2 failure 4 opt_out 1 cost_micros 15000",
    "ZRANGE dc:optins 0 -1 WITHSCORES": "+12065558810 1795328280000",
    "HGETALL dc:unknown_reasons": "Handset_on_fire 1",
    "HGETALL dc:events": "contact.tag.added 1",
}
FOLLOW = "XREAD BLOCK 0 STREAMS dc:results '$'"


def commands_of_readme():
    section = (servers.ROOT / "README.md").read_text().partition("## Read the counters\n")[2].partition("\n## ")[0]
    return re.findall(r"^ {4}redis-cli (.*?)(?: +#.*)?$", section, re.M)


def test_every_command_of_the_readme_prints_what_the_events_come_to(story):
    assert sorted(commands_of_readme()) == sorted([*READ_THE_COUNTERS, FOLLOW])
    for command, expected in READ_THE_COUNTERS.items():
        printed = [line.replace(" ", "_") for line in story.printed(f"redis-cli {command}")]
        expected = expected.split()
        if command.startswith("HGETALL"):
            printed, expected = in_pairs(printed), in_pairs(expected)
        assert printed == expected, command
    following = story.begin(f"redis-cli {FOLLOW}")
    servers.wait_until(lambda: story.client.info("clients")["blocked_clients"] == 1, "redis-cli waits for the stream")
    story.more(example_story.LATER[0])
    stream, _, kind, text = following.communicate(timeout=servers.HANG_GUARD_S)[0].splitlines()
    assert (stream, kind) == ("dc:results", "result") and '"foreign_id":"8820"' in text
