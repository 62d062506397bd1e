from homespun.reporting.report import write_report as write_report
