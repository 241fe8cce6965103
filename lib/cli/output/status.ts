import type { CommandContext } from '../command-context.js';
import { oneLine } from './text.js';

/** A text that may have colors, and contains no other control characters. */
export class Styled {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** A status in its color. */
export function status({ colors }: Pick<CommandContext, 'colors'>, given: string): Styled {
  const name = oneLine(given);
  if (/^(?:Completed|active)$/.test(name)) return new Styled(colors.green(name));
  if (/^(?:Failed|broken|error)$/.test(name)) return new Styled(colors.red(name));
  if (/^(?:Running|Finishing|Ready)$/.test(name)) return new Styled(colors.cyan(name));
  const waits = /^(?:Paused|paused|Waiting|warning)$/.test(name);
  return new Styled(waits ? colors.yellow(name) : name);
}
