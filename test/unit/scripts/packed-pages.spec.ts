import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const run = promisify(execFile);
const checkout = path.resolve(import.meta.dirname, '../../..');
const ADDRESS = 'https://github.com/nestjs-cloacina/nestjs-cloacina/blob/HEAD/';
const RAW = 'https://raw.githubusercontent.com/nestjs-cloacina/nestjs-cloacina/HEAD/';

/** A checkout with what npm packs and how, but with nothing to build. */
let folder = '';
let packed = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloacina-pages-'));
  for (const file of ['README.md', 'CHANGELOG.md', 'scripts/packed-pages.mjs', 'scripts/run.mjs'])
    await cp(path.join(checkout, file), path.join(folder, file));
  const manifest = JSON.parse(await readFile(path.join(checkout, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(path.join(folder, 'scripts/build.mjs'), '');
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: folder });
  await run('tar', ['-xzf', path.join(folder, 'nestjs-cloacina-0.1.0.tgz'), '-C', folder]);
  packed = await readFile(path.join(folder, 'package/README.md'), 'utf8');
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Targets of links and images, without those in code. */
function targets(markdown: string): string[] {
  const text = markdown.replaceAll(/```[^]*?\n```|`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
}

it('The README that npm packs has only absolute links, and each leads to a file of the repository', () => {
  const found = targets(packed);
  expect(found.filter((target) => !/^(https:\/\/|#)/.test(target))).toEqual([]);
  const ours = found.filter((target) => target.startsWith(ADDRESS) || target.startsWith(RAW));
  expect(ours.length).toBeGreaterThan(15);
  const files = ours.map((target) => target.replace(ADDRESS, '').replace(RAW, '').split('#')[0]);
  expect(files.filter((file) => !existsSync(path.join(checkout, file ?? '')))).toEqual([]);
  expect(ours).toContain(`${RAW}bench/results/chart.svg`);
});

it('Nothing else of the page changes, and the checkout is as it was', async () => {
  const original = await readFile(path.join(checkout, 'README.md'), 'utf8');
  expect(packed.replaceAll(ADDRESS, '').replaceAll(RAW, '')).toBe(original);
  expect(await readFile(path.join(folder, 'README.md'), 'utf8')).toBe(original);
});

it('A pack that was killed leaves no page behind that the next one would keep', async () => {
  const page = path.join(folder, 'CHANGELOG.md');
  const original = await readFile(page, 'utf8');
  const script = path.join(folder, 'scripts/packed-pages.mjs');
  await run(process.execPath, [script]);
  expect(await readFile(page, 'utf8')).not.toBe(original);
  await run(process.execPath, [script]);
  await run(process.execPath, [script, 'restore']);
  expect(await readFile(page, 'utf8')).toBe(original);
});

it('Code that looks like a link stays as it is', async () => {
  const page = path.join(folder, 'README.md');
  const code = 'See `a[0](b)`.\n\n```ts\nconst c = table[name](argument);\n```\n';
  await writeFile(page, code);
  await run(process.execPath, [path.join(folder, 'scripts/packed-pages.mjs')]);
  expect(await readFile(page, 'utf8')).toBe(code);
});
