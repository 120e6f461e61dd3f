"""Random sequences of copies from a seed: few drops and campaigns, so that everything meets everything.

A sequence stays where the documents define one answer: no more than 8 phones and 8 campaigns a drop, equal names and
campaigns for equal event ids of events that are not interpreted.
"""

import contextlib
import datetime
import json
import random
import uuid
from collections import namedtuple

from model import Settings
from model_reading import UNASSIGNED, Reader, read_reasons
from model_values import Rejected

NOW = 1_774_041_912_000  # 2026-03-20T21:25:12Z
Sequence = namedtuple("Sequence", "seed settings batch copies")  # copies: [(body, envelope)]

REASON_TEXTS = [
    "", "Invalid message", "Spam detected", "Invalid caller ID or not SMS enabled", "No Funds", "Known Litigator",
    "Prohibited by carrier or not SMS enabled", "Message too long", "Opted out", "Internal DNC",
    "Temporarily unreachable", "Too Many", "Unregistered Brand", "  opted   OUT ", "SPAM\tdetected", "VoiceMail Full",
    "Something new", "something NEW", "Línea ocupada", "é" * 70, "x" * 200, "a\u0000b",
    "\0" * 60, "(more)", "(none)", "\ud800", "\U0001f4de" * 40,
    "Opt-out", "opted_out", "Opted Out.", "STOP", "Recipient replied STOP", "Internal DNC list", "Internal DNC (do not call)",
    "opt_in-revoked", "User unsubscribed.", "Number not opted out", "Campaign stopped", "Message lacks STOP instructions",
    "one two three four five six opted out", "one two three four five six seven opted out", "x" * 300 + " opted out",
    "Never opted out", "Opt-out instructions missing", "no_funds.", "No Caller ID", "TTS too long", "Audio file not valid",
    "number not E.164", "Opted\0out", "'STOP'", "Opted\u2011out", "\u2018STOP\u2019 received",
]  # fmt: skip
REASON_CODES = [0, 3000, 3001, 3002, 3007, 3011, 3033, 4000, 4002, 4005, 4008, 4013, 4016, 4017, 4021, 6000, 6005, 6011, 9999,
                -1, 1,
                "4002", 4005.0, "0", None]  # fmt: skip
CAMPAIGNS = ["spring", "summer-2026", "a b/ü", "..", "x" * 64, "y" * 65, "unassigned", "1234", 5, "n\0l"]
FOREIGN_IDS = ["8812", "spring/8812", "autumn/1", "/7", "ünï/côdé", "a:b:c", "f" * 1024, "g" * 1025, "with space", 77,
               "nul\0/8", "\ud83d\ude00/1", ""]  # fmt: skip
PHONES = ["+15552224444", "(555) 222-4444", "5552224445", "+44 20 7946 0958", "13125550142", 13125550143, "n/a",
          "1" * 16, "+4791234567", "(312) 555-0161 ext. 22", "0013125550163", "011 44 20 7946 0958", "+44 (0)20 7946 0958",
          "jane2024@example.com", "tel:+1-312-555-0161;ext=3", "02079460958", "123456", "\u202a+1\u00a0312\u2011555\u20110161",
          "312-555-0161x9", "3125550161#4", "312-555-0161,,7", 10**21, "@13125550161", ""]  # fmt: skip
COSTS = [0, 0.0000004, 0.099, 0.0029, 0.04, "0.1", 12, 10000, 10000.000001, 1000000, -1, 1e300, "abc", "", None, True,
         0.1234567, "0005", "1e-2"]  # fmt: skip
STATUSES = ["success", "success", "failure", "failure", "Delivered", " FAILED ", "undelivered", "Busy", "no-answer", "NO ANSWER",
            "expired", "rejected", "error."]  # fmt: skip
INTERIM = ["queued", "Pending", "accepted", " scheduled", "processing", "sending", "SENT"]
FLAGS = [False, False, False, True, "true", "Yes", 1, "0", 0, "maybe", None]
OTHER_NAMES = ["contact.tagged", "contact.message.received", "campaign.archived", "contact.status", "Message Delivered",
               "n" * 200, "contact..status", "ü" * 100, "nul\0name", "(more)", " contact.msg.sent ", "contact.consent.updated",
               "contact.optin", "contact.dnc.added"]  # fmt: skip
OPT_OUT_NAMES = ["contact.opted_out", "contact.opted_out", "Contact.Opted-Out ", "contact.msg.opt_out", "contact.msg.opt",
                 "contact.consent.revoked", "contact.unsubscribed"]  # fmt: skip
OPT_INS = [("contact.consent.granted", {}), ("contact.opted_in", {}), ("contact.msg.opt_in", {}),
           ("contact.msg.opt", {"action": "Opt-In"}), ("contact.msg.opt", {"subscribed": "yes"}),
           ("contact.msg.opt", {"body": "START"})]  # fmt: skip
TEXTS = ["STOP", "stop.", "Opt-out", "unsubscribe", "Stop all", "please stop", "start", "", "\u201cStop\u201d", "STOP\u00a0", "don\u2019t stop"]
CAMPAIGN_EVENTS = ["scheduled", "paused", "stopped", "started", "resumed", "Completed "]
MALFORMED = [
    b"", b" ", b"nonsense", b"[1]", b'"text"', b"null", b"{", b'{"status":"success"', b'{"a":NaN,"status":"success"}',
    b'{"status":"success"} x', b'{"status":"\xff"}', b"[" * 5000, b'{"a":' * 40 + b"1" + b"}" * 40,
    b"{}", b'{"data":{}}',
    b'{"status":"maybe"}', b'{"status":""}', b'{"status":null}', b'{"status":true}',
    b'{"type":"contact.rvm.status","data":{}}',
    b'{"event":"contact.rvm.receipt","data":[]}', b'{"type":"contact.opted_out","data":{}}', b'{"type":"","event":7}',
    b'{"type":"contact.opted_out","data":{"phone":"none"}}', b'{"status":7,"drop_id":"0a1b2c3d4e5f60718293a4b5"}',
    b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}", b'{"a":[' + b"1," * 9998 + b"1]}", b'{"type":"campaign.paused","data":{}}',
    b'{"status":"opted_out","dnc":true}', b'{"status":" ","data":{"status":"queue"}}', b'{"type":" ","event":"\\t"}',
    b'{"event":"contact.msg.opt_out","data":{"from":"jane@example.com","to":"5552224444"}}',
]  # fmt: skip


def drop_ids(rng):
    """Ids of every form that is stored differently, and some made to be taken for one another."""
    text11, text15 = "hello world", "hello world 015"
    forms = [
        "%024x" % rng.getrandbits(96),
        "0a1b2c3d4e5f60718293a4b5",
        str(uuid.UUID(int=rng.getrandbits(128))),
        "4d1f0a52-77aa-4c3e-9d10-0a6b3c5d7e21",
        text11,
        b"t".hex() + text11.encode().hex(),  # 24 hex digits
        text15,
        str(uuid.UUID(bytes=b"t" + text15.encode())),
        "T" + text11[:10],
        "x" * 12,
        "z" * 16,
        "w" * 32,
        "w" * 33,
        "ö" * 16,
        "q" * 200,
        "s1",
        "0A1B2C3D4E5F60718293A4B",  # 23 digits
        4711,
        "a\0b",
        "",  # none: the SHA-256 of the body
        None,
    ]
    return rng.sample(forms, rng.randint(1, 4))


class World:
    """What the copies of one sequence are made of."""

    def __init__(self, rng, clean):
        self.rng = rng
        self.clean = clean  # only what the vendor documents: no conflicts within a drop
        self.drops = drop_ids(rng)
        self.campaigns = rng.sample(CAMPAIGNS, rng.randint(1, 3))
        self.foreign_ids = rng.sample(FOREIGN_IDS, rng.randint(1, 2))
        self.phones = rng.sample(PHONES, rng.randint(1, 3))
        self.times = [NOW - rng.choice([0, 1, 999, 60_000, 3_600_000]) for _ in range(rng.randint(1, 4))]
        self.received = [NOW + rng.choice([0, 0, 1, 59_000, 61_000, -5]) for _ in range(rng.randint(1, 3))]
        kinds = ("result", "opt_out", "campaign")
        self.event_ids = {kind: [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(3)] for kind in kinds}
        self.traits = {
            repr(id_): (rng.choice(self.foreign_ids), rng.choice(self.phones), rng.choice(self.campaigns))
            for id_ in self.drops
        }

    def maybe(self, probability=0.5):
        return self.rng.random() < probability

    def case(self, text):
        return text.upper() if isinstance(text, str) and self.maybe(0.2) and len(text) in (24, 36) else text

    def time(self):
        """A time as the vendor may write it, or one that cannot be used."""
        ms = self.rng.choice(self.times)
        seconds, rest = divmod(ms, 1000)
        text = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        shapes = [f"{text}.{rest:03d}Z"] * 4 + [ms] * 4
        shapes += [str(ms), f"{text}.{rest:03d}999+00:00", f"{text.replace('T', ' ')}.{rest:03d}", seconds, f"{text}Z"]
        shapes += ["yesterday", 0, 99_999_999_999, "1999-12-31T23:59:59Z", "2026-02-30", "", None, NOW + 3 * 86_400_000]
        shapes += ["2026-03-20", "2026-03-20T23:25+02:00", "2026-03-20 16:25:12-0500", True, {}, "0000-02-29", -5]
        shapes += ["2026-03-20T21:25:12+24:00", (ms + 0.5) / 1000]
        shapes += [f"{text.lower()}z", f"{text.replace('T', ' ')} UTC", "2026-03-20T20:59:60Z", "2026-03-20T21:00:61Z"]
        shapes += [f"{text},{rest:03d}Z", f" {text.replace('T', ' ')}.{rest:03d}+00\n", f" {ms} ", "2026-03-20T23:25+2"]
        return self.rng.choice(shapes)

    def envelope(self, kind, campaign=None):
        self.number = getattr(self, "number", 0) + 1
        return {
            "type": kind,
            "scheme": "token" if kind == "callback" else self.rng.choice(["guide", "v1"]),
            "received_at": self.rng.choice(self.received),
            "campaign": campaign or "",
            "message_id": f"m-{self.number}",
        }

    def url_campaign(self):
        return self.rng.choice(["spring", "summer-2026", "winter", "unassigned"]) if self.maybe(0.4) else None

    def result_fields(self, id_):
        """Fields of a result, each there or not."""
        rng = self.rng
        foreign_id, phone, campaign = self.traits[repr(id_)]
        if not self.clean and self.maybe(0.3):
            foreign_id, phone, campaign = (rng.choice(p) for p in (self.foreign_ids, self.phones, self.campaigns))
        fields = {"status": rng.choice(STATUSES)}
        if id_ is not None:
            fields["drop_id"] = self.case(id_)
        if self.maybe(0.7):
            fields["reason"] = rng.choice(REASON_TEXTS)
        if self.maybe(0.5):
            fields[rng.choice(["reason_code", "reason_code", "status_code"])] = rng.choice(REASON_CODES)
        if self.maybe(0.5):
            fields["foreign_id"] = foreign_id
        if self.maybe(0.6):
            fields[rng.choice(["phone_number", "to", "phone"])] = phone
        if self.maybe(0.4):
            fields["campaign_id"] = rng.choice([campaign, campaign, None, ""])
        if self.maybe(0.1):
            fields["campaign_name"] = campaign
        for name in ("product_cost", "compliance_fee", "tts_fee"):
            if self.maybe(0.4):
                fields[name] = rng.choice(COSTS)
        for name in ("dnc", "spam"):
            if self.maybe(0.4):
                fields[name] = rng.choice(FLAGS)
        return fields

    def callback(self, id_):
        body = self.result_fields(id_)
        if self.maybe(0.9):
            body["attempt_date"] = self.time()
        if self.maybe(0.3):
            body["data"] = self.rng.choice([None, [], "x", {"foreign_id": "77", "campaign": {"id": "spring"}}])
        if self.maybe(0.1):
            body["created_at"] = self.time()
        if self.maybe(0.15):
            body["data"] = self.result_fields(id_)  # the body before data, field by field
        if self.maybe(0.1):
            body["status"] = ""
        if self.maybe(0.1) and isinstance(body.get("drop_id"), (str, int)):
            body["type"] = self.rng.choice(["sms", "rvm", "sms.optout"])  # flat, so a result all the same
            body.pop("data", None)
            body["status"] = body["status"] or "success"
        return body, self.envelope("callback", self.url_campaign())

    def webhook(self, id_):
        rng = self.rng
        name = rng.choice(["contact.rvm.status", "contact.sms.status", "contact.rvm.receipt", "contact.rvm.receipt"])
        data = self.result_fields(id_)
        key = rng.choice(["event", "event", "type"])
        body = {key: name, "event_id": rng.choice(self.event_ids["result"]), "data": data}
        if self.maybe(0.9):
            body["event_at"] = self.time()
        if self.maybe(0.2):
            data["contact"] = {rng.choice(["phone_number", "main_phone"]): rng.choice(self.phones)}
        if name.endswith("receipt") and self.maybe(0.3):
            data["campaign_session"] = {"dispo": {"status": "failure", "dnc": rng.choice(FLAGS)}}
        if self.maybe(0.2):
            data["campaign"] = rng.choice([{"id": rng.choice(self.campaigns)}, None, "spring"])
        if self.maybe(0.2):
            data["timestamp"] = self.time()
        if self.maybe(0.1):
            body.update(self.result_fields(id_))
        return body, self.envelope("webhook", self.url_campaign() if self.maybe(0.2) else None)

    def guide(self, id_):
        data = self.result_fields(id_)
        if id_ is not None and self.maybe(0.5):
            data[self.rng.choice(["message_id", "id"])] = data.pop("drop_id")
        body = {"type": self.rng.choice(["message.delivered", "message.failed", "message.failed"]), "data": data}
        if self.maybe(0.8):
            data["timestamp"] = self.time()
        return body, self.envelope("webhook")

    def contact(self):
        """Fields that say who opted out or in."""
        rng = self.rng
        phone = rng.choice(self.phones)
        name = rng.choice(["phone_number", "phone", "mobile_phone", "main_phone", "number", "contact_phone", "phoneNumber",
                           "contact", "from", "to"])  # fmt: skip
        data = {name: phone}
        if self.maybe(0.2):
            data = {"contact": {rng.choice(["phone", "mobile_phone", "homePhone"]): phone, "phone_type": "mobile"}}
        if self.maybe(0.4) and name != "to":
            data["to"] = "+12125550100"  # ours
        if self.maybe(0.1):
            data["from"] = rng.choice(["", "anonymous", *self.phones])
        return data

    def opt_out(self):
        data = self.contact()
        body = {self.rng.choice(["type", "event"]): self.rng.choice(OPT_OUT_NAMES), "data": data, "timestamp": self.time()}
        if self.maybe(0.2):  # no documented opt-out, but it has a phone
            data["phone_number"] = "5552224447"
            body = {"event": self.rng.choice(["contact.sms.optout", "Consent.Revoke", "contact.sms.opted_out", "list.Opt.Out"]), "data": data}
        if self.maybe(0.5):
            body["event_id"] = self.rng.choice(self.event_ids["opt_out"])
        elif self.maybe(0.2):
            body["event_id"] = self.rng.choice(self.drops)  # an id of a drop is not an id of an event
        if self.maybe(0.4):
            data["campaign_id"] = self.rng.choice(self.campaigns)
        if self.maybe(0.3):
            data["foreign_id"] = self.rng.choice(self.foreign_ids)
        if self.maybe(0.2):
            data["drop_id"] = self.rng.choice(self.drops)
            if self.maybe(0.5):  # whose phone it is the drop tells
                body["data"] = {name: data[name] for name in ("drop_id", "campaign_id", "foreign_id") if name in data}
        return body, self.envelope("webhook", self.url_campaign() if self.maybe(0.2) else None)

    def opt_in(self):
        number = self.rng.randrange(len(OPT_INS))
        name, said = OPT_INS[number]
        body = {"event": name, "event_id": f"in-{number}", "data": {**self.contact(), **said}}
        return body, self.envelope("webhook")

    def text(self):
        number = self.rng.randrange(len(TEXTS))
        data = {"contact_id": "c", "from": self.rng.choice(self.phones), "to": "+12125550100", "body": TEXTS[number]}
        return {"event": "contact.msg.received", "event_id": f"text-{number}", "data": data}, self.envelope("webhook")

    def interim(self):
        number = self.rng.randrange(len(INTERIM))
        data = {"status": INTERIM[number], "drop_id": self.rng.choice(self.drops), "product_cost": 1}
        if self.maybe(0.3):
            data.update(dnc=self.rng.choice(FLAGS), to=self.rng.choice(self.phones))
        return {"event": "contact.sms.status", "event_id": f"interim-{number}", "data": data}, self.envelope("webhook")

    def unusable(self):
        """A result that cannot be counted, but may opt out."""
        body = self.result_fields(self.rng.choice(self.drops))
        body["status"] = self.rng.choice(["opted_out", "maybe", "", None])
        if self.maybe(0.3):
            body = {"event": "contact.sms.status", "data": body}
        return body, self.envelope("webhook")

    def campaign(self):
        data = {}
        if self.maybe(0.9):
            data[self.rng.choice(["campaign_id", "id", "campaign", "campaign_name"])] = self.rng.choice(self.campaigns)
        if self.maybe(0.2):
            data["created_at"] = self.time()
        body = {"type": "campaign." + self.rng.choice(CAMPAIGN_EVENTS), "data": data}
        if self.maybe(0.7):
            body["timestamp"] = self.time()
        if self.maybe(0.5):
            body["event_id"] = self.rng.choice(self.event_ids["campaign"])
        return body, self.envelope("webhook")

    def other(self):
        number = self.rng.randrange(len(OTHER_NAMES))
        body = {"event": OTHER_NAMES[number], "data": {"status": "success", "drop_id": "0a1b2c3d4e5f60718293a4b5"}}
        body["event_id"] = f"other-{number}"
        if number % 2:
            body["data"]["campaign_id"] = "spring"
        return body, self.envelope("webhook")

    def copy(self):
        kind = self.rng.choices(
            ["callback", "webhook", "guide", "opt_out", "campaign", "other", "malformed", "opt_in", "text", "interim", "unusable"],
            [8, 8, 4, 3, 3, 0.7, 0.7, 0.5, 0.5, 0.5, 0.7],
        )[0]
        if kind == "malformed":
            return self.rng.choice(MALFORMED), self.envelope("webhook")
        if kind in ("callback", "webhook", "guide"):
            body, envelope = getattr(self, kind)(self.rng.choice(self.drops))
        else:
            body, envelope = getattr(self, kind)()
        mark = b"\xef\xbb\xbf" if self.maybe(0.02) else b""
        return mark + json.dumps(body, ensure_ascii=self.maybe()).encode("utf-8", "surrogatepass"), envelope


def settings_of(rng):
    result_ttl_s, results_stream_max = rng.choice([86400, 86400, 0]), rng.choice([100000, 100000, 0])
    return Settings(604800, result_ttl_s, results_stream_max, rng.choice(["/", "/", "", "::"]))


def copies_of(rng, count, clean=False):
    """That many distinct copies."""
    world = World(rng, clean)
    return [world.copy() for _ in range(count)]


def repeated(rng, copies, limit=60):
    """The copies with some of them again: delivered again as they are, or posted again as a new message."""
    sequence = list(copies)
    while len(sequence) < limit and rng.random() < 0.6:
        body, envelope = rng.choice(copies)
        if rng.random() < 0.3:
            envelope = {**envelope, "received_at": envelope["received_at"] + rng.choice([0, 1, 70_000])}
            envelope["message_id"] = f"again-{len(sequence)}"
        times = min(rng.choice([1, 1, 2, 3, 50]), limit - len(sequence))
        for _ in range(times):
            sequence.insert(rng.randrange(len(sequence) + 1), (body, envelope))
    return sequence


def campaigns_of(settings, copies):
    """As they stand in keys."""
    reader, names = Reader(settings, read_reasons()), set()
    for body, envelope in copies:
        with contextlib.suppress(Rejected):
            names.add(reader.read(body, envelope).campaign)
    return sorted(names - {UNASSIGNED})


def with_aliases(rng, sequence):
    """The sequence with names made one, and two again, between its copies."""
    copies, aliased = list(sequence.copies), []
    names = [*campaigns_of(sequence.settings, copies), "never-seen"]
    for at in sorted(rng.randrange(len(copies) + 1) for _ in range(rng.randint(1, 5))):
        ids = aliased if aliased and rng.random() < 0.3 else names
        id_, name = rng.choice(ids), rng.choice(names)
        one = {"alias": None if ids is aliased else (id_, name), "remove": id_}
        copies.insert(at + len(copies) - len(sequence.copies), (None, one))
        aliased.append(id_)
    return sequence._replace(copies=copies)


def sequence(seed, batch=None):
    rng = random.Random(seed)
    copies = copies_of(rng, rng.randint(5, 40), clean=rng.random() < 0.5)
    sized = rng.choice([1, 3, 256])
    return Sequence(seed, settings_of(rng), batch or sized, repeated(rng, copies))
