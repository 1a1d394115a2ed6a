"""The exceptions that a caller may want to catch.

A wrong argument of a function is a plain ``ValueError``; what stands here comes
from outside: files, networks, notebooks, processes. The command line prints the
message of a ``CocodesignError`` without a traceback and ends with status 1::

    CocodesignError
    ├── ProjectNotFoundError      no clone of the project here or above
    ├── DataUnavailableError      no source of a data set could be reached
    ├── DataMismatchError         a file is not the one its manifest describes
    ├── DataCacheError            the data cache cannot be written or locked
    ├── DataFormatError           a file is not of the format its reader reads
    ├── VideoError                a video cannot be opened or decoded
    ├── CorruptBitstreamError     a compressed file is damaged or malformed
    ├── NotebookError             a notebook lacks what the runner needs
    ├── ParameterError            a parameter was refused
    │   ├── UnknownParameterError     the notebook does not declare it
    │   └── InvalidParameterError     wrong type or not a finite number
    ├── RunInProgressError        another attempt holds the run's lease
    ├── RunError                  an attempt ended without a result
    │   ├── CellFailedError           a cell raised
    │   ├── KernelDiedError           the kernel's process ended by itself
    │   ├── RunTimeoutError           a cell or the whole took too long
    │   ├── RunStoppedError           a signal asked the run to stop
    │   └── RecordMissingError        all cells ran, but no record was written
    ├── RecordError               a record file cannot be read
    ├── ClaimsError               the ledger of claims is malformed
    ├── FigureError               a figure lacks its records or its exporter
    ├── CheckpointError           a checkpoint does not fit what it is loaded into
    ├── RecognizerError           a file holds no skeleton recognizer
    ├── CollectiveError           another rank did not answer, or is gone
    ├── RankFailedError           a rank died or hung, and its job was ended
    ├── InfeasiblePlanError      no plan fits into the memory that was allowed
    ├── PlanMismatchError         a plan is for another model, shape or machine
    ├── ClusterError              a batch scheduler refused, or is set up wrongly
    ├── SweepError                a sweep's grid or folder is malformed
    ├── CrateError                runs cannot be packed, or a crate cannot be read
    └── WorkflowError             the workflow did not finish
"""


class CocodesignError(Exception):
    """Base of everything this package raises about the world outside it."""


class ProjectNotFoundError(CocodesignError):
    """No clone of the project was found in a folder or above it."""


class DataUnavailableError(CocodesignError):
    """None of a data set's sources could be reached."""


class DataMismatchError(CocodesignError):
    """A file's size or digest is not the one that its manifest states."""


class DataCacheError(CocodesignError):
    """The data cache cannot be written, or its lock was not free in time."""


class DataFormatError(CocodesignError):
    """A data file is truncated, or not of the format that its reader reads."""


class CorruptBitstreamError(CocodesignError):
    """A compressed file is truncated, altered, or not what its own table says."""


class VideoError(CocodesignError):
    """A video cannot be opened, has no pictures or cannot be decoded."""


class NotebookError(CocodesignError):
    """A notebook lacks what the runner needs, such as a parameters cell."""


class ParameterError(CocodesignError):
    """A notebook parameter was refused before any kernel started."""


class UnknownParameterError(ParameterError):
    """The notebook's parameters cell does not assign this name."""


class InvalidParameterError(ParameterError):
    """The value's type differs from the declared one, or it is not finite."""


class RunInProgressError(CocodesignError):
    """Another living attempt holds the lease of this run folder."""


class RunError(CocodesignError):
    """An attempt to run a notebook ended without a result."""


class CellFailedError(RunError):
    """A cell raised an exception."""


class KernelDiedError(RunError):
    """The kernel's process ended by itself, for instance out of memory."""


class RunTimeoutError(RunError):
    """A cell, or the notebook as a whole, passed its time limit."""


class RunStoppedError(RunError):
    """A signal asked the run to stop, or another attempt took its lease.

    Attributes:
        signal_number: The signal, ``None`` if it was the lease.
    """

    def __init__(self, message: str, signal_number: int | None = None) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class RecordMissingError(RunError):
    """All cells ran, but the notebook wrote no record."""


class RecordError(CocodesignError):
    """A record file cannot be read as a ``RunRecord``."""


class ClaimsError(CocodesignError):
    """The ledger of claims is malformed."""


class FigureError(CocodesignError):
    """A figure lacks the records it shows, or the program that exports it."""


class CheckpointError(CocodesignError):
    """A checkpoint is damaged or belongs to another training run."""


class RecognizerError(CocodesignError):
    """A file is missing, damaged or holds no skeleton recognizer."""


class CollectiveError(CocodesignError):
    """Another rank did not answer within the time limit, or is gone."""


class RankFailedError(CocodesignError):
    """A rank of a distributed job died or hung, and the job was ended."""


class InfeasiblePlanError(CocodesignError):
    """No plan fits into the memory, or the error bound, that was allowed."""


class PlanMismatchError(CocodesignError):
    """A plan is damaged, or made for another model, shape or machine."""


class ClusterError(CocodesignError):
    """A batch scheduler refused a request, or a cluster's settings are malformed."""


class SweepError(CocodesignError):
    """A sweep's grid is malformed, or its folder belongs to another sweep."""


class CrateError(CocodesignError):
    """Runs cannot be packed into a crate, or a crate cannot be read or checked."""


class WorkflowError(CocodesignError):
    """The workflow did not finish."""
