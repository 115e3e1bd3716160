/**
 * Every text that the widget itself says, in one place, one object a language.
 *
 * What the server says (stages, errors, replies) arrives in its own words and is not here.
 */

const rowsOf = (count, format) => `${format(count)} ${count === 1 ? "row" : "rows"}`;

const en = {
  title: "Ask the database",
  placeholder: "Ask a question about your data",
  question: "Your question",
  conversation: "Conversation",
  welcome: "What would you like to know?",
  welcomeMore: "Ask in plain English. Every answer comes with its query and its rows, so you can check it.",
  examples: "Examples",
  send: "Send",
  stop: "Stop",
  stopping: "Stopping",
  keys: "Enter sends · Shift+Enter for a new line · Esc stops",
  newConversation: "New conversation",
  working: "Working on it",
  sending: "Sending your question",
  stopped: "Stopped.",
  askAgain: "Ask again",
  tryAgain: "Try again",
  copied: "Copied",
  copyFailed: "Select the text to copy it",
  sql: "SQL",
  copySql: "Copy SQL",
  evidence: "Evidence",
  tables: "Tables read",
  filters: "Filters",
  joins: "Joins",
  warnings: "Please note",
  unverified: (numbers) => `Not found in the rows: ${numbers.join(", ")}. Check these before you rely on them.`,
  result: "Result",
  rows: rowsOf,
  shown: (shown, count, cut, format) => {
    const rows = rowsOf(count, format);
    if (!cut) return shown < count ? `${format(shown)} of ${rows} shown.` : "";
    return `${shown < count ? `${format(shown)} of the first` : "First"} ${rows} shown; the whole result is larger.`;
  },
  showAll: (count, format) => `Show all ${rowsOf(count, format)}`,
  more: "more",
  less: "less",
  null: "NULL",
  seconds: (seconds) => `${seconds} s`,
  connection: {
    connecting: "Connecting",
    open: "Connected",
    retrying: "Reconnecting",
    fallback: "No live connection",
    closed: "Not connected",
  },
  reconnecting: "Connection lost, picking the answer up again",
  connectionLost: "The connection was lost before the answer was complete. Nothing was changed; please ask again.",
  unreachable: "The server can't be reached from this page. Check your connection, then try again.",
  unexpected: "The server sent something unexpected. Please try again.",
};

const languages = { en };

/** The texts of a language, English where it is not there. */
export function stringsFor(language) {
  return languages[(language ?? "").toLowerCase().split("-")[0]] ?? en;
}
