"""What `benchmarks.inference` runs side by side.

- `networks`: the same network in torch, ONNX Runtime and OpenVINO, one `Contender` each;
- `ceiling`: how fast this machine multiplies matrices, and how many operations the network needs.
"""
