// A virtual environment with the real Python clients, made once by pip; where that cannot be, their tests are skipped loudly.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const KIT = join(import.meta.dirname, "..");
const VENV = join(KIT, ".venv");
const PYTHON = join(VENV, "bin", "python");
const REQUIREMENTS = join(KIT, "python", "requirements.txt");
const INSTALLED = join(VENV, "installed.txt");

/** Whether the Python clients can be run; installs them the first time. */
export function pythonClients(): boolean {
  const wanted = readFileSync(REQUIREMENTS, "utf8");
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === wanted) return true;
  try {
    rmSync(VENV, { recursive: true, force: true });
    execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS];
    execFileSync(PYTHON, pip, { stdio: "pipe", timeout: 300_000 });
    writeFileSync(INSTALLED, wanted);
    return true;
  } catch (thrown) {
    console.warn(`*** SKIPPED: the Python clients cannot be installed: ${String(thrown).split("\n")[0]} ***`);
    return false;
  }
}

/** The pinned version of a Python client. */
export function pythonVersion(name: string): string {
  const pin = readFileSync(REQUIREMENTS, "utf8")
    .split("\n")
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}==`));
  return `${name} ${pin?.split("==")[1] ?? "?"} (PyPI)`;
}

/** A Python script that runs, and the JSON lines that it has printed. */
export class Script {
  readonly lines: Record<string, unknown>[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #errors = "";

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(PYTHON, [join(KIT, "python", name), ...args], { env: { ...process.env, ...env } });
    let rest = "";
    this.#child.stdout?.on("data", (data: Buffer) => {
      const parts = (rest + data.toString()).split("\n");
      rest = parts.pop() ?? "";
      this.lines.push(...parts.filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>));
    });
    this.#child.stderr?.on("data", (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.ended = new Promise((done) => this.#child.once("close", done));
  }

  /** What it wrote to its error output. */
  get errors(): string {
    return this.#errors;
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Ends its input, and the process should that not end it. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
    await this.ended;
    clearTimeout(patience);
  }
}
