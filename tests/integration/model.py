"""What Redis must hold after a sequence of copies: docs/classification.md said again, in the plainest way.

The model keeps every copy and computes everything from the whole set each time. It shares no code with the worker
and was written from the documents alone; of the worker it reads one table, workers/reasons.def, which the documents
name as the definition of slugs, codes and texts.
"""

import datetime
import hashlib
import json
import math
import re
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DAY_MS = 86_400_000
YEAR_2000_MS = 946_684_800_000
UNASSIGNED = "unassigned"

Settings = namedtuple("Settings", "retention_s result_ttl_s results_stream_max separator")
DEFAULTS = Settings(604800, 86400, 100000, "")

# One reason of reasons.def.
Reason = namedtuple("Reason", "number slug codes texts")

# A copy that was understood. Kinds: result, opt_out, campaign, other.
Copy = namedtuple(
    "Copy",
    "kind id shown_id time received campaign rank success reason receipt costs flags opts_out unknown phone foreign_id "
    "state name",
)

Drop = namedtuple("Drop", "shown_id success reason at costs flags foreign_id phone campaign opts_out_at")


class Rejected(Exception):
    """The copy belongs in the rejected queue; the text is its reason."""


# ---- reasons ----


def read_reasons(path=ROOT / "workers" / "reasons.def"):
    """The rows of reasons.def, by slug; without number 0, which is success."""
    rows = re.split(r"^REASON\(", re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL), flags=re.MULTILINE)[1:]
    reasons = {}
    for row in rows:
        number, slug, _, _, _, rest = (part.strip() for part in row.split(",", 5))
        texts, codes = re.fullmatch(r"(NONE|TEXTS\(.*?\)),\s*(NONE|CODES\(.*?\))\)\s*", rest, re.DOTALL).groups()
        reason = Reason(
            int(number), slug.strip('"'), [int(n) for n in re.findall(r"\d+", codes)], re.findall(r'"(.*?)"', texts)
        )
        if reason.number:
            reasons[reason.slug] = reason
    return reasons


# ---- reading one copy ----


def read_json(body):
    """The object, or Rejected('invalid_json'): RFC 8259, UTF-8, one object, at most 32 levels deep."""

    def refuse(name):
        raise ValueError(name)

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, parse_float=float)
    except (ValueError, RecursionError):
        raise Rejected("invalid_json") from None
    if not isinstance(value, dict) or depth(value) > 32:
        raise Rejected("invalid_json")
    return value


def depth(value):
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


def as_text(value):
    """A text, or an integer as its digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):  # half a surrogate pair has no UTF-8
        return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in value)
    return None


def objects(body):
    """The body, then its data, if that is an object."""
    data = body.get("data")
    return [body, data] if isinstance(data, dict) else [body]


def data_of(body):
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def candidates(body, *names):
    """Every value that a field may have, in the order in which they are asked: field by field, the body before data."""
    for name in names:
        for holder in objects(body):
            if "." in name:
                outer, inner = name.split(".")
                holder, key = holder.get(outer), inner
                if not isinstance(holder, dict):
                    continue
            else:
                key = name
            if key in holder:
                yield holder[key]


def first_text(body, name):
    return next((text for value in candidates(body, name) if (text := as_text(value)) is not None), None)


def first_nonempty(body, name):
    """As first_text, but empty text is absent."""
    return next((text for value in candidates(body, name) if (text := as_text(value))), None)


def cut(text, limit=128):
    """The first bytes of a text, not cutting a character; a NUL is shown as U+FFFD."""
    return text.replace("\0", "\ufffd").encode()[:limit].decode("utf-8", "ignore")


def read_time(value):
    """ms since 1970, or None if this is no time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]+", value):
            value = int(value)
        else:
            return read_iso8601(value)
    if isinstance(value, (int, float)) and math.isfinite(value):
        return int(value) if value >= 10**11 else int(value * 1000)
    return None


def read_iso8601(text):
    match = re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
        r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
        r"([Zz]| [Uu][Tt][Cc]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?",
        text,
    )
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if year == 0:  # Python's calendar begins with year 1; all that matters is that this is before 2000
        year = 4
    leap = second == 60  # the second that follows it
    try:
        moment = datetime.datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    ms = (moment - epoch) // datetime.timedelta(milliseconds=1) + (1000 if leap else 0)
    ms += int((match.group(7) or "0").ljust(3, "0")[:3])
    zone = match.group(8)
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:])) * 60_000
        ms += -offset if zone[0] == "+" else offset
    return ms


def time_of(body, received):
    for value in candidates(body, "attempt_date", "event_at", "timestamp", "created_at"):
        time = read_time(value)
        if time is not None:
            return time if YEAR_2000_MS <= time <= received + DAY_MS else received
    return received


def e164(text):
    """A phone number with its country code, or None."""
    text = text.strip(" \t\n\v\f\r")
    if text[:4].lower() == "tel:":
        text = text[4:]
    text = re.split(r"ext|[x#;]", text, maxsplit=1, flags=re.IGNORECASE | re.ASCII)[0]
    if re.search(r"[A-Za-z@]", text):
        return None
    signs = re.sub(r"[^0-9+()]", "", text).lstrip("()")
    prefix = re.match(r"\+|011|00", signs)
    if prefix:
        signs = signs[prefix.end() :].replace("(0)", "", 1)
    digits = re.sub(r"[^0-9]", "", signs)
    if not prefix and len(digits) == 10:
        digits = "1" + digits
    return "+" + digits if 7 <= len(digits) <= 15 and digits[0] != "0" else None


def first_phone(values):
    return next((phone for value in values if (phone := e164(as_text(value) or ""))), "")


def phone_of(body):
    return first_phone(candidates(body, "phone_number", "to", "phone", "contact.phone_number", "contact.main_phone"))


def micros(value):
    """Millionths of a dollar, or None if this is no amount."""
    if isinstance(value, str):
        if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", value):  # as JSON writes numbers
            return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not math.isfinite(value) or not 0 <= value <= 10**4:
        return None
    return math.floor(value * 10**6 + 0.5)


def costs_of(body):
    """(product_cost, compliance_fee, tts_fee) in micros, or None if none of them is usable."""
    amounts = []
    for name in ("product_cost", "compliance_fee", "tts_fee"):
        values = [value for value in candidates(body, name) if type(value) in (int, float, str)]
        amounts.append(micros(values[0]) if values else None)
    return None if amounts == [None] * 3 else tuple(amount or 0 for amount in amounts)


def flags_of(body):
    """(dnc, spam), or None if neither is there."""
    flags = []
    for name in ("dnc", "spam"):
        usable = [value for value in candidates(body, name) if isinstance(value, bool)]
        flags.append(usable[0] if usable else None)
    return None if flags == [None] * 2 else tuple(bool(flag) for flag in flags)


def foreign_id_of(body):
    texts = (as_text(value) or "" for value in candidates(body, "foreign_id"))
    return next((text for text in texts if 1 <= len(text.encode()) <= 1024), "")


def campaign_name(text):
    """A campaign's name from a body, as it stands in keys."""
    if text in (".", ".."):
        name = text.replace(".", "%2E")
    else:
        name = "".join(chr(b) if re.match(rb"[A-Za-z0-9._-]", bytes([b])) else f"%{b:02X}" for b in text.encode())
    return name if len(name) <= 64 else hashlib.sha256(text.encode()).hexdigest()[:32]


def campaign_of(body, name, envelope, foreign_id, separator):
    """(campaign, rank)."""
    ids = [(envelope.get("campaign") or "", 3)]
    texts = [as_text(value) for value in candidates(body, "campaign_id")]
    campaign = data_of(body).get("campaign")
    if isinstance(campaign, dict):
        texts.append(as_text(campaign.get("id")))
    if name.startswith("campaign."):
        texts.append(as_text(data_of(body).get("id")))
    ids += [(campaign_name(text), 2) for text in texts if text]
    if separator and separator in foreign_id and foreign_id.split(separator)[0]:
        ids.append((campaign_name(foreign_id.split(separator)[0]), 1))
    for campaign, rank in ids:
        if campaign and campaign != UNASSIGNED:
            return campaign, rank
    return UNASSIGNED, 0


def identity(text, body):
    """(identity, how it is shown): without an id the body's SHA-256, which is not shown."""
    if not text:
        return ("sha256", hashlib.sha256(body).hexdigest()), ""
    if re.fullmatch(r"[0-9a-fA-F]{24}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        text = text.lower()
    return ("text", text), cut(text)


def kind_of(name):
    """(kind, what the name itself says: an outcome or a state)."""
    states = {
        "scheduled": "scheduled",
        "paused": "paused",
        "stopped": "paused",
        "started": "running",
        "resumed": "running",
        "completed": "completed",
    }
    if name.startswith("campaign.") and name[len("campaign.") :] in states:
        return "campaign", states[name[len("campaign.") :]]
    if name == "contact.opted_out":
        return "opt_out", None
    if name in ("message.delivered", "message.failed"):
        return "result", name == "message.delivered"
    if name == "" or re.fullmatch(r"contact\..+\.(status|receipt)", name, re.DOTALL):
        return "result", None
    return "other", None


def status_of(body, name):
    status = first_text(body, "status")
    if status is None and name == "":
        raise Rejected("unrecognized_shape")
    folded = lower(status or "").strip(" \t\n\v\f\r")
    if folded in ("success", "delivered"):
        return True
    if folded in ("failure", "failed"):
        return False
    raise Rejected("unusable_status")


def lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def fold(text):
    """The words alone, of ASCII letters in lower case; "" for what is longer than any reason."""
    words = re.split(r"[ \t\n\v\f\r!-/:-@\[-`{-~]+", lower(text.replace("'", "")))
    folded = " ".join(word for word in words if word)
    return folded if len(folded.encode()) <= 255 else ""


DENIALS = {"no", "never", "missing", "lack", "lacks", "without", "must", "include", "instructions", "language", "required",
           "pending"}  # fmt: skip
# Reasons that opt out, in the order of their numbers, and the words that tell of them.
OPT_OUT_PHRASES = [
    ("opted_out", ("opted out", "opt out", "optout", "unsubscribed", "unsubscribe")),
    ("internal_dnc", ("internal dnc",)),
    ("opt_in_revoked", ("opt in revoked",)),
]


def opt_out_told_by(folded):
    """The slug of the opt-out that a few words tell of, if they do not deny it."""
    words = folded.split(" ")
    denied = any(word in DENIALS or word == "not" and (["", *words][at] != "do") for at, word in enumerate(words))
    if denied or len(words) > 8:
        return None
    for slug, phrases in OPT_OUT_PHRASES:
        if any(f" {phrase} " in f" {folded} " for phrase in phrases):
            return slug
    stop = words == ["stop"] or "stop" in words and {"received", "requested", "replied"} & set(words)
    return "opted_out" if stop else None


def read_code(body):
    """reason_code: a whole number, or a text of digits; None if there is none."""
    for value in candidates(body, "reason_code"):
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
            value = int(value)
        if type(value) in (int, float) and value == math.floor(value) and abs(value) < 2**63:
            return int(value)
    return None


class Reader:
    """Turns a body and its envelope into a Copy."""

    def __init__(self, settings, reasons):
        self.separator = settings.separator
        self.by_code = {code: reason.slug for reason in reasons.values() for code in reason.codes}
        self.by_text = {fold(text): reason.slug for reason in reasons.values() for text in reason.texts}

    def slugs(self, body):
        """(slug by code, slug by text), None where unknown."""
        code, folded = read_code(body), fold(first_nonempty(body, "reason") or "")
        return self.by_code.get(code) if code else None, self.by_text.get(folded) or opt_out_told_by(folded)

    def unknown(self, body):
        code, text = read_code(body), first_nonempty(body, "reason")
        if text:
            return cut(text)
        return f"reason_code {code}" if code is not None else "(none)"

    def read(self, raw, envelope):
        body = read_json(raw)
        name = next((body[key] for key in ("type", "event") if isinstance(body.get(key), str) and body[key]), "")
        kind, said = kind_of(name)
        success = None
        if kind == "result":
            success = said if said is not None else status_of(body, name)
        if kind == "result":
            data = data_of(body)
            text = first_nonempty(body, "drop_id") or as_text(data.get("message_id")) or as_text(data.get("id"))
        else:
            text = first_nonempty(body, "event_id")
        id_, shown = identity(text, raw)
        received = envelope["received_at"]
        foreign_id = foreign_id_of(body)
        campaign, rank = campaign_of(body, name, envelope, foreign_id, self.separator)
        phone = phone_of(body)
        if kind == "opt_out" and not phone:
            raise Rejected("optout_without_phone")
        by_code, by_text = self.slugs(body)
        reason = "" if success or kind != "result" else by_code or by_text or "other"
        flags = flags_of(body)
        opting_out = {"opted_out", "internal_dnc", "opt_in_revoked"}
        return Copy(
            kind=kind,
            id=id_,
            shown_id=shown,
            time=time_of(body, received),
            received=received,
            campaign=campaign,
            rank=rank,
            success=success,
            reason=reason,
            receipt=name.endswith(".receipt"),
            costs=costs_of(body),
            flags=flags,
            opts_out=by_code in opting_out or by_text in opting_out or bool(flags and flags[0]),
            unknown=self.unknown(body) if reason == "other" else "",
            phone=phone,
            foreign_id=foreign_id,
            state=said if kind == "campaign" else None,
            name=name,
        )


# ---- what follows from the copies ----


def iso(ms):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def minute(ms):
    return "minute:" + iso(ms)[:16].translate(str.maketrans("", "", "-T:"))


def distinct(values):
    return list(dict.fromkeys(value for value in values if value))


class Model:
    """Copies in, keys out. `apply` each copy in the order in which the worker did; `state` at any time."""

    def __init__(self, settings, now, reasons=None):
        self.settings = settings
        self.now = now
        self.reasons = reasons or read_reasons()
        self.reader = Reader(settings, self.reasons)
        self.drops = {}  # identity -> every copy of the drop
        self.events = {"opt_out": {}, "campaign": {}, "other": {}}  # kind -> identity -> every copy
        self.rejected = []  # (body, envelope, reason)
        # What tells how it went.
        self.duplicates = {}  # campaign -> count
        self.revisions = {}
        self.stream = []
        self.minutes = {}
        self.unknown_reasons = {}
        self.event_names = {}

    # -- the whole set --

    def copies(self):
        for copies in self.drops.values():
            yield from copies
        for kind in self.events.values():
            for copies in kind.values():
                yield from copies

    def drop(self, id_):
        """A drop by the definition of section 3, from all of its copies; None if there are none."""
        copies = self.drops.get(id_)
        if not copies:
            return None

        def rank(copy):
            number = self.reasons[copy.reason].number if copy.reason else 0
            return (not copy.receipt, copy.time, not copy.success, -number)

        best = max(rank(copy) for copy in copies)
        winners = [copy for copy in copies if rank(copy) == best]
        named = min(copies, key=lambda copy: (-copy.rank, copy.received, copy.campaign))
        opting_out = [copy.time for copy in copies if copy.opts_out]
        return Drop(
            shown_id=copies[0].shown_id,
            success=winners[0].success,
            reason=winners[0].reason,
            at=winners[0].time,
            costs=self.block(copies, winners, "costs") or (0, 0, 0),
            flags=self.block(copies, winners, "flags") or (False, False),
            foreign_id=min(distinct(copy.foreign_id for copy in copies), key=str.encode, default=""),
            phone=min(distinct(copy.phone for copy in copies), key=str.encode, default=""),
            campaign=named.campaign,
            opts_out_at=min(opting_out) if opting_out else None,
        )

    @staticmethod
    def block(copies, winners, field):
        """The winner's costs or flags, else those of the latest copy that has any; the greatest of equals."""
        values = [getattr(copy, field) for copy in winners if getattr(copy, field) is not None]
        if not values:
            having = [copy for copy in copies if getattr(copy, field) is not None]
            latest = max((copy.time for copy in having), default=None)
            values = [getattr(copy, field) for copy in having if copy.time == latest]
        return max(values, default=None)

    def optouts(self):
        """(phone -> ms, campaign -> phone -> ms)."""
        everywhere, lists = {}, {}

        def add(phone, campaigns, time):
            everywhere[phone] = min(time, everywhere.get(phone, time))
            for campaign in campaigns:
                if campaign != UNASSIGNED:
                    phones = lists.setdefault(campaign, {})
                    phones[phone] = min(time, phones.get(phone, time))

        for copies in self.drops.values():
            times = [copy.time for copy in copies if copy.opts_out]
            if times:
                phones = distinct(copy.phone for copy in copies)
                campaigns = distinct(copy.campaign for copy in copies if copy.campaign != UNASSIGNED)
                assert len(phones) <= 8 and len(campaigns) <= 8, "past 8 the order decides: not for the model"
                for phone in phones:
                    add(phone, campaigns, min(times))
        for copies in self.events["opt_out"].values():
            for copy in copies:
                add(copy.phone, [copy.campaign], copy.time)
        return everywhere, lists

    def event_given_state(self, campaign):
        """(state, ms) of the campaign's latest event, or None."""
        order = ["scheduled", "running", "paused", "completed"]
        events = [
            (copy.time, order.index(copy.state))
            for copies in self.events["campaign"].values()
            for copy in copies
            if copy.campaign == campaign
        ]
        if not events:
            return None
        time, state = max(events)
        return order[state], time

    def campaign(self, campaign):
        """The hash dc:campaign:{id}."""
        times = [copy.time for copy in self.copies() if copy.campaign == campaign]
        results = [copy.time for copies in self.drops.values() for copy in copies if copy.campaign == campaign]
        fields = {"first_event_at": iso(min(times)), "last_event_at": iso(max(times))}
        event = self.event_given_state(campaign)
        if results and (event is None or event[0] == "scheduled" and max(results) > event[1]):
            fields.update(state="running", state_at=iso(max(results)), state_source="inferred")
        elif event:
            fields.update(state=event[0], state_at=iso(event[1]), state_source="event")
        return fields

    def counters(self, drops, campaigns, optouts):
        """The counters of some drops; `campaigns` are those whose duplicates and the like are meant."""
        unrecognized = [copies[0] for copies in self.events["other"].values() if copies[0].campaign in campaigns]
        counts = {
            "messages": len(drops),
            "success": sum(drop.success for drop in drops),
            "failure": sum(not drop.success for drop in drops),
            "opt_out": optouts,
            "dnc": sum(drop.flags[0] for drop in drops),
            "spam": sum(drop.flags[1] for drop in drops),
            "duplicate": sum(self.duplicates.get(campaign, 0) for campaign in campaigns),
            "revised": sum(self.revisions.get(campaign, 0) for campaign in campaigns),
            "unrecognized": len(unrecognized),
            "product_cost_micros": sum(drop.costs[0] for drop in drops),
            "compliance_fee_micros": sum(drop.costs[1] for drop in drops),
            "tts_fee_micros": sum(drop.costs[2] for drop in drops),
        }
        return {name: str(count) for name, count in counts.items() if count}

    @staticmethod
    def reason_counts(drops):
        slugs = [drop.reason for drop in drops if not drop.success]
        return {slug: str(slugs.count(slug)) for slug in slugs}

    def shared_foreign_ids(self):
        """Those that copies of several drops carried: what is shown of them tells how it went."""
        holders = {}
        for id_, copies in self.drops.items():
            for foreign_id in distinct(copy.foreign_id for copy in copies):
                holders.setdefault(foreign_id, set()).add(id_)
        return {foreign_id for foreign_id, ids in holders.items() if len(ids) > 1}

    def results(self):
        """dc:result:{foreign_id} of every foreign_id."""
        chosen = {}
        for id_ in self.drops:
            drop = self.drop(id_)
            if drop.foreign_id:
                rank = (drop.at, drop.shown_id.encode(), id_)
                if drop.foreign_id not in chosen or rank > chosen[drop.foreign_id][0]:
                    chosen[drop.foreign_id] = rank, drop
        return {
            foreign_id: {
                "outcome": outcome(drop),
                "reason": drop.reason,
                "drop_id": drop.shown_id,
                "phone": drop.phone,
                "campaign": drop.campaign,
                "at": iso(drop.at),
            }
            for foreign_id, (_, drop) in chosen.items()
        }

    def state(self):
        """Every public key without its prefix -> (type, value); values as redis-py gives them, decoded."""
        drops = [self.drop(id_) for id_ in self.drops]
        everywhere, lists = self.optouts()
        names = {copy.campaign for copy in self.copies()}
        keys = {
            "totals": ("hash", self.counters(drops, names, len(everywhere))),
            "totals:reasons": ("hash", self.reason_counts(drops)),
            "optouts": ("zset", everywhere),
            "campaigns": ("zset", {}),
            "unknown_reasons": ("hash", {text: str(n) for text, n in self.unknown_reasons.items()}),
            "events": ("hash", {text: str(n) for text, n in self.event_names.items()}),
            "schema": ("string", "2"),
        }
        for name in names:
            mine = [drop for drop in drops if drop.campaign == name]
            phones = lists.get(name, {})
            keys["campaigns"][1][name] = max(copy.time for copy in self.copies() if copy.campaign == name)
            keys[f"campaign:{name}"] = ("hash", self.campaign(name))
            keys[f"campaign:{name}:counters"] = ("hash", self.counters(mine, {name}, len(phones)))
            keys[f"campaign:{name}:reasons"] = ("hash", self.reason_counts(mine))
            keys[f"campaign:{name}:optouts"] = ("zset", phones)
        for key, counts in self.minutes.items():
            keys[key] = ("hash", {name: str(n) for name, n in counts.items()})
        if self.settings.result_ttl_s:
            for foreign_id, fields in self.results().items():
                keys[f"result:{foreign_id}"] = ("string", fields)
        if self.settings.results_stream_max:
            keys["results"] = ("stream", list(self.stream))
        if not names:
            del keys["schema"]
        return {key: value for key, value in keys.items() if value[1]}

    # -- one copy more --

    def apply(self, body, envelope):
        """Takes a copy and returns what becomes of it, in the words of the worker's counters."""
        envelope = {"received_at": self.now, **envelope}
        try:
            copy = self.reader.read(body, envelope)
        except Rejected as rejected:
            self.rejected.append((body, envelope, str(rejected)))
            return f"rejected:{rejected}"
        optouts_before = self.optouts()
        if copy.kind == "result":
            outcome_ = self.apply_result(copy)
        else:
            outcome_ = self.apply_event(copy)
        self.note_optouts(copy, optouts_before)
        return outcome_

    def apply_result(self, copy):
        before = self.drop(copy.id)
        self.drops.setdefault(copy.id, []).append(copy)
        after = self.drop(copy.id)
        if before is None:
            self.note_minute(copy, outcome(after))
            if copy.unknown:
                self.note_name(self.unknown_reasons, copy.unknown)
            self.note_result("result", after)
            return "counted"
        changed = (before.success, before.reason) != (after.success, after.reason)
        tally = self.revisions if changed else self.duplicates
        tally[after.campaign] = tally.get(after.campaign, 0) + 1
        if changed:
            self.note_result("revised", after)
        elif (before.foreign_id, before.phone, before.campaign) != (after.foreign_id, after.phone, after.campaign):
            self.note_result("filled", after)
        return "revised" if changed else "duplicate"

    def apply_event(self, copy):
        known = self.events[copy.kind]
        seen = copy.id in known
        state_before = self.event_given_state(copy.campaign)
        known.setdefault(copy.id, []).append(copy)
        state_after = self.event_given_state(copy.campaign)
        if copy.kind == "campaign" and (state_before or [None])[0] != state_after[0]:
            state, time = state_after
            self.stream.append(entry("campaign", campaign=copy.campaign, outcome=state, at=iso(time)))
        if seen:
            self.duplicates[copy.campaign] = self.duplicates.get(copy.campaign, 0) + 1
            return "duplicate"
        if copy.kind == "other":
            self.note_name(self.event_names, cut(copy.name))
            return "unrecognized"
        return copy.kind

    # -- how it went --

    def note_minute(self, copy, name):
        counts = self.minutes.setdefault(minute(copy.received), {})
        counts[name] = counts.get(name, 0) + 1

    @staticmethod
    def note_name(table, name):
        if name not in table and len(table) >= 255:
            name = "(more)"
        table[name] = table.get(name, 0) + 1

    def note_result(self, kind, drop):
        self.stream.append(
            entry(
                kind,
                drop_id=drop.shown_id,
                foreign_id=drop.foreign_id,
                phone=drop.phone,
                campaign=drop.campaign,
                outcome=outcome(drop),
                reason=drop.reason,
                at=iso(drop.at),
            )
        )

    def note_optouts(self, copy, before):
        (everywhere, lists), (everywhere_before, lists_before) = self.optouts(), before
        drop = self.drop(copy.id) if copy.kind == "result" else None
        for phone, time in everywhere.items():
            new = [name for name in lists if phone in lists[name] and phone not in lists_before.get(name, {})]
            if phone not in everywhere_before:
                self.note_minute(copy, "opt_out")
                new = new or [""]
            for name in new:
                self.stream.append(
                    entry(
                        "opt_out",
                        drop_id=drop.shown_id if drop else "",
                        foreign_id=drop.foreign_id if drop else copy.foreign_id,
                        phone=phone,
                        campaign=name,
                        at=iso(drop.opts_out_at if drop else copy.time),
                    )
                )


def outcome(drop):
    return "success" if drop.success else "failure"


def entry(kind, **fields):
    """What is unknown is left out."""
    return {"kind": kind, **{name: text for name, text in fields.items() if text}}
