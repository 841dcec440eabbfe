"""The parts that the benchmark of the whole appliance measures with."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.afternoon_loop import NEEDED, Loop
from benchmarks.exam import stamp
from benchmarks.exam.measuring import first_after
from calibration.phantom import draw_acquisition, draw_patient
from tests.faults.observer import Heard

NOW_NS = 98_765_432_101_234_567


@pytest.mark.parametrize("now_ns", [0, NOW_NS, ((1 << stamp.BITS) - 1) * stamp.UNIT_NS])
def test_stamp(now_ns: int) -> None:
    """A frame tells when it was put out: in its luma, and in any colour once it is converted."""
    planes = np.full((96 * 3 // 2, 352), 128, np.uint8)
    stamp.write(planes[:96], now_ns)
    assert stamp.read(planes[96 - stamp.ROW]) == now_ns // stamp.UNIT_NS * stamp.UNIT_NS
    frame = np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420))
    for colour in range(3):
        assert stamp.read(frame[-stamp.ROW, :, colour]) == now_ns // stamp.UNIT_NS * stamp.UNIT_NS


def heard(at_s: float, kind: str, *, retained: bool = False) -> Heard:
    """A message of this type."""
    return Heard(at_s, kind, json.dumps({"type": kind}).encode(), retained)


def test_first_after() -> None:
    """A message counts for the newest moment before it, once, and not what was retained or came too late."""
    times = {0.5: "result", 10.4: "result", 10.6: "result", 20.1: "status", 40.9: "result", 49.0: "result"}
    messages = [heard(at_s, kind) for at_s, kind in times.items()]
    messages.insert(4, heard(30.2, "result", retained=True))
    assert first_after(messages, "result", [10.0, 20.0, 30.0, 40.0], 5.0) == pytest.approx([0.4, 0.9])
    assert first_after(messages, "result", [42.0], 5.0) == []
    assert first_after(messages, "result", [], 5.0) == []


class Graph:
    """Stands in for ONNX Runtime: remembers what it was given."""

    def __init__(self) -> None:
        self.crops: list[dict[str, Any]] = []

    def run(self, _outputs: list[str], crops: dict[str, Any]) -> list[Any]:
        """Always the same probabilities."""
        self.crops.append(crops)
        return [np.array([[0.9, 0.8, 0.1]], np.float32)]


class Client:
    """Stands in for paho."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, _topic: str, payload: str, qos: int) -> None:
        """Remember."""
        assert qos == 1
        self.published.append(json.loads(payload))


def test_afternoon_loop() -> None:
    """The other one is a fair one: it finds the Q-box, scores both crops, and publishes after five."""
    picture, truth = draw_acquisition(draw_patient(np.random.default_rng(5), stage=2), 0, 5)
    graph, client = Graph(), Client()
    loop: Any = Loop(graph, client)  # type: ignore[arg-type]
    for number in range(NEEDED):
        assert client.published == []
        loop.measure(picture.copy())
        assert loop.circle is not None
        assert len(graph.crops) == number + 1
    assert truth.q_box is not None
    found, true = np.array(loop.circle[:2]), np.array([truth.q_box.x, truth.q_box.y])
    assert np.abs(found - true).max() <= 3
    assert {crop.shape for crop in graph.crops[0].values()} == {(1, 299, 299, 3)}
    elastogram, gray = graph.crops[0]["elastogram"][0], graph.crops[0]["gray"][0]
    assert np.ptp(elastogram.astype(int), axis=2).mean() > 30
    assert np.ptp(gray.astype(int), axis=2).mean() < 10
    (result,) = client.published
    assert result["probabilities"] == pytest.approx([0.9, 0.8, 0.1])
    before = picture.copy()
    loop.draw(picture)
    assert (picture != before).any()
