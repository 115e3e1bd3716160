/**
 * The page around the widget: colours, what there is to ask of the demo, which engine answers, the snippet to embed.
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

/** Questions that show what the demo's shop can be asked: a count, a trend, a top list, shares, a follow-up, and one to refuse. */
const DEMO_QUESTIONS = [
  "How many customers do we have?",
  "Average order value per month this year",
  "Top 5 products by revenue",
  "Orders by status",
  "And only this year?",
  "What is the salary of our employees?",
];

/** Any database may be behind this page; only of the bundled one it knows what is in it. */
async function showDemo() {
  const { demo } = await (await fetch("/healthz")).json();
  if (!demo) return;
  const widget = document.querySelector("db-chat");
  widget.title = "The demo shop";
  widget.setAttribute("placeholder", "Ask about orders, products …");
  widget.setAttribute("questions", JSON.stringify(DEMO_QUESTIONS));
  document.getElementById("hidden").textContent = "Ask for the salaries: nobody gets what the policy does not show.";
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
// A page that cannot tell which database or engine answers says nothing about it.
showDemo().catch(() => {});
showEngine().catch(() => {});
