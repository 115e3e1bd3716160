/** The rows of an answer: chart or table, copy, files. Files hold every digit, and nothing a spreadsheet would run. */
import { drawChart, shapeOf } from "./chart.js";
import { button, copyButton, h } from "./dom.js";
import { resultTable, textOf } from "./table.js";

const PLAIN_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function resultView({ columns, rows, truncated, sql_query: sql }, context) {
	const { t, announce, room } = context;
	const table = resultTable({ columns, rows }, context);
	if (rows.length * columns.length === 1) return table;
	const shape = shapeOf({ columns, rows, truncated });
	const picture = shape && drawChart(shape, room(), context);
	const file = (kind, make) => button(".quiet", kind, () => save(kind, make).catch(() => announce(t("unexpected"))), { "aria-label": t("download", { kind }) });
	const drawing = file("SVG", () => pictureFile(picture));
	const files = h("div.tools", file("CSV", () => new Blob(["\ufeff", toCsv(columns, rows, ",")], { type: "text/csv" })),
		file("JSON", () => new Blob([JSON.stringify({ sql, truncated, columns, rows })], { type: "application/json" })),
		shape && drawing, copyButton(".quiet", "copyRows", () => toCsv(columns, rows, "\t"), table, context));
	if (!shape) return h("div.result", table, files);

	const views = { chart: h("div.figure", { tabindex: 0, role: "group", "aria-label": t("chart"), part: "chart", onkeydown: toTable }, picture), table };
	const choices = Object.keys(views).map((name) => [name, button(".quiet", t(name), () => show(name))]);
	function show(name) {
		drawing.hidden = name === "table";
		for (const [other, choice] of choices) {
			views[other].hidden = other !== name;
			choice.setAttribute("aria-pressed", other === name);
		}
	}
	function toTable({ key }) {
		if (key !== "Enter") return;
		show("table");
		table.focus();
	}
	show("chart");
	return h("div.result", h("div.tools", choices.map(([, choice]) => choice)), Object.values(views), files);
}

async function save(kind, make) {
	const href = URL.createObjectURL(await make());
	h("a", { href, download: `db-chat.${kind.toLowerCase()}` }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** RFC 4180; NULL is nothing at all, the empty text is quoted, as PostgreSQL writes them. */
function toCsv(columns, rows, separator) {
	const cell = (value) => {
		if (value === null) return "";
		const text = textOf(value);
		// What a spreadsheet would take for a formula is made a text, unless it is a number.
		const safe = /^[=+\-@\t\r]/.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
		return safe === "" || /["\r\n,;\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
	};
	return [columns.map(({ name }) => name), ...rows].map((row) => `${row.map(cell).join(separator)}\r\n`).join("");
}

function pictureFile(picture) {
	const clone = picture.cloneNode(true);
	const [here, there] = [picture, clone].map((root) => [root, ...root.querySelectorAll("*")]);
	here.forEach((node, at) => ["fill", "stroke", "stroke-width", "font-size", "font-family"].forEach((look) => there[at].setAttribute(look, getComputedStyle(node).getPropertyValue(look))));
	return new Blob([new XMLSerializer().serializeToString(clone)], { type: "image/svg+xml" });
}
