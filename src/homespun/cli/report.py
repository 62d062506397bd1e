"""`homespun report`: one self-contained HTML file about one or more runs."""

from pathlib import Path

from homespun.cli.parsing import CommandParser


def main(arguments: list[str]) -> int:
    """Write the report and print where it is."""
    parser = CommandParser("homespun report", "Write one self-contained HTML file about one or more runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run directory, finished or not")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: report.html in the first run)"
    )
    options = parser.parse_args(arguments)
    # Imported here: `--help` does not wait for the plots.
    from homespun.records import RunDirectory
    from homespun.reporting import write_report

    out = options.out or RunDirectory(options.runs[0]).report
    write_report(options.runs, out)
    print(f"report: {out}")
    return 0
