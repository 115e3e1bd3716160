/** Text that wants to be more than text: it is shown, it does nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider } from "./stage.mjs";

const MARKUP = `<img src=x onerror="alert(1)"><script>alert(2)</script><svg onload=alert(3)>`;

/** Every element in the widget, by name: what a fixed set of elements may hold. */
const names = (chat) => chat.page.evaluate(() => [...new Set([...document.querySelector("db-chat").shadowRoot.querySelectorAll(".turns *")].map((node) => node.localName))].sort());

/** Whether anything makes the page scroll sideways. */
const overflows = (chat) => chat.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

test("markup in prose, cells, column names and SQL stays text", async (t) => {
  const chat = await open(t);
  provider.script(`SELECT '${MARKUP.replaceAll("'", "''")}'::text AS "${MARKUP.replaceAll('"', "").slice(0, 50)}" FROM orders LIMIT 1`, `Look: ${MARKUP} **<b onclick=alert(4)>bold</b>** [click](javascript:alert(5)) ![dot](https://evil.example/dot.png) [here](https://evil.example/?rows=1)`);
  await chat.ask(`Who is ${MARKUP}?`);
  assert.deepEqual(await chat.cells(), [[MARKUP]]);
  const text = await chat.last.innerText();
  assert.ok(text.includes(`Look: ${MARKUP}`) && text.includes(`Who is ${MARKUP}?`), text);
  assert.ok(text.includes("javascript:alert(5)"), "an address is written out");
  assert.ok(text.includes("here (https://evil.example/?rows=1)"));
  const found = await names(chat);
  for (const name of ["img", "script", "a", "iframe", "b"]) assert.ok(!found.includes(name), `${name} in ${found}`);
  assert.equal(await chat.page.evaluate(() => [...document.querySelector("db-chat").shadowRoot.querySelectorAll("*")].some((node) => [...node.attributes].some((attribute) => /^on|^style$/.test(attribute.name)))), false);
});

test("Markdown becomes the fixed set of elements, whole or half written", async (t) => {
  const chat = await open(t);
  const prose = "# Title\n\nSome *italic*, **bold** and `code`.\n\n- one\n- two\n  1. inner\n\n```sql\nSELECT <b>1</b>\n```\n\n2 * 3 * 4 and snake_case_name\n\n**never closed";
  provider.script("SELECT 1 AS one FROM orders LIMIT 1", Array.from(prose));
  await chat.ask("Write Markdown");
  const answer = chat.last.locator("[part=answer]");
  assert.equal(await answer.evaluate((node) => [...node.children].map((child) => child.localName).join(" ")), "h4 p ul pre p p");
  assert.equal(await answer.locator("ul > li > ol > li").innerText(), "inner");
  assert.equal(await answer.locator("pre").innerText(), "SELECT <b>1</b>");
  await answer.getByText("2 * 3 * 4 and snake_case_name").waitFor();
  await answer.getByText("**never closed").waitFor();
});

// A pattern that backtracks takes minutes for these, so the deadline is no matter of the machine's speed.
test("text made to be slow to read is read", { timeout: 60_000 }, async (t) => {
  const chat = await open(t);
  await chat.page.evaluate(async () => {
    const { renderMarkdown } = await import("/static/markdown.js");
    const { renderSql } = await import("/static/evidence.js");
    for (const unit of ["**a ", "[b", "`d", "![", "__y ", "[a](b", "[a](b c", "- ", " 1. ", "(", "'", "/*", "$$"]) {
      renderMarkdown(document.createElement("div"), unit.repeat(50_000));
      renderSql(unit.repeat(20_000));
    }
  });
});

test("a megabyte without a space, emoji and marks that turn the direction leave the layout alone", async (t) => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 320, height: 640 }]) {
    const chat = await open(t, { viewport, prepare: (page) => page.routeWebSocket(/\/ws\//, (socket) => socket.onMessage((text) => {
      const { request_id } = JSON.parse(text);
      const long = "x".repeat(1_000_000);
      socket.send(JSON.stringify({
        type: "chat_response", request_id, seq: 1, reply: `${long.slice(0, 100_000)} \u202Etxet desrever 👨‍👩‍👧‍👦`, sql_query: `SELECT '\u202E${long.slice(0, 20_000)}' AS a`,
        columns: [{ name: long.slice(0, 5000), type: "text" }, { name: "\u202Eb", type: "text" }], rows: [[long, "👨‍👩‍👧‍👦".repeat(200)], ["\u202Egnp.exe", "\u0000\u0007"]], row_count: 2, truncated: true,
        evidence: { tables: [long.slice(0, 5000)], filters: [], joins: [], warnings: [long.slice(0, 5000)], unverified_numbers: [] },
      }));
    })) });
    await chat.ask("Be nasty");
    await chat.last.getByText("SQL", { exact: true }).click();
    await chat.last.getByText("Evidence", { exact: true }).click();
    assert.equal(await overflows(chat), false, `${viewport.width} wide`);
    const box = await chat.last.evaluate((turn) => ({ inner: turn.scrollWidth, outer: turn.clientWidth }));
    assert.ok(box.inner <= box.outer, JSON.stringify(box));
    assert.match(await chat.last.getByLabel("SQL", { exact: true }).innerText(), /\\u202e/, "an unseen mark is spelled out");
    await chat.send.waitFor();
    assert.equal(await chat.input.isEditable(), true);
  }
});

test("hostile text in an error stays text", async (t) => {
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(/\/ws\//, (socket) => socket.onMessage((text) => {
    socket.send(JSON.stringify({ type: "error", request_id: JSON.parse(text).request_id, seq: 1, code: "internal", message: MARKUP, retryable: true }));
  })) });
  await chat.ask("Fail");
  await chat.last.getByText(MARKUP).waitFor();
});

test("the page is served under a policy without inline scripts or styles, and obeys it", async (t) => {
  const chat = await open(t, { goto: false });
  const { withModel } = await import("./stage.mjs");
  const response = await chat.page.goto(withModel.url);
  const policy = response.headers()["content-security-policy"] ?? "";
  assert.match(policy, /default-src|script-src/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
  assert.match(policy, /require-trusted-types-for 'script'/);
});
