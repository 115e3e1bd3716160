/**
 * The demo page around the widget: colours, which engine answers, the snippet to embed.
 *
 * Knows the widget only as an element in the page.
 */

const root = document.documentElement;

/** The colours chosen last time; without a choice they follow the system. */
function chosenTheme() {
  try {
    return localStorage.getItem("db-chat-theme");
  } catch {
    return null;
  }
}

function isDark() {
  return (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function showTheme(theme) {
  if (theme) root.dataset.theme = theme;
  document.getElementById("theme").setAttribute("aria-pressed", String(isDark()));
}

function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("db-chat-theme", theme);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
  }
  showTheme(theme);
}

const ENGINES = { anthropic: "Anthropic", openai: "OpenAI", offline: "the offline engine, no model" };

/** Says which engine answers, as the server's readiness report names it. */
async function showEngine() {
  const { checks } = await (await fetch("/readyz")).json();
  const { kind, model } = checks.find((check) => check.name === "provider") ?? {};
  if (!kind) return;
  document.getElementById("engine").textContent = `Answered by ${[ENGINES[kind] ?? kind, model].filter(Boolean).join(", ")}`;
}

function showSnippet() {
  const snippet = `<script type="module"\n  src="${location.origin}/static/db-chat.js"></script>\n<db-chat title="Ask our data"></db-chat>`;
  document.getElementById("snippet").textContent = snippet;
  const copy = document.getElementById("copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(snippet);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById("snippet"));
    }
  });
}

showTheme(chosenTheme());
document.getElementById("theme").addEventListener("click", toggleTheme);
showSnippet();
// A page that cannot tell which engine answers says nothing about it.
showEngine().catch(() => {});
