// Tokens as a Django host with djangorestframework-simplejwt mints them: HS256, the user's id in `user_id`.
import { createHmac, randomUUID } from "node:crypto";

/** The secret that every server of the kit shares with its "host application". */
export const SECRET = "a-secret-that-the-conformance-kit-shares-with-its-servers";

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export interface Claims {
  readonly username?: string;
  readonly name?: string;
  /** Seconds until it expires; negative for one that has. */
  readonly life?: number;
  /** Another secret, for a token that must be refused. */
  readonly secret?: string;
}

/** A token for a user. An id that is an integer is written as a number, as Django does. */
export function mint(user: string, { life = 3_600, secret = SECRET, ...names }: Claims = {}): string {
  const now = Math.floor(Date.now() / 1_000);
  const id = /^(0|[1-9]\d{0,14})$/.test(user) ? Number(user) : user;
  const claims = {
    token_type: "access",
    jti: randomUUID(),
    iat: now - 1,
    exp: now + life,
    user_id: id,
    ...names,
  };
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
