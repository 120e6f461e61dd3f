"""The spool's own disk fails while RabbitMQ is away: never a false 200, every answer in time, and service resumes by
itself."""

import time

import checker
import servers
from suite import Claim, every_answer_in_time, every_request_answered, load, spooled, wait_for_answers, wait_for_drain

BOUND = 1048576
LOG_BYTES = 24 * 1048576  # of the log beside the file, at the most


def fail_for_a_while(stack, sending, what, seconds):
    """(since when the disk failed, when it was well again, when events had been taken again)"""
    stack.disk.is_now(what)
    broke_at = time.monotonic()
    time.sleep(seconds)
    mended_at = time.monotonic()
    stack.disk.well()
    servers.wait_until(lambda: sending.answered(200, since=mended_at) >= 20, "the spool takes events again")
    return broke_at, mended_at, time.monotonic()


def false_answers(log, rounds):
    """What was sent and acknowledged while nothing could be written: nobody had it."""

    def false(sent):
        return any(broke <= sent.began and sent.at + sent.seconds <= mended for broke, mended, _ in rounds)

    return [sent for sent in log if sent.acknowledged and false(sent)]


def with_disk(what, refuses, rounds=4):
    """A claim. `refuses`: while the disk is so, nothing can be written, and some request must have met 503."""

    def run(stack, size):
        proxy = stack.through_proxy()
        stack.start_bridge()
        stack.start_workers()
        with load(stack, rate=150, threads=32) as sending:
            wait_for_answers(sending, 30)
            proxy.cut()
            wait_for_answers(sending, 30)
            faults = [fail_for_a_while(stack, sending, what, size.fault_seconds / rounds) for _ in range(rounds)]
            proxy.restore()
            wait_for_drain(stack)
            wait_for_answers(sending, 20)
        findings = checker.check_all(stack, sending.log)
        every_answer_in_time(findings)
        every_request_answered(findings)
        early = [sent for sent in sending.log if sent.status == 503 and sent.at + sent.seconds < faults[0][0]]
        findings.claim(not early, f"{len(early)} requests were refused while the disk was well")
        findings.claim(findings.refused > 0 or not refuses, "no request was refused: the fault did not happen")
        false = len(false_answers(sending.log, faults))
        findings.claim(not false or not refuses, f"{false} requests were acknowledged while nothing could be written")
        resumed = max(again - mended for _, mended, again in faults)
        findings.notes.update(resumed_after_seconds=round(resumed, 2), spooled=spooled(stack), false_answers=false)
        return findings

    return run


def bounded(stack, size):
    """SPOOL_MAX_BYTES is reached: 503 until there is room again. The log beside the file has a bound of its own."""
    proxy = stack.through_proxy()
    stack.bridge_settings["SPOOL_MAX_BYTES"] = BOUND
    stack.start_bridge()
    stack.start_workers()
    proxy.cut()
    largest = [0, 0]

    def full_or_outgrown():
        log = stack.spool.with_name(stack.spool.name + "-wal")
        sizes = [path.stat().st_size if path.exists() else 0 for path in (stack.spool, log)]
        largest[:] = map(max, largest, sizes)
        return sending.answered(503) >= 300 or largest[0] > BOUND

    with load(stack, rate=1000, threads=32) as sending:
        servers.wait_until(full_or_outgrown, "the spool is full")
        taken = sending.answered(200)
        proxy.restore()
        wait_for_drain(stack)
        back = time.monotonic()
        servers.wait_until(lambda: sending.answered(200, since=back) >= 30, "events are taken again")
    findings = checker.check_all(stack, sending.log)
    every_answer_in_time(findings)
    every_request_answered(findings)
    findings.claim(taken >= 500, f"1 MiB of spool took {taken} events only")
    findings.claim(largest[0] <= BOUND, f"the spool's file had {largest[0]} bytes")
    findings.claim(largest[1] <= LOG_BYTES, f"the spool's log had {largest[1]} bytes")
    findings.notes.update(taken_by_1_MiB=taken, file_bytes=largest[0], log_bytes=largest[1])
    return findings


disk_full = with_disk("full", True)
sync_fails = with_disk("sync-fails", True)

CLAIMS = [
    Claim("spool-disk-full", disk_full, 15, smoke=True),
    Claim("spool-sync-fails", sync_fails, 15),
    Claim("spool-sync-takes-300-ms", with_disk("sync-slow 300", False), 15),
    Claim("spool-sync-takes-6-s", with_disk("sync-slow 6000", True, rounds=1), 30),
    Claim("spool-past-its-bound", bounded, 20),
]
