"""The console in a headless Chromium: every page in both languages, wide and narrow, without a fault of access or policy.

Pictures of all pages are left in `build/console`. Skipped where something is missing, unless HUB_TEST_BROWSER=1 (set by
`make test` once `make browser` has installed everything): then it fails.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from hub.web.app import ASSETS
from tests.conftest import FULL

ROOT = Path(__file__).parents[2]
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "build" / "console"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = next(
    (
        text
        for there, text in (
            (CHROMIUM, "there is no Chromium (apt-get install chromium)"),
            (AXE.is_file(), "axe-core is not installed: tools/install-node-tests.sh"),
            ((ASSETS / "echarts.js").is_file(), "the console's scripts are not built: tools/build-assets.sh"),
        )
        if not there
    ),
    None,
)
NEEDED = os.environ.get("HUB_TEST_BROWSER") == "1"
pytestmark = pytest.mark.skipif(MISSING is not None and not NEEDED, reason=str(MISSING))
WATCH = """window.__violations = [];
document.addEventListener('securitypolicyviolation', (e) => window.__violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));"""
LOOKED = {"judicial-office": "name justice { releaseDate }", "tax": "tax { arrears }", "police-station": "name"}
"""What each persona asks of a person: names that its view has."""
WIDE, NARROW = 1280, 390
LOOKS = [(lang, scheme, width) for lang in ("zh", "en") for scheme in ("light", "dark") for width in (WIDE, NARROW)]
if not FULL:
    LOOKS = [("zh", "light", WIDE), ("zh", "dark", NARROW), ("en", "dark", WIDE), ("en", "light", NARROW)]
INK = """(text) => {
  const place = document.createElement('canvas');
  place.width = place.height = 64;
  const pen = place.getContext('2d', { willReadFrequently: true });
  pen.font = `48px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillText(text, 8, 52);
  return pen.getImageData(0, 0, 64, 64).data.filter((_, at) => at % 4 === 3).join();
}"""


def look(fields):
    return f"query Look($number: String!) {{ person(lookup: {{identityNumber: $number}}) {{ {fields} }} }}"


class Reader:
    """A browser that keeps what went wrong on its pages."""

    def __init__(self, browser, url, lang="en", scheme="light", width=WIDE):
        self.url, self.lang, self.scheme, self.width = url, lang, scheme, width
        self.context = browser.new_context(
            locale="zh-CN" if lang == "zh" else "en-GB", color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        self.context.add_init_script(WATCH)
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    def _request(self, request):
        if not request.url.startswith((self.url + "/", "data:")):
            self.outside.append(request.url)

    def log_in(self, persona="auditor", officer="9001"):
        self.page.goto(f"{self.url}/console/login")
        self.page.select_option("select[name=persona]", persona)
        self.page.fill("input[name=officer]", officer)
        self.page.click("main form button")
        self.page.wait_for_url(f"{self.url}/console/**")
        return self

    def open(self, path):
        separator = "&" if "?" in path else "?"
        self.page.goto(f"{self.url}{path}{separator}lang={self.lang}")
        return self

    def check(self, name):
        """No fault of access, policy or network; a picture is kept."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}-{self.lang}-{self.scheme}-{self.width}.png", full_page=True)
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found["violations"]]
        assert faults == [], name
        assert self.page.evaluate("window.__violations") == [], name
        across = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert across[0] <= across[1], f"{name} is wider than its window"
        assert (self.errors, self.outside) == ([], []), name
        assert self.page.evaluate("document.documentElement.lang") == ("zh-CN" if self.lang == "zh" else "en")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert MISSING is None, MISSING
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="module")
def used(demo):
    """The demo after some reads; ids of entries and the pseudonym of the first person."""
    inside = demo.held["people"]["in"]
    for number in inside[:4]:
        for persona, fields in LOOKED.items():
            reply = demo.ask(persona, look(fields), {"number": number})
            assert reply.status == 200, reply.raw
    for _ in range(7):  # an officer who tries what is not for them
        assert demo.ask("statistician", look("name"), {"number": inside[0]}).status == 400
    entry = next(one for one in reversed(demo.entries()) if one.get("persons"))
    return {"entry": entry["id"], "person": entry["persons"][0]["person"], "number": inside[0], "url": demo.url}


@pytest.mark.parametrize(("lang", "scheme", "width"), LOOKS)
def test_every_page_in_both_languages(browser, used, lang, scheme, width):
    reader = Reader(browser, used["url"], lang, scheme, width).log_in()
    page = reader.page
    for name, path in (
        ("search", "/console/?agency=tax"),
        ("entry", f"/console/entries/{used['entry']}"),
        ("person", f"/console/person?person={used['person']}"),
        ("officer", "/console/officer?officer=8001"),
        ("hours", "/console/hours"),
        ("graph", "/console/graph"),
        ("policy", "/console/policy"),
        ("integrity", "/console/integrity"),
        ("exports", "/console/exports"),
        ("samples", "/console/samples"),
        ("findings", "/console/findings"),
    ):
        reader.open(path)
        for place in page.query_selector_all("[data-chart]"):
            page.wait_for_function("(place) => place.dataset.drawn === '1'", arg=place)
            assert place.query_selector("svg"), name
            assert page.query_selector(f"table#{place.get_attribute('data-table')} tbody tr"), name
        reader.check(name)
    reader.context.close()


def test_chinese_is_drawn_and_not_boxes(browser, used):
    """A font without Chinese draws the same box for every character."""
    reader = Reader(browser, used["url"], "zh").log_in()
    drawn = {reader.page.evaluate(INK, one) for one in "审计日志查询"}
    assert len(drawn) == 6, "there is no Chinese font (apt-get install fonts-wqy-zenhei)"
    assert reader.page.evaluate(INK, " ") not in drawn
    reader.context.close()


def test_a_reader_who_has_not_logged_in_sees_nothing(browser, used):
    reader = Reader(browser, used["url"])
    for path in ("/console/", "/console/exports", f"/console/entries/{used['entry']}"):
        answer = reader.page.goto(used["url"] + path)
        assert answer.status == 401
        assert "Log in to look" in reader.page.inner_text("main")
        reader.errors = [error for error in reader.errors if "401" not in error]
    reader.check("login")
    reader.page.goto(f"{used['url']}/console/login")
    reader.check("authorize")
    reader.context.close()


def test_the_proof_is_verified_in_front_of_the_reader_and_a_wrong_one_is_seen(browser, used):
    reader = Reader(browser, used["url"]).log_in()
    page = reader.page
    reader.open(f"/console/entries/{used['entry']}")
    page.wait_for_selector("#proof[data-verified='1']")
    verdicts = page.eval_on_selector_all("#proof .verdict", "all => all.map(one => one.textContent)")
    assert len(verdicts) >= 4
    assert set(verdicts[:-1]) == {"holds"}
    assert verdicts[-1] in ("holds", "not supported by this browser; use hub_verify.py")

    def spoil(route):
        body = route.fetch().text()
        route.fulfill(
            body=re.sub(r'data-body="(.)', lambda found: 'data-body="' + ("f" if found[1] != "f" else "e"), body),
            content_type="text/html; charset=utf-8",
        )

    page.route("**/console/entries/**", spoil)
    reader.open(f"/console/entries/{used['entry']}")
    page.wait_for_selector("#proof[data-verified='1']")
    assert page.inner_text("#proof tr[data-step=leaf] .verdict") == "does not hold"
    reader.context.close()


def test_the_search_stands_in_the_address_and_the_number_does_not(browser, used, demo):
    reader = Reader(browser, used["url"]).log_in()
    page = reader.page
    reader.open("/console/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "person"
    page.select_option("select[name=agency]", "police")
    page.click("form[role=search] button")
    page.wait_for_url("**agency=police**")
    page.wait_for_function(
        "![...document.querySelectorAll('#results tbody tr')].some(r => r.textContent.includes('tax'))"
    )
    shared = page.url
    first = page.inner_text("#results")
    page.goto(shared)
    assert page.inner_text("#results") == first
    page.click("details summary")
    page.fill("input[name=number]", used["number"])
    page.click("form[action='/console/person'] button")
    page.wait_for_url("**/console/person?person=**")
    assert used["number"] not in page.url
    assert re.search(r"saw|given", page.inner_text("main ol"))
    assert used["number"] not in json.dumps(demo.entries()[-5:])
    assert reader.errors == []
    reader.context.close()


def test_findings_take_two_auditors(browser, used, demo):
    first = Reader(browser, used["url"]).log_in(officer="9001")
    first.open("/console/findings").page.click("main form button")
    first.page.wait_for_selector("tbody a")
    first.page.click("tbody a")
    first.check("finding")
    place = first.page.url

    def act(reader, action, text):
        reader.page.goto(place)
        reader.page.select_option("select[name=action]", action)
        reader.page.fill("textarea", text)
        reader.page.click("main form button")
        reader.page.wait_for_load_state()

    second = Reader(browser, used["url"]).log_in(officer="9002")
    act(first, "assign", "9002")
    act(second, "conclude", "justified: a test")
    act(second, "sign-off", "I agree with myself")
    assert "You may not" in second.page.inner_text("main")
    act(first, "sign-off", "agreed")
    assert "closed" in first.page.inner_text("main dl")
    assert [one["lookedAt"]["action"] for one in demo.entries() if one["kind"] == "finding-review"] == [
        "assign", "conclude", "sign-off",
    ]  # fmt: skip
    first.context.close()
    second.context.close()


def test_samples_and_exports_from_asking_to_the_file(browser, used):
    reader = Reader(browser, used["url"]).log_in()
    page = reader.page
    reader.open("/console/samples")
    page.fill("input[name=size]", "3")
    page.fill("input[name=seed]", "4711")
    page.click("main form button")
    page.wait_for_url("**/console/samples/*")
    assert "4711" in page.inner_text("main")
    reader.check("sample")
    reader.open("/console/exports")
    page.select_option("select[name=format]", "evidence")
    page.select_option("select[name=agency]", "tax")
    label = page.inner_text("select[name=format] option[value=evidence]")
    page.click("main form button")
    asked = page.locator("#jobs tbody tr", has_text=label)  # other auditors' exports of this hub are in the list too
    asked.locator("a").wait_for(timeout=20_000)
    with page.expect_download() as coming:
        asked.locator("a").click()
    assert Path(coming.value.path()).read_bytes().startswith(b"PK")
    assert reader.errors == []
    reader.context.close()


def test_a_page_prints_to_pdf(browser, used):
    reader = Reader(browser, used["url"]).log_in()
    reader.open(f"/console/entries/{used['entry']}")
    reader.page.wait_for_selector("#proof[data-verified='1']")
    SHOTS.mkdir(parents=True, exist_ok=True)
    data = reader.page.pdf(path=SHOTS / "entry.pdf", format="A4")
    assert data.startswith(b"%PDF-")
    reader.page.emulate_media(media="print")
    assert not reader.page.is_visible("nav")
    assert reader.page.is_visible("#proof table")
    reader.context.close()


def test_a_supervisor_sees_policy_and_integrity_alone(browser, used):
    reader = Reader(browser, used["url"]).log_in("county-office", "3001")
    assert reader.page.url.endswith("/console/policy")
    names = reader.page.eval_on_selector_all("nav a", "all => all.map(one => one.getAttribute('href'))")
    assert names == ["/console/policy", "/console/integrity"]
    for path in ("/console/", "/console/findings", "/console/exports", "/console/samples", "/console/hours"):
        assert reader.page.goto(used["url"] + path).status == 403
    reader.context.close()


def test_every_page_view_log_in_and_log_out_is_an_entry(browser, used, demo):
    before = demo.entries()[-1]["seq"]
    reader = Reader(browser, used["url"]).log_in()
    reader.open(f"/console/person?person={used['person']}")
    reader.page.click(".who button")
    reader.page.wait_for_selector("text=Log in to look")
    fresh = [one for one in demo.entries(before) if one["kind"] in ("login", "logout", "console-view")]
    assert [one["kind"] for one in fresh] == ["login", "console-view", "console-view", "logout"]
    assert fresh[2]["lookedAt"] == {"page": "person", "person": used["person"], "kind": "operation"} | {
        name: text for name, text in fresh[2]["lookedAt"].items() if name not in ("page", "person")
    }
    assert {one["officer"] for one in fresh} == {"9001"}
    reader.context.close()


def test_forms_from_elsewhere_and_without_their_token_do_nothing(browser, used):
    reader = Reader(browser, used["url"]).log_in()
    cookies = {one["name"]: one for one in reader.context.cookies()}
    assert (cookies["hub_console"]["httpOnly"], cookies["hub_console"]["sameSite"]) == (True, "Strict")
    send = reader.context.request.post
    for path in ("/console/findings", "/console/samples", "/console/exports", "/console/person", "/console/logout"):
        assert send(used["url"] + path, form={"csrf": "wrong", "size": "1"}).status == 403
        assert send(used["url"] + path, form={"size": "1"}).status == 403
    good = reader.open("/console/samples").page.get_attribute("input[name=csrf]", "value")
    elsewhere = {"Origin": "http://elsewhere.example"}
    assert send(used["url"] + "/console/samples", form={"csrf": good, "size": "1"}, headers=elsewhere).status == 403
    assert send(used["url"] + "/console/samples", form={"csrf": good, "size": "1"}).status == 200
    reader.context.close()


def test_a_log_in_with_another_s_state_or_code_fails(browser, used):
    reader = Reader(browser, used["url"])
    assert reader.page.goto(f"{used['url']}/console/callback?code=x&state=y").status == 401
    reader.page.goto(f"{used['url']}/console/login")
    state = re.search(r"state=([^&]+)", reader.page.url)[1]
    assert reader.page.goto(f"{used['url']}/console/callback?code=x&state={state}").status == 401
    assert reader.page.goto(f"{used['url']}/oauth/authorize?client_id=other").status == 400
    reader.context.close()
