"""SageMaker on this machine, for tests and for people without an account: training scripts really run, as processes."""

from evohpo.sagemaker.local.faults import Faults
from evohpo.sagemaker.local.service import LocalSageMaker

__all__ = ["Faults", "LocalSageMaker"]
