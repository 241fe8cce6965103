import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** PostgreSQL's default. More iterations slow down every connection, and a generated password doesn't need them. */
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
 * Checks a password. Returns the problem as a clause, which never contains the password, or undefined for a valid one.
 *
 * Only printable ASCII is valid. Some drivers normalize other characters (SASLprep) before they hash them and some don't,
 * so the same password would work with one driver and fail with another.
 */
export function validatePassword(password: unknown): string | undefined {
  if (typeof password !== 'string') return 'must be a string';
  if (password.length < 8 || password.length > 256) return 'must have 8 to 256 characters';
  if (!/^[ -~]*$/.test(password)) return 'must contain printable ASCII characters only';
  return undefined;
}

/**
 * The SCRAM-SHA-256 verifier of a password, in the form that PostgreSQL stores (RFC 5803). The server accepts it in place
 * of the password, so the password itself is in no statement, and so in no log or view of the server.
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
