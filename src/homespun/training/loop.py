"""The training loop."""

from collections.abc import Callable

from homespun.records import RunResult, step_of
from homespun.training.events import CheckpointSaved, Listener, RunFinished, Sampled, StepLogged, StepTaken, Validated
from homespun.training.memory import peak_memory_bytes
from homespun.training.run import Run

StopAsked = Callable[[], bool]


def never_stop() -> bool:
    """Train a run to its end."""
    return False


def train(run: Run, listener: Listener, stop_asked: StopAsked = never_stop) -> RunResult | None:
    """Take the steps that `run` has not taken yet, and report each to `listener`.

    A record, a validation or a sample of a step is reported before its checkpoint is begun: everything before a
    checkpoint is on disk. Checkpoints are written in the background, and reported once they are on disk too.

    Returns:
        How the run ended; None if it was stopped, with a checkpoint of the last step taken.

    Raises:
        TrainingError: loss or gradients are not finite.
        StorageError: the disk refuses a checkpoint or a record.
    """
    num_steps, logging, meter = run.config.training.num_steps, run.config.logging, run.meter
    device = run.config.execution.device
    while run.steps_done < num_steps:
        with meter.timed_step():
            outcome = run.take_step()
        done = run.steps_done
        is_last, is_stopping = done == num_steps, stop_asked()
        meter.note_loss(outcome.loss)
        listener(StepTaken(step=done, loss=outcome.loss, tokens_per_second=meter.tokens_per_second))
        if is_last or done % logging.log_every == 0:
            listener(StepLogged(record=meter.record_step(done, outcome, peak_memory_bytes(device))))
        if is_last or done % logging.validation_every == 0:
            head = run.validate(whole=False)
            listener(Validated(record=head))
            if is_last and not head.whole:
                listener(Validated(record=run.validate(whole=True)))
        if logging.sampling.prompts and (is_last or done % logging.sampling.every == 0):
            samples = run.sample()
            listener(Sampled(step=done, texts=[sample.text for sample in samples], samples=samples))
        if is_last or is_stopping or done % logging.checkpoint_every == 0 or done in logging.pin_checkpoints:
            run.begin_save()
        for path in run.finish_saves(wait=is_last or is_stopping):
            listener(CheckpointSaved(step=step_of(path), path=path))
        if is_stopping and not is_last:
            return None
    result = meter.result(num_steps, run.num_parameters)
    listener(RunFinished(result=result))
    return result
