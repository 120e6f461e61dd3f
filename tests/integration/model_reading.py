"""What one copy says by docs/classification.md: its kind, outcome, reason, opt-out, campaign and identity. Shares no code with
the worker and was written from the documents alone; of the worker it reads one table, workers/reasons.def, which the
documents name as the definition of slugs, codes and texts."""

import hashlib
import re
from collections import namedtuple
from pathlib import Path

from model_values import (
    Rejected, as_text, candidates, costs_of, cut, data_of, first_nonempty, first_text, flags_of, fold, foreign_id_of, lower,
    phone_of, read_code, read_json, time_of,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
UNASSIGNED = "unassigned"

# One reason of reasons.def.
Reason = namedtuple("Reason", "number slug codes texts")

# A copy that was understood. Kinds: result, opt_out, campaign, other.
Copy = namedtuple(
    "Copy",
    "kind id shown_id time received campaign rank success reason receipt costs flags opts_out unknown phone foreign_id "
    "state name",
)


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
