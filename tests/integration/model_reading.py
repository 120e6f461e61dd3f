"""What one copy says by docs/classification.md: its kind, outcome, reason, opt-out, campaign and identity. Shares no code with
the worker and was written from the documents alone; of the worker it reads one table, common/drops/reasons.def, which the
documents name as the definition of slugs, codes and texts."""

import hashlib
import re
from collections import namedtuple
from pathlib import Path

from model_values import (
    WHITE, Rejected, as_text, candidates, costs_of, cut, data_of, first_flag, first_nonempty, flags_of, fold, foreign_id_of,
    lower, phone_of_contact, phone_of_result, read_codes, read_json, session_dnc, time_of,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
UNASSIGNED = "unassigned"

# One reason of reasons.def.
Reason = namedtuple("Reason", "number slug codes texts")

# A copy that was understood. Kinds: result, opt_out, opt_in, campaign, other.
Copy = namedtuple(
    "Copy",
    "kind id shown_id time received campaign rank success reason receipt costs flags opts_out told drop unknown "
    "phone foreign_id state name rejected_as",
)


def read_reasons(path=ROOT / "common" / "drops" / "reasons.def"):
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
    if separator and separator in foreign_id and foreign_id.split(separator)[0]:
        ids.append((campaign_name(foreign_id.split(separator)[0]), 2))
    data = data_of(body)
    texts = [as_text(value) for value in candidates(body, "campaign_id")]
    if isinstance(data.get("campaign"), dict):
        texts.append(as_text(data["campaign"].get("id")))
    texts.append(as_text(data.get("campaign")))
    texts += [as_text(value) for value in candidates(body, "campaign_name")]
    if lower(name).startswith("campaign."):
        texts.append(as_text(data.get("id")))
    ids += [(campaign_name(text), 1) for text in texts if text]
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


STATES = {
    "campaign.scheduled": "scheduled",
    "campaign.paused": "paused",
    "campaign.stopped": "paused",
    "campaign.started": "running",
    "campaign.resumed": "running",
    "campaign.completed": "completed",
}
OPT_OUT_NAMES = {"contact.opted_out", "contact.opted-out", "contact.msg.opt_out", "contact.consent.revoked",
                 "contact.unsubscribed"}  # fmt: skip
OPT_IN_NAMES = {"contact.consent.granted", "contact.opted_in", "contact.msg.opt_in"}
OUT_TEXTS = {"stop", "stop all", "stopall", "quit", "end", "revoke", "opt out", "optout", "cancel", "unsubscribe"}
IN_TEXTS = {"in", "opt in", "start", "unstop", "yes"}
SUCCESSES = {"success", "delivered"}
FAILURES = {"failure", "failed", "undelivered", "undeliverable", "rejected", "expired", "blocked", "busy", "no answer",
            "error"}  # fmt: skip
INTERIM = {"queued", "pending", "accepted", "scheduled", "processing", "sending", "sent"}


def name_of(body):
    """`type`, else `event`, without the spaces around it; only texts are names."""
    names = [body[key].strip(WHITE) for key in ("type", "event") if isinstance(body.get(key), str)]
    return next((name for name in names if name), "")


def sounds_like_opt_out(name):
    return any(part in fold(name) for part in ("optout", "opt out", "optedout", "opted out", "unsub", "revok"))


def is_opt_in(body):
    """What contact.msg.opt says."""
    texts = [first_nonempty(body, field) or "" for field in ("action", "opt", "keyword", "body")] + [status_of(body)]
    flags = [first_flag(candidates(body, field)) for field in ("opted_in", "subscribed")]
    begins = any(fold(text) in IN_TEXTS for text in texts) or True in flags
    return begins and not (any(fold(text) in OUT_TEXTS for text in texts) or False in flags)


def kind_of(name, body):
    """result, opt_out, opt_in, campaign or other, by the name."""
    name = lower(name)
    if name in STATES:
        return "campaign"
    if name in OPT_OUT_NAMES:
        return "opt_out"
    if name in OPT_IN_NAMES:
        return "opt_in"
    if name == "contact.msg.opt":
        return "opt_in" if is_opt_in(body) else "opt_out"
    if name == "contact.msg.received":
        return "opt_out" if fold(first_nonempty(body, "body") or "") in OUT_TEXTS else "other"
    if name in ("", "message.delivered", "message.failed") or is_pattern(name, "status") or is_pattern(name, "receipt"):
        return "result"
    said = status_of(body) or first_flag(candidates(body, "dnc"))
    flat = as_text(body.get("drop_id")) and said and not isinstance(body.get("data"), dict)
    if flat:
        return "result"
    return "opt_out" if sounds_like_opt_out(name) and phone_of_contact(body) else "other"


def is_pattern(name, end):
    return bool(re.fullmatch(rf"contact\..+\.{end}", lower(name), re.DOTALL))


def status_of(body):
    """The status without the spaces around it; "" for none."""
    texts = [as_text(value) for value in candidates(body, "status")]
    return next((text.strip(WHITE) for text in texts if text and text.strip(WHITE)), "")


DENIALS = {"no", "never", "missing", "lack", "lacks", "without", "must", "include", "instructions", "language", "required",
           "pending", "hasnt", "havent", "isnt", "arent", "wasnt", "werent", "didnt", "doesnt",
           "rate", "exceeded", "invalid", "keyword"}  # fmt: skip
# Reasons that opt out, in the order of their numbers, and the words that tell of them.
OPT_OUT_PHRASES = [
    ("opted_out", ("opted out", "opt out", "optout", "unsubscribed", "unsubscribe")),
    ("internal_dnc", ("internal dnc", "dnc", "do not call")),
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


def drop_of(body):
    """What a message about a send names it by."""
    data = data_of(body)
    return first_nonempty(body, "drop_id") or as_text(data.get("message_id")) or as_text(data.get("id"))


class Reader:
    """Turns a body and its envelope into a Copy."""

    def __init__(self, settings, reasons):
        self.separator = settings.separator
        self.by_code = {code: reason.slug for reason in reasons.values() for code in reason.codes}
        self.by_text = {fold(text): reason.slug for reason in reasons.values() for text in reason.texts}

    def slugs(self, body):
        """(slug by code, slug by text), None where unknown."""
        codes, text = read_codes(body), (first_nonempty(body, "reason") or "").strip(WHITE)
        by_code = next((self.by_code[code] for code in codes if code in self.by_code), None)
        folded = fold(text if text or codes else status_of(body))
        return by_code, self.by_text.get(folded) or opt_out_told_by(folded)

    def opts_out(self, body, name):
        slugs = {slug for slug, _ in OPT_OUT_PHRASES}
        flag = first_flag(candidates(body, "dnc")) or session_dnc(body)
        return bool(slugs & set(self.slugs(body)) or flag or sounds_like_opt_out(name))

    def told(self, body):
        """Of what opts out: whether somebody did, and not only a send was blocked for it."""
        if first_flag(candidates(body, "dnc")) or session_dnc(body):
            body = {**body, "status": None, "data": {**data_of(body), "status": None}}  # of which the status tells nothing more
        slugs = [slug for slug in self.slugs(body) if slug in {slug for slug, _ in OPT_OUT_PHRASES}]
        return not slugs or slugs[0] not in ("opted_out", "internal_dnc")

    def unknown(self, body):
        codes, text = read_codes(body), first_nonempty(body, "reason")
        if text and text.strip(WHITE):
            return cut(text)
        return f"reason_code {codes[0]}" if codes else "(none)"

    def result(self, body, name):
        """(kind, success, name) of what tells of a send: a result; an opt-out, if it counts no send but tells of one that
        can be listed; else another event, or Rejected."""
        status = fold(status_of(body))
        if lower(name) in ("message.delivered", "message.failed"):
            return "result", lower(name) == "message.delivered", name
        if status in SUCCESSES | FAILURES:
            return "result", status in SUCCESSES, name
        if self.opts_out(body, name) and (phone_of_result(body) or drop_of(body)):
            return "opt_out", None, name
        if status in INTERIM:
            return "other", None, f"status:{status}"
        raise Rejected(self.refusal(body, name))

    @staticmethod
    def refusal(body, name):
        return "unusable_status" if name or status_of(body) else "unrecognized_shape"

    def read(self, raw, envelope):
        body = read_json(raw)
        name = name_of(body)
        kind, success = kind_of(name, body), None
        about_a_send = kind == "result"
        phone = phone_of_result(body) if about_a_send else phone_of_contact(body)
        rejected_as = ""
        if about_a_send:
            kind, success, name = self.result(body, name)
        if about_a_send and kind == "opt_out" and fold(status_of(body)) not in INTERIM:
            rejected_as = self.refusal(body, name)
        drop = drop_of(body) if about_a_send else first_nonempty(body, "drop_id")
        if kind == "opt_out" and not phone and not drop:
            raise Rejected("optout_without_phone")
        id_, shown = identity(drop if kind == "result" else first_nonempty(body, "event_id"), raw)
        received = envelope["received_at"]
        foreign_id = foreign_id_of(body)
        campaign, rank = campaign_of(body, name, envelope, foreign_id, self.separator)
        if kind == "campaign" and campaign == UNASSIGNED:
            raise Rejected("campaign_unnamed")
        by_code, by_text = self.slugs(body)
        reason = "" if success or kind != "result" else by_code or by_text or "other"
        return Copy(
            kind=kind,
            id=id_,
            shown_id=shown,
            time=time_of(body, received, kind == "campaign"),
            received=received,
            campaign=campaign,
            rank=rank,
            success=success,
            reason=reason,
            receipt=is_pattern(name, "receipt"),
            costs=costs_of(body),
            flags=flags_of(body),
            opts_out=self.opts_out(body, name),
            told=self.told(body) if about_a_send else True,
            drop=identity(drop, raw) if kind == "opt_out" and drop else None,
            unknown=self.unknown(body) if reason == "other" else "",
            phone=phone,
            foreign_id=foreign_id,
            state=STATES[lower(name)] if kind == "campaign" else None,
            name=name,
            rejected_as=rejected_as,
        )
