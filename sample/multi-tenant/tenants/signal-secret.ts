import { hkdfSync } from 'node:crypto';

/**
 * The secret that signs the tokens of webhooks, the same in all processes. A real application keeps a random text with its
 * other secrets: this one is only as secret as the password of the database.
 */
export function signalSecretFrom(databaseUrl: string): string {
  const bytes = hkdfSync('sha256', databaseUrl, '', 'tokens of signals', 32);
  return Buffer.from(bytes).toString('base64url');
}
