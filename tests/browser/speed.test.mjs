/** What must stay cheap, judged by what is made and laid out and not by a clock: that holds on any machine. `measure.mjs` has times. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider } from "./stage.mjs";
import { Gate } from "./provider.mjs";
import { answering } from "./scripted.mjs";
import { STATES, prepare, reach } from "./states.mjs";

const result = (chat) => chat.last.getByRole("group", { name: "Result" });

/** How often the page was laid out so far. */
async function layouts(chat) {
  const cdp = await chat.page.context().newCDPSession(chat.page);
  await cdp.send("Performance.enable");
  const { metrics } = await cdp.send("Performance.getMetrics");
  await cdp.detach();
  return metrics.find(({ name }) => name === "LayoutCount").value;
}

test("scrolling a table of 1,000 rows and 50 columns makes few nodes, lays out once a frame, and moves no column", async (t) => {
  const chat = await open(t, { prepare: prepare(STATES["50 columns"]) });
  await reach(chat, { answers: STATES["50 columns"].answers });
  await chat.table.getByRole("cell", { name: "value 0" }).first().waitFor();
  const widths = () => chat.table.getByRole("columnheader").evaluateAll((heads) => heads.map((head) => head.getBoundingClientRect().width));
  const before = await widths();
  const steps = 60;
  const laidOut = await layouts(chat);
  const made = await result(chat).evaluate(async (frame, steps) => {
    let rows = 0;
    const observer = new MutationObserver((changes) => changes.forEach(({ addedNodes }) => (rows += addedNodes.length)));
    observer.observe(frame.querySelector("tbody"), { childList: true });
    for (let step = 0; step < steps; step += 1) {
      frame.scrollTop += 100;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    }
    const height = frame.querySelector("td").parentNode.offsetHeight;
    return { rows, passed: (steps * 100) / height, present: frame.querySelectorAll("tbody tr").length, cells: frame.querySelectorAll("td").length };
  }, steps);
  t.diagnostic(JSON.stringify(made));
  assert.ok(made.rows <= made.passed + 4, "a row is made once when it comes into sight");
  assert.ok(made.present < 30 && made.cells < 1500, "what is out of sight is not there");
  assert.ok((await layouts(chat)) - laidOut <= 2 * steps, "nothing forces a layout while scrolling");
  assert.deepEqual(await widths(), before);
});

test("a long number far below has room in its column from the beginning", async (t) => {
  const rows = Array.from({ length: 1000 }, (_, at) => [at === 900 ? "123456789012345678901234567890.12" : String(at), "x"]);
  const chat = await open(t, { prepare: (page) => answering(page, { reply: "All.", rows, columns: [{ name: "n", type: "numeric" }, { name: "word", type: "text" }] }) });
  await chat.ask("All");
  await result(chat).evaluate((frame) => (frame.scrollTop = (frame.scrollHeight * 900) / 1001));
  const cell = chat.table.getByRole("cell", { name: "123,456,789,012,345,678,901,234,567,890.12" });
  await cell.waitFor();
  assert.ok(await cell.evaluate((node) => node.scrollWidth <= node.clientWidth));
});

test("of a megabyte of prose only what is in sight is laid out, with and without paragraphs", async (t) => {
  for (const words of ["Some words of an answer. ".repeat(20) + "\n\n", "Some words of an answer. "]) {
    const reply = words.repeat(1_000_000 / words.length);
    const chat = await open(t, { prepare: (page) => answering(page, { reply, pieces: 50 }) });
    await chat.ask("Everything");
    const { all, skipped, kept } = await chat.last.locator("[part=answer]").evaluate((prose) => {
      const blocks = [...prose.children];
      // What was never laid out has the height that the style sheet guesses, 6rem; no block of these words has it by itself.
      const skipped = blocks.filter((block) => block.getBoundingClientRect().height === 96).length;
      return { all: blocks.length, skipped, kept: prose.textContent.replaceAll(/\s/g, "").length };
    });
    assert.equal(kept, reply.replaceAll(/\s/g, "").length, "no letter is lost");
    assert.ok(all > 200 && skipped > 0.9 * all, `${skipped} of ${all} blocks`);
  }
});

test("the words of a token are on the screen in the first frame that is painted after it came", async (t) => {
  const chat = await open(t, { prepare: (page) => page.addInitScript(() => {
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      set onmessage(listener) {
        super.onmessage = (event) => {
          listener(event);
          if (!event.data.includes("llm_token") || window.painted) return;
          const arrived = performance.now();
          window.painted = new Promise((resolve) => requestAnimationFrame(() => {
            const words = document.querySelector("db-chat").shadowRoot.querySelector(".prose").textContent;
            // A message sent in a frame is heard after that frame was painted.
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => resolve({ words, ms: performance.now() - arrived });
            port2.postMessage(null);
          }));
        };
      }
    };
  }) });
  // Nothing comes after the first token that could paint it too.
  const gate = new Gate();
  provider.script("SELECT count(*) AS n FROM orders", ["First", gate, " second"]);
  await chat.type("How many orders?");
  await chat.until(() => window.painted);
  const { words, ms } = await chat.page.evaluate(() => window.painted);
  gate.open();
  await chat.settled();
  t.diagnostic(`from the first token's frame to its paint: ${ms.toFixed(1)} ms`);
  assert.match(words, /^First/);
});
