/**
 * Prints how long the page is busy with what it has to do, as the browser measures it. No test: figures depend on the machine.
 * Run: `node tests/browser/measure.mjs` on a built binary. docs/WIDGET.md has a run.
 *
 * Two times stand side by side: the longest task by the clock, which grows when other programs want the processor, and the time
 * that the page's main thread itself was computing, which does not.
 */
import { test } from "node:test";
import { open, provider } from "./stage.mjs";
import { answering } from "./scripted.mjs";

const COUNT = "SELECT count(*) AS n FROM orders";
const wide = (columns, rows = 1000) => `SELECT ${Array.from({ length: columns }, (_, at) => (at % 5 === 4 ? `'word ' || id * ${at} AS t${at}` : `(id * ${at + 1})::bigint AS c${at}`)).join(", ")} FROM orders ORDER BY id LIMIT ${rows}`;

/** Keeps the longest task and the slowest frame from now on. Browsers count no task under 50 ms as long. */
async function watched(chat, what, act) {
  const cdp = await chat.page.context().newCDPSession(chat.page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const metrics = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  await chat.page.evaluate(() => {
    window.busy = { tasks: [], frames: [] };
    for (const [type, list] of [["longtask", window.busy.tasks], ["long-animation-frame", window.busy.frames]]) {
      new PerformanceObserver((seen) => list.push(...seen.getEntries().map((entry) => Math.round(entry.duration)))).observe({ type });
    }
  });
  const before = await metrics();
  const turns = (await act()) || 1;
  const after = await metrics();
  const { tasks, frames } = await chat.page.evaluate(() => window.busy);
  const spent = (name) => ((1000 * (after[name] - before[name])) / turns).toFixed(1);
  console.log(`${what}: long tasks ${JSON.stringify(tasks)}, long frames ${JSON.stringify(frames)}; processor per step: ${spent("TaskDuration")} ms (script ${spent("ScriptDuration")}, style ${spent("RecalcStyleDuration")}, layout ${spent("LayoutDuration")}), layouts ${((after.LayoutCount - before.LayoutCount) / turns).toFixed(1)}`);
  await cdp.detach();
}

/** Scrolls a result's frame in steps, one for each frame of the screen. */
const scroll = (chat, steps, by) => chat.last.getByRole("group", { name: "Result" }).evaluate(async (frame, { steps, by }) => {
  for (let step = 0; step < steps; step += 1) {
    frame.scrollTop += by.y ?? 0;
    frame.scrollLeft += by.x ?? 0;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  }
  return steps;
}, { steps, by });

test("measure", { timeout: 300_000 }, async (t) => {
  for (const [columns, rows] of [[20, 1000], [50, 1000]]) {
    const chat = await open(t);
    provider.script(wide(columns, rows), Array.from({ length: 2000 }, (_, at) => `w${at}${at % 100 === 99 ? ".\n\n" : " "}`));
    await watched(chat, `2,000 tokens and ${rows} x ${columns}`, () => chat.ask("Everything").then(() => chat.last.getByText("w1999.").waitFor()));
    await watched(chat, `  scrolling down ${columns} columns, 100 px a frame`, () => scroll(chat, 100, { y: 100 }));
    await watched(chat, `  jumping down ${columns} columns, 3,000 px a frame`, () => scroll(chat, 10, { y: 3000 }));
    await watched(chat, `  scrolling sideways, 100 px a frame`, () => scroll(chat, 30, { x: 100 }));
    for (const kind of ["c0", "t4"]) await watched(chat, `  sorting by ${kind}`, async () => {
      await chat.table.getByRole("columnheader", { name: kind, exact: true }).getByRole("button").evaluate((button) => new Promise((resolve) => {
        button.click();
        requestAnimationFrame(() => setTimeout(resolve));
      }));
    });
  }
  for (const [what, prose] of [["in paragraphs", "Some words of an answer, and more of them. ".repeat(12) + "\n\n"], ["in one line", "Some words of an answer, and more of them. "]]) {
    const chat = await open(t, { prepare: (page) => answering(page, { reply: prose.repeat(1_000_000 / prose.length), pieces: 200 }) });
    await watched(chat, `1 MB of prose ${what}, in 200 pieces`, () => chat.page.evaluate(() => new Promise((resolve) => {
      document.addEventListener("db-chat-answer", () => requestAnimationFrame(() => setTimeout(resolve)), { once: true });
      document.querySelector("db-chat").ask("Tell me everything");
    })));
  }
});
