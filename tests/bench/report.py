"""Figures by name, each measured several times: a table for people, JSON for programs."""

import statistics

ROW = "  {:<56} {:>12} {:>22}  {}"


class Report:
    def __init__(self):
        self.rows = {}  # (section, name, unit) -> values, in the order of the first measurement

    def add(self, section, name, unit, value):
        self.rows.setdefault((section, name, unit), []).append(value)

    def median(self, section, name):
        for (of, called, _), values in self.rows.items():
            if (of, called) == (section, name):
                return statistics.median(values)
        raise KeyError((section, name))

    def as_json(self):
        return [
            {"section": section, "name": name, "unit": unit, "median": statistics.median(values), "values": values}
            for (section, name, unit), values in self.rows.items()
        ]

    def print_section(self, wanted):
        print(f"\n{wanted}")
        for (section, name, unit), values in self.rows.items():
            if section == wanted:
                spread = f"{shown(min(values))} to {shown(max(values))}" if len(values) > 1 else "once"
                print(ROW.format(name, shown(statistics.median(values)), spread, unit), flush=True)


def shown(value):
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
