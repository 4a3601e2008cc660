"""The doctor: walks an installation's books and says what is wrong, where, and what to do.

`look` is the walk; `examine` proves documents from their bytes, `recorded` the audit log, `sums` what adds up over
several documents, `shelves` the archive, and `symptoms` has the words for all that can be found.
"""

from gateway.pipeline.doctor.look import LAST, Look, Since, file_symptoms, read_bookmark
from gateway.pipeline.doctor.symptoms import CODES, Symptom, symptom

__all__ = ["CODES", "LAST", "Look", "Since", "Symptom", "file_symptoms", "read_bookmark", "symptom"]
