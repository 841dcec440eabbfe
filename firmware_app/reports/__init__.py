"""A result for other systems, on demand: FHIR R4, and DICOM as a picture and as a structured report.

- `codes`    every code and where it comes from: read it first
- `picture`  the result as a page, drawn from the payload alone: no screen, no banner, no identifier
- `fhir`     DiagnosticReport with Observations, as one bundle
- `dicom`    Secondary Capture of the page, and a Comprehensive SR (TID 1500) that refers to it
- `command`  `fibrostage report`

Needs the extra `reports`; the appliance itself does not.
"""
