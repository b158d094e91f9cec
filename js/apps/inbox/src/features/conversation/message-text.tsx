// Draws the spans of a message; links open elsewhere and learn nothing about where one came from.
import type { JSX } from "preact";
import { memo } from "preact/compat";
import css from "./message.module.css";
import { parseText, type Span } from "./text";

export const MessageText = memo(function MessageText({ text }: { text: string }): JSX.Element {
  return <>{parseText(text).map(draw)}</>;
});

function draw(span: Span, index: number): JSX.Element | string {
  switch (span.kind) {
    case "text":
      return span.text;
    case "link":
      return (
        <a key={index} href={span.href} target="_blank" rel="noopener noreferrer nofollow">
          {span.text}
        </a>
      );
    case "bold":
      return <strong key={index}>{span.spans.map(draw)}</strong>;
    case "italic":
      return <em key={index}>{span.spans.map(draw)}</em>;
    case "code":
      return (
        <code key={index} class={css.code}>
          {span.text}
        </code>
      );
    case "block":
      return (
        <code key={index} class={css.block}>
          {span.text}
        </code>
      );
  }
}
