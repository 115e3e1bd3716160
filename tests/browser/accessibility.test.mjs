/** For everyone: keyboard, screen reader, contrast, size, motion, colours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { open, provider } from "./stage.mjs";
import { Gate } from "./provider.mjs";

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

async function clean(chat, state) {
  const violations = await chat.page.evaluate(async () => {
    const found = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  });
  assert.deepEqual(violations, [], state);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`axe finds nothing: ${size}, ${colorScheme}`, async (t) => {
      const chat = await open(t, { viewport, colorScheme, prepare: (page) => page.addInitScript(axe.source) });
      await chat.page.getByRole("button", { name: "Orders by status" }).waitFor();
      await clean(chat, "empty");

      const gate = new Gate();
      provider.script("SELECT id, status, NULL::text AS note FROM orders WHERE id > 0 ORDER BY id LIMIT 60", ["## Orders\n\nHere are 60, not **61**:\n\n- one\n- `two`", gate]);
      await chat.type("Show orders");
      await chat.last.getByText("one", { exact: true }).waitFor();
      await clean(chat, "streaming");
      gate.open();
      await chat.settled();
      await clean(chat, "answered");
      await chat.last.getByText("SQL", { exact: true }).click();
      await chat.last.getByText("Evidence", { exact: true }).click();
      await chat.page.getByRole("button", { name: "Conversations" }).click();
      await chat.page.getByRole("region", { name: "Conversations" }).waitFor();
      await clean(chat, "everything open");
      await chat.page.keyboard.press("Escape");
      provider.script("SELECT status, count(*) AS orders FROM orders GROUP BY status", "By status.");
      await chat.ask("Orders by status");
      await chat.last.getByRole("img", { name: "orders by status" }).waitFor();
      await clean(chat, "chart");

      const held = new Gate();
      provider.script([held]);
      await chat.type("Stop me");
      await held.reached;
      await chat.input.press("Escape");
      await chat.last.getByText("Stopped.").waitFor();
      await clean(chat, "stopped");
      provider.script({ status: 401 });
      await chat.ask("Fail");
      await clean(chat, "failed");
    });
  }
}

for (const [mode, prepare, names] of [
  ["German", () => document.querySelector("db-chat").setAttribute("language", "de"), { question: "Deine Frage", send: "Senden", list: "Gespräche" }],
  ["right to left", () => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }), { question: "Your question", send: "Send", list: "Conversations" }],
  ["floating", () => ["floating", "open"].forEach((name) => document.querySelector("db-chat").toggleAttribute(name, true)), { question: "Your question", send: "Send", list: "Conversations" }],
]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing: ${mode}, ${colorScheme}`, async (t) => {
      const chat = await open(t, { colorScheme, viewport: SIZES.phone, prepare: (page) => page.addInitScript(axe.source) });
      await chat.page.evaluate(prepare);
      const input = chat.page.getByRole("textbox", { name: names.question });
      await clean(chat, "empty");
      provider.script("SELECT status, count(*) AS orders FROM orders GROUP BY status", "**Three** kinds.", { status: 401 });
      for (const state of ["answered", "failed"]) {
        await input.fill(state);
        await input.press("Enter");
        await chat.page.getByRole("heading", { name: state }).waitFor();
        await chat.page.getByRole("button", { name: names.send, exact: true }).waitFor();
        await clean(chat, state);
      }
      await chat.page.getByRole("button", { name: names.list, exact: true }).click();
      await chat.page.getByRole("region", { name: names.list }).getByRole("button").first().waitFor();
      await clean(chat, "conversations");
    });
  }
}

test("everything can be done with the keyboard alone, in an order that makes sense", async (t) => {
  const chat = await open(t);
  const { keyboard } = chat.page;
  const focused = () => chat.page.evaluate(() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    return node.getAttribute("aria-label") || node.innerText || node.localName;
  });
  const tabTo = async (name) => {
    for (let presses = 0; presses < 25; presses += 1) {
      await keyboard.press("Tab");
      if ((await focused()).startsWith(name)) return;
    }
    assert.fail(`${name} was not reached; at ${await focused()}`);
  };
  provider.script("SELECT id, status FROM orders ORDER BY id LIMIT 20", "Twenty.", "SELECT 2 AS two FROM orders LIMIT 1", "Two.");
  await tabTo("Conversation");
  await tabTo("Orders by status");
  await keyboard.press("Enter");
  await chat.settled();
  assert.equal(await focused(), "Your question", "after a sample the person can type on");

  await keyboard.type("First line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  assert.equal(await chat.input.inputValue(), "First line\nsecond line");
  await keyboard.press("Enter");
  await chat.settled();
  await chat.last.getByText("Two.", { exact: true }).waitFor();
  assert.equal(await chat.input.inputValue(), "");
  assert.equal(await focused(), "Your question");

  for (const name of ["Bad answer", "Good answer", "Ask again", "Copy", "Evidence"]) {
    await keyboard.press("Shift+Tab");
    assert.equal(await focused(), name);
  }
  await keyboard.press("Shift+Tab");
  assert.equal(await focused(), "SQL");
  await keyboard.press("Enter");
  await chat.last.getByRole("button", { name: "Copy SQL" }).waitFor();
  const outline = await chat.page.evaluate(() => {
    const node = document.activeElement.shadowRoot.activeElement;
    return getComputedStyle(node).outlineStyle;
  });
  assert.notEqual(outline, "none", "focus can be seen");
  await chat.page.getByRole("button", { name: "New conversation" }).focus();
  await keyboard.press("Enter");
  assert.equal(await focused(), "Your question");
  assert.equal(await chat.turns.count(), 0);
});

test("Enter that ends the writing of a character does not send", async (t) => {
  const chat = await open(t);
  await chat.input.fill("日本");
  await chat.input.evaluate((input) => input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, composed: true })));
  assert.equal(await chat.turns.count(), 0);
  assert.equal(await chat.input.inputValue(), "日本");
});

test("an empty question is not sent", async (t) => {
  const chat = await open(t);
  await chat.type("   ");
  assert.equal(await chat.turns.count(), 0);
  assert.equal(await chat.send.isDisabled(), true);
});

test("nothing scrolls sideways from a narrow phone to a wide screen", async (t) => {
  for (const width of [320, 390, 768, 1024, 1920]) {
    const chat = await open(t, { viewport: { width, height: 800 } });
    provider.script("SELECT id, status, id AS a, id AS b, id AS c, id AS d, id AS e, id AS f, id AS g, id AS h FROM orders ORDER BY id LIMIT 3", "Three.");
    await chat.ask("A wide table");
    assert.equal(await chat.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width} wide`);
    const { input, send } = { input: await chat.input.boundingBox(), send: await chat.send.boundingBox() };
    assert.ok(input.x >= 0 && send.x + send.width <= width, `the composer fits ${width}`);
  }
});

test("those who want less motion get none", async (t) => {
  const chat = await open(t, { reducedMotion: "reduce" });
  const gate = new Gate();
  provider.script([gate]);
  await chat.type("Wait");
  await gate.reached;
  assert.equal(await chat.page.evaluate(() => document.querySelector("db-chat").shadowRoot.getAnimations().length), 0);
  await chat.stop.click();
  await chat.settled();
});

test("light or dark follows the system, until the person chooses, and the choice stays", async (t) => {
  const chat = await open(t, { colorScheme: "light" });
  const toggle = chat.page.getByRole("button", { name: "Dark colours" });
  const paper = () => chat.page.evaluate(() => {
    const root = document.querySelector("db-chat").shadowRoot.querySelector(".root");
    return getComputedStyle(root).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  });
  assert.ok((await paper()) > 600);
  assert.equal(await toggle.getAttribute("aria-pressed"), "false");
  await toggle.click();
  assert.ok((await paper()) < 200);
  await chat.page.reload();
  assert.ok((await paper()) < 200);
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
});

test("with forced colours, what is pressed can be told from what is not", async (t) => {
  const chat = await open(t, { forcedColors: "active" });
  provider.script("SELECT 1 AS one FROM orders LIMIT 1", "One.");
  await chat.ask("One?");
  const [up, down] = ["Good answer", "Bad answer"].map((name) => chat.last.getByRole("button", { name }));
  await up.click();
  await chat.last.getByText("Thank you.").waitFor();
  await chat.input.focus();
  const outline = (button) => button.evaluate((node) => getComputedStyle(node).outlineStyle);
  assert.deepEqual([await outline(up), await outline(down)], ["solid", "none"]);
});
