/** What backs an answer. In SQL, what is unseen or turns the text around is spelled out. */
import { copyButton, fold, h } from "./dom.js";

const TOKEN = /('(?:[^']|'')*'|\$(\w*)\$[^]*?\$\2\$)|"(?:[^"]|"")*"|(--[^\n]*|\/\*[^]*?\*\/)|(\b\d[\d.]*\b)|((?:LEFT|RIGHT|FULL|CROSS)(?: OUTER)? JOIN\b|[A-Za-z_][\w$]*)|\s+|[^]/gu;
const UNSEEN = /[^\P{C}\t\n]|[\u2028\u2029]/gu;
const KEYWORD = /^[A-Z ]+$/;
const CLAUSE = /^(SELECT|FROM|WHERE|GROUP|ORDER|HAVING|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|.*JOIN)$/;

export function sqlDetails(sql, context) {
	const code = h("code", renderSql(sql));
	return fold("sql", "SQL", h("div.code", h("pre", { tabindex: 0, role: "group", label: "SQL" }, code), copyButton("copySql", () => sql, code, context)));
}

export function evidenceDetails(evidence, cost, { t, language }) {
	const facts = ["tables", "joins", "filters"].filter((name) => evidence[name]?.length > 0);
	const lines = facts.map((name) => [h("dt", t(name)), ...evidence[name].map((sql) => h("dd", h("code", renderSql(sql))))]);
	if (cost) lines.push([h("dt", t("cost")), h("dd", `${cost.amount.toLocaleString(language, { maximumSignificantDigits: 3 })} ${cost.currency}`)]);
	return lines.length > 0 && fold("evidence", t("evidence"), h("dl", lines));
}

export function notes({ warnings = [], unverified_numbers: numbers = [] }, { t }) {
	const lines = numbers.length > 0 ? [...warnings, t("unverified", { numbers: numbers.join(", ") })] : warnings;
	return lines.length > 0 && h("div.notes", { role: "note" }, h("strong", t("warnings")), h("ul", lines.map((line) => h("li", { dir: "auto" }, line))));
}

export function renderSql(text) {
	const nodes = [];
	let depth = 0;
	for (const [token, string, , comment, number, word] of text.matchAll(TOKEN)) {
		depth += (token === "(") - (token === ")");
		if (depth === 0 && nodes.length > 0 && CLAUSE.test(word)) nodes.push("\n");
		const kind = string ? "string" : comment ? "comment" : number ? "number" : KEYWORD.test(word) && "keyword";
		const shown = token.replace(UNSEEN, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);
		nodes.push(kind ? h(`span.sql-${kind}`, shown) : shown);
	}
	return nodes;
}
