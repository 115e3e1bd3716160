/** What can be done with a question and its answer, and with whole conversations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider, withModel } from "./stage.mjs";
import { Gate } from "./provider.mjs";
import { answering } from "./scripted.mjs";

const SQL = "SELECT count(*) AS n FROM orders";
const SOCKET = /\/ws\/db_chat\/query\//;
const ID = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";

test("a question can be edited and asked again, and an answer copied", async (t) => {
  const chat = await open(t, { permissions: ["clipboard-read", "clipboard-write"] });
  provider.script(SQL, "Some **orders**.", SQL, "Some customers.");
  await chat.ask("How many orders?");
  await chat.last.getByRole("button", { name: "Copy", exact: true }).click();
  assert.equal(await chat.page.evaluate(() => navigator.clipboard.readText()), "Some **orders**.");
  await chat.last.getByRole("button", { name: "Edit" }).click();
  assert.equal(await chat.input.inputValue(), "How many orders?");
  await chat.ask("How many customers?");
  await chat.last.getByText("Some customers.").waitFor();
  provider.script(SQL, "Still some customers.");
  await chat.last.getByRole("button", { name: "Ask again" }).click();
  await chat.last.getByText("Still some customers.").waitFor();
  assert.equal(await chat.turns.count(), 3);
});

test("suggestions can be asked with one click, and go when something else was asked", async (t) => {
  const asked = [];
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
    const { request_id, query } = JSON.parse(text);
    asked.push(query);
    socket.send(JSON.stringify({ type: "chat_response", request_id, conversation_id: ID, seq: 1, reply: "Yes.", sql_query: null, columns: [], rows: [], suggestions: ["And per month?"] }));
  })) });
  await chat.ask("How many?");
  await chat.last.getByRole("button", { name: "And per month?" }).click();
  await chat.settled();
  assert.deepEqual(asked, ["How many?", "And per month?"]);
  assert.equal(await chat.turns.first().getByRole("button", { name: "And per month?" }).count(), 0);
});

test("an answer can be rated, and the rating changed", async (t) => {
  const chat = await open(t);
  provider.script(SQL, "Some.");
  await chat.ask("How many orders?");
  const [up, down] = ["Good answer", "Bad answer"].map((name) => chat.last.getByRole("button", { name }));
  const kept = chat.page.waitForResponse(/\/api\/chat\/feedback\//);
  await up.click();
  assert.equal((await kept).status(), 204);
  await chat.until(() => document.querySelector("db-chat").shadowRoot.querySelector("[name=up][aria-pressed=true]"));
  await down.click();
  await chat.until(() => document.querySelector("db-chat").shadowRoot.querySelector("[name=down][aria-pressed=true]"));
  assert.equal(await up.getAttribute("aria-pressed"), "false");
});

test("where ratings are not kept, there is nothing to rate with", async (t) => {
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => {
    socket.send(JSON.stringify({ type: "status", stage: "connected", message: "Connected" }));
    socket.onMessage((text) => socket.send(JSON.stringify({ type: "chat_response", request_id: JSON.parse(text).request_id, conversation_id: ID, seq: 1, reply: "Yes.", sql_query: null, columns: [], rows: [] })));
  }) });
  await chat.ask("How many?");
  await chat.last.getByRole("button", { name: "Copy" }).waitFor();
  assert.equal(await chat.last.getByRole("button", { name: "Good answer" }).count(), 0);
});

test("conversations are listed, opened, renamed and deleted, and the list outlives a reload", async (t) => {
  const chat = await open(t);
  const panel = chat.page.getByRole("region", { name: "Conversations" });
  const list = chat.page.getByRole("button", { name: "Conversations" });
  provider.script(SQL, "The first answer.");
  await chat.ask("The first question");
  await chat.page.getByRole("button", { name: "New conversation" }).click();
  provider.script(SQL, "The second answer.");
  await chat.ask("The second question");
  await chat.page.reload();
  await chat.turns.getByText("The second answer.").waitFor();

  await list.click();
  await panel.getByRole("button", { name: "The first question" }).click();
  await chat.turns.getByText("The first answer.").waitFor();
  assert.equal(await panel.isVisible(), false);

  await list.click();
  const entry = panel.getByRole("listitem").filter({ hasText: "The first question" });
  await entry.getByRole("button", { name: "Rename" }).click();
  await panel.getByRole("textbox", { name: "Rename" }).fill("Orders, <b>all</b>");
  await chat.page.keyboard.press("Enter");
  const renamed = panel.getByRole("listitem").filter({ hasText: "Orders, <b>all</b>" });
  await renamed.getByRole("button", { name: "Delete" }).click();
  const gone = chat.page.waitForResponse((response) => response.request().method() === "DELETE");
  await renamed.getByRole("button", { name: "Delete for good?" }).click();
  assert.equal((await gone).status(), 204);
  await renamed.waitFor({ state: "detached" });
  await chat.page.keyboard.press("Escape");
  assert.equal(await chat.turns.count(), 0, "the deleted conversation was the one on the screen");
});

test("whoever proves who they are sees the server's list, and renames there", async (t) => {
  const seen = [];
  const chat = await open(t, { prepare: (page) => page.route(/\/api\/chat\/conversations\/|\/api\/chat\/ticket\//, (route) => {
    const request = route.request();
    seen.push([request.method(), request.headers().authorization, request.postData()]);
    const body = request.url().includes("/ticket/") ? { ticket: "once" } : { conversations: [{ id: ID, title: "From elsewhere", updated_at: "2026-01-02T03:04:05Z", message_count: 2 }] };
    return route.fulfill({ json: body });
  }) });
  await chat.page.evaluate(() => (document.querySelector("db-chat").getToken = async () => "secret"));
  await chat.page.getByRole("button", { name: "Conversations" }).click();
  const panel = chat.page.getByRole("region", { name: "Conversations" });
  await panel.getByText("From elsewhere").waitFor();
  await panel.getByRole("button", { name: "Rename" }).click();
  await panel.getByRole("textbox", { name: "Rename" }).fill("Mine");
  await chat.page.keyboard.press("Enter");
  await panel.getByText("From elsewhere").waitFor();
  assert.ok(seen.some(([method, proof, body]) => method === "PATCH" && proof === "Bearer secret" && body === '{"title":"Mine"}'), JSON.stringify(seen));
});

for (const [how, prove] of [
  ["a token", (widget) => (widget.getToken = async () => "secret-token")],
  ["a ticket of the page's own", (widget) => (widget.getTicket = async () => "once")],
  ["a ticket address", (widget) => widget.setAttribute("ticket-url", "/my/ticket")],
]) {
  test(`the socket is opened with a ticket had by ${how}; the token is in no address and no storage`, async (t) => {
    const opened = [];
    const requests = [];
    const chat = await open(t, { prepare: async (page) => {
      page.on("request", (request) => requests.push(request));
      await page.routeWebSocket(SOCKET, (socket) => {
        opened.push(socket.url());
        socket.send(JSON.stringify({ type: "status", stage: "connected", message: "Connected" }));
      });
      await page.route(/\/api\/chat\/ticket\/|\/my\/ticket/, (route) => route.fulfill({ json: { ticket: "once" } }));
    } });
    await chat.page.evaluate(`(${prove})(document.querySelector("db-chat")); document.querySelector("db-chat").server = "${withModel.url}?"`);
    await chat.page.evaluate(`document.querySelector("db-chat").server = "${withModel.url}"`);
    await chat.until(() => document.querySelector("db-chat").shadowRoot.querySelector("[data-state=connected]"));
    assert.match(opened.at(-1), /\?ticket=once$/);
    assert.ok([...opened, ...requests.map((request) => request.url())].every((url) => !url.includes("secret")));
    if (how === "a token") assert.equal(await requests.find((request) => request.url().includes("/ticket/")).headerValue("authorization"), "Bearer secret-token");
    assert.doesNotMatch(await chat.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), /secret|once/);
  });
}

test("an answer that was on its way when the page was reloaded is taken up again", async (t) => {
  const received = [];
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
    const frame = JSON.parse(text);
    received.push(frame);
    const head = { request_id: frame.request_id, conversation_id: ID };
    socket.send(JSON.stringify({ type: "llm_token", ...head, seq: 1, token: "Half" }));
    if (frame.type === "resume") socket.send(JSON.stringify({ type: "chat_response", ...head, seq: 2, reply: "The whole.", sql_query: null, columns: [], rows: [] }));
  })), allowErrors: true });
  await chat.type("How many?");
  await chat.last.getByText("Half").waitFor();
  await chat.page.reload();
  await chat.last.getByText("The whole.").waitFor();
  await chat.last.getByRole("heading", { name: "How many?" }).waitFor();
  assert.deepEqual(received.at(-1), { type: "resume", request_id: received[0].request_id, after: 0 });
});

test("after a reload a question back can still be answered, and a stopped answer is still stopped", async (t) => {
  const chat = await open(t);
  const gate = new Gate();
  provider.script(SQL, ["Half an ans", gate, "wer"], "CLARIFY: Which year?\n- 2025\n- 2026", SQL, "Some.");
  await chat.type("How many orders?");
  await chat.last.getByText("Half an ans").waitFor();
  await chat.stop.click();
  await chat.last.getByText("Stopped.").waitFor();
  await chat.ask("How many in the year?");
  await chat.last.getByRole("button", { name: "2025" }).waitFor();
  await chat.page.reload();
  const stopped = chat.turns.first();
  await stopped.getByText("Half an ans").waitFor();
  await stopped.getByText("Stopped.").waitFor();
  await stopped.getByRole("button", { name: "Ask again" }).waitFor();
  await chat.last.getByRole("button", { name: "2025" }).click();
  await chat.last.getByText("Some.").waitFor();
  assert.equal(await chat.page.getByRole("button", { name: "2026" }).count(), 0, "options of an older turn are gone");
});

test("a lost turn that was finished all the same comes from the history", async (t) => {
  const chat = await open(t, { prepare: async (page) => {
    let question;
    await page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
      question = JSON.parse(text);
      socket.send(JSON.stringify({ type: "error", request_id: question.request_id, conversation_id: ID, seq: 1, code: "turn_lost", message: "Lost.", retryable: true }));
    }));
    await page.route(/\/api\/chat\/conversations\//, (route) => route.fulfill({ json: { conversation_id: ID, turns: [{ request_id: question.request_id, query: question.query, reply: "It was done.", sql_query: null, columns: [], rows: [], truncated: false }] } }));
  } });
  // The conversation's id is known from its first answer on; this one is told with the loss.
  await chat.ask("First");
  await chat.ask("Second");
  await chat.last.getByText("It was done.").waitFor();
});

test("as a floating button it opens, is closed by Escape, and gives the focus back", async (t) => {
  const chat = await open(t);
  await chat.page.evaluate(() => document.querySelector("db-chat").setAttribute("floating", ""));
  const launcher = chat.page.getByRole("button", { name: "Open the chat" });
  assert.equal(await chat.input.isVisible(), false);
  await launcher.press("Enter");
  await chat.input.waitFor();
  await chat.page.keyboard.type("typed at once");
  assert.equal(await chat.input.inputValue(), "typed at once");
  await chat.page.keyboard.press("Escape");
  assert.equal(await chat.input.isVisible(), false);
  await chat.page.keyboard.press("Enter");
  await chat.input.waitFor();
  await chat.page.getByRole("button", { name: "Close" }).click();
  await launcher.waitFor();
});

test("both languages have every text, with the same places", async (t) => {
  const { page } = await open(t);
  const { TEXTS, LANGUAGES } = await page.evaluate(async () => {
    const { TEXTS, LANGUAGES } = await import("/static/strings.js");
    return { TEXTS, LANGUAGES };
  });
  assert.deepEqual(LANGUAGES, ["en", "de"]);
  const places = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, texts] of Object.entries(TEXTS)) {
    assert.equal(texts.length, LANGUAGES.length, key);
    assert.ok(texts.every((text) => text.trim() !== ""), key);
    assert.deepEqual(places(texts[0]), places(texts[1]), key);
  }
});

test("from right to left, the page mirrors and nothing scrolls sideways", async (t) => {
  const chat = await open(t, { viewport: { width: 390, height: 800 } });
  await chat.page.evaluate(() => (document.documentElement.dir = "rtl"));
  provider.script("SELECT id, status FROM orders ORDER BY id LIMIT 3", "ثلاثة.");
  await chat.ask("كم؟");
  const [input, send] = [await chat.input.boundingBox(), await chat.send.boundingBox()];
  assert.ok(send.x < input.x, "the button is at the line's end");
  assert.equal(await chat.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});

test("at 200 % zoom everything is there", async (t) => {
  const chat = await open(t, { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });
  provider.script(SQL, ["Some."]);
  await chat.ask("How many orders?");
  await chat.last.getByText("Some.").waitFor();
  assert.equal(await chat.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  assert.ok(await chat.input.isVisible());
});

test("a rating takes a comment, which is sent with it, and the focus stays", async (t) => {
  const chat = await open(t);
  provider.script(SQL, "Some.");
  await chat.ask("How many orders?");
  const comment = chat.last.getByRole("textbox", { name: "Why?" });
  assert.equal(await comment.isVisible(), false);
  await chat.last.getByRole("button", { name: "Bad answer" }).click();
  await comment.fill("Too few");
  const [sent] = await Promise.all([chat.page.waitForRequest(/\/api\/chat\/feedback\//), comment.press("Enter")]);
  assert.equal((await (await sent.response()).status()), 204);
  const { rating, comment: said } = sent.postDataJSON();
  assert.deepEqual([rating, said], ["down", "Too few"]);
  await chat.last.getByText("Thank you.").waitFor();
  await comment.waitFor({ state: "hidden" });
  assert.equal(await focused(chat), "Bad answer");
});

test("a rating that is not kept is said to have failed, and can be given again", async (t) => {
  const chat = await open(t, { allowErrors: true, prepare: (page) => page.route(/\/api\/chat\/feedback\//, (route) => route.fulfill({ status: 503 })) });
  provider.script(SQL, "Some.");
  await chat.ask("How many orders?");
  await chat.last.getByRole("button", { name: "Good answer" }).click();
  await chat.last.getByText("That did not work.").waitFor();
  assert.equal(await chat.last.getByRole("button", { name: "Good answer" }).getAttribute("aria-pressed"), "false");
});

test("what an answer cost stands in the evidence, where the server says it", async (t) => {
  const usage = { calls: 2, input_tokens: 1, output_tokens: 1, cost: { amount: 0.0123456, currency: "USD" } };
  const chat = await open(t, { prepare: (page) => answering(page, { reply: "Yes.", sql_query: "SELECT 1", usage }) });
  await chat.ask("How many?");
  await chat.last.getByText("Evidence", { exact: true }).click();
  await chat.last.getByText("0.0123 USD").waitFor();
});

/** The name of what has the focus. */
const focused = (chat) => chat.page.evaluate(() => {
  const node = document.activeElement.shadowRoot?.activeElement;
  return node && (node.getAttribute("aria-label") || node.innerText || node.className);
});

test("the focus is never lost: after sending, stopping, renaming, deleting and closing", async (t) => {
  const chat = await open(t);
  const gate = new Gate();
  provider.script([gate]);
  await chat.input.fill("Wait");
  await chat.send.press("Enter");
  await gate.reached;
  await chat.stop.press("Enter");
  await chat.last.getByText("Stopped.").waitFor();
  assert.equal(await focused(chat), "Your question", "the button that was pressed is off now");
  provider.script(SQL, "Some.");
  await chat.last.getByRole("button", { name: "Ask again" }).press("Enter");
  await chat.last.getByText("Some.").waitFor();
  assert.equal(await focused(chat), "Your question", "the button that was pressed is gone");

  const panel = chat.page.getByRole("region", { name: "Conversations" });
  await chat.page.getByRole("button", { name: "Conversations" }).press("Enter");
  await panel.getByRole("button", { name: "Wait" }).waitFor();
  assert.match(await focused(chat), /^Wait/);
  assert.equal(await chat.page.getByRole("button", { name: "Conversations" }).getAttribute("aria-expanded"), "true");
  await panel.getByRole("button", { name: "Rename" }).press("Enter");
  await chat.page.keyboard.type("Renamed");
  await chat.page.keyboard.press("Enter");
  await panel.getByRole("button", { name: "Renamed" }).waitFor();
  await chat.until(() => /^Renamed/.test(document.activeElement.shadowRoot.activeElement?.innerText));
  await panel.getByRole("button", { name: "Delete" }).press("Enter");
  await panel.getByRole("button", { name: "Delete for good?" }).press("Enter");
  await panel.getByText("No conversations yet.").waitFor();
  await chat.until(() => document.activeElement.shadowRoot.activeElement?.matches(".panel"));
  await chat.page.keyboard.press("Escape");
  assert.equal(await focused(chat), "Conversations");
});
