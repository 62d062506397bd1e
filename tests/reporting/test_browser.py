"""Reports in a real browser. Oracles: the page's own data, axe-core, Python's writing of the same numbers.

Screenshots are kept in $HOMESPUN_SCREENSHOTS where that names a folder.
"""

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

import pytest

from browser import axe_source
from homespun.reporting import axes, figures, write_report
from reports import make_run

pytestmark = pytest.mark.timeout(120)
SCRIPTS = Path(figures.__file__).parent / "page"
VARIANTS = ["reference", "high rate", "no norm"]
MODES = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390), ("light", 1920)]


@contextmanager
def opened(browser, path, *, scheme="light", width=1280, scripts=True, **options):
    """A page that is open; whatever it complains of or loads fails the test."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=scripts, **options
    )
    page = context.new_page()
    complaints, loaded = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert not complaints
    assert {*loaded} == {path.as_uri()}


def data_of(page):
    return json.loads(page.locator("#data").text_content())


@pytest.mark.parametrize(("scheme", "width"), MODES)
@pytest.mark.parametrize("kind", ["single", "two", "sweep"])
def test_pages_fit_and_are_accessible(browser, reports, kind, scheme, width):
    """Nothing is wider than the screen but what scrolls in a box of its own; axe-core finds no violation."""
    path = getattr(reports, kind)
    with opened(browser, path, scheme=scheme, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe_source())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert not [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]
        if folder := os.environ.get("HOMESPUN_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{kind}-{scheme}-{width}.png", full_page=True)


@pytest.mark.parametrize("kind", ["single", "two", "sweep"])
def test_everything_is_there_without_scripts(browser, reports, kind):
    with opened(browser, getattr(reports, kind), scripts=False) as page:
        assert page.locator("svg.static").count() == 4
        assert page.locator("svg.static path.line").first.is_visible()
        assert page.locator("table").first.is_visible()
        assert page.locator("#legend li").count() >= 1
        assert not page.locator("#controls").is_visible()
        assert page.locator("#theme").is_hidden()


def test_pointing_shows_the_values_of_the_curves(browser, reports):
    """Oracle: the nearest point in the page's data, in the unit of the chart."""
    with opened(browser, reports.two) as page:
        plot = page.locator("#chart-loss .plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
        page.wait_for_selector("#chart-loss .tip:not([hidden])")
        rows = page.locator("#chart-loss .tip tr").all_inner_texts()
        shown = {name.strip(): float(value) for name, value in (row.rsplit("\t", 1) for row in rows)}
        cursor = float(page.locator("#chart-loss .cursor line").get_attribute("x1"))
        marks = page.locator("#chart-loss .axis line.tick")
        ticks = [float(mark.get_attribute("x1")) for mark in marks.all()]
        labels = page.locator("#chart-loss .axis text[text-anchor=middle]").all_text_contents()
        first, last = read_compact(labels[0]), read_compact(labels[-1])
        at = first + (cursor - ticks[0]) / (ticks[-1] - ticks[0]) * (last - first)
        for curve in data_of(page)["curves"]:
            tokens = [step * curve["tokens_per_step"] for step in curve["train"]["step"]]
            near = min(range(len(tokens)), key=lambda index: abs(tokens[index] - at))
            around = [curve["train"]["loss"][max(0, near - 1)], curve["train"]["loss"][near + 1]]
            low, high = sorted(value * curve["bits"] for value in around)
            assert low - 1e-4 <= shown[curve["name"]] <= high + 1e-4


def read_compact(text):
    factor = {"k": 1e3, "M": 1e6}.get(text[-1], 1.0)
    return float(re.sub("[^0-9.]", "", text)) * factor


def test_the_legend_hides_and_shows(browser, reports):
    with opened(browser, reports.sweep) as page:
        lines = page.locator("#chart-loss svg path.line")
        before = lines.count()
        chip = page.locator("#legend button").first
        chip.click()
        assert chip.get_attribute("aria-pressed") == "false"
        assert lines.count() == before - 1
        assert page.locator("#chart-norm svg path.line").count() == before - 1
        chip.press("Enter")
        assert lines.count() == before


@pytest.mark.parametrize(
    ("switch", "label"),
    [
        ("x-steps", "optimizer steps"),
        ("x-time", "training time"),
        ("x-flops", "FLOPs"),
        ("x-tokens", "tokens trained on"),
    ],
)
def test_the_horizontal_axis_switches(browser, reports, switch, label):
    with opened(browser, reports.two) as page:
        page.locator(f"label[for={switch}]").click()
        assert page.locator("#chart-loss .axis .title").first.text_content() == label
        assert page.locator("#chart-loss path.line").count() == 2


def test_budgets_switch(browser, reports):
    """A sweep at equal tokens and at equal time: a forest plot for each, and the curves of one at a time."""
    with opened(browser, reports.sweep) as page:
        assert page.locator("table.forest").count() == 2
        assert page.locator("#legend button").all_inner_texts() == [*VARIANTS, "show all / none"]
        page.locator("label[for=budget-time]").click()
        assert page.locator("#legend button").all_inner_texts() == ["reference", "high rate"]
        assert page.locator("#chart-loss path.line").count() == 2


def test_scales_and_units_switch(browser, reports):
    with opened(browser, reports.single) as page:
        for switch in ("xscale-log", "yscale-log", "unit-excess"):
            page.locator(f"label[for={switch}]").click()
        titles = page.locator("#chart-loss .axis .title").all_text_contents()
        assert titles == ["tokens trained on, logarithmic", "bits per byte above the exact entropy, logarithmic"]
        assert page.locator("#chart-loss path.line").get_attribute("d").count("L") > 10
        page.locator("label[for=unit-nats]").click()
        assert page.locator("#chart-loss .reference line").count() == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_runs_fit_and_run_nothing(browser, tmp_path, width):
    """Names without a place to break, markup, and a run that has only validations."""
    names = ["a" * 200, "<img src=x onerror=alert(1)>", "\u202egnp.exe", "w i t h   s p a c e s"]
    runs = [make_run(tmp_path / name) for name in names]
    runs[0].sample_at(10).write_text("b" * 5000 + "</script><script>alert(1)</script>")
    lines = runs[1].metrics.read_text().splitlines(keepends=True)
    runs[1].metrics.write_text("".join(line for line in lines if "validation" in line))
    runs[2].metrics.write_text(runs[2].metrics.read_text().replace('"loss": 1.5', '"loss": NaN'))
    write_report([run.root for run in runs], tmp_path / "report.html")
    with opened(browser, tmp_path / "report.html", width=width) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("img").count() == 0
        for switch in ("x-time", "yscale-log", "unit-nats"):
            page.locator(f"label[for={switch}]").click()
        assert page.locator("#legend button").count() == 5


def test_a_run_with_nothing_to_draw_opens(browser, tmp_path):
    """Its only record has a loss that is not finite."""
    run = make_run(tmp_path / "lost", [float("nan")])
    run.metrics.write_text(run.metrics.read_text().splitlines(keepends=True)[0].replace("nan", "NaN"))
    run.result.unlink()
    write_report(run.root, run.report)
    with opened(browser, run.report) as page:
        assert page.locator("svg.static, .plot").count() == 0
        assert page.locator("h1").inner_text() == "lost"


def axis_of(page):
    return page.locator("#chart-loss .axis text[text-anchor=middle]").all_text_contents()


def test_dragging_zooms_and_double_click_resets(browser, reports):
    with opened(browser, reports.single) as page:
        plot = page.locator("#chart-loss .plot")
        plot.scroll_into_view_if_needed()
        whole, box = axis_of(page), plot.bounding_box()
        page.mouse.move(box["x"] + 300, box["y"] + 120)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 125, steps=4)
        page.mouse.up()
        assert axis_of(page) != whole
        assert page.locator(".reset").is_visible()
        plot.dblclick(position={"x": 400, "y": 120})
        assert axis_of(page) == whole
        assert page.locator(".reset").is_hidden()


def test_charts_work_with_the_keyboard(browser, reports):
    with opened(browser, reports.single) as page:
        whole = axis_of(page)
        page.locator("#chart-loss .plot").focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert page.locator("#chart-loss .cursor line").count() == 1
        # Locators wait; a function to wait for would be evaluated, which the page's policy forbids.
        page.locator("#live", has_text="tokens trained on").wait_for(state="attached")
        page.keyboard.press("+")
        assert axis_of(page) != whole
        page.keyboard.press("Escape")
        assert axis_of(page) == whole


def test_tables_sort_by_click_and_key(browser, reports):
    """Oracle: Python's order of the numbers that the cells show."""
    with opened(browser, reports.sweep) as page:
        table = page.locator("table.sortable").first
        heading = table.locator("thead th", has_text="bits per byte")
        column = heading.evaluate("(cell) => cell.cellIndex")
        cells = table.locator(f"tbody tr > :nth-child({column + 1})")
        heading.locator("button").click()
        rising = [float(text) for text in cells.all_inner_texts()]
        assert rising == sorted(rising)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.locator("button").press("Enter")
        assert [float(text) for text in cells.all_inner_texts()] == sorted(rising, reverse=True)


def test_pointing_at_a_token_says_its_bits(browser, reports):
    with opened(browser, reports.single) as page:
        token = page.locator(".sample .t").nth(3)
        token.click()
        assert token.get_attribute("title") in page.locator(".readout").first.text_content()


def test_the_theme_is_remembered(browser, reports):
    with opened(browser, reports.single) as page:
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("label[for=theme-dark]").click()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.reload()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark != light
        page.locator("label[for=theme-auto]").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_print_shows_what_is_folded(browser, reports):
    with opened(browser, reports.single, scheme="dark") as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.locator("details:not([open])").count() == 0
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("#controls").is_hidden()


VALUES = [0, 1, -1, 0.5, 1 / 3, 123456, 2867200, 1e-5, 3.14159e-7, 99.95, 999.9, 1e12, 8.5e17, 147, 119.9, 7201, 0.0001]


def test_scripts_write_numbers_as_python_does(browser):
    """Oracle: `homespun.reporting.figures` and `axes`, which the page without scripts uses."""
    source = (SCRIPTS / "scales.js").read_text(encoding="utf-8")
    page = browser.new_page()
    written = page.evaluate(
        f"(values) => {{ {source}; return values.map((v) => [significant(v, 4), compact(v), duration(v), flops(v)]) }}",
        VALUES,
    )
    for value, (significant, compact, duration, flops) in zip(VALUES, written, strict=True):
        assert significant == figures.significant(value, 4)
        assert compact == figures.compact(value)
        assert flops == figures.flops(value)
        if value > 0:
            assert duration == figures.duration(value)
    ranges = [(0, 1, 5), (0.2591, 2.4, 6), (0, 1433600, 9), (-3, 7, 4), (1e-4, 5e-3, 4)]
    ticks = page.evaluate(f"(ranges) => {{ {source}; return ranges.map((range) => linearTicks(...range)) }}", ranges)
    assert ticks == [pytest.approx(axes.linear_ticks(*each)) for each in ranges]
    page.close()
