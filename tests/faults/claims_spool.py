"""The spool's own disk fails while RabbitMQ is away: never a false 200, every answer in time, and service resumes by
itself."""

import time

import checker
import servers
from suite import Claim, every_answer_in_time, load, spooled, wait_for_answers, wait_for_drain


def fail_for_a_while(stack, sending, what, seconds):
    """The seconds that it took until events were taken again, once the disk was well."""
    stack.disk.is_now(what)
    time.sleep(seconds)
    stack.disk.well()
    mended_at = time.monotonic()
    servers.wait_until(lambda: sending.answered(200, since=mended_at) >= 20, 30, "the spool takes events again")
    return time.monotonic() - mended_at


def with_disk(what, refuses, rounds=4):
    """A claim. `refuses`: whether some request must have met 503, or the fault did not happen."""

    def run(stack, size):
        proxy = stack.through_proxy()
        stack.start_bridge()
        stack.start_workers()
        with load(stack, rate=150, threads=32) as sending:
            wait_for_answers(sending, 30)
            proxy.cut()
            wait_for_answers(sending, 30)
            broke_at = time.monotonic()
            resumed = [fail_for_a_while(stack, sending, what, size.fault_seconds / rounds) for _ in range(rounds)]
            proxy.restore()
            wait_for_drain(stack)
            wait_for_answers(sending, 20)
        findings = checker.check_all(stack, sending.log)
        every_answer_in_time(findings)
        findings.claim(findings.unanswered == 0, f"{findings.unanswered} requests were not answered")
        early = [sent for sent in sending.log if sent.status == 503 and sent.at + sent.seconds < broke_at]
        findings.claim(not early, f"{len(early)} requests were refused while the disk was well")
        findings.claim(findings.refused > 0 or not refuses, "no request was refused: the fault did not happen")
        findings.notes.update(resumed_after_seconds=round(max(resumed), 2), spooled=spooled(stack))
        return findings

    return run


def bounded(stack, size):
    """SPOOL_MAX_BYTES is reached: 503 until there is room again."""
    proxy = stack.through_proxy()
    stack.bridge_settings["SPOOL_MAX_BYTES"] = 1048576
    stack.start_bridge()
    stack.start_workers()
    proxy.cut()
    with load(stack, rate=1000, threads=32) as sending:
        servers.wait_until(lambda: sending.answered(503) >= 30, 60, "the spool is full")
        taken = sending.answered(200)
        proxy.restore()
        wait_for_drain(stack, 60)
        back = time.monotonic()
        servers.wait_until(lambda: sending.answered(200, since=back) >= 30, 20, "events are taken again")
    findings = checker.check_all(stack, sending.log)
    every_answer_in_time(findings)
    findings.claim(findings.unanswered == 0, f"{findings.unanswered} requests were not answered")
    findings.claim(taken >= 500, f"1 MiB of spool took {taken} events only")
    size_of_file = stack.spool.stat().st_size
    findings.claim(size_of_file <= 1048576, f"the spool's file has {size_of_file} bytes")
    findings.notes["taken_by_1_MiB"] = taken
    return findings


disk_full = with_disk("full", True)

CLAIMS = [
    Claim("spool-disk-full", disk_full, 15),
    Claim("spool-sync-fails", with_disk("sync-fails", True), 15),
    Claim("spool-sync-takes-300-ms", with_disk("sync-slow 300", False), 15),
    Claim("spool-sync-takes-6-s", with_disk("sync-slow 6000", True, rounds=1), 30),
    Claim("spool-past-its-bound", bounded, 20),
]
