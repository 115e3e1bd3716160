/** A result as a chart: time → line, category → bar, share → stacked bar. */
import { svg } from "./dom.js";
import { digitGrouper, kindOf, textOf } from "./table.js";

const BARS_MAX = 30;
const TIME = /^\d{4}(-\d\d){0,2}$/;
const SHARE = /share|percent|pct|ratio|anteil|prozent/i;

/** One measure: two scales mislead. Nothing of a cut result: what is missing would look like zero. */
export function shapeOf({ columns, rows, truncated }) {
	const kinds = columns.map((column, at) => {
		const kind = kindOf(column);
		return kind === "moment" || (kind !== "number" && rows.every((row) => TIME.test(row[at]))) ? "time" : kind;
	});
	const [at, ...more] = [...kinds.keys()].filter((place) => ["time", "text"].includes(kinds[place]));
	const by = kinds.indexOf("number");
	if (truncated || rows.length < 2 || at === undefined || more.length > 0 || by < 0) return null;
	const isTime = kinds[at] === "time";
	const points = rows.map((row) => ({ label: textOf(row[at]), exact: row[by], value: Number(row[by] ?? NaN) }));
	if (isTime) points.sort((a, b) => (a.label < b.label ? -1 : 1));
	const known = points.map(({ value }) => value).filter(Number.isFinite);
	if (new Set(points.map(({ label }) => label)).size < rows.length || known.length < (isTime ? 2 : rows.length) || (!isTime && rows.length > BARS_MAX)) return null;
	const sum = known.reduce((total, value) => total + value, 0);
	const isShare = SHARE.test(columns[by].name) && Math.min(...known) >= 0 && [1, 100].some((whole) => Math.abs(sum / whole - 1) < 0.01);
	return { kind: isTime ? "line" : isShare ? "share" : "bar", measure: columns[by].name, group: columns[at].name, points, known, sum };
}

export function drawChart(shape, width, { t, language }) {
	const { kind } = shape;
	const format = (options) => new Intl.NumberFormat(language, options).format;
	const tools = { t, exact: digitGrouper(language), short: format({ notation: "compact", maximumFractionDigits: 2 }), percent: format({ style: "percent", maximumFractionDigits: 1 }) };
	const [height, ...parts] = { line: drawLine, bar: drawBars, share: drawShares }[kind](shape, width, tools);
	return svg("svg.chart", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${t("chart")}: ${t("by", shape)}` }, svg("rect.ground", { width, height }), parts.flat(2));
}

const write = (x, y, text, anchor) => svg("text", { x, y, "text-anchor": anchor }, text);
const clip = (text, chars) => (text.length > chars ? `${text.slice(0, chars - 1).toWellFormed()}…` : text);
const rect = (x, y, width, height, title, shade) => svg("rect", { x, y, width, height, "fill-opacity": shade }, svg("title", title));
const grid = (d) => svg("path.grid", { d });

function axis(values, start, end) {
	const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
	const rough = (high - low || 1) / 4;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
	const from = Math.floor(low / step + 1e-9);
	const ticks = Array.from({ length: Math.max(2, Math.ceil(high / step - 1e-9) - from + 1) }, (_, at) => (from + at) * step);
	return [ticks, (value) => start + ((end - start) * (value - ticks[0])) / (ticks.at(-1) - ticks[0])];
}

function drawLine({ points, known, measure, group }, width, { exact, short }) {
	const [ticks, y] = axis(known, 226, 30);
	const left = 20 + 7 * Math.max(...ticks.map((tick) => short(tick).length));
	const times = points.map(({ label }) => Date.parse(label));
	const xs = times.every(Number.isFinite) ? times : [...points.keys()];
	const x = (at) => left + ((width - left - 44) * (xs[at] - xs[0])) / (xs.at(-1) - xs[0]);
	const labels = points.map(({ label }) => label.replace(/[T ]00:00.*/, ""));
	let taken = 0;
	const underAxis = (label, at) => {
		const half = 3.5 * label.length;
		const middle = Math.max(half, Math.min(width - half, x(at)));
		if (middle - half < taken) return "";
		taken = middle + half + 12;
		return write(middle, 246, label, "middle");
	};
	const isKnown = (at) => Number.isFinite(points[at]?.value);
	return [270, write(0, 16, measure), write(width, 264, group, "end"),
		ticks.map((tick) => [grid(`M${left} ${y(tick)}H${width}`), write(left - 8, y(tick) + 4, short(tick), "end")]),
		labels.map(underAxis),
		svg("path.stroke", { d: points.map(({ value }, at) => (isKnown(at) ? `${isKnown(at - 1) ? "L" : "M"}${x(at)} ${y(value)}` : "")).join("") }),
		points.map(({ value, exact: digits }, at) => isKnown(at) && svg("circle", { cx: x(at), cy: y(value), r: points.length < 100 ? 3 : 1 }, svg("title", `${labels[at]}: ${exact(digits)}`)))];
}

function drawBars({ points, known, measure, group }, width, { exact, short }) {
	const chars = Math.min(Math.floor(width / 22), Math.max(6, ...points.map(({ label }) => label.length)));
	const left = 16 + 7.5 * chars;
	const bottom = 26 + 26 * points.length;
	const [ticks, x] = axis(known, left, width - 24);
	const every = width - left < 300 ? 2 : 1;
	return [bottom + 44, write(left - 8, 16, clip(group, chars), "end"), write(width, bottom + 38, measure, "end"),
		ticks.map((tick, at) => [grid(`M${x(tick)} 24V${bottom}`), at % every === 0 && write(x(tick), bottom + 18, short(tick), "middle")]),
		points.map(({ label, value, exact: digits }, at) => [write(left - 8, 43 + 26 * at, clip(label, chars), "end"),
			rect(Math.min(x(0), x(value)), 30 + 26 * at, Math.max(1, Math.abs(x(value) - x(0))), 18, `${label}: ${exact(digits)}`)])];
}

function drawShares({ points, measure, group, sum }, width, { t, percent }) {
	let from = 0;
	return [90 + 22 * points.length, write(0, 16, t("by", { measure, group })), points.map(({ label, value }, at) => {
		const said = `${label}: ${percent(value / sum)}`;
		const [x, y, shade] = [from, 72 + 22 * at, 1 - (at % 6) / 7];
		from += (value / sum) * width;
		return [rect(x, 28, Math.max(1, from - x - 1), 32, said, shade), rect(0, y, 12, 12, said, shade), write(20, y + 10, clip(said, width / 8))];
	})];
}
