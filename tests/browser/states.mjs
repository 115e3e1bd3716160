/**
 * Everything that the widget can look like, by name: what the server says, how the element stands in its page, and what a person has
 * done. The accessibility tests walk through all of it, and `gallery.mjs` takes a picture of each.
 */
import { answering } from "./scripted.mjs";

const column = (name, type = "text") => ({ name, type });
const SQL = "SELECT date_trunc('month', o.placed_at) AS month, sum(o.total) AS revenue FROM public.orders AS o JOIN public.customers AS c ON c.id = o.customer_id WHERE o.status <> 'cancelled' AND o.placed_at >= '2025-01-01' GROUP BY 1 ORDER BY 1";
const EVIDENCE = {
  tables: ["public.orders", "public.customers"], joins: ["c.id = o.customer_id"], filters: ["o.status <> 'cancelled'", "o.placed_at >= '2025-01-01'"],
  warnings: [], unverified_numbers: [],
};
const USAGE = { calls: 2, input_tokens: 5210, cached_tokens: 4096, output_tokens: 180, models: ["openai:gpt-x"], cost: { amount: 0.0123, currency: "USD" } };
const MARKUP = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;

const MONTHS = ["2025-09", "2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05"];
const LINE = {
  reply: "Revenue grew from **€1.2 million** in September to **€2.1 million** in May, with a dip after the holidays.", sql_query: SQL, evidence: EVIDENCE, usage: USAGE,
  columns: [column("month", "date"), column("revenue", "numeric")],
  rows: MONTHS.map((month, at) => [`${month}-01`, ["1200450.50", "1310220.10", "1702000.00", "1980300.75", "1401000.20", "1455000.00", "1700800.60", "1899000.00", "2104500.90"][at]]),
  suggestions: ["Break it down by country", "Only this year"],
};
const BARS = {
  reply: "Most orders are **delivered**.", sql_query: "SELECT status, count(*) AS orders FROM public.orders GROUP BY status", evidence: EVIDENCE,
  columns: [column("status"), column("orders", "bigint")], rows: [["delivered", 1830], ["shipped", 410], ["processing", 220], ["returned by the customer", 96], ["cancelled", 41]],
};
const SHARES = {
  reply: "Germany makes up half of it.", sql_query: "SELECT country, share FROM x", columns: [column("country"), column("share", "numeric")],
  rows: [["Germany", "50.5"], ["France", "19.5"], ["Italy", "12"], ["Spain", "8"], ["Poland", "6"], ["Others", "4"]],
};
const NAMES = ["Ada Lovelace", "Grace Hopper", "Katherine Johnson", "Annie Easley", "Hedy Lamarr"];
const TABLE = {
  reply: "These are the customers with the highest revenue:\n\n1. **Ada Lovelace** leads with 12 orders.\n2. The others follow closely.", sql_query: SQL, evidence: { ...EVIDENCE, warnings: ["The join may count orders twice."], unverified_numbers: ["12"] }, truncated: true,
  columns: [column("id", "integer"), column("customer"), column("city"), column("orders", "bigint"), column("revenue", "numeric"), column("last_order", "timestamp with time zone")],
  rows: Array.from({ length: 40 }, (_, at) => [at + 1, NAMES[at % 5], at % 4 === 3 ? null : ["London", "New York", ""][at % 3], 40 - at, `${(40 - at) * 1234}.50`, `2026-0${1 + (at % 9)}-11T09:3${at % 10}:00Z`]),
};
const WIDE = {
  reply: "All of it.", sql_query: "SELECT * FROM wide", columns: Array.from({ length: 50 }, (_, at) => column(`column_${at}`, at % 3 ? "bigint" : "text")),
  rows: Array.from({ length: 1000 }, (_, row) => Array.from({ length: 50 }, (_, at) => (at % 3 ? row * at * 1013 : `value ${row * at}`))), truncated: true,
};
const HOSTILE = {
  reply: `${MARKUP} \u202Etxet desrever 👨‍👩‍👧‍👦 ${"x".repeat(3000)} [here](https://evil.example/?rows=1)`, sql_query: `SELECT '\u202E${"x".repeat(500)}' AS a`,
  columns: [column(MARKUP), column("\u202Eb")], rows: [["x".repeat(5000), "👨‍👩‍👧‍👦".repeat(20)], ["\u202Egnp.exe", "\u0000\u0007"], [MARKUP, "javascript:alert(1)"]], evidence: { ...EVIDENCE, warnings: [MARKUP] },
};
const PROSE = {
  reply: "## What I found\n\nThe **three** best months were:\n\n| month | revenue | share |\n|---|--:|:-:|\n| May 2026 | €2.1 M | 20 % |\n| December | €1.9 M | 18 % |\n\n- *December* has the holidays\n- `2026-05` is the latest\n  1. and not over yet\n\n```sql\nSELECT 1\n```",
};
const series = (rows, first = column("month", "date"), second = column("revenue", "numeric")) => ({ reply: "Here it is.", sql_query: "SELECT 1", columns: [first, second], rows });
const category = [column("kind"), column("amount", "numeric")];

const attribute = (name, value = "") => ({ chat }) => chat.page.evaluate(([name, value]) => document.querySelector("db-chat").setAttribute(name, value), [name, value]);
const click = (selector) => ({ chat }) => chat.page.locator(`db-chat ${selector}`).last().click();

/** As many questions as there are answers; what happens `before` and `after`; `isElsewhere` on a page whose styles leave the element alone. */
export const STATES = {
  empty: {},
  streaming: { answers: [{ ...LINE, begun: true, pieces: 3 }] },
  "waiting for the first word": { answers: [{ begun: true }] },
  "a table": { answers: [TABLE] },
  "a line": { answers: [LINE] },
  bars: { answers: [BARS] },
  shares: { answers: [SHARES] },
  "a single value": { answers: [{ reply: "There are 4,812 customers.", sql_query: "SELECT count(*) FROM public.customers", columns: [column("customers", "bigint")], rows: [[4812]] }] },
  prose: { answers: [PROSE] },
  "the evidence open": { answers: [LINE], after: [click("[part=sql] summary"), click("[part=evidence] summary")] },
  "a comment being written": { answers: [BARS], after: [click("[name=down]")] },
  refusal: { answers: [{ reply: "I can't answer that from this database. Ask me about orders, customers or products.", error: "not_answerable", suggestions: ["How many orders are there?"] }] },
  clarification: { answers: [{ reply: "Do you mean revenue or profit?", clarification: { question: "Do you mean revenue or profit?", options: ["Revenue", "Profit"] } }] },
  error: { answers: [{ type: "error", code: "provider_timeout", message: "The language model took too long. Please try again.", retryable: true }] },
  stopped: { answers: [{ type: "error", code: "cancelled", message: "", retryable: true }] },
  "a lost connection": { answers: [{ ...LINE, begun: true, pieces: 3, lost: true }], after: [({ chat }) => chat.page.locator("db-chat .stage", { hasText: "Reconnecting" }).waitFor()] },
  conversations: { answers: [BARS], after: [click("[aria-expanded].tool"), ({ chat }) => chat.page.locator("db-chat .panel li").first().waitFor()] },
  "a long conversation": { answers: [BARS, LINE, TABLE] },
  "floating, closed": { isElsewhere: true, before: [attribute("floating")] },
  "floating, open": { isElsewhere: true, before: [attribute("floating"), attribute("open")], answers: [LINE] },
  "right to left": { before: [({ chat }) => chat.page.evaluate(() => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }))], answers: [TABLE, LINE] },
  German: { before: [attribute("language", "de")], answers: [LINE, TABLE], after: [click("[part=evidence] summary")] },
  "50 columns": { answers: [WIDE], after: [({ chat }) => chat.page.locator("db-chat .table").evaluate((frame) => Object.assign(frame, { scrollTop: 9000, scrollLeft: 900 }))] },
  "hostile text": { answers: [HOSTILE], after: [click("[part=sql] summary")] },
  "chart: negative values": { answers: [series([["new", "10"], ["sent", "-13.5"], ["paid", "30"]], ...category)] },
  "chart: line with gaps and negatives": { answers: [series(MONTHS.map((month, at) => [`${month}-01`, at % 4 === 2 ? null : `${(at - 4) * 250000}`]))] },
  "chart: one known point": { answers: [series([["2025-01-01", "5"], ["2025-02-01", null]])] },
  "chart: 100 categories": { answers: [series(Array.from({ length: 100 }, (_, at) => [`Kind number ${at}`, `${at * 3}`]), ...category)] },
  "chart: 25 categories": { answers: [series(Array.from({ length: 25 }, (_, at) => [`A kind with a long name, number ${at}`, `${at * 3_000_000}`]), ...category)] },
  "chart: huge and tiny": { answers: [series([["huge", "12345678901234567890"], ["tiny", "0.000001"], ["zero", "0"]], ...category)] },
  "chart: tiny values": { answers: [series([["a", "0.00012"], ["b", "0.00031"], ["c", "0.00005"]], ...category)] },
  "chart: duplicate categories": { answers: [series([["a", "1"], ["a", "2"], ["b", "3"]], ...category)] },
  "chart: days across years": { answers: [series(Array.from({ length: 400 }, (_, at) => [new Date(Date.UTC(2024, 10, 20 + at)).toISOString().slice(0, 10), `${1000 + 300 * Math.sin(at / 30)}`]), column("day", "date"), column("orders", "bigint"))] },
  "chart: years": { answers: [series([[2019, "10"], [2020, "7"], [2021, "12"], [2022, "15"], [2023, "18"]], column("year", "integer"))] },
  "chart: hours": { answers: [series(Array.from({ length: 24 }, (_, at) => [`2026-03-01T${String(at).padStart(2, "0")}:00:00Z`, `${at * (24 - at)}`]), column("hour", "timestamp with time zone"))] },
  "chart: all zero": { answers: [series([["a", "0"], ["b", "0"]], ...category)] },
  "chart: 12 shares": { answers: [series(Array.from({ length: 12 }, (_, at) => [`Part ${at}`, at ? "5" : "45"]), column("part"), column("percent", "numeric"))] },
};

/** What has to be ready before the page is there. */
export const prepare = ({ answers = [{}] }) => (page) => answering(page, ...answers);

/** Brings the page to a state. */
export async function reach(chat, { before = [], answers = [], after = [] }) {
  for (const act of before) await act({ chat });
  for (const { begun } of answers) {
    await chat.page.evaluate(async (begun) => {
      const widget = document.querySelector("db-chat");
      const root = widget.shadowRoot;
      const ended = new Promise((resolve) => ["db-chat-answer", "db-chat-error"].forEach((name) => document.addEventListener(name, resolve, { once: true })));
      widget.ask("How did revenue develop over the last months?");
      if (!begun) await ended;
      else while (!/Writing|Reconn/.test(root.querySelector(".turn:last-child").textContent)) await new Promise(requestAnimationFrame);
    }, begun);
  }
  for (const act of after) await act({ chat });
}
