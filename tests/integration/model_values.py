"""What single values of a body are by docs/classification.md: texts, times, phones, money, flags. Shares no code with the
worker."""

import datetime
import json
import math
import re

DAY_MS = 86_400_000
YEAR_2000_MS = 946_684_800_000


class Rejected(Exception):
    """The copy belongs in the rejected queue; the text is its reason."""


WHITE = " \t\n\v\f\r"


def lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def fold(text):
    """The words alone, of ASCII letters in lower case; "" for what is longer than any reason."""
    words = re.split(r"[ \t\n\v\f\r!-/:-@\[-`{-~\u00a0\u2000-\u206f\u3000\ufeff]+", lower(re.sub("['\u2018\u2019]", "", text)))
    folded = " ".join(word for word in words if word)
    return folded if len(folded.encode()) <= 255 else ""


def read_json(body):
    """The object, or Rejected('invalid_json'): RFC 8259, UTF-8, one object, at most 32 levels deep, at most 10,000 values.
    A byte order mark in front is passed over."""
    values = 1

    def refuse(name):
        raise ValueError(name)

    def elements(value):
        return sum(1 + elements(item) for item in value) if isinstance(value, list) else 0

    def members(pairs):
        nonlocal values
        values += sum(1 + elements(value) for _, value in pairs)
        return dict(pairs)

    try:
        text = body.decode("utf-8")
        text = text[1:] if text.startswith("\ufeff") else text
        value = json.loads(text, parse_constant=refuse, parse_float=float, object_pairs_hook=members)
    except (ValueError, RecursionError):
        raise Rejected("invalid_json") from None
    if not isinstance(value, dict) or depth(value) > 32 or values > 10_000:
        raise Rejected("invalid_json")
    return value


def depth(value):
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


def as_text(value):
    """A text, or an integer of 64 bits as its digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -(2**63) < value < 2**64 - 1 else None
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


def first_nonempty(body, name):
    """The field's text; an empty one is absent."""
    return next((text for value in candidates(body, name) if (text := as_text(value))), None)


def cut(text, limit=128):
    """The first bytes of a text, not cutting a character; a NUL is shown as U+FFFD."""
    return text.replace("\0", "\ufffd").encode()[:limit].decode("utf-8", "ignore")


def read_time(value):
    """ms since 1970, or None if this is no time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip(WHITE)
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
        r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
        r"([Zz]| [Uu][Tt][Cc]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?",
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
        offset = (int(digits[:2]) * 60 + int(digits[2:] or 0)) * 60_000
        ms += -offset if zone[0] == "+" else offset
    return ms


def time_of(body, received, of_campaign_event):
    names = ["attempt_date", "event_at", "timestamp"]
    if not of_campaign_event:  # when a campaign was created is not when it was paused
        names.append("created_at")
    for value in candidates(body, *names):
        time = read_time(value)
        if time is not None:
            return time if YEAR_2000_MS <= time <= received + DAY_MS else received
    return received


def e164(text):
    """A phone number with its country code, or None."""
    text = text.strip(WHITE)
    if text[:4].lower() == "tel:":
        text = text[4:]
    text = re.split(r"ext|[x#;,]", text, maxsplit=1, flags=re.IGNORECASE | re.ASCII)[0]
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


def phone_of_result(body):
    return first_phone(candidates(body, "phone_number", "to", "phone", "contact.phone_number", "contact.main_phone"))


def phone_of_contact(body):
    """Of what a contact did. `to` is a number of ours where somebody is named in `from`."""
    values = list(candidates(body, "phone_number", "phone"))
    values += candidates(body, "contact.phone_number", "contact.phone", "contact.main_phone", "contact.mobile_phone")
    for holder in objects(body):
        contact = holder.get("contact")
        if isinstance(contact, dict):
            values += [value for name, value in contact.items()
                       if "phone" in lower(name) and not lower(name).endswith(("_at", "_id", "_type", "_count"))]
    values += candidates(body, "mobile_phone", "main_phone", "number", "contact_phone", "phoneNumber", "contact", "from")
    if not first_nonempty(body, "from"):
        values += candidates(body, "to")
    return first_phone(values)


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
        values = [value for value in candidates(body, name) if type(value) in (int, float, str) and value != ""]
        amounts.append(micros(values[0]) if values else None)
    return None if amounts == [None] * 3 else tuple(amount or 0 for amount in amounts)


def read_flag(value):
    """True or False however it is written; None for what is neither."""
    if isinstance(value, str):
        value = lower(value.strip(WHITE))
        return True if value in ("true", "yes", "1") else False if value in ("false", "no", "0") else None
    return bool(value) if isinstance(value, (bool, int, float)) and value in (0, 1) else None


def first_flag(values):
    return next((flag for value in values if (flag := read_flag(value)) is not None), None)


def session_dnc(body):
    """campaign_session.dispo.dnc, as receipts have it."""
    dispositions = [value.get("dispo") for value in candidates(body, "campaign_session") if isinstance(value, dict)]
    return first_flag(dispo.get("dnc") for dispo in dispositions if isinstance(dispo, dict))


def flags_of(body):
    """(dnc, spam), or None if neither is there."""
    dnc, spam = (first_flag(candidates(body, name)) for name in ("dnc", "spam"))
    dnc = session_dnc(body) if dnc is None else dnc
    return None if dnc is None and spam is None else (bool(dnc), bool(spam))


def foreign_id_of(body):
    texts = (as_text(value) or "" for value in candidates(body, "foreign_id"))
    return next((text for text in texts if 1 <= len(text.encode()) <= 1024), "")


def read_codes(body):
    """reason_code, then status_code: whole numbers, or texts of digits; 0 is none."""
    codes = []
    for value in candidates(body, "reason_code", "status_code"):
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
            value = int(value)
        if type(value) in (int, float) and math.isfinite(value) and value == math.floor(value) and abs(value) < 2**53:
            codes += [int(value)] if value else []
    return codes
