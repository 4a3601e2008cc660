"""The doctor: walks an installation's books and says what is wrong, where, and what to do.

`examination` is the walk; `examine` proves documents from their bytes, `recorded` the audit log, `outside` the
checkpoints, `sums` what adds up over several documents, `shelves` the archive; `night` does it by itself, and
`symptoms` has the words for all of it.
"""

from gateway.pipeline.doctor.examination import LAST, Examination, Since, file_symptoms, read_bookmark
from gateway.pipeline.doctor.night import Result, examine_night, examine_tonight, last_result
from gateway.pipeline.doctor.symptoms import CODES, Symptom, symptom

__all__ = [
    "CODES",
    "LAST",
    "Examination",
    "Result",
    "Since",
    "Symptom",
    "examine_night",
    "examine_tonight",
    "file_symptoms",
    "last_result",
    "read_bookmark",
    "symptom",
]
