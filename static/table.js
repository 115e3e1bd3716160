/** A result as a table: values never rounded, only the rows around those in sight drawn. */
import { button, h } from "./dom.js";

const CELLS_MAX = 800;
const FOLD_CHARS = 160;

const NUMBER_TYPE = /^(smallint|integer|bigint|oid|numeric|real|double precision|money)$/;
/** Columns whose numbers are names or years: grouping their digits would mislead. */
const NAME = /(^|[_\s])(id|key|year|yr|code|zip|postcode|phone|no|number)$/i;

/** What a column holds: `number`, `key` (digits that count nothing), `moment` or `text`. */
export function kindOf({ name, type }) {
	if (NUMBER_TYPE.test(type)) return NAME.test(name) ? "key" : "number";
	return /^(timestamp|date)/.test(type) ? "moment" : "text";
}

export const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

export function resultTable({ columns, rows }, { t, language }) {
	const writers = columns.map((column) => writerFor(column, language));
	const window = Math.max(16, Math.floor(CELLS_MAX / columns.length));
	let order = [...rows.keys()];
	let sorted = -1;
	let down = false;
	let first = 0;

	const heads = columns.map(({ name, type }, at) => h("th", { scope: "col", class: writers[at].kind, title: type }, button(h("bdi", name), () => sort(at), {}, "sort")));
	const body = h("tbody");
	const table = h("table", { "aria-rowcount": rows.length + 1 }, h("thead", h("tr", heads)), body);
	const kind = rows.length > window ? ".large" : rows.length * columns.length === 1 ? ".single" : "";
	const frame = h(`div.table${kind}`, { part: "table", tabindex: 0, role: "group", "aria-label": t("result"), onscroll: follow }, table);
	const rowHeight = () => body.querySelector("tr:not(.gap)")?.offsetHeight || 36;

	function draw() {
		const height = rowHeight();
		const gap = (count) => {
			const cell = h("td", { colspan: columns.length });
			cell.style.height = `${count * height}px`;
			return count > 0 ? h("tr.gap", { "aria-hidden": "true" }, cell) : "";
		};
		const drawn = order.slice(first, first + window).map((at, place) => h("tr", { "aria-rowindex": first + place + 2 }, writers.map(({ kind, write }, column) => {
			const value = rows[at][column];
			return h("td", { class: kind }, value === null ? h("span.null", "NULL") : write(value));
		})));
		body.replaceChildren(gap(first), ...drawn, gap(order.length - first - drawn.length));
	}

	function follow() {
		const height = rowHeight();
		const top = Math.floor(frame.scrollTop / height);
		const shown = Math.ceil(frame.clientHeight / height);
		if (order.length <= window || (top >= first && top + shown <= first + window)) return;
		// No column gets narrower while rows come and go.
		for (const head of heads) head.style.minWidth = `${head.offsetWidth}px`;
		first = Math.max(0, Math.min(order.length - window, top - Math.floor((window - shown) / 2)));
		draw();
	}

	function sort(at) {
		if (sorted !== at) [sorted, down] = [at, false];
		else if (down) sorted = -1;
		else down = true;
		order = [...rows.keys()];
		if (sorted >= 0) {
			const isNull = (place) => rows[place][at] === null;
			const values = order.filter((place) => !isNull(place)).sort((a, b) => (down ? -1 : 1) * writers[at].compare(rows[a][at], rows[b][at]));
			order = [...values, ...order.filter(isNull)];
		}
		heads.forEach((head, place) => (place === sorted ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
		first = frame.scrollTop = 0;
		draw();
	}

	draw();
	return frame;
}

function writerFor(column, language) {
	const kind = kindOf(column);
	if (kind === "text") {
		const { compare } = new Intl.Collator(language, { numeric: true });
		return { kind, write: (value) => textCell(textOf(value)), compare: (a, b) => compare(textOf(a), textOf(b)) };
	}
	if (kind !== "moment") return { kind: "number", write: kind === "key" ? String : digitGrouper(language), compare: compareNumbers };
	const write = (value) => value.replace("T", " ").replace(/(Z|[+]00(:00)?)$/, "").replace(/ 00:00(:00)?$/, "");
	return { kind, write, compare: (a, b) => (a < b ? -1 : Number(a > b)) };
}

export function digitGrouper(language) {
	const formats = [];
	return (value) => {
		const text = String(value);
		if (!/^-?\d+(\.\d{1,20})?$/.test(text)) return text;
		const places = text.split(".")[1]?.length ?? 0;
		formats[places] ??= new Intl.NumberFormat(language, { minimumFractionDigits: places });
		return formats[places].format(text);
	};
}

/** Floats keep the order, so only ties need all digits. NaN comes last, as in PostgreSQL. */
function compareNumbers(...values) {
	const [left, right] = values.map((value) => String(value).replace(/[$€£¥,\s]/g, ""));
	const [x, y] = [Number(left), Number(right)];
	if (x !== y || /[^\d.-]/.test(left + right)) return Number.isNaN(x) - Number.isNaN(y) || x - y || 0;
	const [[i, f = ""], [j, g = ""]] = [left.split("."), right.split(".")];
	const places = Math.max(f.length, g.length);
	return Number(BigInt(i + f.padEnd(places, "0")) - BigInt(j + g.padEnd(places, "0")));
}

/** Long text is folded, cut between characters, not inside one. */
function textCell(value) {
	const begin = value.slice(0, FOLD_CHARS).replace(/[\ud800-\udbff\u200d]+$/, "");
	return value.length <= FOLD_CHARS ? h("bdi", value) : h("details", h("summary", h("bdi", `${begin}…`)), h("bdi", value.slice(begin.length)));
}
