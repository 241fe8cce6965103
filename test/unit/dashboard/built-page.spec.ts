import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** The bound of the first load, compressed, in bytes. */
const MAX_FIRST_LOAD = 300_000;

describe('The built page', () => {
  let folder: string;
  let html: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'cloacina-built-page-'));
    execFileSync(process.execPath, ['scripts/page.mjs', folder]);
    html = readFileSync(path.join(folder, 'index.html'), 'utf8');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const loaded = (): string[] =>
    [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, file]) => file ?? '');

  it('loads less than 300 KB compressed before it shows something', () => {
    expect(loaded()).toHaveLength(3);
    const bytes = ['index.html', ...loaded()].map(
      (file) => gzipSync(readFileSync(path.join(folder, file))).length,
    );
    const sum = bytes.reduce((total, one) => total + one, 0);
    expect([sum > 20_000, sum < MAX_FIRST_LOAD]).toEqual([true, true]);
  });

  it('loads the layout of graphs with the first graph', () => {
    const later = readdirSync(path.join(folder, 'assets')).filter(
      (name) => !loaded().includes(`assets/${name}`),
    );
    expect(later).toEqual([expect.stringMatching(/^dagre.*\.js$/)]);
  });

  it('has no inline script or style, and loads nothing of other hosts', () => {
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
    const style = loaded().find((file) => file.endsWith('.css'))!;
    expect(readFileSync(path.join(folder, style), 'utf8')).not.toMatch(/url\(|@import/);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });
});
