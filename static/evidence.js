/**
 * What backs an answer, folded away until someone asks. In: SQL, evidence, figures; out: elements.
 */
import { button, element } from "./dom.js";
import { renderSql } from "./sql.js";

/** The query with a button that copies it as it was run. */
export function sqlDetails(sql, texts, announce) {
  const code = element("code", {}, renderSql(sql));
  const copy = button(texts.copySql, async () => {
    let outcome = texts.copied;
    try {
      // Missing on pages without TLS, refused in frames without the permission.
      await navigator.clipboard.writeText(sql);
    } catch {
      getSelection().selectAllChildren(code);
      outcome = texts.copyFailed;
    }
    copy.textContent = outcome;
    announce(outcome);
  }, { class: "quiet copy", onblur: () => (copy.textContent = texts.copySql) });
  return element("details", { part: "sql" }, element("summary", {}, texts.sql),
    element("div", { class: "code" }, element("pre", { tabindex: 0, role: "group", "aria-label": texts.sql }, code), copy));
}

/** Tables, joins and filters of the query; nothing where none are known. */
export function evidenceDetails(evidence, texts) {
  const facts = ["tables", "joins", "filters"].filter((name) => evidence[name]?.length > 0);
  if (facts.length === 0) return null;
  const code = (sql) => element("dd", {}, element("code", {}, renderSql(sql)));
  return element("details", { class: "evidence", part: "evidence" }, element("summary", {}, texts.evidence),
    element("dl", {}, facts.flatMap((name) => [element("dt", {}, texts[name]), ...evidence[name].map(code)])));
}

/** What a reader should know before trusting the answer: never folded away. */
export function notes(evidence, texts) {
  const lines = [...(evidence.warnings ?? [])];
  if (evidence.unverified_numbers?.length > 0) lines.push(texts.unverified(evidence.unverified_numbers));
  if (lines.length === 0) return null;
  return element("div", { class: "notes", role: "note" }, element("strong", {}, texts.warnings),
    element("ul", {}, lines.map((line) => element("li", { dir: "auto" }, line))));
}
