"""What a study has learned: a surrogate of each metric, what matters, how, and what went wrong. Works with any optimizer.

Everything takes a study, finished or running, and is a function of its trials and its seed alone.
"""

# not lazy as elsewhere: two functions are called like their modules, and nothing heavy is imported before it is used
from evohpo.analysis.effects import effect, interactions, surface
from evohpo.analysis.findings import Diagnosis
from evohpo.analysis.health import diagnoses
from evohpo.analysis.importance import importance
from evohpo.analysis.summary import summary
from evohpo.analysis.surrogate import Surrogate, surrogate_of
from evohpo.analysis.validation import cross_validation

__all__ = [
    "Diagnosis",
    "Surrogate",
    "cross_validation",
    "diagnoses",
    "effect",
    "importance",
    "interactions",
    "summary",
    "surface",
    "surrogate_of",
]
