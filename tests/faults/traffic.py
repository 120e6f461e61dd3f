"""What the suite sends: events of the three dialects, each with a drop, a foreign_id and a phone number of its own;
opt-outs; campaign events, two for each campaign that they are about; events of kinds that only count as such, each with a
campaign of its own. All say when they happened, so that every time in Redis is known beforehand."""

import dataclasses
import functools
import itertools
import json
import random
import threading
import time

import wire

CAMPAIGNS = ("spring", "summer", "autumn", "winter", "unassigned")
# (the text that the vendor sends, the slug that counts)
REASONS = (
    ("Invalid message", "invalid_message"),
    ("Spam detected", "spam_detected"),
    ("No Funds", "no_funds"),
    ("Known Litigator", "known_litigator"),
    ("Temporarily unreachable", "temporarily_unreachable"),
    ("Too Many", "too_many"),
    ("Opted out", "opted_out"),
    ("Internal DNC", "internal_dnc"),
    ("a reason that nobody documented", "other"),
)
# A drop that failed for one of these may turn out to have failed for another: nothing but the reason changes.
REVISABLE = ("invalid_message", "no_funds", "known_litigator", "temporarily_unreachable", "too_many")
TIME_FIELDS = ("attempt_date", "timestamp", "event_at")
OPTING_OUT = {"opted_out", "internal_dnc"}
CAMPAIGN_STEPS = (("scheduled", "started"), ("started", "stopped"), ("paused", "resumed"), ("started", "completed"))
OTHER_EVENTS = ("contact.created", "list.imported", "brand.verified", "pool.rotated")
# Of every so many events one is a campaign event and one of another kind.
RARE = 50


@dataclasses.dataclass(frozen=True)
class Event:
    """One event, what it must count as, and how it is sent."""

    kind: str  # result, opt_out, campaign, other, poison
    path: str
    scheme: str  # guide, v1, callback
    body: bytes
    drop_id: str = ""
    foreign_id: str = ""
    phone: str = ""
    campaign: str = "unassigned"
    success: bool = True
    reason: str = ""
    costs: tuple = (0, 0, 0)
    dnc: bool = False
    spam: bool = False
    at: int = 0  # ms, of a campaign event
    earlier: tuple = ()  # other copies of its drop, which this one outdoes

    @property
    def opts_out(self):
        return self.kind == "opt_out" or self.dnc or self.reason in OPTING_OUT

    @property
    def told(self):
        """Somebody opted out: no send was only blocked for it."""
        return self.opts_out and self.reason not in OPTING_OUT

    def request(self):
        """The bytes of its HTTP request; v1 is signed at the time of sending."""
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(self.body)))]
        if self.scheme == "guide":
            headers += wire.guide(self.body).items()
        elif self.scheme == "v1":
            headers += wire.v1(self.body).items()
        return wire.head("POST", self.path, headers) + self.body


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


def iso_ms(ms):
    return f"{iso(ms // 1000)[:-4]}{ms % 1000:03d}Z"


@functools.cache
def callback_path(campaign):
    return wire.callback_path("" if campaign == "unassigned" else campaign)


def now_ms():
    return int(time.time() * 1000)


def campaign_in_url(event):
    return event.campaign if event.scheme == "callback" and event.campaign != "unassigned" else ""


def dollars(micros):
    return micros / 1_000_000


def revised(event):
    """A later copy of the same failure that gives another reason; None if this one cannot be told so."""
    if event.reason not in REVISABLE:
        return None
    slug = REVISABLE[REVISABLE.index(event.reason) - 1]
    news = {"reason": next(text for text, known in REASONS if known == slug)}
    news.update(dict.fromkeys(TIME_FIELDS, iso(time.time() + 1)))
    body = json.loads(event.body)
    for part in (body, body.get("data", {})):
        part.update({name: value for name, value in news.items() if name in part})
    return dataclasses.replace(event, reason=slug, body=json.dumps(body).encode(), earlier=(event,))


class Traffic:
    """Endless events of a seed. Any thread may take the next one. No two of one process share a phone number."""

    MADE = itertools.count(1)

    def __init__(self, seed, poison=0.0, no_json=0.5, campaigns=CAMPAIGNS):
        """`poison`: the share of what is no event; `no_json`: the share of that which is not even JSON."""
        self.rng = random.Random(seed)
        self.poison = poison
        self.no_json = no_json
        self.numbers = itertools.count(1)
        self.salt = f"{self.rng.getrandbits(40):010x}"
        self.made = next(self.MADE) % 10_000
        self.lock = threading.Lock()
        self.last_at = 0
        self.campaigns = campaigns  # may be changed meanwhile

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            number = next(self.numbers)
            if number % RARE in (RARE // 3, 2 * RARE // 3):
                return self._campaign(number) if number % RARE == RARE // 3 else self._other(number)
            if self.rng.random() < self.poison:
                return self._poison(number)
            if self.rng.random() < 0.04:
                return self._opt_out(number)
            return getattr(self, self.rng.choice(("_callback", "_guide", "_v1")))(self._facts(number))

    def _facts(self, number):
        rng = self.rng
        success = rng.random() < 0.6
        text, slug = ("", "") if success else rng.choice(REASONS)
        dnc = slug == "internal_dnc" or (success and rng.random() < 0.02)
        return {
            "text": text,
            "drop_id": f"{number:014x}{self.salt}",
            "foreign_id": f"f-{self.salt}-{number}",
            "phone": self._phone(number),
            "campaign": rng.choice(self.campaigns),
            "success": success,
            "reason": slug,
            "costs": (rng.randrange(100_000), rng.choice((0, 2_900)), rng.choice((0, 0, 1_500))),
            "dnc": dnc,
            "spam": slug == "spam_detected",
        }

    def _phone(self, number):
        return f"+44{self.made:04d}{number:08d}"

    def _event(self, facts, **more):
        known = {name: value for name, value in facts.items() if name != "text"}
        return Event(kind="result", **{**known, **more})

    def _callback(self, facts):
        body = {
            "drop_id": facts["drop_id"],
            "phone_number": facts["phone"],
            "attempt_date": iso(time.time()),
            "status": "success" if facts["success"] else "failure",
            "reason": facts["text"],
            "dnc": facts["dnc"],
            "spam": facts["spam"],
            "product_cost": dollars(facts["costs"][0]),
            "compliance_fee": dollars(facts["costs"][1]),
            "tts_fee": dollars(facts["costs"][2]),
            "network": {"name": "Some Carrier", "type": "mobile"},
            "foreign_id": facts["foreign_id"],
        }
        path = callback_path(facts["campaign"])
        return self._event(facts, path=path, scheme="callback", body=json.dumps(body).encode())

    def _webhook(self, facts, body, scheme):
        """The dialects without costs and flags; the suite's foreign_id finds the result in Redis."""
        if facts["campaign"] != "unassigned":
            body["data"]["campaign_id"] = facts["campaign"]
        body["data"]["foreign_id"] = facts["foreign_id"]
        raw = json.dumps(body).encode()
        return self._event(facts, path=wire.WEBHOOK, scheme=scheme, body=raw, costs=(0, 0, 0), dnc=False, spam=False)

    def _guide(self, facts):
        data = {"message_id": facts["drop_id"], "to": facts["phone"], "reason": facts["text"]}
        data["timestamp"] = iso(time.time())
        name = "message.delivered" if facts["success"] else "message.failed"
        return self._webhook(facts, {"type": name, "data": data}, "guide")

    def _v1(self, facts):
        data = {
            "drop_id": facts["drop_id"],
            "to": facts["phone"],
            "status": "success" if facts["success"] else "failure",
            "reason": facts["text"],
        }
        head = {"event_id": f"e-{facts['drop_id']}", "event": "contact.sms.status", "event_at": now_ms()}
        return self._webhook(facts, {**head, "data": data}, "v1")

    def _opt_out(self, number):
        phone, campaign = self._phone(number), self.rng.choice(self.campaigns)
        data = {"phone": phone}
        if campaign != "unassigned":
            data["campaign_id"] = campaign
        body = {"type": "contact.opted_out", "event_id": f"o-{self.salt}-{number}", "timestamp": now_ms(), "data": data}
        return Event("opt_out", wire.WEBHOOK, "guide", json.dumps(body).encode(), phone=phone, campaign=campaign)

    def _campaign(self, number):
        """The first or the second event of its campaign; the times tell them apart."""
        series, second = divmod(number // RARE, 2)
        campaign = f"tour-{self.salt}-{series}"
        self.last_at = max(now_ms(), self.last_at + 1)
        name = f"campaign.{CAMPAIGN_STEPS[series % len(CAMPAIGN_STEPS)][second]}"
        key = self.rng.choice(("id", "campaign_id"))
        body = {"type": name, "event_id": f"c-{self.salt}-{number}", "timestamp": self.last_at, "data": {key: campaign}}
        scheme = self.rng.choice(("guide", "v1"))
        return Event("campaign", wire.WEBHOOK, scheme, json.dumps(body).encode(), campaign=campaign, at=self.last_at)

    def _other(self, number):
        campaign = f"other-{self.salt}-{number}"
        body = {"event": self.rng.choice(OTHER_EVENTS), "event_id": f"x-{self.salt}-{number}", "event_at": now_ms(),
                "data": {"campaign_id": campaign, "status": "success"}}
        return Event("other", wire.WEBHOOK, "v1", json.dumps(body).encode(), campaign=campaign)

    def _poison(self, number):
        """Verified bytes that are no event: no JSON, as the bridge sees, or of no known shape, as a worker does."""
        if self.rng.random() < self.no_json:
            body = f"poison {self.salt} {number} ".encode() + self.rng.randbytes(40)
        else:
            body = json.dumps({"poison": f"{self.salt} {number}", "pad": " " * self.rng.randrange(50)}).encode()
        return Event("poison", wire.WEBHOOK, "guide", body)
