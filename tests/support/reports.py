"""A run directory made by hand, and an HTML parser that says what a page holds."""

import json
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

from homespun.entropy import CorpusEntropy
from homespun.records import RunDirectory, RunResult, ValidationRecord, write_json_record


def validation_at(step, *, whole):
    return ValidationRecord(
        step=step,
        tokens=step * 64,
        loss=2.0 / step,
        perplexity=1.5,
        bits_per_byte=0.5,
        num_tokens=1000,
        num_bytes=4000,
        whole=whole,
        seconds=float(step),
    )


# Written out: a record object for each of 300,000 lines takes half a minute where every type is checked.
TRAIN_LINE = (
    '{{"step": {step}, "tokens": {tokens}, "loss": {loss}, "lr": 0.001, "grad_norm": 1.0, "tokens_per_second": 100.0, '
    '"mfu": 0.1, "seconds": {step}.0, "grad_norms": {{}}, "memory_bytes": 0, "kind": "train"}}\n'
)


def make_run(root: Path, losses=None) -> RunDirectory:
    """A finished run of ten steps, or of one step for each of `losses`."""
    directory = RunDirectory(root)
    directory.samples.mkdir(parents=True)
    directory.recipe.write_text("name: a<b\nmodel:\n  d_model: 16\n  num_layers: 2\n")
    directory.environment.write_text('{"python": "3.11"}')
    directory.sample_at(10).write_text("Once upon a time <script>alert(1)</script> & so on\n")
    losses = [3.0 / step for step in range(1, 11)] if losses is None else losses
    records = [validation_at(5, whole=False), validation_at(10, whole=True)]
    directory.metrics.write_text(
        "".join(TRAIN_LINE.format(step=step, tokens=step * 64, loss=loss) for step, loss in enumerate(losses, 1))
        + "".join(json.dumps(asdict(record)) + "\n" for record in records)
    )
    write_json_record(directory.entropy, CorpusEntropy(bits=1600.0, num_bytes=4000, num_documents=7))
    result = RunResult(
        steps=10,
        tokens=640,
        train_loss=0.3,
        validation=validation_at(10, whole=True),
        seconds=60.0,
        tokens_per_second=100.0,
        num_parameters=1234,
    )
    write_json_record(directory.result, result)
    return directory


VOID = {"meta", "br", "col"}


class Page(HTMLParser):
    """What a browser would load, the tags with their attributes, the text, and whether all tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.loads, self.text = [], [], [], []
        self.by_tag: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        self.loads += [value for name, value in attrs if name in {"src", "href"} and not (value or "").startswith("#")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.by_tag.setdefault(self._open[-1] if self._open else "", []).append(data)
        if not {"script", "style"} & {*self._open}:
            self.text.append(data)

    def ids(self):
        return [attributes["id"] for _, attributes in self.attributes if "id" in attributes]
