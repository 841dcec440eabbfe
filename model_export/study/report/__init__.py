"""The report of a study: one self-contained page, its figures and `tables.json`.

The journey: `study_folder` reads and checks what the study left, `evaluate_results` computes every figure of
both cohorts, then

- `flow`: the flow of patients;
- `baseline`: Table 1;
- `comparisons`: the paired tests, in families;
- `paper_check`: what the paper's own tables say about themselves;
- `differences`: where this study and the paper disagree, in sentences made of numbers;
- `figures`: Figures 3 and 4, convergence;
- `activation` and `gallery`: class-activation maps and Figure 5;
- `page`: the page;
- `write`: all of it in order.
"""
