/** A question and its answer, as a person sees them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { offline, open, provider } from "./stage.mjs";

test("the page says in one glance what it is, which engine answers and how to embed it", async (t) => {
  const { page } = await open(t, { url: offline.url });
  await page.getByRole("heading", { level: 1, name: "Ask your database in plain English." }).waitFor();
  await page.getByText("Answered by the offline engine, no model").waitFor();
  await page.getByText("<db-chat").waitFor();
  await page.getByRole("heading", { name: "The demo shop" }).waitFor();
  assert.equal(await page.getByRole("group", { name: "Suggestions" }).getByRole("button").count(), 6);
});

test("of a database that is not the demo's the page claims nothing", async (t) => {
  const prepare = async (page) => {
    await page.route("**/healthz", async (route) => {
      const response = await route.fetch();
      const health = await response.json();
      assert.equal(health.demo, true);
      await route.fulfill({ response, json: { ...health, demo: false } });
    });
  };
  const { page } = await open(t, { url: offline.url, prepare });
  await page.getByRole("heading", { name: "Ask your data", exact: true }).waitFor();
  await page.getByText("Answered by the offline engine, no model").waitFor();
  assert.equal(await page.getByRole("group", { name: "Suggestions" }).count(), 0);
  assert.equal(await page.getByText(/salaries|shop/).count(), 0);
});

test("the page names the model where there is one", async (t) => {
  const { page } = await open(t);
  await page.getByText("fake-model").waitFor();
});

test("a sample question is asked with one click and answered by the offline engine", async (t) => {
  const chat = await open(t, { url: offline.url });
  await chat.page.getByRole("button", { name: "How many customers do we have?" }).click();
  await chat.settled();
  const [[count]] = await chat.cells();
  const number = Number(count.replaceAll(",", ""));
  assert.ok(number > 0, `a count of customers, got ${count}`);
  // The prose may or may not group its digits.
  const prose = await chat.last.innerText();
  assert.ok(prose.replaceAll(",", "").includes(String(number)));
});

test("every sample question gets an answer, and the one about salaries a polite refusal", async (t) => {
  const chat = await open(t, { url: offline.url });
  await chat.page.getByRole("heading", { name: "The demo shop" }).waitFor();
  const samples = await chat.page.getByRole("group", { name: "Suggestions" }).getByRole("button").allInnerTexts();
  for (const sample of samples) {
    await chat.ask(sample);
    assert.equal(await chat.last.locator(".failed").count(), 0, sample);
    await chat.showTable();
    const tables = await chat.table.count();
    if (/salary/.test(sample)) {
      assert.equal(tables, 0, "no rows for a refused question");
      assert.doesNotMatch(await chat.last.locator("[part=answer]").innerText(), /staff|permission|hidden/i);
    } else assert.equal(tables, 1, `a table for: ${sample}`);
  }
});

test("an answer shows prose, rows, and on demand its SQL and evidence", async (t) => {
  const chat = await open(t);
  provider.script("SELECT status, count(*) AS orders FROM orders WHERE id > 0 GROUP BY status ORDER BY orders DESC", "Most orders are **delivered**.");
  await chat.ask("Orders by status");
  await chat.last.getByText("Most orders are delivered.").waitFor();
  assert.equal(await chat.last.locator("strong", { hasText: "delivered" }).count(), 1);
  assert.ok((await chat.cells()).length > 1);
  assert.deepEqual(await chat.table.getByRole("columnheader").allInnerTexts(), ["status", "orders"]);

  const sql = chat.last.getByLabel("SQL", { exact: true });
  assert.equal(await sql.isVisible(), false);
  await chat.last.getByText("SQL", { exact: true }).click();
  assert.match(await sql.innerText(), /SELECT[\s\S]+FROM public\.orders/);
  await chat.last.getByText("Evidence", { exact: true }).click();
  await chat.last.getByText("Tables read").waitFor();
  await chat.last.getByText("public.orders", { exact: true }).waitFor();
  await chat.last.getByText("Filters", { exact: true }).waitFor();
  assert.match(await chat.last.innerText(), /\d+ rows · \d+(\.\d+)? s/);
});

test("the SQL can be copied as it was run", async (t) => {
  const chat = await open(t, { permissions: ["clipboard-read", "clipboard-write"] });
  provider.script("SELECT count(*) AS n FROM orders", "There are some.");
  await chat.ask("How many orders?");
  await chat.last.getByText("SQL", { exact: true }).click();
  await chat.last.getByRole("button", { name: "Copy SQL" }).click();
  await chat.last.getByText("Copied").waitFor();
  assert.match(await chat.page.evaluate(() => navigator.clipboard.readText()), /^SELECT count\(\*\) AS n FROM public\.orders/);
});

test("a number that the rows do not hold is pointed out", async (t) => {
  const chat = await open(t);
  provider.script("SELECT 41 AS n FROM orders LIMIT 1", "The number is 7777.");
  await chat.ask("Which number?");
  await chat.last.getByText("Not found in the rows: 7777.").waitFor();
});

test("a follow-up goes to the same conversation, and the model sees what was said before", async (t) => {
  const chat = await open(t);
  provider.script("SELECT 1 AS one FROM orders LIMIT 1", "It is one.", "SELECT 2 AS two FROM orders LIMIT 1", "It is two.");
  await chat.ask("What is the first number?");
  await chat.ask("And the next?");
  await chat.last.getByText("It is two.").waitFor();
  assert.match(JSON.stringify(provider.calls[2].messages), /What is the first number\?/);
});

test("the conversation is there again after a reload, and goes on", async (t) => {
  const chat = await open(t);
  provider.script("SELECT 11 AS eleven FROM orders LIMIT 1", "It is eleven.");
  await chat.ask("What is before twelve?");
  await chat.page.reload();
  await chat.turns.getByText("It is eleven.").waitFor();
  assert.equal(await chat.turns.count(), 1);
  assert.deepEqual(await chat.cells(), [["11"]]);
  provider.script("SELECT 12 AS twelve FROM orders LIMIT 1", "It is twelve.");
  await chat.ask("And after it?");
  assert.equal(await chat.turns.count(), 2);
  assert.match(JSON.stringify(provider.calls[0].messages), /What is before twelve\?/);
});

test("a new conversation begins empty and stays so after a reload", async (t) => {
  const chat = await open(t);
  provider.script("SELECT 1 AS one FROM orders LIMIT 1", "One.");
  await chat.ask("Anything?");
  await chat.page.getByRole("button", { name: "New conversation" }).click();
  assert.equal(await chat.turns.count(), 0);
  await chat.page.getByRole("button", { name: "Orders by status" }).waitFor();
  await chat.page.reload();
  await chat.page.getByRole("button", { name: "Orders by status" }).waitFor();
  assert.equal(await chat.turns.count(), 0);
});

test("a conversation that the server has forgotten begins anew", async (t) => {
  const chat = await open(t, { allowErrors: true });
  provider.script("SELECT 1 AS one FROM orders LIMIT 1", "One.");
  await chat.ask("Anything?");
  await chat.page.evaluate(() => {
    const key = Object.keys(sessionStorage).find((name) => name.startsWith("db-chat:"));
    sessionStorage.setItem(key, JSON.stringify({ id: "00000000-0000-4000-8000-000000000000" }));
  });
  const history = chat.page.waitForResponse(/\/api\/chat\/conversations\//);
  await chat.page.reload();
  assert.equal((await history).status(), 404);
  await chat.page.getByRole("button", { name: "Orders by status" }).waitFor();
  await chat.until(() => Object.entries(sessionStorage).every(([, value]) => !value.includes("00000000-0000")));
});
