"""The video: from the cable to the analysis and to the display.

`sources` -> `launch` -> `pipeline` -> `mailbox` -> the analysis; beside it the display branch, which ends in
one of `sinks`. `graph` alone speaks to GStreamer; `stream_events` words what happens to a stream,
`frame_meter` counts frames, `pixels` turns decoded memory into pictures.
"""
