/**
 * SQL for reading: coloured, one clause a line. In: SQL text; out: nodes.
 *
 * Only white space is added, and only on the screen. Characters that a reader cannot see or that turn
 * the direction of text are spelled out, so that what is read is what was run.
 */
import { element } from "./dom.js";

const TOKEN = /('(?:[^']|'')*'|\$(\w*)\$[^]*?\$\2\$)|("(?:[^"]|"")*")|(--[^\n]*|\/\*[^]*?\*\/)|(\b\d[\d.]*\b)|([A-Za-z_][\w$]*)|(\s+)|([^])/gu;
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const KEYWORDS = new Set(
  "all and any array as asc between both by case cast cross current_date current_timestamp desc distinct else end except exists extract false fetch filter first following for from full group grouping having ilike in inner intersect interval into is join last lateral leading left like limit materialized natural not null nulls offset on only or order outer over partition preceding range recursive right rollup row rows select sets similar some symmetric then ties to trailing true unbounded union using values when where window with within".split(" "),
);
const CLAUSES = new Set("select from where group order having limit offset union except intersect window join left right inner full cross fetch".split(" "));
/** After these words the next one does not begin a clause: LEFT JOIN, IS DISTINCT FROM, WITHIN GROUP. */
const JOINERS = new Set("left right inner full cross outer natural distinct within".split(" "));

export function renderSql(text) {
  const nodes = [];
  const say = (plain) => (typeof nodes.at(-1) === "string" ? nodes.push(nodes.pop() + plain) : nodes.push(plain));
  // One entry per open bracket: whether it holds a query, whose clauses get lines of their own.
  const brackets = [true];
  let previous = "";
  let word = "";
  let space = "";
  for (const match of text.matchAll(TOKEN)) {
    const [whole, quoted, , name, comment, number, identifier, blank, other] = match;
    if (blank !== undefined) {
      space = blank;
      continue;
    }
    const lower = identifier?.toLowerCase();
    if (previous === "(") brackets.push(lower === "select" || lower === "with");
    const isCall = text[match.index + whole.length] === "(";
    const begins = brackets.at(-1) && CLAUSES.has(lower) && !isCall && !JOINERS.has(word) && previous !== ".";
    if (begins && nodes.length > 0) space = `\n${"  ".repeat(brackets.length - 1)}`;
    if (other === ")" && brackets.length > 1) brackets.pop();
    if (space) say(space);
    space = "";
    const kind = quoted ? "string" : name ? "name" : comment ? "comment" : number ? "number" : KEYWORDS.has(lower) ? "keyword" : null;
    const shown = whole.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
    if (kind) nodes.push(element("span", { class: `sql-${kind}` }, shown));
    else say(shown);
    previous = whole;
    word = lower ?? "";
  }
  return nodes;
}
