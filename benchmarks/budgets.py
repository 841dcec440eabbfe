"""Every budget of the design: its name, what it says, its limit, and which benchmark measures it.

A budget is a promise, so the worst of the runs counts. Where one is missed on the machine of the committed
figures, `why_missed` says why; the text is shown only while it is missed.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

Relation = Literal["<=", "<", ">="]
RELATIONS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise about speed or loss.

    Attributes:
        name: in `budget NAME VALUE LIMIT met|missed`; the unit is its last word where there is one.
        says: in words.
        relation: of the value to the limit.
        source: the benchmark, or `faults` and `soak`, whose figures it is in.
    """

    name: str
    says: str
    relation: Relation
    limit: float
    unit: str
    source: str
    why_missed: str = ""

    def is_met(self, value: float) -> bool:
        """Whether this value keeps the promise."""
        return bool(RELATIONS[self.relation](value, self.limit))

    def worst(self, values: list[float]) -> float:
        """Of several runs, the value furthest on the wrong side."""
        return min(values) if self.relation == ">=" else max(values)

    def line(self, value: float) -> str:
        """`budget NAME VALUE LIMIT met|missed`."""
        return f"budget {self.name} {value:.4g} {self.limit:g} {'met' if self.is_met(value) else 'missed'}"


BUDGETS = (
    Budget(
        "screen_reading_median_ms",
        "screen reading, crop and stiffness of one frame on one core, median",
        "<=", 4, "ms", "screen_reading",
        "on the machine of [screen reading](screen-reading.md) it took 3.04 ms for a picture of this size; "
        "on this one the steps of a frame take about twice as long",
    ),
    Budget(
        "screen_reading_p99_ms", "the same, 99th percentile", "<=", 8, "ms", "screen_reading",
        "as above (3.49 ms on that machine)",
    ),
    Budget(
        "display_latency_p99_frames",
        "latency that the display branch adds while inference runs, 99th percentile",
        "<", 1, "frames", "whole_appliance",
        "scanner, broker, inference and display share the processors; `display_branch`, whose source and "
        "consumers cost less, shows the branch alone",
    ),
    Budget(
        "display_dropped_frames", "frames that the display drops meanwhile", "<=", 0, "frames",
        "whole_appliance",
    ),
    Budget(
        "inference_ms", "GM+EM in INT8 on the processor, median", "<=", 60, "ms", "inference",
        "agreement with float32 went first: 31 layers compute in INT8, the others in float32 "
        "([ADR 12](decisions/0012-rounding-with-feedback.md)); where the processor cannot sum INT8 products "
        "exactly, all do ([ADR 24](decisions/0024-int8-in-float32.md)): the operations of an acquisition, "
        "divided by the measured ceiling of float32, already take longer than the limit there (`inference`)",
    ),
    Budget(
        "inference_over_torch_eager", "times as fast as the same network in torch eager, in the same run",
        ">=", 2, "", "inference",
        "the same arithmetic as for `inference_ms`: float32 gives little beside torch's own float32",
    ),
    Budget(
        "result_p95_s", "fifth freeze stable until the result is at a subscriber, 95th percentile",
        "<=", 1, "s", "whole_appliance",
    ),
    Budget("signal_loss_told_s", "signal lost until it is told, longest", "<=", 1, "s", "capture_states"),
    Budget("signal_back_s", "signal back until the picture is, longest", "<=", 3, "s", "capture_states"),
    Budget("results_lost", "results lost over broker outages and kill -9", "<=", 0, "", "faults"),
    Budget("memory_growth_percent", "growth of memory over a soak of 30 minutes", "<=", 1, "%", "soak"),
    Budget(
        "cold_start_s", "start of the process until the first frame is analysed, on the processor",
        "<=", 5, "s", "whole_appliance",
        "imports, compiling the graph, the self-test's golden crops and the reader of texts take about seven "
        "seconds of processor time, divided among two cores (`profile_path`), while the scanner plays",
    ),
)  # fmt: skip
BY_NAME = {budget.name: budget for budget in BUDGETS}
