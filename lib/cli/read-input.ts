import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UsageError } from './exit-code.js';
import type { Terminal } from './terminal.js';

/**
 * Reads the JSON value of an option: the text itself, `@file`, or `-` for standard input.
 *
 * @param option - for messages
 */
export async function readJson(
  { stdin }: Pick<Terminal, 'stdin'>,
  option: string,
  given: string,
): Promise<unknown> {
  const json = await textOf(stdin, option, given);
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw new UsageError(
      `${option} must be JSON, a file as @name, or - for standard input: ${(error as Error).message}`,
    );
  }
}

async function textOf(stdin: Terminal['stdin'], option: string, given: string): Promise<string> {
  if (given === '-') return text(stdin);
  if (!given.startsWith('@')) return given;
  try {
    return await readFile(given.slice(1), 'utf8');
  } catch (error) {
    throw new UsageError(
      `${option}: the file ${given.slice(1)} can't be read: ${(error as Error).message}`,
    );
  }
}

/** As {@link readJson}, for an option whose value is an object. */
export async function readObject(
  terminal: Pick<Terminal, 'stdin'>,
  option: string,
  given: string,
): Promise<Record<string, unknown>> {
  const value = await readJson(terminal, option, given);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new UsageError(`${option} must be a JSON object, such as {"orderId": 17}.`);
}
