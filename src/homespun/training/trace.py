"""Where a step's numbers cease to be finite: every module's largest output and gradient, in the order computed."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from math import isfinite, isnan

from torch import Tensor, nn

from homespun.model.transformer import TrainingLoss, TransformerLM
from homespun.shapes import TokensBT


@dataclass(kw_only=True)
class TracedModule:
    """The largest magnitudes that were seen of one module; NaN and infinity count as larger than any number."""

    name: str
    """In the model, such as "layers.2.ffn.w2"."""
    output: float
    gradient: float | None = None
    """Of the loss by the output; None: the backward pass has not come so far."""


@dataclass(kw_only=True)
class StepTrace:
    """What passed through the modules, in the order in which they finished."""

    modules: dict[str, TracedModule] = field(default_factory=dict)
    loss: float = 0.0
    """Sum of the tokens' nats of the last micro-batch that was traced."""
    first_not_finite: str | None = None
    """What was not finite before anything else, such as "the output of layers.2.ffn.w2"; None: everything was."""

    def _note(self, what: str, value: float) -> None:
        if self.first_not_finite is None and not isfinite(value):
            self.first_not_finite = what

    def note_output(self, name: str, value: float) -> None:
        """Note an output of a module."""
        before = self.modules.pop(name, TracedModule(name=name, output=0.0))
        before.output = _larger(before.output, value)
        self.modules[name] = before
        self._note(f"the output of {name}", value)

    def note_gradient(self, name: str, value: float) -> None:
        """Note the gradient of the loss by an output."""
        module = self.modules[name]
        module.gradient = _larger(module.gradient or 0.0, value)
        self._note(f"the gradient by the output of {name}", value)

    def note_loss(self, value: float) -> None:
        """Note the loss of a micro-batch."""
        self.loss = value
        self._note("the loss, computed by lm_head", value)


def trace_step(
    model: TransformerLM,
    micro_batches: Iterable[tuple[TokensBT, TokensBT]],
    autocast: Callable[[], AbstractContextManager[object]],
) -> StepTrace:
    """Run a step's forward and backward passes with an ear at every module; ends where something is not finite.

    Operations run one by one, not fused or compiled, so that roundings may differ from the step's. Gradients are added
    to those of the parameters: the caller forgets them.
    """
    trace = StepTrace()
    loss_of = TrainingLoss(model, reduction="sum")
    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.callback(module.register_forward_hook(_listener(trace, name)).remove)
        for inputs, targets in micro_batches:
            with autocast():
                loss = loss_of(inputs, targets)
            trace.note_loss(loss.item())
            loss.backward()
            if trace.first_not_finite is not None:
                break
    return trace


def _listener(trace: StepTrace, name: str) -> Callable[[nn.Module, object, object], None]:
    def listen(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.is_floating_point():
            trace.note_output(name, _largest(output))
            if output.requires_grad:
                output.register_hook(lambda gradient: trace.note_gradient(name, _largest(gradient)))

    return listen


def _largest(values: Tensor) -> float:
    """The largest magnitude, NaN if one is."""
    return values.detach().abs().max().item() if values.numel() else 0.0


def _larger(one: float, other: float) -> float:
    return one if isnan(one) or one > other else other
