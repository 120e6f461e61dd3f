"""A kind of event or an outcome that is added and nowhere handled does not compile: the switches over them have no default, and
-Wswitch-enum is an error in the presets."""

import json
import shlex
import shutil
import subprocess

import pytest
import servers

COMMANDS = servers.BUILD / "compile_commands.json"
KIND = ("workers/event/event.h", "EVENT_OPT_IN }", "EVENT_OPT_IN, EVENT_OF_TOMORROW }")
NAME = ("workers/event/words.h", "NAME_OPT_IN,", "NAME_OPT_IN, NAME_OF_TOMORROW,")
OUTCOME = ("workers/outcomes.def", "OUTCOME(UNRECOGNIZED,", 'OUTCOME(OF_TOMORROW, "of_tomorrow", "")\nOUTCOME(UNRECOGNIZED,')
UNCHANGED = ("workers/event/event.h", "", "")


@pytest.mark.parametrize(("row", "file", "missing"), [
    (UNCHANGED, "workers/event/classify.c", ""),
    (UNCHANGED, "workers/counting/effects.c", ""),
    (NAME, "workers/event/classify.c", "NAME_OF_TOMORROW"),
    (KIND, "workers/counting/effects.c", "EVENT_OF_TOMORROW"),
    (OUTCOME, "workers/worker_status.c", ""),  # where the row is all
])
def test_what_is_added_and_not_handled_does_not_compile(row, file, missing, tmp_path):
    for folder in ("common", "workers"):
        shutil.copytree(servers.ROOT / folder, tmp_path / folder)
    path, old, new = row
    text = (tmp_path / path).read_text()
    assert old in text
    (tmp_path / path).write_text(text.replace(old, new, 1))
    command = next(one["command"] for one in json.loads(COMMANDS.read_text()) if one["file"] == str(servers.ROOT / file))
    words = [word.replace(str(servers.ROOT), str(tmp_path)) for word in shlex.split(command)]
    words = [*words[:words.index("-o")], "-fsyntax-only", "-Werror", str(tmp_path / file)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == bool(missing), done.stderr
    assert missing in done.stderr
