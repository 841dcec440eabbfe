"""Names and shapes of a bundle's graph; every engine and the exporter take them from here."""

from __future__ import annotations

INPUT_SIDE = 299
"""Side of a crop in pixels, as Inception-V3 takes it."""
INPUTS = ("gray", "elastogram")
"""uint8 RGB, (n, 299, 299, 3); n acquisitions."""
LOGITS = ("logits_gm", "logits_em", "logits_gm_em")
"""Calibrated log-odds of >=S2, >=S3 and S4, float32 (n, 3)."""
PROBABILITIES = ("probabilities_gm", "probabilities_em", "probabilities_gm_em")
"""The same as probabilities, float32 (n, 3)."""
ACTIVATIONS = ("activation_gm", "activation_em")
"""Class-activation maps (Zhou et al., CVPR 2016), float32 (n, 8, 8): what each place adds to the score."""
FEATURES = ("features_gm", "features_em")
"""Features behind the last average pooling, float32 (n, 2048), for the out-of-range check."""
OUTPUTS = LOGITS + PROBABILITIES + ACTIVATIONS + FEATURES
