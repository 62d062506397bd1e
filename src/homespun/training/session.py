"""Train a run up to a step in a process of its own, which may be killed, and note the hash of every tensor on the way.

A resumed run begins in a new process, with none of the caches, threads and memory that the one before it had. A check
that both compute the same bits therefore needs processes too.
"""

import hashlib
import json
import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from homespun.checkpoint.model_tensors import model_tensors
from homespun.checkpoint.optimizer_tensors import optimizer_tensors
from homespun.errors import HomespunError, RunError
from homespun.files import storage_errors
from homespun.recipe.config import RunConfig
from homespun.training.engine import Engine
from homespun.training.events import Event, StepTaken
from homespun.training.loop import train
from homespun.training.recorder import Recorder
from homespun.training.run import open_run

StepCallback = Callable[[int], None]
"""Called with the steps done, when the session has opened the run and after each of its steps."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """When a session is killed."""

    step: int
    """Steps done before; 0: between opening the run and the end of its first step."""

    delay_seconds: float
    """Time from the end of that step to the kill."""


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where a run of the check is, and where the hashes of its tensors are noted."""

    root: Path

    @property
    def hashes(self) -> Path:
        """JSON lines of `TensorHashes`, next to the run directory, which holds a run's own files only."""
        return self.root.with_name(f"{self.root.name}.hashes.jsonl")

    def read_hashes(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each step that was taken and the sha256 of every tensor after it; a killed run repeats steps.

        Tensors have their names in messages, such as "weights of lm_head.weight", weights first, in the model's order.
        """
        for line in self.hashes.read_text(encoding="utf-8").splitlines(keepends=True):
            # The process may have been killed while it was writing a line.
            if line.endswith("\n"):
                noted = json.loads(line)
                yield noted["step"], noted["sha256"]


def named_tensors(model: dict[str, Tensor], optimizer: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a model and of its optimizer as messages do, weights first."""
    weights = {f"weights of {name}": tensor for name, tensor in model.items()}
    return weights | {f"optimizer state {name}": tensor for name, tensor in optimizer.items()}


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the bytes of a tensor's numbers in row-major order."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def run_session(
    config: RunConfig,
    files: RunFiles,
    stop: int,
    *,
    on_step: StepCallback,
    kill: Kill | None = None,
) -> bool:
    """Begin or resume the run in a new process; return once it has stopped after `stop` steps, or has been killed.

    Args:
        config: The run, no "auto" left in it.
        files: Where it is.
        stop: Steps after which it saves a checkpoint and ends; if it has as many, it is only opened.
        on_step: Follows the process's steps.
        kill: When to kill the process instead.

    Returns:
        Whether the process was killed: it may have ended before its time came.

    Raises:
        HomespunError: the run cannot be opened or trained; the same error as in this process.
        RunError: the process ended without saying why.
    """
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = _start(config, files, stop, sending)
    sending.close()
    try:
        for step in _steps(receiving):
            on_step(step)
            if kill is not None and step >= kill.step:
                time.sleep(kill.delay_seconds)
                process.kill()
                return not _has_ended(receiving)
        return False
    except EOFError:
        process.join()
        raise RunError(
            f"{files.root}: the process of this run ended with exit code {process.exitcode} before step {stop}; "
            "if the system ended it, there was too little memory: use a smaller execution.micro_batch"
        ) from None
    finally:
        process.kill()
        process.join()
        receiving.close()


def _start(*arguments: object) -> BaseProcess:
    """Start a process that runs `_train_until`, without anything that this one has computed."""
    # A fork of a process that has asked for its GPUs cannot use them; and only on Linux can torch be forked safely.
    if sys.platform != "linux" or torch.cuda.is_available():
        process = multiprocessing.get_context("spawn").Process(target=_train_until, args=arguments, daemon=True)
    else:
        context = multiprocessing.get_context("forkserver")
        # Imported once, in a process that computes nothing and of which each session is a fork; that saves several
        # seconds a session. Every optimizer of torch imports the second when it is built.
        context.set_forkserver_preload([__name__, "torch._dynamo"])
        process = context.Process(target=_train_until, args=arguments, daemon=True)
    process.start()
    return process


def _steps(receiving: Connection) -> Iterator[int]:
    """Yield the steps that a session reports, until it ends; raise what it raised."""
    while (report := receiving.recv()) is not None:
        if isinstance(report, HomespunError):
            raise report
        yield report


def _has_ended(receiving: Connection) -> bool:
    """Whether a process that was to be killed had ended by itself."""
    try:
        for _ in _steps(receiving):
            pass
    except EOFError:
        return False
    return True


def _train_until(config: RunConfig, files: RunFiles, stop: int, reports: Connection) -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this one answers it, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open_run(config, files.root) as run, Recorder(run.directory) as record:

            def listen(event: Event) -> None:
                record(event)
                if isinstance(event, StepTaken):
                    with storage_errors(files.hashes), files.hashes.open("a", encoding="utf-8") as file:
                        file.write(_hashes(event.step, run.engine))
                    _draw(run.config.execution.device)
                    reports.send(event.step)

            reports.send(run.steps_done)
            if run.steps_done < stop:
                train(run, listen, lambda: run.steps_done >= stop)
    except HomespunError as error:
        reports.send(error)
    else:
        reports.send(None)


def _draw(device: str) -> None:
    """Draw from every generator, as dropout would: otherwise it would not matter whether a resume restores them."""
    random.random()
    np.random.random()  # noqa: NPY002
    torch.rand(1)
    torch.rand(1, device=device)


def _hashes(step: int, engine: Engine) -> str:
    """One line of `RunFiles.hashes`."""
    optimizer, _ = optimizer_tensors(engine.model, engine.optimizer)
    tensors = named_tensors(model_tensors(engine.model).tensors, optimizer)
    hashes = {name: hashlib.sha256(bytes_of(tensor)).hexdigest() for name, tensor in tensors.items()}
    return json.dumps({"step": step, "sha256": hashes}) + "\n"
