/** On another origin, behind a login, against the real server: what works, and what people see where it does not. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { createHmac } from "node:crypto";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { build } from "esbuild";
import { API_KEY, JWT_SECRET, guarded, offline, open, site, stranger } from "./stage.mjs";

const QUESTION = "How many customers do we have?";

/** Opens the site's page, with the widget as its owner wrote it. */
async function visit(t, owner, { chat = guarded.url, body, ticket = owner.ticketsWith(API_KEY), ...options }) {
  Object.assign(owner, { chat, body, ticket });
  return open(t, { url: owner.origin, allowErrors: true, ...options });
}

/** The detail of the next `db-chat-error`. */
const nextError = (chat) => chat.page.evaluate(() => new Promise((resolve) => document.addEventListener("db-chat-error", ({ detail }) => resolve(detail), { once: true })));

/** A token as the site's own login would give it out: HS256 (RFC 7515). */
function tokenOf(sub) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, iat: now, exp: now + 600 })}`;
  return `${signed}.${createHmac("sha256", JWT_SECRET).update(signed).digest("base64url")}`;
}

const withToken = (sub) => `<db-chat></db-chat><script type="module" nonce="page">document.querySelector("db-chat").getToken = async () => "${tokenOf(sub)}";</script>`;

test("a page of another origin gets in with tickets of its own backend, under a strict policy of its own", async (t) => {
  const chat = await visit(t, site, { body: `<db-chat ticket-url="/my/chat-ticket"></db-chat>`, allowErrors: false });
  await chat.page.getByText("Connected").waitFor();
  await chat.ask(QUESTION);
  assert.ok(Number((await chat.cells())[0][0].replaceAll(",", "")) > 0);
  assert.equal(await chat.last.getByRole("button", { name: "Good answer" }).count(), 0, "a ticket rates nothing, so nothing to rate with");
});

for (const [how, body, ticket] of [
  ["no ticket", "<db-chat></db-chat>"],
  ["a worn-out ticket", `<db-chat ticket-url="/my/chat-ticket"></db-chat>`, async () => ({ status: 200, body: { ticket: "worn-out" } })],
  ["a backend that gives none", `<db-chat ticket-url="/my/chat-ticket"></db-chat>`, async () => ({ status: 500, body: {} })],
]) {
  test(`with ${how}, a person is told to sign in, and the page which code it was`, async (t) => {
    const chat = await visit(t, site, { body, ticket });
    const failed = nextError(chat);
    await chat.ask(QUESTION);
    await chat.last.getByText("You are not signed in, or no longer.").waitFor();
    assert.equal((await failed).code, "authentication_required");
    site.ticket = site.ticketsWith(API_KEY);
    await chat.last.getByRole("button", { name: "Ask again" }).waitFor();
  });
}

test("with a token that is not valid the server's reason is shown", async (t) => {
  const chat = await visit(t, site, { body: withToken("ada").replace(/"(\w+\.\w+)\.[^"]+"/, '"$1.forged"') });
  const failed = nextError(chat);
  await chat.ask(QUESTION);
  await chat.last.getByText("The key or token is not valid here.").waitFor();
  assert.equal((await failed).code, "invalid_credentials");
});

test("a page whose origin is on no list is told so, and not that the server is down", async (t) => {
  const chat = await visit(t, stranger, { chat: offline.url, body: "<db-chat></db-chat>" });
  const failed = nextError(chat);
  await chat.ask(QUESTION);
  await chat.last.getByText("The server does not let this page use the chat.").waitFor();
  assert.equal((await failed).code, "origin_not_allowed");
});

test("with a token, a person has the list of their own conversations, renames and deletes on the server, and rates", async (t) => {
  const chat = await visit(t, site, { body: withToken("ada") });
  const panel = chat.page.getByRole("region", { name: "Conversations" });
  const list = chat.page.getByRole("button", { name: "Conversations" });
  const answered = (method) => chat.page.waitForResponse((response) => response.url().includes("/conversations/") && response.request().method() === method);
  await chat.ask(QUESTION);
  const rated = chat.page.waitForResponse(/\/feedback\//);
  await chat.last.getByRole("button", { name: "Good answer" }).click();
  assert.equal((await rated).status(), 204);

  await list.click();
  await panel.getByRole("button", { name: "Rename" }).click();
  const renamed = answered("PATCH");
  await panel.getByRole("textbox", { name: "Rename" }).fill("Counting");
  await chat.page.keyboard.press("Enter");
  assert.equal((await renamed).status(), 200);
  await panel.getByText("Counting").waitFor();

  // Another browser of the same person knows of it; another person does not.
  const elsewhere = await visit(t, site, { body: withToken("ada") });
  await elsewhere.page.getByRole("button", { name: "Conversations" }).click();
  await elsewhere.page.getByRole("region", { name: "Conversations" }).getByRole("button", { name: "Counting" }).click();
  await elsewhere.turns.getByRole("heading", { name: QUESTION }).waitFor();
  const other = await visit(t, site, { body: withToken("grace") });
  await other.page.getByRole("button", { name: "Conversations" }).click();
  await other.page.getByText("No conversations yet.").waitFor();

  await panel.getByRole("button", { name: "Delete" }).click();
  const gone = answered("DELETE");
  await panel.getByRole("button", { name: "Delete for good?" }).click();
  assert.equal((await gone).status(), 204);
  await panel.getByText("No conversations yet.").waitFor();
});

test("the plain example works as it stands", async (t) => {
  const example = fs.readFileSync(new URL("../../examples/plain/index.html", import.meta.url), "utf8");
  const body = /<body>([^]*)<\/body>/.exec(example)[1].replace(`type="module">`, `type="module" nonce="page">`);
  const chat = await visit(t, site, { chat: offline.url, body, allowErrors: false });
  await chat.page.getByRole("button", { name: "Open the chat" }).click();
  await chat.page.getByRole("button", { name: QUESTION }).click();
  await chat.settled();
  assert.ok((await chat.cells()).length > 0);
});

/** The React example as its reader would use it: bundled as it stands, on a page with a strict policy. */
async function reactPage() {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createRoot } from "react-dom/client"; import { createElement } from "react"; import { Ask } from "../../examples/react/Ask.jsx";
        createRoot(document.getElementById("app")).render(createElement(Ask, { questions: ["${QUESTION}"], getToken: async () => "${tokenOf("react")}", onAnswer: ({ reply }) => (window.answered = reply) }));`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true, write: false, format: "esm", jsx: "automatic", define: { "process.env.NODE_ENV": '"production"' }, nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
  });
  return `<div id="app"></div><script type="module" nonce="page">${outputFiles[0].text}</script>`;
}

test("the React example works as it stands: its questions, its token and its answers", async (t) => {
  const chat = await visit(t, site, { body: await reactPage(), allowErrors: false });
  await chat.page.getByRole("heading", { name: "Ask our data" }).waitFor();
  await chat.page.getByRole("button", { name: QUESTION }).click();
  await chat.settled();
  await chat.last.getByRole("button", { name: "Good answer" }).waitFor();
  assert.equal(typeof (await chat.page.evaluate(() => window.answered)), "string");
});

test("a policy that reports has nothing to report, whatever is done with the widget", async (t) => {
  const chat = await visit(t, site, { chat: offline.url, body: "<db-chat></db-chat>" });
  site.reports.length = 0;
  await chat.ask("Average order value per month this year");
  await chat.showTable();
  await chat.last.getByText("SQL", { exact: true }).click();
  for (const kind of ["SVG", "PNG", "CSV"]) {
    const file = chat.page.waitForEvent("download");
    await chat.last.getByRole("button", { name: `Download ${kind}` }).click();
    await file;
  }
  assert.deepEqual(site.reports, []);
  // Proof that a report would have come.
  const reported = chat.page.waitForRequest(/\/my\/csp-report/);
  await chat.page.evaluate(() => document.body.append(Object.assign(document.createElement("script"), { src: "https://elsewhere.invalid/x.js" }))).catch(() => {});
  await reported;
});
