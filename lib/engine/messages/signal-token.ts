import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../runtime/clock.js';

/** What a token says. It is signed, not encrypted: its holder can read it. */
export interface SignalTokenContent {
  readonly tenant: string;
  readonly executionId: string;
  readonly signal: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The idempotency key of the signal, so that a token sends one signal at most. */
  readonly nonce: string;
}

const VERSION = 1;
/** Maximum length of a token, in characters. Anything longer is refused before it is parsed. */
const MAX_LENGTH = 4_000;
/** The signature covers this, so that it can't be taken for one of another kind. */
const PURPOSE = 'nestjs-cloacina signal token';

/** Makes a token of characters that need no escaping in a URL. */
export function signToken(content: SignalTokenContent, secret: string): string {
  const { tenant, executionId, signal, expiresAt, nonce } = content;
  const fields = JSON.stringify([VERSION, tenant, executionId, signal, expiresAt, nonce]);
  const body = Buffer.from(fields).toString('base64url');
  return `${body}.${signatureOf(body, secret)}`;
}

/** What the token says, before its signature is checked; undefined if it does not have the form of one. */
export function readToken(token: unknown): SignalTokenContent | undefined {
  const parts = partsOf(token);
  if (parts === undefined) return undefined;
  try {
    const fields: unknown = JSON.parse(Buffer.from(parts.body, 'base64url').toString());
    if (!Array.isArray(fields) || fields.length !== 6) return undefined;
    const [version, tenant, executionId, signal, expiresAt, nonce] = fields as unknown[];
    if (version !== VERSION || typeof expiresAt !== 'number') return undefined;
    if (typeof tenant !== 'string' || typeof executionId !== 'string') return undefined;
    if (typeof signal !== 'string' || typeof nonce !== 'string') return undefined;
    return { tenant, executionId, signal, expiresAt, nonce };
  } catch {
    return undefined;
  }
}

/** Whether one of the secrets signed the token. Takes the same time for all signatures that do not match. */
export function isSigned(token: string, secrets: readonly string[]): boolean {
  const parts = partsOf(token);
  if (parts === undefined) return false;
  let matches = false;
  for (const secret of secrets) {
    const expected = Buffer.from(signatureOf(parts.body, secret));
    const given = Buffer.from(parts.signature);
    // No early exit: the time must not tell which of the secrets is in use.
    if (given.length === expected.length && timingSafeEqual(given, expected)) matches = true;
  }
  return matches;
}

/** A value that no other token has. It need not be secret, because the signature covers it. */
export function newNonce(clock: Pick<Clock, 'random'>): string {
  const part = (): string => Math.floor(clock.random() * 2 ** 48).toString(36);
  return `${part()}${part()}`;
}

function signatureOf(body: string, secret: string): string {
  return createHmac('sha256', secret).update(`${PURPOSE}\n${body}`).digest('base64url');
}

function partsOf(
  token: unknown,
): { readonly body: string; readonly signature: string } | undefined {
  if (typeof token !== 'string' || token.length > MAX_LENGTH) return undefined;
  const [body, signature, ...rest] = token.split('.');
  if (body === undefined || signature === undefined || rest.length > 0) return undefined;
  return { body, signature };
}
