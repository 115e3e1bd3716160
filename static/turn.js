/**
 * One question with its answer, on the page. In: a turn of the conversation; out: an element that
 * `update` brings up to the turn's state. Decides nothing: buttons call the actions it was given.
 */
import { button, element } from "./dom.js";
import { renderMarkdown } from "./markdown.js";
import { renderSql } from "./sql.js";
import { resultTable } from "./table.js";

/** Codes of errors made by the page itself, whose texts are ours. */
const OWN_ERRORS = { connection_lost: "connectionLost", unreachable: "unreachable", unexpected: "unexpected" };

/** `actions`: `ask(question)`, `again(turn)`. */
export class TurnView {
  #turn;
  #texts;
  #language;
  #actions;
  #prose = element("div", { class: "prose", part: "answer" });
  #status = element("p", { class: "stage", part: "status" });
  #sql = element("div", { class: "slot" });
  #end = element("div", { class: "slot" });
  #frame = 0;
  #shownSql = null;

  constructor(turn, { texts, language, actions }) {
    this.#turn = turn;
    this.#texts = texts;
    this.#language = language;
    this.#actions = actions;
    const question = element("h3", { class: "question", part: "question", dir: "auto" }, turn.question);
    const answer = element("div", { class: "answer" }, this.#status, this.#prose, this.#end, this.#sql);
    this.element = element("li", { class: "turn" }, question, answer);
    this.update();
  }

  /** Called once per frame of the server; words are painted at most once per frame of the screen. */
  update() {
    const turn = this.#turn;
    const working = turn.state === "working" || turn.state === "stopping";
    this.element.setAttribute("data-state", turn.state);
    this.#status.hidden = !working;
    this.#status.textContent = turn.state === "stopping" ? this.#texts.stopping : (turn.stage ?? this.#texts.sending);
    if (turn.sql !== this.#shownSql) this.#showSql();
    if (working) {
      this.#frame ||= requestAnimationFrame(() => this.#paintProse());
    } else {
      cancelAnimationFrame(this.#frame);
      this.#paintProse();
      this.#end.replaceChildren(...(turn.answer ? this.#answered(turn.answer) : this.#unanswered()));
      if (turn.answer) this.#showSql();
    }
  }

  /** Takes away the buttons that only make sense on the newest turn. */
  retire() {
    this.#end.querySelector(".options")?.remove();
  }

  /** What a screen reader is told when the turn ends. */
  announcement() {
    const { state, prose, answer, error } = this.#turn;
    if (state === "stopped") return this.#texts.stopped;
    if (state === "failed") return this.#errorText(error);
    const rows = answer?.columns?.length ? this.#texts.rows(answer.row_count, this.#count) : "";
    return `${prose} ${rows}`.trim();
  }

  #count = (number) => new Intl.NumberFormat(this.#language).format(number);

  #paintProse() {
    this.#frame = 0;
    renderMarkdown(this.#prose, this.#turn.prose);
    this.#prose.hidden = this.#turn.prose === "";
  }

  #answered(answer) {
    const texts = this.#texts;
    const { evidence = {}, clarification, columns = [], rows = [] } = answer;
    const parts = [];
    if (clarification) {
      if (clarification.question && !this.#turn.prose.includes(clarification.question)) parts.push(element("p", { dir: "auto" }, clarification.question));
      const options = (clarification.options ?? []).map((option) => button(option, () => this.#actions.ask(option), { class: "chip", dir: "auto" }));
      if (options.length > 0) parts.push(element("div", { class: "options", role: "group", "aria-label": clarification.question }, ...options));
    }
    if (rows.length > 0) parts.push(resultTable({ columns, rows, truncated: answer.truncated }, texts, this.#language));
    const notes = [...(evidence.warnings ?? [])];
    if (evidence.unverified_numbers?.length > 0) notes.push(texts.unverified(evidence.unverified_numbers));
    if (notes.length > 0) {
      parts.push(element("div", { class: "notes", role: "note" }, element("strong", {}, texts.warnings),
        element("ul", {}, ...notes.map((note) => element("li", { dir: "auto" }, note)))));
    }
    return parts;
  }

  #unanswered() {
    const { state, error } = this.#turn;
    const stopped = state === "stopped";
    const text = stopped ? this.#texts.stopped : this.#errorText(error);
    const again = (stopped || error.retryable) && button(stopped ? this.#texts.askAgain : this.#texts.tryAgain, () => this.#actions.again(this.#turn), { class: "quiet" });
    return [element("div", { class: stopped ? "ended" : "ended failed", part: "error" }, element("p", { dir: "auto" }, text), again)];
  }

  #errorText(error) {
    const own = OWN_ERRORS[error.code];
    return own ? this.#texts[own] : error.message || this.#texts.unexpected;
  }

  /** The disclosures under an answer: SQL as soon as it is known, evidence and figures at the end. */
  #showSql() {
    const { sql, answer, seconds } = this.#turn;
    const texts = this.#texts;
    const open = this.#sql.querySelector("details.sql")?.open ?? false;
    this.#shownSql = sql;
    const parts = [];
    if (sql) parts.push(this.#sqlDetails(sql, open));
    const evidence = answer?.evidence;
    const facts = evidence ? [[texts.tables, evidence.tables], [texts.joins, evidence.joins], [texts.filters, evidence.filters]].filter(([, list]) => list?.length > 0) : [];
    if (facts.length > 0) {
      parts.push(element("details", { class: "evidence", part: "evidence" }, element("summary", {}, texts.evidence),
        element("dl", {}, ...facts.flatMap(([name, list]) => [element("dt", {}, name), ...list.map((item) => element("dd", {}, element("code", {}, ...renderSql(item))))]))));
    }
    const figures = answer && sql ? [texts.rows(answer.row_count, this.#count), seconds !== null && texts.seconds(seconds, this.#decimal)].filter(Boolean) : [];
    if (figures.length > 0) parts.push(element("p", { class: "figures" }, figures.join(" · ")));
    this.#sql.replaceChildren(element("div", { class: "details" }, ...parts));
  }

  #decimal = (number) => new Intl.NumberFormat(this.#language, { maximumFractionDigits: 1, minimumFractionDigits: 1 }).format(number);

  #sqlDetails(sql, open) {
    const code = element("code", {}, ...renderSql(sql));
    const copy = button(this.#texts.copy, () => this.#copy(sql, code, copy), { class: "quiet copy", "aria-label": this.#texts.copySql });
    return element("details", { class: "sql", part: "sql", open }, element("summary", {}, this.#texts.sql),
      element("div", { class: "code" }, element("pre", { tabindex: 0, role: "group", "aria-label": this.#texts.sql }, code), copy));
  }

  async #copy(text, shown, copy) {
    let outcome = this.#texts.copied;
    try {
      // Missing on pages without TLS, refused in frames without the permission.
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(shown);
      outcome = this.#texts.copyFailed;
    }
    copy.textContent = outcome;
    copy.addEventListener("blur", () => (copy.textContent = this.#texts.copy), { once: true });
    this.#actions.announce(outcome);
  }
}
