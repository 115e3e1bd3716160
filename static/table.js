/** A result as a table: values never rounded; of a large one, only the rows around those in sight are drawn. */
import { button, h } from "./dom.js";

/** More cells than this make a table large: lines of one height, columns of fixed width. */
const CELLS_MAX = 600;
/** Rows drawn above and below those in sight; half as many come at once. */
const ROWS_AROUND = 4;

const NUMBER_TYPE = /^(smallint|integer|bigint|oid|numeric|real|double precision|money)$/;
/** Columns whose numbers are names or years: grouping their digits would mislead. */
const NAME = /(^|[_\s])(id|key|year|yr|code|zip|postcode|phone|no|number)$/i;

/** What a column holds: `number`, `key` (digits that count nothing), `moment` or `text`. */
export function kindOf({ name, type }) {
	if (NUMBER_TYPE.test(type)) return NAME.test(name) ? "key" : "number";
	return /^(timestamp|date)/.test(type) ? "moment" : "text";
}

export const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

export const momentOf = (value) => String(value).replace("T", " ").replace(/(Z|[+]00(:00)?)$/, "").replace(/ 00:00(:00)?$/, "");

export function resultTable({ columns, rows }, { t, language }) {
	const isLarge = rows.length > 10 && rows.length * columns.length > CELLS_MAX;
	const writers = columns.map((column) => writerFor(column, language, isLarge ? 32 : 160));
	let order = [...rows.keys()];
	let [sorted, down] = [-1, false];

	const heads = columns.map(({ name, type }, at) => h("th", { scope: "col", class: writers[at].kind, title: type }, button(h("bdi", name), () => sort(at), {}, "sort")));
	const body = h("tbody");
	const table = h("table", { "aria-rowcount": rows.length + 1 }, h("thead", h("tr", heads)), body);
	const frame = h(isLarge ? "div.table.large" : "div.table", { part: "table", tabindex: 0, role: "group", label: t("result"), onscroll: draw }, table);
	const line = (values, place) => h("tr", { "aria-rowindex": place + 2 }, values.map((value, at) => h("td", { class: writers[at].kind }, value === null ? h("span.null", "NULL") : writers[at].write(value))));

	const drawn = new Map();
	const [above, below] = [1, 2].map(() => h("tr", { "aria-hidden": "true" }));
	let height = 0;

	/** Once, with the longest value of each column in the document: no column changes its width later. */
	function measure() {
		height = body.firstChild.offsetHeight;
		const widths = [table, ...heads].map((node) => node.offsetWidth);
		for (const [at, node] of [table, ...heads].entries()) node.style.width = `${widths[at]}px`;
		body.replaceChildren(above, below);
	}

	function draw() {
		if (!isLarge) return body.hasChildNodes() || body.append(...order.map((at, place) => line(rows[at], place)));
		if (frame.clientHeight === 0) return;
		if (height === 0) measure();
		const step = ROWS_AROUND / 2;
		const top = step * Math.floor(frame.scrollTop / height / step);
		const first = Math.max(0, top - ROWS_AROUND);
		const last = Math.min(rows.length, top + step + Math.ceil(frame.clientHeight / height) + ROWS_AROUND);
		keep(first, last);
		above.style.height = `${first * height}px`;
		below.style.height = `${(rows.length - last) * height}px`;
		for (let [place, before] = [first, above]; place < last; before = drawn.get(place++)) {
			if (drawn.has(place)) continue;
			drawn.set(place, line(rows[order[place]], place));
			before.after(drawn.get(place));
		}
	}

	function keep(first, last) {
		for (const [place, row] of drawn) if (place < first || place >= last) {
			row.remove();
			drawn.delete(place);
		}
	}

	function sort(at) {
		[sorted, down] = sorted !== at ? [at, false] : down ? [-1, false] : [at, true];
		order = [...rows.keys()];
		if (sorted >= 0) {
			const { key, compare } = writers[at];
			const keys = rows.map((row) => (row[at] === null ? null : key(row[at])));
			const [nulls, values] = [true, false].map((isNull) => order.filter((place) => (keys[place] === null) === isNull));
			order = [...values.sort((a, b) => (down ? -1 : 1) * compare(keys[a], keys[b])), ...nulls];
		}
		for (const [place, head] of heads.entries()) head.ariaSort = place !== sorted ? null : down ? "descending" : "ascending";
		if (isLarge) keep(0, 0);
		else body.replaceChildren();
		frame.scrollTop = 0;
		draw();
	}

	if (isLarge) {
		const longest = (at) => rows.reduce((found, row) => (textOf(row[at]).length > textOf(found).length ? row[at] : found), null);
		body.append(line(columns.map((_, at) => longest(at)), 0));
		new ResizeObserver(draw).observe(frame);
	} else draw();
	return frame;
}

/** How a column's values are written, and compared by keys made of them. */
function writerFor(column, language, foldAt) {
	const kind = kindOf(column);
	const { compare } = new Intl.Collator(language, { numeric: true });
	if (kind === "text") return { kind, write: (value) => textCell(textOf(value), foldAt), key: textOf, compare };
	if (kind === "moment") return { kind, write: momentOf, key: String, compare };
	return {
		kind: "number",
		write: kind === "key" ? String : digitGrouper(language),
		key: (value) => String(value).replace(/[$€£¥,\s]/g, ""),
		// Floats keep the order; where they are equal all digits count. NaN comes last, as in PostgreSQL.
		compare: (a, b) => a - b || (a < 0 ? -1 : 1) * compare(a, b),
	};
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

/** Long text is folded, cut between characters, not inside one. */
function textCell(value, foldAt) {
	const begin = value.slice(0, foldAt).replace(/[\ud800-\udbff\u200d]+$/, "");
	return value.length <= foldAt ? h("bdi", value) : h("details", h("summary", h("bdi", `${begin}…`)), h("bdi", value.slice(begin.length)));
}
