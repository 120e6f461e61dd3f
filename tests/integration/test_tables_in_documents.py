"""What repeats the tables of settings, refusals, outcomes and reasons: README, docs, man pages, Compose, the environment of the units. Settings
are compared with --help, which prints the rows of a program."""

import functools
import re

import outcomes
import pytest
import servers
import yaml

ROOT = servers.ROOT
PROGRAMS = {"bridge": "bridge/dropbridge", "worker": "workers/dropworker", "ctl": "tools/dropctl"}
FILE_FORM = re.compile(r"; or in the file named by (\w+)")


@functools.cache
def help_of(program):
    status, out, err = servers.run_program(PROGRAMS[program], ["--help"])
    assert status == 0, err
    return out


@functools.cache
def settings(program):
    """Of a program: name → (default, whether there is a _FILE form)."""
    out = help_of(program)
    rows = re.findall(r"^  ([A-Z][A-Z0-9_]+) +(.*?)(?: \[([^ ]*)\])?$", out, re.MULTILINE)
    found = {name: (default, bool(FILE_FORM.search(meaning))) for name, meaning, default in rows}
    assert len(found) >= 10 and len(found) == len(rows)
    return found


def names(program):
    """With the _FILE forms."""
    return set(settings(program)) | {f"{name}_FILE" for name, (_, in_file) in settings(program).items() if in_file}


def every_name():
    return set().union(*map(names, PROGRAMS))


def read(path):
    return (ROOT / path).read_text()


# ---- the README ----

WHO = {"both": {"bridge", "worker"}, "all": set(PROGRAMS)}


def readme_rows():
    """(name, program) → default, of the table under "Settings"."""
    section = re.search(r"^## Settings\n(.*?)^##", read("README.md"), re.MULTILINE | re.DOTALL)[1]
    for line in section.splitlines():
        if not line.startswith("| `"):
            continue
        of_names, defaults, of = (cell.strip() for cell in line.split("|")[1:4])
        programs = sorted(set().union(*(WHO.get(word, {word}) for word in of.split(", "))))
        row_names = re.findall(r"`(\w+)`", of_names)
        values = [one or other for one, other in re.findall(r"`([^`]*)`|\b(\d+)\b", defaults)]
        for place, name in enumerate(row_names):
            for program in programs:
                own = re.search(rf"{program} `([^`]*)`", defaults)
                value = values[place] if len(values) == len(row_names) else ""
                yield (name, program), own[1] if own else value


def test_the_table_of_the_readme_has_every_setting_with_its_default_and_its_programs():
    rows = list(readme_rows())
    assert len(dict(rows)) == len(rows)
    assert dict(rows) == {(name, program): default for program in PROGRAMS for name, (default, _) in settings(program).items()}


def test_the_readme_names_the_settings_that_may_come_from_a_file():
    said = re.search(r"the environment wins\.(.*?)can also come from a file", read("README.md"), re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", said)) == {name for program in PROGRAMS for name, (_, file) in settings(program).items() if file}


# ---- the man pages ----

PAGES = {"bridge": "dropbridge.1.in", "worker": "dropworker.1.in", "ctl": "dropctl.1.in"}


@pytest.mark.parametrize("program", PAGES)
def test_a_man_page_has_every_setting_as_help_has_it(program):
    page = read(f"deploy/man/{PAGES[program]}")
    section = re.search(r"^\.SH ENVIRONMENT\n(.*?)^\.SH", page, re.MULTILINE | re.DOTALL)[1]
    said = re.findall(r"^\.TP\n\.B (\w+)\n(.*)$", section, re.MULTILINE)
    assert said == re.findall(r"^  ([A-Z][A-Z0-9_]+) +(.*)$", help_of(program), re.MULTILINE)


@pytest.mark.parametrize("program", PAGES)
def test_a_man_page_names_settings_of_its_program_only(program):
    page = read(f"deploy/man/{PAGES[program]}")
    named = {name for name in re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", page) if "_" in name} - {"LISTEN_FDS", "NOTIFY_SOCKET", "PROJECT_VERSION"}
    assert named <= names(program)


# ---- Compose ----

SERVICES = {"bridge": "bridge", "worker": "worker", "tools": "ctl"}
# What .env cannot change, and why.
FIXED = {
    "LISTEN": "the port inside; BRIDGE_ADDRESS and BRIDGE_PORT are the one outside",
    "ADMIN_LISTEN": "of bridge and worker, each its own; nothing outside reaches it",
    "SPOOL_PATH": "in the image: it is where the volume is",
}
# What has a default of the composition's own. Empty is not the same as left out.
OF_THE_COMPOSITION = {"AMQP_URL", "REDIS_URL", "WEBHOOK_SECRET", "CALLBACK_SECRET"}
COMPOSE = ["docker-compose.yml", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").glob("compose.*.yml"))]
LINE = re.compile(r"^ +([A-Z][A-Z0-9_]+): (.*?)(?: #.*)?$", re.MULTILINE)
OF_OTHERS = re.compile(r"RABBITMQ_|REDISCLI_|REDIS_MAXMEMORY|REDIS_PASSWORD|TLS_NAMES")


@pytest.mark.parametrize("service", SERVICES)
def test_compose_hands_a_program_all_its_settings_and_no_other(service):
    handed = yaml.safe_load(read("docker-compose.yml"))["services"][service]["environment"]
    assert set(handed) - set(FIXED) == names(SERVICES[service]) - set(FIXED)
    for name in set(handed) - set(FIXED):
        value = handed[name]
        assert value.startswith("${%s-" % name) if name in OF_THE_COMPOSITION else value == "${%s:-}" % name
    assert all("$" not in handed[name] for name in FIXED if name in handed)


@pytest.mark.parametrize("path", COMPOSE)
def test_a_compose_file_sets_nothing_that_no_program_knows(path):
    unknown = [name for name, _ in LINE.findall(read(path)) if name not in every_name() and not OF_OTHERS.match(name)]
    assert unknown == []


def test_the_example_of_env_has_what_compose_files_ask_for_and_nothing_else():
    """Of the settings, which README has, only some."""
    example = read(".env.example")
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    asked = set().union(*(re.findall(r"(?<!\$)\$\{(\w+)", read(path)) for path in COMPOSE)) - {"COMPOSE_PROJECT_NAME"}
    assert named <= asked and asked - every_name() <= named
    assert set(re.findall(r"\w+", re.search(r"except (.*?), which", example)[1])) - {"and"} == set(FIXED)


# ---- the units ----


@pytest.mark.parametrize(("program", "file"), [("bridge", "dropbridge.env"), ("worker", "dropworker.env")])
def test_the_environment_of_a_unit_shows_the_defaults_of_its_program(program, file):
    shown = re.findall(r"^#([A-Z_]+)=(.*)$", read(f"deploy/systemd/{file}"), re.MULTILINE)
    assert shown and shown == [(name, settings(program)[name][0]) for name, _ in shown]


@pytest.mark.parametrize(("unit", "program"), [("dropbridge.service.in", "bridge"), ("dropworker@.service.in", "worker")])
def test_a_unit_sets_nothing_that_its_program_does_not_know(unit, program):
    assert set(re.findall(r"^Environment=(\w+)=", read(f"deploy/systemd/{unit}"), re.MULTILINE)) <= names(program)


# ---- refusals ----


def test_the_table_of_refusals_is_that_of_the_code():
    rows = re.findall(r'^ERROR_ROW\(\w+, "(\w+)", (\d+), "(.*?)",\s+(NULL|(?:"[^"]*"\s*)+)\)', read("bridge/http/errors.def"), re.MULTILINE)
    assert len(rows) == read("bridge/http/errors.def").count("\nERROR_ROW")
    lines = ["| %s | `%s` | %s | %s |" % (status, code, sentence, "".join(re.findall(r'"(.*?)"', remedy)))
             for code, status, sentence, remedy in rows]
    assert re.findall(r"^\| \d+ \| .*$", read("docs/refusals.md"), re.MULTILINE) == lines


# ---- outcomes ----


def test_the_readme_adds_up_consumed_from_every_outcome():
    said = re.search(r"dropworker_consumed_total = (.*)", read("README.md"))[1]
    assert said.split(" + ") == [*outcomes.APPLIED, "rejected"]


@pytest.mark.parametrize(("program", "table", "others"), [
    ("dropbridge", "bridge/metrics.def", ["requests"]),
    ("dropworker", "workers/metrics.def", [*outcomes.APPLIED, *outcomes.WITHIN, "consumed", "rejected"]),
])
def test_every_metric_that_a_document_names_is_one_of_the_program(program, table, others):
    known = {f"{program}_{slug}_total" for slug in others}
    for kind, name in re.findall(r'^(COUNTER|GAUGE)\(\w+, "(\w+)"', read(table), re.MULTILINE):
        known.add(f"{program}_{name}" + ("_total" if kind == "COUNTER" else ""))
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        now = path.read_text().split("## Changelog")[0]  # behind it are those that are gone
        named = set(re.findall(rf"\b{program}_[a-z_]+[a-z]\b", now))
        assert named <= known, (path, named - known)


# ---- words and reasons ----


def classification():
    return read("docs/classification.md")


def test_the_tables_of_names_and_statuses_have_every_word():
    words = read("workers/event/words.def")
    for table, row in (("name | kind", "NAME"), ("status | means", "STATUS")):
        rows = classification().split(f"| {table} |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
        said = {word for line in rows for word in re.findall(r"`([^`]+)`", line.split("|")[1])}
        said -= {"contact.*.status", "contact.*.receipt"} | {"drop_id", "status", "data", "dnc"}  # patterns, and members of bodies
        said -= {"type", "optout", "opt_out", "opt-out", "unsub", "revok", "contact.sms.opted_out"}  # parts of names, and one with such a part
        known = set(re.findall(rf'^{row}\("([^"]+)"', words, re.MULTILINE))
        assert {word.replace("-", " ") if row == "STATUS" else word for word in said} == known


def test_the_table_of_reasons_is_that_of_the_code():
    """Each line as reasons.def has it; of what differs pytest shows both."""
    rows = re.findall(
        r'^REASON\(\d+, "(\w+)", (\w+),\s+(\w+),\s+\w+,\s+(NONE|TEXTS\([^)]*\)),\s+(NONE|CODES\([^)]*\))\)',
        read("common/drops/reasons.def"), re.MULTILINE)  # fmt: skip
    assert len(rows) > 40
    lines = []
    for slug, category, resend, texts, codes in rows:
        cells = [f"`{slug}`", ", ".join(re.findall(r"\d+", codes)), ", ".join(re.findall(r'"(.*?)"', texts)),
                 category.lower(), resend.lower().replace("_", " ")]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    section = classification().split("## 8. The reasons\n")[1]
    assert re.findall(r"^\| `.*$", section, re.MULTILINE) == [re.sub(r"\|  (?=\|)", "| ", line) for line in lines]


def test_the_reasons_that_opt_out_are_named():
    rows = re.findall(r'^REASON\(\d+, "(\w+)", \w+,\s+\w+,\s+(BLOCKED|TOLD)', read("common/drops/reasons.def"), re.MULTILINE)
    said = re.search(r"The reasons are (.*?), for which the send was \*blocked\*, and (.*?), which", classification(), re.DOTALL)
    for group, way in enumerate(("BLOCKED", "TOLD"), 1):
        assert set(re.findall(r"`(\w+)`", said[group])) == {slug for slug, column in rows if column == way}


def test_the_walk_of_an_event_through_the_bridge_names_each_file_once():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    walk = text[text.index("**One event, from the socket"):text.index("**Threads.**")]
    names = re.findall(r"`([a-z_/]+\.c)`", walk)
    assert len(names) > 10 and [name for name in names if not (ROOT / "bridge" / name).is_file()] == []
    assert [name for name in set(names) if names.count(name) > 1] == []
