import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block of a page. */
export interface CodeBlock {
  /** Relative to the checkout. */
  readonly file: string;
  /** Of its first line of code; the first of the file is 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** README, CHANGELOG, CONTRIBUTING, SECURITY, the guide and the sample's page. */
export function pages(): string[] {
  const guide = readdirSync(path.join(checkout, 'docs')).filter((name) => name.endsWith('.md'));
  return [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...guide.sort().map((name) => `docs/${name}`),
    'sample/multi-tenant/README.md',
  ];
}

export function textOf(file: string): string {
  return readFileSync(path.join(checkout, file), 'utf8');
}

export function codeBlocks(file: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of textOf(file).split('\n').entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (open === undefined && fence) {
      open = { language: fence[1]?.trim() ?? '', line: i + 2, lines: [] };
    } else if (open !== undefined && fence) {
      blocks.push({ file, ...open, code: open.lines.join('\n') });
      open = undefined;
    } else {
      open?.lines.push(line);
    }
  }
  return blocks;
}

/** What stands between a heading and the next one of its level or above. */
export function section(file: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const lines = withoutCode(file).split('\n');
  const begin = lines.indexOf(heading);
  if (begin === -1) throw new Error(`${file} has no heading "${heading}".`);
  const rest = lines.slice(begin + 1);
  const end = rest.findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return rest.slice(0, end === -1 ? undefined : end).join('\n');
}

/** The rows of all tables in a text, without headings: the cells of each, trimmed. */
export function tableRows(text: string): string[][] {
  const rows: string[][] = [];
  const lines = text.split('\n');
  for (const [i, line] of lines.entries()) {
    const isHeading = /^\|\s*-/.test(lines[i + 1] ?? '');
    if (!line.startsWith('|') || isHeading || /^\|\s*-/.test(line)) continue;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

/** `# Waiting for a condition` is `#waiting-for-a-condition` in a link. */
export function anchors(file: string): string[] {
  const headings = withoutCode(file).match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The targets of all links. */
export function links(file: string): string[] {
  return [...withoutCode(file).matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target ?? '');
}

/** As many lines as the page, those of code blocks empty. */
function withoutCode(file: string): string {
  let inCode = false;
  return textOf(file)
    .split('\n')
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) inCode = !inCode;
      return isFence || inCode ? '' : line;
    })
    .join('\n');
}
