"""A run of Weights & Biases, in the run directory: uploaded where the user is logged in, else for `wandb sync`."""

import re
import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from homespun.errors import ConfigError, RunError
from homespun.files import make_directory, write_text_atomically
from homespun.recipe.config import RunConfig
from homespun.records import RunDirectory

_MODES = ("online", "offline", "disabled")
_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Where `wandb login` logs in by default, in older and in newer versions."""
_SECONDS_TO_FINISH = 300.0
"""What has not been uploaded by then stays on disk for `wandb sync`; W&B's own default is to wait for ever."""


class WandbWriter:
    """A W&B run with the directory `wandb/` of a run directory.

    It never asks for an account. Where the user is not logged in, where WANDB_MODE is offline, or where the server
    cannot be reached, the run is written to disk, and `wandb sync` uploads it.

    The id of the W&B run is kept in `wandb/run-id.txt`, so a resumed run continues it. A server keeps what it has and
    takes the steps that it lacks. On disk every session begins a new file with the whole history, since W&B cannot
    continue one: the latest is complete, without a step twice.

    Args:
        directory: The run's.
        config: The run's, resolved.
        environ: W&B's own settings, WANDB_PROJECT and the like; `os.environ`.

    Raises:
        ConfigError: WANDB_MODE is no mode.
        RunError: run-id.txt holds no id, or the server refuses the run.
    """

    def __init__(self, directory: RunDirectory, config: RunConfig, environ: MutableMapping[str, str]) -> None:
        mode = choose_mode(environ)
        if mode != "online":
            # Read when the package is imported: without it, crash reports are sent even from an offline run.
            environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        wandb.setup(wandb.Settings(silent=True))
        run_id = _keep_run_id(directory)

        def begin(mode: str | None) -> wandb.Run:
            return wandb.init(
                project=environ.get("WANDB_PROJECT") or "homespun",
                name=environ.get("WANDB_NAME") or config.name,
                id=run_id,
                dir=str(directory.root),
                mode=mode,  # type: ignore[arg-type]
                resume="allow",
                # No global state: another run in this process has its own.
                reinit="create_new",
                config=asdict(config),
                settings=wandb.Settings(
                    console="off",  # the progress bar is not to be recorded, and standard error not to be replaced
                    silent=True,
                    allow_val_change=True,
                    finish_timeout=_SECONDS_TO_FINISH,
                ),
            )

        reason = ""
        if mode == "online":
            try:
                # There is an account, so this asks for none; it waits for the server as long as WANDB_HTTP_TIMEOUT.
                wandb.login(verify=True)
            except wandb.Error as error:
                mode, reason = "offline", f" ({' '.join(str(error).split()):.200})"
        try:
            # None: online, unless the user's own settings (`wandb offline`) say otherwise.
            self._run = begin(None if mode == "online" else mode)
        except wandb.Error as error:
            raise RunError(
                f"logging.track: Weights & Biases refused the run: {' '.join(str(error).split()):.300}; "
                "with WANDB_MODE=offline it is written to disk alone"
            ) from error
        self._table = wandb.Table
        self.first_step = self._run.step
        if self._run.offline:
            latest = directory.wandb / "latest-run"
            self.explanation = f"Weights & Biases: offline{reason}; `wandb sync {latest}` uploads the run"
        else:
            self.explanation = f"Weights & Biases: {self._run.url or 'disabled'}"

    def write_figures(self, step: int, figures: Mapping[str, float]) -> None:
        # W&B's steps only grow: a server that has the repeated steps already would warn at each.
        if step >= self.first_step:
            self._run.log(dict(figures), step=step)

    def write_texts(self, step: int, texts: Sequence[str]) -> None:
        if step >= self.first_step:
            self._run.log({"samples": self._table(columns=["sample"], data=[[text] for text in texts])}, step=step)

    def write_result(self, figures: Mapping[str, float]) -> None:
        self._run.summary.update(dict(figures))

    def flush(self) -> None:
        # The package writes in a process of its own, and has no way to wait for it. What a kill loses, the next
        # session writes again.
        pass

    def close(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def choose_mode(environ: Mapping[str, str]) -> str:
    """Return the mode of a W&B run: online only where that needs no prompt.

    Raises:
        ConfigError: WANDB_MODE is no mode.
    """
    asked = environ.get("WANDB_MODE") or "online"
    if asked not in _MODES:
        raise ConfigError(f"WANDB_MODE = {asked!r} is no mode of a run; expected one of {', '.join(_MODES)}")
    return "offline" if asked == "online" and not is_logged_in(environ) else asked


def is_logged_in(environ: Mapping[str, str]) -> bool:
    """Whether W&B would find an account without asking: in its variables, or where `wandb login` writes."""
    if environ.get("WANDB_API_KEY") or environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    server = environ.get("WANDB_BASE_URL")
    hosts = [urlsplit(server).netloc] if server else _HOSTS
    files = [Path(environ["NETRC"])] if environ.get("NETRC") else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for file in files:
        try:
            accounts = netrc(file)
        except (OSError, NetrcParseError, UnicodeDecodeError):
            continue
        if any(accounts.authenticators(host) for host in hosts):
            return True
    return False


def _keep_run_id(directory: RunDirectory) -> str:
    """Return the id of the W&B run, drawn when the first session begins."""
    path = directory.wandb / "run-id.txt"
    if not path.exists():
        make_directory(directory.wandb)
        write_text_atomically(path, secrets.token_hex(4) + "\n")
    run_id = path.read_text(encoding="utf-8", errors="replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", run_id):
        raise RunError(f"{path}: {run_id!r:.80} is no id of a W&B run; restore the file, or delete it for a new one")
    return run_id
