import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import { LOOKS, type Visitor } from './visitor.js';

/** `CLOACINA_PICTURES=folder npm run test:browser` puts a picture of each view there. */
const PICTURES = process.env['CLOACINA_PICTURES'];

/** Judges what is shown in both themes, wide and narrow, and takes pictures of it if they are asked for. */
export async function expectAccessible(user: Visitor, name: string): Promise<void> {
  const found: Record<string, string[]> = {};
  for (const look of LOOKS) {
    await user.look(look);
    const broken = await user.findings();
    if (broken.length > 0) found[`${look.colorScheme} ${look.width}`] = broken;
    if (PICTURES === undefined) continue;
    mkdirSync(PICTURES, { recursive: true });
    await user.page.screenshot({
      path: path.join(PICTURES, `${name}-${look.colorScheme}-${look.width}.png`),
      fullPage: true,
    });
  }
  await user.look(LOOKS[0]);
  expect(found).toEqual({});
}
