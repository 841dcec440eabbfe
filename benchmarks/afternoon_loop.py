"""The appliance that a competent user writes in an afternoon: one loop, OpenCV, ONNX Runtime, paho.

It reads the video with OpenCV's VideoCapture, takes a picture that stands still for a freeze, looks for the
colour box by its colours and for the Q-box by HoughCircles, scores both crops with the bundle's own graph in
ONNX Runtime, publishes the mean of five, and draws square, ring and text on every frame. It knows the layout
of the screen beforehand. It reads no text and no stiffness, asks nobody whether the picture is good enough,
does not notice another patient, and loses everything when it is killed.

    python -m benchmarks.afternoon_loop VIDEO GRAPH HOST PORT [--clock FILE]

`--clock` is the benchmark's: the file, an npz, holds `first_frame_s` and `shown` (n, 2), monotonic ns and ns
since the scanner put the frame out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.exam import stamp

ROOT = "fibrostage/v1/afternoon/loop"
PANE, PANES_APART = (311, 141, 775, 440), 451
"""The elastogram's pane at 1440x1080 (x, y, width, height), and how far below it the gray-scale one is."""
STILL, STILL_S = 0.05, 0.4
"""Mean difference in levels below which nothing moves (a frozen picture is the same again and again), and for
how long, as the appliance wants it."""
SIDE, NEEDED = 299, 5
Picture = npt.NDArray[np.uint8]
Circle = tuple[int, int, int]


class Loop:
    """What the loop knows from one frame to the next."""

    def __init__(self, session: onnxruntime.InferenceSession, client: paho.Client) -> None:
        self.session = session
        self.client = client
        self.last: Picture | None = None
        self.still_since_s = time.monotonic()
        self.measured = False
        self.scores: list[npt.NDArray[np.float32]] = []
        self.circle: Circle | None = None
        self.text = ""

    def see(self, frame: Picture) -> None:
        """One frame: has the picture been frozen long enough? Then measure it, once."""
        x, y, width, height = PANE
        small = cv2.resize(frame[y : y + height, x : x + width], None, fx=0.25, fy=0.25)
        gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        now_s = time.monotonic()
        if self.last is None or cv2.absdiff(gray, self.last).mean() > STILL:
            self.still_since_s, self.measured, self.circle = now_s, False, None
        self.last = gray
        if not self.measured and now_s - self.still_since_s >= STILL_S:
            self.measure(frame)

    def measure(self, frame: Picture) -> None:
        """A frozen picture: find the Q-box, score both crops, publish the mean of five."""
        x, y, width, height = PANE
        hsv = cv2.cvtColor(frame[y : y + height, x : x + width], cv2.COLOR_BGR2HSV)
        mask = cv2.inRange(hsv, np.array((0, 60, 40)), np.array((179, 255, 255)))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not contours:
            return
        left, top, box_width, box_height = cv2.boundingRect(max(contours, key=cv2.contourArea))
        left, top = left + x, top + y
        inside = frame[top : top + box_height, left : left + box_width]
        circles = cv2.HoughCircles(
            cv2.medianBlur(cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY), 5),
            cv2.HOUGH_GRADIENT, 1, 60, param1=120, param2=40, minRadius=20, maxRadius=100,
        )  # fmt: skip
        if circles is None:
            return
        ring_x, ring_y, radius = (round(float(value)) for value in circles[0][0])
        self.circle = ring_x + left, ring_y + top, radius
        side = min(box_width, box_height)
        corner_x = min(max(self.circle[0] - side // 2, left), left + box_width - side)
        self.scores.append(self.score(frame, corner_x, top, side))
        self.measured = True
        self.text = f"{len(self.scores)} of {NEEDED}"
        if len(self.scores) == NEEDED:
            self.publish()

    def score(self, frame: Picture, x: int, y: int, side: int) -> npt.NDArray[np.float32]:
        """P(>=S2), P(>=S3), P(S4) of one acquisition."""
        crops = {}
        for name, down in (("elastogram", 0), ("gray", PANES_APART)):
            crop = cv2.resize(frame[y + down : y + down + side, x : x + side], (SIDE, SIDE))
            crops[name] = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.uint8)[np.newaxis]
        return np.asarray(self.session.run(["probabilities_gm_em"], crops)[0][0], np.float32)

    def publish(self) -> None:
        """The mean of five, and begin again."""
        mean = np.mean(self.scores, axis=0)
        payload = json.dumps({"type": "result", "probabilities": [float(p) for p in mean]})
        self.client.publish(f"{ROOT}/result", payload, qos=1)
        self.text = f"S{int((mean > 0.5).sum()) + 1}"
        self.scores = []

    def draw(self, frame: Picture) -> None:
        """The overlay."""
        yellow, white = (0, 230, 240), (255, 255, 255)
        if self.circle is not None:
            cv2.circle(frame, self.circle[:2], self.circle[2] + 4, yellow, 2, cv2.LINE_AA)
        cv2.rectangle(frame, PANE[:2], (PANE[0] + PANE[2], PANE[1] + PANE[3]), yellow, 2)
        for number, line in enumerate((self.text, "for research use only")):
            cv2.putText(
                frame, line, (20, 620 + 50 * number), cv2.FONT_HERSHEY_SIMPLEX, 1, white, 2, cv2.LINE_AA
            )


def main() -> int:
    """Run until the video ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("video")
    parser.add_argument("graph", help="graph.onnx of a bundle")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--clock", type=Path)
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(options.graph, providers=["CPUExecutionProvider"])
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect(options.host, options.port)
    client.loop_start()
    loop = Loop(session, client)
    capture = cv2.VideoCapture(options.video)
    first_frame_s, shown = float("nan"), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        put_out_ns = stamp.read(frame[-stamp.ROW, :, 1])
        loop.see(frame)
        loop.draw(frame)
        now_ns = time.monotonic_ns()
        shown.append((now_ns, now_ns - put_out_ns))
        if np.isnan(first_frame_s):
            first_frame_s = now_ns / 1e9
            client.publish(f"{ROOT}/status", json.dumps({"state": "online", "capture": "live"}), qos=1)
    client.loop_stop()
    if options.clock is not None:
        np.savez(options.clock, first_frame_s=first_frame_s, shown=np.array(shown, np.int64).reshape(-1, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
