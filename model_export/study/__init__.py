"""The study of Xue et al., for anybody's cohort; follow it in this order.

- `cohort_drawing`, `cohort_command`: the virtual cohort as a folder of whole screens and tables,
  `fibrostage-calibrate phantom cohort`.
- `patients`, `methods`, `gm_lsm`: from log-odds, stiffness and serum values to the scores of every method.
- `report`: tables, figures and the page.
"""
