"""The study of Xue et al., for anybody's cohort; follow it in this order.

- `cohort_drawing`, `cohort_command`: the virtual cohort as a folder of whole screens and tables,
  `fibrostage-calibrate phantom cohort`;
- `cohort_tables`: columns, units, every row by itself; `cohort_folder`: the whole folder, all problems at
  once;
- `pictures`: PNG, JPEG, DICOM, whole screens and ready crops; `seen`: every patient's;
- `rules`: inclusion and exclusion, with the flow of numbers; `splits`: training and test, with digests;
- `prepared`, `prepare_command`: the arrays that training reads, `fibrostage-export prepare`;
- `patients`, `methods`, `gm_lsm`: from log-odds, stiffness and serum values to the scores of every method;
- `run` with `cohort_stage`, `stopwatch`, `machine_facts`: all stages from a cohort to the tables of scores,
  `fibrostage-export report`;
- `report`: tables, figures and the page.
"""
