"""From a virtual cohort to a bundle; follow an experiment in this order.

- `workflow`: the whole journey in one function, every stage resumed from what the work folder holds;
- `cohort`: draws virtual patients and passes their screens through the appliance's own eyes;
- `weights`, `network`: the initial Inception-V3 and the networks built on it;
- `features`: what the frozen stem makes of every picture, computed once;
- `train`: heads, tops and fusion; `calibrate`: log-odds that mean what they say;
- `operate`: cut-offs, the indeterminate zone, GM+LSM;
- `export`, `quantise`: one ONNX graph, then INT8; `agree`: no bundle unless both say the same;
- `evaluate`: AUCs of every method; `card`: the model card; `bundle_writer`: the bundle;
- `work`: keys of the stages; `cli`: the program `fibrostage-export`.
"""
