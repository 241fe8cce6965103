import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

type Compare = (committed: string, fresh: string) => Promise<void>;

const script = '../../../scripts/api.mjs';
interface Message {
  readonly messageId: string;
  readonly sourceFilePath?: string;
}
const { compareReports, isUnnamedType } = (await import(script)) as {
  compareReports: Compare;
  isUnnamedType: (message: Message) => boolean;
};
const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-reports-'));
const committed = path.join(folder, 'committed.md');
const fresh = path.join(folder, 'fresh.md');

beforeAll(() => writeFileSync(fresh, 'export function start(): void;\n'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('equal reports pass', async () => {
  writeFileSync(committed, 'export function start(): void;\n');
  await expect(compareReports(committed, fresh)).resolves.toBeUndefined();
});

it('a changed report names the script that updates it', async () => {
  writeFileSync(committed, 'export function start(): number;\n');
  await expect(compareReports(committed, fresh)).rejects.toThrow('"npm run api:update"');
});

it('a missing report names the script that makes it', async () => {
  await expect(compareReports(path.join(folder, 'none.md'), fresh)).rejects.toThrow(
    '"npm run api:update"',
  );
});

it('refuses types that the index does not export, but for those that infer contexts', () => {
  const forgottenIn = (file: string): Message => ({
    messageId: 'ae-forgotten-export',
    sourceFilePath: path.resolve('dist', file),
  });
  expect(isUnnamedType(forgottenIn('events/event-name.d.ts'))).toBe(true);
  expect(isUnnamedType(forgottenIn('index.d.ts'))).toBe(true);
  expect(isUnnamedType(forgottenIn('workflow/node.d.ts'))).toBe(true);
  expect(isUnnamedType(forgottenIn('discovery/workflow-ref.d.ts'))).toBe(false);
  expect(isUnnamedType({ ...forgottenIn('index.d.ts'), messageId: 'ae-undocumented' })).toBe(false);
});
