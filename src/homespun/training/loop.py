"""The training loop: the whole of it on one screen."""

from homespun.optim.schedule import learning_rate_at
from homespun.records import RunResult
from homespun.training.events import CheckpointSaved, Listener, RunFinished, Sampled, StepLogged, StepTaken, Validated
from homespun.training.interrupt import StopAsked, never_stop
from homespun.training.session import Session


def train(session: Session, listener: Listener, stop_asked: StopAsked = never_stop) -> RunResult | None:
    """Take the steps that `session` has not taken yet, and tell `listener` about each.

    A record, a validation or a sample of a step is told before its checkpoint is saved: what a checkpoint has behind
    it is on file.

    Returns:
        How the run ended; None if it was stopped, with a checkpoint of the last step taken.

    Raises:
        TrainingError: loss or gradients are not finite.
        StorageError: the disk refuses a checkpoint or a record.
    """
    plan, logging, meter = session.config.training, session.config.logging, session.meter
    for step in range(session.steps_done, plan.num_steps):
        with meter.timed_step():
            lr = learning_rate_at(step, session.config.optim, plan.num_steps)
            outcome = session.take_step(step, lr)
        done = step + 1
        is_last, is_stopping = done == plan.num_steps, stop_asked()
        meter.note_loss(outcome.loss)
        listener(StepTaken(step=done, loss=outcome.loss, tokens_per_second=meter.tokens_per_second))
        if is_last or done % logging.log_every == 0:
            listener(StepLogged(record=meter.record_step(done, outcome, lr)))
        if is_last or done % logging.validation_every == 0:
            evaluation = session.validate(whole=is_last)
            listener(Validated(record=meter.record_validation(done, evaluation)))
        if logging.sampling.prompts and (is_last or done % logging.sampling.every == 0):
            listener(Sampled(step=done, texts=session.sample(done)))
        if is_last or is_stopping or done % logging.checkpoint_every == 0:
            listener(CheckpointSaved(step=done, path=session.save(done)))
        if is_stopping and not is_last:
            return None
    result = meter.result(plan.num_steps, session.num_parameters)
    listener(RunFinished(result=result))
    return result
