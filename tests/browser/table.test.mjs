/** Results as tables: exact, aligned, honest about what is missing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider } from "./stage.mjs";

async function shows(t, sql) {
  const chat = await open(t);
  provider.script(sql, "Here they are.");
  await chat.ask("Show me");
  return chat;
}

test("numbers are grouped, exact and to the right; identifiers and years keep their digits", async (t) => {
  const chat = await shows(t, "SELECT 1234567::bigint AS amount, 9007199254740993.10::numeric AS exact, 20250101::int AS order_id, 2025 AS year, 'word'::text AS word FROM orders LIMIT 1");
  assert.deepEqual(await chat.cells(), [["1,234,567", "9,007,199,254,740,993.10", "20250101", "2025", "word"]]);
  const aligned = await chat.table.getByRole("cell").evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell).textAlign));
  assert.deepEqual(aligned, ["end", "end", "end", "end", "start"]);
});

test("NULL, the empty text and the word NULL can be told apart", async (t) => {
  const chat = await shows(t, "SELECT NULL::text AS missing, ''::text AS empty, 'NULL'::text AS word FROM orders LIMIT 1");
  assert.deepEqual(await chat.cells(), [["NULL", "", "NULL"]]);
  const cells = chat.table.getByRole("cell");
  const borders = await cells.evaluateAll((list) => list.map((cell) => (cell.firstElementChild ? getComputedStyle(cell.firstElementChild).borderTopStyle : "none")));
  assert.deepEqual(borders, ["dashed", "none", "none"]);
});

test("a column of days shows days, moments keep their time", async (t) => {
  const chat = await shows(t, "SELECT '2025-03-01'::date AS day, '2025-03-01 00:00'::timestamp AS month, '2025-03-01 14:05:30.5'::timestamp AS moment FROM orders LIMIT 1");
  assert.deepEqual(await chat.cells(), [["2025-03-01", "2025-03-01", "2025-03-01 14:05:30.5"]]);
});

test("a long text is folded and opens on demand", async (t) => {
  const chat = await shows(t, `SELECT '${"long ".repeat(200)}end'::text AS story, 1 AS n FROM orders LIMIT 1`);
  const more = chat.table.getByRole("button", { name: "more" });
  assert.doesNotMatch(await chat.table.innerText(), /end/);
  await more.click();
  assert.match(await chat.table.innerText(), /end/);
  await chat.table.getByRole("button", { name: "less" }).click();
  assert.doesNotMatch(await chat.table.innerText(), /end/);
});

test("a cut result is said to be cut, and the rest of what came is one click away", async (t) => {
  const chat = await shows(t, "SELECT id, status FROM orders ORDER BY id");
  await chat.last.getByText("50 of the first 1,000 rows shown; the whole result is larger.").waitFor();
  await chat.last.getByRole("button", { name: "Show all 1,000 rows" }).click();
  await chat.last.getByText("First 1,000 rows shown; the whole result is larger.", { exact: true }).waitFor();
  assert.equal(await chat.table.locator("tbody tr").count(), 1000);
});

test("the head stays in sight while the rows scroll", async (t) => {
  const chat = await shows(t, "SELECT id, status FROM orders ORDER BY id LIMIT 40");
  const moved = await chat.last.getByRole("group", { name: "Result" }).evaluate((frame) => {
    frame.scrollTop = 300;
    return { scrolled: frame.scrollTop, distance: frame.querySelector("th").getBoundingClientRect().top - frame.getBoundingClientRect().top };
  });
  assert.ok(moved.scrolled > 100 && moved.distance < 5, JSON.stringify(moved));
});
