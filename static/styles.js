/** The looks, constructed: no policy has to allow inline styles. */
export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
	--accent: var(--db-chat-accent, light-dark(#0a6a5c, #68d5bd));
	--on-accent: var(--db-chat-on-accent, light-dark(#fff, #04241d));
	--paper: var(--db-chat-background, light-dark(#fff, #161b1a));
	--ink: var(--db-chat-text, light-dark(#1a211f, #e6ebe9));
	--tint: color-mix(in srgb, var(--ink) 5%, var(--paper));
	--hair: color-mix(in srgb, var(--ink) 14%, var(--paper));
	--edge: color-mix(in srgb, var(--ink) 55%, var(--paper));
	--quiet: color-mix(in srgb, var(--ink) 72%, var(--paper));
	--warn: light-dark(#8a4b08, #e9b872);
	display: block; height: 40rem; color: var(--ink); text-align: start;
	font: 400 1rem/1.55 var(--db-chat-font, system-ui, sans-serif);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
h2, h3, h4, p, ol, ul, dl, dd, pre { margin: 0; padding: 0; font: inherit; }
button, textarea, input { font: inherit; color: inherit; border: 0; background: none; padding: 0; }
:focus-visible:not(textarea), .composer:has(textarea:focus) { outline: 2px solid var(--accent); outline-offset: -2px; }
h2, h4, strong, .sort { font-weight: 650; }

.root { position: relative; display: flex; flex-direction: column; height: 100%; overflow: hidden; container-type: inline-size; background: var(--paper); border: 1px solid var(--hair); border-radius: var(--db-chat-radius, 14px); }
.head, .line, .stage, .asked, .ended, .tools, .details, .options, .samples, .foot, .panel li { display: flex; align-items: center; gap: .5rem; }
.ended, .tools, .details, .options, .samples { flex-wrap: wrap; }
.head { min-height: 3.5rem; padding: .5rem 1.25rem; border-bottom: 1px solid var(--hair); }
h2, .open bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.line { margin-inline-end: auto; white-space: nowrap; }
.line::before, .stage::before { content: "●"; color: #b98d1d; }
[data-state="connected"]::before { color: #1c9c5f; }
.line, .stage, .figures, small, .foot, dt, .sql-comment { color: var(--quiet); font-size: .8125rem; }
.panel { position: absolute; inset: 3.5rem 0 0; z-index: 1; overflow: auto; padding: .5rem 1rem; background: var(--paper); }
.open { flex: 1; min-width: 0; display: grid; text-align: start; min-height: 2.75rem; }
.log { flex: 1; min-height: 0; display: flex; flex-direction: column; overflow-y: auto; overscroll-behavior: contain; padding: 0 1.25rem; }
.welcome { margin-top: auto; padding: 2rem 0 .75rem; }
.welcome, .single td { font-size: 1.375rem; text-align: start; }
.turns { list-style: none; flex: 1; min-height: 0; }
:is(.turns, .slot, .details):empty { display: none; }
.turn { padding: 1.25rem 0 1.5rem; overflow-wrap: anywhere; }
.turn:last-child { min-height: 100%; }
.asked { flex-direction: row-reverse; margin-bottom: 1rem; }
.question { max-width: 88%; min-width: 0; padding: .5rem .9rem; background: var(--tint); border-radius: 1.1rem 1.1rem .3rem; white-space: pre-wrap; }
.answer, .slot, .prose, .result { display: grid; gap: .75rem; grid-template-columns: minmax(0, 1fr); }

.prose { max-width: 42rem; unicode-bidi: isolate; }
.prose p { white-space: pre-line; }
ul, .prose ol { padding-inline-start: 1.4em; }
code, pre, .null { font: .8125rem/1.6 var(--db-chat-mono, ui-monospace, monospace); unicode-bidi: isolate; }
.prose :is(code, pre), .code, dl { background: var(--tint); border-radius: .5rem; padding: .1em .35em; }
pre { overflow: auto; padding: .75rem; }

.table, .figure { max-height: 24rem; width: fit-content; max-width: 100%; overflow: auto; border: 1px solid var(--hair); border-radius: .65rem; }
table { border-spacing: 0; font-size: .875rem; line-height: 1.45; }
th, td { padding: .45rem .9rem; text-align: start; vertical-align: top; border-bottom: 1px solid var(--hair); }
th { position: sticky; top: 0; background: var(--tint); color: var(--quiet); }
.sort { min-height: 1.5rem; }
[aria-sort] .sort::after { content: " ↑"; }
[aria-sort="descending"] .sort::after { content: " ↓"; }
bdi { display: inline-block; max-width: 24rem; white-space: pre-wrap; }
th bdi, .large bdi { max-width: 14rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }
.gap td { padding: 0; border: 0; }
.number, .moment { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: end; }
.null { color: var(--quiet); padding: 0 .35em; border: 1px dashed; border-radius: .3em; }
.figure { padding: .75rem; max-height: none; }
.chart { display: block; max-width: 100%; height: auto; direction: ltr; }
.ground { fill: var(--paper); }
text { fill: var(--quiet); font: 12px sans-serif; }
.grid { stroke: var(--hair); }
.stroke { fill: none; stroke: var(--accent); stroke-width: 2; }
circle, rect { fill: var(--accent); }

.notes, .failed { padding: .7rem 1rem; border-inline-start: 3px solid var(--warn); background: var(--tint); }
.failed { color: light-dark(#a8281c, #ffb3a6); }
details { min-width: 0; }
[open] { flex: 1 1 100%; }
summary:not(td *), .quiet, .chip, input { display: inline-flex; align-items: center; gap: .5em; min-height: 2rem; padding: .2rem .75rem; border: 1px solid var(--hair); border-radius: 2rem; background: var(--paper); color: var(--quiet); font-size: .8125rem; }
summary::before { content: "▸"; }
[open] > ::before { content: "▾"; }
.chip, input { color: var(--ink); border-color: var(--edge); font-size: .875rem; text-align: start; }
input { min-width: 0; flex: 1; }
:is(summary, .quiet, .chip):hover, [aria-pressed="true"] { color: var(--accent); border-color: currentColor; }
.down .icon { rotate: 180deg; }
.code, dl { margin-top: .5rem; padding: .5rem; }
.code pre { max-height: 22rem; white-space: pre-wrap; direction: ltr; text-align: left; }
.sql-keyword { color: var(--accent); font-weight: 600; }
.sql-string, .sql-number { color: var(--warn); }

.samples { padding: .75rem 1.25rem; max-height: 56%; overflow-y: auto; }
.composer { display: flex; align-items: flex-end; gap: .5rem; margin: .5rem 1rem 0; padding: .35rem; border: 1px solid var(--edge); border-radius: 1.4rem; }
textarea { outline: 0; flex: 1; min-width: 0; max-height: 12rem; padding: .4rem .8rem; border-radius: 1rem; resize: none; field-sizing: content; overflow-wrap: anywhere; }
::placeholder { color: var(--quiet); opacity: 1; }
.tool { flex: none; }
.send, .launcher { flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
.send:disabled { background: var(--tint); color: var(--quiet); }
.icon { width: 1rem; height: 1rem; fill: none; stroke: currentColor; stroke-width: 1.75; }
.foot { padding: .6rem 1.25rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }

:host(:not([floating])) :is(.launcher, .shut) { display: none; }
:host([floating]) { position: fixed; inset-block: auto 1rem; inset-inline: auto 1rem; z-index: 1000; height: auto; }
:host([floating][open]) { width: min(28rem, 100vw - 2rem); height: min(44rem, 100dvh - 2rem); }
:host([floating]:not([open])) .root, :host([open]) .launcher { display: none; }
@container (max-width: 34rem) { .line, .foot { font-size: 0; } .line::before { font-size: 1rem; } }
`);
