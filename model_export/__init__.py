"""From a virtual cohort to a bundle; follow an experiment in this order.

- `workflow`: the whole journey in a few lines; `stages`: from a cohort to a trained network, every stage
  resumed from what the work folder holds; `trained`: what a finished training leaves there;
- `cohort`: the arrays that training reads; `virtual_patients`, `virtual_cohort`: draws them and passes their
  screens through the appliance's own `eyes`; `study`: anybody's cohort, as a folder;
- `weights`, `network`: the initial Inception-V3 and the networks built on it;
- `features`: what the frozen stem makes of every picture, computed once;
- `train`: heads, tops and fusion; `calibrate`: log-odds that mean what they say;
- `graphs`: the ONNX graph in every precision. `export`: float32; `graph_tail`: its calibrated end; `half`:
  FP16; `int8`: INT8, by `ranges` of activations, `rounding` of weights and Q/DQ nodes from `quantise`;
  `int8_scan`: which ranges and layers; `graph_edit`: layers and constants by name;
- `agree`: no bundle unless all say the same; `operate`: cut-offs, the indeterminate zone, GM+LSM;
  `familiarity`: the out-of-range check; `assemble`: from a graph to a bundle;
- `evaluate`: AUCs of every method; `card`: the model card; `bundle_writer`: the bundle; `signing`: keys;
- `recalibrate`: a site refits a bundle to its `site_exams`; `reliability` draws what it changed;
- `export_command`, `sign_command`, `int8_command`, `recalibrate_command`: `export` and `quantise`,
  `keygen` and `sign`, and of `fibrostage-calibrate` `int8` and `probability`;
- `work`: keys of the stages; `cli`: the program `fibrostage-export`.
"""
