/** The element on somebody else's page. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { hostUrl, open, provider, staticFile, withModel } from "./stage.mjs";

/** The whole element, uncompressed; a page that embeds it pays this once. */
const BYTES_MAX = 60_000;

const SQL = "SELECT count(*) AS n FROM orders";

test("two lines put the chat on a page of another origin that is allowed", async (t) => {
  const chat = await open(t, { url: hostUrl, allowErrors: true });
  await chat.page.getByRole("heading", { level: 2, name: "Ask the shop" }).waitFor();
  provider.script(SQL, "Hello from afar.");
  await chat.page.getByRole("button", { name: "Say hello" }).click();
  await chat.last.getByText("Hello from afar.").waitFor();
  await chat.settled();
  await chat.page.reload();
  await chat.turns.getByText("Hello from afar.").waitFor();
});

test("the host page can ask, stop, begin anew, and hears what comes", async (t) => {
  const chat = await open(t);
  provider.script(SQL, "Answered.");
  const detail = await chat.page.evaluate(() => new Promise((resolve) => {
    const widget = document.querySelector("db-chat");
    document.addEventListener("db-chat-answer", (event) => resolve(event.detail), { once: true });
    widget.ask("How many orders?");
  }));
  assert.equal(detail.reply, "Answered.");
  assert.equal(detail.columns[0].name, "n");
  provider.script({ status: 401 });
  const failed = await chat.page.evaluate(() => new Promise((resolve) => {
    document.addEventListener("db-chat-error", (event) => resolve(event.detail), { once: true });
    document.querySelector("db-chat").ask("How many orders?");
  }));
  assert.equal(typeof failed.code, "string");
  await chat.page.evaluate(() => document.querySelector("db-chat").reset());
  assert.equal(await chat.turns.count(), 0);
});

test("title, placeholder and sample questions can change at any time", async (t) => {
  const chat = await open(t);
  await chat.page.evaluate(() => {
    const widget = document.querySelector("db-chat");
    widget.title = "Another title";
    widget.placeholder = "Type here";
    widget.questions = ["What is new?"];
  });
  await chat.page.getByRole("heading", { name: "Another title" }).waitFor();
  assert.equal(await chat.input.getAttribute("placeholder"), "Type here");
  await chat.page.getByRole("button", { name: "What is new?" }).waitFor();
});

test("an element that is moved keeps its conversation", async (t) => {
  const chat = await open(t);
  provider.script(SQL, "Here I am.");
  await chat.ask("How many orders?");
  await chat.page.evaluate(() => document.querySelector("main").prepend(document.querySelector("db-chat")));
  await chat.turns.getByText("Here I am.").waitFor();
  assert.equal(await chat.turns.count(), 1);
});

test("the element weighs little and fetches nothing from elsewhere", async (t) => {
  const requests = [];
  await open(t, { prepare: (page) => page.on("request", (request) => requests.push(request.url())) });
  assert.ok(requests.every((url) => url.startsWith(withModel.url) || url.startsWith("ws://")), requests.join(" "));
  const modules = new Set();
  const visit = (name) => {
    if (modules.has(name)) return;
    modules.add(name);
    for (const [, other] of staticFile(name).matchAll(/(?:from |import\()"\.\/([\w-]+\.js)"/g)) visit(other);
  };
  visit("db-chat.js");
  const bytes = [...modules].reduce((sum, name) => sum + Buffer.byteLength(staticFile(name)), 0);
  t.diagnostic(`${modules.size} modules, ${bytes} bytes`);
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  const folder = fs.readdirSync(new URL("../../static/", import.meta.url));
  assert.ok([...modules].every((name) => folder.includes(name)));
});
