"""`homespun evaluate`: how well a run's model predicts held-out text."""

import json
from pathlib import Path

from homespun.cli.parsing import CHECKPOINT_HELP, CommandParser, parse_positive

_DESCRIPTION = """\
Loss, perplexity and bits per byte of a run's model on held-out text. Every token is scored once, in windows of the
context length; stories of the storybook are scored whole, next to their exact entropy."""


def build_parser() -> CommandParser:
    """Return the parser of the command's arguments."""
    parser = CommandParser("homespun evaluate", _DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a token data set (default: the run's validation set)")
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    parser.add_argument("--max-tokens", type=parse_positive, metavar="N", help="score only the first N tokens")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--json", action="store_true", help="print the figures unrounded, as JSON")
    return parser


def main(arguments: list[str]) -> int:
    """Score a token data set with a run's latest checkpoint, or with another."""
    options = build_parser().parse_args(arguments)
    # Imported here: a wrong command line does not wait for torch.
    from homespun.evaluation.evaluate import evaluate_dataset
    from homespun.recipe.data import open_dataset
    from homespun.runs.device import autocast, choose_precision, compute_threads
    from homespun.runs.load import load_run

    run = load_run(options.run, options.checkpoint, options.device)
    precision = choose_precision(options.precision, run.device)
    directory = options.data or run.config.data.valid
    dataset = open_dataset("--data", directory, run.tokenizer, run.config.model.vocab_size)
    with compute_threads(run.device, precision.value):
        evaluation = evaluate_dataset(
            run.model,
            dataset,
            context_length=run.config.model.context_length,
            batch_size=run.config.execution.micro_batch,
            max_tokens=options.max_tokens,
            precision_context=lambda: autocast(run.device, precision.value),
        )
    figures = {
        "step": run.step,
        "data": str(directory),
        "precision": precision.value,
        "num_tokens": evaluation.num_tokens,
        "num_bytes": evaluation.num_bytes,
        "loss": evaluation.loss,
        "perplexity": evaluation.perplexity,
        "bits_per_byte": evaluation.bits_per_byte,
        "bytes_per_token": evaluation.bytes_per_token,
    }
    exact = dataset.entropy.bits_per_byte if dataset.entropy is not None and evaluation.whole else None
    if exact is not None:
        figures |= {"exact_bits_per_byte": exact, "excess_bits_per_byte": evaluation.bits_per_byte - exact}
    if options.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{options.run}, step {run.step:,}, on {directory} ({'whole' if evaluation.whole else 'its first tokens'}):")
    print(f"  {evaluation.num_tokens:,} tokens of {evaluation.num_bytes:,} bytes, separators counted")
    print(f"  loss            {evaluation.loss:.4f} nats per token")
    print(f"  perplexity      {evaluation.perplexity:.4f}")
    print(f"  bits per byte   {evaluation.bits_per_byte:.4f}")
    if exact is not None:
        print(
            f"  exact entropy   {exact:.4f} bits per byte of these documents; {evaluation.bits_per_byte - exact:+.4f}"
        )
    print(f"  compression     {evaluation.bytes_per_token:.4f} bytes per token")
    return 0
