/** A result as a chart: time → line, category → bar, share → stacked bar. */
import { svg } from "./dom.js";
import { kindOf, momentOf, textOf } from "./table.js";

const BARS_MAX = 30;
const SHARES_MAX = 8;
const TIME = /^\d{4}(-\d\d){0,2}$/;
const SHARE = /share|percent|pct|ratio|anteil|prozent/i;

/** One measure: two scales mislead. Nothing of a cut result: what is missing would look like zero. */
export function shapeOf({ columns, rows, truncated }) {
	const kinds = columns.map((column, at) => {
		const kind = kindOf(column);
		const isTime = kind !== "number" && rows.every((row) => TIME.test(row[at]) || (kind === "moment" && row[at] !== null));
		return isTime ? "time" : kind;
	});
	const [at, ...more] = [...kinds.keys()].filter((place) => ["time", "text"].includes(kinds[place]));
	const by = kinds.indexOf("number");
	if (truncated || at === undefined || more.length > 0 || by < 0) return null;
	const isTime = kinds[at] === "time";
	const points = rows.map((row) => ({ label: textOf(row[at] ?? "NULL"), value: Number(row[by] ?? NaN) }));
	if (isTime) points.sort((a, b) => (a.label < b.label ? -1 : 1));
	const known = points.map(({ value }) => value).filter(Number.isFinite);
	const isEnough = known.length > 1 && known.some(Boolean) && (isTime || (known.length === rows.length && rows.length <= BARS_MAX));
	if (!isEnough || new Set(points.map(({ label }) => label)).size < rows.length) return null;
	const sum = known.reduce((total, value) => total + value, 0);
	const isShare = SHARE.test(columns[by].name) && rows.length <= SHARES_MAX && Math.min(...known) >= 0 && [1, 100].some((whole) => Math.abs(sum / whole - 1) < 0.01);
	return { kind: isTime ? "line" : isShare ? "share" : "bar", measure: columns[by].name, group: columns[at].name, points, known, sum };
}

export function drawChart(shape, width, { t, language }) {
	const { kind, known } = shape;
	const format = (options) => new Intl.NumberFormat(language, options).format;
	const notation = known.some((value) => Math.abs(value) >= 1e15) ? "scientific" : "compact";
	const tools = { short: format({ notation, maximumSignificantDigits: 3 }), percent: format({ style: "percent", maximumFractionDigits: 1 }) };
	const name = t("by", shape);
	const [height, ...parts] = { line: drawLine, bar: drawBars, share: drawShares }[kind](shape, width, tools);
	return svg("svg.chart", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", label: name }, svg("rect.ground", { width, height }), write(0, 16, name), parts.flat(2));
}

const write = (x, y, text, anchor) => svg("text", { x, y, "text-anchor": anchor }, text);
const clip = (text, chars) => (text.length > chars ? `${text.slice(0, chars - 1).toWellFormed()}…` : text);
const rect = (x, y, width, height, title, shade) => svg("rect", { x, y, width, height, "fill-opacity": shade }, svg("title", title));

const scale = (low, high, start, end) => (value) => start + ((end - start) * (value - low)) / (high - low);

function ticksFor(values) {
	const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
	const rough = (high - low) / 4;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
	const from = Math.floor(low / step + 1e-9);
	return Array.from({ length: Math.ceil(high / step - 1e-9) - from + 1 }, (_, at) => (from + at) * step);
}

/** Months, days or hours: what all of them share is left out. */
function shorten(moments) {
	const texts = moments.map((moment) => momentOf(moment).replace(/(:\d\d):00$/, "$1"));
	if (texts.every((text) => /^\d{4}-\d\d-01$/.test(text))) return texts.map((text) => text.slice(0, 7));
	const day = texts[0].slice(0, 10);
	return texts.every((text) => text.startsWith(day)) ? texts.map((text) => text.slice(11) || "00:00") : texts;
}

function drawLine({ points, known }, width, { short }) {
	const ticks = ticksFor(known);
	const y = scale(ticks[0], ticks.at(-1), 240, 44);
	const left = 20 + 7 * Math.max(...ticks.map((tick) => short(tick).length));
	const xs = points.map(({ label }, at) => Date.parse(label) || at);
	const across = scale(xs[0], xs.at(-1), left, width - 12);
	const x = (at) => across(xs[at]);
	const labels = shorten(points.map(({ label }) => label));
	let taken = 0;
	const underAxis = (label, at) => {
		const half = 3.5 * label.length;
		const middle = Math.max(half, Math.min(width - half, x(at)));
		if (middle - half < taken) return "";
		taken = middle + half + 12;
		return write(middle, 260, label, "middle");
	};
	const isKnown = (at) => Number.isFinite(points[at]?.value);
	return [270,
		ticks.map((tick) => [svg("path.grid", { d: `M${left} ${y(tick)}H${width}` }), write(left - 8, y(tick) + 4, short(tick), "end")]),
		labels.map(underAxis),
		svg("path.stroke", { d: points.map(({ value }, at) => (isKnown(at) ? `${isKnown(at - 1) ? "L" : "M"}${x(at)} ${y(value)}` : "")).join("") }),
		points.map(({ value }, at) => isKnown(at) && svg("circle", { cx: x(at), cy: y(value), r: points.length < 100 ? 3 : 1 }, svg("title", `${labels[at]}: ${short(value)}`)))];
}

/** Each bar has its number beside it: no axis but zero. */
function drawBars({ points, known }, width, { short }) {
	const chars = Math.min(Math.floor(width / 22), Math.max(...points.map(({ label }) => label.length)));
	const left = 16 + 7.5 * chars;
	const height = 36 + 26 * points.length;
	const x = scale(Math.min(0, ...known), Math.max(0, ...known), left, width - 64);
	return [height, points.map(({ label, value }, at) => {
		const [y, from, to] = [36 + 26 * at, Math.min(x(0), x(value)), Math.max(x(0), x(value))];
		return [write(left - 8, y + 13, clip(label, chars), "end"), rect(from, y, to - from, 18, `${label}: ${short(value)}`), write(to + 6, y + 13, short(value))];
	}), svg("path.stroke", { d: `M${x(0)} 32V${height}` })];
}

function drawShares({ points, sum }, width, { percent }) {
	let from = 0;
	return [76 + 22 * points.length, points.map(({ label, value }, at) => {
		const said = `${label}: ${percent(value / sum)}`;
		const [x, y, shade] = [from, 72 + 22 * at, 1 - at / (points.length + 1)];
		from += (value / sum) * width;
		return [rect(x, 28, Math.max(1, from - x - 1), 32, said, shade), rect(0, y, 12, 12, said, shade), write(20, y + 10, clip(said, width / 8))];
	})];
}
