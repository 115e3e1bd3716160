/**
 * `<db-chat>`: a chat with a database, on any page.
 *
 *   <script type="module" src="https://host/static/db-chat.js"></script>
 *   <db-chat server="https://host" title="Ask our data" questions='["How many customers are there?"]'></db-chat>
 *
 * Attributes (and properties of the same name): `server` (base URL; the origin this file came from),
 * `title`, `placeholder`, `questions` (samples: a JSON array; as a property an array). `theme` is
 * `light` or `dark`; without it the colours follow the page's `color-scheme`.
 * Methods: `ask(question)`, `stop()`, `reset()`, `focus()`. Events: `db-chat-answer` and `db-chat-error`, whose
 * `detail` is the final frame. Looks: custom properties `--db-chat-*` (styles.js) and parts.
 *
 * This file puts the parts together; it draws no answers and speaks no protocol.
 */
import { Connection, isFinal, newRequestId } from "./connection.js";
import { Conversation } from "./conversation.js";
import { button, element, icon } from "./dom.js";
import { loadHistory } from "./rest.js";
import { stringsFor } from "./strings.js";
import { sheet } from "./styles.js";
import { TurnView } from "./turn.js";

const HOME = new URL("..", import.meta.url).href;
/** Lines that the question grows to before it scrolls. */
const LINES_MAX = 8;

class DbChat extends HTMLElement {
  static observedAttributes = ["title", "placeholder", "questions"];

  #texts = stringsFor("en");
  #connection = null;
  #conversation = null;
  #views = new Map();
  #nodes = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.#texts = stringsFor(this.#language);
    this.#nodes = this.#build();
    this.shadowRoot.replaceChildren(this.#nodes.root);
    this.attributeChangedCallback();
    this.#conversation = new Conversation(`${this.server}#${this.id}`);
    this.#connection = new Connection(this.server, { onFrame: (frame) => this.#take(frame), onState: (state) => this.#showLine(state) });
    this.#connection.open();
    this.#restore();
  }

  disconnectedCallback() {
    this.#connection.close();
    this.#views.clear();
  }

  attributeChangedCallback() {
    if (!this.#nodes) return;
    this.#nodes.title.textContent = this.getAttribute("title") || this.#texts.title;
    this.#nodes.input.placeholder = this.getAttribute("placeholder") || this.#texts.placeholder;
    this.#showSamples();
    this.#refresh();
  }

  get server() {
    return new URL(this.getAttribute("server") || HOME, document.baseURI).href.replace(/\/+$/, "");
  }

  set server(url) {
    this.setAttribute("server", url);
  }

  get questions() {
    try {
      return [].concat(JSON.parse(this.getAttribute("questions") ?? "[]")).map(String);
    } catch {
      return [];
    }
  }

  set questions(questions) {
    this.setAttribute("questions", JSON.stringify(questions));
  }

  get placeholder() {
    return this.getAttribute("placeholder") ?? "";
  }

  set placeholder(text) {
    this.setAttribute("placeholder", text);
  }

  /** Focus goes where one types. */
  focus(options) {
    this.#nodes?.input.focus(options);
  }

  /** Asks as if the person had typed it. Returns whether it was taken: one question runs at a time. */
  ask(question) {
    const text = question.trim();
    if (text === "" || this.#conversation.working) return false;
    const turn = this.#conversation.begin(newRequestId(), text);
    for (const view of this.#views.values()) view.retire();
    this.#show(turn);
    this.#toggleSamples(false);
    this.#announce(this.#texts.working);
    this.#connection.ask({ query: text, conversation_id: this.#conversation.id ?? undefined, request_id: turn.requestId, stream: true });
    this.#refresh();
    this.#scrollTo(turn);
    return true;
  }

  /** Stops the question that is being answered, if one is. */
  stop() {
    const turn = this.#conversation.working;
    if (!turn || turn.state === "stopping") return;
    turn.state = "stopping";
    this.#views.get(turn).update();
    this.#connection.cancel(turn.requestId);
    this.#refresh();
  }

  /** Begins a new conversation. The old one stays on the server until it expires. */
  reset() {
    this.stop();
    this.#conversation.forget();
    this.#views.clear();
    this.#nodes.turns.replaceChildren();
    this.#refresh();
    this.focus();
  }

  get #language() {
    return this.closest("[lang]")?.lang || document.documentElement.lang || "en";
  }

  #build() {
    const texts = this.#texts;
    const title = element("h2", { part: "title" });
    const line = element("span", { class: "line" });
    const fresh = button(icon("plus"), () => this.reset(), { class: "quiet", part: "new-conversation", "aria-label": texts.newConversation });
    fresh.append(element("span", {}, texts.newConversation));
    const welcome = element("div", { class: "welcome" }, element("p", { class: "welcome-title" }, texts.welcome), element("p", {}, texts.welcomeMore));
    const turns = element("ol", { class: "turns" });
    const log = element("div", { class: "log", part: "conversation", role: "region", "aria-label": texts.conversation, tabindex: 0 }, welcome, turns);
    const samples = element("div", { class: "samples", id: "samples", role: "group", "aria-label": texts.examples });
    const input = element("textarea", { id: "question", rows: 1, enterkeyhint: "send", autocomplete: "off", "aria-label": texts.question, "aria-describedby": "keys", oninput: () => this.#refresh() });
    const examples = button(texts.examples, () => this.#toggleSamples(samples.hidden), { class: "quiet", "aria-controls": "samples" });
    const send = button("", () => (this.#conversation.working ? this.stop() : this.#submit()), { class: "send", part: "send" });
    const composer = element("form", { class: "composer", part: "composer", onsubmit: (event) => event.preventDefault() }, input, send);
    const foot = element("div", { class: "foot" }, examples, element("span", { class: "keys", id: "keys" }, texts.keys));
    const live = element("p", { class: "unseen", role: "status" });
    // The empty title keeps the host's attribute from showing as a tooltip over everything.
    const root = element("div", { class: "root", part: "root", title: "" },
      element("header", { class: "head", part: "header" }, title, line, fresh), log, samples, composer, foot, live);
    root.addEventListener("keydown", (event) => this.#key(event));
    return { root, title, line, fresh, welcome, turns, log, samples, input, examples, send, live };
  }

  #key(event) {
    // While an input method is composing, Enter and Escape belong to it.
    if (event.isComposing) return;
    if (event.key === "Escape" && this.#conversation.working) {
      event.preventDefault();
      this.stop();
    } else if (event.key === "Enter" && !event.shiftKey && event.target === this.#nodes.input) {
      event.preventDefault();
      this.#submit();
    }
  }

  #submit() {
    if (!this.ask(this.#nodes.input.value)) return;
    this.#nodes.input.value = "";
    this.#refresh();
  }

  async #take(frame) {
    if (frame.code === "connection_lost") frame = (await this.#stored(frame.request_id)) ?? frame;
    const turn = this.#conversation.apply(frame);
    const view = turn && this.#views.get(turn);
    if (!view) return;
    view.update();
    if (!isFinal(frame)) return;
    this.#announce(view.announcement());
    this.#refresh();
    this.dispatchEvent(new CustomEvent(frame.type === "error" ? "db-chat-error" : "db-chat-answer", { bubbles: true, composed: true, detail: frame }));
  }

  /** The answer to a question whose connection was lost, when the server had finished it all the same. */
  async #stored(requestId) {
    const stored = (await this.#history())?.find((turn) => turn.request_id === requestId);
    return stored && { ...stored, type: "chat_response" };
  }

  /** The stored turns of this conversation: `null` when there is none, `undefined` when it can't be had now. */
  async #history() {
    if (!this.#conversation.id) return null;
    return loadHistory(this.server, this.#conversation.id).catch(() => undefined);
  }

  #show(turn) {
    const view = new TurnView(turn, {
      texts: this.#texts,
      language: this.#language,
      actions: { ask: (question) => this.ask(question), again: (old) => this.#again(old), announce: (text) => this.#announce(text) },
    });
    this.#views.set(turn, view);
    this.#nodes.turns.append(view.element);
  }

  #again(turn) {
    if (this.#conversation.working) return;
    this.#views.get(turn).element.remove();
    this.#views.delete(turn);
    this.#conversation.remove(turn);
    this.ask(turn.question);
    this.focus();
  }

  async #restore() {
    const conversation = this.#conversation;
    const stored = await this.#history();
    // Without its history the conversation can still go on; a question asked meanwhile comes first.
    if (stored === undefined || conversation !== this.#conversation || conversation.turns.length > 0) return;
    if (stored === null) conversation.forget();
    else conversation.restore(stored);
    for (const turn of conversation.turns) this.#show(turn);
    this.#refresh();
    if (conversation.turns.length > 0) this.#scrollTo(conversation.turns.at(-1));
  }

  /** Brings buttons and placeholders in line with the state. */
  #refresh() {
    const { input, send, fresh, welcome, examples } = this.#nodes;
    const texts = this.#texts;
    const working = this.#conversation?.working ?? null;
    const empty = !this.#conversation?.turns.length;
    const label = working ? texts.stop : texts.send;
    if (send.getAttribute("aria-label") !== label) {
      send.setAttribute("aria-label", label);
      send.replaceChildren(icon(working ? "stop" : "send"));
    }
    send.disabled = working ? working.state === "stopping" : input.value.trim() === "";
    input.rows = Math.min(LINES_MAX, input.value.split("\n").length);
    fresh.hidden = empty;
    welcome.hidden = !empty;
    examples.hidden = empty || this.questions.length === 0;
    if (empty) this.#toggleSamples(true);
  }

  #showSamples() {
    this.#nodes.samples.replaceChildren(...this.questions.map((question) => button(question, () => {
      if (this.ask(question)) this.focus({ preventScroll: true });
    }, { class: "chip", dir: "auto" })));
  }

  #toggleSamples(open) {
    const { samples, examples } = this.#nodes;
    samples.hidden = !open || this.questions.length === 0;
    examples.setAttribute("aria-expanded", String(open));
  }

  #showLine(state) {
    this.#nodes.line.dataset.state = state;
    this.#nodes.line.textContent = this.#texts.connection[state];
    const turn = this.#conversation.working;
    if (state !== "retrying" || !turn) return;
    turn.stage = this.#texts.reconnecting;
    this.#views.get(turn).update();
  }

  /** One polite line for screen readers: beginnings and ends, never single words. */
  #announce(text) {
    this.#nodes.live.textContent = text;
  }

  /** Puts the question at the top, so that its answer grows below without moving what is being read. */
  #scrollTo(turn) {
    const { log } = this.#nodes;
    log.scrollTop += this.#views.get(turn).element.getBoundingClientRect().top - log.getBoundingClientRect().top + 1;
  }
}

if (!customElements.get("db-chat")) customElements.define("db-chat", DbChat);
