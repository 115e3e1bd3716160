/**
 * What has been asked and answered: plain state, changed by frames. Knows neither page nor network.
 *
 * A turn is `{ requestId, question, state, stage, sql, prose, answer, error, startedAt, seconds }` with
 * `state` one of `working`, `stopping`, `answered`, `failed`, `stopped`.
 */

export class Conversation {
  /** The server's id; `null` until the first frame names it. */
  id = null;
  turns = [];
  #key;

  /** `key` names the place in the session's storage, so that two widgets on a page stay apart. */
  constructor(key) {
    this.#key = `db-chat:${key}`;
    this.id = this.#stored((storage) => storage.getItem(this.#key));
  }

  get working() {
    return this.turns.find((turn) => turn.state === "working" || turn.state === "stopping") ?? null;
  }

  begin(requestId, question) {
    const turn = { requestId, question, state: "working", stage: null, sql: null, prose: "", answer: null, error: null, startedAt: performance.now(), seconds: null };
    this.turns.push(turn);
    return turn;
  }

  remove(turn) {
    this.turns = this.turns.filter((other) => other !== turn);
  }

  forget() {
    this.id = null;
    this.turns = [];
    this.#stored((storage) => storage.removeItem(this.#key));
  }

  /** Applies a frame and returns the turn that it changed, if any. */
  apply(frame) {
    const turn = this.turns.find((other) => other.requestId === frame.request_id);
    if (!turn) return null;
    if (frame.conversation_id && frame.conversation_id !== this.id) this.#name(frame.conversation_id);
    switch (frame.type) {
      case "status":
        turn.stage = frame.message;
        break;
      case "sql":
        turn.sql = frame.sql_query;
        break;
      case "llm_token":
        turn.prose += frame.token;
        break;
      case "llm_stream_end":
        turn.prose = frame.message;
        break;
      case "chat_response":
        turn.answer = frame;
        turn.prose = frame.reply;
        turn.sql = frame.sql_query ?? null;
        turn.state = "answered";
        break;
      case "error":
        turn.error = frame;
        turn.state = frame.code === "cancelled" ? "stopped" : "failed";
        break;
      default:
        // A frame of a newer server: nothing that this page needs.
        return null;
    }
    if (turn.state !== "working" && turn.state !== "stopping") turn.seconds = (performance.now() - turn.startedAt) / 1000;
    return turn;
  }

  /** Takes over the turns as the server stored them. */
  restore(stored) {
    this.turns = stored.map((answer) => ({ requestId: answer.request_id, question: answer.query, state: "answered", sql: answer.sql_query, prose: answer.reply, answer, seconds: null }));
  }

  #name(id) {
    this.id = id;
    this.#stored((storage) => storage.setItem(this.#key, id));
  }

  /** Storage can be forbidden (sandboxed frames, private modes): then the conversation lasts as long as the page. */
  #stored(use) {
    try {
      return use(sessionStorage);
    } catch {
      return null;
    }
  }
}
