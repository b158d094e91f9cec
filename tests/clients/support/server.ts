// Runs the real binary on a free port with a database of its own; can kill it and start it again on both.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SECRET } from "./token.js";

export const BINARY =
  process.env.PARLOUR_BIN ?? resolve(import.meta.dirname, "../../../target/debug/parlour");
const START_MS = 30_000;

/** The Pusher application that every server of the kit has. Some SDKs want a numeric app id. */
export const APP = {
  id: "4711",
  key: "kit-app-key",
  secret: "kit-app-secret-of-the-conformance-kit",
} as const;

export interface ServerOptions {
  readonly demo?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Text of a configuration file. */
  readonly config?: string;
}

export class Server {
  readonly port: number;
  readonly http: string;
  readonly folder: string;
  readonly #options: ServerOptions;
  #process: ChildProcess | null = null;
  #log = "";

  private constructor(port: number, options: ServerOptions) {
    this.port = port;
    this.http = `http://127.0.0.1:${port}`;
    this.folder = mkdtempSync(join(tmpdir(), "parlour-clients-"));
    this.#options = options;
    if (options.config) writeFileSync(join(this.folder, "parlour.toml"), options.config, { mode: 0o600 });
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    if (!existsSync(BINARY)) {
      throw new Error(`there is no binary at ${BINARY}: cargo build -p parlour-server, or set PARLOUR_BIN`);
    }
    const server = new Server(await freePort(), options);
    await server.run();
    return server;
  }

  /** The end of what it has logged. */
  get log(): string {
    return this.#log;
  }

  /** Starts it, on the same port and files as before; waits until it is ready. */
  async run(): Promise<void> {
    const child = spawn(BINARY, ["serve", ...(this.#options.demo ? ["--demo"] : [])], {
      cwd: this.folder,
      env: {
        PATH: process.env.PATH,
        PARLOUR_LISTEN: `127.0.0.1:${this.port}`,
        DATABASE_URL: `sqlite://${join(this.folder, "parlour.db")}`,
        PARLOUR_JWT_SECRET: SECRET,
        PARLOUR_PUSHER_APP_ID: APP.id,
        PARLOUR_PUSHER_KEY: APP.key,
        PARLOUR_PUSHER_SECRET: APP.secret,
        ...this.#options.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const keep = (data: Buffer): void => {
      this.#log = (this.#log + data.toString()).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const end = Date.now() + START_MS;
    while (!(await this.#ready())) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.#log}`);
      if (Date.now() > end) throw new Error(`the server did not get ready:\n${this.#log}`);
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  async #ready(): Promise<boolean> {
    return fetch(`${this.http}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  /** `SIGKILL`: as a machine losing power, nothing is said to anybody. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}
