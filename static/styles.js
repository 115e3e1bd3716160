/**
 * The widget's looks as a constructed style sheet: it needs no `unsafe-inline` on the page that embeds it.
 *
 * Host pages set the `--db-chat-*` properties; light or dark follows the page's `color-scheme`.
 */

export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
  --accent: var(--db-chat-accent, light-dark(#0a6a5c, #68d5bd));
  --on-accent: var(--db-chat-on-accent, light-dark(#fff, #04241d));
  --paper: var(--db-chat-background, light-dark(#fff, #161b1a));
  --tint: var(--db-chat-tint, light-dark(#f3f5f1, #1f2625));
  --ink: var(--db-chat-text, light-dark(#1a211f, #e6ebe9));
  --quiet: var(--db-chat-muted, light-dark(#586360, #a0ada9));
  --hair: light-dark(#e1e5df, #2e3735);
  --edge: light-dark(#818b87, #6d7a76);
  --alarm: light-dark(#a8281c, #ffb3a6);
  --warn: light-dark(#d9a520, #b98d1d);
  --mono: var(--db-chat-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace);
  display: block; height: 40rem; color: var(--ink); text-align: start;
  font: 400 1rem/1.55 var(--db-chat-font, ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; scrollbar-width: thin; }
h2, h3, h4, p, ol, ul, dl, dd, pre { margin: 0; padding: 0; font: inherit; }
button, textarea { font: inherit; color: inherit; }
button, summary { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.root {
  display: flex; flex-direction: column; height: 100%; overflow: hidden; container-type: inline-size;
  background: var(--paper); border: 1px solid var(--hair); border-radius: var(--db-chat-radius, 14px);
}
.head { display: flex; align-items: center; gap: .75rem; min-height: 3.5rem; padding: .5rem .75rem .5rem 1.25rem; border-bottom: 1px solid var(--hair); }
h2, h4, strong, .welcome-title { font-weight: 650; }
.head h2 { letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.line { display: flex; align-items: center; gap: .45em; margin-inline-end: auto; white-space: nowrap; }
.line::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: var(--warn); }
.line[data-state="open"]::before { background: light-dark(#1c9c5f, #4fd08d); }
.line, .table-note, .figures { color: var(--quiet); font-size: .8125rem; font-variant-numeric: tabular-nums; }

.log { flex: 1; min-height: 0; display: flex; flex-direction: column; overflow-y: auto; overscroll-behavior: contain; padding: 0 1.25rem; }
.log:focus-visible { outline-offset: -3px; }
.welcome { margin-top: auto; padding: 2rem 0 .75rem; color: var(--quiet); max-width: 36rem; text-wrap: pretty; }
.welcome-title { color: var(--ink); font-size: 1.375rem; letter-spacing: -.02em; line-height: 1.25; margin-bottom: .375rem; }
.turns { list-style: none; flex: 1; min-height: 0; }
.turns:empty, .slot:empty, .details:empty { display: none; }
.turn { padding: 1.25rem 0 1.5rem; overflow-wrap: anywhere; }
.turn:last-child { min-height: 100%; }
.turn + .turn { border-top: 1px solid var(--hair); }
.question { width: fit-content; max-width: 88%; margin: 0 0 1rem; margin-inline-start: auto; padding: .5rem .9rem; background: var(--tint); border-radius: 1.1rem 1.1rem .3rem; white-space: pre-wrap; }
.answer, .slot, .prose, .table-with-note { display: grid; gap: .75rem; grid-template-columns: minmax(0, 1fr); }

.stage { display: flex; align-items: center; gap: .6rem; color: var(--quiet); font-size: .9375rem; }
.stage::before { content: ""; flex: none; width: .875rem; height: .875rem; border-radius: 50%; border: 2px solid var(--hair); border-top-color: var(--accent); animation: turn .9s linear infinite; }
@keyframes turn { to { rotate: 1turn; } }

.prose { max-width: 42rem; unicode-bidi: isolate; }
.prose p { white-space: pre-line; }
.prose ul, .prose ol { padding-inline-start: 1.4em; }
.prose li + li { margin-top: .2em; }
.prose hr { width: 100%; border: 0; border-top: 1px solid var(--hair); }
code, pre { font: .8125rem/1.6 var(--mono); unicode-bidi: isolate; }
.prose code { background: var(--tint); padding: .1em .35em; border-radius: .3em; }
.prose pre { overflow-x: auto; overflow-wrap: normal; background: var(--tint); padding: .75rem 1rem; border-radius: .65rem; }
.prose pre code { padding: 0; }
[data-state="working"] .prose > :last-child::after {
  content: ""; display: inline-block; width: .5em; height: 1.05em; margin-inline-start: .2em; vertical-align: -.15em;
  background: var(--accent); border-radius: 1px; animation: blink 1.1s steps(2, jump-none) infinite;
}
@keyframes blink { to { opacity: 0; } }

.table { overflow: auto; max-height: 24rem; max-width: 100%; width: fit-content; border: 1px solid var(--hair); border-radius: .65rem; }
table { width: max-content; min-width: 100%; border-spacing: 0; font-size: .875rem; line-height: 1.45; }
th, td { padding: .45rem .9rem; text-align: start; vertical-align: top; border-bottom: 1px solid var(--hair); }
tr:last-child td { border-bottom: 0; }
th { position: sticky; top: 0; background: var(--tint); color: var(--quiet); font-weight: 600; font-size: .8125rem; }
bdi { display: inline-block; max-width: 24rem; overflow-wrap: break-word; white-space: pre-wrap; }
th bdi { max-width: 14rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }
.number, .moment { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: end; }
tbody tr:hover { background: light-dark(#fafbf9, #1a201f); }
.null { color: var(--quiet); font: .75em/1 var(--mono); padding: .1em .35em; border: 1px dashed var(--edge); border-radius: .3em; }
.fold { border: 0; background: none; padding: 0 .25em; color: var(--accent); text-decoration: underline; min-height: 1.5rem; }
.single { border: 0; background: var(--tint); }
.single :is(th, td) { border: 0; padding: .7rem 1.1rem 0; text-align: start; }
.single td { padding: 0 1.1rem .75rem; font-size: 1.75rem; font-weight: 600; letter-spacing: -.02em; line-height: 1.25; }
.single .text { font: inherit; letter-spacing: 0; }

.notes, .failed { padding: .7rem 1rem; border-inline-start: 3px solid var(--warn); border-radius: .3rem .65rem .65rem .3rem; background: light-dark(#fdf6e3, #2a2518); font-size: .9375rem; }
.notes ul { padding-inline-start: 1.1em; }
.ended, .table-foot { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; }
.ended { color: var(--quiet); }
.failed { color: var(--alarm); background: light-dark(#fdf1ef, #2c1d1b); border-color: currentColor; }
.failed p { flex: 1 1 16rem; min-width: 0; }

.details, .options, .samples { display: flex; flex-wrap: wrap; align-items: flex-start; gap: .5rem; }
details { min-width: 0; }
details[open] { flex: 1 1 100%; }
summary, .quiet, .chip {
  display: inline-flex; align-items: center; gap: .5em; min-height: 2rem; padding: .25rem .8rem; list-style: none;
  border: 1px solid var(--hair); border-radius: 2rem; background: var(--paper); color: var(--quiet); font-size: .8125rem; font-weight: 550;
}
summary::-webkit-details-marker { display: none; }
summary::before { content: ""; width: .35em; height: .35em; border: solid currentColor; border-width: 0 1.5px 1.5px 0; rotate: -45deg; transition: rotate .15s; }
details[open] > summary::before { rotate: 45deg; }
.chip { min-height: 2.25rem; padding: .35rem .95rem; color: var(--ink); border-color: light-dark(#cfd6d0, #3c4744); font-size: .875rem; font-weight: 450; text-align: start; overflow-wrap: anywhere; }
:is(summary, .quiet, .chip):hover { color: var(--ink); border-color: var(--edge); background: var(--tint); }
.failed .quiet { color: inherit; border-color: currentColor; background: none; }
.figures { line-height: 2rem; margin-inline-start: .25rem; }
.code, .evidence dl { position: relative; margin-top: .5rem; background: var(--tint); border-radius: .65rem; }
.code pre { overflow: auto; max-height: 22rem; padding: .9rem 7rem .9rem 1rem; white-space: pre-wrap; direction: ltr; text-align: left; border-radius: inherit; }
.copy { position: absolute; inset-block-start: .5rem; inset-inline-end: .5rem; }
.sql-keyword { color: light-dark(#0a6a5c, #68d5bd); font-weight: 600; }
.sql-string { color: light-dark(#8a4b08, #e9b872); }
.sql-number { color: light-dark(#8a2f6b, #eba3d0); }
.sql-comment { color: var(--quiet); }
.evidence dl { padding: .8rem 1rem; }
dt { color: var(--quiet); font-size: .75rem; font-weight: 600; }
dd + dt { margin-top: .5rem; }

.samples { padding: .75rem 1.25rem; max-height: 56%; overflow-y: auto; }
.composer { display: flex; align-items: flex-end; gap: .5rem; margin: .5rem 1rem 0; padding: .35rem; border: 1px solid var(--edge); border-radius: 1.4rem; }
.composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea { flex: 1; min-width: 0; max-height: 12rem; padding: .4rem .5rem .4rem .8rem; border: 0; background: none; resize: none; field-sizing: content; line-height: 1.5; overflow-wrap: anywhere; }
textarea:focus { outline: 0; }
textarea::placeholder { color: var(--quiet); opacity: 1; }
.send { flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; padding: 0; border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
.send:disabled { background: var(--tint); color: var(--quiet); cursor: default; }
.icon { width: 1rem; height: 1rem; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
.icon-stop { fill: currentColor; }
.foot { display: flex; align-items: center; gap: .75rem; min-height: 2.75rem; padding: .35rem 1.25rem; color: var(--quiet); font-size: .75rem; }
.keys { margin-inline-start: auto; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }

@container (max-width: 34rem) {
  .head { padding-inline-start: 1rem; }
  .line { font-size: 0; }
  .log, .samples, .foot { padding-inline: 1rem; }
  .composer { margin: .25rem .75rem 0; }
  .keys, .head button span { display: none; }
  .foot:not(:has(button:not([hidden]))) { min-height: .75rem; padding-block: 0; }
}
@media (pointer: coarse) {
  .keys { display: none; }
  summary, .quiet, .chip { min-height: 2.5rem; }
}
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .line::before { forced-color-adjust: none; } }
`);
