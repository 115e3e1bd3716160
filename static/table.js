/**
 * A result as a table. In: columns `{name, type}` and rows of JSON values; out: an element.
 *
 * Values are shown for reading (grouped digits, dates without noise) but never rounded.
 */
import { button, element } from "./dom.js";

/** Rows drawn at first; the rest follow on demand, as many per frame, so that the page stays responsive. */
const ROWS_AT_ONCE = 50;
/** Characters of a cell before it is folded. */
const CELL_CHARS_MAX = 160;

const NUMBER_TYPE = /^(smallint|integer|bigint|oid|numeric|real|double precision|money)$/;
const MIDNIGHT = /^\d{4,}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?(Z|[+-][\d:]+)?)?$/;
const UTC = /(Z|[+]00(:?00)?)$/;
/** Columns whose numbers are names or years, not quantities: grouping their digits would mislead. */
const UNGROUPED = /(^|[_\s])(id|key|year|yr|code|zip|postcode|phone|no|number)$/i;

export function resultTable({ columns, rows, truncated }, texts, language) {
  const count = new Intl.NumberFormat(language).format;
  const writers = columns.map((column, at) => writerFor(column, rows, at, texts, language));
  const head = columns.map((column, at) => element("th", { scope: "col", class: writers[at].kind, title: column.type }, element("bdi", {}, column.name)));
  const body = element("tbody");
  const draw = () => {
    const from = body.rows.length;
    const cells = (row) => writers.map(({ kind, write }, at) => element("td", { class: kind }, row[at] === null ? element("span", { class: "null" }, texts.null) : write(row[at])));
    body.append(...rows.slice(from, from + ROWS_AT_ONCE).map((row) => element("tr", {}, cells(row))));
    note.textContent = texts.shown(body.rows.length, rows.length, truncated, count);
  };
  const note = element("p", { class: "table-note" });
  draw();
  const single = rows.length === 1 && columns.length === 1;
  const frame = element("div", { class: single ? "table single" : "table", part: "table", tabindex: 0, role: "group", "aria-label": texts.result },
    element("table", {}, element("thead", {}, element("tr", {}, head)), body));
  if (!note.textContent) return frame;

  const rest = body.rows.length < rows.length && button(texts.showAll(rows.length, count), () => {
    rest.remove();
    frame.focus({ preventScroll: true });
    const step = () => {
      draw();
      if (body.rows.length < rows.length) requestAnimationFrame(step);
    };
    step();
  }, { class: "quiet" });
  return element("div", { class: "table-with-note" }, frame, element("div", { class: "table-foot" }, note, rest));
}

/** How the cells of one column are drawn; decided once, over all of its values. */
function writerFor({ name, type }, rows, at, texts, language) {
  if (NUMBER_TYPE.test(type)) {
    const digits = UNGROUPED.test(name) ? String : digitGrouper(language);
    return { kind: "number", write: (value) => digits(String(value)) };
  }
  if (/^(timestamp|date)/.test(type)) {
    const midnight = rows.every((row) => row[at] === null || MIDNIGHT.test(row[at]));
    return { kind: "moment", write: (value) => (midnight ? value.replace(/[T ].*/, "") : value.replace("T", " ").replace(/(:\d\d):00(\.0+)?(?!:?\d)/, "$1").replace(UTC, "")) };
  }
  return { kind: "text", write: (value) => textCell(typeof value === "object" ? JSON.stringify(value) : String(value), texts) };
}

/** Groups the digits of exact decimals without passing them through a float. */
function digitGrouper(language) {
  const formats = new Map();
  return (value) => {
    if (!/^-?\d+(\.\d{1,20})?$/.test(value)) return value;
    const places = value.split(".")[1]?.length ?? 0;
    if (!formats.has(places)) formats.set(places, new Intl.NumberFormat(language, { minimumFractionDigits: places, maximumFractionDigits: places }));
    return formats.get(places).format(value);
  };
}

/** Text, folded when it is long. */
function textCell(value, texts) {
  if (value.length <= CELL_CHARS_MAX) return element("bdi", {}, value);
  // Cut between characters, not inside one.
  const folded = `${value.slice(0, CELL_CHARS_MAX).replace(/[\ud800-\udbff\u200d]+$/, "")}…`;
  const text = element("bdi", {}, folded);
  const toggle = button(texts.more, () => {
    const open = text.textContent === value;
    text.textContent = open ? folded : value;
    toggle.textContent = open ? texts.more : texts.less;
    toggle.setAttribute("aria-expanded", String(!open));
  }, { class: "fold", "aria-expanded": "false" });
  return element("span", {}, text, " ", toggle);
}
