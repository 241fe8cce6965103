import Table from 'cli-table3';
import type { CommandContext } from '../command-context.js';
import { Styled } from './status.js';
import { oneLine } from './text.js';

const NO_BORDER = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((name) => [name, '']),
);

/** A table without lines, which can be copied and cut. The cells get no control characters. */
export function table(
  { colors }: Pick<CommandContext, 'colors'>,
  head: readonly string[],
  rows: readonly (readonly (string | Styled)[])[],
): string {
  const lines = new Table({
    head: head.map((name) => colors.bold(name.toUpperCase())),
    chars: { ...NO_BORDER, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  lines.push(
    ...rows.map((row) => row.map((cell) => (cell instanceof Styled ? cell.text : oneLine(cell)))),
  );
  return lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
