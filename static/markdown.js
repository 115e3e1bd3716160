/**
 * The model's prose as a fixed set of elements: paragraphs, small headings, lists, bold, italic, code.
 *
 * In: Markdown that may still be growing; out: nodes. Links and images stay text with their address
 * written out: a link could carry rows to a stranger's server, an image would do so without a click.
 */
import { element } from "./dom.js";

const FENCE = /^\s{0,3}(```|~~~)/;
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;

/** What each container shows already, so that a growing text only redraws its last block. */
const drawn = new WeakMap();

export function renderMarkdown(container, text) {
  const blocks = split(text);
  const before = drawn.get(container) ?? [];
  let same = 0;
  while (same < blocks.length && same < before.length && blocks[same] === before[same]) same += 1;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const block of blocks.slice(same)) container.append(draw(block));
  drawn.set(container, blocks);
}

/** Cuts the text into blocks, each the source of one element. */
function split(text) {
  const blocks = [];
  let lines = [];
  let kind = null;
  const end = () => {
    if (lines.length > 0) blocks.push(lines.join("\n"));
    lines = [];
    kind = null;
  };
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    if (kind === "fence") {
      lines.push(line);
      if (FENCE.test(line)) end();
    } else if (line.trim() === "") {
      end();
    } else {
      const next = FENCE.test(line) ? "fence" : HEADING.test(line) || RULE.test(line) ? "single" : ITEM.test(line) ? "list" : line.startsWith("|") ? "grid" : "text";
      const continues = kind === next || (kind === "list" && /^\s/.test(line));
      if (next === "fence" || next === "single" || !continues) end();
      kind = kind ?? next;
      lines.push(line);
      if (next === "single") end();
    }
  }
  end();
  return blocks;
}

function draw(block) {
  const lines = block.split("\n");
  const heading = HEADING.exec(lines[0]);
  if (FENCE.test(lines[0])) {
    const code = lines.slice(1, lines.length > 1 && FENCE.test(lines.at(-1)) ? -1 : undefined);
    return element("pre", { tabindex: 0 }, element("code", {}, code.join("\n")));
  }
  if (lines.length === 1 && heading) return element("h4", {}, inline(heading[1]));
  if (lines.length === 1 && RULE.test(lines[0])) return element("hr");
  if (ITEM.test(lines[0])) return drawList(lines);
  if (lines[0].startsWith("|")) return element("pre", { tabindex: 0 }, block);
  return element("p", { dir: "auto" }, inline(lines.map((line) => line.trim()).join("\n")));
}

/** A list; deeper items go into a list inside the item before them. */
function drawList(lines) {
  const ordered = ITEM.exec(lines[0])[2];
  const list = element(ordered ? "ol" : "ul", { start: ordered && ordered !== "1" ? ordered : null });
  const depth = ITEM.exec(lines[0])[1].length;
  for (let at = 0; at < lines.length; ) {
    const [, , , text] = ITEM.exec(lines[at]) ?? [null, null, null, lines[at].trim()];
    const item = element("li", { dir: "auto" }, inline(text));
    const inner = [];
    for (at += 1; at < lines.length && indent(lines[at]) > depth; at += 1) inner.push(lines[at]);
    const first = inner.findIndex((line) => ITEM.test(line));
    const own = first < 0 ? inner : inner.slice(0, first);
    if (own.length > 0) item.append(" ", element("span", {}, inline(own.map((line) => line.trim()).join(" "))));
    if (first >= 0) item.append(drawList(inner.slice(first)));
    list.append(item);
  }
  return list;
}

function indent(line) {
  return line.length - line.trimStart().length;
}

// The lengths are bounded and no two parts take the same characters, so that hostile text cannot make the search slow.
const INLINE = /`([^`\n]{1,2000})`|\*\*(?=\S)([^\n]{1,2000}?)\*\*|__(?=\S)([^\n]{1,2000}?)__|(?<![\w*])\*(?=[^\s*])([^*\n]{1,2000}?)\*(?![\w*])|(?<![\w_])_(?=[^\s_])([^_\n]{1,2000}?)_(?![\w_])|!?\[([^\]\n]{0,500})\]\(([^()\s]{1,500})(?:\s[^()\n]{0,200})?\)/g;

function inline(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, boldToo, italic, italicToo, label, address] = match;
    if (match.index > at) nodes.push(text.slice(at, match.index));
    at = match.index + whole.length;
    if (code !== undefined) nodes.push(element("code", {}, code));
    else if (bold ?? boldToo) nodes.push(element("strong", {}, inline(bold ?? boldToo)));
    else if (italic ?? italicToo) nodes.push(element("em", {}, inline(italic ?? italicToo)));
    else nodes.push(label && label !== address ? `${label} (${address})` : address);
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}
