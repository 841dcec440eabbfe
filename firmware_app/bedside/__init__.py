"""The bedside page: live picture, exam control, pictures, serum values, summary and the technician's view.

The frame loop leaves what it knows on the `board`; a server on a thread of its own (`server`) shows it.
Follow a request: `guard` (who may come in, `access`), `app` (which way), then `streams` (video and state,
pushed), `orders` (commands to the exam), `summary` (one printed page) or `technician`. `view` words what is
shown, in the language of `words`; `album` holds the crops of this exam, in memory only. `page/` is plain
HTML, CSS and scripts. `desk` joins the parts for the appliance.
"""
