"""The appliance: follow a frame from the cable to the ward.

In the order of the journey:

- `journey`    the values that travel from stage to stage; `wording` every reason; `errors` every error
- `config`     what a technician sets; `assembly` makes the parts of it
- `pipeline`   GStreamer: `sources`, `sinks`, `launch` the graph as text, the newest-frame `mailbox`,
               `frame_meter`, `stream_events`; `pixels` from a buffer to a picture
- `screen`     what the scanner shows: view, panes, colour box, Q-box, freeze, read-out, patient change
- `crop`       the same square from both panes; `stiffness` colour to kPa
- `inference`  the model bundle and the engine that runs it; `model` which bundle runs; `bundle_store` the
               installed ones and the way back, `bundle_commands` for people
- `examination` a frozen screen becomes an acquisition, or a refusal
- `exam`       the state machine of five acquisitions, with `exam_events` and `exam_state`; `outcome`
               what they say; `serum` APRI and FIB-4
- `messages`   the contract, `asyncapi` its document; `payloads`, `publication` what is sent; `mqtt` the ward,
               `outbox` what waits for it; `audit` the log; `reports` for the record
- `overlay`    what the sonographer sees, and over which picture
- `health`     how the appliance is, and what it goes without
- `appliance`  the loop that joins all of it: read it first; `live`, `replay` run it, `notify` tells systemd;
               `rescoring` replays an archive by many workers
- `cli`        the program `fibrostage`; `selftest` whether all of it works here; `demo` all of it on one
               command; `broker` a private mosquitto; `inspection` one picture, which `annotation` draws with
               the outcome of `annotation_checks`
"""

__version__ = "0.1.0"

import sys

# OpenVINO's package reports its import to its maker over the network, and writes an id into the home folder,
# unless somebody forbids it; without this module it has nothing to report with.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # None: "there is no such module"
