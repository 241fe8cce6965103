import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout, isMain, main } from './run.mjs';

/** Pages in the tarball. npm shows the first one; neither its site nor `node_modules` has the files that they link to. */
const PAGES = ['README.md', 'CHANGELOG.md'];

/** The pages as they were, while npm packs. */
const ORIGINALS = path.join(checkout, 'node_modules/.cache/packed-pages');

/**
 * Makes relative links and images of a page absolute: pages of the repository, and the raw files of images.
 *
 * @param markdown - the text of a page in the repository's root
 * @param repository - the address of the repository on GitHub, without a slash at its end
 */
function withAbsoluteLinks(markdown, repository) {
  const raw = repository.replace('https://github.com/', 'https://raw.githubusercontent.com/');
  // Code has brackets too, and no links.
  return markdown.replaceAll(
    /(```[^]*?\n```|`[^`\n]*`)|(!?)\[((?:[^\][]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s]+)\)/g,
    (whole, code, image, text, target) => {
      if (code !== undefined) return whole;
      const address = image ? `${raw}/HEAD` : `${repository}/blob/HEAD`;
      return `${image}[${text}](${address}/${target})`;
    },
  );
}

/** The text of each page, by its name, as it is packed. */
export function packedPages() {
  return PAGES.map((page) => [page, packedText(textOf(page))]);
}

/** The address of the repository is that of package.json, and nowhere else. */
function packedText(text) {
  const { repository } = JSON.parse(textOf('package.json'));
  return withAbsoluteLinks(text, repository.url.replace(/^git\+/, '').replace(/\.git$/, ''));
}

function textOf(file) {
  return readFileSync(path.resolve(checkout, file), 'utf8');
}

/** Before npm packs the checkout. */
function preparePages() {
  // An earlier pack that was killed left its own behind.
  restorePages();
  mkdirSync(ORIGINALS, { recursive: true });
  for (const [page, packed] of packedPages()) {
    copyFileSync(path.join(checkout, page), path.join(ORIGINALS, page));
    writeFileSync(path.join(checkout, page), packed);
  }
}

/** After it: the checkout is as it was. A page that was edited since then keeps the edit. */
function restorePages() {
  for (const page of PAGES) {
    const original = path.join(ORIGINALS, page);
    if (!existsSync(original) || textOf(page) !== packedText(textOf(original))) continue;
    copyFileSync(original, path.join(checkout, page));
  }
  rmSync(ORIGINALS, { recursive: true, force: true });
}

if (isMain(import.meta)) {
  const restore = process.argv[2] === 'restore';
  await main(async () => (restore ? restorePages() : preparePages()));
}
