import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));

export interface CliExit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line as a process of its own, as `npx nestjs-cloacina` does, without a terminal. */
export function runBuiltCli(
  args: readonly string[],
  database: string,
  stdin = '',
): Promise<CliExit> {
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const child = spawn(process.execPath, [bin, ...args], {
    // Libraries of colors take the variable for a terminal.
    env: { ...env, CI: 'true', DATABASE_URL: database },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(stdin);
  const texts = ['', ''];
  for (const [i, stream] of [child.stdout, child.stderr].entries())
    stream.setEncoding('utf8').on('data', (text: string) => (texts[i] += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: texts[0] ?? '', stderr: texts[1] ?? '' }));
  });
}
