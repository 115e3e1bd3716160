/**
 * The way to the server. In: questions and cancels; out: frames and the state of the line.
 *
 * Keeps one WebSocket open and reconnects with backoff. A question whose connection was lost is
 * resumed on the next one from the last frame seen; a question for which no socket can be had goes
 * over REST. Every question given to `ask` ends in exactly one final frame, if need be one made
 * here. Knows nothing of the page.
 */
import { askOverRest, restUrl } from "./rest.js";

/** Failed attempts in a row after which questions that wait go over REST. */
const ATTEMPTS_BEFORE_REST = 2;
/** Failed attempts in a row after which a question that was under way is given up. */
const ATTEMPTS_BEFORE_LOST = 6;
const BACKOFF_FIRST_MS = 400;
const BACKOFF_MAX_MS = 20_000;

/** Random and hard to guess. `crypto.randomUUID` is missing on plain-HTTP pages other than localhost. */
export function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `q-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function isFinal(frame) {
  return frame.type === "chat_response" || frame.type === "error";
}

export class Connection {
  #server;
  #onFrame;
  #onState;
  #socket = null;
  #timer = null;
  #failures = 0;
  #closed = true;
  /** Questions without a final frame: request id → { question, seq, sent, resumed, rest }. */
  #pending = new Map();
  #wake = () => document.visibilityState === "visible" && this.#timer !== null && this.#connect();

  constructor(server, { onFrame, onState }) {
    this.#server = server;
    this.#onFrame = onFrame;
    this.#onState = onState;
  }

  open() {
    if (!this.#closed) return;
    this.#closed = false;
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  /** Leaves for good: questions under way end without a frame. */
  close() {
    this.#closed = true;
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    this.#stopTimer();
    for (const pending of this.#pending.values()) pending.rest?.abort();
    this.#pending.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#onState("closed");
  }

  /** Asks; `question` is the frame as the protocol has it, `request_id` included. */
  ask(question) {
    const pending = { question, seq: 0, sent: false, resumed: false, rest: null };
    this.#pending.set(question.request_id, pending);
    if (this.#isOpen()) this.#sendQuestion(pending);
    else if (this.#failures >= ATTEMPTS_BEFORE_REST) this.#overRest(pending);
    else if (this.#timer !== null) this.#connect();
  }

  cancel(requestId) {
    const pending = this.#pending.get(requestId);
    if (!pending) return;
    const onTheWay = pending.sent && this.#isOpen();
    if (onTheWay) this.#send({ type: "cancel", request_id: requestId });
    else {
      pending.rest?.abort();
      this.#fail(pending, "cancelled", true);
    }
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  #sendQuestion(pending) {
    pending.sent = true;
    this.#send(pending.question);
  }

  #connect() {
    this.#stopTimer();
    if (this.#closed || this.#socket) return;
    this.#onState(this.#failures === 0 ? "connecting" : "retrying");
    const url = restUrl(this.#server, "/ws/db_chat/query/").replace(/^http/, "ws");
    let socket;
    try {
      socket = new WebSocket(url);
    } catch {
      this.#lost();
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => socket === this.#socket && this.#read(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  #opened() {
    this.#failures = 0;
    this.#onState("open");
    for (const pending of this.#pending.values()) {
      if (pending.rest) continue;
      if (pending.sent) {
        pending.resumed = true;
        this.#send({ type: "resume", request_id: pending.question.request_id, after: pending.seq });
      } else this.#sendQuestion(pending);
    }
  }

  #lost() {
    this.#socket = null;
    if (this.#closed) return;
    this.#failures += 1;
    const rest = this.#failures >= ATTEMPTS_BEFORE_REST;
    for (const pending of [...this.#pending.values()]) {
      if (pending.rest) continue;
      if (!pending.sent && rest) this.#overRest(pending);
      if (pending.sent && this.#failures >= ATTEMPTS_BEFORE_LOST) this.#fail(pending, "connection_lost", true);
    }
    this.#onState(rest ? "fallback" : "retrying");
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.#failures - 1));
    // Half fixed, half random: a restarted server is not met by all its clients at once.
    this.#timer = setTimeout(() => this.#connect(), ceiling / 2 + (Math.random() * ceiling) / 2);
  }

  #stopTimer() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #overRest(pending) {
    const abort = new AbortController();
    pending.rest = abort;
    askOverRest(this.#server, pending.question, abort.signal, (frame) => this.#deliver(pending, frame)).then(
      (failure) => this.#fail(pending, failure ?? "connection_lost", true),
    );
  }

  #read(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    const pending = this.#pending.get(frame.request_id) ?? this.#unanswered(frame);
    if (!pending) return;
    const isRefusal = frame.type === "error" && frame.seq === undefined;
    if (!isRefusal) this.#deliver(pending, frame);
    // A refused resume: the question ended with its connection, or the server with it.
    else if (pending.resumed) this.#fail(pending, "connection_lost", true);
    // A refused question. Later refusals are about other frames of ours and end nothing.
    else if (pending.seq === 0) this.#deliver(pending, frame);
  }

  /** An error without an id is about a frame that could not be read: ours, if only one has no reply yet. */
  #unanswered(frame) {
    if (frame.type !== "error" || frame.request_id) return null;
    const silent = [...this.#pending.values()].filter((pending) => pending.sent && pending.seq === 0);
    return silent.length === 1 ? silent[0] : null;
  }

  #deliver(pending, frame) {
    const requestId = pending.question.request_id;
    if (this.#pending.get(requestId) !== pending) return;
    if (typeof frame.seq === "number") {
      if (frame.seq <= pending.seq) return;
      pending.seq = frame.seq;
    }
    if (isFinal(frame)) this.#pending.delete(requestId);
    this.#onFrame({ ...frame, request_id: requestId });
  }

  /** Ends a question with an error of our own; the text is for the page to choose by the code. */
  #fail(pending, code, retryable) {
    this.#deliver(pending, { type: "error", code, message: null, retryable });
  }
}
