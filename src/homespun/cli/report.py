"""`homespun report`: one self-contained HTML file about runs or about a sweep."""

from pathlib import Path

from homespun.cli.parsing import CommandParser


def main(arguments: list[str]) -> int:
    """Write the report and print where it is."""
    parser = CommandParser("homespun report", "Write one self-contained HTML file about runs or about a sweep.")
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN|SWEEP",
        help="run directories, finished or not; or one sweep directory",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: report.html in the first directory)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write no report: score the latest and the best checkpoint again, and exit with 1 if a recorded loss does "
        "not hold",
    )
    parser.add_argument("--data", metavar="DIR", help="with --check: the validation set, if it is elsewhere now")
    options = parser.parse_args(arguments)
    if options.check:
        from homespun.cli.report_check import check_runs

        return check_runs(options.runs, options.data)
    if options.data is not None:
        parser.error("--data goes with --check: a report needs no data")
    # Imported here: `--help` does not wait for the curves.
    from homespun.reporting import write_report

    out = options.out or options.runs[0] / "report.html"
    write_report(options.runs, out)
    print(f"report: {out}")
    return 0
