import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** PostgreSQL's own default. More would slow down every connection of the tenant, and a generated password needs none. */
const ITERATIONS = 4_096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** 192 bits, as 32 characters that need no encoding in a URL. */
const PASSWORD_BYTES = 24;

const deriveKey = promisify(pbkdf2);

/** A random password. */
export function generatePassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

/**
 * What is wrong with a password, as a clause; undefined for a good one. Never shows it.
 *
 * Only printable ASCII is taken: other characters are normalized (SASLprep) before they are hashed, by some drivers
 * and not by others, so that one password would fit here and not there.
 */
export function validatePassword(password: unknown): string | undefined {
  if (typeof password !== 'string') return 'must be a string';
  if (password.length < 8 || password.length > 256) return 'must have 8 to 256 characters';
  if (!/^[ -~]*$/.test(password)) return 'must be of printable ASCII characters only';
  return undefined;
}

/**
 * The SCRAM-SHA-256 verifier of a password (RFC 5803, as PostgreSQL stores it). The server takes it in place of the
 * password, so that the password itself is in no statement, and so in no log and no view of the server.
 */
export async function scramVerifier(
  password: string,
  salt: Buffer = randomBytes(SALT_BYTES),
): Promise<string> {
  const salted = await deriveKey(password, salt, ITERATIONS, KEY_BYTES, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
