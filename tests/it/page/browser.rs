//! The page in Chromium.

use std::time::Duration;

use repoint_domain::report::Outcome;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{RICH_PATH, World, world};
use crate::support::browser::{Browser, ENTER, SPACE, TAB};

/// Text with too little contrast, what is wider than the window, headings out of order, tables and controls without names.
const AUDIT: &str = r#"
const problems = [];
const parse = (text) => text.match(/[\d.]+/g).map(Number);
const luminance = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
    if (colour[3] > 0) problems.push(`a translucent background: ${at.className}`);
  }
  return [255, 255, 255];
};
let texts = 0;
const seen = new Set();
const check = (element, style, what) => {
  const [text, back] = [parse(style.color), behind(element)];
  const key = `${text}/${back}`;
  texts += 1;
  if (seen.has(key)) return;
  seen.add(key);
  const [light, dark] = [luminance(text), luminance(back)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${what}`);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const [text, element] = [walker.currentNode.textContent.trim(), walker.currentNode.parentElement];
  if (text && element.nodeName !== "NOSCRIPT" && element.checkVisibility()) check(element, getComputedStyle(element), text);
}
for (const cell of document.querySelectorAll(".stack td")) check(cell, getComputedStyle(cell, "::before"), cell.dataset.label);
for (const input of document.querySelectorAll("input")) check(input, getComputedStyle(input, "::placeholder"), "placeholder");
if (document.documentElement.scrollWidth > innerWidth) problems.push(`${document.documentElement.scrollWidth} px wide`);
const levels = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((h) => Number(h.nodeName[1]));
if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) problems.push(`headings ${levels}`);
levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) problems.push(`headings ${levels}`); });
for (const table of document.querySelectorAll("table")) {
  if (!table.caption?.textContent) problems.push("a table without a caption");
  for (const cell of table.querySelectorAll("thead th")) if (cell.scope !== "col") problems.push("a column without its header");
  for (const row of table.tBodies[0].rows) if (row.cells[0].scope !== "row") problems.push("a row without its header");
}
for (const one of document.querySelectorAll("a, button, input, summary")) {
  if (!(one.textContent.trim() || one.labels?.length)) problems.push(`no name: ${one.outerHTML}`);
}
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
if (new Set(ids).size !== ids.length) problems.push("an id stands twice");
if (!document.documentElement.lang || document.querySelectorAll("main").length !== 1) problems.push("no language, or not one main");
for (const one of ["header", "footer"]) if (!document.querySelector(`body > ${one}`)) problems.push(`no ${one}`);
return { problems, texts };
"#;

const FOCUSABLE: &str = "[...document.querySelectorAll('a[href], button, input, summary')].filter((one) => one.checkVisibility())";

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// Presses Tab until all that can have the focus has had it; each has an outline then.
async fn reach_all(browser: &Browser) {
    let count = browser.script(&format!("document.activeElement.blur(); return {FOCUSABLE}.length")).await;
    let count = usize::try_from(count.as_u64().unwrap()).unwrap();
    assert!(count > 5, "{count}");
    browser.script("window.reached = new Set(); addEventListener('focusin', (event) => { const style = getComputedStyle(event.target); if (style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2) reached.add(event.target); })").await;
    browser.press(&TAB.repeat(count)).await;
    let missed = browser
        .script(&format!("return {FOCUSABLE}.filter((one) => !reached.has(one)).map((one) => one.outerHTML)"))
        .await;
    assert_eq!(missed, json!([]));
}

async fn names(browser: &Browser, count: usize) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('.fleet tbody a')].slice(0, {count}).map((a) => a.textContent)"
    );
    strings(&browser.script(&script).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clusters_are_usable_in_a_browser() {
    let Some(browser) = Browser::start().await else {
        println!("left out: there is no chromedriver, which Debian's package chromium-driver has");
        return;
    };
    let world = World::new(world::fleet(1000));
    for (name, path) in
        [("fleet", "/"), ("cluster", RICH_PATH), ("held", "/clusters/inventory"), ("runbook", "/runbook")]
    {
        for scheme in ["light", "dark"] {
            for width in [1280, 360, 320] {
                browser.appear(width, scheme).await;
                browser.open(&world.url(path)).await;
                let audit = browser.script(AUDIT).await;
                assert_eq!(audit["problems"], json!([]), "{name} {scheme} {width}");
                assert!(audit["texts"].as_u64().unwrap() > 20, "{audit}");
                browser.picture(&format!("{name}-{scheme}-{width}")).await;
            }
        }
    }
    browser.appear(1280, "light").await;
    for path in ["/?trouble=1", RICH_PATH] {
        browser.open(&world.url(path)).await;
        reach_all(&browser).await;
    }
    find(&browser, &world).await;
    update(&browser, &world).await;
    assert_eq!(browser.console().await, [""; 0]);
    without_script(&browser, &world).await;
}

/// By keyboard alone.
async fn find(browser: &Browser, world: &World) {
    browser.open(&world.url("/")).await;
    assert_eq!(names(browser, 5).await, ["billing", "inventory", "payments/eu 1", "search", "reports"]);
    // The name of the product, the button, the search.
    browser.press(&TAB.repeat(3)).await;
    browser.press("orders-0042").await;
    browser.until("document.querySelectorAll('.fleet tbody tr').length === 1").await;
    assert_eq!(names(browser, 5).await, ["orders-0042"]);
    assert_eq!(
        browser.script("return document.querySelector('.shown').textContent").await,
        json!("1 of them shown.")
    );
    assert_eq!(browser.script("return location.search").await, json!("?q=orders-0042"));
    browser.press(TAB).await;
    browser.press(SPACE).await;
    browser.until("document.querySelector('.none')").await;
    browser.script("document.getElementById('q').value = ''").await;
    browser.press(SPACE).await;
    browser.until("document.querySelectorAll('.fleet tbody tr').length === 1000").await;
    browser.press(SPACE).await;
    browser.until("document.querySelectorAll('.fleet tbody tr').length === 5").await;
}

/// What differs is taken over, and nothing else is touched.
async fn update(browser: &Browser, world: &World) {
    browser.open(&world.url("/")).await;
    let timed =
        "const began = performance.now(); return refresh().then(() => Math.round(performance.now() - began))";
    browser.script("window.rows = new Map([...document.querySelectorAll('.fleet tbody tr')].map((row) => [row.id, row]))").await;
    browser.script("document.querySelector('#c-orders-0500 a').focus()").await;
    let same = browser.script(timed).await;
    let unchanged = browser.script(timed).await;
    world.change("orders-0500", |report| {
        report.outcome = Outcome::Failed;
        report.status.as_mut().unwrap().members[2].error = Some("connection refused".to_owned());
    });
    let moved = browser.script(timed).await;
    println!("a refresh of 1,000 clusters: {same} ms, {unchanged} ms if unchanged, {moved} ms with a change");
    assert_eq!(names(browser, 5).await, ["billing", "inventory", "orders-0500", "payments/eu 1", "search"]);
    assert_eq!(browser.script("return document.activeElement.textContent").await, json!("orders-0500"));
    let kept =
        "return [...document.querySelectorAll('.fleet tbody tr')].every((row) => rows.get(row.id) === row)";
    assert_eq!(browser.script(kept).await, json!(true));
    let status = browser.script("return document.querySelector('[role=status]').textContent").await;
    assert!(status.as_str().unwrap().contains("5 critical"), "{status}");
    assert_eq!(browser.script("return document.title").await, json!("(5 critical) Clusters · repoint"));

    browser.script("document.getElementById('pause').click()").await;
    let said = browser.script("return document.querySelector('.as-of').innerText + isPaused").await;
    assert!(
        said.as_str().unwrap().starts_with("Paused, as of 20") && said.as_str().unwrap().ends_with("true"),
        "{said}"
    );
    assert_eq!(
        browser.script("return document.getElementById('pause').textContent").await,
        json!("Resume updates")
    );

    // What was unfolded stays so.
    browser.open(&world.url(RICH_PATH)).await;
    browser.script("document.querySelector('details').open = true").await;
    world.change(world::RICH, |report| report.status.as_mut().unwrap().is_paused = true);
    browser.script("return refresh()").await;
    browser.until("document.querySelector('#summary').textContent.includes('paused')").await;
    assert_eq!(browser.script("return document.querySelector('details').open").await, json!(true));
}

/// The form works, and the page says that it does not update itself.
async fn without_script(browser: &Browser, world: &World) {
    browser.command("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.open(&world.url("/")).await;
    let evaluate = async |expression: &str| {
        let parameters = json!({"expression": expression, "returnByValue": true});
        browser.command("Runtime.evaluate", parameters).await["result"]["value"].clone()
    };
    assert_eq!(evaluate("document.getElementById('pause').checkVisibility()").await, json!(false));
    assert_eq!(evaluate("document.querySelector('#filter button').checkVisibility()").await, json!(true));
    let said = evaluate("document.querySelector('.as-of').innerText").await;
    assert!(said.as_str().unwrap().ends_with("Reload for newer."), "{said}");
    browser.press(&TAB.repeat(2)).await;
    browser.press("orders-0007").await;
    browser.press(ENTER).await;
    let waiting = async {
        while evaluate("location.search + document.querySelectorAll('.fleet tbody tr').length").await
            != json!("?q=orders-00071")
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(1), waiting).await.unwrap();
    browser.picture("without-script").await;
}
