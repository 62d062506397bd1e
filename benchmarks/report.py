"""How long a report takes to write and to open, and how large it is.

    python benchmarks/report.py                           60 runs of 3,000 records, made up, no two alike
    python benchmarks/report.py --runs 1 --records 300000
    python benchmarks/report.py RUN...                    runs, or a sweep, of one's own

Opening needs playwright and a Chromium on the PATH: navigation to the end of the load event, which comes after all
charts are drawn, and one redraw of them. The least of several times counts.
"""

import argparse
import json
import math
import random
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from homespun.records import RunDirectory, TrainRecord, ValidationRecord
from homespun.reporting import write_report

_TIMES = 5
_LOAD = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_REDRAW = """(() => {
  const began = performance.now();
  document.querySelector('label[for=xscale-log]').click();
  return performance.now() - began;
})()"""


def make_runs(root: Path, num_runs: int, num_records: int) -> list[Path]:
    """Write run directories whose losses fall at different rates, with noise."""
    made = []
    for number in range(num_runs):
        directory, draw = RunDirectory(root / f"run-{number:02d}"), random.Random(number)
        directory.root.mkdir(parents=True)
        directory.recipe.write_text(f"name: run-{number:02d}\noptim:\n  lr: {0.001 * (number + 1)}\n", encoding="utf-8")
        with directory.metrics.open("w", encoding="utf-8") as file:
            for step in range(1, num_records + 1):
                loss = 2.0 + 6.0 * math.exp(-step / (200 + 10 * number)) + draw.gauss(0, 0.05)
                train = TrainRecord(
                    step=step, tokens=step * 2048, loss=loss, lr=1e-3, grad_norm=1.0 + draw.random(),
                    tokens_per_second=2e4 + 1e3 * draw.random(), mfu=0.3, seconds=step / 10,
                )  # fmt: skip
                file.write(json.dumps(asdict(train)) + "\n")
            whole = ValidationRecord(
                step=num_records, tokens=num_records * 2048, loss=2.0, perplexity=math.exp(2.0), bits_per_byte=0.7,
                num_tokens=10_000, num_bytes=41_000, whole=True, seconds=num_records / 10,
            )  # fmt: skip
            file.write(json.dumps(asdict(whole)) + "\n")
        made.append(directory.root)
    return made


def time_browser(page: Path) -> tuple[float, float] | None:
    """Milliseconds to open the page and to redraw its charts; None without a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        return None
    if browser is None:
        return None
    loads, redraws = [], []
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for _ in range(_TIMES):
            opened = started.new_page()
            opened.goto(page.as_uri(), wait_until="load")
            loads.append(opened.evaluate(_LOAD))
            redraws.append(opened.evaluate(_REDRAW))
            opened.close()
        started.close()
    return min(loads), min(redraws)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Time and size of a report.")
    parser.add_argument("directories", nargs="*", type=Path, metavar="RUN")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--records", type=int, default=3000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = options.directories or make_runs(Path(folder), options.runs, options.records)
        out, seconds = Path(folder) / "report.html", []
        for _ in range(_TIMES):
            began = time.process_time()
            write_report(runs, out)
            seconds.append(time.process_time() - began)
        print(f"written in  {min(seconds):.2f} s of processor time")
        print(f"size        {out.stat().st_size:,} bytes")
        if (times := time_browser(out)) is None:
            print("not opened: playwright or a Chromium is missing")
        else:
            print(f"opened in   {times[0]:.0f} ms, redrawn in {times[1]:.0f} ms")


if __name__ == "__main__":
    main()
