/**
 * db-chat in React. Load the module once, before or after: <script type="module" src="https://chat.example.com/static/db-chat.js"></script>
 */
import { useEffect, useRef } from "react";

export function Ask({ getToken, onAnswer, questions }) {
  const chat = useRef(null);

  // Arrays and functions are properties. Set here and not in the markup, because React only knows properties of elements
  // whose module is loaded by then; this element takes over what was set before.
  useEffect(() => {
    if (questions) chat.current.questions = questions;
  }, [questions]);
  // The element connects anew when it is given another function, so it keeps one that asks for the latest.
  const latest = useRef(getToken);
  useEffect(() => {
    latest.current = getToken;
  }, [getToken]);
  const hasToken = Boolean(getToken);
  useEffect(() => {
    if (hasToken) chat.current.getToken = () => latest.current();
  }, [hasToken]);

  useEffect(() => {
    const element = chat.current;
    const listen = ({ detail }) => onAnswer?.(detail);
    element.addEventListener("db-chat-answer", listen);
    return () => element.removeEventListener("db-chat-answer", listen);
  }, [onAnswer]);

  return <db-chat ref={chat} title="Ask our data" />;
}
