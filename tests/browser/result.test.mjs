/** What can be done with a result: charts, files, copies. */
import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { test } from "node:test";
import { open, provider } from "./stage.mjs";

async function shows(t, sql, options = {}) {
  const chat = await open(t, options);
  provider.script(sql, "Here they are.");
  await chat.ask("Show me");
  return chat;
}

/** Clicks a download and returns the file's name and text. */
async function download(chat, kind) {
  const coming = chat.page.waitForEvent("download");
  await chat.last.getByRole("button", { name: `Download ${kind}` }).click();
  const file = await coming;
  const bytes = await fs.readFile(await file.path());
  return { name: file.suggestedFilename(), bytes, text: bytes.toString() };
}

const HOSTILE = "SELECT * FROM (VALUES ('=1+1', -5.50::numeric, NULL::text), ('+49 30', 9007199254740993, ''), ('@x', 1, 'a,b'), ('-a', 2, 'say \"hi\"'), (E'\\ttab', 3, E'two\\nlines'), ('-7', 4, 'ü'), ('x;=1+1', 5, E'a\\n=2')) AS v(word, amount, note)";

test("a CSV file has every digit, tells NULL from nothing, and holds no formula", async (t) => {
  const chat = await shows(t, HOSTILE);
  const { name, text } = await download(chat, "CSV");
  assert.equal(name, "db-chat.csv");
  assert.deepEqual(text.replace("\ufeff", "").split("\r\n"), [
    "word,amount,note", "'=1+1,-5.50,", "'+49 30,9007199254740993,\"\"", "'@x,1,\"a,b\"", "'-a,2,\"say \"\"hi\"\"\"", "\"'\ttab\",3,\"two\nlines\"", "-7,4,ü", "\"x;'=1+1\",5,\"a\n'=2\"", "",
  ]);
});

test("a JSON file has the rows as they came, and their query", async (t) => {
  const chat = await shows(t, HOSTILE);
  const { columns, rows, sql, truncated } = JSON.parse((await download(chat, "JSON")).text);
  assert.deepEqual(columns.map(({ name }) => name), ["word", "amount", "note"]);
  assert.deepEqual(rows.slice(0, 2), [["=1+1", "-5.50", null], ["+49 30", "9007199254740993", ""]]);
  assert.match(sql, /^SELECT/);
  assert.equal(truncated, false);
});

for (const [shape, name, marks, count, sql] of [
  ["moments", "revenue by month", "circle", 4, "SELECT * FROM (VALUES ('2025-01-01'::date, 10.5), ('2025-02-01', NULL), ('2025-03-01', 30), ('2025-04-01', 20), ('2025-05-01', 25)) AS v(month, revenue)"],
  ["categories", "orders by status", "rect:not(.ground)", 3, "SELECT * FROM (VALUES ('new', 10), ('sent', -3), ('paid', 30)) AS v(status, orders)"],
  ["shares", "share by country", "rect:not(.ground)", 6, "SELECT * FROM (VALUES ('DE', 50.5), ('FR', 29.5), ('IT', 20)) AS v(country, share)"],
]) {
  test(`a chart is drawn of ${shape}, with the table one key away`, async (t) => {
    const chat = await shows(t, sql);
    const chart = chat.last.getByRole("img", { name: name });
    await chart.waitFor();
    assert.equal(await chart.locator(marks).count(), count);
    assert.match(await chart.textContent(), new RegExp(name.split(" by ")[1]), "the axis is named");
    assert.equal(await chat.table.isVisible(), false);
    await chat.last.getByText("Table", { exact: true }).press("Enter");
    assert.equal(await chat.table.isVisible(), true);
    const { name: file, text } = await download(chat, "SVG");
    assert.equal(file, "db-chat.svg");
    assert.match(text, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*fill="rgb/, "it looks the same elsewhere");
    const picture = await download(chat, "PNG");
    assert.equal(picture.name, "db-chat.png");
    assert.equal(picture.bytes.toString("latin1", 1, 4), "PNG");
    const width = Number(await chart.getAttribute("width"));
    assert.equal(picture.bytes.readUInt32BE(16), 2 * width, "sharp on dense screens");
  });
}

test("labels under a time axis stay apart, however close its times are", async (t) => {
  const chat = await shows(t, "SELECT * FROM (VALUES ('2025-01-01 08:00'::timestamp, 1), ('2025-01-01 08:05', 2), ('2025-01-01 08:07', 3), ('2025-06-01 10:00', 4), ('2025-12-30 23:00', 5), ('2025-12-31 10:00', 6)) AS v(moment, amount)");
  const labels = chat.last.getByRole("img").locator("text[y='260']");
  const boxes = await labels.evaluateAll((nodes) => nodes.map((node) => node.getBoundingClientRect()).map(({ left, right }) => ({ left, right })));
  assert.ok(boxes.length >= 3);
  boxes.slice(1).forEach(({ left }, at) => assert.ok(left > boxes[at].right, JSON.stringify(boxes)));
  const frame = await chat.last.getByRole("img").boundingBox();
  assert.ok(boxes.every(({ left, right }) => left >= frame.x && right <= frame.x + frame.width));
});

test("every axis begins at zero", async (t) => {
  const chat = await shows(t, "SELECT * FROM (VALUES ('2025-01-01'::date, 1001), ('2025-02-01', 1002)) AS v(day, price)");
  assert.ok((await chat.last.getByRole("img").locator("text").allTextContents()).includes("0"));
});

test("what is no series, no comparison, or cut, gets no chart", async (t) => {
  for (const sql of [
    "SELECT id, status FROM orders ORDER BY id LIMIT 5",
    "SELECT status, id AS amount FROM orders ORDER BY id LIMIT 5",
    "SELECT id::text AS name, 5 AS amount FROM orders",
    "SELECT 'only'::text AS name, 5 AS amount FROM orders LIMIT 1",
  ]) {
    const chat = await shows(t, sql);
    await chat.table.waitFor();
    assert.equal(await chat.last.getByRole("img").count(), 0, sql);
  }
});
