import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { canUse } from './account.mjs';

/**
 * The folder where a checkout keeps its server: `.cloacina` in it, or one named after it in /var/tmp where that
 * can't be (the checkout is another user's, or in a folder that the server's account can't enter).
 */
export function placeOf(checkout, account) {
  const user = process.getuid?.() ?? 'user';
  const hash = createHash('sha256').update(checkout).digest('hex').slice(0, 12);
  const candidates = [path.join(checkout, '.cloacina'), `/var/tmp/nestjs-cloacina-${user}-${hash}`];
  const place = candidates.find((candidate) => isOurs(candidate) && canUse(account, candidate));
  if (place === undefined)
    throw new Error(`No folder for PostgreSQL: tried ${candidates.join(' and ')}.`);
  return place;
}

/** Made by us, now or earlier: a folder that someone else put there first is not to be trusted. */
function isOurs(directory) {
  try {
    mkdirSync(directory, { recursive: true });
    const found = lstatSync(directory);
    if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) return false;
    chmodSync(directory, 0o755);
    return true;
  } catch {
    return false;
  }
}
