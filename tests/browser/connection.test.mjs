/** The line to the server: lost, late, blocked, and what the server's frames may hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider } from "./stage.mjs";
import { Gate } from "./provider.mjs";

const SQL = "SELECT count(*) AS n FROM orders";
const SOCKET = /\/ws\/db_chat\/query\//;

test("where sockets are blocked, answers arrive over HTTP, word by word, and can be stopped", async (t) => {
  const chat = await open(t, { prepare: (page) => page.addInitScript(() => { window.WebSocket = class { static OPEN = 1; constructor() { throw new DOMException("blocked", "SecurityError"); } }; }) });
  const gate = new Gate();
  provider.script(SQL, ["Over plain HTTP", gate, " it works."]);
  await chat.type("How many orders?");
  await chat.last.getByText("Over plain HTTP", { exact: true }).waitFor();
  gate.open();
  await chat.last.getByText("Over plain HTTP it works.").waitFor();
  await chat.settled();

  const second = new Gate();
  provider.script(SQL, ["Half", second]);
  await chat.type("And again?");
  await chat.last.getByText("Half").waitFor();
  await chat.stop.click();
  await second.hungUp;
  await chat.last.getByText("Stopped.").waitFor();
});

test("a connection lost while waiting comes back by itself", async (t) => {
  const sockets = [];
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => {
    sockets.push(socket);
    socket.connectToServer();
  }) });
  await chat.page.getByText("Connected").waitFor();
  await sockets[0].close({ code: 1001 });
  await chat.until(() => document.querySelector("db-chat").shadowRoot.querySelector("[data-state=connected]"));
  provider.script(SQL, "Back again.");
  await chat.ask("Still there?");
  await chat.last.getByText("Back again.").waitFor();
  assert.equal(sockets.length, 2);
});

test("a connection lost in the middle of an answer is taken up where it was", async (t) => {
  const received = [];
  let lost = false;
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => {
    const say = (frame) => socket.send(JSON.stringify(frame));
    socket.onMessage((text) => {
      const frame = JSON.parse(text);
      received.push(frame);
      const head = { request_id: frame.request_id, conversation_id: "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b" };
      if (!lost) {
        lost = true;
        say({ type: "llm_token", ...head, seq: 1, token: "One, " });
        say({ type: "llm_token", ...head, seq: 2, token: "two, " });
        socket.close({ code: 1001 });
      } else {
        // A server may send a frame twice around a break; nobody must read it twice.
        say({ type: "llm_token", ...head, seq: 2, token: "two, " });
        say({ type: "llm_token", ...head, seq: 3, token: "three." });
        say({ type: "chat_response", ...head, seq: 4, reply: "One, two, three.", sql_query: null, columns: [], rows: [], row_count: 0, truncated: false });
      }
    });
  }) });
  await chat.ask("Count to three");
  await chat.last.getByText("One, two, three.", { exact: true }).waitFor();
  assert.deepEqual(received[1], { type: "resume", request_id: received[0].request_id, after: 2 });
});

/** A chat whose server is the test: it answers each question with the frames given. */
async function scripted(t, ...frames) {
  return open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
    const question = JSON.parse(text);
    const head = question.type === "resume" ? {} : { conversation_id: "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b" };
    frames.forEach((frame, at) => socket.send(JSON.stringify({ request_id: question.request_id, ...head, seq: at + 1, ...frame })));
  })) });
}

const ANSWER = { type: "chat_response", sql_query: null, columns: [], rows: [], row_count: 0, truncated: false };

test("a question back is answered with one click", async (t) => {
  const chat = await open(t);
  provider.script("CLARIFY: Do you mean revenue or profit?\n- Revenue\n- Profit", SQL, "A lot.");
  await chat.ask("What did we make?");
  await chat.last.getByText("Do you mean revenue or profit?").waitFor();
  await chat.last.getByRole("button", { name: "Profit" }).click();
  await chat.last.getByText("A lot.").waitFor();
  await chat.last.getByRole("heading", { name: "Profit" }).waitFor();
  assert.equal(await chat.turns.first().getByRole("button", { name: "Revenue" }).count(), 0, "old options are gone");
});

test("warnings stand beside the answer, not inside a fold", async (t) => {
  const chat = await scripted(t, { ...ANSWER, reply: "About 5.", evidence: { warnings: ["The join may count orders twice."], unverified_numbers: ["5"] } });
  await chat.ask("How many?");
  await chat.last.getByText("The join may count orders twice.").waitFor();
  await chat.last.getByText("Not found in the rows: 5.").waitFor();
});

test("an error about a frame that could not be read ends the question that it is about", async (t) => {
  const chat = await scripted(t, { request_id: undefined, conversation_id: undefined, seq: undefined, type: "error", code: "request_too_large", message: "The question is too large.", retryable: false });
  await chat.ask("x");
  await chat.last.getByText("The question is too large.").waitFor();
  assert.equal(await chat.last.getByRole("button", { name: "Ask again" }).count(), 0);
});

test("frames of a newer server and broken ones are passed over", async (t) => {
  const chat = await open(t, { prepare: (page) => page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
    const { request_id } = JSON.parse(text);
    socket.send("not json");
    socket.send(JSON.stringify({ type: "weather", request_id, seq: 1, sunny: true }));
    socket.send(JSON.stringify({ ...ANSWER, request_id, seq: 2, reply: "All the same." }));
  })) });
  await chat.ask("Anything new?");
  await chat.last.getByText("All the same.").waitFor();
});

test("a server that can't be reached at all is said so, with a way to try again", async (t) => {
  const chat = await open(t, { allowErrors: true });
  await chat.page.context().setOffline(true);
  await chat.page.evaluate(() => {
    // An open socket survives being offline in the emulation; a real one would not.
    const widget = document.querySelector("db-chat");
    const parent = widget.parentNode;
    const next = widget.nextSibling;
    widget.remove();
    parent.insertBefore(widget, next);
  });
  await chat.ask("Hello?");
  await chat.last.getByText("The server can't be reached from this page.").waitFor();
  await chat.page.context().setOffline(false);
  provider.script(SQL, "Hello!");
  await chat.last.getByRole("button", { name: "Ask again" }).click();
  await chat.last.getByText("Hello!").waitFor();
});

/** A server that loses the line after the first word and answers each resume with the next of `answers`. */
const resuming = (received, ...answers) => (page) => page.routeWebSocket(SOCKET, (socket) => socket.onMessage((text) => {
  const frame = JSON.parse(text);
  received.push(frame.type ?? "query");
  const say = (more) => socket.send(JSON.stringify({ request_id: frame.request_id, ...more }));
  if (frame.type === "resume") return say(answers.shift());
  say({ type: "llm_token", seq: 1, token: "One, " });
  return socket.close({ code: 1001 });
}));

const AWAY = { type: "error", code: "store_unavailable", message: "Away.", retryable: true };

test("a resume that the server cannot look up for now is said again, and costs no word", async (t) => {
  const received = [];
  const chat = await open(t, { prepare: resuming(received, AWAY, { ...AWAY, retry_after_ms: 5 }, { ...ANSWER, seq: 2, reply: "One, two." }) });
  await chat.ask("Count to two");
  await chat.last.getByText("One, two.", { exact: true }).waitFor();
  assert.deepEqual(received, ["query", "resume", "resume", "resume"]);
});

test("a resume of a question that is gone, or that nobody can look up, ends it in the end", async (t) => {
  for (const [answer, resumes] of [[{ ...AWAY, code: "request_not_found", retryable: false }, 1], [{ ...AWAY, retry_after_ms: 5 }, 6]]) {
    const received = [];
    const chat = await open(t, { prepare: resuming(received, ...Array.from({ length: 20 }, () => answer)) });
    await chat.ask("Count to two");
    await chat.last.getByText("The connection was lost before the answer was complete.").waitFor();
    assert.equal(received.filter((type) => type === "resume").length, resumes);
    assert.equal(await chat.last.getByText("One,").isVisible(), true, "what was said stays");
  }
});

test("where sockets are blocked, a question of which nothing was heard is sent again over HTTP", async (t) => {
  let tries = 0;
  const chat = await open(t, { allowErrors: true, prepare: async (page) => {
    await page.addInitScript(() => { window.WebSocket = class { static OPEN = 1; constructor() { throw new DOMException("blocked", "SecurityError"); } }; });
    await page.route(/\/api\/chat\/query\/|\/healthz/, (route) => {
      if (route.request().url().includes("/query/")) tries += 1;
      return tries < 2 ? route.abort() : route.continue();
    });
  } });
  provider.script(SQL, "Here after all.");
  await chat.ask("How many orders?");
  await chat.last.getByText("Here after all.").waitFor();
  assert.ok(tries >= 2);
});
