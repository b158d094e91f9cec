// Runs the real binary on a free port with a database of its own, and can kill it and start it again.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const BINARY = process.env.PARLOUR_BIN ?? resolve(import.meta.dirname, "../../../../../target/debug/parlour");
const START_MS = 30_000;

export class Server {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #process: ChildProcess | null = null;
  #log = "";

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = mkdtempSync(join(tmpdir(), "parlour-e2e-"));
  }

  static async start(): Promise<Server> {
    if (!existsSync(BINARY)) throw new Error(`there is no binary at ${BINARY}: build it, or set PARLOUR_BIN`);
    const server = new Server(await freePort());
    await server.run();
    return server;
  }

  /** Starts it on the same port and database; waits until it answers. */
  async run(): Promise<void> {
    const child = spawn(BINARY, ["serve", "--demo"], {
      cwd: this.#folder,
      env: {
        ...process.env,
        PARLOUR_LISTEN: `127.0.0.1:${this.#port}`,
        DATABASE_URL: `sqlite://${join(this.#folder, "parlour.db")}`,
        PARLOUR_RATE_LIMITS: "off",
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
    for (;;) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.#log}`);
      if (Date.now() > end) throw new Error(`the server did not get ready:\n${this.#log}`);
      const ready = await fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return;
      await new Promise((next) => setTimeout(next, 50));
    }
  }

  /** As the machine losing power: nothing is said to anybody. */
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
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => done(port));
    });
  });
}
