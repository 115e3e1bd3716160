/**
 * A result as a table. In: columns `{name, type}` and rows of JSON values; out: an element.
 *
 * Values are shown for reading (grouped digits, dates without noise) but never rounded.
 */
import { button, element } from "./dom.js";

/** Rows drawn at once; the rest follow on demand, a slice per frame, so that the page stays responsive. */
const ROWS_AT_FIRST = 50;
/** Characters of a cell before it is folded. */
const CELL_CHARS_MAX = 160;

const NUMBER_TYPE = /^(smallint|integer|bigint|oid|numeric|real|double precision|money)$/;
const NUMBER = /^-?\d+(\.\d+)?$/;
const MOMENT = /^(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;
/** Columns whose numbers are names or years, not quantities: grouping their digits would mislead. */
const UNGROUPED = /(^|[_\s])(id|key|year|yr|code|zip|postcode|phone|no|number)$/i;

export function resultTable({ columns, rows, truncated }, texts, language) {
  const format = new Intl.NumberFormat(language);
  const count = (number) => format.format(number);
  const writers = columns.map((column, at) => writerFor(column, rows, at, texts, language));
  const head = element("tr", {}, ...columns.map((column, at) =>
    element("th", { scope: "col", class: writers[at].class, title: column.type }, element("bdi", {}, column.name || texts.column(at + 1)))));
  const body = element("tbody");
  const draw = (from, to) => body.append(...rows.slice(from, to).map((row) =>
    element("tr", {}, ...writers.map((writer, at) => element("td", { class: writer.class }, writer.cell(row[at]))))));
  draw(0, ROWS_AT_FIRST);
  const single = rows.length === 1 && columns.length === 1;
  const frame = element("div", { class: single ? "table single" : "table", part: "table", tabindex: 0, role: "group", "aria-label": texts.result },
    element("table", {}, element("thead", {}, head), body));
  if (rows.length <= ROWS_AT_FIRST && !truncated) return frame;

  const note = element("p", { class: "table-note" });
  const say = () => {
    note.textContent = texts.shown(body.rows.length, rows.length, truncated, count);
  };
  say();
  const rest = rows.length > ROWS_AT_FIRST && button(texts.showAll(rows.length, count), () => {
    rest.remove();
    frame.focus({ preventScroll: true });
    const step = () => {
      draw(body.rows.length, body.rows.length + ROWS_AT_FIRST);
      say();
      if (body.rows.length < rows.length) requestAnimationFrame(step);
    };
    step();
  }, { class: "quiet" });
  return element("div", { class: "table-with-note" }, frame, element("div", { class: "table-foot" }, note, rest));
}

/** How the cells of one column are drawn; decided once, over all of its values. */
function writerFor(column, rows, at, texts, language) {
  const type = column.type ?? "";
  const plain = (write, name) => ({ class: name, cell: (value) => (isNull(value) ? nullMark(texts) : write(value)) });
  if (NUMBER_TYPE.test(type)) {
    const grouped = !UNGROUPED.test(column.name ?? "");
    return plain((value) => (grouped ? groupDigits(String(value), language) : String(value)), "number");
  }
  if (type.startsWith("timestamp") || type === "date") {
    const moments = rows.map((row) => row[at]).filter((value) => !isNull(value)).map((value) => MOMENT.exec(value));
    const midnight = moments.every((moment) => moment && moment[2] === "00:00" && /^(:00(\.0+)?)?$/.test(moment[3] ?? ""));
    return plain((value) => {
      const moment = MOMENT.exec(value);
      if (!moment) return String(value);
      const [, day, time, seconds = "", zone = ""] = moment;
      return midnight ? day : `${day} ${time}${seconds.replace(/^:00(\.0+)?$/, "")}${/^(Z|\+00(:?00)?)$/.test(zone) ? "" : ` ${zone}`}`;
    }, "moment");
  }
  return plain((value) => textCell(typeof value === "object" ? JSON.stringify(value) : String(value), texts), "text");
}

function isNull(value) {
  return value === null || value === undefined;
}

function nullMark(texts) {
  return element("span", { class: "null" }, texts.null);
}

/** Groups the digits of an exact decimal without passing it through a float. */
function groupDigits(value, language) {
  if (!NUMBER.test(value)) return value;
  const places = value.split(".")[1]?.length ?? 0;
  if (places > 20) return value;
  return new Intl.NumberFormat(language, { minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
}

/** Text, folded when it is long. */
function textCell(value, texts) {
  const characters = value.length > CELL_CHARS_MAX ? Array.from(value.slice(0, CELL_CHARS_MAX * 2)) : null;
  if (!characters || characters.length <= CELL_CHARS_MAX) return element("bdi", {}, value);
  const folded = `${characters.slice(0, CELL_CHARS_MAX - 20).join("")}…`;
  const text = element("bdi", {}, folded);
  const toggle = button(texts.more, () => {
    const open = toggle.getAttribute("aria-expanded") === "true";
    text.textContent = open ? folded : value;
    toggle.textContent = open ? texts.more : texts.less;
    toggle.setAttribute("aria-expanded", String(!open));
  }, { class: "fold", "aria-expanded": "false" });
  return element("span", {}, text, " ", toggle);
}
