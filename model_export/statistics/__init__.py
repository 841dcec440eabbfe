"""The statistics of the study, each with its interval, its reference and what it was checked against.

The positive class is always "stage >= k" and a higher score always means worse.

- `figure`: a number with its interval, or the reason why it has none;
- `auc`: area under the ROC curve, DeLong's variance and his test for two methods on the same patients;
- `operating_figures`: Youden's cut-off; sensitivity, specificity, predictive values and likelihood ratios at
  it;
- `bootstrap`: an interval for image-level AUCs that respects which images share a patient;
- `calibration_curve`: from score to probability, reliability curve, Brier score, expected calibration error;
- `decision_curve`: net benefit;
- `agreement`: how well the acquisitions of one patient agree (ICC).

Nothing here reads a file or prints; everything is a pure function of arrays in float64.
"""
