"""Queues, bindings and exchanges taken away under load: made again by the programs, everything meanwhile is kept."""

import time

import checker
import claims_counting
import pika
import sender
import servers
import traffic
from suite import Claim, every_answer_good, load, spooled, unless_taken_away, wait_for_answers, wait_for_drain

CHECKED_SECONDS = 25.0  # an idle bridge looks every 10 s: one that does not has not by then


def unbound(stack, size):
    stack.start_bridge()
    stack.start_workers()
    queue, exchange = stack.names["AMQP_QUEUE"], stack.names["AMQP_EXCHANGE"]
    with load(stack) as sending:
        for _ in range(2):
            wait_for_answers(sending, 100)
            with stack.channel() as channel:
                channel.queue_unbind(queue, exchange, queue)
            wait_for_answers(sending, 200)
            wait_for_drain(stack)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    findings.notes["returned"] = stack.bridge.metrics()["dropbridge_returned_total"]
    return findings


def queue_deleted(stack, size):
    """Deleted when it is empty (its messages would go with it); traffic goes on at once."""
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        wait_for_answers(sending, 100)
        sending.pause()
        stack.wait_for_rest()
        with stack.channel() as channel:
            channel.queue_delete(stack.names["AMQP_QUEUE"])
        sending.resume()
        wait_for_answers(sending, 300)
        servers.wait_until(lambda: stack.depth() is not None, "the queue is declared again")
        wait_for_drain(stack)
        wait_for_answers(sending, 50)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def exchange_deleted(stack, size):
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        wait_for_answers(sending, 100)
        with stack.channel() as channel:
            channel.exchange_delete(stack.names["AMQP_EXCHANGE"])
        wait_for_answers(sending, 300)
        wait_for_drain(stack)
        wait_for_answers(sending, 50)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def queue_full(stack, size):
    """The queue takes 50 messages by policy and nobody consumes: the broker refuses, the spool takes."""
    stack.start_bridge()
    with stack.policy('{"max-length":50}'), load(stack) as sending:
        wait_for_answers(sending, 300)
        time.sleep(1.0)
        wait_for_answers(sending, 100)
    kept = spooled(stack)
    stack.start_workers()
    with load(stack) as more:
        wait_for_drain(stack)
        wait_for_answers(more, 50)
    findings = checker.check_all(stack, sending.log + more.log)
    every_answer_good(findings)
    findings.claim(kept > 0, "nothing went to the spool: the queue was not full")
    return findings


def routed(stack, event):
    """Publishes the event as another bridge would; whether a queue took it."""
    with stack.channel() as channel:
        channel.confirm_delivery()
        try:
            channel.basic_publish(stack.names["AMQP_EXCHANGE"], stack.names["AMQP_QUEUE"], event.body,
                                  claims_counting.published(event), mandatory=True)
        except pika.exceptions.UnroutableError:
            return False
    return True


def unbound_while_idle(stack, size):
    """Nobody sends anything that could come back: the bridge looks by itself."""
    stack.start_bridge()
    queue = stack.names["AMQP_QUEUE"]
    with stack.channel() as channel:
        channel.queue_unbind(queue, stack.names["AMQP_EXCHANGE"], queue)
    event, bound, began = next(traffic.Traffic(1)), True, time.monotonic()
    try:
        servers.wait_until(lambda: routed(stack, event), within=unless_taken_away(stack, CHECKED_SECONDS))
    except AssertionError:
        bound = False
    took = time.monotonic() - began
    stack.start_workers()
    findings = checker.check_all(stack, [sender.Sent(event, 0.0, status=200)] if bound else [])
    findings.claim(bound, "the queue was not bound again")
    findings.notes.update(bound_again=bound, after_seconds=round(took, 1))
    return findings


def made_anew_as_classic(stack, size):
    """A queue that no quorum holds is none for us: what is answered 200 is in the spool until it is gone."""
    stack.start_bridge()
    queue = stack.names["AMQP_QUEUE"]
    with stack.channel() as channel:
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, stack.names["AMQP_EXCHANGE"], queue)
    servers.wait_until(lambda: stack.bridge.readyz()[1]["broker"] != "connected", "the bridge noticed")
    with load(stack) as sending:
        wait_for_answers(sending, 200)
    taken = stack.depth()
    with stack.channel() as channel:
        channel.queue_delete(queue)
    stack.start_workers(wait=False)
    wait_for_drain(stack)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    findings.claim(taken == 0, f"{taken} messages went to a queue that is no quorum queue")
    return findings


CLAIMS = [
    Claim("queue-unbound", unbound, 25, smoke=True),
    Claim("queue-deleted", queue_deleted, 25),
    Claim("exchange-deleted", exchange_deleted, 20),
    Claim("queue-full", queue_full, 20),
    Claim("queue-unbound-while-idle", unbound_while_idle, 20),
    Claim("queue-made-anew-as-classic", made_anew_as_classic, 25),
]
