/** SQL for reading. What cannot be seen or turns the text around is spelled out. */
import { h } from "./dom.js";

const TOKEN = /('(?:[^']|'')*'|\$(\w*)\$[^]*?\$\2\$)|"(?:[^"]|"")*"|(--[^\n]*|\/\*[^]*?\*\/)|(\b\d[\d.]*\b)|([A-Za-z_][\w$]*)|\s+|[^]/gu;
const UNSEEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const KEYWORD = /^[A-Z]+$/;
const CLAUSE = /^(SELECT|FROM|WHERE|GROUP|ORDER|HAVING|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|JOIN|LEFT|RIGHT|FULL|CROSS)$/;
const JOINER = /^(LEFT|RIGHT|FULL|CROSS|OUTER|DISTINCT|WITHIN|\()$/;

export function renderSql(text) {
	const nodes = [];
	let depth = 0;
	let previous = "(";
	for (const [token, string, , comment, number, word] of text.matchAll(TOKEN)) {
		if (token === "(") depth += 1;
		if (token === ")") depth -= 1;
		if (depth === 0 && CLAUSE.test(word) && !JOINER.test(previous)) nodes.push("\n");
		const kind = string ? "string" : comment ? "comment" : number ? "number" : KEYWORD.test(word) && "keyword";
		const shown = token.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
		nodes.push(kind ? h(`span.sql-${kind}`, shown) : shown);
		if (token.trim()) previous = token;
	}
	return nodes;
}
