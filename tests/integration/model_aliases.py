"""What an alias does to the model: docs/classification.md, 6. The base of the model in model.py, which has the copies."""


class Aliases:
    """Two names of one campaign. `alias` and `remove` return what dropctl's script answers first."""

    def __init__(self):
        self.aliases = {}  # id -> the campaign's name
        self.former = set()  # (id, name) of all that was ever merged: lookups may show the id until the drop changes
        self.touched = False  # Redis holds a schema, even without copies

    def named(self, copy):
        """A copy that comes now."""
        return copy._replace(campaign=self.aliases.get(copy.campaign, copy.campaign))

    def alias(self, id_, name):
        name = self.aliases.get(name, name)
        if name == id_:
            return "cycle"
        if id_ in self.aliases:
            return "same" if self.aliases[id_] == name else "taken"
        for alias, campaign in self.aliases.items():
            self.aliases[alias] = name if campaign == id_ else campaign
        self.aliases[id_] = name
        self.former |= {(earlier, name) for earlier, campaign in self.former if campaign == id_} | {(id_, name)}
        self.touched = True
        self.rename_copies(id_, name)
        for counts in (self.duplicates, self.revisions):
            if id_ in counts:
                counts[name] = counts.get(name, 0) + counts.pop(id_)
        self.merge_days(id_, name)
        for pair in list(self.links):
            if len({self.aliases.get(one, one) for one in pair.split("|")}) == 1 and "|" in pair:
                del self.links[pair]
        return "merged"

    def remove(self, id_):
        if id_ not in self.aliases:
            return "none"
        del self.aliases[id_]
        self.touched = True
        return "removed"

    def rename_copies(self, id_, name):
        """Which campaign a drop has was decided by the names of then: only a copy that comes now can change that."""
        for drop, copies in self.drops.items():
            if any(copy.campaign == id_ for copy in copies):
                chosen = self.naming(copies)
                copies = [copy if copy is chosen else copy._replace(rank=-1) for copy in copies]
            self.drops[drop] = renamed(copies, id_, name)
        for events in self.events.values():
            for event in events:
                events[event] = renamed(events[event], id_, name)

    def merge_days(self, id_, name):
        for key in [key for key in self.days if key.startswith(f"campaign:{id_}:day:")]:
            counts = self.days.setdefault(f"campaign:{name}:day:{key.rsplit(':', 1)[1]}", {})
            for field, count in self.days.pop(key).items():
                counts[field] = counts.get(field, 0) + count


def renamed(copies, id_, name):
    return [copy._replace(campaign=name) if copy.campaign == id_ else copy for copy in copies]
