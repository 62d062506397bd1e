"""What `homespun estimate` says of a training step on a CPU, next to measured steps.

    python benchmarks/estimate.py                             every case, on one thread; about ten minutes
    python benchmarks/estimate.py --only base --threads 2
    python benchmarks/estimate.py --only pocket --out /tmp     writes accounting.json elsewhere than docs/experiments

Each case trains in a process of its own. Memory is the peak of the process's resident set, and what of it was there
before the model was built. Time is the least processor time of a step over its threads, which other processes prolong
least, against the peak that the same process measured. The last rows take the micro-batch that should just fit into a
limit on the process's memory, and one a quarter larger, which should not.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homespun.accounting.cpu import PROCESS_BYTES, max_micro_batch, step_memory, step_seconds
from homespun.experiments.result import describe_machine
from homespun.model.config import ModelConfig
from homespun.optim.config import AdamWOptim, MuonOptim, OptimConfig

OUT = Path(__file__).parents[1] / "docs" / "experiments"
OPTIMIZERS = {"adamw": AdamWOptim, "muon": MuonOptim}
_MIN_STEPS = 3
_LIMITED_STEPS = 2
_TOO_LARGE = 1.25


def model(vocab_size: int, d_model: int, num_layers: int, d_ff: int, num_heads: int, context: int = 256) -> ModelConfig:
    return ModelConfig(
        vocab_size=vocab_size,
        context_length=context,
        d_model=d_model,
        num_layers=num_layers,
        num_heads=num_heads,
        d_ff=d_ff,
    )


MODELS = {
    "demo": model(2_048, 128, 4, 352, 4),
    "pocket": model(4_096, 128, 4, 352, 4),
    "middle": model(8_192, 256, 6, 704, 8),
    "long context": model(4_096, 256, 4, 704, 8, 1024),
    "base": model(10_000, 512, 4, 1_344, 16),
    "pocket, qk_norm": replace(model(4_096, 128, 4, 352, 4), qk_norm=True),
    "pocket, silu": replace(model(4_096, 128, 4, 528, 4), feed_forward="silu"),
    "pocket, no norm": replace(model(4_096, 128, 4, 352, 4), norm="none"),
    "base, post-norm": replace(model(10_000, 512, 4, 1_344, 16), norm="post"),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Steps to train."""

    model: str
    batch_size: int
    micro_batch: int
    optimizer: str = "adamw"
    precision: str = "float32"
    threads: int = 1
    seconds: float = 4.0
    """How long to take steps, three at least."""
    limit_bytes: int = 0
    """Of memory that may be added to the process, by the system's limit on private data; 0: none."""

    @property
    def config(self) -> ModelConfig:
        return MODELS[self.model]

    @property
    def optim(self) -> OptimConfig:
        return OPTIMIZERS[self.optimizer]()


CASES = [
    Case(model="demo", batch_size=8, micro_batch=8),
    Case(model="demo", batch_size=8, micro_batch=8, precision="bfloat16"),
    Case(model="pocket", batch_size=4, micro_batch=4),
    Case(model="pocket", batch_size=16, micro_batch=16),
    Case(model="pocket", batch_size=16, micro_batch=4, precision="bfloat16"),
    Case(model="pocket", batch_size=16, micro_batch=16, optimizer="muon"),
    Case(model="pocket", batch_size=64, micro_batch=64),
    Case(model="middle", batch_size=16, micro_batch=16),
    Case(model="middle", batch_size=32, micro_batch=32, precision="bfloat16"),
    Case(model="middle", batch_size=16, micro_batch=8, optimizer="muon", precision="bfloat16"),
    Case(model="long context", batch_size=4, micro_batch=4),
    Case(model="base", batch_size=16, micro_batch=16),
    Case(model="base", batch_size=16, micro_batch=4),
    Case(model="base", batch_size=16, micro_batch=16, precision="bfloat16"),
    Case(model="base", batch_size=32, micro_batch=32, precision="bfloat16"),
    Case(model="base", batch_size=8, micro_batch=8, optimizer="muon"),
    Case(model="pocket, qk_norm", batch_size=16, micro_batch=16),
    Case(model="pocket, silu", batch_size=16, micro_batch=16, precision="bfloat16"),
    Case(model="pocket, no norm", batch_size=16, micro_batch=16),
    Case(model="base, post-norm", batch_size=8, micro_batch=8),
]

LIMITS = [("pocket", 1 * 10**9), ("middle", 15 * 10**8), ("base", 2 * 10**9)]
"""Models, and the memory of a machine for each."""


def measure(case: Case) -> dict[str, float]:
    """Train in this process, and return what it took."""
    import numpy as np
    import torch

    from homespun.kernels import BFLOAT16_IN_HARDWARE, kernels
    from homespun.model import TrainingLoss, TransformerLM
    from homespun.optim import Constant, build_optimizer
    from homespun.runs.device import compute_threads
    from homespun.training.engine import Engine
    from homespun.training.memory import peak_memory_bytes, resident_memory_bytes
    from homespun.training.peak import find_peak

    torch.set_num_threads(case.threads)
    with compute_threads("cpu", case.precision, case.threads):
        precisions = ("float32", "bfloat16") if BFLOAT16_IN_HARDWARE else ("float32",)
        # The best of three: other processes can only lower one.
        peaks = {name: max(find_peak("cpu", name).flops for _ in range(3)) for name in precisions}
        kernels()
        process = resident_memory_bytes()
        if case.limit_bytes:
            _limit_memory(case.limit_bytes)
        network = TransformerLM(case.config)
        engine = Engine(
            model=network,
            loss=TrainingLoss(network, reduction="sum"),
            optimizer=build_optimizer(network, case.optim),
            schedule=Constant(),
            num_steps=10**6,
            micro_batch=case.micro_batch,
            max_grad_norm=1.0,
            device="cpu",
            precision=case.precision,
        )
        shape = (case.batch_size, case.config.context_length + 1)
        ids = np.random.default_rng(0).integers(case.config.vocab_size, size=shape)
        began, wall, processor = time.perf_counter(), list[float](), list[float]()
        least, longest = (_LIMITED_STEPS, 0.0) if case.limit_bytes else (_MIN_STEPS, case.seconds)
        while len(wall) < least or time.perf_counter() - began < longest:
            wall_began, processor_began = time.perf_counter(), time.process_time()
            engine.step(len(wall), ids[:, :-1], ids[:, 1:])
            wall.append(time.perf_counter() - wall_began)
            processor.append(time.process_time() - processor_began)
    return {
        "process_bytes": process,
        "peak_bytes": peak_memory_bytes("cpu"),
        # The first step allocates.
        "step_seconds": min(wall[1:]),
        "step_cpu_seconds": min(processor[1:]),
        "steps": len(wall),
        **{f"peak_{name}_flops": peak for name, peak in peaks.items()},
    }


def _limit_memory(more_bytes: int) -> None:
    import resource

    status = Path("/proc/self/status").read_text(encoding="ascii")
    now = int(status.partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + more_bytes, now + more_bytes))


def run_case(case: Case) -> dict[str, float] | None:
    """Measure in a process of its own; None where memory did not suffice."""
    environment = os.environ | {"OMP_NUM_THREADS": str(case.threads)}
    command = [sys.executable, __file__, "--run", json.dumps(asdict(case))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and not case.limit_bytes:
        raise SystemExit(f"{case} failed:\n{done.stderr}")
    return None if done.returncode else json.loads(done.stdout.splitlines()[-1])


def compare(case: Case, measured: dict[str, float]) -> dict[str, Any]:
    """Return the case with its estimates, and their ratios to what was measured."""
    config, length = case.config, case.config.context_length
    peaks = {
        name: measured[f"peak_{name}_flops"] for name in ("float32", "bfloat16") if f"peak_{name}_flops" in measured
    }
    added = step_memory(config, length, case.micro_batch, case.optim, precision=case.precision)
    seconds = step_seconds(
        config, length, case.batch_size, case.micro_batch, case.optim, peak_flops=peaks, precision=case.precision
    )
    measured_seconds = measured["step_cpu_seconds"] / case.threads
    return {
        **{key: value for key, value in asdict(case).items() if key not in ("seconds", "limit_bytes")},
        **measured,
        "estimated_bytes": PROCESS_BYTES + added,
        "estimated_added_bytes": added,
        "estimated_seconds": seconds,
        "memory_ratio": (PROCESS_BYTES + added) / measured["peak_bytes"],
        "added_memory_ratio": added / (measured["peak_bytes"] - measured["process_bytes"]),
        "time_ratio": seconds / measured_seconds,
    }


def check_limit(name: str, memory_bytes: int, threads: int) -> dict[str, Any]:
    """Train at the largest micro-batch that should fit into a memory, and above it."""
    config = MODELS[name]
    largest = max_micro_batch(config, config.context_length, memory_bytes, AdamWOptim(), precision="float32")
    case = Case(model=name, batch_size=largest, micro_batch=largest, threads=threads)
    case = replace(case, limit_bytes=memory_bytes - PROCESS_BYTES)
    above = replace(case, batch_size=int(_TOO_LARGE * largest), micro_batch=int(_TOO_LARGE * largest))
    fitting = run_case(case)
    return {
        "model": name,
        "memory_bytes": memory_bytes,
        "max_micro_batch": largest,
        "fits": fitting is not None,
        "peak_bytes": fitting["peak_bytes"] if fitting else None,
        "larger_micro_batch": above.micro_batch,
        "larger_fits": run_case(above) is not None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MODELS, help="cases of one model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each case, three steps at least")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write accounting.json")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(measure(Case(**json.loads(chosen.run)))))
        return
    began, rows, limits = time.perf_counter(), [], []
    print(f"{'model':<16}{'batch':>6}{'micro':>6} {'optimizer':<9} {'precision':<9}", end="")
    print(f"{'memory MB':>10}{'estimate':>9}{'ratio':>7}{'added':>7}{'step ms':>9}{'estimate':>9}{'ratio':>7}")
    for case in CASES:
        if chosen.only in (None, case.model):
            case = replace(case, threads=chosen.threads, seconds=chosen.seconds)
            measured = run_case(case)
            assert measured is not None
            row = compare(case, measured)
            rows.append(row)
            print(
                f"{case.model:<16}{case.batch_size:>6}{case.micro_batch:>6} {case.optimizer:<9} {case.precision:<9}"
                f"{row['peak_bytes'] / 1e6:>10,.0f}{row['estimated_bytes'] / 1e6:>9,.0f}{row['memory_ratio']:>7.3f}"
                f"{row['added_memory_ratio']:>7.3f}{1e3 * row['step_cpu_seconds'] / case.threads:>9,.1f}"
                f"{1e3 * row['estimated_seconds']:>9,.1f}{row['time_ratio']:>7.3f}",
                flush=True,
            )
    for name, memory_bytes in LIMITS:
        if chosen.only in (None, name):
            limits.append(limit := check_limit(name, memory_bytes, chosen.threads))
            print(
                f"{name} in {memory_bytes / 1e9:g} GB: micro-batch {limit['max_micro_batch']} "
                f"{'fits' if limit['fits'] else 'does not fit'}, {limit['larger_micro_batch']} "
                f"{'fits' if limit['larger_fits'] else 'does not fit'}",
                flush=True,
            )
    content = {
        "version": 1,
        "name": "accounting",
        "question": "How far is `homespun estimate` from measured steps?",
        "command": f"python benchmarks/estimate.py --threads {chosen.threads} --seconds {chosen.seconds:g}",
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": describe_machine(),
        "circumstances": "other processes at work; time is the least processor time of a step over its threads",
        "steps": rows,
        "limits": limits,
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "accounting.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
