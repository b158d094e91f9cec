// Every page and state of the inbox with made-up data; `?story=` chooses one. It is not part of the build.
import type { JSX } from "preact";
import { render } from "preact";
import "../src/styles/tokens.css";
import "../src/styles/base.css";
import { Live } from "./live";
import { STORIES } from "./stories";

const params = new URLSearchParams(location.search);
const theme = params.get("theme");
if (theme) document.documentElement.dataset.theme = theme;
const story = params.has("live") ? Live : STORIES[params.get("story") ?? ""];

function Index(): JSX.Element {
  return (
    <main style={{ padding: "24px" }}>
      <h1>Stories</h1>
      <ul>
        {Object.keys(STORIES).map((name) => (
          <li key={name}>
            <a href={`?story=${name}`}>{name}</a> · <a href={`?story=${name}&theme=dark`}>dark</a>
          </li>
        ))}
      </ul>
    </main>
  );
}

const root = document.getElementById("app");
if (root) render(story ? story() : <Index />, root);
