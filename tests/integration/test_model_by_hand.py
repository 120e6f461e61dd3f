"""The model against expectations worked out by hand from docs/classification.md: the judge is judged first."""

import hashlib
import json

import pytest
from model import Model, Settings, iso
from model_reading import read_reasons
from model_values import e164, fold, micros, read_iso8601, read_time

NOW = 1_774_041_912_000
DROP = "0a1b2c3d4e5f60718293a4b5"
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
SHARED_CODES = {3000: "no_funds", 4008: "spam_detected", 4013: "too_many", 4016: "internal_dnc"}
SHARED_CODES[4017] = "known_litigator"
OTHER_CODES = [3001, 3007, 3014, 3021, 3027, 3028, 3040, 4000, 4001, 4002, 4004, 4005, 4006, 4010, 4011, 4019, 4021]
OTHER_CODES += [3002, 3011, 3012, 3013, 3015, 3016, 3017, 3018, 3019, 3022, 3033]
OTHER_CODES += [6000, 6001, 6002, 6003, 6004, 6005, 6006, 6011]


def after(*copies, separator="/"):
    """The state after bodies, or (body, envelope) pairs."""
    model = Model(Settings(604800, 86400, 100000, separator), NOW)
    for copy in copies:
        body, envelope = copy if isinstance(copy, tuple) else (copy, {})
        model.apply(body if isinstance(body, bytes) else json.dumps(body).encode(), envelope)
    return model


def values(model):
    return {key: value for key, (_, value) in model.state().items()}


def callback(**fields):
    return {"drop_id": DROP, "status": "success", "attempt_date": iso(NOW - 5000), **fields}


def receipt(**fields):
    return {"event": "contact.rvm.receipt", "event_at": NOW, "data": {"drop_id": DROP, "status": "success", **fields}}


def test_one_success_counts_once_and_nowhere_else():
    state = values(after(callback(product_cost=0.099, compliance_fee=0.0029, phone_number="(555) 222-4444")))
    assert state["totals"] == {
        "messages": "1", "success": "1", "product_cost_micros": "99000", "compliance_fee_micros": "2900",
    }  # fmt: skip
    assert state["campaign:unassigned:counters"] == state["totals"]
    assert state["results"] == [
        {"kind": "result", "drop_id": DROP, "phone": "+15552224444", "campaign": "unassigned",
         "outcome": "success", "at": "2026-03-20T21:25:07.000Z"},
    ]  # fmt: skip
    assert state["minute:202603202125"] == {"success": "1"}
    assert "optouts" not in state and "totals:reasons" not in state


def test_every_documented_reason_has_the_slug_of_the_interface():
    reasons = read_reasons()
    by_code = {code: slug for slug, reason in reasons.items() for code in reason.codes}
    for text, slug in TEXTS.items():
        state = values(after(callback(status="failure", reason=f"  {text.upper()} ")))
        assert state["totals:reasons"] == {slug: "1"}
    assert {code: by_code[code] for code in SHARED_CODES} == SHARED_CODES
    assert len({by_code[code] for code in OTHER_CODES}) == len(OTHER_CODES)
    assert len({reason.number for reason in reasons.values()}) == len(reasons)


def test_a_code_decides_over_the_text_and_an_unknown_one_does_not():
    state = values(after(callback(status="failure", reason="Opted out", reason_code=4002)))
    assert state["totals:reasons"] == {"voicemail_full": "1"}
    state = values(after(callback(status="failure", reason="No Funds", reason_code=9999)))
    assert state["totals:reasons"] == {"no_funds": "1"}
    state = values(after(callback(status="failure", reason_code=9999)))
    assert state["totals:reasons"] == {"other": "1"} and state["unknown_reasons"] == {"reason_code 9999": "1"}
    assert values(after(callback(status="failure")))["unknown_reasons"] == {"(none)": "1"}
    state = values(after(callback(status="failure", reason="No Funds", status_code=4002)))
    assert state["totals:reasons"] == {"voicemail_full": "1"}


def test_a_later_failure_takes_the_success_back():
    model = after(callback(product_cost=1), callback(status="failure", reason="No Funds", attempt_date=iso(NOW)))
    state = values(model)
    assert state["totals"] == {"messages": "1", "failure": "1", "revised": "1", "product_cost_micros": "1000000"}
    assert [entry["kind"] for entry in state["results"]] == ["result", "revised"]
    assert state["minute:202603202125"] == {"success": "1"}


def test_an_earlier_failure_changes_nothing_and_is_a_duplicate():
    state = values(after(callback(), callback(status="failure", attempt_date=iso(NOW - 9000))))
    assert state["totals"] == {"messages": "1", "success": "1", "duplicate": "1"}


def test_at_equal_times_failure_wins_and_then_the_lower_slug_number():
    reasons = ("No Funds", "Spam detected")
    copies = [callback(), *(callback(status="failure", reason=reason) for reason in reasons)]
    for order in (copies, copies[::-1]):
        assert values(after(*order))["totals:reasons"] == {"spam_detected": "1"}


def test_a_receipt_only_fills_in_even_when_it_is_later():
    brings = {"foreign_id": "8812", "to": "5552224444", "product_cost": 2, "campaign_id": "c"}
    late = receipt(status="failure", reason_code=4002, **brings)
    state = values(after(callback(), late))
    assert state["totals"] == {"messages": "1", "success": "1", "duplicate": "1", "product_cost_micros": "2000000"}
    assert state["result:8812"] == {
        "outcome": "success", "reason": "", "drop_id": DROP, "phone": "+15552224444", "campaign": "c",
        "at": "2026-03-20T21:25:07.000Z",
    }  # fmt: skip
    assert [entry["kind"] for entry in state["results"]] == ["result", "filled"]


def test_a_better_campaign_moves_the_drop():
    moves = [
        callback(campaign_id="autumn"),
        callback(foreign_id="spring/1"),
        (callback(), {"campaign": "winter"}),
    ]
    state = values(after(*moves))
    assert state["campaign:winter:counters"]["messages"] == "1"
    assert "messages" not in state["campaign:spring:counters"] and "campaign:autumn:counters" not in state
    assert set(state["campaigns"]) == {"autumn", "spring", "winter"}


def test_an_opt_out_stays_when_the_failure_is_taken_back_and_gets_its_phone_later():
    model = after(callback(status="failure", reason="Opted out"), callback(attempt_date=iso(NOW)))
    assert "optouts" not in values(model)
    model.apply(json.dumps(receipt(to="5552224444", campaign_id="spring")).encode(), {})
    state = values(model)
    assert state["optouts"] == {"+15552224444": NOW - 5000}
    assert "campaign:spring:optouts" not in state  # a send was blocked; nobody opted out of spring
    assert state["totals"]["opt_out"] == "1" and "opt_out" not in state["campaign:spring:counters"]
    assert "campaign:unassigned:optouts" not in state and state["totals"]["success"] == "1"


@pytest.mark.parametrize(
    "fields",
    [{"dnc": True}, {"dnc": "TRUE"}, {"dnc": 1}, {"dnc": "yes"}, {"dnc": "1"}, {"status": "failure", "reason_code": 6005},
     {"reason": "internal dnc"}, {"reason_code": 4016}, {"reason": "Opt-out"}, {"reason": "opted_out"}, {"reason": "Opted Out."},
     {"reason": "Internal DNC list"}, {"reason": "STOP"}, {"reason": "Recipient replied STOP"}, {"type": "sms", "dnc": True},
     {"status": "opted_out", "dnc": True}, {"status": "queued", "dnc": True}, {"status": None, "reason_code": 4016},
     {"campaign_session": {"dispo": {"dnc": True}}}],
    ids=str,
)  # fmt: skip
def test_a_result_opts_out_by_flag_code_or_text_whatever_its_status(fields):
    assert list(values(after(callback(to="5552224444", **fields)))["optouts"]) == ["+15552224444"]


@pytest.mark.parametrize(
    "fields",
    [{"dnc": "false"}, {"dnc": 0}, {"dnc": "maybe"}, {"dnc": 2}, {"reason": "Number not opted out"},
     {"reason": "Campaign stopped"}, {"reason": "Message lacks STOP instructions"}, {"reason": "one two three four five six seven opted out"},
     {"reason_code": 6006}],
    ids=str,
)  # fmt: skip
def test_a_result_that_says_no_such_thing_opts_out_nobody(fields):
    state = values(after(callback(to="5552224444", status="failure", **fields)))
    assert "optouts" not in state and state["totals"]["failure"] == "1"


OURS = {"to": "+12125550100"}
WROTE = {"contact_id": "c", "from": "+13125550146", **OURS}
CONTACTS = [
    ("contact.msg.opt_out", WROTE, "+13125550146"),
    ("contact.msg.opt", WROTE, "+13125550146"),
    ("contact.consent.revoked", WROTE, "+13125550146"),
    ("contact.opted_out", {"from": "+13125550146", **OURS}, "+13125550146"),
    ("Contact.Opted-Out ", {"contact": {"phone": "3125550146"}}, "+13125550146"),
    ("contact.unsubscribed", {"mobile_phone": "3125550146"}, "+13125550146"),
    ("contact.opted_out", {"number": 3125550146}, "+13125550146"),
    ("contact.opted_out", OURS, "+12125550100"),
    ("contact.msg.received", {**WROTE, "body": "Stop."}, "+13125550146"),
    ("contact.msg.received", {**WROTE, "body": "please stop"}, None),
    ("contact.sms.optout", WROTE, "+13125550146"),
    ("contact.sms.optout", {"name": "Jane"}, None),
    ("contact.consent.updated", WROTE, None),
]


@pytest.mark.parametrize(("name", "data", "phone"), CONTACTS)
def test_contacts_opt_out_by_the_names_of_their_events(name, data, phone):
    state = values(after({"event": name, "data": data}))
    assert list(state.get("optouts", [])) == ([phone] if phone else [])
    assert state.get("events", {}) == ({} if phone else {name: "1"})


OPTED_IN = [
    ("contact.msg.opt", {**WROTE, "keyword": "START"}),
    ("contact.msg.opt", {**WROTE, "subscribed": True}),
    ("Contact.Msg.Opt_In", WROTE),
    ("contact.opted_in", {"phone": "3125550146"}),
    ("contact.consent.granted", WROTE),
]


@pytest.mark.parametrize(("name", "data"), OPTED_IN)
def test_contacts_opt_in_by_the_names_of_their_events_and_count_as_nothing_else(name, data):
    state = values(after({"event": name, "data": data}))
    assert list(state["optins"]) == ["+13125550146"]
    assert not {"events", "totals", "optouts"} & set(state)


PHONES = {
    "+4791234567": "+4791234567",
    "(312) 555-0161 ext. 22": "+13125550161",
    "0013125550163": "+13125550163",
    "011 44 20 7946 0958": "+442079460958",
    "+44 (0)20 7946 0958": "+442079460958",
    "tel:+1-312-555-0161;ext=3": "+13125550161",
    "3125550161#22": "+13125550161",
    "1 312 555 0161": "+13125550161",
    "1234567": "+1234567",
    "123456": None,
    "1234567890123456": None,
    "02079460958": None,
    "jane2024@example.com": None,
    "Jane 3125550161": None,
}


@pytest.mark.parametrize("text", PHONES)
def test_phones_become_e164(text):
    assert e164(text) == PHONES[text]


@pytest.mark.parametrize(
    "status", ["undelivered", "undeliverable", "rejected", "expired", "blocked", "BUSY", "no-answer", " error"]
)
def test_a_send_fails_in_many_words(status):
    assert values(after(callback(status=status)))["totals"]["failure"] == "1"


@pytest.mark.parametrize(
    ("said", "slug"),
    [
        ({"status": "BUSY"}, "user_busy"),
        ({"status": "no-answer", "reason": "", "reason_code": None}, "no_answer"),
        ({"status": "busy", "reason": "Voicemail full"}, "voicemail_full"),
        ({"status": "busy", "reason": "Moon"}, "other"),
        ({"status": "busy", "reason_code": 4005}, "no_answer"),
        ({"status": "busy", "reason_code": 9999}, "other"),
        ({"status": "expired"}, "other"),
        ({"status": "busy", "reason_code": 0, "reason": " "}, "user_busy"),
        ({"status": "failure", "reason_code": 9999, "status_code": 4002}, "voicemail_full"),
        ({"status": "failure", "reason": "Trial account"}, "trial_account"),
    ],
)
def test_a_status_gives_the_reason_where_nothing_else_does(said, slug):
    assert values(after(callback(**said)))["totals:reasons"] == {slug: "1"}


def test_a_status_on_the_way_is_counted_by_its_word():
    state = values(after(callback(status="Queued"), {"event": "contact.sms.status", "data": {"status": "sent"}}))
    assert state["events"] == {"status:queued": "1", "status:sent": "1"}
    assert state["totals"] == {"unrecognized": "2"}


def test_an_empty_status_is_absent_and_a_flat_callback_of_any_type_is_a_result():
    webhook = {"event": "contact.sms.status", "status": "", "data": {"drop_id": "x1", "status": "failure"}}
    flat = {"type": "sms", "drop_id": "x2", "status": "failure", "phone_number": "5552224444", "dnc": True}
    state = values(after(webhook, flat))
    assert state["totals"]["failure"] == "2" and list(state["optouts"]) == ["+15552224444"]


def test_a_campaign_event_does_not_happen_when_the_campaign_was_made():
    body = {"type": "campaign.paused", "event_at": NOW, "data": {"id": "c", "created_at": NOW - 9_000_000}}
    assert values(after(body))["campaign:c"]["state_at"] == iso(NOW)
    del body["event_at"]
    assert values(after(body))["campaign:c"]["state_at"] == iso(NOW)


def test_a_byte_order_mark_is_passed_over():
    state = values(after(b'\xef\xbb\xbf{"status":"success","drop_id":"a"}'))
    assert state["totals"]["success"] == "1"


def test_folding_leaves_the_words():
    assert fold(" Opt_OUT-of.it! 'STOP' (now) ") == "opt out of it stop now"


def test_an_opt_out_event_keeps_the_earliest_time_and_counts_its_phone_once():
    early = {"type": "contact.opted_out", "event_at": NOW - 9, "data": {"phone": "5552224444"}}
    late = {"type": "contact.opted_out", "event_at": NOW, "data": {"phone": "+1 555 222 4444", "campaign_id": "c"}}
    model = after(late, early, late)
    state = values(model)
    assert state["optouts"] == {"+15552224444": NOW - 9} and state["campaign:c:optouts"] == {"+15552224444": NOW}
    assert state["totals"] == {"opt_out": "1", "duplicate": "1"}
    assert state["minute:202603202125"] == {"opt_out": "1"}


def campaign_event(name, time, **more):
    return {"type": f"campaign.{name}", "timestamp": time, "data": {"id": "c"}, **more}


@pytest.mark.parametrize(
    ("copies", "state", "source"),
    [
        ([campaign_event("scheduled", NOW)], "scheduled", "event"),
        ([campaign_event("stopped", NOW), campaign_event("completed", NOW - 1)], "paused", "event"),
        ([campaign_event("completed", NOW), campaign_event("paused", NOW)], "completed", "event"),
        ([campaign_event("resumed", NOW)], "running", "event"),
        ([callback(campaign_id="c")], "running", "inferred"),
        ([campaign_event("scheduled", NOW - 5000), callback(campaign_id="c")], "scheduled", "event"),
        ([campaign_event("scheduled", NOW - 5001), callback(campaign_id="c")], "running", "inferred"),
        ([campaign_event("paused", NOW - 9000), callback(campaign_id="c")], "paused", "event"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_state_of_a_campaign_follows_its_latest_event(copies, state, source):
    for order in (copies, copies[::-1]):
        hash_ = values(after(*order))["campaign:c"]
        assert (hash_["state"], hash_["state_source"]) == (state, source)


def test_an_opt_in_is_in_its_own_list_only_with_its_latest_time():
    early = {"type": "contact.opted_in", "event_at": NOW - 9, "data": {"phone": "5552224444"}}
    late = {"type": "contact.consent.granted", "event_at": NOW, "data": {"phone": "5552224444", "campaign_id": "c"}}
    nobody = {"type": "contact.msg.opt_in", "data": {"drop_id": DROP}}
    state = values(after(late, early, nobody))
    assert state["optins"] == {"+15552224444": NOW}
    assert not {"events", "totals", "optouts", "campaign:c:counters"} & set(state)


def test_an_event_of_another_name_is_counted_by_it_and_its_data_is_not_a_result():
    body = {"event": "contact.tagged", "status": "success", "drop_id": DROP, "data": {"campaign_id": "c"}}
    state = values(after(body))
    assert state["events"] == {"contact.tagged": "1"}
    assert state["totals"] == {"unrecognized": "1"} == state["campaign:c:counters"]


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"", "invalid_json"), (b"[]", "invalid_json"), (b'{"a":NaN}', "invalid_json"),
        (b'{"s":"\xff"}', "invalid_json"),
        (b"{} {}", "invalid_json"), (b"{}", "unrecognized_shape"), (b'{"status":null}', "unrecognized_shape"),
        (b'{"status":"maybe"}', "unusable_status"), (b'{"status":""}', "unrecognized_shape"),
        (b'{"status":"opted_out","dnc":true}', "unusable_status"),
        (b'{"type":"campaign.paused","data":{"name":"Spring"}}', "campaign_unnamed"),
        (b'{"type":"contact.opted_out","data":{"from":"jane@example.com","to":"5552224444"}}', "optout_without_phone"),
        (b'{"a":[' + b"0," * 9998 + b"0]}", "invalid_json"), (b'{"event":"contact.rvm.status"}', "unusable_status"),
        (b'{"type":"contact.opted_out","data":{"phone":"none"}}', "optout_without_phone"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_rejected_and_changes_nothing(body, slug):
    model = after(body)
    assert [reason for _, _, reason in model.rejected] == [slug]
    assert model.state() == {}


@pytest.mark.parametrize(
    ("campaign_id", "name"),
    [
        ("spring-2026", "spring-2026"), ("a b", "a%20b"), ("ü", "%C3%BC"), ("..", "%2E%2E"), ("a..", "a.."), (7, "7"),
        ("x" * 64, "x" * 64), ("x" * 65, hashlib.sha256(b"x" * 65).hexdigest()[:32]),
        (" " * 22, hashlib.sha256(b" " * 22).hexdigest()[:32]), ("", "unassigned"), (None, "unassigned"),
    ],
)  # fmt: skip
def test_campaign_ids_from_bodies_become_names(campaign_id, name):
    assert list(values(after(callback(campaign_id=campaign_id)))["campaigns"]) == [name]


def test_the_name_of_a_campaign_comes_from_the_first_that_has_one():
    asked = [
        ("winter", {"foreign_id": "part/1", "campaign_id": "id"}, "winter"),
        ("", {"foreign_id": "part/1", "campaign_id": "id"}, "part"),
        ("", {"foreign_id": "part", "campaign_id": "id", "campaign_name": "name"}, "id"),
        ("", {"data": {"campaign": {"id": "of data"}}, "campaign_name": "name"}, "of%20data"),
        ("", {"data": {"campaign": "text"}, "campaign_name": "name"}, "text"),
        ("", {"campaign_name": "name"}, "name"),
    ]
    for url, fields, name in asked:
        assert list(values(after((callback(**fields), {"campaign": url})))["campaigns"]) == [name]


def test_ids_of_letters_of_either_case_are_one_drop_and_other_texts_are_not():
    assert values(after(callback(), callback(drop_id=DROP.upper())))["totals"]["messages"] == "1"
    assert values(after(callback(drop_id="abc"), callback(drop_id="ABC")))["totals"]["messages"] == "2"
    one, other = callback(drop_id="", foreign_id="1"), callback(drop_id=None, foreign_id="2")
    state = values(after(one, other, one))
    assert (state["totals"]["messages"], state["totals"]["duplicate"]) == ("2", "1")
    assert state["result:1"]["drop_id"] == ""


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-03-20T21:25:12Z", NOW), ("2026-03-20 21:25:12", NOW), ("2026-03-20T23:25:12+02:00", NOW),
        ("2026-03-20T16:25:12.1239-0500", NOW + 123), ("2026-03-20", NOW // 86400000 * 86400000), (NOW, NOW),
        ("2026-03-20t21:25:12z", NOW), ("2026-03-20 21:25:12 UTC", NOW), ("2026-03-20T21:24:60Z", NOW - 12000),
        ("2026-03-20T21:24:61Z", None), ("2026-03-20 UTC", None), (NOW // 1000, NOW), (str(NOW), NOW),
        (100_000_000_000, 100_000_000_000), (99_999_999_999, 99_999_999_999_000),
        ("2026-02-30", None), ("yesterday", None), (True, None), (None, None), ("", None),
    ],
)  # fmt: skip
def test_times_are_read(value, ms):
    assert read_time(value) == ms


@pytest.mark.parametrize(
    ("value", "amount"),
    [(0.099, 99000), ("0.0029", 2900), (0, 0), (10**4, 10**10), (10**4 + 0.01, None), (-1, None), ("abc", None),
     (1e300, None), ("0005", None),
     (True, None), (None, None), (0.0000005, 1)],
)  # fmt: skip
def test_money_is_read(value, amount):
    assert micros(value) == amount


def test_absurd_times_give_way_to_the_time_of_receipt():
    for absurd in ("1999-12-31T23:59:59Z", NOW + 86_400_001, 0):
        assert values(after(callback(attempt_date=absurd)))["results"][0]["at"] == iso(NOW)
    assert read_iso8601("1999-12-31T23:59:59.999Z") == 946_684_799_999


def test_of_drops_that_share_a_foreign_id_the_latest_is_shown():
    early = callback(drop_id="a", foreign_id="8812", attempt_date=iso(NOW - 9))
    late = callback(drop_id="b", foreign_id="8812", attempt_date=iso(NOW))
    for order in ((early, late), (late, early)):
        assert values(after(*order))["result:8812"]["drop_id"] == "b"
