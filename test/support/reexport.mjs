/**
 * The text of an ES module that exports what a CommonJS module does.
 *
 * @param file - the CommonJS module, relative to it
 * @param names - what it exports
 */
export function reexport(file, names) {
  const lines = names.map((name, i) => `const x${i} = m.${name}; export { x${i} as ${name} };`);
  return [
    "import { createRequire } from 'node:module';",
    `const m = createRequire(import.meta.url)('${file}');`,
    ...lines,
    '',
  ].join('\n');
}
