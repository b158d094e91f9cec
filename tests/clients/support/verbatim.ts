// Runs client code out of documents as it stands: JSX and imports are translated, as a bundler does, and nothing else.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as React from "react";
import { transform } from "sucrase";
import useSWR from "swr";
import type { Host } from "./host.js";

/** The folder with the documents, when there is one. */
export const DOCUMENTS = process.env.SEED_DOCUMENTS;

/** Every JavaScript code block of the documents. One that is not closed ends at the next heading. */
export function codeBlocks(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => blocksOf(readFileSync(join(folder, name), "utf8")));
}

function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let block: string[] | null = null;
  for (const line of text.split("\n")) {
    if (/^```(js|jsx|javascript)\s*$/.test(line)) block = [];
    else if (block && /^(```|#+ )/.test(line)) {
      blocks.push(block.join("\n"));
      block = null;
    } else block?.push(line);
  }
  return blocks;
}

/** The block that holds `mark`. */
export function blockWith(mark: string): string {
  const found = codeBlocks(DOCUMENTS ?? "").find((block) => block.includes(mark));
  if (found === undefined) throw new Error(`no document has a code block with ${mark}`);
  return found;
}

/** What an application gives to such code: who is signed in, and the world of one client. */
export interface Surroundings {
  readonly host: Host;
  readonly token: string;
  readonly user: number | string;
  /** More names that the code takes for granted. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** What the code has said on the console. */
  readonly log?: string[];
}

const quietly = (log: string[]): object => {
  const keep = (...words: unknown[]): number => log.push(words.join(" "));
  return { log: keep, error: keep, warn: keep };
};

/** Loads code blocks as modules that import each other by the names of their files; gives the last one's exports. */
export function load(
  around: Surroundings,
  blocks: readonly (readonly [name: string, code: string])[],
  exported: readonly string[] = [],
): Record<string, unknown> {
  const { host, token, user } = around;
  const auth = { useAuth: () => ({ token, accessToken: token, user: { id: user } }) };
  const modules = new Map<string, unknown>([
    ["react", React],
    ["swr", { __esModule: true, default: useSWR }],
    ["useAuth", auth],
  ]);
  const globals: Record<string, unknown> = {
    React,
    WebSocket: host.WebSocket,
    fetch: host.fetch,
    setTimeout: host.timers.setTimeout,
    clearTimeout: host.timers.clearTimeout,
    setInterval: host.timers.setInterval,
    localStorage: { getItem: () => token },
    process: { env: { NEXT_PUBLIC_WS_BASE_URL: host.ws } },
    console: quietly(around.log ?? []),
    require: (path: string) => {
      const name = path.split("/").at(-1) ?? path;
      if (!modules.has(name)) throw new Error(`the code imports ${path}, which is not there`);
      return modules.get(name);
    },
    ...around.globals,
  };
  let last: Record<string, unknown> = {};
  for (const [name, code] of blocks) {
    last = evaluate(code, globals, exported);
    modules.set(name, last);
  }
  return last;
}

function evaluate(
  code: string,
  globals: Record<string, unknown>,
  exported: readonly string[],
): Record<string, unknown> {
  const { code: plain } = transform(code, {
    transforms: ["jsx", "imports"],
    jsxRuntime: "classic",
    production: true,
  });
  const exports: Record<string, unknown> = {};
  const names = Object.keys(globals);
  const tail = exported.map((name) => `exports.${name} = ${name};`).join("\n");
  const run = new Function("exports", ...names, `${plain}\n${tail}`);
  run(exports, ...names.map((name) => globals[name]));
  return exports;
}
