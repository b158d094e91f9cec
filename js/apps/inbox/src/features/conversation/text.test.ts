// What becomes a link, bold or code, what does not, and that no text makes it slow.
import { describe, expect, it } from "vitest";
import { isJumbo, parseText, type Span } from "./text";

const plain = (spans: readonly Span[]): string => spans.map(write).join("");

function write(span: Span): string {
  if (span.kind === "text") return span.text;
  if (span.kind === "link") return `<${span.text}|${span.href}>`;
  if ("spans" in span) return `[${span.kind === "bold" ? "b" : "i"} ${plain(span.spans)}]`;
  if (span.kind === "code") return `[c ${span.text}]`;
  return `[p ${span.text}]`;
}

const check = (text: string, expected: string): void => expect(plain(parseText(text)), text).toBe(expected);

describe("links", () => {
  it("takes http, https and mailto", () => {
    check("see https://a.example/x?y=1#z.", "see <https://a.example/x?y=1#z|https://a.example/x?y=1#z>.");
    check("http://a.example", "<http://a.example|http://a.example/>");
    check("(https://a.example/b_(c))", "(<https://a.example/b_(c)|https://a.example/b_(c)>)");
    check("mailto:a@b.example!", "<mailto:a@b.example|mailto:a@b.example>!");
    check(
      "https://a.example and https://b.example",
      "<https://a.example|https://a.example/> and <https://b.example|https://b.example/>",
    );
  });

  it("takes nothing else", () => {
    for (const text of [
      "javascript:alert(1)",
      "JaVaScRiPt:alert(1)",
      "java\tscript:alert(1)",
      "data:text/html,<b>",
      "vbscript:x",
      "&#106;avascript:alert(1)",
      "[x](javascript:alert(1))",
      "https://",
      "mailto:",
      "xhttps://a.example",
    ]) {
      check(text, text);
    }
  });

  it("shows where a link really goes", () => {
    check(
      "https://good.example@evil.example/",
      "<https://good.example@evil.example/|https://good.example@evil.example/>",
    );
    const [mixed] = parseText("https://аpple.com/");
    expect(mixed).toMatchObject({ kind: "link", text: "https://xn--pple-43d.com/" });
    const [cut] = parseText("https://a.example/\u202egpj.exe");
    expect(cut).toMatchObject({ href: "https://a.example/" });
  });

  it("leaves marks in a link alone", () => {
    check("https://a.example/_b_*c*", "<https://a.example/_b_*c|https://a.example/_b_*c>*");
  });
});

describe("marks", () => {
  it("knows bold, italic and code", () => {
    check("a **b** c", "a [b b] c");
    check("a *b* _c_", "a [i b] [i c]");
    check("`a*b*`", "[c a*b*]");
    check("```\nx\ny\n```", "[p x\ny]");
    check("**see https://a.example**", "[b see <https://a.example|https://a.example/>]");
  });

  it("leaves alone what is not meant", () => {
    for (const text of ["2*3*4", "snake_case_name", "** a **", "*", "``", "a * b * c", "**a\nb**"])
      check(text, text);
  });

  it("never makes HTML", () => check("<b>&amp;</b>", "<b>&amp;</b>"));

  it.each(["*", "_", "`", "**", "[", ">", "https://", "*a ", "`a\n", "(", "https://a.b/(", "mailto:"])(
    "is quick with many %j",
    (piece) => {
      const text = piece.repeat(Math.ceil(16_384 / piece.length));
      const start = performance.now();
      parseText(text);
      expect(performance.now() - start).toBeLessThan(250);
    },
  );
});

describe("jumbo", () => {
  it.each([
    ["🙂", true],
    ["👨‍👩‍👧‍👦 ❤️", true],
    ["🇫🇷🇩🇪", true],
    ["🙂🙂🙂🙂", false],
    ["ok 🙂", false],
    ["12", false],
    ["", false],
  ])("%j: %s", (text, expected) => expect(isJumbo(text)).toBe(expected));
});
