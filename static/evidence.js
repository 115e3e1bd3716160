/** What backs an answer. */
import { copyButton, h } from "./dom.js";
import { renderSql } from "./sql.js";

export function sqlDetails(sql, context) {
	const code = h("code", renderSql(sql));
	return h("details", { part: "sql" }, h("summary", "SQL"), h("div.code", h("pre", { tabindex: 0, role: "group", "aria-label": "SQL" }, code), copyButton("copySql", () => sql, code, context)));
}

export function evidenceDetails(evidence, { t }) {
	const facts = ["tables", "joins", "filters"].filter((name) => evidence[name]?.length > 0);
	const lines = facts.map((name) => [h("dt", t(name)), ...evidence[name].map((sql) => h("dd", h("code", renderSql(sql))))]);
	return lines.length > 0 && h("details.evidence", { part: "evidence" }, h("summary", t("evidence")), h("dl", lines));
}

export function notes({ warnings = [], unverified_numbers: numbers = [] }, { t }) {
	const lines = numbers.length > 0 ? [...warnings, t("unverified", { numbers: numbers.join(", ") })] : warnings;
	return lines.length > 0 && h("div.notes", { role: "note" }, h("strong", t("warnings")), h("ul", lines.map((line) => h("li", { dir: "auto" }, line))));
}
