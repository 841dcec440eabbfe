"""The video: from the cable to the analysis and to the display.

`sources` -> `session` (one opening of the source) -> `mailbox` -> `pipeline` -> the analysis; beside it
`display`, which outlives the openings and ends in one of `sinks`. `launch` writes both graphs, `graph` alone
loads GStreamer. `stream_events` words what happens to a stream, `diagnosis` says what is wrong with it (for a
capture card `v4l2` asks the card), as one of the states of `capture_state`. `frame_meter` counts frames,
`pixels` turns decoded memory into pictures.
"""
