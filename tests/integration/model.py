"""What Redis must hold after a sequence of copies: docs/classification.md said again, in the plainest way.

The model keeps every copy and computes everything from the whole set each time. What one copy says is in model_reading.py.
"""

import datetime
from collections import namedtuple

from model_aliases import Aliases
from model_reading import UNASSIGNED, Reader, read_reasons
from model_values import Rejected, cut

Settings = namedtuple("Settings", "retention_s result_ttl_s results_stream_max separator")
DEFAULTS = Settings(604800, 86400, 100000, "")

Drop = namedtuple("Drop", "shown_id success reason at costs flags foreign_id phone campaign opts_out_at told_at")


# ---- what follows from the copies ----


def iso(ms):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def minute(ms):
    return "minute:" + iso(ms)[:16].translate(str.maketrans("", "", "-T:"))


def day(ms):
    return "day:" + iso(ms)[:10].replace("-", "")


def distinct(values):
    return list(dict.fromkeys(value for value in values if value))


class Model(Aliases):
    """Copies in, keys out. `apply` each copy in the order in which the worker did; `state` at any time."""

    def __init__(self, settings, now, reasons=None):
        super().__init__()
        self.settings = settings
        self.now = now
        self.reasons = reasons or read_reasons()
        self.reader = Reader(settings, self.reasons)
        self.drops = {}  # identity -> every copy of the drop
        self.events = {"opt_out": {}, "opt_in": {}, "campaign": {}, "other": {}}  # kind -> identity -> every copy
        self.rejected = []  # (body, envelope, reason); among them what was counted as an opt-out
        # What tells how it went.
        self.duplicates = {}  # campaign -> count
        self.revisions = {}
        self.stream = []
        self.minutes = {}
        self.days = {}
        self.unknown_reasons = {}
        self.event_names = {}
        self.links = {}
        self.unnoted = None  # an opt-out event that has not reached the drop that it names yet

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
        named = self.naming(copies)
        opting_out = [copy for copy in copies if copy.opts_out] + self.notes(id_)
        told = [copy.time for copy in opting_out if copy.told]
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
            opts_out_at=min((copy.time for copy in opting_out), default=None),
            told_at=min(told, default=None),
        )

    @staticmethod
    def naming(copies):
        """Of the copies of a drop the one that gives it its campaign."""
        return min(copies, key=lambda copy: (-copy.rank, copy.received, copy.campaign))

    def notes(self, id_):
        """The opt-out events that name a drop."""
        events = [copy for copies in self.events["opt_out"].values() for copy in copies]
        return [copy for copy in events if copy.drop and copy.drop[0] == id_ and copy is not self.unnoted]

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
        """(phone -> ms of everybody who is not to be called, campaign -> phone -> ms of those who were told of)."""
        everywhere = {}

        def add(phone, campaigns, time, told):
            everywhere[phone] = min(time, everywhere.get(phone, time))
            for campaign in campaigns if told is not None else []:
                if campaign != UNASSIGNED:
                    phones = lists.setdefault(campaign, {})
                    phones[phone] = min(told, phones.get(phone, told))

        lists = {}

        for id_, copies in self.drops.items():
            drop = self.drop(id_)
            if drop.opts_out_at is None:
                continue
            phones = distinct(copy.phone for copy in copies)
            named = [copy.campaign for copy in copies + self.notes(id_)]
            campaigns = distinct(campaign for campaign in named if campaign != UNASSIGNED)
            assert len(phones) <= 8 and len(campaigns) <= 8, "past 8 the order decides: not for the model"
            for phone in phones:
                add(phone, campaigns, drop.opts_out_at, drop.told_at)
        for copies in self.events["opt_out"].values():
            for copy in copies:
                if copy.phone:
                    add(copy.phone, [copy.campaign], copy.time, copy.time if copy.told else None)
        return everywhere, lists

    def optins(self):
        """phone -> ms of the latest event that says that it opted in again."""
        latest = {}
        for copies in self.events["opt_in"].values():
            for copy in copies:
                if copy.phone:
                    latest[copy.phone] = max(copy.time, latest.get(copy.phone, copy.time))
        return latest

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
        if campaign == UNASSIGNED:
            return fields
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
            "optins": ("zset", self.optins()),
            "campaign_links": ("hash", {names: str(n) for names, n in self.links.items()}),
            "campaigns": ("zset", {}),
            "unknown_reasons": ("hash", {text: str(n) for text, n in self.unknown_reasons.items()}),
            "events": ("hash", {text: str(n) for text, n in self.event_names.items()}),
            "schema": ("string", "2"),
            "campaign_aliases": ("hash", dict(self.aliases)),
        }
        for name in names:
            mine = [drop for drop in drops if drop.campaign == name]
            phones = lists.get(name, {})
            keys["campaigns"][1][name] = max(copy.time for copy in self.copies() if copy.campaign == name)
            keys[f"campaign:{name}"] = ("hash", self.campaign(name))
            keys[f"campaign:{name}:counters"] = ("hash", self.counters(mine, {name}, len(phones)))
            keys[f"campaign:{name}:reasons"] = ("hash", self.reason_counts(mine))
            keys[f"campaign:{name}:optouts"] = ("zset", phones)
        for key, counts in [*self.minutes.items(), *self.days.items()]:
            keys[key] = ("hash", {name: str(n) for name, n in counts.items()})
        if self.settings.result_ttl_s:
            for foreign_id, fields in self.results().items():
                keys[f"result:{foreign_id}"] = ("string", fields)
        if self.settings.results_stream_max:
            keys["results"] = ("stream", list(self.stream))
        if not names and not self.touched:
            del keys["schema"]
        return {key: value for key, value in keys.items() if value[1]}

    # -- one copy more --

    def apply(self, body, envelope):
        """Takes a copy and returns what becomes of it, in the words of the worker's counters."""
        envelope = {"received_at": self.now, **envelope}
        try:
            copy = self.named(self.reader.read(body, envelope))
        except Rejected as rejected:
            self.rejected.append((body, envelope, str(rejected)))
            return f"rejected:{rejected}"
        if copy.rejected_as:
            self.rejected.append((body, envelope, copy.rejected_as))
        before = self.optouts()
        if copy.kind == "result":
            outcome_ = self.apply_result(copy)
            self.note_optouts(copy, before, self.drop(copy.id))
            return outcome_
        self.unnoted = copy
        outcome_ = self.apply_event(copy)
        self.note_optouts(copy, before, None)
        before, self.unnoted = self.optouts(), None
        if copy.drop:
            self.note_optouts(copy, before, self.drop(copy.drop[0]))
        return outcome_

    def apply_result(self, copy):
        before = self.drop(copy.id)
        heard = {earlier.campaign for earlier in self.drops.get(copy.id, []) + self.notes(copy.id)}
        self.drops.setdefault(copy.id, []).append(copy)
        after = self.drop(copy.id)
        if before is None:
            self.note_minute(copy, outcome(after))
            counts = self.days.setdefault(f"campaign:{after.campaign}:{day(copy.received)}", {})
            counts[outcome(after)] = counts.get(outcome(after), 0) + 1
            if sum(after.costs):
                counts["cost_micros"] = counts.get("cost_micros", 0) + sum(after.costs)
            if copy.unknown:
                self.note_name(self.unknown_reasons, copy.unknown)
            self.note_result("result", after)
            return "counted"
        changed = (before.success, before.reason) != (after.success, after.reason)
        tally = self.revisions if changed else self.duplicates
        tally[after.campaign] = tally.get(after.campaign, 0) + 1
        other = before.campaign if copy.campaign == after.campaign else copy.campaign
        if copy.campaign not in heard and UNASSIGNED not in (other, after.campaign):
            self.note_name(self.links, f"{after.campaign}|{other}")
        if changed:
            self.note_result("revised", after)
        elif (before.foreign_id, before.phone, before.campaign) != (after.foreign_id, after.phone, after.campaign):
            self.note_result("filled", after)
        return "revised" if changed else "duplicate"

    def apply_event(self, copy):
        known = self.events[copy.kind]
        seen = copy.id in known
        if copy.kind == "opt_in" and copy.phone and copy.time > self.optins().get(copy.phone, -1):
            campaign = "" if copy.campaign == UNASSIGNED else copy.campaign
            self.stream.append(entry("opt_in", phone=copy.phone, campaign=campaign, at=iso(copy.time)))
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

    def note_optouts(self, copy, before, drop):
        """What is new since then on the lists: as phones of a drop, or as that of an event."""
        (everywhere, lists), (everywhere_before, lists_before) = self.optouts(), before
        for phone in everywhere:
            new = [name for name in lists if phone in lists[name] and phone not in lists_before.get(name, {})]
            for name in new:
                counts = self.days.setdefault(f"campaign:{name}:{day(copy.received)}", {})
                counts["opt_out"] = counts.get("opt_out", 0) + 1
            if phone not in everywhere_before:
                self.note_minute(copy, "opt_out")
                new = new or [""]
            for name in new:
                self.stream.append(
                    entry(
                        "opt_out",
                        drop_id=drop.shown_id if drop else copy.drop[1] if copy.drop else "",
                        foreign_id=drop.foreign_id if drop else copy.foreign_id,
                        phone=phone,
                        campaign=name,
                        at=iso((drop.told_at if name else drop.opts_out_at) if drop else copy.time),
                    )
                )


def outcome(drop):
    return "success" if drop.success else "failure"


def entry(kind, **fields):
    """What is unknown is left out."""
    return {"kind": kind, **{name: text for name, text in fields.items() if text}}
