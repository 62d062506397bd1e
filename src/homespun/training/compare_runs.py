"""Compare two runs of the same recipe to the bit: every tensor, the position in the data, random state, losses."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from homespun.checkpoint.checkpoint import Checkpoint
from homespun.records import RunDirectory, TrainRecord
from homespun.training.run import RunState
from homespun.training.session import RunFiles, bytes_of, named_tensors

_MEASURED = ("tokens_per_second", "mfu", "seconds", "memory_bytes")
"""What a training record states of the clock and the memory; everything else in it is compared."""
_FIGURES_NAMED = 2


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two runs first differ."""

    step: int
    """The first step after which anything differs."""

    figures: tuple[str, ...]
    """Figures of the step that differ, each with both values."""

    tensors: tuple[str, ...]
    """Tensors that differ after the step, weights first, in the model's order."""

    first_tensor: str = ""
    """By how much the first of `tensors` differs, and where; empty where no checkpoint says it."""

    def __str__(self) -> str:
        tensor = self.first_tensor or "".join(self.tensors[:1])
        facts = [*self.figures[:_FIGURES_NAMED], *([tensor] if tensor else [])]
        others = {"figures": len(self.figures) - _FIGURES_NAMED, "tensors": len(self.tensors) - 1}
        facts += [f"{number:,} other {what}" for what, number in others.items() if number > 0]
        return f"step {self.step:,} is the first that differs: {'; '.join(facts)}"


def find_difference(expected: RunFiles, found: RunFiles) -> Difference | None:
    """Return where the run `found` first differs from `expected`, both stopped after the same step; None: nowhere.

    Raises:
        CheckpointError: a latest checkpoint is damaged, or one run has none.
        RunError: a record is none.
    """
    differences = [*_of_records(expected, found), *_of_hashes(expected, found)]
    if differences:
        first = min(difference.step for difference in differences)
        at_first = [difference for difference in differences if difference.step == first]
        return Difference(
            step=first,
            figures=tuple(figure for difference in at_first for figure in difference.figures),
            tensors=next((difference.tensors for difference in at_first if difference.tensors), ()),
        )
    return _of_checkpoints(expected, found)


def describe_tensor(expected: Tensor, found: Tensor) -> str:
    """Say how many numbers of two tensors have other bits, by how much at most, and where; empty where none has."""
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return f"{tuple(expected.shape)} of {expected.dtype} and {tuple(found.shape)} of {found.dtype}"
    if bytes_of(expected) == bytes_of(found):
        return ""
    # In float64 the difference of two float32 is exact. NaN against a number is the largest of all.
    distance = (expected.double() - found.double()).abs().nan_to_num(nan=math.inf).reshape(-1)
    # Numbers that are equal but have other bits: 0 and -0, two NaNs.
    has_other_bits = _integers(expected) != _integers(found)
    place = int(torch.where(has_other_bits, distance, -1.0).argmax())
    where = ", ".join(str(int(index)) for index in torch.unravel_index(torch.tensor(place), expected.shape))
    values = (tensor.reshape(-1)[place].item() for tensor in (expected, found))
    return (
        f"{int(has_other_bits.sum()):,} of {expected.numel():,} numbers, at most by {float(distance[place]):.3g}, "
        f"at [{where}] ({' and '.join(f'{value!r}' for value in values)})"
    )


def with_first_tensor(difference: Difference, expected: RunFiles, found: RunFiles) -> Difference:
    """Describe the first tensor of `difference` by two checkpoints of its step, the latest of both runs."""
    ours, theirs = _tensors(_latest(expected)), _tensors(_latest(found))
    for name in difference.tensors:
        if text := describe_tensor(ours[name], theirs[name]):
            return replace(difference, first_tensor=f"{name}: {text}")
    return replace(
        difference,
        first_tensor=f"{difference.tensors[0]}, and not again when both were repeated: not even the same run gives "
        "the same bits",
    )


def _of_records(expected: RunFiles, found: RunFiles) -> Iterator[Difference]:
    ours, theirs = (_train_records(files) for files in (expected, found))
    for step in sorted(ours.keys() | theirs.keys()):
        if step not in ours or step not in theirs:
            yield Difference(step=step, figures=("one run has no record of it",), tensors=())
            continue
        pairs = {name: (value, theirs[step][name]) for name, value in ours[step].items()}
        figures = tuple(
            f"{name.replace('_', ' ')} {our!r} and {their!r}" for name, (our, their) in pairs.items() if our != their
        )
        if figures:
            yield Difference(step=step, figures=figures, tensors=())


def _train_records(files: RunFiles) -> dict[int, dict[str, object]]:
    """What the training records say of each step, except what is measured of the machine."""

    def figures(record: TrainRecord) -> dict[str, object]:
        values = {name: value for name, value in asdict(record).items() if name not in _MEASURED}
        components = values.pop("grad_norms")
        return values | {f"grad norm of {name}": value for name, value in components.items()}

    records, _ = RunDirectory(files.root).read_metrics()
    return {record.step: figures(record) for record in records}


def _of_hashes(expected: RunFiles, found: RunFiles) -> Iterator[Difference]:
    ours = dict(expected.read_hashes())
    for step, theirs in found.read_hashes():
        differing = tuple(name for name in {**ours[step], **theirs} if ours[step].get(name) != theirs.get(name))
        if differing:
            yield Difference(step=step, figures=(), tensors=differing)


def _of_checkpoints(expected: RunFiles, found: RunFiles) -> Difference | None:
    """Compare what only checkpoints hold, and that the files themselves hold what was in memory."""
    ours, theirs = _latest(expected), _latest(found)
    our_tensors, their_tensors = _tensors(ours), _tensors(theirs)
    tensors = tuple(
        name
        for name in {**our_tensors, **their_tensors}
        if name not in our_tensors
        or name not in their_tensors
        or describe_tensor(our_tensors[name], their_tensors[name])
    )
    pairs = {name: (value, _state(theirs)[name]) for name, value in _state(ours).items()}
    figures = tuple(f"{name} in the checkpoint" for name, (our, their) in pairs.items() if our != their)
    if not (tensors or figures):
        return None
    return Difference(step=theirs.iteration, figures=figures, tensors=tensors)


def _state(checkpoint: Checkpoint) -> dict[str, object]:
    state = RunState.of(checkpoint)
    return {
        "number of steps": checkpoint.iteration,
        "position in the data": state.samples_consumed,
        "random state": state.rng,
        "losses for the final average": state.meter.losses,
        "fingerprints of the data": state.data,
        "optimizer's settings": checkpoint.optimizer,
    }


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return named_tensors(checkpoint.model.tensors, checkpoint.optimizer_tensors)


def _latest(files: RunFiles) -> Checkpoint:
    return Checkpoint.open(RunDirectory(files.root).list_checkpoints()[-1])


def _integers(tensor: Tensor) -> Tensor:
    """Return the bits of a tensor's numbers as integers, flat."""
    kinds = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.contiguous().reshape(-1).view(kinds[tensor.element_size()])
