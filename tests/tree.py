"""Copies of the tree whose code is changed on purpose, for scripts/mutate and the controls of scripts/faults."""

import os
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOT_COPIED = {".git", "build", "__pycache__", ".pytest_cache"}


class Unfit(Exception):
    pass


def replaced(row, text):
    """`text`, that of row.file, with row.new in the place of row.old."""
    found = text.count(row.old)
    if found != 1:
        raise Unfit(f"{row.name} no longer fits the code: {found} places in {row.file} read as its old text")
    return text.replace(row.old, row.new)


def files_below(folder):
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_COPIED]
        for name in names:
            yield pathlib.Path(path, name).relative_to(folder)


def copy(tree, changed=None):
    """Writes only what differs, so that little is built again; also what a run that was interrupted has left changed. `changed`:
    the files that shall read otherwise, path → bytes."""
    changed = changed or {}
    tree.mkdir(parents=True, exist_ok=True)
    wanted = set(files_below(ROOT))
    for path in set(files_below(tree)) - wanted:
        (tree / path).unlink()
    for path in wanted:
        source, target = ROOT / path, tree / path
        content = changed.get(str(path)) or source.read_bytes()
        if target.exists() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        shutil.copymode(source, target)
