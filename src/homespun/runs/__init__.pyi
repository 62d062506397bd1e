from homespun.runs.load import load_run as load_run
