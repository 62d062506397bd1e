"""Text of strangers in a report. Oracles: an HTML parser, and planted text that must come out as text."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homespun.reporting import write_report
from homespun.reporting.markup import Markup, script_data, tag
from homespun.samples import TextSample, write_samples
from homespun.sweeps import SweepRun
from reports import Page, make_run
from sweep_world import write_sweep

HOSTILE = [
    "</script><script>alert(1)</script>", "<!--", "]]>", "<img src=x onerror=alert(1)>", "\"' onload='x", "&lt;b&gt;",
    "\x00\x1b[31m", "\u202egnp.exe", "\ud800", "a" * 3000, "javascript:alert(1)", "${1}", "\u2028", "</title>",
    "</style>",
]  # fmt: skip


def check_page(html: str) -> Page:
    """A page that nests, loads nothing, runs only the scripts of its policy and holds no markup of a stranger."""
    page = Page(html)
    assert page.loads == []
    assert not {"img", "iframe", "object", "base", "form"} & {*page.tags}
    names = [name for _, attributes in page.attributes for name in attributes]
    assert not [name for name in names if name.startswith("on") or name == "style"]
    policy = next(a["content"] for t, a in page.attributes if a.get("http-equiv") == "Content-Security-Policy")
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == 2
    for kind, text in [("script-src", script) for script in scripts] + [
        ("style-src", style) for style in re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    ]:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in re.search(rf"{kind} ([^;]*)", policy)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, flags=re.DOTALL)
    assert not {"<", ">", "&"} & {*data[1]}
    json.loads(data[1])
    return page


def hostile_run(root, text):
    run = make_run(root)
    run.recipe.write_bytes(json.dumps({"name": text, text: text, "source": {"train": text}, "seed": 1}).encode())
    run.environment.write_bytes(
        json.dumps(
            {
                "machine": {"cpu": text, "device": text, "num_threads": 2},
                "packages": {"torch": text},
                "python": text,
                "precision": {"value": text},
                "sessions": [
                    {"began": text, "steps_done": 0, "version": text, "commit": text, "uncommitted_changes": True}
                ],
            }
        ).encode()
    )
    change = {"kind": "change", "step": 3, "key": text, "before": text, "after": text}
    with run.metrics.open("a") as file:
        file.write(json.dumps(change) + "\n")
    write_samples(run.sample_tokens_at(10), [TextSample(num_prompt_tokens=1, tokens=[text, text], nats=[1.0, 900.0])])
    return run


@pytest.mark.property
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)))
def test_text_of_strangers_stays_text(tmp_path_factory, text):
    root = tmp_path_factory.mktemp("hostile")
    runs = [hostile_run(root / "one", text), hostile_run(root / "two", f"{text}2")]
    write_report([run.root for run in runs], root / "report.html")
    check_page((root / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_strange_sweep_stays_text(tmp_path, text):
    make_run(tmp_path / "runs" / "one")
    listed = SweepRun(
        variant=text, budget="tokens", seed=0, directory="runs/one", status="finished", num_steps=10, seconds=1.0,
        measures={"bits_per_byte": 0.5, text: 1.0},
    )  # fmt: skip
    write_sweep(
        tmp_path, {text: {}, f"{text}2": {text: text}}, [listed], text, rule=text, name=text, conclusions=[text]
    )
    write_report(tmp_path, tmp_path / "report.html")
    check_page((tmp_path / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", HOSTILE)
def test_elements_escape_text_and_attributes(text):
    page = Page(tag("p", text, title=text, data_x=text))
    assert page.tags == ["p"]
    clean = re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff]", "\ufffd", text)
    assert "".join(page.text) == clean
    assert page.attributes[0][1] == {"title": clean, "data-x": clean}
    assert tag("p", Markup("<b>")) == "<p><b></p>"


@pytest.mark.parametrize("text", HOSTILE)
def test_data_come_back_as_written(text):
    """Oracle: identity."""
    written = script_data("data", {"name": text})
    assert json.loads(written.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")) == {
        "name": text
    }


def test_aliases_do_not_explode(tmp_path):
    """Nine aliases of nine aliases of ...: 9**9 values, of which none is made."""
    run = make_run(tmp_path / "run")
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    run.recipe.write_text("\n".join(lines))
    write_report(run.root, run.report)
    assert "aliases" in run.report.read_text(encoding="utf-8")
