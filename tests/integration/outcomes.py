"""What becomes of a message, and how /metrics names it: the rows of workers/outcomes.def."""

import pathlib
import re

ROWS = re.findall(r'^(OUTCOME|WITHIN|REJECTION)\((?:\w+, )+"(\w+)"',
                  (pathlib.Path(__file__).resolve().parents[2] / "workers" / "outcomes.def").read_text(), re.MULTILINE)
APPLIED = tuple(slug for kind, slug in ROWS if kind == "OUTCOME")
WITHIN = tuple(slug for kind, slug in ROWS if kind == "WITHIN")  # parts of those
REJECTED = tuple(slug for kind, slug in ROWS if kind == "REJECTION")
# What dropworker_consumed_total is the sum of, at rest.
BECAME = (*(f"dropworker_{slug}_total" for slug in APPLIED),
          *(f'dropworker_rejected_total{{reason="{slug}"}}' for slug in REJECTED))
