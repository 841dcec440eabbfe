"""The appliance: follow a frame from the cable to the ward.

In the order of the journey:

- `journey`    the values that travel from stage to stage; `wording` every reason; `errors` every error
- `config`     what a technician sets
- `pipeline`   GStreamer: `sources`, `sinks`, the newest-frame `mailbox`, the display branch
- `screen`     what the scanner shows: view, panes, colour box, Q-box, freeze, read-out, patient change
- `crop`       the same square from both panes; `stiffness` colour to kPa
- `inference`  the model bundle and the engine that runs it; `model` which bundle runs; `bundle_store` the
               installed ones and the way back, `bundle_commands` for people
- `exam`       the state machine of five acquisitions; `outcome` what they say; `serum` APRI and FIB-4
- `messages`   payloads; `mqtt` the ward
- `overlay`    what the sonographer sees
- `appliance`  the loop that joins all of it: read it first
- `cli`        the program `fibrostage`; `selftest` whether all of it works here; `demo` all of it on one
               command; `broker` a private mosquitto
"""

__version__ = "0.1.0"
