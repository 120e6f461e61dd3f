"""Where the bridge's CPU time goes: perf's samples, each given to the stage whose function is innermost on its stack."""

import collections
import re

import calls

RATE_HZ = 2000
STACK_BYTES = 8192
WAITS, READS, REST = "civetweb waits for the next request", "civetweb reads and parses the head", "the rest"
STAGES = {
    WAITS: (),
    READS: (),
    "checks the head": ("read_head", "check_framing", "framing_of_head", "framing_of_fields", "framing_text", "framing_keeps_alive",
                        "ingest_check"),
    "reads the body": ("body_read", "body_clear"),
    "checks the signature": ("check_signature", "keyring_verify_guide"),
    "checks that it is JSON": ("strict_json_check",),
    "hands it to the publisher": ("ingest_accept", "message_new"),
    "sleeps until it is confirmed": ("message_wait",),
    "writes the answer": ("begin_answer", "write_answer"),
    "counts it, notes where it stands": ("exchange_serve",),
    "publisher: takes and encodes": ("send_burst", "handoff_take", "broker_channel_send", "publish_frames_append"),
    "publisher: writes bursts": ("send_out",),
    "publisher: reads confirms": ("read_frames", "amqp_read_frame"),
    "publisher: settles, wakes who sleeps": ("unconfirmed_settle",),
    "publisher: waits for work": ("wait_for_work", "publisher_run"),
    REST: (),
}
STAGE_OF = {function: stage for stage, functions in STAGES.items() for function in functions}
FRAME = re.compile(r"^\s+[0-9a-f]+ (\S+).* \((.*)\)$")


def stage_of(frames):
    """Of one sample: [(function, object)], the innermost first. civetweb's own functions have no names."""
    for function, _ in frames:
        if function in STAGE_OF:
            return STAGE_OF[function]
    if not any("libcivetweb" in of for _, of in frames):
        return REST
    return WAITS if any(function == "do_sys_poll" for function, _ in frames) else READS


def shares(script):
    """{stage: its share of the samples} of what `perf script -F ip,sym,dso` writes."""
    stacks = [[FRAME.match(line) for line in sample.splitlines()] for sample in script.split("\n\n")]
    found = collections.Counter(stage_of([frame.groups() for frame in stack if frame]) for stack in stacks if any(stack))
    return {stage: found[stage] / found.total() for stage in STAGES if found[stage]}


def record(pid, file, work):
    """({stage: share of the process's CPU time while `work` runs}, what `work` returned). Or calls.NotCounted."""
    arguments = ["-e", "cpu-clock", "-F", str(RATE_HZ), "--call-graph", f"dwarf,{STACK_BYTES}", "-o", file, "-p", str(pid)]
    with calls.ordered("record", arguments) as process:
        result = work()
        calls.end(process)
    script = calls.output("perf", "script", "-i", file, "-F", "ip,sym,dso")
    return shares(script), result
