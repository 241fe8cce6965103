import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout, isMain, main } from './run.mjs';

/**
 * dashboard → the page that `nestjs-cloacina/dashboard` serves: `index.html`, and files in `assets` whose names contain hashes of their
 * contents. All URLs are relative, because the path of the page is known only at run time.
 */
export async function bundlePage(output) {
  const source = path.join(checkout, 'dashboard');
  const assets = path.join(output, 'assets');
  mkdirSync(assets, { recursive: true });
  // Only now is it installed: `npm start` loads this file in a fresh clone, before it installs anything.
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input: { main: path.join(source, 'src/main.tsx') },
    platform: 'browser',
    tsconfig: path.join(source, 'tsconfig.json'),
    transform: { target: 'es2022' },
    // A module that is missing would be missing in the browser.
    onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
  });
  const { output: chunks } = await build.write({
    dir: assets,
    format: 'es',
    minify: true,
    entryFileNames: '[name]-[hash].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await build.close();
  const entry = chunks.find((chunk) => chunk.isEntry).fileName;
  const style = hashed(assets, 'style', '.css', readFileSync(path.join(source, 'style.css')));
  const icon = hashed(assets, 'icon', '.svg', readFileSync(path.join(source, 'icon.svg')));
  const html = readFileSync(path.join(source, 'index.html'), 'utf8')
    .replace('main.js', entry)
    .replace('style.css', style)
    .replace('icon.svg', icon)
    // The server looks for it as it stands here.
    .replace('<base href="./" />', '<base href="./">');
  writeFileSync(path.join(output, 'index.html'), html);
}

function hashed(folder, name, extension, content) {
  const hash = createHash('sha256').update(content).digest('base64url').slice(0, 8);
  // A name must not begin or end with a dash in the server's pattern of names.
  const file = `${name}-${hash.replaceAll('-', '_')}${extension}`;
  writeFileSync(path.join(folder, file), content);
  return file;
}

/** `node scripts/page.mjs folder`: the page alone, for its tests. */
if (isMain(import.meta))
  await main(() => bundlePage(path.resolve(process.argv[2] ?? 'dist/dashboard')));
