/**
 * What every test stands on: the real server with a scripted provider, the real server with the
 * offline engine, a host page on another origin, and a browser. All start once and end together.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createHash } from "node:crypto";
import http from "node:http";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { FakeProvider } from "./provider.mjs";
import { Site } from "./site.mjs";

const HERE = new URL(".", import.meta.url);
const BINARY = process.env.DB_CHAT_BINARY ?? fileURLToPath(new URL("../../target/debug/db-chat", HERE));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Long enough for a slow machine to load the demo database; nothing waits this long when all is well. */
const START_TIMEOUT_MS = 180_000;
/** The deadline of every wait for something to be seen. */
const SEEN_TIMEOUT_MS = 20_000;

/** What `guarded` wants to see. */
export const API_KEY = "a-key-of-the-tests-with-enough-letters";
export const JWT_SECRET = "a-secret-of-the-tests-with-enough-letters";

export const provider = new FakeProvider();
await provider.start();

/** A page on another origin that embeds the widget, as its owner would write it. */
const hostPage = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/html" });
  response.end(`<!doctype html><html lang="en"><title>A shop</title><h1>A shop</h1>
    <script type="module" src="${withModel.url}static/db-chat.js"></script>
    <db-chat title="Ask the shop" placeholder="Ask away" questions='["Say hello"]'></db-chat>`);
});
hostPage.listen(0, "127.0.0.1");
await once(hostPage, "listening");
export const hostUrl = `http://127.0.0.1:${hostPage.address().port}/`;

/** A site with a login of its own in front of `guarded`; the same under a name that is on nobody's list. */
export const site = await Site.start();
export const stranger = await Site.start();

/** The settings of a server that asks `provider`. */
export const MODEL = {
  LLM_PROVIDER: "openai",
  OPENAI_API_KEY: "test-key",
  OPENAI_MODEL: "fake-model",
  OPENAI_BASE_URL: provider.baseUrl,
  // One retry is enough to be seen, and keeps the test of a provider that is down short.
  DB_CHAT_LLM_RETRIES_MAX: "1",
};

export const [withModel, offline, guarded] = await Promise.all([
  startServer({
    ...MODEL,
    DB_CHAT_ALLOWED_ORIGINS: new URL(hostUrl).origin,
  }),
  startServer({ LLM_PROVIDER: "offline", DB_CHAT_ALLOWED_ORIGINS: site.origin }),
  startServer({
    LLM_PROVIDER: "offline",
    DB_CHAT_API_KEYS: `shop:${createHash("sha256").update(API_KEY).digest("hex")}`,
    DB_CHAT_JWT_SECRET: JWT_SECRET,
    DB_CHAT_ALLOWED_ORIGINS: site.origin,
  }),
]);

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});

after(async () => {
  await browser.close();
  provider.stop();
  hostPage.close();
  hostPage.closeAllConnections();
  site.stop();
  stranger.stop();
  await Promise.all([withModel.stop(), offline.stop(), guarded.stop()]);
});

/** Starts `db-chat demo` on a free port and waits for the address that it prints. */
export async function startServer(settings) {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENAI|ANTHROPIC|LLM|REDIS|DATABASE|DB_CHAT|CONVERSATION)_/.test(name)));
  const child = spawn(BINARY, ["demo", "--bind", "127.0.0.1:0"], { env: { ...inherited, ...settings }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const url = await new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`db-chat demo was not ready in time:\n${said}`)), START_TIMEOUT_MS);
    const listen = (data) => {
      said += data;
      const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(said);
      if (address) {
        clearTimeout(deadline);
        resolve(address[0]);
      }
    };
    child.stdout.on("data", listen);
    // Kept for the error message, and read so that the server never waits for us.
    child.stderr.on("data", (data) => (said = (said + data).slice(-20_000)));
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`db-chat demo ended with ${code}:\n${said}`)));
  });
  const stop = async (signal = "SIGTERM") => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  return { url, stop };
}

/**
 * Opens a page for the length of one test. Fails the test when the page logged an error, broke its
 * own security policy, or ran a script it should not have.
 */
export async function open(t, { url = withModel.url, allowErrors = false, prepare, goto = true, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(SEEN_TIMEOUT_MS);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => {
    faults.push(`a script ran: ${dialog.message()}`);
    return dialog.dismiss();
  });
  t.after(async () => {
    await context.close();
    if (faults.length > 0 && !allowErrors) throw new Error(`the page reported: ${faults.join("; ")}`);
  });
  if (process.env.STATIC_FROM_DISK) await context.route("**/static/*", serveFromDisk);
  if (prepare) await prepare(page);
  if (goto) await page.goto(url);
  return new Chat(page);
}

/** The files of `static/` as they are now, for work on them without a build between two looks. */
function serveFromDisk(route) {
  const name = new URL(route.request().url()).pathname.split("/").pop();
  const contentType = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[name.split(".").pop()];
  return route.fulfill({ contentType, headers: { "Access-Control-Allow-Origin": "*" }, body: staticFile(name) });
}

/** The chat as a person meets it: by labels and roles. */
export class Chat {
  constructor(page) {
    this.page = page;
    this.input = page.getByRole("textbox", { name: "Your question" });
    this.send = page.getByRole("button", { name: "Send" });
    this.stop = page.getByRole("button", { name: "Stop" });
    this.turns = page.getByRole("region", { name: "Conversation" }).getByRole("listitem").filter({ has: page.getByRole("heading", { level: 3 }) });
    this.last = this.turns.last();
    this.table = this.last.getByRole("table");
  }

  async type(question) {
    await this.input.fill(question);
    await this.input.press("Enter");
  }

  /** Asks and waits until the answer, or the lack of one, is complete. */
  async ask(question) {
    await this.type(question);
    await this.settled();
  }

  /** Waits until nothing is being answered. */
  async settled() {
    await this.last.waitFor();
    await this.send.waitFor();
  }

  /** Shows the table where a chart is what one sees first. */
  async showTable() {
    const fold = this.last.locator("details[part=rows]:not([open]) > summary");
    if (await fold.isVisible()) await fold.click();
  }

  /** The texts of the table's rows. */
  async cells() {
    await this.showTable();
    const rows = await this.table.getByRole("row").all();
    return Promise.all(rows.slice(1).map((row) => row.getByRole("cell").allInnerTexts()));
  }

  /** Waits until the page satisfies a condition. */
  until(condition, argument) {
    return this.page.waitForFunction(condition, argument);
  }
}

/** A source file of the page, for tests that weigh or read it. */
export function staticFile(name) {
  return fs.readFileSync(new URL(`../../static/${name}`, HERE), "utf8");
}

/** Runs in the page: keeps the length of the longest task from now on. Browsers count no task under 50 ms as long. */
export function watchLongTasks() {
  window.longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.longest = Math.max(window.longest, entry.duration)))).observe({ type: "longtask" });
}
