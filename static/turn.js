/**
 * One question with its answer, on the page. In: a turn of the conversation; out: an element that
 * `update` brings up to the turn's state. Decides nothing: buttons call the actions it was given.
 */
import { button, element } from "./dom.js";
import { evidenceDetails, notes, sqlDetails } from "./evidence.js";
import { renderMarkdown } from "./markdown.js";
import { resultTable } from "./table.js";

/** Codes of errors made by the page itself, whose texts are ours. */
const OWN_ERRORS = { connection_lost: "connectionLost", unreachable: "unreachable", unexpected: "unexpected" };

export class TurnView {
  #turn;
  #texts;
  #language;
  #actions;
  #prose = element("div", { class: "prose", part: "answer" });
  #status = element("p", { class: "stage", part: "status" });
  #end = element("div", { class: "slot" });
  #details = element("div", { class: "details" });
  #frame = 0;
  #sql = null;

  /** `actions`: `ask(question)`, `again(turn)`, `announce(text)`. */
  constructor(turn, { texts, language, actions }) {
    this.#turn = turn;
    this.#texts = texts;
    this.#language = language;
    this.#actions = actions;
    this.element = element("li", { class: "turn" }, element("h3", { class: "question", part: "question", dir: "auto" }, turn.question),
      element("div", { class: "answer" }, this.#status, this.#prose, this.#end, this.#details));
    this.update();
  }

  /** Called for every frame of the server; words are painted at most once per frame of the screen. */
  update() {
    const turn = this.#turn;
    const working = turn.state === "working" || turn.state === "stopping";
    this.element.dataset.state = turn.state;
    this.#status.hidden = !working;
    this.#status.textContent = turn.state === "stopping" ? this.#texts.stopping : (turn.stage ?? this.#texts.sending);
    if (turn.sql !== this.#sql) {
      this.#sql = turn.sql;
      this.#details.replaceChildren(...(turn.sql ? [sqlDetails(turn.sql, this.#texts, this.#actions.announce)] : []));
    }
    if (working) {
      this.#frame ||= requestAnimationFrame(() => this.#paintProse());
    } else {
      cancelAnimationFrame(this.#frame);
      this.#paintProse();
      if (turn.answer) this.#answered(turn.answer);
      else this.#unanswered();
    }
  }

  /** Takes away the buttons that only make sense on the newest turn. */
  retire() {
    this.#end.querySelector(".options")?.remove();
  }

  /** What a screen reader is told when the turn ends. */
  announcement() {
    const { state, error, answer, sql } = this.#turn;
    if (state === "stopped") return this.#texts.stopped;
    if (state === "failed") return this.#errorText(error);
    return `${this.#prose.innerText} ${sql ? this.#rows(answer.rows.length) : ""}`;
  }

  #paintProse() {
    this.#frame = 0;
    renderMarkdown(this.#prose, this.#turn.prose);
    this.#prose.hidden = this.#turn.prose === "";
  }

  #answered({ clarification, columns = [], rows = [], truncated, evidence = {} }) {
    const { prose, sql, seconds } = this.#turn;
    const texts = this.#texts;
    const parts = [];
    if (clarification) {
      const { question, options = [] } = clarification;
      if (!prose.includes(question)) parts.push(element("p", { dir: "auto" }, question));
      const buttons = options.map((option) => button(option, () => this.#actions.ask(option), { class: "chip", dir: "auto" }));
      if (buttons.length > 0) parts.push(element("div", { class: "options", role: "group", "aria-label": question }, buttons));
    }
    if (rows.length > 0) parts.push(resultTable({ columns, rows, truncated }, texts, this.#language));
    this.#end.replaceChildren(...parts, notes(evidence, texts) ?? "");
    if (!sql) return;
    // How many rows a cut result has is not known.
    const figures = truncated ? [] : [this.#rows(rows.length)];
    if (seconds !== null) figures.push(texts.seconds(new Intl.NumberFormat(this.#language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(seconds)));
    this.#details.append(evidenceDetails(evidence, texts) ?? "", element("p", { class: "figures" }, figures.join(" · ")));
  }

  #unanswered() {
    const { state, error } = this.#turn;
    const stopped = state === "stopped";
    const text = stopped ? this.#texts.stopped : this.#errorText(error);
    const again = (stopped || error.retryable) && button(stopped ? this.#texts.askAgain : this.#texts.tryAgain, () => this.#actions.again(this.#turn), { class: "quiet" });
    this.#end.replaceChildren(element("div", { class: stopped ? "ended" : "ended failed", part: "error" }, element("p", { dir: "auto" }, text), again));
  }

  #rows(count) {
    return this.#texts.rows(count, (number) => new Intl.NumberFormat(this.#language).format(number));
  }

  #errorText(error) {
    const own = OWN_ERRORS[error.code];
    return own ? this.#texts[own] : error.message || this.#texts.unexpected;
  }
}
