import { createHash } from 'node:crypto';

/** The tenant in notifications: a hash in place of its schema's name, because every role may listen. */
export function addressOf(schema: string): string {
  return createHash('sha256').update(schema).digest('hex').slice(0, 16);
}
