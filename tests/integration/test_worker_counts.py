"""A real worker over real servers: what each documented event counts as. The model test covers the combinations."""

import hashlib
import json
import re
import time

import pytest
import servers
from events import callback, counters, developer, drop_id, failure, guide, message, optouts, reasons, state, text_of

TEXTS = {
    "Invalid message": "invalid_message",
    "Spam detected": "spam_detected",
    "Invalid caller ID or not SMS enabled": "invalid_caller_id",
    "No Funds": "no_funds",
    "Known Litigator": "known_litigator",
    "Prohibited by carrier or not SMS enabled": "prohibited_by_carrier",
    "Message too long": "message_too_long",
    "Opted out": "opted_out",
    "Internal DNC": "internal_dnc",
    "Temporarily unreachable": "temporarily_unreachable",
    "Too Many": "too_many",
    "Unregistered Brand": "unregistered_brand",
    "No Caller ID": "no_caller_id",
    "TTS too long": "tts_body_too_long",
    "Not authorized": "not_authorized",
    "Audio file not valid": "audio_not_usable",
    "Not allowed audio_url": "audio_url_not_allowed",
    "Idempotency Key Conflict": "idempotency_key_reused",
}
SHARED_CODES = {3000: "no_funds", 4008: "spam_detected", 4013: "too_many", 4016: "internal_dnc", 4017: "known_litigator"}
OTHER_CODES = [3001, 3002, 3007, 3011, 3012, 3013, 3014, 3015, 3016, 3017, 3018, 3019, 3021, 3022, 3027, 3028, 3033, 3040,
               4000, 4001, 4002, 4004, 4005, 4006, 4010, 4011, 4019, 4021,
               6000, 6001, 6002, 6003, 6004, 6005, 6006, 6011]


@pytest.fixture
def feed(counting):
    """feed(message, …) publishes to the worker and waits until all are acknowledged; the counters start at nothing."""
    counting.redis.flushdb()

    def consumed():
        return counting.worker.metrics()["dropworker_consumed_total"]

    def publish(*messages):
        expected = consumed() + len(messages)
        for body, properties in messages:
            counting.publish(body, properties)
        servers.wait_until(lambda: consumed() >= expected, lambda: counting.worker.stderr[-2000:])
        return counting.redis

    return publish


@pytest.mark.parametrize("text", TEXTS)
def test_the_documented_reason_counts_under_its_slug(feed, text):
    redis = feed(message(failure(text), "spring"))
    for campaign in (None, "spring"):
        assert reasons(redis, campaign) == {TEXTS[text]: 1}
        found = counters(redis, campaign)
        assert (found["messages"], found["failure"], found.get("success", 0)) == (1, 1, 0)


@pytest.mark.parametrize("text", ["  oPTED\tOUT ", "temporarily   UNREACHABLE", "NO FUNDS", "too many", "too_many", "No-Funds."])
def test_case_and_spaces_of_a_reason_do_not_matter(feed, text):
    folded = " ".join(re.split(r"[\s_.-]+", text.strip(" ."))).lower()
    expected = {key.lower(): slug for key, slug in TEXTS.items()}[folded]
    assert reasons(feed(message(failure(text)))) == {expected: 1}


@pytest.mark.parametrize("code", SHARED_CODES)
def test_the_code_of_the_same_meaning_has_the_same_slug(feed, code):
    body = developer("contact.sms.status", status="failure", reason="Something else", reason_code=code, drop_id=drop_id())
    assert reasons(feed(message(body, kind="webhook"))) == {SHARED_CODES[code]: 1}


def test_every_other_documented_code_has_a_slug_of_its_own(feed):
    redis = feed(*[
        message(developer("contact.rvm.status", status="failure", reason="?", reason_code=code, drop_id=drop_id()), kind="webhook")
        for code in OTHER_CODES
    ])
    found = reasons(redis)
    assert "other" not in found
    assert len(found) == len(OTHER_CODES) and set(found.values()) == {1}
    assert {"voicemail_full", "opt_in_revoked"} <= set(found)
    assert not redis.exists("dc:unknown_reasons")


UNKNOWN_REASONS = [
    ("a text of its own", {"reason": "Moon in the way"}, "Moon in the way"),
    ("a code of its own beside a text", {"reason": "Moon in the way", "reason_code": 9999}, "Moon in the way"),
    ("a code of its own without a text", {"reason": "", "reason_code": 9999}, "reason_code 9999"),
    ("nothing at all", {"reason": ""}, "(none)"),
    ("10 kB of text", {"reason": "x" * 10000}, "x" * 128),
    ("characters cut between two bytes", {"reason": "x" * 127 + "é"}, "x" * 127),
]


@pytest.mark.parametrize(("more", "listed"), [one[1:] for one in UNKNOWN_REASONS], ids=[one[0] for one in UNKNOWN_REASONS])
def test_an_unknown_reason_counts_as_other_and_is_listed(feed, more, listed):
    redis = feed(message({**failure(""), **more}))
    assert reasons(redis) == {"other": 1}
    assert text_of(redis.hgetall("dc:unknown_reasons")) == {listed: "1"}


def test_a_success_counts_costs_and_is_found_by_its_foreign_id(feed):
    body = callback(product_cost=0.04, compliance_fee="0.0025", tts_fee=0.01, foreign_id="order-1", drop_id="A" * 24)
    redis = feed(message(body, "spring"))
    for campaign in (None, "spring"):
        assert counters(redis, campaign) == {
            "messages": 1, "success": 1, "product_cost_micros": 40000, "compliance_fee_micros": 2500, "tts_fee_micros": 10000,
        }
    assert json.loads(redis.get("dc:result:order-1")) == {
        "outcome": "success", "reason": "", "drop_id": "a" * 24, "phone": "+12065550150", "campaign": "spring",
        "at": "2025-06-15T18:00:00.000Z",
    }
    assert 0 < redis.ttl("dc:result:order-1") <= 86400
    assert redis.get("dc:schema") == b"2"
    ((_, entry),) = redis.xrange("dc:results")
    assert json.loads(entry[b"result"])["foreign_id"] == "order-1"
    (minute,) = redis.keys("dc:minute:*")
    assert text_of(redis.hgetall(minute)) == {"success": "1"}


def test_one_drop_told_by_callback_status_and_receipt_counts_once(feed):
    drop, phone = drop_id(), "+12065550160"
    told = callback(drop_id=drop, phone_number=phone, product_cost=0.04)
    status = developer("contact.sms.status", status="success", reason_code=0, drop_id=drop, to=phone)
    receipt = developer("contact.sms.receipt", status="success", reason_code=0, drop_id=drop.upper(), to=phone)
    redis = feed(message(status, kind="webhook"), message(told, "spring"), message(receipt, kind="webhook"), message(told, "spring"))
    found = counters(redis)
    assert (found["messages"], found["success"], found["duplicate"]) == (1, 1, 3)
    assert found["product_cost_micros"] == 40000
    assert counters(redis, "spring")["messages"] == 1
    assert counters(redis, "unassigned").get("messages", 0) == 0


def test_a_later_result_revises_the_earlier_and_takes_its_counts_back(feed):
    drop = drop_id()
    first = failure("Temporarily unreachable", drop_id=drop, attempt_date="2025-06-15T18:00:00Z")
    second = callback(drop_id=drop, attempt_date="2025-06-15T18:05:00Z")
    redis = feed(message(first, "spring"), message(second, "spring"))
    for campaign in (None, "spring"):
        found = counters(redis, campaign)
        assert found["messages"] == found["success"] == found["revised"] == 1
        assert "failure" not in found
        assert reasons(redis, campaign) == {}


OPT_OUTS = [
    ("the opt-out event", guide("contact.opted_out", phone="+12065550170")),
    ("a phone of ten digits", guide("contact.opted_out", phone="(206) 555-0170")),
    ("a phone inside a contact", guide("contact.opted_out", contact={"main_phone": "+1 206 555 0170"})),
    ("the code of a revoked opt-in", failure("", phone_number="+12065550170", reason_code=6005)),
    ("the flag dnc on a success", callback(phone_number="+12065550170", dnc=True)),
    ("the flag dnc as a text", callback(phone_number="+12065550170", dnc="TRUE")),
    ("the flag dnc as a number", callback(phone_number="+12065550170", dnc=1)),
    ("the flag dnc beside a status of no use", callback("opted_out", phone_number="+12065550170", dnc=True)),
    ("the flag dnc of a callback of another type", failure("", type="sms", phone_number="+12065550170", dnc="yes")),
    ("the flag dnc inside a receipt",
     developer("contact.sms.receipt", status="success", to="+12065550170", campaign_session={"dispo": {"dnc": True}})),
    ("an opt-out from the contact to our number", guide("contact.opted_out", **{"from": "+12065550170", "to": "+12125550100"})),
    ("an opt-out of the developer API", developer("contact.msg.opt_out", **{"from": "+12065550170", "to": "+12125550100"})),
    ("a subscription that ended", developer("contact.msg.opt", **{"from": "+12065550170", "to": "+12125550100"})),
    ("a consent that was revoked", developer("contact.consent.revoked", **{"from": "+12065550170", "to": "+12125550100"})),
    ("a text of STOP", developer("contact.msg.received", **{"from": "+12065550170", "to": "+12125550100", "body": "Stop."})),
    ("a name that only sounds like it", developer("contact.sms.optout", contact={"mobile_phone": "(206) 555-0170 ext. 22"})),
]

# Somebody had opted out before: the campaign only did not reach them.
BLOCKED = [
    ("the reason Opted out", failure("Opted out", phone_number="+12065550170")),
    ("the reason Opted out beside the flag dnc", failure("Opted out", phone_number="+12065550170", dnc=True)),
    ("the reason Internal DNC", failure("Internal DNC", phone_number="+12065550170")),
    ("the code of Internal DNC", failure("", phone_number="+12065550170", reason_code=4016)),
    ("the code of Internal DNC without a status", developer("contact.sms.status", reason_code=4016, to="+12065550170")),
    ("the code as status_code", failure("", phone_number="+12065550170", status_code=4016)),
    ("the reason Opt-out", failure("Opt-out", phone_number="+12065550170")),
    ("the reason STOP", failure("STOP", phone_number="+12065550170")),
    ("the reason Internal DNC list", failure("Internal DNC list", phone_number="+12065550170")),
]


@pytest.mark.parametrize("body", [one[1] for one in OPT_OUTS], ids=[one[0] for one in OPT_OUTS])
def test_takes_the_phone_off_the_list_by(feed, body):
    redis = feed(message(body, "spring"))
    assert list(optouts(redis)) == list(optouts(redis, "spring")) == ["+12065550170"]
    assert counters(redis)["opt_out"] == counters(redis, "spring")["opt_out"] == 1


@pytest.mark.parametrize("body", [one[1] for one in BLOCKED], ids=[one[0] for one in BLOCKED])
def test_a_send_that_was_blocked_is_no_opt_out_of_its_campaign(feed, body):
    redis = feed(message(body, "spring"))
    assert list(optouts(redis)) == ["+12065550170"] and counters(redis)["opt_out"] == 1
    assert optouts(redis, "spring") == {} and "opt_out" not in counters(redis, "spring")


def test_five_blocked_sends_list_five_numbers_and_none_for_the_campaign(feed):
    redis = feed(*[message(failure("Internal DNC", phone_number=f"+1206555017{n}"), "spring") for n in range(5)])
    assert len(optouts(redis)) == 5 == counters(redis)["opt_out"]
    assert optouts(redis, "spring") == {} and "opt_out" not in counters(redis, "spring")


def test_an_opt_out_that_names_a_drop_is_listed_when_the_callback_brings_the_phone(feed):
    drop = drop_id()
    named = guide("contact.opted_out", drop_id=drop, timestamp="2025-06-15T18:00:00Z")
    redis = feed(message(named))
    assert optouts(redis) == {} and "messages" not in counters(redis)
    redis = feed(message(callback(drop_id=drop, phone_number="+12065550170"), "spring"),
                 message(named))
    assert optouts(redis) == optouts(redis, "spring") == {"+12065550170": 1750010400000}
    assert counters(redis)["messages"] == 1


def test_who_opted_in_again_is_noted_and_stays_listed(feed):
    redis = feed(
        message(guide("contact.opted_out", phone="2065550170", timestamp="2025-06-15T18:00:00Z"), "spring"),
        message(guide("contact.opted_in", phone="2065550170", timestamp="2025-06-15T18:01:00Z"), "spring"),
    )
    assert redis.zrange("dc:optins", 0, -1, withscores=True) == [(b"+12065550170", 1750010460000)]
    assert list(optouts(redis)) == ["+12065550170"]
    assert counters(redis) == {"opt_out": 1} and not redis.exists("dc:events")


def test_a_day_keeps_what_was_first_counted_on_it(feed):
    redis = feed(message(callback(product_cost=0.04, compliance_fee=0.0025), "spring"), message(failure("No Funds"), "spring"),
                 message(guide("contact.opted_out", phone="2065550170"), "spring"))
    (key,) = redis.keys("dc:campaign:spring:day:*")
    assert text_of(redis.hgetall(key)) == {"success": "1", "failure": "1", "opt_out": "1", "cost_micros": "42500"}
    assert 61 * 86400 < redis.ttl(key) <= 62 * 86400


def test_two_names_of_one_drop_are_a_link(feed):
    drop = drop_id()
    status = developer("contact.sms.status", status="success", drop_id=drop, campaign_id="V")
    redis = feed(message(callback(drop_id=drop), "spring"), message(status, kind="webhook"), message(status, kind="webhook"))
    assert text_of(redis.hgetall("dc:campaign_links")) == {"spring|V": "1"}


def test_what_has_no_campaign_has_no_state(feed):
    redis = feed(message(callback()))
    assert "state" not in text_of(redis.hgetall("dc:campaign:unassigned"))


def test_an_opted_out_phone_counts_once_with_its_earliest_time(feed):
    redis = feed(*[
        message(guide("contact.opted_out", phone="2065550171", timestamp=f"2025-06-15T18:0{minute}:00Z"), "spring")
        for minute in (3, 1, 2)
    ])
    assert optouts(redis) == {"+12065550171": 1750010460000}
    assert counters(redis)["opt_out"] == 1


def test_an_opt_out_stays_when_the_result_is_revised(feed):
    drop = drop_id()
    redis = feed(
        message(failure("Opted out", drop_id=drop), "spring"),
        message(callback(drop_id=drop, attempt_date="2025-06-16T00:00:00Z"), "spring"),
    )
    assert counters(redis)["success"] == counters(redis)["opt_out"] == 1


STATES = [
    ("campaign.scheduled", "scheduled"),
    ("campaign.paused", "paused"),
    ("campaign.stopped", "paused"),
    ("campaign.started", "running"),
    ("campaign.resumed", "running"),
    ("campaign.completed", "completed"),
]


@pytest.mark.parametrize(("kind", "expected"), STATES, ids=[one[0] for one in STATES])
@pytest.mark.parametrize("field", ["campaign_id", "id"])
def test_a_campaign_event_sets_the_state(feed, kind, expected, field):
    redis = feed(message(guide(kind, timestamp="2025-06-15T18:00:00Z", **{field: "summer"}), kind="webhook"))
    public = {
        "state": expected, "state_source": "event", "state_at": "2025-06-15T18:00:00.000Z",
        "first_event_at": "2025-06-15T18:00:00.000Z", "last_event_at": "2025-06-15T18:00:00.000Z",
    }
    assert {field: value for field, value in state(redis, "summer").items() if field in public} == public
    assert redis.zrange("dc:campaigns", 0, -1, withscores=True) == [(b"summer", 1750010400000.0)]


def test_the_latest_campaign_event_wins_in_any_order(feed):
    def told(kind, minute):
        return message(guide(kind, campaign_id="summer", timestamp=f"2025-06-15T18:{minute}:00Z"), kind="webhook")

    redis = feed(told("campaign.completed", "30"), told("campaign.scheduled", "10"), told("campaign.paused", "20"))
    assert state(redis, "summer")["state"] == "completed"


def test_results_let_a_campaign_run(feed):
    redis = feed(message(callback(attempt_date="2025-06-15T18:00:00Z"), "summer"))
    assert (state(redis, "summer")["state"], state(redis, "summer")["state_source"]) == ("running", "inferred")


CAMPAIGNS = [
    ("the URL before the body", "from-url", {"campaign_id": "from-body"}, "from-url"),
    ("the body", None, {"campaign_id": "from-body"}, "from-body"),
    ("a number", None, {"campaign_id": 1234}, "1234"),
    ("a text in data", None, {"data": {"campaign": "from-data"}}, "from-data"),
    ("a name without an id", None, {"campaign_name": "Spring sale"}, "Spring%20sale"),
    ("an object in data", None, {"data": {"campaign": {"id": "from-data"}}}, "from-data"),
    ("nothing", None, {"campaign_id": None}, "unassigned"),
    ("spaces, slashes and UTF-8", None, {"campaign_id": "a b/é"}, "a%20b%2F%C3%A9"),
    ("two dots", None, {"campaign_id": ".."}, "%2E%2E"),
    ("65 characters", None, {"campaign_id": "c" * 65}, hashlib.sha256(b"c" * 65).hexdigest()[:32]),
]


@pytest.mark.parametrize(("url", "more", "expected"), [one[1:] for one in CAMPAIGNS], ids=[one[0] for one in CAMPAIGNS])
def test_the_campaign_comes_from(feed, url, more, expected):
    redis = feed(message({**callback(), **more}, url))
    assert [name.decode() for name in redis.zrange("dc:campaigns", 0, -1)] == [expected]
    assert counters(redis, expected)["messages"] == 1


NOBODY = [
    ("a reason that denies it", failure("Number not opted out", phone_number="+12065550170")),
    ("a campaign that stopped", failure("Campaign stopped", phone_number="+12065550170")),
    ("a missing instruction", failure("Message lacks STOP instructions", phone_number="+12065550170")),
    ("the flag dnc as a text of false", callback(phone_number="+12065550170", dnc="false")),
    ("a subscription that began", developer("contact.msg.opt", action="opt_in", **{"from": "+12065550170"})),
    ("a consent that was granted", developer("contact.consent.granted", **{"from": "+12065550170"})),
    ("a text of something else", developer("contact.msg.received", body="please stop by", **{"from": "+12065550170"})),
]


@pytest.mark.parametrize("body", [one[1] for one in NOBODY], ids=[one[0] for one in NOBODY])
def test_takes_nobody_off_the_list_by(feed, body):
    redis = feed(message(body, "spring"))
    assert optouts(redis) == {} and "opt_out" not in counters(redis)


STATUSES = [("undelivered", "failure"), ("BUSY", "failure"), ("no-answer", "failure"), ("expired", "failure"),
            (" Delivered", "success")]


@pytest.mark.parametrize(("status", "counted"), STATUSES)
def test_a_status_of_many_words_counts_as(feed, status, counted):
    assert counters(feed(message(callback(status))))[counted] == 1


def test_a_status_on_the_way_counts_no_send(feed):
    redis = feed(message(callback("queued")), message(developer("contact.sms.status", status="Sent"), kind="webhook"))
    assert text_of(redis.hgetall("dc:events")) == {"status:queued": "1", "status:sent": "1"}
    assert counters(redis) == {"unrecognized": 2}


def test_a_byte_order_mark_is_passed_over(feed):
    body, properties = message(callback())
    assert counters(feed((b"\xef\xbb\xbf" + body, properties)))["success"] == 1


def test_a_campaign_event_does_not_happen_when_the_campaign_was_made(feed):
    body = developer("campaign.paused", "2025-06-15T18:00:00Z", id="summer", created_at="2025-01-01T00:00:00Z")
    assert state(feed(message(body, kind="webhook")), "summer")["state_at"] == "2025-06-15T18:00:00.000Z"


OTHERS = ["contact.message.received", "contact.tag.added", "campaign.renamed", "something.new", "contact..", "x" * 200]


@pytest.mark.parametrize("name", OTHERS, ids=lambda name: name[:30])
def test_an_unknown_event_is_counted_and_stops_nothing(feed, name):
    redis = feed(
        message(guide(name, status="success", drop_id=drop_id(), phone="+12065550180", dnc=True), kind="webhook"),
        message(callback(), "spring"),
    )
    assert text_of(redis.hgetall("dc:events")) == {name[:128]: "1"}
    assert counters(redis)["unrecognized"] == 1
    assert counters(redis)["messages"] == 1
    assert optouts(redis) == {}


HOSTILE = [
    ("money that is none", callback(product_cost="abc", compliance_fee=-1, tts_fee=1e9)),
    ("money beyond every range", b'{"status":"success","product_cost":1e999,"drop_id":"m"}'),
    ("a date in the year 9999", callback(attempt_date="9999-12-31T23:59:59Z")),
    ("a date in the year 0", callback(attempt_date="0000-01-01T00:00:00Z")),
    ("the 30th of February", callback(attempt_date="2025-02-30T00:00:00Z")),
    ("a date that is an object", callback(attempt_date={"year": 2025})),
    ("a NUL in its foreign_id", callback(foreign_id="a\u0000b")),
    ("a foreign_id of 5 kB", callback(foreign_id="f" * 5000)),
    ("no id at all", {"status": "success"}),
    ("an id of 5 kB", callback(drop_id="d" * 5000)),
    ("duplicate keys, of which the last counts", b'{"status":"failure","status":"success","drop_id":"k"}'),
    ("a phone without digits", callback(phone_number="anonymous")),
    ("a lone surrogate", b'{"status":"success","drop_id":"s","foreign_id":"\\ud800"}'),
    ("data that is an array", {**callback(), "data": [1, 2]}),
]


@pytest.mark.parametrize("body", [one[1] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_counts_a_result_with(feed, body):
    redis = feed(message(body, "spring"))
    found = counters(redis)
    assert found["messages"] == found["success"] == 1
    assert all(found.get(name, 0) == 0 for name in ("product_cost_micros", "compliance_fee_micros", "tts_fee_micros"))
    (last,) = [score for _, score in redis.zrange("dc:campaigns", 0, -1, withscores=True)]
    assert 946684800000 <= last <= (time.time() + 86400) * 1000


def test_a_message_of_another_program_without_our_headers_is_counted(feed):
    body, _ = message(callback())
    redis = feed((body, None))
    assert counters(redis)["messages"] == 1
