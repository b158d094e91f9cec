// Carries out commands: over the connection where it can, else over REST.
import type { RequestOptions } from "./api.js";
import type { Connection } from "./connection/connection.js";
import type { CommandInput } from "./protocol/events.js";
import type { Message } from "./protocol/wire.js";
import type { Http } from "./rest/http.js";
import * as rest from "./rest/messages.js";

export class Commands {
  readonly #connection: Connection;
  readonly #http: Http;

  constructor(connection: Connection, http: Http) {
    this.#connection = connection;
    this.#http = http;
  }

  async send(input: CommandInput<"message.send">, options: RequestOptions): Promise<Message> {
    if (this.#connection.carriesCommands) {
      return (await this.#connection.request("message.send", input, options.signal)).message;
    }
    return rest.sendMessage(this.#http, input, options);
  }

  async edit(id: number, content: string, options: RequestOptions): Promise<Message> {
    if (this.#connection.carriesCommands) {
      const input = { message_id: id, content };
      return (await this.#connection.request("message.edit", input, options.signal)).message;
    }
    return rest.editMessage(this.#http, id, content, options);
  }

  /** The tombstone. */
  async delete(id: number, options: RequestOptions): Promise<Message> {
    if (this.#connection.carriesCommands) {
      return (await this.#connection.request("message.delete", { message_id: id }, options.signal)).message;
    }
    await rest.deleteMessage(this.#http, id, options);
    return rest.getMessage(this.#http, id, options);
  }

  async mark(kind: "read" | "delivered", input: CommandInput<"read">): Promise<void> {
    if (this.#connection.carriesCommands) {
      await this.#connection.request(kind, input);
    } else {
      await rest.mark(this.#http, kind, input);
    }
  }

  async typing(input: CommandInput<"typing">): Promise<void> {
    if (this.#connection.carriesCommands) {
      await this.#connection.request("typing", input);
    } else if (this.#connection.isOpen) {
      await rest.sendTyping(this.#http, input);
    }
  }

  async presence(status: "online" | "away"): Promise<void> {
    if (this.#connection.carriesCommands) {
      await this.#connection.request("presence", { status });
    }
  }
}
