"""The command line, the tokenizer, the accounting and the reports start without torch. Oracle: sys.modules."""

import subprocess
import sys

import pytest

# Entries of None in sys.modules make `import torch` raise ImportError, as on a machine without it.
PROGRAM = """
import sys
blocked = {blocked!r}
sys.modules.update(dict.fromkeys(blocked))
{body}
assert not [name for name in blocked if sys.modules.get(name) is not None]
"""
TORCH = ["torch", "einops", "jaxtyping", "safetensors"]
HEAVY = [*TORCH, "numpy", "rich", "matplotlib", "httpx"]


def run_without(blocked, body):
    """Run `body` in a fresh interpreter in which importing any of `blocked` fails."""
    program = PROGRAM.format(blocked=blocked, body=body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("blocked", "body"),
    [
        (HEAVY, "import homespun"),
        (HEAVY, "from homespun.cli.main import main; assert main(['--help']) == 0"),
        (HEAVY, "from homespun.model.config import ModelConfig"),
        (
            HEAVY,
            "import homespun.optim.config, homespun.data.config, homespun.corpus.config, homespun.tokenizer.config",
        ),
        (TORCH, "import homespun.recipe.config"),
        (TORCH, "from homespun.cli.main import main; assert main(['estimate', 'gpt2-xl']) == 0"),
        ([*TORCH, "rich", "matplotlib", "httpx"], "import homespun.reporting; homespun.reporting.write_report"),
        (TORCH, "from homespun.storybook import generate_stories; next(iter(generate_stories(1, 0)))"),
        (
            TORCH,
            "from homespun.tokenizer import Tokenizer; Tokenizer({i: bytes([i]) for i in range(256)}, []).encode('a')",
        ),
    ],
)
def test_starts_without(blocked, body):
    run_without(blocked, body)


def test_tokenizer_command_runs_without_torch(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("low lower lowest " * 20)
    body = f"""
from homespun.cli.main import main
assert main(['tokenizer', 'train', {str(text)!r}, '--vocab-size', '270', '--out', {str(tmp_path / "tok")!r}]) == 0
assert main(['tokenizer', 'encode', {str(tmp_path / "tok")!r}, {str(text)!r}]) == 0
"""
    assert run_without(TORCH, body)


def test_the_block_itself_works():
    """Planted: a body that does import torch must fail."""
    with pytest.raises(AssertionError, match="torch"):
        run_without(TORCH, "import torch")
