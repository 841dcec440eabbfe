"""The MQTT contract as AsyncAPI 3.0, generated from the models: `python -m firmware_app.ward.asyncapi`.

The schemas are JSON Schema 2020-12; each one is also to be had alone, see `json_schemas`.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic.json_schema import JsonSchemaValue, models_json_schema

from firmware_app.ward import messages
from firmware_app.ward.commands import COMMANDS, Answer
from firmware_app.ward.health_message import Health
from firmware_app.ward.publication import EXAM_EXPIRY_S, HEALTH_EXPIRY_S, RESULT_EXPIRY_S, ROOT
from firmware_app.wording import NOTICE

PATH = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: dict[messages.Topic, tuple[type[messages.Payload], ...]] = {
    "status": (messages.Status,),
    "exam": (messages.ExamMessage,),
    "acquisition": (messages.AcquisitionMessage, messages.RefusalMessage),
    "result": (messages.ResultMessage,),
    "health": (Health,),
}
BINDINGS: dict[messages.Topic, dict[str, int | bool | str]] = {
    "status": {"qos": 1, "retain": True},
    "exam": {"qos": 1, "retain": True, "messageExpiryInterval": EXAM_EXPIRY_S},
    "acquisition": {"qos": 1, "retain": False},
    "result": {"qos": 1, "retain": True, "messageExpiryInterval": RESULT_EXPIRY_S},
    "health": {"qos": 1, "retain": False, "messageExpiryInterval": HEALTH_EXPIRY_S},
}
SUMMARIES: dict[messages.Topic, str] = {
    "status": "Birth, life and death of an appliance; the last one is published by the broker (will).",
    "exam": "The exam as it stands, at every change.",
    "acquisition": "One acquisition, accepted or refused, with its evidence.",
    "result": "The outcome of an exam; an empty payload takes it away (new exam, or withdrawn).",
    "health": "How the appliance is, every few seconds: rates, latencies, drops, temperatures, disks.",
}
ANSWERS = "answer"
PARAMETERS = {
    "site": {"description": "hospital or department, as configured"},
    "device": {"description": "appliance, unique within the site"},
}


def json_schemas() -> dict[str, JsonSchemaValue]:
    """One self-contained JSON Schema (2020-12) for each value of `type`."""
    schemas: dict[str, JsonSchemaValue] = {}
    for models in MODELS.values():
        for model in models:
            schema = model.model_json_schema(mode="serialization")
            schemas[model.model_fields["type"].default] = {"$schema": DIALECT, **schema}
    return schemas


def document() -> JsonSchemaValue:
    """The whole contract as an AsyncAPI 3.0 document."""
    sent: list[type[messages.Payload]] = [model for group in MODELS.values() for model in group]
    sent.append(Answer)
    received: list[type[messages.Payload]] = list(COMMANDS.values())
    _, definitions = models_json_schema(
        [(model, "serialization") for model in sent] + [(model, "validation") for model in received],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fibrostage",
            "version": "1.0.0",
            "description": f"Liver fibrosis stage from 2D shear-wave elastography, over MQTT 5. {NOTICE}",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            **{topic: _channel(topic) for topic in messages.TOPICS},
            **{f"command_{name}": _command_channel(name) for name in COMMANDS},
            ANSWERS: _answer_channel(),
        },
        "operations": {
            **{f"publish_{topic}": _operation(topic) for topic in messages.TOPICS},
            **{f"receive_{name}": _command_operation(name) for name in COMMANDS},
        },
        "components": {
            "messages": {model.__name__: _message(model) for model in (*sent, *received)},
            "schemas": definitions["$defs"],
        },
    }


def _channel(topic: messages.Topic) -> JsonSchemaValue:
    names = [model.__name__ for model in MODELS[topic]]
    return {
        "address": f"{ROOT}/{{site}}/{{device}}/{topic}",
        "description": SUMMARIES[topic],
        "parameters": PARAMETERS,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(topic: messages.Topic) -> JsonSchemaValue:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": SUMMARIES[topic],
        "bindings": {"mqtt": {**BINDINGS[topic], "bindingVersion": "0.2.0"}},
    }


def _command_channel(name: str) -> JsonSchemaValue:
    model = COMMANDS[name]
    return {
        "address": f"{ROOT}/{{site}}/{{device}}/command/{name}",
        "description": _first_line(model),
        "parameters": PARAMETERS,
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"}},
    }


def _answer_channel() -> JsonSchemaValue:
    return {
        "address": f"{ROOT}/{{site}}/{{device}}/answer/{{client}}",
        "description": "Answers to commands: the response topic that the command named, below `answer/`.",
        "parameters": {**PARAMETERS, "client": {"description": "whoever gave the command"}},
        "messages": {"Answer": {"$ref": "#/components/messages/Answer"}},
    }


def _command_operation(name: str) -> JsonSchemaValue:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/command_{name}"},
        "summary": _first_line(COMMANDS[name]),
        "bindings": {"mqtt": {"qos": 0, "retain": False, "bindingVersion": "0.2.0"}},
        "reply": {
            "address": {"location": "$message.header#/responseTopic"},
            "channel": {"$ref": f"#/channels/{ANSWERS}"},
        },
    }


def _first_line(model: type[messages.Payload]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _message(model: type[messages.Payload]) -> JsonSchemaValue:
    return {
        "name": model.__name__,
        "summary": _first_line(model),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def render() -> str:
    """The document as YAML, as it stands in `docs/asyncapi.yaml`."""
    head = "# Generated by `python -m firmware_app.ward.asyncapi`; do not edit.\n"
    plain = json.loads(json.dumps(document()))  # no shared parts: YAML would write them as anchors
    return head + str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110))


def main() -> None:
    """Write `docs/asyncapi.yaml`."""
    PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {PATH}")


if __name__ == "__main__":
    main()
