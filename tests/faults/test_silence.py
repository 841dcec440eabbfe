"""A connection on which nothing is acknowledged, although bytes arrive, is given up and made anew."""

from __future__ import annotations

import queue
import time
from contextlib import closing

import pytest

from firmware_app.config import MqttConfig
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import publication_of, status_message
from firmware_app.ward.subscriber import Received, Subscriber
from tests.faults.proxy import Proxy
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance

NO_END_IN_SIGHT = b"\x30\xff\xff\xff\x7f"
"""The head of a PUBLISH of 256 MiB: whatever follows, acknowledgements too, is taken for its content."""


@pytest.mark.timeout(120)
def test_a_stream_that_lost_its_place_is_given_up() -> None:
    """Answers to pings keep a misunderstood line alive; what waits arrives all the same."""
    speaker = appliance()
    birth = status_message(speaker, CaptureState.LIVE, BIRTH, time_trusted=True)
    death = status_message(speaker, None, BIRTH, time_trusted=True)
    heard: queue.Queue[Received] = queue.Queue()
    with PrivateBroker() as broker, Proxy(broker.port) as proxy:
        config = MqttConfig(host=broker.host, port=proxy.port, required=True, keepalive_s=2)
        direct = MqttConfig(host=broker.host, port=broker.port)
        ward = Ward(config, speaker.root, birth, death)
        with closing(Subscriber(direct, f"{speaker.root}/acquisition", heard.put)), closing(ward):
            ward.connect()
            proxy.send_garbage(NO_END_IN_SIGHT, to_broker=False)
            time.sleep(0.2)
            _, effects = after(acquired(1))
            for effect in effects:
                made = publication_of(effect, acquired(1).at, speaker, time_trusted=True)
                if made is not None:
                    ward.publish(made)
            deadline_s = time.monotonic() + 60
            while heard.empty() and time.monotonic() < deadline_s:
                proxy.send_garbage(b"\x00", to_broker=False)
                time.sleep(0.2)
            assert not heard.empty()
