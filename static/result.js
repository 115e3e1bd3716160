/** The rows of an answer: chart, table, files with every digit. */
import { drawChart, shapeOf } from "./chart.js";
import { button, fold, h } from "./dom.js";
import { resultTable, textOf } from "./table.js";

const PLAIN_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function resultView({ columns, rows, truncated, sql_query: sql }, context) {
	const { t, announce, room } = context;
	const table = resultTable({ columns, rows }, context);
	if (rows.length * columns.length === 1) return table;
	const file = (kind, make) => button(kind, () => save(kind, make).catch(() => announce(t("unexpected"))), { label: t("download", { kind }) });
	const files = [file("CSV", () => new Blob(["\ufeff", toCsv(columns, rows)])), file("JSON", () => new Blob([JSON.stringify({ sql, truncated, columns, rows })]))];
	const shape = shapeOf({ columns, rows, truncated });
	if (!shape) return h("div.result", table, h("div.tools", files));
	const picture = drawChart(shape, room(), context);
	return h("div.result", h("div.figure", { part: "chart" }, picture), h("div.tools", fold("rows", t("table"), table), file("SVG", () => drawingOf(picture)), file("PNG", () => bitmapOf(picture)), files));
}

async function save(kind, make) {
	const href = URL.createObjectURL(await make());
	h("a", { href, download: `db-chat.${kind.toLowerCase()}` }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** RFC 4180; NULL is nothing, the empty text is quoted, as in PostgreSQL. */
function toCsv(columns, rows) {
	const cell = (value) => {
		if (value === null) return "";
		const text = textOf(value);
		// What a spreadsheet would run is made a text.
		const safe = PLAIN_NUMBER.test(text) ? text : text.replace(/(^|[;\t\r\n])(?=[=+\-@\t\r])/g, "$1'");
		return safe === "" || /["\r\n,;\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
	};
	return [columns.map(({ name }) => name), ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** What a file can't look up becomes attributes; in the page the style sheet still wins over them. */
function drawingOf(picture) {
	for (const node of [picture, ...picture.querySelectorAll("*")]) for (const look of ["fill", "stroke", "stroke-width", "font-size", "font-family"]) node.setAttribute(look, getComputedStyle(node).getPropertyValue(look));
	return new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" });
}

async function bitmapOf(picture) {
	const image = new Image();
	image.src = `data:image/svg+xml,${encodeURIComponent(await drawingOf(picture).text())}`;
	await image.decode();
	const canvas = h("canvas", { width: 2 * image.width, height: 2 * image.height });
	canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
	return new Promise((resolve) => canvas.toBlob(resolve));
}
