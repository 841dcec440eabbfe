"""What docs/integrate.md shows works: with the real appliance, or at least by the words of the contract."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import expect

from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.commands import COMMANDS, Answer
from firmware_app.ward.health_message import Health
from firmware_app.ward.messages import TOPICS, Payload, ResultMessage, Status
from tests.conftest import PROGRAMS
from tests.firmware_app.department_ward import CHROMIUM, MQTT_JS, ROOT, chromium, page_in, until

PAGE = (ROOT / "docs" / "integrate.md").read_text(encoding="utf-8")
DEVICE = "fibrostage/v1/site/room-1"
TEMPLATES = {"state_topic": "value_template", "availability_topic": "availability_template"}
MODELS: dict[str, type[Payload]] = {"status": Status, "result": ResultMessage, "health": Health}


def blocks(language: str) -> list[str]:
    """The code of the page, in the order in which it stands."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def is_known(topic: str) -> bool:
    """Whether the contract has this topic."""
    place = re.fullmatch(r"fibrostage/v1/(?:\+|site)/(?:\+|room-1)/(\w+)(?:/([\w-]+))?", topic)
    if place is None:
        return False
    kind, name = place.groups()
    return (kind in TOPICS and name is None) or (kind == "command" and name in COMMANDS) or kind == "answer"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateBroker]:
    """A broker that serves the page."""
    with PrivateBroker(page=page_in(tmp_path / "page")) as running:
        yield running


@pytest.fixture
def appliance(tmp_path: Path, broker: PrivateBroker) -> Iterator[None]:
    """The real appliance, whose scanner is switched off."""
    config = tmp_path / "fibrostage.toml"
    config.write_text(
        f'version = 2\nsite = "site"\ndevice = "room-1"\nroom = "Room 1"\n'
        f'[source]\nkind = "phantom"\nsocket = "{tmp_path / "scanner.sock"}"\n'
        f'width = 720\nheight = 540\nfps = 10\n[sink]\nkind = "none"\n[health]\nevery_s = 1\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
    )
    with (tmp_path / "appliance.log").open("wb") as log:
        child = subprocess.Popen([PROGRAMS / "fibrostage", "run", "--config", config], stderr=log)
        try:
            yield
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(30) == 0


def command(broker: PrivateBroker, name: str, content: str) -> Answer:
    """Run the page's second program, as it stands; the appliance answers."""
    address = [broker.host, str(broker.port), DEVICE]
    program = [sys.executable, "-c", blocks("python")[1], *address, name, content]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    return Answer.model_validate_json(ended.stdout)


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
@pytest.mark.skipif(MQTT_JS is None, reason="mqtt.js is not installed: make setup-test")
def test_commands_and_heartbeat_of_the_real_appliance(broker: PrivateBroker, appliance: None) -> None:
    """The page's command is answered by the real appliance, and the department page shows what it does."""
    with chromium() as browser:
        page = browser.new_page(locale="en-GB")
        page.goto(broker.page_url)
        card = page.locator(".card")
        expect(card.locator("h2")).to_have_text("Room 1", timeout=60_000)
        begun = command(broker, "start", "{}")
        assert (begun.ok, begun.command) == (True, "start")
        expect(card.locator("[data-part=phase]")).to_have_text("Scanning")
        expect(card.locator("[data-part=count]")).to_have_text("0 of 5")
        refused = command(broker, "finish", json.dumps({"exam_id": "00000000-0000-4000-8000-000000000000"}))
        assert (refused.ok, refused.fault) == (False, "other_exam")
        assert command(broker, "cancel", json.dumps({"exam_id": str(begun.exam_id)})).ok
        expect(card.locator("[data-part=phase]")).to_have_text("Closed")
        until(page, "appliances.get('site/room-1').beatEveryMs > 0")


def test_node_red_flow_hangs_together() -> None:
    """Every wire and broker of the flow exists, and every topic is one of the contract."""
    (text,) = blocks("json")
    nodes: dict[str, dict[str, Any]] = {node["id"]: node for node in json.loads(text)}
    for node in nodes.values():
        assert all(target in nodes for output in node.get("wires", []) for target in output)
        if "topic" in node:
            assert is_known(node["topic"]), node["topic"]
            assert nodes[node["broker"]]["type"] == "mqtt-broker"
    answers = [prop["v"] for prop in nodes["fs4"]["props"] if prop["p"] == "responseTopic"]
    assert answers == [nodes["fs6"]["topic"]]


def test_home_assistant_names_what_the_contract_has() -> None:
    """Topics and keys of the templates are those of the contract."""
    (text,) = blocks("yaml")
    platforms = yaml.safe_load(text)["mqtt"]
    entities = [entity for listed in platforms.values() for entity in listed]
    assert len({entity["unique_id"] for entity in entities}) == len(entities) == 3
    for entity in entities:
        assert all(is_known(value) for key, value in entity.items() if key.endswith("_topic"))
        for topic, template in TEMPLATES.items():
            if topic in entity:
                model = MODELS[entity[topic].rsplit("/", 1)[1]]
                named = re.findall(r"value_json\.(\w+)", entity[template])
                assert named
                assert set(named) <= set(model.model_fields)
