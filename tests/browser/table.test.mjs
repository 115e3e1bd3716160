/** Results as tables: exact, aligned, honest about what is missing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider, watchLongTasks } from "./stage.mjs";

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
  assert.doesNotMatch(await chat.table.innerText(), /end/);
  const fold = chat.table.locator("summary");
  await fold.press("Enter");
  assert.match(await chat.table.innerText(), /end/);
  await fold.click();
  assert.doesNotMatch(await chat.table.innerText(), /end/);
});

test("a click on a column's head sorts by all digits, NULL last either way, and says so", async (t) => {
  const values = ["(NULL)", "('9007199254740993.10')", "('9007199254740993.09')", "('-2')", "('10')", "('9')", "('NaN')"];
  const chat = await shows(t, `SELECT n::numeric AS amount, 'x'::text AS word, 1 AS one FROM (VALUES ${values.join(",")}) AS v(n)`);
  const head = chat.table.getByRole("columnheader", { name: "amount" });
  const column = async () => (await chat.cells()).map(([cell]) => cell);
  const came = await column();
  const sorted = ["-2", "9", "10", "9,007,199,254,740,993.09", "9,007,199,254,740,993.10", "NaN"];
  await head.getByRole("button").click();
  assert.deepEqual(await column(), [...sorted, "NULL"]);
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  await chat.page.keyboard.press("Enter");
  assert.deepEqual(await column(), [...sorted].reverse().concat("NULL"));
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  await chat.page.keyboard.press("Enter");
  assert.deepEqual(await column(), came, "the third time brings back the order in which it came");
  assert.equal(await head.getAttribute("aria-sort"), null);
});

test("numbers follow the language of the page", async (t) => {
  const chat = await open(t);
  await chat.page.evaluate(() => document.querySelector("db-chat").setAttribute("language", "de"));
  provider.script("SELECT 1234567.50::numeric AS amount, 'x'::text AS word FROM orders LIMIT 1", "Bitte.");
  const input = chat.page.getByRole("textbox", { name: "Deine Frage" });
  await input.fill("Wie viel?");
  await input.press("Enter");
  await chat.page.getByRole("cell", { name: "1.234.567,50" }).waitFor();
});

test("1,000 rows of 50 columns come quickly, and any of them can be reached", async (t) => {
  const columns = Array.from({ length: 50 }, (_, at) => `id + ${at} AS c${at}`).join(", ");
  const chat = await open(t);
  provider.script(`SELECT ${columns} FROM orders ORDER BY id LIMIT 1000`, "Many.");
  await chat.page.evaluate(watchLongTasks);
  await chat.ask("Everything");
  assert.equal(await chat.table.getAttribute("aria-rowcount"), "1001");
  const frame = chat.last.getByRole("group", { name: "Result" });
  await frame.evaluate((node) => (node.scrollTop = node.scrollHeight / 2));
  await chat.until(() => [...document.querySelector("db-chat").shadowRoot.querySelectorAll("tbody tr")].some((row) => Number(row.getAttribute("aria-rowindex")) > 480));
  assert.ok((await chat.table.getByRole("cell").count()) < 50_000 / 10);
  t.diagnostic(`longest task: ${await chat.page.evaluate(() => window.longest)} ms`);
});

test("1,000 rows of 20 columns keep the page as responsive as 50 rows do, and columns their widths", async (t) => {
  const columns = Array.from({ length: 20 }, (_, at) => `(id * ${at + 1})::bigint AS c${at}`).join(", ");
  const chat = await open(t);
  const longest = async (rows) => {
    provider.script(`SELECT ${columns} FROM orders ORDER BY id LIMIT ${rows}`, "Many.");
    await chat.page.evaluate(watchLongTasks);
    await chat.ask(`${rows} rows`);
    await chat.table.waitFor();
    return chat.page.evaluate(() => window.longest);
  };
  const [few, many] = [await longest(50), await longest(1000)];
  const frame = chat.last.getByRole("group", { name: "Result" });
  const widths = () => chat.table.getByRole("columnheader").evaluateAll((heads) => heads.map((head) => head.offsetWidth));
  const scrolledTo = async (row, part) => {
    await frame.evaluate((node, share) => (node.scrollTop = share * node.scrollHeight), part);
    await chat.table.locator(`tr[aria-rowindex='${row}']`).waitFor();
  };
  await chat.page.evaluate(watchLongTasks);
  await scrolledTo(1001, 1);
  const wide = await widths();
  await scrolledTo(2, 0);
  t.diagnostic(`longest task with 50 rows: ${few} ms, 1,000 rows: ${many} ms, scrolling them: ${await chat.page.evaluate(() => window.longest)} ms`);
  assert.deepEqual(await widths(), wide);
  assert.ok(many <= 10 * Math.max(50, few), `${few} ms, ${many} ms`);
});

test("a cut result is said to be cut, and all of what came can be scrolled through", async (t) => {
  const chat = await shows(t, "SELECT id, status FROM orders ORDER BY id");
  await chat.last.getByText("First 1,000 rows shown; the whole result is larger.", { exact: true }).waitFor();
  const frame = chat.last.getByRole("group", { name: "Result" });
  assert.equal(await chat.table.getAttribute("aria-rowcount"), "1001");
  await frame.evaluate((node) => (node.scrollTop = node.scrollHeight));
  await chat.table.locator("tr[aria-rowindex='1001']").waitFor();
  assert.ok((await chat.table.locator("tbody tr").count()) < 1000, "rows out of sight are not in the document");
  await frame.evaluate((node) => (node.scrollTop = 0));
  await chat.table.locator("tr[aria-rowindex='2']").waitFor();
});

test("the head stays in sight while the rows scroll", async (t) => {
  const chat = await shows(t, "SELECT id, status FROM orders ORDER BY id LIMIT 40");
  const moved = await chat.last.getByRole("group", { name: "Result" }).evaluate((frame) => {
    frame.scrollTop = 300;
    return { scrolled: frame.scrollTop, distance: frame.querySelector("th").getBoundingClientRect().top - frame.getBoundingClientRect().top };
  });
  assert.ok(moved.scrolled > 100 && moved.distance < 5, JSON.stringify(moved));
});
