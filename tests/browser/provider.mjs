/**
 * A model provider that says what a test tells it to: an HTTP server that speaks OpenAI's Chat
 * Completions, streaming. In: replies, in the order of the calls; out: what was asked, and when a
 * client hung up. A reply that holds a gate stops there until the test opens it, so a test can prove
 * what the page shows while the provider is still sending.
 */
import http from "node:http";
import { once } from "node:events";

export class Gate {
  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
    /** Resolves when the provider has sent everything before this gate. */
    this.reached = new Promise((resolve) => (this.reach = resolve));
    /** Resolves when the client hung up while the provider was waiting here. */
    this.hungUp = new Promise((resolve) => (this.hangUp = resolve));
  }
}

export class FakeProvider {
  #replies = [];
  #server = http.createServer((request, response) => this.#serve(request, response));

  /** The bodies of the calls so far. */
  calls = [];

  async start() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.baseUrl = `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Forgets what the test before has left, and takes the replies to the next calls. */
  script(...replies) {
    this.#replies = replies;
    this.calls = [];
  }

  async #serve(request, response) {
    let body = "";
    for await (const part of request) body += part;
    // The readiness check asks for the models, not for words.
    if (request.method === "GET") return send(response, 200, { object: "list", data: [{ id: "fake-model", object: "model" }] });
    const call = JSON.parse(body);
    this.calls.push(call);
    const reply = this.#replies.shift();
    if (reply === undefined) return send(response, 400, { error: { message: "no reply scripted", type: "invalid_request_error", code: null, param: null } });
    if (reply.status) return send(response, reply.status, { error: { message: "scripted", type: "server_error", code: null, param: null } });
    const pieces = [].concat(reply);
    if (!call.stream) return send(response, 200, { id: "x", object: "chat.completion", model: call.model, choices: [{ index: 0, message: { role: "assistant", content: pieces.join("") }, finish_reason: "stop" }], usage: USAGE });

    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    const chunk = (choices, usage = null) => response.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: call.model, choices, usage })}\n\n`);
    const delta = (delta, finish_reason = null) => chunk([{ index: 0, delta, finish_reason }]);
    const gone = once(response, "close");
    delta({ role: "assistant", content: "" });
    for (const piece of pieces) {
      if (piece instanceof Gate) {
        piece.reach();
        const how = await Promise.race([piece.opened.then(() => "opened"), gone.then(() => "gone")]);
        if (how === "gone") return piece.hangUp();
      } else delta({ content: piece });
    }
    delta({}, "stop");
    if (call.stream_options?.include_usage) chunk([], USAGE);
    response.end("data: [DONE]\n\n");
  }
}

const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

function send(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}
