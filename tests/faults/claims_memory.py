"""Redis loses what it held, or learns that two campaigns are one, while events come in. What is right then is written in
docs/correctness.md, "A Redis that has lost what it held" and "An alias while events come in"."""

import dataclasses
import itertools
import os
import shutil
import subprocess
import time

import checker
import claims_counting
import model_harness
import sender
import servers
import traffic
from claims_kill import pause_somewhere
from suite import POISON, Claim, every_answer_good, load, wait_for_answers

WORKERS = 3
KILLS_A_ROUND = 5  # of size.kills
RATE = 100
NAMED = 4  # campaigns that come up together
APPEND_ONLY = "appendonlydir"


class Memory:
    """Which events Redis must hold still: those that it was seen to hold, and those sent since it lost any."""

    def __init__(self):
        self.lost_at = 0.0
        self.seen = set()  # bodies

    def look(self, client, log):
        """Which of those that it is not known to hold it holds now."""
        events = [event for event, _ in checker.distinct_events(log) if event.body not in self.seen]
        held = checker.Held(client, [(event, True) for event in events])
        self.seen.update(event.body for event in events if held.has(event))

    def must_hold(self, sent):
        return sent.acknowledged and (sent.began > self.lost_at or sent.event.body in self.seen)


# ---- what is lost ----


def flushed(stack, memory, sending, events):
    """What was counted is gone; what comes from now on has its campaigns' numbers anew."""
    stack.redis.client.flushall()
    memory.lost_at = time.monotonic()


def restored(stack, memory, sending, events):
    """Redis has again what its file held a moment ago; the campaigns that came up since have no number there."""
    memory.look(stack.redis.client, list(sending.log))
    folder, backup = stack.redis.folder / APPEND_ONLY, stack.folder / "backup"
    shutil.rmtree(backup, ignore_errors=True)
    shutil.copytree(folder, backup)
    events.campaigns = new_campaigns()
    wait_until_each_counted(stack)
    pause_somewhere(stack)
    stack.redis.kill()
    memory.lost_at = time.monotonic()
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    stack.redis.start()


def new_campaigns(numbers=itertools.count(1)):
    made = next(numbers)
    return [f"late-{made}-{letter}" for letter in "abcdefgh"[:NAMED]]


def wait_until_each_counted(stack):
    """Each worker has written under what it knows."""
    def counted():
        return [worker.metrics()["dropworker_counted_total"] for worker in stack.workers]

    before = counted()
    servers.wait_until(lambda: all(now > was for was, now in zip(before, counted())), "each worker counts")


# ---- the claims ----


def under_loss(lose, told):
    """A claim: `lose` happens again and again; `told`: each worker says so each time."""

    def run(stack, size):
        memory = Memory()
        stack.start_bridge()
        stack.start_workers(WORKERS)
        rounds, problems = max(2, size.kills // KILLS_A_ROUND), []
        events = traffic.Traffic(stack.rng.getrandbits(32), POISON)
        with load(stack, RATE, events=events) as sending:
            for number in range(1, rounds + 1):
                events.campaigns = new_campaigns()
                wait_until_each_counted(stack)
                pause_somewhere(stack)
                lose(stack, memory, sending, events)
                wait_until_each_counted(stack)
                problems += broken_at_this_moment(stack)
                problems += unsaid(stack, number if told else 0)
        return judge(stack, memory, sending.log, problems)

    return run


def broken_at_this_moment(stack):
    """One script reads all of it."""
    dump = stack.redis.client.eval(model_harness.DUMP, 0, checker.PREFIX)
    return model_harness.broken_invariants(model_harness.keys_of(dump)[0])


def unsaid(stack, times):
    """Each worker has said so often that Redis was emptied."""
    def said():
        return [worker.metrics()["dropworker_redis_emptied_total"] for worker in stack.workers]

    servers.wait_until(lambda: min(said()) >= times, lambda: f"every worker says that Redis was emptied: {said()}, not {times}")
    named = all(("redis_emptied" in worker.readyz()[1]) == (times > 0) for worker in stack.workers)
    return [] if max(said()) == times and named else [f"Redis was emptied {times} times; the workers say {said()}"]


def judge(stack, memory, log, problems):
    """First what is left, then that it is all there once the vendor has told all of it again, and of some drops more."""
    stack.wait_for_rest()
    left = checker.Findings(problems=problems)
    checker.check_events(left, stack.redis.client, log, memory.must_hold)
    told = checker.distinct_events(log)
    gone = len(checker.missing(stack.redis.client, told))
    findings = told_again(stack, log)
    take_over_first(findings, left)
    every_answer_good(findings)
    findings.claim(gone > 0, "nothing was lost: this was no test")
    findings.claim(len(stack.started) == 1 + WORKERS, "a worker ended")
    findings.notes["gone"] = gone
    return findings


def take_over_first(findings, before):
    findings.lost, findings.doubled = findings.lost + before.lost, findings.doubled + before.doubled
    findings.problems = [f"before all was told again: {problem}" for problem in before.problems] + findings.problems


def told_again(stack, log, aliases=None):
    """Published without a bridge, which may know bytes that it has answered. `aliases`: the name of each."""
    events = [event for event, _ in checker.distinct_events(log)]
    latest = {event.body: traffic.revised(event) or event for event in events}
    copies = {copy.body: copy for event in events for copy in (event, latest[event.body])}
    messages = [(copy.body, claims_counting.published(copy)) for copy in copies.values()]
    stack.rng.shuffle(messages)
    claims_counting.publish_all(stack, messages)
    log = [dataclasses.replace(sent, event=latest.get(sent.event.body, sent.event)) for sent in log]
    again = [sender.Sent(event, time.monotonic(), status=200) for event in latest.values()]
    aliases = aliases or {}
    findings = checker.check_all(stack, [renamed(sent, aliases) for sent in log + again], aliases)
    findings.notes["revised"] = sum(1 for event in latest.values() if event.earlier)
    return findings


def campaign_aliased(stack, size):
    """Again and again of campaigns that come up together one is said to be another, and that to be a third. All is as if
    they had been one from the beginning, and stays so when all is told again by the names of before."""
    stack.start_bridge()
    stack.start_workers(WORKERS)
    aliases, problems = {}, []
    events = traffic.Traffic(stack.rng.getrandbits(32), POISON)
    with load(stack, RATE, events=events) as sending:
        for _ in range(max(2, size.kills // KILLS_A_ROUND)):
            events.campaigns = new_campaigns()
            first, second, third = events.campaigns[:3]
            wait_until_each_counted(stack)
            for other, name in ((first, second), (second, third)):
                pause_somewhere(stack)
                make_alias(stack, other, name)
                aliases.update({first: name, other: name})
            wait_until_each_counted(stack)
            problems += broken_at_this_moment(stack)
    stack.wait_for_rest()
    client, before = stack.redis.client, checker.Findings(problems=problems)
    checker.check_events(before, client, [renamed(sent, aliases) for sent in sending.log], aliases=aliases)
    findings = told_again(stack, sending.log, aliases)
    take_over_first(findings, before)
    every_answer_good(findings)
    findings.claim(len(stack.started) == 1 + WORKERS, "a worker ended")
    return findings


def make_alias(stack, other, name):
    environment = {**os.environ, "REDIS_URL": stack.redis.url}
    command = [stack.dropctl, "campaigns", "alias", other, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"dropctl campaigns alias {other} {name}: {done.returncode} {done.stderr}"


def renamed(sent, aliases):
    """As if it had been sent for the campaign that its own is an alias of."""
    def of(event):
        name = aliases.get(event.campaign, event.campaign)
        return dataclasses.replace(event, campaign=name, earlier=tuple(map(of, event.earlier)))

    return dataclasses.replace(sent, event=of(sent.event))


redis_flushed = under_loss(flushed, told=True)
redis_restored = under_loss(restored, told=False)
CLAIMS = [
    Claim("redis-flushed", redis_flushed, 25),
    Claim("redis-restored-older-backup", redis_restored, 30),
    Claim("campaign-aliased", campaign_aliased, 25),
]
