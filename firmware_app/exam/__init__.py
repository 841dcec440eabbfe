"""The exam: five acquisitions of one patient, as a pure state machine.

`events` enter `machine.advance`, which gives the next snapshot and its effects (`state`).
"""
