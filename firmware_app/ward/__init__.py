"""The ward: what leaves the room, and what comes in.

Effects of the exam -> `publication` -> `payloads` (models of `messages`) -> `outbox` -> `mqtt`; `broker` is a
private mosquitto for the demonstration and the tests, `asyncapi` writes the contract.
"""
