"""Event files for TensorBoard, by its own writer."""

from collections.abc import Mapping, Sequence
from textwrap import indent

from torch.utils.tensorboard import SummaryWriter

from homespun.files import make_directory, storage_errors
from homespun.recipe.config import RunConfig
from homespun.recipe.load import save_recipe
from homespun.records import RunDirectory


class TensorBoardWriter:
    """The event files in `tensorboard/` of a run directory; a session adds one.

    A resumed run repeats the steps after its checkpoint. Its event file begins with a mark from which readers ignore
    what earlier files have of those steps.
    """

    def __init__(self, directory: RunDirectory, config: RunConfig, steps_done: int) -> None:
        folder = directory.tensorboard
        make_directory(folder)
        is_new = not any(folder.glob("events.out.tfevents.*"))
        self.first_step = 0 if is_new else steps_done + 1
        self.explanation = f"TensorBoard: `tensorboard --logdir {folder}` shows the run"
        self._folder = folder
        with storage_errors(folder):
            self._writer = SummaryWriter(str(folder), purge_step=None if is_new else steps_done + 1)
        self._write_text("recipe", save_recipe(config), steps_done)

    def write_figures(self, step: int, figures: Mapping[str, float]) -> None:
        with storage_errors(self._folder):
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)

    def write_texts(self, step: int, texts: Sequence[str]) -> None:
        for number, text in enumerate(texts, start=1):
            self._write_text(f"samples/{number}", text, step)

    def write_result(self, figures: Mapping[str, float]) -> None:
        # TensorBoard has curves alone; the last points of theirs say the same.
        pass

    def flush(self) -> None:
        with storage_errors(self._folder):
            self._writer.flush()

    def close(self, *, failed: bool) -> None:
        with storage_errors(self._folder):
            self._writer.close()

    def _write_text(self, name: str, text: str, step: int) -> None:
        # TensorBoard renders Markdown, in which lines that begin with four spaces are shown as they are.
        with storage_errors(self._folder):
            self._writer.add_text(name, indent(text, "    ", lambda _line: True), step)
