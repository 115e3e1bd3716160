/** docs/WIDGET.md and the element say the same: every attribute, property, method, event, custom property and part. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { open, staticFile } from "./stage.mjs";

const PAGE = fs.readFileSync(new URL("../../docs/WIDGET.md", import.meta.url), "utf8");
const CODE = fs.readdirSync(new URL("../../static/", import.meta.url)).filter((name) => name.endsWith(".js") && name !== "page.js").map(staticFile).join("\n");

const quoted = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word);
const section = (from, to) => PAGE.slice(PAGE.indexOf(from), PAGE.indexOf(to, PAGE.indexOf(from)));
const rows = section("| attribute |", "\n\n").split("\n").slice(2).map((row) => row.split("|").map((cell) => cell.trim()));
const sorted = (words) => [...new Set(words)].sort();

test("attributes and properties", async (t) => {
  const { page } = await open(t);
  const attributes = rows.flatMap((row) => quoted(row[1]));
  for (const name of attributes) assert.ok(CODE.includes(`"${name}"`) || CODE.includes(`[${name}]`), `${name} is in the code`);
  const observed = await page.evaluate(() => customElements.get("db-chat").observedAttributes);
  for (const name of observed) assert.ok(attributes.includes(name), `${name} is on the page`);
  const properties = rows.flatMap((row) => quoted(row[2]));
  const own = await page.evaluate(() => {
    const descriptors = Object.getOwnPropertyDescriptors(customElements.get("db-chat").prototype);
    return Object.entries(descriptors).filter(([, { get }]) => get).map(([name]) => name);
  });
  // `title` is every element's.
  assert.deepEqual(sorted(properties), sorted([...own, "title"]));
});

test("attributes that name a text are shown, and properties reflect them", async (t) => {
  const { page } = await open(t);
  const reflected = await page.evaluate(() => {
    const widget = document.createElement("db-chat");
    const values = { server: "/x", placeholder: "p", theme: "dark", language: "de", ticketUrl: "/t", title: "T" };
    Object.assign(widget, values, { questions: ["a", "b"] });
    return { attributes: Object.fromEntries([...widget.attributes].map(({ name, value }) => [name, value])), questions: widget.questions, values: Object.keys(values).map((name) => widget[name]) };
  });
  assert.deepEqual(reflected.attributes, { server: "/x", placeholder: "p", theme: "dark", language: "de", "ticket-url": "/t", title: "T", questions: '["a","b"]' });
  assert.deepEqual(reflected.questions, ["a", "b"]);
  assert.deepEqual(reflected.values, ["/x", "p", "dark", "de", "/t", "T"]);
});

test("methods", async (t) => {
  const { page } = await open(t);
  const listed = quoted(section("Methods:", "Events,")).map((call) => call.replace(/\(.*/, ""));
  const own = await page.evaluate(() => {
    const descriptors = Object.getOwnPropertyDescriptors(customElements.get("db-chat").prototype);
    return Object.entries(descriptors).filter(([name, { value }]) => typeof value === "function" && !/^constructor$|Callback$/.test(name)).map(([name]) => name);
  });
  assert.deepEqual(sorted(listed), sorted(own));
});

test("events", () => {
  const listed = quoted(section("Events,", "(`docs/PROTOCOL")).filter((word) => word.startsWith("db-chat-"));
  assert.deepEqual(sorted(listed), sorted(CODE.match(/(?<=")db-chat-(answer|error|[a-z]+)(?=")/g)));
});

test("custom properties and parts", () => {
  const [properties, parts] = section("Looks:", "\n\n").split("and the parts");
  const names = quoted(properties).map((name) => `--db-chat${name.replace("--db-chat", "")}`);
  assert.deepEqual(sorted(names), sorted(CODE.match(/--db-chat-[\w-]+/g)));
  const drawn = [...CODE.matchAll(/part: "(\w+)"|fold\("(\w+)"/g)].map(([, part, folded]) => part ?? folded);
  assert.deepEqual(sorted(quoted(parts)), sorted(drawn));
});

test("stop() ends the question on its way, reset() begins anew, show() and hide() move the focus", async (t) => {
  const { Gate } = await import("./provider.mjs");
  const { provider } = await import("./stage.mjs");
  const chat = await open(t);
  const gate = new Gate();
  provider.script([gate]);
  assert.deepEqual(await chat.page.evaluate(() => ["   ", "Wait", "Again"].map((question) => document.querySelector("db-chat").ask(question))), [false, true, false]);
  await gate.reached;
  const failed = chat.page.evaluate(() => new Promise((resolve) => document.addEventListener("db-chat-error", ({ detail, target }) => resolve([detail.code, target.localName]), { once: true })));
  await chat.page.evaluate(() => document.querySelector("db-chat").stop());
  await gate.hungUp;
  assert.deepEqual(await failed, ["cancelled", "db-chat"]);
  await chat.page.evaluate(() => document.querySelector("db-chat").reset());
  assert.equal(await chat.turns.count(), 0);
  const focused = (act) => chat.page.evaluate((act) => {
    const widget = document.querySelector("db-chat");
    widget.toggleAttribute("floating", true);
    widget[act]();
    return [widget.hasAttribute("open"), widget.shadowRoot.activeElement?.getAttribute("aria-label")];
  }, act);
  assert.deepEqual(await focused("show"), [true, "Your question"]);
  assert.deepEqual(await focused("hide"), [false, "Open the chat"]);
});
