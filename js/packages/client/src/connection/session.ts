// One link's life: hello, resume, then commands with their replies until the link ends.
import { fromWire, ParlourError } from "../errors.js";
import type { Platform, Stop } from "../platform.js";
import { byteLength, encodeCommand, isChange } from "../protocol/codec.js";
import { closeCode, retryAfterOf } from "../protocol/codes.js";
import type {
  ChangeEvent,
  CommandInput,
  CommandName,
  CommandResult,
  Reply,
  ServerFrame,
} from "../protocol/events.js";
import type { Hello, Position, ResumeResult } from "../protocol/wire.js";
import { Heartbeat } from "./heartbeat.js";
import type { ConnectionReason } from "./state.js";
import type { Link, LinkEnd, Transport } from "./transport.js";

/** How long hello and the reply to resume may take. */
const HANDSHAKE_MS = 20_000;
/** How long a reply may take before the command counts as unknown. */
const REPLY_MS = 20_000;
/** What a frame may hold before `hello` has told it. */
const FRAME_BYTES = 65_536;

export interface SessionEnd {
  readonly reason: ConnectionReason;
  readonly reconnect: boolean;
  readonly retryAfterMs: number;
  readonly gotHello: boolean;
  readonly refused: boolean;
}

export interface SessionHandlers {
  onPhase(phase: "authenticating" | "resuming" | "open"): void;
  onHello(hello: Hello): void;
  positions(frameBytes: number): readonly Position[];
  /** `false`: it does not follow on what is here, so the session ends and resumes. */
  onEvent(frame: Exclude<ServerFrame, Hello | Reply>): boolean;
  onResumed(result: ResumeResult, viaResume: boolean): void;
  onEnd(end: SessionEnd): void;
}

interface OpenCommand {
  readonly name: CommandName;
  readonly resolve: (ok: unknown) => void;
  readonly reject: (error: ParlourError) => void;
}

export class Session {
  readonly #platform: Platform;
  readonly #handlers: SessionHandlers;
  readonly #link: Link;
  readonly #open = new Map<number, OpenCommand>();
  #nextId = 1;
  #phase: "connecting" | "authenticating" | "resuming" | "open" | "ended" = "connecting";
  #hello: Hello | null = null;
  #heartbeat: Heartbeat | null = null;
  #stopHandshake: Stop;
  #restartAfterMs = 0;

  constructor(platform: Platform, transport: Transport, handlers: SessionHandlers) {
    this.#platform = platform;
    this.#handlers = handlers;
    this.#stopHandshake = () => undefined;
    this.#link = transport.open({
      onOpen: () => {
        this.#phase = "authenticating";
        this.#limit(HANDSHAKE_MS);
        handlers.onPhase("authenticating");
      },
      onFrame: (frame) => this.#receive(frame),
      onAlive: () => this.#heartbeat?.heard(),
      onEnd: (end) => this.#linkEnded(end),
    });
  }

  /** Whether commands can go this way. */
  get carriesCommands(): boolean {
    return this.#phase === "open" && this.#link.send !== null;
  }

  get limits(): Hello["limits"] {
    return this.#hello?.limits;
  }

  request<K extends CommandName>(
    name: K,
    input: CommandInput<K>,
    signal?: AbortSignal,
  ): Promise<CommandResult<K>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new ParlourError("aborted", "the command was aborted"));
        return;
      }
      if (this.#link.send === null || this.#phase === "ended") {
        reject(new ParlourError("closed", "there is no connection", { class: "retry" }));
        return;
      }
      const id = this.#nextId++;
      const text = encodeCommand(name, id, input);
      if (byteLength(text) > (this.#hello?.limits?.frame_bytes ?? FRAME_BYTES)) {
        reject(
          new ParlourError("too_long", "the command is longer than a frame may be", { limit: "frame_bytes" }),
        );
        return;
      }
      const settle = (): void => {
        stop();
        signal?.removeEventListener("abort", onAbort);
        this.#open.delete(id);
      };
      const onAbort = (): void => {
        settle();
        reject(new ParlourError("aborted", "the command was aborted; it may have been carried out"));
      };
      const stop = this.#platform.after(REPLY_MS, () => {
        settle();
        reject(new ParlourError("timeout", "the command was not answered in time"));
        this.#heartbeat?.probe();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#open.set(id, {
        name,
        resolve: (ok) => {
          settle();
          resolve(ok as CommandResult<K>);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#link.send(text);
    });
  }

  /** The network may have changed: see whether the other side is still there. */
  probe(): void {
    this.#heartbeat?.probe();
  }

  /** Ends the session from here, without a word to `onEnd`. */
  close(): void {
    this.#finish(() => undefined);
  }

  /** Ends the session because of what was found here; it comes back. */
  fail(reason: ConnectionReason): void {
    this.#end({ reason, reconnect: true, retryAfterMs: 0, refused: false });
  }

  #receive(frame: ServerFrame): void {
    if (this.#phase === "ended") {
      return;
    }
    this.#heartbeat?.heard();
    switch (frame.type) {
      case "hello":
        this.#greet(frame);
        return;
      case "reply":
        this.#answer(frame);
        return;
      case "ready":
        this.#resumed(frame, false);
        return;
      case "restarting":
        this.#restartAfterMs = frame.retry_after_ms;
        this.#handlers.onEvent(frame);
        return;
      default:
        if (!this.#handlers.onEvent(frame)) {
          this.fail("gap");
        }
    }
  }

  #greet(hello: Hello): void {
    if (this.#hello !== null) {
      return;
    }
    this.#hello = hello;
    this.#phase = "resuming";
    this.#limit(HANDSHAKE_MS);
    this.#handlers.onHello(hello);
    this.#handlers.onPhase("resuming");
    this.#heartbeat = new Heartbeat({
      platform: this.#platform,
      quietMs: this.#link.send === null ? hello.heartbeat_ms * 2 : hello.heartbeat_ms,
      ask: () => {
        // Without a way to ask, silence alone must tell.
        this.request("ping", {}).catch(() => undefined);
      },
      dead: () => this.fail("heartbeat"),
    });
    if (this.#link.send === null) {
      return;
    }
    const positions = this.#handlers.positions(hello.limits?.frame_bytes ?? FRAME_BYTES);
    this.request("resume", { positions }).catch((error: ParlourError) => {
      if (error.code !== "closed") {
        this.fail(error.code);
      }
    });
  }

  #resumed(result: ResumeResult, viaResume: boolean): void {
    if (this.#phase !== "resuming") {
      return;
    }
    this.#stopHandshake();
    this.#phase = "open";
    this.#handlers.onResumed(result, viaResume);
    this.#handlers.onPhase("open");
  }

  #answer(reply: Reply): void {
    const command = reply.id === null ? undefined : this.#open.get(reply.id);
    if (command === undefined) {
      return;
    }
    if (reply.error !== undefined) {
      command.reject(fromWire(reply.error));
      return;
    }
    if (command.name === "resume") {
      this.#resumed(reply.ok as ResumeResult, true);
    }
    const change = changeOf(command.name, reply.ok);
    if (change !== null && !this.#handlers.onEvent(change)) {
      // The command was carried out, that much is sure.
      command.resolve(reply.ok);
      this.fail("gap");
      return;
    }
    command.resolve(reply.ok);
  }

  #limit(ms: number): void {
    this.#stopHandshake();
    this.#stopHandshake = this.#platform.after(ms, () => this.fail("timeout"));
  }

  #linkEnded(end: LinkEnd): void {
    const { name, reconnect } = closeCode(end.code);
    this.#end({
      reason: end.error?.code ?? name,
      reconnect,
      retryAfterMs: end.error?.retryAfterMs ?? retryAfterOf(end.reason) ?? this.#restartAfterMs,
      refused: end.refused === true,
    });
  }

  #end(end: Omit<SessionEnd, "gotHello">): void {
    this.#finish(() => this.#handlers.onEnd({ ...end, gotHello: this.#hello !== null }));
  }

  #finish(then: () => void): void {
    if (this.#phase === "ended") {
      return;
    }
    this.#phase = "ended";
    this.#stopHandshake();
    this.#heartbeat?.stop();
    this.#link.close();
    then();
    // What was open when the connection closed may or may not have been carried out.
    for (const command of [...this.#open.values()]) {
      command.reject(new ParlourError("closed", "the connection closed before the answer"));
    }
  }
}

/** The Change that a reply stands for: the sending connection gets no event of it. */
function changeOf(name: CommandName, ok: unknown): ChangeEvent | null {
  if (name !== "message.send" && name !== "message.edit" && name !== "message.delete") {
    return null;
  }
  const { message, duplicate } = ok as CommandResult<"message.send">;
  if (duplicate === true || message === undefined) {
    return null;
  }
  const type =
    name === "message.send"
      ? "message.created"
      : name === "message.edit"
        ? "message.edited"
        : "message.deleted";
  const change = { type, conversation_id: message.conversation_id, seq: message.change_seq, message };
  return isChange(change) ? (change as ChangeEvent) : null;
}
