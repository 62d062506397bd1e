"""One self-contained HTML file about one or more runs."""

from pathlib import Path

from homespun.cli.parsing import CommandParser


def main(arguments: list[str]) -> int:
    """Write the report of the runs named and say where it lies."""
    parser = CommandParser(prog="homespun report", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a directory that `homespun train` wrote")
    parser.add_argument("--out", type=Path, help="the file to write (default: report.html in the first run)")
    chosen = parser.parse_args(arguments)

    from homespun.records import RunDirectory
    from homespun.reporting import write_report

    out = chosen.out or RunDirectory(chosen.runs[0]).report
    write_report(chosen.runs, out)
    print(f"report: {out}")
    return 0
